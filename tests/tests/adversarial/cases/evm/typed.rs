//! Delegations, typed data, authorisations, personal messages (E11 to E15).

use anyhow::{Result, bail};
use serde_json::json;
use waiaas_client::{ClientError, SpendRequest};
use waiaas_shared::denial::Code;
use waiaas_tests::stage::{EVM, EVM_TO};

use super::{CHAIN, VALUE, authorized, calls_of, deny, honest, to, with, word};
use crate::bytes::{Rlp, fields, keccak, typed};
use crate::calculator::account_bytes;
use crate::cases::{Case, case, logins};
use crate::rig::Rig;
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("E11", delegations),
    case("E12", typed_data),
    case("E13", authorisations),
    case("E15", messages),
];

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
    let texts: Vec<_> = bodies.iter().map(ToString::to_string).collect();
    no_such_text(rig, &texts)
}

fn no_such_text(rig: &mut Rig, texts: &[String]) -> Result<usize> {
    let mut attempts = Vec::new();
    for text in texts {
        for path in ["/v1/transactions", "/v1/messages"] {
            let transfer = rig.to_evm(VALUE);
            attempts.push((
                text.clone(),
                SpendRequest {
                    path: path.to_owned(),
                    body: text.clone().into_bytes(),
                    unsigned: text.clone().into_bytes(),
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
            Code::TypedDataUnsupported,
            Code::TransactionUndecodable,
        ],
    )?;
    Ok(attempts.len())
}

/// An array of a million is two million bytes, and no frame that is read: the connection ends, and the next serves.
fn a_million(rig: &mut Rig) -> Result<usize> {
    let body = json!({"typed_data": vec![0; 1_000_000]}).to_string();
    for path in ["/v1/transactions", "/v1/messages"] {
        let transfer = rig.to_evm(VALUE);
        let request = SpendRequest {
            path: path.to_owned(),
            body: body.clone().into_bytes(),
            ..rig.invented(&transfer)?
        };
        match rig.send(&request) {
            Ok(_) => bail!("an array of a million was signed for"),
            Err(ClientError::Denied(denial)) => bail!("it was read: {denial:?}"),
            Err(_) => rig.reconnect()?,
        }
    }
    Ok(2)
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
    // As long as a body may be; longer; and beyond what a frame holds.
    for length in [10_000, 32_700, 33_000, 100_000] {
        bodies.push(json!({"typed_data": vec![0; length]}));
    }
    let mut count = no_such_body(rig, &bodies)?;
    count += a_million(rig)?;
    // What no value can hold: keys twice, one inside the honest body, nesting without end, numbers that
    // are none.
    let transfer = rig.to_evm(VALUE);
    let honest = String::from_utf8(rig.invented(&transfer)?.body)?;
    let texts: Vec<String> = [
        r#"{"primaryType":"Mail","primaryType":"Permit"}"#.to_owned(),
        r#"{"domain":{"chainId":1,"chainId":31337}}"#.to_owned(),
        r#"{"message":{"value":1e400}}"#.to_owned(),
        r#"{"message":{"value":0x10}}"#.to_owned(),
        r#"{"message":"\ud800"}"#.to_owned(),
        honest.replacen('{', r#"{"typed_data":{},"#, 1),
        honest.replacen('{', r#"{"amount_base":"1","#, 1),
        format!("{honest}{honest}"),
        format!("{}{}", "[".repeat(5000), "]".repeat(5000)),
        format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000)),
    ]
    .into();
    count += no_such_text(rig, &texts)?;
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

fn authorisations(rig: &mut Rig, template: &Template) -> Result<String> {
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
    let by_policy = authorized::by_policy(template)?;
    Ok(format!("{count} bodies refused; {said}; {by_policy}"))
}

fn messages(rig: &mut Rig, template: &Template) -> Result<String> {
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
    // The door of logins takes fields: none of them carries a text of the gateway's to a key.
    let text = hex::encode(&digest);
    let invented: Vec<String> = [
        ("text", json!(text)),
        ("message", json!(text)),
        ("payload", json!(text)),
        ("prefix", json!("")),
        ("domain", json!(text)),
        ("domain", json!("user@app.example.org")),
        ("domain", json!("WAIaaS ADOPT POLICY")),
        ("statement", json!(text)),
        ("statement", json!("a\nNonce: 00000000")),
        ("statement", json!("\u{19}\u{1}")),
        ("nonce", json!(text)),
        ("uri", json!(format!("https://app.example.org/{text}"))),
        ("uri", json!("https://app.example.org\nVersion: 2")),
        ("resources", json!([format!("data:{text}")])),
        ("address", json!(EVM_TO)),
        ("issued_at", json!("1970-01-01T00:00:00.000Z")),
    ]
    .map(|(field, value)| rig.login(EVM, field, value))
    .into();
    let refused_logins = rig.no_login(&invented)?;
    let (refused, signed) =
        Template::aside(template.on_test_networks()?.rig()?, logins::at_a_site)?;
    Ok(format!(
        "{count} bodies and {refused_logins} logins refused, and {refused} at a site that policy names, where {signed} are signed; {said}"
    ))
}
