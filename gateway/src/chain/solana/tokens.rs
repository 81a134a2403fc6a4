//! Tokens on Solana as a node tells of them: whether there is enough, whether the recipient has an
//! account, what a wallet holds, and why a program refused. Decimals and programs come with the request,
//! as owners registered them; a node's word only makes a payment fail, never another one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Token as AssetToken};
use waiaas_shared::request::Transfer;
use waiaas_shared::solana::{STAKE_PROGRAM, Token, TokenProgram, associated_account};

use super::super::rpc_error::{ChainText, RpcError};
use super::super::{ChainError, TokenBalance};
use super::{BUILD_COMMITMENT, Solana, TRANSFER_UNITS, Told};

/// What a `TransferChecked` is given, the settings included: SPL Token takes 6 200 units at most, Token-2022
/// with a fee about three times that.
pub(super) const TOKEN_UNITS: u32 = 40_000;
/// What is added where the recipient's account is created: 20 000 to 35 000 units, and 1500 for each
/// bump that is tried.
pub(super) const CREATION_UNITS: u32 = 80_000;

/// A token account's content: mint, owner and amount stand at its beginning in both programs.
const AMOUNT_AT: usize = 64;

/// What is about to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draft {
    /// A transfer of the native asset.
    Lamports,
    /// A transfer of tokens.
    Tokens {
        /// Which.
        token: Token,
        /// Whether the recipient's account is to be created.
        create: bool,
    },
}

impl Draft {
    pub(super) const fn units(self) -> u32 {
        match self {
            Self::Lamports => TRANSFER_UNITS,
            Self::Tokens { create: false, .. } => TOKEN_UNITS,
            Self::Tokens { create: true, .. } => TOKEN_UNITS + CREATION_UNITS,
        }
    }

    /// The accounts that it writes to, which others may want at the same time.
    pub(super) fn locked(self, from: SolanaAddress, to: SolanaAddress) -> Vec<SolanaAddress> {
        match self {
            Self::Lamports => vec![from, to],
            Self::Tokens { token, .. } => vec![from, token.account_of(from), token.account_of(to)],
        }
    }
}

/// Content of an account that a token program owns.
pub(super) struct Holding {
    mint: SolanaAddress,
    owner: SolanaAddress,
    amount: u64,
}

impl Solana {
    /// Whether the wallet holds as much, and whether the recipient has an account for it.
    pub(super) async fn token_draft(
        &self,
        from: SolanaAddress,
        to: SolanaAddress,
        asked: &Transfer,
        token: Token,
    ) -> Result<Draft, ChainError> {
        let accounts = [from, to].map(|owner| token.account_of(owner));
        let options = json!({ "encoding": "base64", "commitment": BUILD_COMMITMENT });
        let told: Told<[Option<AccountInfo>; 2]> = self
            .rpc
            .call("getMultipleAccounts", json!([accounts, options]))
            .await?;
        let [source, destination] = told.value.map(|account| holding(account, &token));
        let balance = source.map_or(0, |held| held.of(from));
        if u128::from(balance) < asked.amount.base_units() {
            return Err(ChainError::InsufficientTokens {
                asset: Box::new(asked.asset),
                balance: Amount::from_base_units(balance.into()),
                needed: asked.amount,
            });
        }
        Ok(Draft::Tokens {
            token,
            create: is_missing(destination.as_ref(), to)?,
        })
    }

    /// What lies in the wallet's associated accounts of a mint, of either program.
    pub(in super::super) async fn holding(
        &self,
        wallet: SolanaAddress,
        mint: SolanaAddress,
    ) -> Result<Amount, ChainError> {
        let accounts = TokenProgram::ALL.map(|program| associated_account(wallet, mint, program));
        let options = json!({ "encoding": "base64", "commitment": BUILD_COMMITMENT });
        let told: Told<[Option<AccountInfo>; 2]> = self
            .rpc
            .call("getMultipleAccounts", json!([accounts, options]))
            .await?;
        let held = told.value.into_iter().flatten().filter(|account| {
            let programs = TokenProgram::ALL.map(TokenProgram::id);
            programs.contains(&account.owner)
        });
        let held = held.filter_map(|account| account.holding());
        let held = held.filter(|held| held.mint == mint && held.owner == wallet);
        Ok(Amount::from_base_units(
            held.map(|held| u128::from(held.amount)).sum(),
        ))
    }

