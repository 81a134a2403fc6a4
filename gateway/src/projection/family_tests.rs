//! Transactions of one nonce in the tables: which belong together, and what becomes of the others once
//! one has landed.

use rusqlite::Connection;
use waiaas_shared::amount::Amount;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{SessionId, TransactionId, WalletId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::status::Status;
use waiaas_shared::time::WallTime;

use super::store;
use crate::chain::ChainText;
use crate::payment::{Facts, Payment, Progress};

fn name(number: u8) -> TransactionId {
    TransactionId::from_bytes([number; 16])
}

fn payment(number: u8, chain: &str, replaces: Option<u8>, amount: u128) -> Payment {
    let chain: waiaas_shared::caip::ChainId = chain.parse().expect("a chain");
    let to = match chain {
        waiaas_shared::caip::ChainId::Evm(_) => "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        waiaas_shared::caip::ChainId::Solana(_) => "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
    };
    Payment {
        facts: Facts {
            id: name(number),
            sequence: number.into(),
            listed: number.into(),
            session: Some(SessionId::from_bytes([7; 16])),
            wallet: WalletId::from_bytes([8; 16]),
            chain,
            action: waiaas_shared::request::Action::Transfer,
            asset: chain.native_asset(),
            to: to.parse().expect("an address"),
            amount: Amount::from_base_units(amount),
            call: None,
            more: Vec::new(),
            memo: None,
            stake: None,
            program: None,
            fee_max: Amount::from_base_units(1),
            tier: Tier::Instant,
            submit: true,
            nonce: Some(3),
            idempotency: Digest::from_bytes([number; 32]),
            body: Digest::from_bytes([number; 32]),
            replaces: replaces.map(name),
            created: WallTime::from_millis(1),
        },
        progress: Progress {
            status: Status::Submitted,
            waiting: None,
            chain_transaction: None,
            own_signature: None,
            validity: None,
            position: None,
            fee_paid: None,
            detail: None,
            replaced_by: None,
            updated: WallTime::from_millis(1),
        },
    }
}

fn tables(payments: &[Payment]) -> Connection {
    let connection = Connection::open_in_memory().expect("opens");
    connection.execute_batch(store::TABLES).expect("tables");
    for payment in payments {
        store::put(&connection, payment).expect("stored");
    }
    connection
}

fn family(connection: &Connection, of: u8) -> Vec<TransactionId> {
    let found = store::family(connection, name(of)).expect("read");
    let mut names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

#[test]
fn the_transactions_of_a_nonce_belong_together_from_wherever_they_are_asked() {
    let evm = "eip155:31337";
    let connection = tables(&[
        payment(1, evm, None, 5),
        payment(2, evm, Some(1), 5),
        payment(3, evm, Some(2), 0),
        payment(4, evm, None, 5),
        // Another nonce each on Solana: both may land.
        payment(5, "solana:localnet", None, 5),
        payment(6, "solana:localnet", Some(5), 5),
    ]);
    for of in 1..=3 {
        assert_eq!(family(&connection, of), [name(1), name(2), name(3)], "{of}");
    }
    assert_eq!(family(&connection, 4), [name(4)]);
    assert_eq!(family(&connection, 5), [name(5)]);
    assert_eq!(family(&connection, 6), [name(6)]);
    assert!(family(&connection, 9).is_empty());
    let third = store::payment(&connection, name(3))
        .expect("read")
        .expect("known");
    assert!(third.is_cancellation());
    let first = store::payment(&connection, name(1))
        .expect("read")
        .expect("known");
    assert!(!first.is_cancellation());
    assert_eq!(first.progress.replaced_by, Some(name(2)));
}

#[test]
fn what_holds_a_payment_up_is_noted_while_it_is_under_way() {
    let connection = tables(&[payment(1, "eip155:1", None, 5)]);
    let words = ChainText::new("Stuck.");
    store::note_stuck(&connection, name(1), Some(&words)).expect("noted");
    let read = || {
        store::payment(&connection, name(1))
            .expect("read")
            .expect("known")
    };
    assert!(read().is_stuck());
    let (now, change) = (WallTime::from_millis(2), store::Change::default());
    let ends = store::advance(&connection, name(1), Status::Confirmed, &change, now);
    assert!(ends.expect("moved"));
    assert!(!read().is_stuck());
    assert_eq!(read().progress.detail, None);
    store::note_stuck(&connection, name(1), Some(&words)).expect("no change");
    assert_eq!(read().progress.detail, None);
}
