//! Sessions, keys and wallets of others (W11, W13, W16, W17).

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_tests::agent::{Agent, key};
use waiaas_tests::stage::{EVM, SOLANA_TO};

use crate::cases::{Case, case};
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("W11", nobodys_sessions),
    case("W13", two_public_keys),
    case("W16", chosen_keys),
    case("W17", crossed_wallets),
];

fn nobodys_sessions(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(5);
    let honest = rig.request(&transfer)?;
    let agent = rig.agent();
    let stranger = Agent {
        key: key(99),
        ..agent.clone()
    };
    // The agent's session without, with a stranger's, and with another session's signature.
    let mut attempts: Vec<(String, SpendRequest)> = vec![
        (
            "no signature".into(),
            SpendRequest {
                signature: String::new(),
                signature_input: String::new(),
                ..honest.clone()
            },
        ),
        ("a stranger's key".into(), stranger.sign(honest.clone())?),
        (
            "the other agent's key".into(),
            Agent {
                key: key(33),
                ..agent.clone()
            }
            .sign(honest.clone())?,
        ),
        (
            "the other session".into(),
            SpendRequest {
                session: rig.cast.other.session,
                ..honest.clone()
            },
        ),
    ];
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
