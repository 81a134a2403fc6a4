//! Transfers into a wallet on Solana: the finalized transactions of its address and of its associated accounts of the
//! policy's tokens, and what each of them left there. A node's word, for showing.
//! Source: Solana's HTTP method reference (`getSignaturesForAddress`, `getTransaction`).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Token};

use super::super::ChainTransactionId;
use super::super::endpoints::Endpoint;
use super::super::incoming::{Cursors, Incoming, Seen, Watched};
use super::super::rpc_error::{Lie, RpcError};
use super::Solana;

/// Signatures of one answer, the most that nodes give.
const PAGE: usize = 1000;
/// Answers asked for at once; what is older than all of them is passed over.
const PAGES: usize = 4;
/// Signatures that are read of an address that was never read.
const FIRST: usize = 50;
/// Transactions read of one address at one look.
const AT_ONCE: usize = 25;
/// A transaction that is listed and that no node gives for so many slots is passed over.
const GIVEN_UP: u64 = 9000;
/// The error of a node that has a transaction of a version that was not asked for.
const OTHER_VERSION: i64 = -32015;

impl Solana {
    pub(in super::super) async fn incoming(
        &self,
        watched: &[Watched],
        cursors: &Cursors,
    ) -> Result<Seen, RpcError> {
        // One node for all of it, and another one's word on what it tells.
        let round = self.rpc.round()?;
        let asked = Asked {
            node: round.first().ok_or(RpcError::Unreachable)?,
            second: round.get(1).map(|second| &***second),
        };
        let mut seen = Seen::default();
        let mut failure = None;
        for one in watched {
            let Account::Solana(wallet) = one.account else {
                continue;
            };
            let of_tokens = one.tokens.iter().filter_map(|(_, token)| *token);
            let accounts = of_tokens.map(|token| token.account_of(wallet));
            for address in std::iter::once(wallet).chain(accounts) {
                let key = address.to_string();
                let known = cursors.get(&key).map(String::as_str);
                if let Err(error) = self
                    .of_address(asked, wallet, address, known, &mut seen)
                    .await
                {
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) if seen.cursors.is_empty() => Err(error),
            _ => Ok(seen),
        }
    }

    async fn of_address(
        &self,
        asked: Asked<'_>,
        wallet: SolanaAddress,
        address: SolanaAddress,
        known: Option<&str>,
        seen: &mut Seen,
    ) -> Result<(), RpcError> {
        let key = address.to_string();
        let (mut news, gap) = signatures(asked.node, address, known).await?;
        seen.gap |= gap;
        let newest = news.first().map_or(0, |listed| listed.slot);
        news.reverse();
        seen.more |= news.len() > AT_ONCE;
        if known.is_none() {
            // Read from now on, also where nothing is listed.
            seen.cursors.insert(key.clone(), String::new());
        }
        for listed in news.iter().take(AT_ONCE) {
            if listed.err.is_none() {
                match self.came(asked, wallet, listed).await {
                    Ok(found) => seen.found.extend(found),
                    Err(RpcError::Rpc {
                        code: OTHER_VERSION,
                        ..
                    }) => seen.gap = true,
                    Err(RpcError::Behind) if newest.saturating_sub(listed.slot) > GIVEN_UP => {
                        seen.gap = true;
                    }
                    Err(error) => return Err(error),
                }
            }
            seen.cursors.insert(key.clone(), listed.signature.clone());
        }
        Ok(())
    }

    /// What a listed transaction left in the wallet, and whether the second node tells the same.
    async fn came(
        &self,
        asked: Asked<'_>,
        wallet: SolanaAddress,
        listed: &Listed,
    ) -> Result<Vec<Incoming>, RpcError> {
        let told = async |node| {
            let told = transaction(node, listed).await?;
            told.incoming(self.config.id, wallet, listed)
        };
        let found = told(asked.node).await?;
        let (Some(second), false) = (asked.second, found.is_empty()) else {
            return Ok(found);
        };
        // One that fails, or does not have it, says nothing.
        let word = told(second).await.unwrap_or_default();
        Ok(found.into_iter().map(|one| one.seconded(&word)).collect())
    }
}

/// Whom to ask.
#[derive(Clone, Copy)]
struct Asked<'a> {
    node: &'a Endpoint,
    second: Option<&'a Endpoint>,
}

/// What is new of an address, newest first, and whether there was more than is read.
async fn signatures(
    node: &Endpoint,
    address: SolanaAddress,
    known: Option<&str>,
) -> Result<(Vec<Listed>, bool), RpcError> {
    let limit = if known.is_none() { FIRST } else { PAGE };
    let mut listed: Vec<Listed> = Vec::new();
    for _ in 0..PAGES {
        let mut options = json!({ "commitment": "finalized", "limit": limit });
        if let (Some(until), Some(fields)) = (
            known.filter(|known| !known.is_empty()),
            options.as_object_mut(),
        ) {
            fields.insert("until".to_owned(), until.into());
        }
        if let (Some(last), Some(fields)) = (listed.last(), options.as_object_mut()) {
            fields.insert("before".to_owned(), last.signature.clone().into());
        }
        let page: Vec<Listed> = node
            .call_checked(
                "getSignaturesForAddress",
                json!([address, options]),
                |page: Vec<Listed>| {
                    let named = |listed: &Listed| {
                        let name = listed.signature.parse();
                        matches!(name, Ok(ChainTransactionId::Solana(_)))
                    };
                    let fits = page.len() <= limit && page.iter().all(named);
                    fits.then_some(page).ok_or(RpcError::Malformed)
                },
            )
            .await?;
        let full = page.len() == limit;
        listed.extend(page);
        if known.is_none() || !full {
            return Ok((listed, false));
        }
    }
    Ok((listed, true))
}

