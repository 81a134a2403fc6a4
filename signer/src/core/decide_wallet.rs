//! The decision over a new wallet: a fresh key, bound to its networks for ever (invariant 7). Called
//! with the password, over `admin.sock`.

use std::collections::BTreeSet;

use waiaas_shared::address::Account;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::WalletId;

use super::Decision;
use super::command::{Context, Outcome, WalletRequest};
use super::state::State;

/// A wallet is bound to its networks at creation; a Solana wallet to exactly one (invariant 7).
pub(super) fn create_wallet(
    state: &State,
    request: &WalletRequest,
    context: &Context,
) -> Result<Decision, Denial> {
    let family = request.path.family;
    let account_fits = matches!(
        (family, request.account),
        (Family::Solana, Account::Solana(_)) | (Family::Evm, Account::Evm(_))
    );
    let distinct: BTreeSet<&ChainId> = request.networks.iter().collect();
    let networks_fit = distinct.len() == request.networks.len()
        && request
            .networks
            .iter()
            .all(|network| network.family() == family)
        && match family {
            Family::Solana => request.networks.len() == 1 && request.first_nonce == 0,
            Family::Evm => (1..=16).contains(&request.networks.len()),
        };
    if !account_fits || !networks_fit {
        return Err(Code::NetworkNotBound.into());
    }
    if request.path != state.next_path(family)
        || state
            .wallets
            .values()
            .any(|wallet| wallet.account == request.account)
    {
        return Err(Code::KeyKnown.into());
    }
    let wallet = WalletId::derive(&context.entropy, 0);
    let event = EventBody::WalletCreated {
        wallet,
        path: request.path,
        account: request.account,
        networks: request.networks.clone(),
        first_nonce: request.first_nonce,
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Wallet(wallet)),
    })
}
