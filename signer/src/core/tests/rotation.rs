//! The end of a wallet, and a wallet that moves to a new key: what is closed stays closed, and no
//! rotation brings a fresh budget.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::Family;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin, Spend};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::history::History;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::people::account;
use super::world::{EVM, FEE, RECIPIENT, World, evm_recipient, policy, unsigned};
use crate::core::command::{
    Command, DerivedKey, Outcome, Prior, Release, Submission, WalletRequest, Withdrawal,
};

fn new_key(world: &World, seed: u8) -> DerivedKey {
    DerivedKey {
        path: world.state.next_path(Family::Evm),
        account: Account::Evm(EvmAddress::from_bytes([seed; 20])),
    }
}

pub(super) fn rotate(world: &mut World, seed: u8) -> Result<Outcome, Vec<Code>> {
    let facts = StatementFacts::RotateWallet {
        wallet: world.evm_wallet,
        first_nonce: 0,
    };
    let (statement, text) = world.draft(facts, Origin::Admin)?;
    let submission = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    };
    let key = new_key(world, seed);
    world.run(&Command::Rotate { submission, key })
}

fn close(world: &mut World) -> Result<Outcome, Vec<Code>> {
    let wallet = world.evm_wallet;
    world.say(StatementFacts::CloseWallet { wallet }, false)
}

pub(super) fn withdraw(
    world: &mut World,
    from: Option<Account>,
    nonce: Option<u64>,
) -> Result<Outcome, Vec<Code>> {
    let facts = StatementFacts::Withdraw {
        wallet: world.evm_wallet,
        asset: EVM.native_asset(),
        to: RECIPIENT.parse().expect("an address"),
        amount: Amount::from_base_units(1000),
        fee_ceiling: Amount::from_base_units(FEE),
        nonce,
        from,
    };
    let (statement, text) = world.draft(facts, Origin::Admin)?;
    let signatures = vec![world.signature(&text)];
    world.run(&Command::Withdraw(Withdrawal {
        statement,
        signatures,
        unsigned: unsigned(31_337, 0, 1000, evm_recipient(RECIPIENT)),
    }))
}

