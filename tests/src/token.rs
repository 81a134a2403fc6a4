//! The contracts of `tests/contracts` on a local EVM chain: deployed, minted, told how to behave, and looked
//! at, all with anvil's own unlocked accounts.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_shared::address::EvmAddress;
use xtask::chains::Anvil;

/// The creation code, see `tests/contracts/README.md`.
const TOKEN: &str = include_str!("../contracts/TestToken.hex");
const PIECES: &str = include_str!("../contracts/TestPieces.hex");
const VAULT: &str = include_str!("../contracts/TestVault.hex");
const COIN: &str = include_str!("../contracts/TestCoin.hex");
/// The first of anvil's accounts, which the node signs for.
const DEPLOYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A block is made for each transaction.
const MINED: Duration = Duration::from_secs(30);

/// `transfer(address,uint256)`, `mint(address,uint256)`, `behave(uint256,bool,bool)`, `balanceOf(address)`,
/// `allowance(address,address)`, `transferFrom(address,address,uint256)`.
const TRANSFER: &str = "a9059cbb";
const MINT: &str = "40c10f19";
const BEHAVE: &str = "c2355b42";
const BALANCE_OF: &str = "70a08231";
const ALLOWANCE: &str = "dd62ed3e";
const TRANSFER_FROM: &str = "23b872dd";
/// Of pieces: `mint(address,uint256,uint256)`, `ownerOf(uint256)`, `balanceOf(address,uint256)`.
const MINT_KIND: &str = "156e29f6";
const OWNER_OF: &str = "6352211e";
const KIND_BALANCE_OF: &str = "00fdd58e";
/// Of the vault: `shares(address)`, `paid(address)`.
const SHARES: &str = "ce7c2ac2";
const PAID: &str = "a340cf79";
/// Of the coin: `transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)`,
/// `authorizationState(address,bytes32)`.
const TRANSFER_WITH_AUTHORIZATION: &str = "e3ee160e";
const AUTHORIZATION_STATE: &str = "e94a0102";

/// A token with six decimals.
#[derive(Debug)]
pub struct TestToken<'chain> {
    chain: &'chain Anvil,
    /// Its contract.
    pub address: EvmAddress,
}

impl<'chain> TestToken<'chain> {
    /// A new one.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn deploy(chain: &'chain Anvil) -> Result<Self> {
        let address = create(chain, TOKEN)?;
        Ok(Self::at(chain, address))
    }

    /// One that is there.
    #[must_use]
    pub const fn at(chain: &'chain Anvil, address: EvmAddress) -> Self {
        Self { chain, address }
    }

    /// Its name in policies and requests (CAIP-19).
    #[must_use]
    pub fn asset(&self) -> String {
        format!("eip155:{}/erc20:{}", Anvil::CHAIN_ID, self.address)
    }

    /// Makes units for somebody.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn mint(&self, to: &str, units: u128) -> Result<()> {
        self.call_from(DEPLOYER, MINT, &[address(to), number(units)])
    }

    /// From now on it keeps so many ten-thousandths of a transfer, reverts, or answers false.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn behave(&self, keeps: u128, frozen: bool, refuses: bool) -> Result<()> {
        let words = [keeps, frozen.into(), refuses.into()].map(number);
        self.call_from(DEPLOYER, BEHAVE, &words)
    }

    /// Somebody's whole balance moves, as by the holder's own hand.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn empty(&self, holder: &str, to: &str) -> Result<()> {
        let rpc = self.chain.rpc();
        rpc.call("anvil_impersonateAccount", json!([holder]))?;
        let words = [address(to), number(self.balance(holder)?)];
        self.call_from(holder, TRANSFER, &words)?;
        rpc.call("anvil_stopImpersonatingAccount", json!([holder]))?;
        Ok(())
    }

    /// What somebody holds.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn balance(&self, of: &str) -> Result<u128> {
        self.look(BALANCE_OF, &[address(of)])
    }

    /// What a spender may take.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn allowance(&self, owner: &str, spender: &str) -> Result<u128> {
        self.look(ALLOWANCE, &[address(owner), address(spender)])
    }

    /// A spender takes what it was let take.
    ///
    /// # Errors
    /// When the token refuses.
    pub fn take(&self, spender: &str, owner: &str, units: u128) -> Result<()> {
        let rpc = self.chain.rpc();
        rpc.call("anvil_impersonateAccount", json!([spender]))?;
        self.chain.fund(spender, 1_000_000_000_000_000_000)?;
        let words = [address(owner), address(spender), number(units)];
        self.call_from(spender, TRANSFER_FROM, &words)
    }

    fn call_from(&self, from: &str, selector: &str, words: &[String]) -> Result<()> {
        call(self.chain, self.address, from, selector, words)
    }

    fn look(&self, selector: &str, words: &[String]) -> Result<u128> {
        let word = look(self.chain, self.address, selector, words)?;
        Ok(u128::from_str_radix(&word, 16)?)
    }
}

