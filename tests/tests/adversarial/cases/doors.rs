//! Doors that must not exist: methods, keys, payloads, sessions (W09 to W17).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use capnp::traits::HasTypeId as _;
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_schema::{admin_capnp, common_capnp, gateway_capnp};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_tests::agent::{Agent, key};
use waiaas_tests::stage::{EVM, SOLANA_TO};

use super::{Case, case};
use crate::raw::{Answer, Wire, bare, call};
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("W09", every_method),
    case("W10", password_guesses),
    case("W11", nobodys_sessions),
    case("W12", raw_payloads),
    case("W13", two_public_keys),
    case("W16", chosen_keys),
    case("W17", crossed_wallets),
];

const PATIENCE: Duration = Duration::from_secs(20);
/// Calls sent before their answers are read; a connection has 256 places.
const AT_ONCE: u32 = 240;
/// Methods of `Common` that stop something: the gateway may, so they are called last, and never here.
const STOPS: std::ops::RangeInclusive<u16> = 8..=10;

/// Calls all these methods without parameters; what answered otherwise than "no such method".
fn enumerate(
    rig: &mut Rig,
    interface: u64,
    methods: impl Iterator<Item = u16>,
) -> Result<BTreeMap<u16, Answer>> {
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    let mut found = BTreeMap::new();
    let methods: Vec<u16> = methods.collect();
    for (round, chunk) in (0..).zip(methods.chunks(usize::try_from(AT_ONCE)?)) {
        let question =
            |place: usize| u32::try_from(place).map(|place| 1 + (round % 2) * 1000 + place);
        let mut bytes = Vec::new();
        for (place, method) in chunk.iter().enumerate() {
            bytes.extend(bare(question(place)?, interface, *method));
        }
        ensure!(wire.push(&bytes, PATIENCE), "the connection ended");
        let answers = wire.answers(chunk.len(), PATIENCE)?;
        ensure!(
            answers.len() == chunk.len(),
            "{} of {} answers",
            answers.len(),
            chunk.len()
        );
        for (place, method) in chunk.iter().enumerate() {
            let wanted = question(place)?;
            let answer = answers.iter().find(|(given, _)| *given == wanted);
            match answer {
                Some((_, Answer::Unimplemented)) => {}
                Some((_, other)) => {
                    found.insert(*method, other.clone());
                }
                None => anyhow::bail!("no answer for method {method}"),
            }
        }
    }
    rig.record
        .captured
        .extend(wire.captured.iter().take(100_000));
    Ok(found)
}

fn every_method(rig: &mut Rig, _: &Template) -> Result<String> {
    let before = rig.status()?;
    let admin = admin_capnp::admin::Client::TYPE_ID;
    let common = common_capnp::common::Client::TYPE_ID;
    let gateway = gateway_capnp::gateway::Client::TYPE_ID;
    let found = enumerate(rig, admin, 0..=u16::MAX)?;
    ensure!(found.is_empty(), "the owner's interface answers: {found:?}");
    let found = enumerate(rig, gateway, 0..=u16::MAX)?;
    ensure!(
        found.keys().copied().eq(0..=2),
        "gateway: {:?}",
        found.keys()
    );
    ensure!(
        found
            .values()
            .all(|answer| !matches!(answer, Answer::Results(Some(_)))),
        "a bare call signs"
    );
    let found = enumerate(
        rig,
        common,
        (0..=u16::MAX).filter(|method| !STOPS.contains(method)),
    )?;
    ensure!(
        found.keys().copied().eq(0..=7),
        "common: {:?}",
        found.keys()
    );
    let mut interfaces = 0;
    for interface in [0, 1, u64::MAX, admin ^ 1, admin ^ (1 << 63), !gateway] {
        let found = enumerate(rig, interface, (0..64).chain([u16::MAX]))?;
        ensure!(
            found.is_empty(),
            "interface {interface:x} answers: {found:?}"
        );
        interfaces += 1;
    }
    let after = rig.status()?;
    ensure!(
        after.sequence == before.sequence
            && after.unlocked
            && after.policy_epoch == before.policy_epoch,
        "something changed"
    );
    Ok(format!(
        "3 x 65536 methods: none of the owner's, 3 and 11 of the gateway's; {interfaces} unknown interfaces"
    ))
}

