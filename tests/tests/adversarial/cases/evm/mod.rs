//! EVM transactions and typed data that must never be signed, whatever the decoder can read: how they
//! are made. The gateway speaks for a bearer session here, so that only bytes and rules stand in its way.

mod allowances;
mod authorized;
mod brought;
pub(super) mod call;
pub(super) mod field;
mod registered;
mod terms;
pub(super) mod typed;

use anyhow::{Context as _, Result};
use serde_json::Value;
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::stage::EVM_TO;

use crate::bytes::{Rlp, fields, keccak, typed};
use crate::calculator::account_bytes;
use crate::rig::Rig;
use crate::stand::token;

const CHAIN: u128 = 31_337;

/// What the body says in all of these: five wei to the listed recipient.
const VALUE: u128 = 5;

/// The token that the policy names.
const TOKEN: [u8; 20] = [0xaa; 20];

const DENIED: [Code; 5] = [
    Code::ApprovalUnlimited,
    Code::TransactionUndecodable,
    Code::NonceNotZero,
    Code::BodyMismatch,
    Code::BodyTooLarge,
];

fn to() -> Vec<u8> {
    EVM_TO.parse().map(account_bytes).unwrap_or_default()
}

fn honest() -> Vec<Rlp> {
    fields(CHAIN, &to(), VALUE, &[])
}

/// The honest fields with one of them changed.
fn with(place: usize, field: Rlp) -> Vec<Rlp> {
    let mut list = honest();
    if let Some(old) = list.get_mut(place) {
        *old = field;
    }
    list
}

/// A call with this data, without and with value.
fn calls(name: &str, to: &[u8], data: &[u8]) -> Vec<(String, Vec<u8>)> {
    [0, VALUE]
        .into_iter()
        .map(|value| {
            (
                format!("{name}, value {value}"),
                typed(2, fields(CHAIN, to, value, data)),
            )
        })
        .collect()
}

fn requests(
    rig: &mut Rig,
    payloads: Vec<(String, Vec<u8>)>,
) -> Result<Vec<(String, SpendRequest)>> {
    payloads
        .into_iter()
        .map(|(name, unsigned)| {
            let transfer = rig.to_evm(VALUE);
            Ok((
                name,
                SpendRequest {
                    unsigned,
                    ..rig.invented(&transfer)?
                },
            ))
        })
        .collect()
}

/// All of these must be refused; and the honest one must pass, so that they were not refused for it.
fn deny(rig: &mut Rig, payloads: Vec<(String, Vec<u8>)>) -> Result<String> {
    let attempts = requests(rig, payloads)?;
    let counted = rig.refused(&attempts, &DENIED)?;
    let honest = requests(rig, vec![(String::new(), typed(2, honest()))])?;
    let (_, honest) = honest.first().context("one")?;
    rig.send(honest).context("the honest transaction")?;
    Ok(format!("{} refused {counted:?}", attempts.len()))
}

/// The same requests, whose bodies ask for a transfer of the policy's token in place of the coin.
fn of_token(
    rig: &mut Rig,
    payloads: Vec<(String, Vec<u8>)>,
) -> Result<Vec<(String, SpendRequest)>> {
    let mut attempts = requests(rig, payloads)?;
    for (_, request) in &mut attempts {
        let mut body: Value = serde_json::from_slice(&request.body)?;
        body.as_object_mut()
            .context("an object")?
            .insert("asset".to_owned(), token().to_string().into());
        request.body = body.to_string().into_bytes();
    }
    Ok(attempts)
}

/// All of these must be refused, whether the body asks for the coin or for the token that policy names;
/// and a sound call of that token would pass, so that they were not refused for the token.
fn deny_calls(rig: &mut Rig, payloads: Vec<(String, Vec<u8>)>) -> Result<String> {
    let sound = typed(2, fields(CHAIN, &TOKEN, 0, &sound_call()));
    let mut attempts = payloads.clone();
    attempts.retain(|(_, bytes)| *bytes != sound);
    let attempts = of_token(rig, attempts)?;
    let counted = rig.refused(&attempts, &DENIED)?;
    let honest = of_token(rig, vec![(String::new(), sound)])?;
    let (_, honest) = honest.first().context("one")?;
    let gateway = rig.gateway();
    rig.block(gateway.decide(honest))
        .context("the sound call of a token")?;
    let of_coin = deny(rig, payloads)?;
    Ok(format!(
        "{} of a token refused {counted:?}; {of_coin}",
        attempts.len()
    ))
}

/// Five units of a token for the listed recipient.
fn sound_call() -> Vec<u8> {
    [
        selector("transfer(address,uint256)"),
        word(&to()),
        word(&[5]),
    ]
    .concat()
}

fn legacy(extra: &[u128]) -> Vec<u8> {
    let mut list = vec![
        Rlp::number(0),
        Rlp::number(1_000_000_000),
        Rlp::number(21_000),
        Rlp::Bytes(to()),
        Rlp::number(VALUE),
        Rlp::Bytes(vec![]),
    ];
    list.extend(extra.iter().map(|number| Rlp::number(*number)));
    Rlp::List(list).encode()
}

/// Leave to take a token, and payments that are brought.
pub(super) fn one_of_each(rig: &mut Rig) -> Result<()> {
    allowances::honest_one(rig)?;
    brought::honest_ones(rig)
}

/// One of each kind that a decoder might read, for a policy that names nothing.
pub(super) fn every_kind(rig: &mut Rig) -> Result<Vec<(String, SpendRequest)>> {
    let thief = [0xbb; 20];
    let mut payloads = vec![
        ("a legacy transfer".to_owned(), legacy(&[CHAIN, 0, 0])),
        (
            "to a stranger".to_owned(),
            typed(2, fields(CHAIN, &thief, VALUE, &[])),
        ),
        ("of type 1".to_owned(), typed(1, honest())),
    ];
    for signature in [
        "transfer(address,uint256)",
        "approve(address,uint256)",
        "safeTransferFrom(address,address,uint256)",
        "deposit()",
    ] {
        payloads.extend(calls(
            signature,
            &[0xaa; 20],
            &[selector(signature), word(&thief), word(&[5])].concat(),
        ));
    }
    requests(rig, payloads)
}

/// A word of call data.
fn word(bytes: &[u8]) -> Vec<u8> {
    [
        vec![0; 32_usize.saturating_sub(bytes.len())],
        bytes.to_vec(),
    ]
    .concat()
}

fn selector(signature: &str) -> Vec<u8> {
    keccak(signature.as_bytes())
        .get(..4)
        .unwrap_or_default()
        .to_vec()
}

/// Calls with two to four words behind each of these.
fn calls_of(signatures: &[&str]) -> Vec<(String, Vec<u8>)> {
    let thief = [0xbb; 20];
    let mut payloads = Vec::new();
    for signature in signatures {
        // For a stranger and for the listed recipient, exact, without end and for nothing.
        for (whom, amount) in [thief.to_vec(), to()]
            .into_iter()
            .flat_map(|whom| [vec![5], vec![0xff; 32], vec![]].map(|amount| (whom.clone(), amount)))
        {
            let data = [
                selector(signature),
                word(&whom),
                word(&amount),
                word(&to()),
                word(&[0x60]),
            ]
            .concat();
            for spoken_to in [vec![0xaa; 20], to()] {
                payloads.extend(calls(signature, &spoken_to, &data));
            }
        }
    }
    payloads
}
