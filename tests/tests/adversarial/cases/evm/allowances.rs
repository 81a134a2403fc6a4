//! Leave for somebody to take tokens later, where it is asked for (E08): exact, of a listed spender, counted in full,
//! and never without the owner; in no other form and by no other door. The honest one is signed and counted by the
//! checks.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::Wait;
use waiaas_shared::policy::document::{Accepts, ArgumentRule, CallFunction, CallRule};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT};

use super::{CHAIN, TOKEN, brought, selector, sound_call, to, word};
use crate::bytes::{Rlp, fields, typed};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{WINDOW, mint, token};

const AMOUNT: u128 = 700;
const THIEF: [u8; 20] = [0xbb; 20];

/// Every other way to give leave, as contracts name it.
const OTHERS: [&str; 9] = [
    "increaseAllowance(address,uint256)",
    "increaseApproval(address,uint256)",
    "decreaseAllowance(address,uint256)",
    "setApprovalForAll(address,bool)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "approve(address,address,uint160,uint48)",
    "transferFrom(address,address,uint256)",
    "approveAndCall(address,uint256,bytes)",
    "authorizeOperator(address)",
];

fn data(signature: &str, spender: &[u8], amount: &[u8]) -> Vec<u8> {
    [selector(signature), word(spender), word(amount)].concat()
}

fn call(data: &[u8]) -> Vec<u8> {
    typed(2, fields(CHAIN, &TOKEN, 0, data))
}

fn approves(spender: &[u8], amount: u128) -> Vec<u8> {
    let amount = amount.to_be_bytes();
    call(&data("approve(address,uint256)", spender, &amount))
}