    /// Every account of both programs that has something in it.
    pub(in super::super) async fn token_balances(
        &self,
        wallet: SolanaAddress,
    ) -> Result<Vec<TokenBalance>, ChainError> {
        let mut balances = Vec::new();
        for program in TokenProgram::ALL {
            let params = json!([
                wallet,
                { "programId": program.id() },
                { "encoding": "base64", "commitment": BUILD_COMMITMENT },
            ]);
            let told: Told<Vec<Listed>> = self.rpc.call("getTokenAccountsByOwner", params).await?;
            for listed in told.value {
                let held = listed.account.holding().ok_or(RpcError::Malformed)?;
                if held.amount == 0 || held.owner != wallet {
                    continue;
                }
                let asset = AssetId::new(self.config.id, AssetToken::Mint(held.mint))
                    .map_err(|_| ChainError::FamilyMismatch)?;
                let associated = associated_account(wallet, held.mint, program);
                balances.push(TokenBalance {
                    asset,
                    amount: Amount::from_base_units(held.amount.into()),
                    elsewhere: (listed.pubkey != associated)
                        .then_some(Account::Solana(listed.pubkey)),
                });
            }
        }
        balances.sort_by_key(|balance| (balance.asset, balance.elsewhere));
        Ok(balances)
    }
}

#[derive(Deserialize)]
pub(super) struct AccountInfo {
    /// The program that owns it.
    owner: SolanaAddress,
    data: (String, String),
}

#[derive(Deserialize)]
struct Listed {
    pubkey: SolanaAddress,
    account: AccountInfo,
}

/// What an account holds, if it is one of this token.
pub(super) fn holding(account: Option<AccountInfo>, token: &Token) -> Option<Holding> {
    let account = account.filter(|account| account.owner == token.program.id())?;
    account.holding().filter(|held| held.mint == token.mint)
}

/// Whether a recipient's associated account has to be created.
///
/// SPL Token lets an owner give an associated account away: its address stays, and what is paid there is the new owner's.
pub(super) fn is_missing(
    destination: Option<&Holding>,
    owner: SolanaAddress,
) -> Result<bool, ChainError> {
    match destination {
        Some(held) if held.owner != owner => {
            let words = format!(
                "the associated token account of {owner} belongs to {} now",
                held.owner
            );
            Err(ChainError::WouldFail {
                reason: ChainText::new(&words),
            })
        }
        destination => Ok(destination.is_none()),
    }
}

impl Holding {
    /// Base units of this owner's.
    pub(super) fn of(&self, owner: SolanaAddress) -> u64 {
        if self.owner == owner { self.amount } else { 0 }
    }
}

impl AccountInfo {
    fn holding(&self) -> Option<Holding> {
        let (text, encoding) = &self.data;
        if encoding != "base64" {
            return None;
        }
        let data = BASE64.decode(text).ok()?;
        // A mint of Token-2022 is never as long without being padded beyond it.
        let (mint, rest) = data.split_first_chunk::<32>()?;
        let (owner, _) = rest.split_first_chunk::<32>()?;
        let amount = data.get(AMOUNT_AT..)?.first_chunk::<8>()?;
        (data.len() >= 165).then_some(Holding {
            mint: SolanaAddress::from_bytes(*mint),
            owner: SolanaAddress::from_bytes(*owner),
            amount: u64::from_le_bytes(*amount),
        })
    }
}

