//! One more transaction for an issued nonce: invariant 6. Here what its tests share; `pays` speeds up,
//! `cancels` cancels, `bounds` is about stops, repetition and whose nonce it is, `networks` about the forms
//! and the fee for data that policy states of a network.

mod bounds;
mod cancels;
mod networks;
mod pays;

use waiaas_shared::address::Account;
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Spend, Variant};
use waiaas_shared::evm::UnsignedTransaction;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::windows::Window;
use waiaas_shared::transaction::EvmFees;

use super::people;
use super::world::{self, EVM, FEE, RECIPIENT, STRANGER, World, evm_recipient, policy};
use crate::core::command::{Change, Command, Outcome, Prior, Used, VariantRequest};

const AMOUNT: u128 = 10_000;

/// A payment or a variant of one, as the ledger finds it.
fn entry(world: &World, transaction: TransactionId) -> Option<Box<Prior>> {
    world.moments().find_map(|(sequence, charged_at, body)| {
        let (spend, variant) = match body {
            EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. } => (spend, None),
            EventBody::SpendReplaced { spend, variant } => (spend, Some(variant.clone())),
            _ => return None,
        };
        (spend.transaction == transaction).then(|| {
            Box::new(Prior {
                sequence,
                charged_at,
                spend: spend.clone(),
                variant,
            })
        })
    })
}

fn by_key(world: &World, of: TransactionId) -> Option<Used> {
    let names = world.moments().filter_map(|(_, _, body)| match body {
        EventBody::SpendReplaced { spend, variant } if variant.of == of => Some(spend.transaction),
        _ => None,
    });
    names
        .last()
        .and_then(|name| entry(world, name))
        .map(Used::Paid)
}

fn bytes(price: u128, amount: u128, to: &str) -> Vec<u8> {
    UnsignedTransaction {
        chain_id: 31_337,
        nonce: 0,
        max_priority_fee_per_gas: price,
        max_fee_per_gas: price,
        gas_limit: 21_000,
        to: evm_recipient(to),
        value: amount,
        data: Vec::new(),
    }
    .encode()
}

fn pays(price: u128) -> Change {
    Change::Pay {
        unsigned: bytes(price, AMOUNT, RECIPIENT),
    }
}

const fn cancels(price: u128) -> Change {
    Change::Cancel {
        fees: EvmFees {
            gas_limit: 21_000,
            max_fee_per_gas: price,
            max_priority_fee_per_gas: price,
        },
    }
}

/// What the ledger finds comes along.
fn ask(world: &mut World, of: TransactionId, change: Change) -> Result<Outcome, Vec<Code>> {
    let request = VariantRequest {
        transaction: of,
        change,
        prior: entry(world, of),
        used: by_key(world, of),
    };
    world.run(&Command::Vary(request))
}

fn vary(world: &mut World, of: TransactionId, change: Change) -> Result<TransactionId, Vec<Code>> {
    match ask(world, of, change)? {
        Outcome::Sign(order) => {
            world.commit();
            Ok(order.sealed().transaction)
        }
        other => panic!("{other:?}"),
    }
}

fn refused(world: &mut World, of: TransactionId, change: Change) -> Vec<Code> {
    let before = world.events.len();
    let codes = ask(world, of, change)
        .map(drop)
        .expect_err("it must be refused");
    let left = &world.events[before..];
    let none = |body: &EventBody| !matches!(body, EventBody::SpendReplaced { .. });
    assert!(left.iter().all(none), "a refusal charges nothing");
    codes
}

fn paid(world: &mut World, key: &str) -> TransactionId {
    match world.bearer_pay(key, AMOUNT).expect("a payment") {
        Outcome::Sign(order) => {
            world.commit();
            order.sealed().transaction
        }
        other => panic!("{other:?}"),
    }
}

fn newest(world: &World) -> (&Spend, &Variant) {
    match world.events.last() {
        Some(EventBody::SpendReplaced { spend, variant }) => (spend, variant),
        other => panic!("{other:?}"),
    }
}

fn spent(world: &World, window: Window) -> u128 {
    let history = &world.state.wallets[&world.evm_wallet].history;
    let usage = history
        .asset(EVM.native_asset())
        .expect("something was spent");
    usage.spent(window, world.clocks.budget).base_units()
}

fn payments(world: &World, window: Window) -> u32 {
    let history = &world.state.wallets[&world.evm_wallet].history;
    history.payments().count(window, world.clocks.budget)
}

fn native_count(world: &World, window: Window) -> u32 {
    let history = &world.state.wallets[&world.evm_wallet].history;
    let usage = history
        .asset(EVM.native_asset())
        .expect("something was spent");
    usage.count(window, world.clocks.budget)
}

fn to_recipient(world: &World, window: Window) -> u128 {
    let account = Account::Evm(evm_recipient(RECIPIENT));
    let account = AccountId::new(EVM, account).expect("an account");
    let history = &world.state.wallets[&world.evm_wallet].history;
    let usage = history.recipient(EVM.native_asset(), account);
    usage.map_or(0, |usage| {
        usage.spent(window, world.clocks.budget).base_units()
    })
}

fn session_spent(world: &World) -> (u128, u32) {
    let usage = &world.state.sessions[&world.bearer].usage;
    (usage.spent[&EVM.native_asset()].base_units(), usage.count)
}

fn outstanding(world: &World) -> u128 {
    let history = &world.state.wallets[&world.evm_wallet].history;
    history.outstanding(EVM.native_asset()).base_units()
}

fn adopt(world: &mut World, epoch: u64, change: impl FnOnce(&mut PolicyDocument)) {
    let mut document = policy(epoch);
    change(&mut document);
    document.sort();
    world.adopt(&document, true).expect("a sound document");
}