/// Pieces of ERC-721 and kinds of ERC-1155, in one contract.
#[derive(Debug)]
pub struct TestPieces<'chain> {
    chain: &'chain Anvil,
    /// Its contract.
    pub address: EvmAddress,
}

impl<'chain> TestPieces<'chain> {
    /// A new one.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn deploy(chain: &'chain Anvil) -> Result<Self> {
        let address = create(chain, PIECES)?;
        Ok(Self { chain, address })
    }

    /// A piece's name in policies and requests; `kind` is `erc721` or `erc1155`.
    #[must_use]
    pub fn asset(&self, kind: &str, id: u128) -> String {
        format!("eip155:{}/{kind}:{}/{id}", Anvil::CHAIN_ID, self.address)
    }

    /// Makes a piece for somebody.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn mint(&self, to: &str, id: u128) -> Result<()> {
        call(
            self.chain,
            self.address,
            DEPLOYER,
            MINT,
            &[address(to), number(id)],
        )
    }

    /// Makes so many of a kind for somebody.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn mint_kind(&self, to: &str, id: u128, units: u128) -> Result<()> {
        let words = [address(to), number(id), number(units)];
        call(self.chain, self.address, DEPLOYER, MINT_KIND, &words)
    }

    /// Whether somebody owns a piece.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn is_owner(&self, id: u128, who: &str) -> Result<bool> {
        let owner = look(self.chain, self.address, OWNER_OF, &[number(id)])?;
        Ok(owner == address(who))
    }

    /// How many of a kind somebody holds.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn kinds(&self, of: &str, id: u128) -> Result<u128> {
        let words = [address(of), number(id)];
        let held = look(self.chain, self.address, KIND_BALANCE_OF, &words)?;
        Ok(u128::from_str_radix(&held, 16)?)
    }
}

/// A vault over a token: what holders put in, and what they paid it.
#[derive(Debug)]
pub struct TestVault<'chain> {
    chain: &'chain Anvil,
    /// Its contract.
    pub address: EvmAddress,
}

impl<'chain> TestVault<'chain> {
    /// A new one.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn deploy(chain: &'chain Anvil, token: &TestToken<'_>) -> Result<Self> {
        let code = format!("{}{}", VAULT.trim(), address(&token.address.to_string()));
        let address = create(chain, &code)?;
        Ok(Self { chain, address })
    }

    /// What somebody has in it.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn shares(&self, of: &str) -> Result<u128> {
        self.look(SHARES, of)
    }

    /// Wei that somebody paid it.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn paid(&self, by: &str) -> Result<u128> {
        self.look(PAID, by)
    }

    fn look(&self, selector: &str, of: &str) -> Result<u128> {
        let word = look(self.chain, self.address, selector, &[address(of)])?;
        Ok(u128::from_str_radix(&word, 16)?)
    }
}

/// A token with six decimals that takes transfers by authorization (EIP-3009).
#[derive(Debug)]
pub struct TestCoin<'chain> {
    chain: &'chain Anvil,
    /// Its contract.
    pub address: EvmAddress,
}