/// A world whose first owner came with an address to withdraw to.
pub(super) fn world() -> World {
    let mut world = World::empty();
    world.owner = world
        .enrol(vec![account(RECIPIENT)])
        .expect("owner and address");
    world.evm_wallet = world
        .wallet(Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    world.solana_wallet = world
        .wallet(Family::Solana, [2; 32], vec![super::world::solana()])
        .expect("a wallet");
    world.adopt(&policy(1), true).expect("a policy");
    world.keyed = world.grant(super::world::key_bound()).expect("a session");
    world.bearer = world
        .grant(waiaas_shared::session::Credential::Bearer(
            waiaas_shared::digest::hash(waiaas_shared::digest::Domain::SessionSecret, &[b"secret"]),
        ))
        .expect("a session");
    world
}

pub(super) fn own_account(world: &World) -> Account {
    let views = world.state.wallet_views();
    let view = views.iter().find(|view| view.wallet == world.evm_wallet);
    view.expect("the wallet").account
}

fn last_spend(world: &World) -> Spend {
    let spends = world.spends();
    (*spends.last().expect("a payment")).clone()
}

pub(super) fn prior(world: &World, spend: Spend) -> Box<Prior> {
    Box::new(Prior {
        sequence: 9,
        charged_at: world.clocks.budget,
        spend,
        variant: None,
    })
}

/// Limits by wallet count over both keys, to the unit, in every window.
#[test]
fn invariant_09_a_rotation_brings_no_fresh_budget() {
    let mut world = world();
    // An hour's 1,000,000, but for 100,000.
    for (key, amount) in [("a", 300_000), ("b", 300_000), ("c", 300_000)] {
        world
            .bearer_pay(key, amount - FEE)
            .expect("inside of the hour");
    }
    let history = History::wallet(&world.state, world.evm_wallet).cloned();
    let usage = world
        .state
        .session_view(world.bearer, world.clocks)
        .map(|view| view.usage);
    world.pass(Millis::from_millis(1));
    rotate(&mut world, 7).expect("rotated");
    // Only whose key has what outstanding is kept apart.
    let history = history.map(|mut history| {
        history.rotated();
        history
    });
    assert_eq!(
        History::wallet(&world.state, world.evm_wallet).cloned(),
        history
    );
    assert_eq!(
        world
            .state
            .session_view(world.bearer, world.clocks)
            .map(|view| view.usage),
        usage
    );
    assert_eq!(
        world.bearer_pay("d", 100_001 - FEE).map(drop),
        Err(vec![Code::HourLimit]),
        "one unit more than the old key left"
    );
    world.bearer_pay("e", 100_000 - FEE).expect("what it left");
    // The value outstanding counts on, each key's own.
    assert_eq!(outstanding(&world), (100_000, vec![900_000]));
    let nonces = &view(&world).nonces;
    assert_eq!(
        (nonces[0].next, nonces[0].attested),
        (1, 0),
        "nonces begin afresh"
    );
}

pub(super) fn view(world: &World) -> waiaas_shared::view::WalletView {
    let mut views = world.state.wallet_views().into_iter();
    let view = views.find(|view| view.wallet == world.evm_wallet);
    view.expect("the wallet")
}

/// What the present key and each former one have outstanding.
pub(super) fn outstanding(world: &World) -> (u128, Vec<u128>) {
    let view = view(world);
    let former = view.former.iter();
    (
        view.nonces[0].outstanding.base_units(),
        former
            .map(|key| key.nonces[0].outstanding.base_units())
            .collect(),
    )
}

/// The new key has an index that nobody had, the old one is never given again.
#[test]
fn invariant_07_a_rotated_key_stays_with_its_wallet_for_ever() {
    let mut world = world();
    let old = own_account(&world);
    rotate(&mut world, 7).expect("rotated");
    let view = &world.state.wallet_views()[0..2];
    let view = view
        .iter()
        .find(|view| view.wallet == world.evm_wallet)
        .expect("known");
    assert_eq!(view.path.index, 1);
    assert_eq!(view.former.len(), 1);
    assert_eq!(
        (view.former[0].account, view.former[0].path.index),
        (old, 0)
    );
    // Neither as a new wallet's nor as another rotation's key, by address or by index.
    let request = |path, account| {
        Command::CreateWallet(WalletRequest {
            path,
            account,
            networks: vec![EVM],
            first_nonce: 0,
        })
    };
    let path = |index| KeyPath {
        family: Family::Evm,
        index,
    };
    let fresh = Account::Evm(EvmAddress::from_bytes([9; 20]));
    for (path, account) in [(path(2), old), (path(0), fresh), (path(1), fresh)] {
        assert_eq!(
            world.run(&request(path, account)).map(drop),
            Err(vec![Code::KeyKnown])
        );
    }
    for key in [
        DerivedKey {
            path: path(2),
            account: old,
        },
        DerivedKey {
            path: path(1),
            account: fresh,
        },
        DerivedKey {
            path: KeyPath {
                family: Family::Solana,
                index: 1,
            },
            account: fresh,
        },
    ] {
        let facts = StatementFacts::RotateWallet {
            wallet: world.evm_wallet,
            first_nonce: 0,
        };
        let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
        let submission = Submission {
            statement,
            signatures: vec![world.signature(&text)],
            origin: Origin::Admin,
            with_password: false,
        };
        assert_eq!(
            world.run(&Command::Rotate { submission, key }).map(drop),
            Err(vec![Code::KeyKnown])
        );
    }
    rotate(&mut world, 8).expect("rotated again");
    assert!(world.run(&request(path(3), fresh)).is_ok());
    let paths: Vec<_> = world.state.key_paths().collect();
    assert_eq!(
        paths.len(),
        5,
        "every key is ready at the next unlock: {paths:?}"
    );
}

/// EVM bytes do not name their sender: a payment of the old key is never signed with the new one.
#[test]
fn invariant_05_no_payment_is_made_again_with_the_new_key() {
    let mut world = world();
    world.bearer_pay("a", 10_000).expect("a payment");
    let paid = last_spend(&world);
    let again = prior(&world, paid.clone());
    assert!(
        world
            .clone()
            .run(&Command::Resend(again.clone(), Origin::Gateway))
            .is_ok(),
        "the case proves nothing"
    );
    rotate(&mut world, 7).expect("rotated");
    world.commit();
    world.pass(Millis::from_hours(2));
    assert_eq!(
        world
            .run(&Command::Resend(again.clone(), Origin::Gateway))
            .map(drop),
        Err(vec![Code::WalletClosed])
    );
    // Neither under its idempotency key.
    let mut request = world.request(world.bearer, "a", 10_000, RECIPIENT);
    request.used = Some(crate::core::command::Used::Paid(again));
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::WalletClosed])
    );
    // What the new key paid is given again.
    world.bearer_pay("b", 10_000).expect("a payment");
    let later = prior(&world, last_spend(&world));
    let order = match world.run(&Command::Resend(later, Origin::Gateway)) {
        Ok(Outcome::Sign(order)) => order,
        other => panic!("{other:?}"),
    };
    assert_eq!(order.path().index, 1);
}

