//! Several transfers in one transaction, and memos: what is built, for how many compute units, and whether
//! the wallet holds the tokens of all of them together. Called through [`Chain`].

use serde_json::json;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::claim::Claim;
use waiaas_shared::memo::Memo;
use waiaas_shared::request::{Speed, Transfer};
use waiaas_shared::solana::build::{BatchRequest, Part, batch};
use waiaas_shared::solana::{MAX_COMPUTE_UNITS, Token};
use waiaas_shared::transaction::Known;

use super::super::rpc_error::RpcError;
use super::super::{Chain, ChainError, Offer, Prepared};
use super::tokens::{AccountInfo, CREATION_UNITS, Holding, TOKEN_UNITS, holding, is_missing};
use super::{BUILD_COMMITMENT, Solana, Told};

/// What setting limit and price takes.
const SETTINGS_UNITS: u32 = 300;
/// What one transfer of lamports takes besides.
const LAMPORTS_UNITS: u32 = 150;
/// What a memo is given, and for each of its bytes besides: the first form of the program took about 350 units
/// for a byte, the present one takes some hundreds in all.
const MEMO_UNITS: u32 = 10_000;
const MEMO_BYTE_UNITS: u32 = 400;

/// A transfer of tokens with the accounts of both sides.
struct OfTokens<'a> {
    transfer: &'a Transfer,
    token: Token,
    source: SolanaAddress,
    to: SolanaAddress,
    destination: SolanaAddress,
}

impl Chain {
    /// The unsigned bytes of several transfers in one transaction, or of one with a memo, with fresh fees and
    /// blockhash: on Solana alone.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn prepare_batch(
        &self,
        from: Account,
        claim: &Claim,
        offer: impl Into<Offer>,
    ) -> Result<Prepared, ChainError> {
        let offer = self.bounded(offer.into());
        match (self, from) {
            (Self::Solana(solana), Account::Solana(from)) => {
                solana.prepare_batch(from, claim, offer).await
            }
            _ => Err(ChainError::FamilyMismatch),
        }
    }
}

impl Solana {
    /// The unsigned message of everything that is claimed.
    async fn prepare_batch(
        &self,
        from: SolanaAddress,
        claim: &Claim,
        offer: (Amount, Speed),
    ) -> Result<Prepared, ChainError> {
        let parts = self.parts(from, claim).await?;
        let units = units(&parts, claim.memo());
        let (price, latest) = self.terms(&locked(from, &parts), units, offer).await?;
        let built = batch(&BatchRequest {
            from,
            parts: &parts,
            memo: claim.memo(),
            blockhash: *latest.value.blockhash.as_bytes(),
            compute_unit_limit: units,
            micro_lamports_per_compute_unit: price,
        });
        let known = Known {
            owners: &claim.owners(),
            tokens: &claim.tokens(),
            ..Known::NOTHING
        };
        self.prepared(from, built, known, &latest)
    }

    /// Each transfer as it is built. Accounts are looked up together, in one question.
    async fn parts(&self, from: SolanaAddress, claim: &Claim) -> Result<Vec<Part>, ChainError> {
        let mut of_tokens = Vec::new();
        for transfer in claim.transfers() {
            if let Some(token) = transfer.mint {
                let to = solana_address(transfer.to)?;
                of_tokens.push(OfTokens {
                    transfer,
                    token,
                    source: token.account_of(from),
                    to,
                    destination: token.account_of(to),
                });
            }
        }
        let missing = self.missing_accounts(from, &of_tokens).await?;
        let parts = claim.transfers().map(|transfer| {
            let to = solana_address(transfer.to)?;
            let amount = u64::try_from(transfer.amount.base_units())
                .map_err(|_| ChainError::AmountTooLarge)?;
            Ok(match transfer.mint {
                None => Part::Lamports {
                    to,
                    lamports: amount,
                },
                Some(token) => Part::Tokens {
                    to,
                    token,
                    amount,
                    create: missing.contains(&token.account_of(to)),
                },
            })
        });
        parts.collect()
    }