/// A node's reason in words, where a number says what went wrong. `unsigned` is a message of ours, whose
/// instructions are known by their place.
pub(super) fn explained(reason: &ChainText, unsigned: &[u8]) -> ChainText {
    let words = serde_json::from_str::<Value>(reason.as_str())
        .ok()
        .and_then(|reason| {
            let failed = reason.get("InstructionError")?;
            let place = failed.get(0)?.as_u64()?;
            let number = failed.get(1)?.get("Custom")?.as_u64()?;
            let words = custom_error(program_of(unsigned, place)?, number)?;
            Some(format!("{words} (instruction {place}, error {number})"))
        });
    words.map_or_else(|| reason.clone(), |words| ChainText::new(&words))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Called {
    System,
    Token,
    Stake,
    Other,
}

/// Which program an instruction of one of our messages calls.
fn program_of(unsigned: &[u8], place: u64) -> Option<Called> {
    let accounts = usize::from(*unsigned.get(3)?);
    let account = |index: u8| -> Option<[u8; 32]> {
        let start = 4 + usize::from(index) * 32;
        unsigned.get(start..)?.first_chunk().copied()
    };
    let mut at = 4 + accounts * 32 + 32 + 1;
    for _ in 0..place {
        let count = usize::from(*unsigned.get(at + 1)?);
        let (data, width) = length(unsigned.get(at + 2 + count..)?)?;
        at += 2 + count + width + data;
    }
    let program = SolanaAddress::from_bytes(account(*unsigned.get(at)?)?);
    let of_tokens = TokenProgram::ALL.map(TokenProgram::id);
    if program == STAKE_PROGRAM {
        return Some(Called::Stake);
    }
    Some(if of_tokens.contains(&program) {
        Called::Token
    } else if program == SolanaAddress::from_bytes([0; 32]) {
        Called::System
    } else {
        Called::Other
    })
}

/// A length as it stands before data, and how many bytes it takes: a long memo's takes two.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [low @ 0..=0x7f, ..] => Some((low.into(), 1)),
        [low, high @ 0..=0x7f, ..] => Some((usize::from(low & 0x7f) | usize::from(high) << 7, 2)),
        _ => None,
    }
}

/// The programs' own numbers, as far as our instructions can bring them about.
const fn custom_error(program: Called, number: u64) -> Option<&'static str> {
    match (program, number) {
        (Called::System, 0) => Some(
            "an account of this seed is there already, or somebody paid coins to it: take another",
        ),
        (Called::System, 1) => Some("the wallet does not hold the amount and what sending costs"),
        (Called::Token, 0) => Some("a token account is left without enough for its rent"),
        (Called::Token, 1) => Some("the wallet's token account does not hold the amount"),
        (Called::Token, 3) => Some("a token account belongs to another mint"),
        (Called::Token, 4) => Some("the wallet is not the owner of its token account any more"),
        (Called::Token, 17) => Some("a token account is frozen"),
        (Called::Token, 18) => Some("the mint has other decimals than the policy says"),
        (Called::Token, 36) => Some("the recipient's token account demands a memo"),
        (Called::Token, 37) => Some("the token cannot be transferred"),
        (Called::Stake, 2) => Some("the stake is deactivated already"),
        (Called::Stake, 12) => Some("less than the chain lets be delegated"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use waiaas_shared::solana::build::{
        BatchRequest, Part, TokenTransferRequest, batch, token_transfer,
    };

    use super::*;

    #[test]
    fn numbers_of_programs_are_told_in_words() {
        let address = |byte| SolanaAddress::from_bytes([byte; 32]);
        let message = token_transfer(&TokenTransferRequest {
            from: address(1),
            to: address(2),
            token: Token {
                mint: address(3),
                decimals: 6,
                program: TokenProgram::Token2022,
            },
            amount: 5,
            create: true,
            blockhash: [4; 32],
            compute_unit_limit: 100,
            micro_lamports_per_compute_unit: 0,
        })
        .expect("built");
        let told = |reason: &str| explained(&ChainText::new(reason), &message).to_string();
        assert_eq!(
            told(r#"{"InstructionError":[3,{"Custom":17}]}"#),
            "a token account is frozen (instruction 3, error 17)"
        );
        // Behind a memo whose length takes two bytes.
        let memo = "m".repeat(128).parse().expect("a memo");
        let noted = batch(&BatchRequest {
            from: address(1),
            parts: &[Part::Lamports {
                to: address(2),
                lamports: 5,
            }],
            memo: Some(&memo),
            blockhash: [4; 32],
            compute_unit_limit: 100,
            micro_lamports_per_compute_unit: 0,
        })
        .expect("built");
        let told_of = |reason: &str| explained(&ChainText::new(reason), &noted).to_string();
        assert_eq!(
            told_of(r#"{"InstructionError":[3,{"Custom":1}]}"#),
            "the wallet does not hold the amount and what sending costs (instruction 3, error 1)"
        );
        for other in [
            r#"{"InstructionError":[2,{"Custom":17}]}"#,
            r#"{"InstructionError":[3,{"Custom":1000}]}"#,
            r#"{"InstructionError":[3,"InvalidAccountData"]}"#,
            r#"{"InstructionError":[9,{"Custom":17}]}"#,
            r#"{"InstructionError":[18446744073709551615,{"Custom":17}]}"#,
            "AccountNotFound",
        ] {
            assert_eq!(told(other), other);
        }
    }
}