async fn transaction(node: &Endpoint, listed: &Listed) -> Result<Told, RpcError> {
    let options = json!({
        "commitment": "finalized",
        "encoding": "json",
        "maxSupportedTransactionVersion": 1,
    });
    node.call_checked(
        "getTransaction",
        json!([listed.signature, options]),
        |told: Option<Told>| {
            let told = told.ok_or(RpcError::Behind)?;
            if told.transaction.signatures.first() != Some(&listed.signature) {
                return Err(RpcError::Lies(Lie::Transaction));
            }
            Ok(told)
        },
    )
    .await
}

#[derive(Deserialize)]
struct Listed {
    signature: String,
    slot: u64,
    err: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Told {
    slot: u64,
    meta: Meta,
    transaction: Wire,
}

#[derive(Deserialize)]
struct Wire {
    signatures: Vec<String>,
    message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    account_keys: Vec<SolanaAddress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    err: Option<IgnoredAny>,
    pre_balances: Vec<u64>,
    post_balances: Vec<u64>,
    #[serde(default)]
    pre_token_balances: Option<Vec<TokenAmount>>,
    #[serde(default)]
    post_token_balances: Option<Vec<TokenAmount>>,
    #[serde(default)]
    loaded_addresses: Option<Loaded>,
}

#[derive(Deserialize)]
struct Loaded {
    writable: Vec<SolanaAddress>,
    readonly: Vec<SolanaAddress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenAmount {
    account_index: u32,
    mint: SolanaAddress,
    owner: Option<SolanaAddress>,
    ui_token_amount: Raw,
}

#[derive(Deserialize)]
struct Raw {
    /// Base units.
    amount: Amount,
}

impl Told {
    /// What a transaction left in the wallet that was not there before.
    fn incoming(
        self,
        chain: waiaas_shared::caip::ChainId,
        wallet: SolanaAddress,
        listed: &Listed,
    ) -> Result<Vec<Incoming>, RpcError> {
        let name = listed.signature.parse();
        let transaction = name.map_err(|_| RpcError::Malformed)?;
        if self.meta.err.is_some() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let mut add = |place: usize, asset: AssetId, from: Option<SolanaAddress>, amount: u128| {
            if amount > 0 {
                found.push(Incoming {
                    account: Account::Solana(wallet),
                    transaction,
                    place: u32::try_from(place).unwrap_or(u32::MAX),
                    asset,
                    from: from.filter(|from| *from != wallet).map(Account::Solana),
                    amount: Amount::from_base_units(amount),
                    position: self.slot,
                    nodes: 1,
                });
            }
        };
        let (place, lamports, from) = self.lamports(wallet)?;
        add(place, chain.native_asset(), from, lamports.into());
        let before = self.meta.pre_token_balances.as_deref().unwrap_or_default();
        let after = self.meta.post_token_balances.as_deref().unwrap_or_default();
        for held in after.iter().filter(|held| held.owner == Some(wallet)) {
            let gained = gained(before, held);
            let asset = AssetId::new(chain, Token::Mint(held.mint));
            let asset = asset.map_err(|_| RpcError::Malformed)?;
            let place = usize::try_from(held.account_index).unwrap_or(usize::MAX);
            add(place, asset, payer(before, after, held.mint), gained);
        }
        Ok(found)
    }

    /// Where the wallet stands, what its lamports rose by, and who lost the most of them.
    fn lamports(
        &self,
        wallet: SolanaAddress,
    ) -> Result<(usize, u64, Option<SolanaAddress>), RpcError> {
        let loaded = self.meta.loaded_addresses.iter();
        let loaded = loaded.flat_map(|loaded| loaded.writable.iter().chain(&loaded.readonly));
        let accounts: Vec<&SolanaAddress> = self
            .transaction
            .message
            .account_keys
            .iter()
            .chain(loaded)
            .collect();
        let (before, after) = (&self.meta.pre_balances, &self.meta.post_balances);
        if before.len() != accounts.len() || after.len() != accounts.len() {
            return Err(RpcError::Malformed);
        }
        let changes = || accounts.iter().zip(before.iter().zip(after));
        let lost =
            changes().map(|(account, (before, after))| (before.saturating_sub(*after), **account));
        let payer = lost
            .filter(|(lost, _)| *lost > 0)
            .max()
            .map(|(_, account)| account);
        let own = changes().position(|(account, _)| **account == wallet);
        let gained = own
            .and_then(|place| changes().nth(place))
            .map_or(0, |(_, (before, after))| after.saturating_sub(*before));
        Ok((own.unwrap_or(0), gained, payer))
    }
}

/// What a token account holds more than before.
fn gained(before: &[TokenAmount], held: &TokenAmount) -> u128 {
    let earlier = before
        .iter()
        .find(|earlier| earlier.account_index == held.account_index && earlier.mint == held.mint);
    let earlier = earlier.map_or(Amount::ZERO, |earlier| earlier.ui_token_amount.amount);
    held.ui_token_amount
        .amount
        .remaining_after(earlier)
        .base_units()
}

/// Whose account of a mint lost the most.
fn payer(
    before: &[TokenAmount],
    after: &[TokenAmount],
    mint: SolanaAddress,
) -> Option<SolanaAddress> {
    let of_mint = before.iter().filter(|held| held.mint == mint);
    let lost = of_mint.map(|held| {
        let later = after
            .iter()
            .find(|later| later.account_index == held.account_index);
        let later = later.map_or(Amount::ZERO, |later| later.ui_token_amount.amount);
        (
            held.ui_token_amount.amount.remaining_after(later),
            held.owner,
        )
    });
    lost.filter(|(lost, _)| *lost > Amount::ZERO)
        .max()
        .and_then(|(_, owner)| owner)
}