/// The bearer session asks that a spender may take so much later, with these bytes and these fields changed.
fn asks(
    rig: &mut Rig,
    amount: u128,
    unsigned: Vec<u8>,
    changed: &[(&str, Value)],
) -> Result<SpendRequest> {
    let transfer = rig.to_evm(1);
    let request = rig.invented(&transfer)?;
    let mut body = json!({
        "type": "approve",
        "signer": rig.cast.agent.signer,
        "wallet": rig.cast.evm.wallet,
        "network": EVM,
        "asset": token(),
        "spender": EVM_TO,
        "amount_base": amount.to_string(),
        "submit": false,
    });
    let known = body.as_object_mut().context("an object")?;
    for (field, value) in changed {
        if value.is_null() {
            known.remove(*field);
        } else {
            known.insert((*field).to_owned(), value.clone());
        }
    }
    Ok(SpendRequest {
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}

fn exact(rig: &mut Rig, amount: u128) -> Result<SpendRequest> {
    asks(rig, amount, approves(&to(), amount), &[])
}

/// It waits for the owner, whatever it is worth.
fn waits(rig: &mut Rig, request: &SpendRequest) -> Result<TransactionId> {
    let view = rig.wait(request)?;
    let asks = matches!(view.intent.wait, Wait::Approval { .. });
    ensure!(asks, "it waits for {:?}", view.intent.wait);
    Ok(view.intent.transaction)
}

/// Asked for, and to be signed by nobody's leave but the owner's; then drained; beside everything that is refused.
pub(super) fn asked_for(template: &Template) -> Result<String> {
    Template::aside(template.rig()?, |rig| {
        let refused = refused(rig)? + by_policy(rig)? + brought_ones(rig)?;
        let released = waited(rig)?;
        let (signed, drained) = drained(rig)?;
        Ok(format!(
            "{refused} asked for and refused, {released} at the release, {signed} signed until the hour's limit, {drained} after"
        ))
    })
}

/// Bodies and bytes of which none may even wait.
fn refused(rig: &mut Rig) -> Result<usize> {
    const UNLIMITED: &[Code] = &[Code::ApprovalUnlimited];
    const MALFORMED: &[Code] = &[Code::BodyMalformed, Code::AmountInvalid];
    const TYPED: &[Code] = &[Code::TypedDataUnsupported];
    const UNLISTED: &[Code] = &[Code::AssetNotListed, Code::SessionAsset];
    // A wallet that may not be named, the token itself, nobody: no bytes of that are read.
    const NOBODY: &[Code] = &[Code::TransactionUndecodable, Code::RecipientNotListed];
    let address = |bytes| EvmAddress::from_bytes(bytes).to_string();
    let (thief, own) = (address(THIEF), rig.cast.evm.account.to_string());
    let all = [0xff; 32];
    let bodies: Vec<(&str, Value, &[Code])> = vec![
        ("spender", json!(thief), &[Code::RecipientNotListed]),
        ("spender", json!(own), NOBODY),
        ("spender", json!(address(TOKEN)), NOBODY),
        ("spender", json!(address([0; 20])), NOBODY),
        ("spender", json!("@nobody"), &[Code::RecipientNotListed]),
        ("spender", json!([EVM_TO]), MALFORMED),
        ("spender", Value::Null, MALFORMED),
        ("to", json!(EVM_TO), MALFORMED),
        ("amount_base", json!("-1"), MALFORMED),
        ("amount_base", json!("0x5"), MALFORMED),
        ("amount_base", json!(700), MALFORMED),
        ("amount_base", json!(u128::MAX.to_string()), UNLIMITED),
        (
            "amount_base",
            json!((u128::MAX >> 32).to_string()),
            UNLIMITED,
        ),
        (
            "amount_base",
            json!("115792089237316195423570985008687907853269984665640564039457584007913129639935"),
            UNLIMITED,
        ),
        (
            "amount_base",
            json!("340282366920938463463374607431768211456"),
            UNLIMITED,
        ),
        ("asset", Value::Null, MALFORMED),
        (
            "asset",
            json!(EVM.native_asset()),
            &[
                Code::TransactionUndecodable,
                Code::BodyMismatch,
                Code::BodyMalformed,
            ],
        ),
        ("asset", json!(mint()), MALFORMED),
        ("asset", json!(format!("{EVM}/erc20:{thief}")), UNLISTED),
        ("deadline", json!(u64::MAX), MALFORMED),
        ("expires_in", json!(60), MALFORMED),
        ("allowance", json!("all"), MALFORMED),
        (
            "transfers",
            json!([{"to": EVM_TO, "amount_base": "1"}]),
            MALFORMED,
        ),
        ("type", json!("increaseAllowance"), MALFORMED),
        ("type", json!("increase_allowance"), MALFORMED),
        ("type", json!("setApprovalForAll"), MALFORMED),
        ("type", json!("permit"), TYPED),
        ("type", json!("Permit2"), TYPED),
        ("type", json!("PermitSingle"), TYPED),
        ("primaryType", json!("Permit"), TYPED),
        ("typed_data", json!({"primaryType": "PermitBatch"}), TYPED),
    ];
    let (mut tried, mut wrong) = (0, Vec::new());
    for (field, value, codes) in bodies {
        let named = value.as_str().unwrap_or_default();
        let spender = match named.parse::<Account>() {
            Ok(Account::Evm(spender)) if field == "spender" => spender.as_bytes().to_vec(),
            _ => to(),
        };
        // The bytes do what is asked for, as far as any can.
        let data = data("approve(address,uint256)", &spender, &AMOUNT.to_be_bytes());
        let contract = if named.ends_with(&thief) && field == "asset" {
            THIEF
        } else {
            TOKEN
        };
        let unsigned = typed(2, fields(CHAIN, &contract, 0, &data));
        let request = asks(rig, AMOUNT, unsigned, &[(field, value.clone())])?;
        if let Err(error) = rig.refuse(&format!("{field}: {value}"), request, codes) {
            wrong.push(format!("{error:#}"));
        }
        tried += 1;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    // The exact body with bytes that give more, to somebody else, or otherwise.
    let mut attempts = Vec::new();
    for (what, bytes) in spoilt() {
        attempts.push((what, asks(rig, AMOUNT, bytes, &[])?));
    }
    rig.refused(&attempts, &OTHER)?;
    tried += attempts.len();
    let endless = call(&data("approve(address,uint256)", &to(), &all));
    let request = asks(rig, AMOUNT, endless, &[])?;
    rig.refuse("bytes without end", request, UNLIMITED)?;
    // A session whose owner did not name approvals gives no leave.
    let agent = rig.agent();
    let request = exact(rig, AMOUNT)?;
    let signed = agent.sign(SpendRequest {
        session: agent.session,
        ..request
    })?;
    let codes = [Code::SessionOperation, Code::SessionAsset];
    rig.refuse("a session without approvals", signed, &codes)?;
    Ok(tried + 2)
}

const OTHER: [Code; 3] = [
    Code::BodyMismatch,
    Code::TransactionUndecodable,
    Code::ApprovalUnlimited,
];

/// Bytes that are not the exact approval.
fn spoilt() -> Vec<(String, Vec<u8>)> {
    let exact = data("approve(address,uint256)", &to(), &AMOUNT.to_be_bytes());
    let mut payloads = vec![
        ("a unit more".to_owned(), approves(&to(), AMOUNT + 1)),
        ("a unit less".to_owned(), approves(&to(), AMOUNT - 1)),
        ("nothing".to_owned(), approves(&to(), 0)),
        ("another spender".to_owned(), approves(&THIEF, AMOUNT)),
        ("a transfer".to_owned(), call(&sound_call())),
        (
            "a byte behind".to_owned(),
            call(&[&exact[..], &[0]].concat()),
        ),
        (
            "coins with it".to_owned(),
            typed(2, fields(CHAIN, &TOKEN, 1, &exact)),
        ),
        (
            "of another token".to_owned(),
            typed(2, fields(CHAIN, &THIEF, 0, &exact)),
        ),
    ];
    for signature in OTHERS {
        for amount in [AMOUNT, 1] {
            let data = data(signature, &to(), &amount.to_be_bytes());
            payloads.push((format!("{signature} of {amount}"), call(&data)));
        }
    }
    for place in 0..exact.len() {
        let mut changed = exact.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 0x40;
        }
        payloads.push((format!("byte {place} changed"), call(&changed)));
    }
    payloads
}

/// No document registers another way as a function: neither on the token nor anywhere else.
fn by_policy(rig: &mut Rig) -> Result<usize> {
    let registers = ["approve(address,uint256)", "transfer(address,uint256)"];
    let fixed = OTHERS.iter().copied().chain(registers);
    let mut tried = 0;
    // Texts of a length of their own are no function at all here.
    for signature in fixed.filter(|signature| !signature.contains("bytes)")) {
        for contract in [TOKEN, THIEF] {
            let target = AccountId::new(EVM, Account::Evm(EvmAddress::from_bytes(contract)))?;
            let count = signature.matches(',').count() + 1;
            let argument = ArgumentRule {
                accepts: Accepts::Any,
                spends: None,
            };
            let function = CallFunction {
                signature: signature.parse().context("a function")?,
                arguments: vec![argument; count],
            };
            let document = rig.next_policy(|document| {
                document
                    .calls
                    .push(CallRule::of_function(target, function, Tier::Approval));
            })?;
            let facts = StatementFacts::AdoptPolicy {
                document: document.to_bytes(),
            };
            let code = refusal(rig.draft(&facts)).with_context(|| signature.to_owned())?;
            ensure!(code == Code::PolicyMalformed, "{signature}: {code}");
            tried += 1;
        }
    }
    // Nor is it called without being registered.
    for signature in [
        "increaseAllowance(address,uint256)",
        "approve(address,uint256)",
    ] {
        let changed = [
            ("type", json!("call")),
            ("asset", Value::Null),
            ("spender", Value::Null),
            ("amount_base", Value::Null),
            ("contract", json!(EvmAddress::from_bytes(TOKEN).to_string())),
            ("function", json!(signature)),
            ("args", json!([EVM_TO, "700"])),
        ];
        let bytes = call(&data(signature, &to(), &AMOUNT.to_be_bytes()));
        let request = asks(rig, AMOUNT, bytes, &changed)?;
        let codes = [
            Code::CallNotListed,
            Code::BodyMalformed,
            Code::BodyMismatch,
            Code::TransactionUndecodable,
        ];
        rig.refuse(&format!("{signature} as a call"), request, &codes)?;
        tried += 1;
    }
    Ok(tried)
}

/// What an agent brings is held to the same.
fn brought_ones(rig: &mut Rig) -> Result<usize> {
    let transfer = rig.to_evm(1);
    let signed = rig.pay(&transfer)?;
    let own = crate::calculator::account_bytes(rig.cast.evm.account);
    let last = crate::bytes::read_evm(&crate::bytes::verified(&signed.raw, &own)?)?.nonce;
    let next = last.context("a nonce")? + 1;
    let numbered = |data: &[u8]| {
        let mut list = fields(CHAIN, &TOKEN, 0, data);
        if let Some(field) = list.get_mut(1) {
            *field = Rlp::number(next.into());
        }
        typed(2, list)
    };
    let approve = "approve(address,uint256)";
    let mut attempts = Vec::new();
    for (what, data) in [
        ("without end", data(approve, &to(), &[0xff; 32])),
        ("of 2^128 - 1", data(approve, &to(), &[0xff; 16])),
        ("of 2^96 - 1", data(approve, &to(), &[0xff; 12])),
        ("for a thief", data(approve, &THIEF, &[5])),
    ] {
        let bytes = numbered(&data);
        attempts.push((what.to_owned(), brought::brings(rig, &bytes, &bytes, &[])?));
    }
    for signature in OTHERS {
        let bytes = numbered(&data(signature, &to(), &[5]));
        attempts.push((
            signature.to_owned(),
            brought::brings(rig, &bytes, &bytes, &[])?,
        ));
    }
    let codes = [
        Code::ApprovalUnlimited,
        Code::RecipientNotListed,
        Code::TransactionUndecodable,
    ];
    rig.refused(&attempts, &codes)?;
    // The exact one asks the owner like any other, who says no.
    let bytes = numbered(&data(approve, &to(), &AMOUNT.to_be_bytes()));
    let request = brought::brings(rig, &bytes, &bytes, &[])?;
    let transaction = waits(rig, &request)?;
    rig.reject(transaction)?;
    let codes = [Code::IntentClosed, Code::IntentUnknown];
    let plain = approves(&to(), AMOUNT);
    rig.unreleased("rejected", transaction, &plain, &codes)?;
    Ok(attempts.len() + 1)
}

/// Asked for, approved, signed.
pub(super) fn honest_one(rig: &mut Rig) -> Result<()> {
    let request = exact(rig, AMOUNT)?;
    let transaction = waits(rig, &request)?;
    rig.approve(transaction)?;
    rig.release(transaction, &approves(&to(), AMOUNT))?;
    Ok(())
}

/// One that waited is released as it was, once the owner has approved it, and not otherwise.
fn waited(rig: &mut Rig) -> Result<usize> {
    let asked = exact(rig, AMOUNT)?;
    let transaction = waits(rig, &asked)?;
    let sound = approves(&to(), AMOUNT);
    let codes = [Code::IntentNotApproved];
    rig.unreleased("nobody approved", transaction, &sound, &codes)?;
    crate::cases::mature();
    rig.unreleased("time approves nothing", transaction, &sound, &codes)?;
    rig.approve(transaction)?;
    let mut tried = 2;
    for (what, bytes) in spoilt() {
        rig.unreleased(&what, transaction, &bytes, &OTHER)?;
        tried += 1;
    }
    let endless = call(&data("approve(address,uint256)", &to(), &[0xff; 32]));
    let codes = [Code::ApprovalUnlimited];
    rig.unreleased("without end", transaction, &endless, &codes)?;
    rig.release(transaction, &sound).context("the exact one")?;
    Ok(tried + 1)
}

/// Each counts in full when it is signed, whether anything is ever taken; taking leave back gives no budget back.
fn drained(rig: &mut Rig) -> Result<(usize, usize)> {
    let mut signed = 1;
    let approved = |rig: &mut Rig, amount: u128| -> Result<()> {
        let request = exact(rig, amount)?;
        let transaction = waits(rig, &request)?;
        rig.say_at_home(&StatementFacts::ApprovePayment { transaction })?;
        rig.release(transaction, &approves(&to(), amount))?;
        Ok(())
    };
    for _ in 1..WINDOW / LIMIT {
        approved(rig, LIMIT)?;
        signed += 1;
    }
    // What the first one left of the last.
    approved(rig, LIMIT - AMOUNT)?;
    approved(rig, 0)?;
    signed += 2;
    let codes = [Code::HourLimit, Code::OutstandingCap];
    let request = exact(rig, 1)?;
    rig.refuse("one unit more", request, &codes)?;
    let more = rig.authorization(1, &[])?;
    let key = rig.fresh_key();
    let code = refusal(rig.authorize(&rig.asks_to_authorize(&more, &key)))?;
    ensure!(codes.contains(&code), "an authorization: {code}");
    let changed = [
        ("type", Value::Null),
        ("spender", Value::Null),
        ("to", json!(EVM_TO)),
    ];
    let request = asks(rig, 5, call(&sound_call()), &changed)?;
    rig.refuse("a transfer", request, &codes)?;
    Ok((signed, 3))
}