fn password_guesses(rig: &mut Rig, _: &Template) -> Result<String> {
    let failures = rig.status()?.unlock_failures;
    // The secret channel's preface belongs to the other socket.
    let mut tried = 0;
    for guess in [
        &b"P\x07\x00letmein"[..],
        b"T0123456789abcdef",
        b"P\xff\xff",
        b"",
    ] {
        let mut wire = Wire::silent(&rig.home.gateway_socket(), crate::stand::GATEWAY_UID)?;
        let _ = wire.push(&[&b"WAIASSEC"[..], guess].concat(), PATIENCE);
        ensure!(
            wire.closes(Duration::from_secs(3))?,
            "the secret channel answers"
        );
        ensure!(wire.captured.is_empty(), "it said {:?}", wire.captured);
        tried += 1;
    }
    // Passwords as parameters of `unlock` and of every method near it.
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    for (question, method) in (1..).zip(0..32) {
        let interface = admin_capnp::admin::Client::TYPE_ID;
        let frame = call(question, interface, method, |call| {
            let content = call.init_params().get_content();
            let mut params = content.init_as::<admin_capnp::admin::unlock_params::Builder<'_>>();
            params.set_password(b"correct horse battery staple");
        });
        ensure!(wire.push(&frame, PATIENCE));
        ensure!(
            wire.answer_to(question, PATIENCE)? == Answer::Unimplemented,
            "method {method}"
        );
        tried += 1;
    }
    ensure!(
        rig.status()?.unlock_failures == failures,
        "a guess was counted: it was tried"
    );
    Ok(format!("{tried} guesses, none reached a password check"))
}

fn nobodys_sessions(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(5);
    let honest = rig.request(&transfer)?;
    let agent = rig.agent();
    let stranger = Agent {
        key: key(99),
        ..agent.clone()
    };
    let mut attempts: Vec<(String, SpendRequest)> = Vec::new();
    // The agent's session without, with a stranger's, and with another session's signature.
    attempts.push((
        "no signature".into(),
        SpendRequest {
            signature: String::new(),
            signature_input: String::new(),
            ..honest.clone()
        },
    ));
    attempts.push(("a stranger's key".into(), stranger.sign(honest.clone())?));
    attempts.push((
        "the other agent's key".into(),
        Agent {
            key: key(33),
            ..agent.clone()
        }
        .sign(honest.clone())?,
    ));
    attempts.push((
        "the other session".into(),
        SpendRequest {
            session: rig.cast.other.session,
            ..honest.clone()
        },
    ));
    for number in 0..40_u8 {
        let session = SessionId::from_bytes([number; 16]);
        attempts.push((
            format!("session {number}"),
            SpendRequest {
                session,
                ..honest.clone()
            },
        ));
    }
    // A genuine signature over something else: each part of the request changed under it.
    let body: Value = serde_json::from_slice(&honest.body)?;
    for (field, value) in [
        ("amount_base", json!("6")),
        ("to", json!(SOLANA_TO)),
        ("wallet", json!(rig.cast.other_evm.wallet)),
        ("submit", json!(true)),
        ("reason", json!("approved by the owner")),
        ("tier", json!("INSTANT")),
    ] {
        let mut changed = body.clone();
        changed[field] = value;
        attempts.push((
            field.into(),
            SpendRequest {
                body: changed.to_string().into_bytes(),
                ..honest.clone()
            },
        ));
    }
    attempts.push((
        "another method".into(),
        SpendRequest {
            method: "PUT".into(),
            ..honest.clone()
        },
    ));
    attempts.push((
        "another path".into(),
        SpendRequest {
            path: "/v1/transactions/dry-run".into(),
            ..honest.clone()
        },
    ));
    attempts.push((
        "another query".into(),
        SpendRequest {
            query: "?dry=1".into(),
            ..honest.clone()
        },
    ));
    attempts.push((
        "another key".into(),
        SpendRequest {
            idempotency_key: "other".into(),
            ..honest.clone()
        },
    ));
    let counted = rig.refused(
        &attempts,
        &[
            Code::RequestSignatureMissing,
            Code::RequestSignatureInvalid,
            Code::SessionUnknown,
            Code::SessionWallet,
            Code::BodyMalformed,
        ],
    )?;
    // Without an agent's key the gateway speaks for the session: within its policy, and no further.
    let mut invented = rig.invented(&transfer)?;
    rig.send(&invented)?;
    invented.idempotency_key = rig.fresh_key();
    let beyond = rig.to_evm(waiaas_tests::stage::LIMIT);
    let beyond = rig.invented(&beyond)?;
    rig.refuse(
        "beyond policy",
        beyond,
        &[Code::PerTransactionLimit, Code::TierNotAvailable],
    )?;
    Ok(format!(
        "{} inventions refused ({} kinds); a bearer session spends its policy only",
        attempts.len(),
        counted.len()
    ))
}