impl<'chain> TestCoin<'chain> {
    /// A new one.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn deploy(chain: &'chain Anvil) -> Result<Self> {
        let address = create(chain, COIN)?;
        Ok(Self { chain, address })
    }

    /// Its name in policies and requests.
    #[must_use]
    pub fn asset(&self) -> String {
        format!("eip155:{}/erc20:{}", Anvil::CHAIN_ID, self.address)
    }

    /// Makes base units for somebody.
    ///
    /// # Errors
    /// When the chain refuses.
    pub fn mint(&self, to: &str, units: u128) -> Result<()> {
        let words = [address(to), number(units)];
        call(self.chain, self.address, DEPLOYER, MINT, &words)
    }

    /// What somebody holds.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn balance(&self, of: &str) -> Result<u128> {
        let word = look(self.chain, self.address, BALANCE_OF, &[address(of)])?;
        Ok(u128::from_str_radix(&word, 16)?)
    }

    /// Somebody who has nothing to do with payer and payee brings an authorization to the chain: its fields in the
    /// names of EIP-3009, and the signature.
    ///
    /// # Errors
    /// When the token refuses it, or a field is missing.
    pub fn settle(&self, authorization: &Value, signature: &str) -> Result<()> {
        let text = |name: &str| {
            let value = authorization.get(name).and_then(Value::as_str);
            value.with_context(|| format!("{name} in {authorization}"))
        };
        let units = |name: &str| anyhow::Ok(number(text(name)?.parse()?));
        let plain = |text: &str| text.trim_start_matches("0x").to_owned();
        let signature = plain(signature);
        let part = |range| signature.get(range).context("65 bytes of signature");
        let words = [
            address(text("from")?),
            address(text("to")?),
            units("value")?,
            units("validAfter")?,
            units("validBefore")?,
            plain(text("nonce")?),
            number(u128::from_str_radix(part(128..130)?, 16)?),
            part(0..64)?.to_owned(),
            part(64..128)?.to_owned(),
        ];
        let (chain, selector) = (self.chain, TRANSFER_WITH_AUTHORIZATION);
        call(chain, self.address, DEPLOYER, selector, &words)
    }

    /// Whether an authorization was used.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub fn is_used(&self, payer: &str, nonce: &str) -> Result<bool> {
        let words = [address(payer), nonce.trim_start_matches("0x").to_owned()];
        let word = look(self.chain, self.address, AUTHORIZATION_STATE, &words)?;
        Ok(u128::from_str_radix(&word, 16)? == 1)
    }
}

fn create(chain: &Anvil, code: &str) -> Result<EvmAddress> {
    let code = format!("0x{}", code.trim());
    let receipt = send(chain, json!({ "from": DEPLOYER, "data": code }))?;
    let address = receipt.get("contractAddress").and_then(Value::as_str);
    let digits = address.and_then(|address| address.strip_prefix("0x"));
    let mut bytes = [0; 20];
    hex::decode_to_slice(digits.context("a contract")?, &mut bytes)?;
    Ok(EvmAddress::from_bytes(bytes))
}

fn call(
    chain: &Anvil,
    contract: EvmAddress,
    from: &str,
    selector: &str,
    words: &[String],
) -> Result<()> {
    let data = format!("0x{selector}{}", words.concat());
    send(chain, json!({ "from": from, "to": contract, "data": data })).map(drop)
}

/// A word that a call returns, as hexadecimal digits.
fn look(chain: &Anvil, contract: EvmAddress, selector: &str, words: &[String]) -> Result<String> {
    let data = format!("0x{selector}{}", words.concat());
    let asked = json!([{ "to": contract, "data": data }, "latest"]);
    let answer = chain.rpc().call("eth_call", asked)?;
    let digits = answer.as_str().and_then(|text| text.strip_prefix("0x"));
    Ok(digits.context("a word")?.to_owned())
}

fn send(chain: &Anvil, transaction: Value) -> Result<Value> {
    let rpc = chain.rpc();
    let hash = rpc.call("eth_sendTransaction", json!([transaction]))?;
    let until = Instant::now() + MINED;
    let receipt = loop {
        let receipt = rpc.call("eth_getTransactionReceipt", json!([hash]))?;
        if !receipt.is_null() {
            break receipt;
        }
        ensure!(Instant::now() < until, "no block has {hash}");
        thread::sleep(Duration::from_millis(20));
    };
    ensure!(
        receipt.get("status") == Some(&json!("0x1")),
        "it failed: {receipt}"
    );
    Ok(receipt)
}

fn address(text: &str) -> String {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_lowercase();
    format!("{digits:0>64}")
}

fn number(number: u128) -> String {
    format!("{number:064x}")
}
