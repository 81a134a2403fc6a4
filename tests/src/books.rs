//! The books of one wallet: what it holds of the chain's coin, what the chain wrote down as fees, and what its session
//! was charged. Read before something is done and compared afterwards, for every test that counts to the unit.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::agent::Agent;
use xtask::chains::{Anvil, Surfnet};

/// A chain that is asked directly, past the product.
pub trait Chain {
    /// What an address holds of the coin.
    ///
    /// # Errors
    /// When the chain does not answer.
    fn holds(&self, address: &str) -> Result<u128>;

    /// The fee that the chain wrote down for a transaction.
    ///
    /// # Errors
    /// When the chain has no record of it.
    fn took(&self, transaction: &str) -> Result<u128>;
}

impl Chain for Anvil {
    fn holds(&self, address: &str) -> Result<u128> {
        self.balance(address)
    }

    fn took(&self, transaction: &str) -> Result<u128> {
        let receipt = self
            .rpc()
            .call("eth_getTransactionReceipt", json!([transaction]))?;
        Ok(quantity(&receipt, "gasUsed")? * quantity(&receipt, "effectiveGasPrice")?)
    }
}

impl Chain for Surfnet {
    fn holds(&self, address: &str) -> Result<u128> {
        Ok(self.balance(address)?.into())
    }

    fn took(&self, transaction: &str) -> Result<u128> {
        let fee = written(self, transaction)?.pointer("/meta/fee").cloned();
        let fee = fee.as_ref().and_then(Value::as_u64);
        Ok(fee.context("a fee")?.into())
    }
}

/// What a Solana chain wrote down of a transaction.
///
/// # Errors
/// When it does not answer.
pub fn written(chain: &Surfnet, transaction: &str) -> Result<Value> {
    let options = json!({
        "encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 1,
    });
    chain
        .rpc()
        .call("getTransaction", json!([transaction, options]))
}

/// Base units of a mint in all accounts of an owner, as a Solana chain counts them.
///
/// # Errors
/// When it does not answer.
pub fn tokens(chain: &Surfnet, owner: &str, mint: &str) -> Result<u128> {
    let options = json!({ "encoding": "jsonParsed", "commitment": "confirmed" });
    let params = json!([owner, { "mint": mint }, options]);
    let told = chain.rpc().call("getTokenAccountsByOwner", params)?;
    let accounts = told.pointer("/value").and_then(Value::as_array);
    let amounts = accounts.into_iter().flatten().map(|account| {
        let held = account.pointer("/account/data/parsed/info/tokenAmount");
        base(held.context("an account of tokens")?, "amount")
    });
    amounts.sum()
}

/// A number as EVM nodes write it.
///
/// # Errors
/// When it is none.
pub fn quantity(value: &Value, field: &str) -> Result<u128> {
    let digits = text(value, field)?.trim_start_matches("0x");
    Ok(u128::from_str_radix(digits, 16)?)
}

/// A field that is text.
///
/// # Errors
/// When it is missing.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value.get(field).and_then(Value::as_str);
    text.with_context(|| format!("{field} in {value}"))
}

/// A field that is a number of base units.
///
/// # Errors
/// When it is missing, or none.
pub fn base(value: &Value, field: &str) -> Result<u128> {
    Ok(text(value, field)?.parse()?)
}

/// What a session's grant has counted of an asset.
///
/// # Errors
/// When the session has no limit of it.
pub fn charged(agent: &Agent, asset: &str) -> Result<u128> {
    let session = agent.send(&agent.get("/v1/session"))?.json()?;
    let limits = session.get("limits").and_then(Value::as_array);
    let of_asset = limits
        .into_iter()
        .flatten()
        .find(|limit| limit.get("asset") == Some(&json!(asset)));
    base(of_asset.context("the asset's limit")?, "spent")
}

/// A wallet's coin on its chain and in its session.
pub struct Books<'a> {
    /// Where the coin lies.
    pub chain: &'a dyn Chain,
    /// Whose session is charged.
    pub agent: &'a Agent,
    /// The wallet's address.
    pub wallet: &'a str,
    /// The coin (CAIP-19).
    pub coin: &'a str,
}

impl std::fmt::Debug for Books<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Books");
        shown.field("wallet", &self.wallet).finish_non_exhaustive()
    }
}

/// The books at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    held: u128,
    charged: u128,
}

/// What something cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// What left the wallet.
    pub left: u128,
    /// What of it the chain took as fees.
    pub fee: u128,
    /// What the session was charged.
    pub charged: u128,
}

impl Books<'_> {
    /// How they stand now.
    ///
    /// # Errors
    /// When chain or gateway do not answer.
    pub fn read(&self) -> Result<Reading> {
        Ok(Reading {
            held: self.chain.holds(self.wallet)?,
            charged: charged(self.agent, self.coin)?,
        })
    }

    /// Since that moment `amount` left the wallet and the fees that the chain wrote down for what has landed, not a
    /// unit more or less; the gateway tells these fees; and the session was charged for all of it.
    ///
    /// # Errors
    /// When anything of that is not so.
    pub fn settled(&self, since: Reading, amount: u128, landed: &[&Value]) -> Result<Cost> {
        let mut fee = 0;
        for payment in landed {
            let took = self.chain.took(text(payment, "chain_transaction")?)?;
            ensure!(took > 0, "no fee: {payment}");
            ensure!(base(payment, "fee_paid_base")? == took, "{took}: {payment}");
            fee += took;
        }
        let cost = self.since(since, fee)?;
        ensure!(
            cost.left == amount + fee,
            "{} left, not {amount} and a fee of {fee}",
            cost.left
        );
        Ok(cost)
    }

    /// The same where the gateway was not there to tell the fee; what left, with this much of it as fees.
    ///
    /// # Errors
    /// When coins came, or the session was charged less than what left.
    pub fn since(&self, since: Reading, fee: u128) -> Result<Cost> {
        let now = self.read()?;
        let left = since.held.checked_sub(now.held).context("coins came")?;
        let charged = now.charged - since.charged;
        ensure!(charged >= left, "charged {charged}, but {left} left");
        Ok(Cost { left, fee, charged })
    }
}