fn raw_payloads(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_solana(5);
    let mut payloads: Vec<(String, Vec<u8>)> = vec![
        ("empty".into(), Vec::new()),
        ("a digest".into(), vec![0xab; 32]),
        ("a digest in text".into(), "ab".repeat(32).into_bytes()),
        ("plain text".into(), b"hello".to_vec()),
        ("a test payload".into(), b"test".to_vec()),
        (
            "a personal message".into(),
            b"\x19Ethereum Signed Message:\n5hello".to_vec(),
        ),
        (
            "typed data's prefix".into(),
            [&[0x19, 0x01][..], &[7; 64]].concat(),
        ),
        (
            "an off-chain message".into(),
            [&b"\xffsolana offchain"[..], &[1, 1], &[7; 40]].concat(),
        ),
        ("zeros".into(), vec![0; 200]),
        (
            "all of a body's size".into(),
            vec![1; waiaas_schema::BODY_LIMIT_BYTES],
        ),
        (
            "more than that".into(),
            vec![1; waiaas_schema::BODY_LIMIT_BYTES + 1],
        ),
    ];
    for length in [1, 2, 20, 31, 33, 64, 65, 1231, 1232, 1233] {
        payloads.push((format!("{length} bytes"), vec![1; length]));
    }
    let mut tried = 0;
    for transfer in [transfer, rig.to_evm(5)] {
        let mut attempts = Vec::new();
        for (name, payload) in &payloads {
            let request = SpendRequest {
                unsigned: payload.clone(),
                ..rig.invented(&transfer)?
            };
            attempts.push((name.clone(), request));
        }
        tried += attempts.len();
        rig.refused(
            &attempts,
            &[Code::TransactionUndecodable, Code::BodyTooLarge],
        )?;
    }
    // Bodies that ask for a signature over something else than a transfer.
    let mut attempts = Vec::new();
    for body in [
        json!({"sign": "0xabababab"}),
        json!({"digest": "ab".repeat(32)}),
        json!({"message": "hello", "raw": true}),
        json!([]),
        json!(null),
        json!({}),
    ] {
        let transfer = rig.to_evm(5);
        let request = SpendRequest {
            body: body.to_string().into_bytes(),
            ..rig.invented(&transfer)?
        };
        attempts.push((body.to_string(), request));
    }
    tried += attempts.len();
    rig.refused(&attempts, &[Code::BodyMalformed])?;
    Ok(format!("{tried} payloads, no door signs one"))
}

fn two_public_keys(rig: &mut Rig, _: &Template) -> Result<String> {
    // The same message once for the wallet's own key, and with another's in its place.
    let transfer = rig.to_solana(77);
    let honest = rig.invented(&transfer)?;
    let first = rig.send(&honest)?;
    let own = crate::calculator::account_bytes(rig.cast.solana.account);
    let mut attempts = Vec::new();
    for (name, key) in [
        (
            "the other wallet's key",
            crate::calculator::account_bytes(rig.cast.other_solana.account),
        ),
        (
            "a stranger's key",
            key(98).verifying_key().to_bytes().to_vec(),
        ),
        ("a point of small order", vec![0; 32]),
        ("one bit off", {
            let mut near = own.clone();
            near[31] ^= 1;
            near
        }),
    ] {
        let mut changed = honest.unsigned.clone();
        let place = changed
            .windows(32)
            .position(|window| window == own)
            .unwrap_or(0);
        if let Some(bytes) = changed.get_mut(place..place + 32) {
            bytes.copy_from_slice(&key);
        }
        attempts.push((
            name.to_owned(),
            SpendRequest {
                unsigned: changed,
                idempotency_key: rig.fresh_key(),
                ..honest.clone()
            },
        ));
    }
    rig.refused(&attempts, &[Code::TransactionUndecodable])?;
    // With the key where it belongs, a second signature over the same message has the same nonce point
    // and the same scalar: there is no second equation to solve.
    let again = SpendRequest {
        idempotency_key: rig.fresh_key(),
        ..honest.clone()
    };
    let second = rig.send(&again)?;
    ensure!(second.raw == first.raw, "two signatures over one message");
    let other = SpendRequest {
        unsigned: {
            let mut other = honest.unsigned.clone();
            spoil_blockhash(&mut other);
            other
        },
        idempotency_key: rig.fresh_key(),
        ..honest
    };
    let third = rig.send(&other)?;
    let nonce = |raw: &[u8]| raw.get(1..33).map(<[u8]>::to_vec);
    ensure!(
        nonce(&third.raw) != nonce(&first.raw),
        "one nonce for two messages"
    );
    Ok("4 foreign keys refused; same message same signature, other message other nonce".to_owned())
}

/// Changes one byte of the made-up blockhash.
fn spoil_blockhash(message: &mut [u8]) {
    let place = message.windows(32).position(|window| window == [7; 32]);
    if let Some(byte) = place.and_then(|place| message.get_mut(place)) {
        *byte = 8;
    }
}