#[test]
fn invariant_17_withdrawals_from_a_rotated_key_stay_open() {
    let mut world = world();
    let old = own_account(&world);
    world.bearer_pay("a", 10_000).expect("a payment");
    rotate(&mut world, 7).expect("rotated");
    world.pass(Millis::from_millis(1));
    let index = |outcome| match outcome {
        Ok(Outcome::Sign(order)) => order.path().index,
        other => panic!("{other:?}"),
    };
    // From the old key with its own nonces, an issued one again too, and from the new one.
    assert_eq!(index(withdraw(&mut world, Some(old), None)), 0);
    assert_eq!(index(withdraw(&mut world, Some(old), Some(0))), 0);
    assert_eq!(index(withdraw(&mut world, None, None)), 1);
    let nonces: Vec<_> = world
        .events
        .iter()
        .filter_map(|body| match body {
            EventBody::Withdrawn { spend, .. } => Some((spend.from, spend.nonce)),
            _ => None,
        })
        .collect();
    assert_eq!(
        nonces,
        [(Some(old), Some(1)), (Some(old), Some(0)), (None, Some(0))]
    );
    // Asked for by its name, each is signed with its own key again.
    let withdrawn: Vec<Spend> = world
        .events
        .iter()
        .filter_map(|body| match body {
            EventBody::Withdrawn { spend, .. } => Some(spend.clone()),
            _ => None,
        })
        .collect();
    for (spend, key) in withdrawn.into_iter().zip([0, 0, 1]) {
        let again = prior(&world, spend);
        assert_eq!(
            index(world.run(&Command::Resend(again, Origin::Admin))),
            key
        );
    }
    let stranger = Account::Evm(EvmAddress::from_bytes([9; 20]));
    assert_eq!(
        withdraw(&mut world, Some(stranger), None).map(drop),
        Err(vec![Code::WalletUnknown])
    );
    close(&mut world).expect("closed");
    assert_eq!(index(withdraw(&mut world, Some(old), None)), 0);
    assert_eq!(index(withdraw(&mut world, None, None)), 1);
}

/// Final, for payments of whatever session; what waited is cancelled.
#[test]
fn invariant_16_nothing_but_withdrawals_is_signed_for_a_closed_wallet() {
    let mut world = world();
    let mut stricter = policy(2);
    for rule in &mut stricter.assets {
        rule.notify_up_to = Amount::from_base_units(100_000);
    }
    world.adopt(&stricter, true).expect("more waits");
    world.bearer_pay("a", 10_000).expect("a payment");
    let paid = prior(&world, last_spend(&world));
    let waits = match world.bearer_pay("b", 200_000) {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("{other:?}"),
    };
    close(&mut world).expect("closed");
    assert!(world.events.contains(&EventBody::IntentsEnded {
        transactions: vec![waits],
        cause: IntentEnd::WalletClosed,
    }));
    let closed = || Err(vec![Code::WalletClosed]);
    assert_eq!(world.bearer_pay("c", 10_000).map(drop), closed());
    assert_eq!(
        world.run(&Command::Resend(paid, Origin::Gateway)).map(drop),
        closed()
    );
    assert_eq!(
        world
            .run(&Command::Release(Release {
                transaction: waits,
                unsigned: unsigned(31_337, 0, 200_000, evm_recipient(RECIPIENT)),
                prior: None,
            }))
            .map(drop),
        Err(vec![Code::IntentUnknown])
    );
    assert_eq!(close(&mut world).map(drop), closed());
    assert_eq!(rotate(&mut world, 7).map(drop), closed());
    withdraw(&mut world, None, None).expect("the owner's way out");
    // The other wallet goes on, and the closed one is shown as such.
    let views = world.state.wallet_views();
    let states: Vec<_> = views.iter().map(|view| view.closed).collect();
    assert_eq!(states.iter().filter(|closed| **closed).count(), 1);
}

#[test]
fn a_rotation_cancels_what_waited_and_needs_the_owners() {
    let mut world = world();
    let mut stricter = policy(2);
    for rule in &mut stricter.assets {
        rule.notify_up_to = Amount::from_base_units(100_000);
    }
    world.adopt(&stricter, true).expect("more waits");
    let waits = match world.bearer_pay("b", 200_000) {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("{other:?}"),
    };
    let facts = StatementFacts::RotateWallet {
        wallet: world.evm_wallet,
        first_nonce: 0,
    };
    let (statement, text) = world
        .draft(facts.clone(), Origin::Gateway)
        .expect("a draft");
    let key = new_key(&world, 7);
    let submission = |signatures| Submission {
        statement,
        signatures,
        origin: Origin::Gateway,
        with_password: false,
    };
    let rotation = |signatures| Command::Rotate {
        submission: submission(signatures),
        key,
    };
    assert_eq!(
        world.run(&rotation(vec![])).map(drop),
        Err(vec![Code::QuorumMissing])
    );
    let signature = world.signature(&text);
    // It has a door of its own: without a key there is nothing to move to.
    assert_eq!(
        world
            .clone()
            .run(&Command::Submit(submission(vec![signature.clone()])))
            .map(drop),
        Err(vec![Code::StatementMismatch])
    );
    world.run(&rotation(vec![signature])).expect("rotated");
    let ended = world.events.len() - 2;
    assert_eq!(
        world.events[ended],
        EventBody::IntentsEnded {
            transactions: vec![waits],
            cause: IntentEnd::WalletClosed,
        }
    );
    assert!(matches!(
        world.events.last(),
        Some(EventBody::WalletRotated { .. })
    ));
    // A Solana wallet has no nonce to begin with.
    let solana = StatementFacts::RotateWallet {
        wallet: world.solana_wallet,
        first_nonce: 1,
    };
    assert_eq!(
        world.draft(solana, Origin::Admin),
        Err(vec![Code::StatementMalformed])
    );
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    assert_eq!(rotate(&mut world, 8).map(drop), Err(vec![Code::Killed]));
}
