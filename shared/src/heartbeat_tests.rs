//! One form, one key, and never a head.

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::log::{Head, SignedHead};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn heartbeat() -> Heartbeat {
    let payment = |number: u8, tier| WaitingPayment {
        transaction: TransactionId::from_bytes([number; 16]),
        wallet: WalletId::from_bytes([2; 16]),
        tier,
        amount: Amount::from_base_units(5_000_000),
        asset: "eip155:31337/slip44:60".parse().expect("an asset"),
        to: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
            .parse()
            .expect("an address"),
        expires: WallTime::from_millis(1_800_000_100_000),
        more: Vec::new(),
    };
    Heartbeat {
        signer: SignerId::from_bytes([1; 16]),
        clocks: Clocks {
            wall: WallTime::from_millis(1_800_000_000_000),
            run: RunTime::from_millis(5),
            budget: BudgetTime::from_millis(6),
        },
        sequence: 42,
        hash: Digest::from_bytes([9; 32]),
        policy_epoch: 3,
        policies: vec![
            (2, Digest::from_bytes([2; 32])),
            (3, Digest::from_bytes([3; 32])),
        ],
        kill: Kill::Normal,
        kill_epoch: 0,
        frozen: false,
        clock_closed: false,
        dead_man: Some(Millis::from_hours(24)),
        wallets: 2,
        sessions: 3,
        suspended: 1,
        denials: 17,
        waiting: 2,
        payments: vec![payment(3, Tier::Delay), payment(4, Tier::Approval)],
    }
}

fn sign(heartbeat: Heartbeat) -> SignedHeartbeat {
    let signature = key().sign(heartbeat.note_text().as_bytes()).to_bytes();
    SignedHeartbeat::new(heartbeat, key().verifying_key().as_bytes(), signature)
}

#[test]
fn a_heartbeat_is_read_as_it_was_written() {
    let bare = Heartbeat {
        policy_epoch: 0,
        policies: Vec::new(),
        kill: Kill::Activated,
        kill_epoch: 2,
        frozen: true,
        clock_closed: true,
        dead_man: None,
        waiting: 0,
        payments: Vec::new(),
        ..heartbeat()
    };
    let mut several = heartbeat();
    for payment in &mut several.payments {
        let moved = |amount| Moved {
            asset: payment.asset,
            to: payment.to,
            amount: Amount::from_base_units(amount),
        };
        payment.more = [1, 2, 3].map(moved).to_vec();
    }
    for heartbeat in [heartbeat(), bare, several] {
        let note = sign(heartbeat.clone()).to_string();
        let read: SignedHeartbeat = note.parse().expect("a heartbeat");
        assert_eq!(
            read.verify(key().verifying_key().as_bytes()),
            Ok(&heartbeat)
        );
        let other = SigningKey::from_bytes(&[8; 32]);
        assert_eq!(
            read.verify(other.verifying_key().as_bytes()),
            Err(LogError::NoteSignature)
        );
    }
}

/// Whatever is changed in the text is another form, or no longer what was signed.
#[test]
fn a_changed_heartbeat_does_not_verify() {
    let note = sign(heartbeat()).to_string();
    let log_key = *key().verifying_key().as_bytes();
    for place in 0..note.len() {
        if !note.is_char_boundary(place) || !note.is_char_boundary(place + 1) {
            continue;
        }
        for other in ["0", "9", "a", " ", "\n"] {
            let mut changed = note.clone();
            changed.replace_range(place..=place, other);
            if changed == note {
                continue;
            }
            let verified = changed
                .parse::<SignedHeartbeat>()
                .and_then(|read| read.verify(&log_key).map(drop));
            assert!(verified.is_err(), "{place} {other:?}");
        }
    }
    let lines: Vec<_> = note.lines().collect();
    for left_out in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(left_out);
        let fewer = fewer.join("\n") + "\n";
        let verified = fewer
            .parse::<SignedHeartbeat>()
            .and_then(|read| read.verify(&log_key).map(drop));
        assert!(verified.is_err(), "without line {left_out}");
    }
    for wrong in [
        String::new(),
        note.trim_end().to_owned(),
        format!("{note}\n"),
        note.replace("heartbeat/v1", "heartbeat/v2"),
        note.replace('\u{2014}', "-"),
        note.replace("frozen no", "frozen maybe"),
        note.replace("kill NORMAL", "kill normal"),
    ] {
        assert_eq!(wrong.parse::<SignedHeartbeat>(), Err(LogError::NoteForm));
    }
}

/// T13: a gateway cannot keep back one of the payments that wait.
#[test]
fn the_payments_that_wait_are_all_named() {
    let mut fewer = heartbeat();
    fewer.payments.pop();
    let note = sign(fewer).to_string();
    assert_eq!(note.parse::<SignedHeartbeat>(), Err(LogError::NoteForm));
}

/// The two notes of one key and one signer never pass for each other.
#[test]
fn a_heartbeat_is_no_head_and_a_head_no_heartbeat() {
    let note = sign(heartbeat()).to_string();
    assert_eq!(note.parse::<SignedHead>(), Err(LogError::NoteForm));
    let head = Head {
        signer: heartbeat().signer,
        sequence: 42,
        hash: heartbeat().hash,
    };
    let log_key = *key().verifying_key().as_bytes();
    let signature = key().sign(head.note_text().as_bytes()).to_bytes();
    let signed = SignedHead::new(head, &log_key, signature).to_string();
    assert_eq!(signed.parse::<SignedHeartbeat>(), Err(LogError::NoteForm));
    // Nor does the signature of one serve under the other's text.
    let crossed = SignedHeartbeat::new(heartbeat(), &log_key, signature).to_string();
    let crossed: SignedHeartbeat = crossed.parse().expect("a heartbeat's form");
    assert_eq!(crossed.verify(&log_key), Err(LogError::NoteSignature));
}