fn chosen_keys(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(5);
    let honest = rig.invented(&transfer)?;
    let body: Value = serde_json::from_slice(&honest.body)?;
    let mut attempts = Vec::new();
    for (field, value) in [
        ("path", json!("m/44'/60'/0'/0/7")),
        ("derivation_path", json!("m/0")),
        ("index", json!(1)),
        ("account_index", json!(0)),
        ("xpub", json!("xpub661MyMwAqRbcF")),
        ("curve", json!("secp256k1")),
        ("key", json!("0")),
        ("public_key", json!("00")),
        ("key_handle", json!(3)),
        ("from", json!(rig.cast.other_evm.account)),
    ] {
        let mut changed = body.clone();
        changed[field] = value;
        let request = SpendRequest {
            body: changed.to_string().into_bytes(),
            idempotency_key: rig.fresh_key(),
            ..honest.clone()
        };
        attempts.push((field.to_owned(), request));
    }
    for (name, wallet) in [
        ("an unknown wallet", json!(WalletId::from_bytes([9; 16]))),
        ("an empty wallet", json!("")),
        ("an address for a wallet", json!(rig.cast.evm.account)),
        ("an index for a wallet", json!(0)),
        (
            "two wallets",
            json!([rig.cast.evm.wallet, rig.cast.other_evm.wallet]),
        ),
        ("no wallet", Value::Null),
        (
            "an EVM request for the Solana key",
            json!(rig.cast.solana.wallet),
        ),
    ] {
        let mut changed = body.clone();
        changed["wallet"] = wallet;
        let request = SpendRequest {
            body: changed.to_string().into_bytes(),
            idempotency_key: rig.fresh_key(),
            ..honest.clone()
        };
        attempts.push((name.to_owned(), request));
    }
    let counted = rig.refused(
        &attempts,
        &[
            Code::BodyMalformed,
            Code::WalletUnknown,
            Code::NetworkNotBound,
            Code::TransactionUndecodable,
        ],
    )?;
    Ok(format!("{} choices refused: {counted:?}", attempts.len()))
}

fn crossed_wallets(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut attempts = Vec::new();
    // The session of the first two wallets, asking for the others: by body, by bytes, by both.
    let mut foreign = rig.to_evm(5);
    foreign.from = rig.cast.other_evm;
    let both = rig.invented(&foreign)?;
    attempts.push(("another wallet".to_owned(), both.clone()));
    let own = rig.to_evm(5);
    let own = rig.invented(&own)?;
    attempts.push((
        "another wallet's body".to_owned(),
        SpendRequest {
            body: both.body,
            ..own.clone()
        },
    ));
    let mut foreign = rig.to_solana(5);
    foreign.from = rig.cast.other_solana;
    let both = rig.invented(&foreign)?;
    attempts.push(("another Solana wallet".to_owned(), both.clone()));
    let solana = rig.to_solana(5);
    let solana = rig.invented(&solana)?;
    attempts.push((
        "another wallet's bytes".to_owned(),
        SpendRequest {
            unsigned: both.unsigned.clone(),
            ..solana
        },
    ));
    // The other agent for the first wallets, with its own good signature.
    let other = rig.cast.other.clone();
    for transfer in [rig.to_evm(5), rig.to_solana(5)] {
        let key = rig.fresh_key();
        attempts.push((
            "the other agent".to_owned(),
            other.request(&transfer, &key)?,
        ));
    }
    // A body with the wallet twice: which of them would be judged?
    let text = String::from_utf8(own.body.clone())?;
    let doubled = text.replacen(
        '{',
        &format!("{{\"wallet\":\"{}\",", rig.cast.other_evm.wallet),
        1,
    );
    attempts.push((
        "two wallets in one body".to_owned(),
        SpendRequest {
            body: doubled.into_bytes(),
            ..own.clone()
        },
    ));
    // A wallet that no policy mentions.
    let main = waiaas_tests::agent::Transfer {
        from: rig.cast.main,
        network: crate::stand::MAIN,
        to: rig.to_evm(5).to,
        amount: 5,
    };
    attempts.push(("a wallet without rules".to_owned(), rig.invented(&main)?));
    let mislabelled = waiaas_tests::agent::Transfer {
        network: EVM,
        ..main
    };
    attempts.push((
        "the same under a test network".to_owned(),
        rig.invented(&mislabelled)?,
    ));
    rig.refused(
        &attempts,
        &[
            Code::SessionWallet,
            Code::BodyMalformed,
            Code::TransactionUndecodable,
            Code::AssetNotListed,
            Code::NetworkNotBound,
        ],
    )?;
    Ok(format!("{} crossings refused", attempts.len()))
}