    /// The recipients' accounts that do not exist.
    ///
    /// Refuses where the wallet does not hold what all transfers of a token take together.
    async fn missing_accounts(
        &self,
        from: SolanaAddress,
        of_tokens: &[OfTokens<'_>],
    ) -> Result<Vec<SolanaAddress>, ChainError> {
        if of_tokens.is_empty() {
            return Ok(Vec::new());
        }
        let accounts = of_tokens
            .iter()
            .flat_map(|one| [one.source, one.destination]);
        let accounts: Vec<SolanaAddress> = accounts.collect();
        let options = json!({ "encoding": "base64", "commitment": BUILD_COMMITMENT });
        let told: Told<Vec<Option<AccountInfo>>> = self
            .rpc
            .call("getMultipleAccounts", json!([accounts, options]))
            .await?;
        if told.value.len() != accounts.len() {
            return Err(RpcError::Malformed.into());
        }
        let mut held = told.value.into_iter();
        let mut missing = Vec::new();
        for one in of_tokens {
            let mut next = || holding(held.next().flatten(), &one.token);
            let (source, destination): (Option<Holding>, Option<Holding>) = (next(), next());
            let balance = Amount::from_base_units(source.map_or(0, |held| held.of(from)).into());
            let same = of_tokens
                .iter()
                .filter(|other| other.token.mint == one.token.mint);
            let needed = same
                .map(|other| other.transfer.amount)
                .try_fold(Amount::ZERO, Amount::checked_add)
                .ok_or(ChainError::AmountTooLarge)?;
            if balance < needed {
                return Err(ChainError::InsufficientTokens {
                    asset: Box::new(one.transfer.asset),
                    balance,
                    needed,
                });
            }
            if is_missing(destination.as_ref(), one.to)? {
                missing.push(one.destination);
            }
        }
        Ok(missing)
    }
}

const fn solana_address(account: Account) -> Result<SolanaAddress, ChainError> {
    match account {
        Account::Solana(address) => Ok(address),
        Account::Evm(_) => Err(ChainError::FamilyMismatch),
    }
}

/// The accounts that all parts write to, each once.
fn locked(from: SolanaAddress, parts: &[Part]) -> Vec<SolanaAddress> {
    let mut locked = vec![from];
    for part in parts {
        match part {
            Part::Lamports { to, .. } => locked.push(*to),
            Part::Tokens { to, token, .. } => {
                locked.extend([token.account_of(from), token.account_of(*to)]);
            }
        }
    }
    locked.sort_unstable();
    locked.dedup();
    locked
}

/// What everything together is given.
fn units(parts: &[Part], memo: Option<&Memo>) -> u32 {
    let of_memo = memo.map_or(0, |memo| {
        let length = u32::try_from(memo.as_str().len()).unwrap_or(u32::MAX);
        length
            .saturating_mul(MEMO_BYTE_UNITS)
            .saturating_add(MEMO_UNITS)
    });
    let of_parts = parts.iter().map(|part| match part {
        Part::Lamports { .. } => LAMPORTS_UNITS,
        Part::Tokens { create: false, .. } => TOKEN_UNITS,
        Part::Tokens { create: true, .. } => TOKEN_UNITS + CREATION_UNITS,
    });
    of_parts
        .fold(SETTINGS_UNITS.saturating_add(of_memo), u32::saturating_add)
        .min(MAX_COMPUTE_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_all_parts() {
        let to = SolanaAddress::from_bytes([1; 32]);
        let lamports = Part::Lamports { to, lamports: 1 };
        assert_eq!(units(&[lamports], None), super::super::TRANSFER_UNITS);
        assert_eq!(units(&[lamports; 8], None), 1500);
        let memo: Memo = "m".repeat(128).parse().expect("a memo");
        assert_eq!(units(&[lamports], Some(&memo)), 450 + 61_200);
        let tokens = |create| Part::Tokens {
            to,
            token: Token {
                mint: to,
                decimals: 6,
                program: waiaas_shared::solana::TokenProgram::Token,
            },
            amount: 1,
            create,
        };
        let most = units(&[tokens(true); 8], Some(&memo));
        assert_eq!(most, 300 + 8 * 120_000 + 61_200);
        assert!(most < MAX_COMPUTE_UNITS);
        assert_eq!(units(&[tokens(true); 40], None), MAX_COMPUTE_UNITS);
    }
}
