//! EVM transactions and typed data that must never be signed, whatever the decoder can read (E01 to
//! E20). The gateway speaks for a bearer session here, so that only bytes and rules stand in its way.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::stage::EVM_TO;

use super::{Case, case};
use crate::bytes::{Rlp, fields, keccak, prefix, typed};
use crate::calculator::account_bytes;
use crate::raw::Random;
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("E01", chain_ids),
    case("E02", type_bytes),
    case("E03", fees),
    case("E05", recipients),
    case("E06", second_forms),
    case("E07", dirty_calls),
    case("E08", allowances),
    case("E09", selectors),
    case("E10", calls_in_calls),
    case("E11", delegations),
    case("E12", typed_data),
    case("E13", authorisations),
    case("E15", messages),
    case("E16", access_lists),
    case("E17", signatures),
    case("E20", nonces),
];

const CHAIN: u128 = 31_337;
/// What the body says in all of these: five wei to the listed recipient.
const VALUE: u128 = 5;
const DENIED: [Code; 4] = [
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

fn chain_ids(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut payloads = vec![
        ("legacy without a chain".to_owned(), legacy(&[])),
        ("legacy of chain 0".to_owned(), legacy(&[0, 0, 0])),
        ("legacy of another chain".to_owned(), legacy(&[1, 0, 0])),
        ("legacy of 2^128 - 1".to_owned(), legacy(&[u128::MAX, 0, 0])),
    ];
    for chain in [0, 1, CHAIN - 1, CHAIN + 1, u128::from(u64::MAX), u128::MAX] {
        payloads.push((
            format!("chain {chain}"),
            typed(2, with(0, Rlp::number(chain))),
        ));
    }
    for bytes in [
        vec![0],
        vec![0, 0x7a, 0x69],
        vec![0xff; 32],
        vec![0; 32],
        vec![0x7a, 0x69, 0],
    ] {
        payloads.push((
            format!("chain {bytes:?}"),
            typed(2, with(0, Rlp::Bytes(bytes))),
        ));
    }
    deny(rig, payloads)
}

fn type_bytes(rig: &mut Rig, _: &Template) -> Result<String> {
    let list = Rlp::List(honest()).encode();
    let mut payloads = Vec::new();
    for kind in (0..=255_u8).filter(|kind| *kind != 2) {
        payloads.push((format!("type {kind:#x}"), [&[kind][..], &list].concat()));
        payloads.push((
            format!("{kind:#x} in front"),
            [&[kind][..], &typed(2, honest())].concat(),
        ));
    }
    payloads.push(("without a type".to_owned(), list.clone()));
    payloads.push(("a type alone".to_owned(), vec![2]));
    payloads.push((
        "wrapped in a string".to_owned(),
        Rlp::Bytes(typed(2, honest())).encode(),
    ));
    deny(rig, payloads)
}

fn fees(rig: &mut Rig, _: &Template) -> Result<String> {
    let (tip, fee, gas) = (2, 3, 4);
    let mut payloads = Vec::new();
    for (place, number) in [
        (tip, 1_000_000_001),
        (tip, u128::MAX),
        (fee, 0),
        (fee, u128::MAX),
        (gas, 0),
        (gas, 1),
        (gas, 20_999),
        (gas, 1 << 63),
        (gas, u128::from(u64::MAX)),
        (gas, u128::MAX),
    ] {
        payloads.push((
            format!("field {place} is {number}"),
            typed(2, with(place, Rlp::number(number))),
        ));
    }
    for place in [tip, fee, gas] {
        payloads.push((
            format!("field {place} of 256 bits"),
            typed(2, with(place, Rlp::Bytes(vec![0xff; 32]))),
        ));
    }
    let mut both = with(fee, Rlp::number(1 << 120));
    both.splice(gas..=gas, [Rlp::number(1 << 20)]);
    payloads.push(("a product beyond".to_owned(), typed(2, both)));
    let said = deny(rig, payloads)?;
    // What is understood and too dear is the policy's.
    let dear = typed(2, with(fee, Rlp::number(1_000_000_000_000_000)));
    let attempts = requests(rig, vec![("too dear".to_owned(), dear)])?;
    rig.refused(
        &attempts,
        &[
            Code::FeeCeiling,
            Code::PerTransactionLimit,
            Code::TierNotAvailable,
            Code::HourLimit,
        ],
    )?;
    Ok(said)
}

fn recipients(rig: &mut Rig, _: &Template) -> Result<String> {
    let own = account_bytes(rig.cast.evm.account);
    let mut payloads = vec![
        (
            "nobody".to_owned(),
            typed(2, fields(CHAIN, &[], VALUE, &[])),
        ),
        (
            "nobody, with code".to_owned(),
            typed(2, fields(CHAIN, &[], 0, &[0x60, 0x80])),
        ),
        (
            "the wallet itself".to_owned(),
            typed(2, fields(CHAIN, &own, VALUE, &[])),
        ),
    ];
    for length in [1, 19, 21, 32] {
        payloads.push((
            format!("{length} bytes"),
            typed(2, fields(CHAIN, &vec![0x5a; length], VALUE, &[])),
        ));
    }
    for number in (0..=0x20).chain([0x100, 0x64, 0x65, 0x0800, 0x8000, 0xffff]) {
        let mut address = [0; 20];
        address[18..].copy_from_slice(&u16::to_be_bytes(number));
        payloads.push((
            format!("address {number}"),
            typed(2, fields(CHAIN, &address, VALUE, &[])),
        ));
    }
    payloads.push((
        "a list".to_owned(),
        typed(2, with(5, Rlp::List(vec![Rlp::Bytes(to())]))),
    ));
    deny(rig, payloads)
}

fn second_forms(rig: &mut Rig, _: &Template) -> Result<String> {
    let sound = typed(2, honest());
    let mut payloads = Vec::new();
    for cut in 0..sound.len() {
        payloads.push((
            format!("cut at {cut}"),
            sound.get(..cut).unwrap_or_default().to_vec(),
        ));
    }
    for behind in [&[0][..], &[0x80], &[0xc0], &sound] {
        payloads.push(("bytes behind".to_owned(), [&sound, behind].concat()));
    }
    for place in 0..9 {
        let old = honest().get(place).cloned().context("a field")?;
        if let Rlp::Bytes(bytes) = &old {
            payloads.push((
                format!("field {place} with a zero in front"),
                typed(2, with(place, Rlp::Bytes([&[0][..], bytes].concat()))),
            ));
            let long = [&[0xb8, u8::try_from(bytes.len())?][..], bytes].concat();
            payloads.push((
                format!("field {place} in the long form"),
                typed(2, with(place, Rlp::Raw(long))),
            ));
            let longer = [&[0xb9, 0, u8::try_from(bytes.len())?][..], bytes].concat();
            payloads.push((
                format!("field {place} in a longer form"),
                typed(2, with(place, Rlp::Raw(longer))),
            ));
            payloads.push((
                format!("field {place} as a list"),
                typed(2, with(place, Rlp::List(vec![old.clone()]))),
            ));
            if let [single] = bytes.as_slice() {
                payloads.push((
                    format!("field {place} with a prefix"),
                    typed(2, with(place, Rlp::Raw(vec![0x81, *single]))),
                ));
            }
        }
        let mut without = honest();
        without.remove(place);
        payloads.push((format!("without field {place}"), typed(2, without)));
        let mut doubled = honest();
        doubled.insert(place, old);
        payloads.push((format!("field {place} twice"), typed(2, doubled)));
        payloads.push((
            format!("field {place} of 2^64 bytes"),
            typed(2, with(place, Rlp::Raw([&[0xbf][..], &[0xff; 8]].concat()))),
        ));
    }
    let payload: Vec<u8> = honest().iter().flat_map(Rlp::encode).collect();
    for front in [
        vec![0xf8, u8::try_from(payload.len())?],
        vec![0xf9, 0, u8::try_from(payload.len())?],
        [&[0xff][..], &[0xff; 8]].concat(),
        prefix(0xc0, payload.len() - 1),
        prefix(0xc0, payload.len() + 1),
        prefix(0x80, payload.len()),
    ] {
        payloads.push((
            format!("list's prefix {front:?}"),
            [&[2][..], &front, &payload].concat(),
        ));
    }
    let mut nested = Rlp::List(honest());
    for _ in 0..2000 {
        nested = Rlp::List(vec![nested]);
    }
    payloads.push((
        "lists in lists".to_owned(),
        [&[2][..], &nested.encode()].concat(),
    ));
    // Every single bit: refused, or judged as another payment than the body's, or too dear.
    let mut random = Random(6);
    for bit in 0..sound.len() * 8 {
        let mut changed = sound.clone();
        if let Some(byte) = changed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        let place = random.below(changed.len());
        changed.insert(place, 0);
        payloads.push((format!("bit {bit} and a byte"), changed));
    }
    deny(rig, payloads)
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

fn dirty_calls(rig: &mut Rig, _: &Template) -> Result<String> {
    let sound = [
        selector("transfer(address,uint256)"),
        word(&to()),
        word(&[5]),
    ]
    .concat();
    let mut payloads = calls("a sound one to an unnamed token", &[0xaa; 20], &sound);
    for place in 0..sound.len() {
        let mut changed = sound.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 0x80;
        }
        payloads.extend(calls(
            &format!("byte {place} changed"),
            &[0xaa; 20],
            &changed,
        ));
    }
    for length in [1, 3, 4, 35, 36, 67] {
        payloads.extend(calls(
            &format!("{length} bytes"),
            &[0xaa; 20],
            sound.get(..length).unwrap_or_default(),
        ));
    }
    payloads.extend(calls(
        "a byte behind",
        &[0xaa; 20],
        &[&sound[..], &[0]].concat(),
    ));
    payloads.extend(calls("to the recipient", &to(), &sound));
    deny(rig, payloads)
}

/// Calls with two to four words behind each of these.
fn calls_of(signatures: &[&str]) -> Vec<(String, Vec<u8>)> {
    let thief = [0xbb; 20];
    let mut payloads = Vec::new();
    for signature in signatures {
        for amount in [vec![5], vec![0xff; 32], vec![]] {
            let data = [
                selector(signature),
                word(&thief),
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

fn allowances(rig: &mut Rig, _: &Template) -> Result<String> {
    deny(
        rig,
        calls_of(&[
            "approve(address,uint256)",
            "increaseAllowance(address,uint256)",
            "increaseApproval(address,uint256)",
            "setApprovalForAll(address,bool)",
            "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
            "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
            "approve(address,address,uint160,uint48)",
            "approveAndCall(address,uint256,bytes)",
            "authorizeOperator(address)",
            "setOperator(address,bool)",
        ]),
    )
}

fn selectors(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut payloads = calls_of(&[
        "transferFrom(address,address,uint256)",
        "safeTransferFrom(address,address,uint256)",
        "burnFrom(address,uint256)",
        "burn(uint256)",
        "sweep(address,uint256)",
        "withdraw(uint256)",
        "delegate(address)",
        "transferOwnership(address)",
        "upgradeTo(address)",
        "selfdestruct(address)",
    ]);
    let mut random = Random(9);
    for _ in 0..1500 {
        let number = u32::try_from(random.next() >> 32)
            .unwrap_or(0)
            .to_be_bytes();
        let data = [&number[..], &word(&[0xbb; 20]), &word(&[5])].concat();
        payloads.push((
            hex::encode(number),
            typed(2, fields(CHAIN, &to(), 0, &data)),
        ));
    }
    deny(rig, payloads)
}

fn calls_in_calls(rig: &mut Rig, _: &Template) -> Result<String> {
    deny(
        rig,
        calls_of(&[
            "multicall(bytes[])",
            "multicall(uint256,bytes[])",
            "execute(bytes,bytes[],uint256)",
            "execute(address,uint256,bytes)",
            "executeBatch(address[],uint256[],bytes[])",
            "aggregate((address,bytes)[])",
            "aggregate3((address,bool,bytes)[])",
            "tryAggregate(bool,(address,bytes)[])",
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            "handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address)",
            "exec(address,uint256,bytes)",
            "functionCallWithValue(address,bytes,uint256)",
        ]),
    )
}

fn delegations(rig: &mut Rig, _: &Template) -> Result<String> {
    let authority = Rlp::List(vec![
        Rlp::number(CHAIN),
        Rlp::Bytes(vec![0xbb; 20]),
        Rlp::number(0),
        Rlp::number(0),
        Rlp::number(1),
        Rlp::number(1),
    ]);
    let tuple = Rlp::List(vec![
        Rlp::number(CHAIN),
        Rlp::Bytes(vec![0xbb; 20]),
        Rlp::number(0),
    ]);
    let mut payloads = Vec::new();
    for list in [vec![], vec![authority.clone()], vec![authority; 50]] {
        let mut all = honest();
        all.push(Rlp::List(list));
        payloads.push(("of type 4".to_owned(), typed(4, all.clone())));
        payloads.push(("under type 2".to_owned(), typed(2, all)));
    }
    let message = [&[5][..], &tuple.encode()].concat();
    let digest = keccak(&message).to_vec();
    payloads.push(("the authorisation's own bytes".to_owned(), message.clone()));
    payloads.push(("its hash".to_owned(), digest.clone()));
    payloads.push((
        "its hash in text".to_owned(),
        hex::encode(&digest).into_bytes(),
    ));
    payloads.push((
        "as a personal message".to_owned(),
        [&b"\x19Ethereum Signed Message:\n32"[..], &digest].concat(),
    ));
    payloads.push((
        "behind typed data's prefix".to_owned(),
        [&[0x19, 1][..], &digest, &digest].concat(),
    ));
    payloads.push((
        "as call data".to_owned(),
        typed(2, fields(CHAIN, &to(), 0, &message)),
    ));
    payloads.push((
        "as an access list".to_owned(),
        typed(2, with(8, Rlp::List(vec![tuple]))),
    ));
    deny(rig, payloads)
}

/// Bodies and bytes of typed data: there is no door for it, so every one is refused whole.
fn no_such_body(rig: &mut Rig, bodies: &[serde_json::Value]) -> Result<usize> {
    let mut attempts = Vec::new();
    for body in bodies {
        for path in ["/v1/transactions", "/v1/messages"] {
            let transfer = rig.to_evm(VALUE);
            let text = body.to_string();
            attempts.push((
                text.clone(),
                SpendRequest {
                    path: path.to_owned(),
                    body: text.clone().into_bytes(),
                    unsigned: text.into_bytes(),
                    ..rig.invented(&transfer)?
                },
            ));
        }
    }
    rig.refused(
        &attempts,
        &[
            Code::BodyMalformed,
            Code::BodyTooLarge,
            Code::TransactionUndecodable,
        ],
    )?;
    Ok(attempts.len())
}

fn typed_data(rig: &mut Rig, _: &Template) -> Result<String> {
    let domain = json!({"name": "Token", "version": "1", "chainId": 31_337, "verifyingContract": "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"});
    let mut bodies = Vec::new();
    for (types, kind) in [
        (json!({}), "Unknown"),
        (json!({"Mail": [{"name": "to", "type": "Mail"}]}), "Mail"),
        (
            json!({"A": [{"name": "b", "type": "B"}], "B": [{"name": "a", "type": "A[]"}]}),
            "A",
        ),
        (
            json!({"TransferWithAuthorization": [{"name": "to", "type": "string"}]}),
            "TransferWithAuthorization",
        ),
        (
            json!({"EIP712Domain": [], "Permit": [{"name": "spender", "type": "address"}]}),
            "Permit",
        ),
    ] {
        for domain in [
            domain.clone(),
            json!({}),
            json!({"chainId": "31337"}),
            json!({"chainId": 1}),
        ] {
            bodies.push(
                json!({"types": types, "primaryType": kind, "domain": domain, "message": {}}),
            );
        }
    }
    bodies.push(json!({"typed_data": vec![0; 10_000]}));
    let count = no_such_body(rig, &bodies)?;
    let domain_hash = keccak(domain.to_string().as_bytes());
    let said = deny(
        rig,
        vec![
            (
                "hashed".to_owned(),
                [&[0x19, 1][..], &domain_hash, &domain_hash].concat(),
            ),
            ("its digest".to_owned(), keccak(&domain_hash).to_vec()),
            (
                "as call data".to_owned(),
                typed(2, fields(CHAIN, &to(), 0, domain.to_string().as_bytes())),
            ),
        ],
    )?;
    Ok(format!("{count} bodies refused; {said}"))
}

fn authorisations(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut payloads = calls_of(&[
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
        "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
        "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)",
    ]);
    let mut bodies = Vec::new();
    for valid_before in [
        json!(0),
        json!(u64::MAX),
        json!("115792089237316195423570985008687907853269984665640564039457584007913129639935"),
    ] {
        for primary in [
            "TransferWithAuthorization",
            "ReceiveWithAuthorization",
            "CancelAuthorization",
        ] {
            bodies.push(json!({"primaryType": primary, "message": {"from": rig.cast.evm.account, "to": EVM_TO, "value": "5", "validAfter": 0, "validBefore": valid_before, "nonce": "0x00"}}));
        }
    }
    let kind = keccak(b"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)");
    let structure = [
        &kind[..],
        &word(&account_bytes(rig.cast.evm.account)),
        &word(&to()),
        &word(&[5]),
        &word(&[]),
        &[0xff; 32],
        &[0; 32],
    ]
    .concat();
    payloads.push(("the structure".to_owned(), structure.clone()));
    payloads.push((
        "the message".to_owned(),
        [&[0x19, 1][..], &kind, &keccak(&structure)].concat(),
    ));
    let count = no_such_body(rig, &bodies)?;
    let said = deny(rig, payloads)?;
    Ok(format!("{count} bodies refused; {said}"))
}

fn messages(rig: &mut Rig, _: &Template) -> Result<String> {
    let transaction = typed(2, honest());
    let digest = keccak(&transaction).to_vec();
    let personal = |message: &[u8]| {
        [
            format!("\x19Ethereum Signed Message:\n{}", message.len()).as_bytes(),
            message,
        ]
        .concat()
    };
    let payloads = vec![
        ("a digest".to_owned(), digest.clone()),
        ("a digest as a message".to_owned(), personal(&digest)),
        (
            "a digest's text as a message".to_owned(),
            personal(hex::encode(&digest).as_bytes()),
        ),
        (
            "the text of its text".to_owned(),
            hex::encode(hex::encode(&digest)).into_bytes(),
        ),
        (
            "a transaction as a message".to_owned(),
            personal(&transaction),
        ),
        (
            "a prefix inside".to_owned(),
            personal(&[&[0x19, 1][..], &digest, &digest].concat()),
        ),
        (
            "an intended validator".to_owned(),
            [&[0x19, 0][..], &[0xaa; 20], &digest].concat(),
        ),
        (
            "a login".to_owned(),
            personal(b"example.com wants you to sign in with your Ethereum account:"),
        ),
        (
            "an owner's approval".to_owned(),
            personal(b"WAIaaS ADOPT POLICY"),
        ),
    ];
    let bodies = [
        json!({"method": "personal_sign", "params": [hex::encode(&digest)]}),
        json!({"method": "eth_sign", "params": [hex::encode(&digest)]}),
        json!({"method": "eth_signTransaction", "params": [hex::encode(&transaction)]}),
        json!({"message": "hello"}),
    ];
    let count = no_such_body(rig, &bodies)?;
    let said = deny(rig, payloads)?;
    Ok(format!("{count} bodies refused; {said}"))
}

fn access_lists(rig: &mut Rig, _: &Template) -> Result<String> {
    let entry = |keys: usize| {
        Rlp::List(vec![
            Rlp::Bytes(vec![0xaa; 20]),
            Rlp::List(vec![Rlp::Bytes(vec![1; 32]); keys]),
        ])
    };
    let mut payloads = Vec::new();
    for (entries, keys) in [
        (1, 0),
        (1, 1),
        (1, 100),
        (2, 2),
        (100, 1),
        (2500, 0),
        (10_000, 0),
    ] {
        payloads.push((
            format!("{entries} entries of {keys} keys"),
            typed(2, with(8, Rlp::List(vec![entry(keys); entries]))),
        ));
    }
    for list in [
        Rlp::List(vec![Rlp::List(vec![])]),
        Rlp::List(vec![Rlp::Bytes(vec![1])]),
        Rlp::Bytes(vec![]),
        Rlp::Bytes(vec![1]),
    ] {
        payloads.push((format!("{list:?}"), typed(2, with(8, list))));
    }
    deny(rig, payloads)
}

fn signatures(rig: &mut Rig, _: &Template) -> Result<String> {
    // Many signatures over many digests: `checks` verifies each one (O10), low s and parity included.
    let mut odd = 0;
    let count = 300;
    let mut list = Vec::new();
    for number in 0..count {
        let transfer = rig.to_evm(1 + number);
        list.push(rig.invented(&transfer)?);
    }
    for answer in rig.send_all(&list)? {
        let raw = answer?.raw;
        let unsigned = crate::bytes::verified(&raw, &account_bytes(rig.cast.evm.account))?;
        odd += usize::from(unsigned.len() % 2 == 1);
        // The other half of the curve's order, and the other parity, do not verify any more.
        let mut other = raw.clone();
        let place = other.len() - 33;
        if let Some(byte) = other.get_mut(place + 10) {
            *byte ^= 1;
        }
        ensure!(
            crate::bytes::verified(&other, &account_bytes(rig.cast.evm.account)).is_err(),
            "a changed signature verifies"
        );
    }
    Ok(format!(
        "{count} signatures: low s, right parity, the wallet's own ({odd} of odd length)"
    ))
}

fn nonces(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut payloads = Vec::new();
    for nonce in [
        1,
        2,
        3,
        9,
        255,
        256,
        1 << 32,
        u128::from(u64::MAX) - 1,
        u128::from(u64::MAX),
        u128::from(u64::MAX) + 1,
        u128::MAX,
    ] {
        payloads.push((
            format!("nonce {nonce}"),
            typed(2, with(1, Rlp::number(nonce))),
        ));
    }
    for raw in [vec![0], vec![0x81, 0], vec![0x82, 0, 1], vec![0xc0]] {
        payloads.push((format!("nonce {raw:?}"), typed(2, with(1, Rlp::Raw(raw)))));
    }
    deny(rig, payloads)
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
