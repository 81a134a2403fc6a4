//! Methods, passwords, payloads (W09, W10, W12).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use capnp::traits::HasTypeId as _;
use serde_json::json;
use waiaas_client::SpendRequest;
use waiaas_schema::{admin_capnp, common_capnp, gateway_capnp};
use waiaas_shared::denial::Code;

use crate::cases::{Case, case};
use crate::raw::{Answer, Wire, bare, call};
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("W09", every_method),
    case("W10", password_guesses),
    case("W12", raw_payloads),
];

const PATIENCE: Duration = Duration::from_secs(20);

/// Calls sent before their answers are read; a connection has 256 places.
const AT_ONCE: u32 = 240;

/// Methods of `Common` that stop something: the gateway may, so they are called last, and never here.
const STOPS: [u16; 6] = [8, 9, 10, 12, 14, 15];

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
        found.keys().copied().eq(0..=6),
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
        found
            .keys()
            .copied()
            .eq((0..=7).chain([11, 13, 16, 17, 18])),
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
        "3 x 65536 methods: none of the owner's, 7 and 19 of the gateway's; {interfaces} unknown interfaces"
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
