//! Watches for transfers into the wallets: one task for each chain, by polling, with a cursor in `gateway.db`. What it
//! finds is a node's word and for showing (`http/history.rs`): nothing is paid, allowed or refused by it.

pub mod store;

use std::sync::Arc;
use std::time::Duration;

use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};

use crate::app::App;
use crate::chain::Watched;
use crate::chain_port::ChainPort;
use crate::database::Durability;
use crate::pipeline::Refusal;

/// Wallets of one chain that are watched, and tokens of each: more would be a question to a node for each.
const WALLETS: usize = 64;
const TOKENS: usize = 32;
/// Between two looks where there is more to be read at once.
const SOON: Duration = Duration::from_millis(500);
/// However often nothing is learnt, it is looked again after this time.
const SLOWEST: Duration = Duration::from_secs(600);

/// Watches one chain until the process ends.
pub async fn watch(app: Arc<App>, chain: Arc<dyn ChainPort>) {
    let Some(every) = chain.incoming_every() else {
        return;
    };
    let mut pause = every;
    loop {
        app.up_to_date().await;
        match look(&app, &*chain).await {
            Ok(true) => {
                pause = every;
                tokio::time::sleep(SOON.min(every)).await;
                continue;
            }
            Ok(false) => pause = every,
            Err(refusal) => {
                tracing::debug!(chain = %chain.id(), %refusal, "transfers into the wallets are not seen now");
                pause = pause.saturating_mul(2).min(SLOWEST.max(every));
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Reads on; says whether there is more to be read at once.
pub(crate) async fn look(app: &App, chain: &dyn ChainPort) -> Result<bool, Refusal> {
    let id = chain.id();
    let wallets = app.views.wallets(&*app.signer).await?;
    let documents = app.views.policy(&*app.signer).await?;
    let newest = documents.last();
    let tokens: Vec<_> = rules(newest, id)
        .filter(|rule| rule.asset != id.native_asset())
        .map(|rule| (rule.asset, rule.mint()))
        .take(TOKENS)
        .collect();
    let bound = wallets
        .iter()
        .filter(|wallet| wallet.networks.contains(&id));
    let watched: Vec<Watched> = bound
        .take(WALLETS)
        .map(|wallet| Watched {
            account: wallet.account,
            tokens: tokens.clone(),
        })
        .collect();
    if watched.is_empty() {
        return Ok(false);
    }
    let read = move |connection: &rusqlite::Connection| store::cursors(connection, id);
    let cursors = app.database.run(Durability::Process, read).await?;
    let seen = chain.incoming(&watched, &cursors).await?;
    if seen.gap {
        tracing::warn!(chain = %id, "transfers into the wallets may be missing: there was more than is read");
    }
    let (more, now) = (seen.more, app.clock.now());
    let known = assets(newest, id);
    let take =
        move |connection: &rusqlite::Connection| store::take(connection, id, &seen, &known, now);
    app.database.run(Durability::Process, take).await?;
    Ok(more)
}

/// The coin of a chain and the assets that the policy names on it.
pub(crate) fn assets(policy: Option<&PolicyDocument>, chain: ChainId) -> Vec<AssetId> {
    let mut assets = vec![chain.native_asset()];
    assets.extend(rules(policy, chain).map(|rule| rule.asset));
    assets.sort_unstable();
    assets.dedup();
    assets
}

fn rules(policy: Option<&PolicyDocument>, chain: ChainId) -> impl Iterator<Item = &AssetRule> {
    let rules = policy.map_or(&[][..], |document| &document.assets);
    rules.iter().filter(move |rule| rule.asset.chain() == chain)
}
