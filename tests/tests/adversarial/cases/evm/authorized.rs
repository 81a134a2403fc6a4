//! Transfers by authorization where policy has a token for them (E13): a gateway that speaks for a bearer session
//! gets what the token's limits let pass, each for minutes, once, under the signer's own random number; nothing of
//! what is signed is its to say.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::{SessionRequest, SpendRequest};
use waiaas_shared::denial::Code;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, Operation, SessionGrant};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT, solana};

use super::{CHAIN, TOKEN};
use crate::bytes::{fields, typed};
use crate::calculator::account_bytes;
use crate::rig::{AUTHORIZATION, Rig, refusal};
use crate::runner::Template;
use crate::stand::{AUTHORIZED_FOR, MAIN, TOKEN_NAME, WINDOW, token};

const AMOUNT: u128 = 700;

fn address(bytes: [u8; 20]) -> String {
    waiaas_shared::address::EvmAddress::from_bytes(bytes).to_string()
}

/// Bodies with one thing changed, and what must come of each.
fn bodies(rig: &Rig) -> Vec<(&'static str, Value, &'static [Code])> {
    const MALFORMED: &[Code] = &[Code::BodyMalformed];
    const TYPED: &[Code] = &[Code::TypedDataUnsupported];
    const RECIPIENT: &[Code] = &[Code::AuthorizationRecipient];
    const AMOUNT_INVALID: &[Code] = &[Code::AmountInvalid, Code::BodyMalformed];
    const UNLISTED: &[Code] = &[Code::AuthorizationNotListed, Code::AssetNotListed];
    const STRANGER: &[Code] = &[Code::RecipientNotListed];
    const LONG: &[Code] = &[Code::AuthorizationValidity];
    let own = rig.cast.evm.account.to_string();
    let other = rig.cast.other_evm;
    let thief = address([0xbb; 20]);
    let far = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    vec![
        // What is the signer's to say, or the policy's.
        ("nonce", json!(format!("0x{}", "00".repeat(32))), MALFORMED),
        ("salt", json!("0x00"), MALFORMED),
        ("valid_after", json!(0), MALFORMED),
        ("valid_before", json!(u64::MAX), MALFORMED),
        ("validBefore", json!(far), MALFORMED),
        ("validAfter", json!(far), MALFORMED),
        (
            "domain",
            json!({"name": TOKEN_NAME, "version": "1"}),
            MALFORMED,
        ),
        ("name", json!("USD Coin"), MALFORMED),
        ("version", json!("2"), MALFORMED),
        ("chain_id", json!(1), MALFORMED),
        ("chainId", json!(1), MALFORMED),
        ("verifying_contract", json!(thief), MALFORMED),
        ("verifyingContract", json!(thief), MALFORMED),
        ("from", json!(own), MALFORMED),
        ("payee", json!(thief), MALFORMED),
        ("primaryType", json!("ReceiveWithAuthorization"), TYPED),
        ("primary_type", json!("CancelAuthorization"), TYPED),
        ("types", json!({}), TYPED),
        ("message", json!({"to": thief}), MALFORMED),
        ("digest", json!("00".repeat(32)), MALFORMED),
        ("payload", json!("1901"), MALFORMED),
        ("signature", json!("00".repeat(65)), MALFORMED),
        ("tier", json!("INSTANT"), MALFORMED),
        ("submit", json!(true), MALFORMED),
        ("replaces", json!("x"), MALFORMED),
        ("data", json!("0x00"), MALFORMED),
        ("value", json!("5"), MALFORMED),
        // How long it holds.
        ("expires_in", json!(0), MALFORMED),
        ("expires_in", json!(-1), MALFORMED),
        ("expires_in", json!(1.5), MALFORMED),
        ("expires_in", json!("60"), MALFORMED),
        ("expires_in", json!(AUTHORIZED_FOR + 1), LONG),
        ("expires_in", json!(u64::MAX), LONG),
        ("expires_in", json!(u64::MAX / 1000 + 1), LONG),
        // Which token, on which chain.
        ("asset", json!(EVM.native_asset()), UNLISTED),
        ("asset", json!(format!("{EVM}/erc20:{thief}")), UNLISTED),
        ("asset", json!(crate::stand::mint()), MALFORMED),
        (
            "asset",
            json!(format!("{MAIN}/erc20:{}", address([0xaa; 20]))),
            MALFORMED,
        ),
        ("network", json!(MAIN), MALFORMED),
        ("network", json!(solana()), MALFORMED),
        ("network", json!("eip155:0"), MALFORMED),
        // To whom.
        ("to", json!(address([0; 20])), RECIPIENT),
        ("to", json!(own), RECIPIENT),
        ("to", json!(address([0xaa; 20])), RECIPIENT),
        (
            "to",
            json!(address([0; 20]).replacen("0x", "0X", 1)),
            &[Code::BodyMalformed, Code::RecipientNotListed],
        ),
        ("to", json!(thief), STRANGER),
        ("to", json!(other.account), STRANGER),
        ("to", json!("@nobody"), STRANGER),
        ("to", json!([EVM_TO, thief]), MALFORMED),
        // How much.
        ("amount_base", json!("0"), AMOUNT_INVALID),
        ("amount_base", json!("-5"), AMOUNT_INVALID),
        ("amount_base", json!("0x5"), AMOUNT_INVALID),
        ("amount_base", json!("05"), AMOUNT_INVALID),
        ("amount_base", json!(5), AMOUNT_INVALID),
        ("amount_base", json!(far), AMOUNT_INVALID),
        ("amount", json!("1"), AMOUNT_INVALID),
        (
            "amount_base",
            json!((LIMIT + 1).to_string()),
            &[
                Code::SessionPerTransaction,
                Code::PerTransactionLimit,
                Code::TierNotAvailable,
            ],
        ),
        // Whose.
        ("wallet", json!(other.wallet), &[Code::SessionWallet]),
        (
            "wallet",
            json!(rig.cast.solana.wallet),
            &[Code::NetworkNotBound],
        ),
        ("signer", json!(other.wallet), MALFORMED),
    ]
}

/// Everything that an authorization could be bent to.
pub(super) fn by_policy(template: &Template) -> Result<String> {
    Template::aside(template.rig()?, |rig| {
        let refused = bent(rig)?;
        let (signed, lost) = drained(rig)?;
        let stopped = stopped(rig)?;
        Ok(format!(
            "{refused} bent, {signed} signed until the limit, {lost} asked for after, {stopped} while stopped"
        ))
    })
}

fn bent(rig: &mut Rig) -> Result<usize> {
    let mut refused = 0;
    for (field, value, codes) in bodies(rig) {
        let body = rig.authorization(AMOUNT, &[(field, value)])?;
        let key = rig.fresh_key();
        let answer = rig.authorize(&rig.asks_to_authorize(&body, &key));
        let code = refusal(answer).with_context(|| body.clone())?;
        ensure!(codes.contains(&code), "{body}: {code}");
        refused += 1;
    }
    // Sessions that the gateway cannot speak for, and one without the operation.
    let body = rig.authorization(AMOUNT, &[])?;
    let agents = [rig.cast.agent.session, rig.cast.other.session];
    for session in agents {
        let asked = SessionRequest {
            session,
            ..rig.asks_to_authorize(&body, "agents")
        };
        let code = refusal(rig.authorize(&asked))?;
        ensure!(code == Code::RequestSignatureMissing, "{code}");
        refused += 1;
    }
    let secret = waiaas_shared::digest::hash(
        waiaas_shared::digest::Domain::SessionSecret,
        &[b"transfers only"],
    );
    let session = rig.granted(SessionGrant {
        credential: Credential::Bearer(secret),
        operations: Some(vec![Operation::NativeTransfer]),
        ..grant(&key(22), &[rig.cast.evm], &[EVM], LIMIT, u128::MAX)
    })?;
    let asked = SessionRequest {
        session,
        ..rig.asks_to_authorize(&body, "transfers")
    };
    let code = refusal(rig.authorize(&asked))?;
    let codes = [Code::SessionOperation, Code::SessionAsset];
    ensure!(codes.contains(&code), "{code}");
    // An agent's own signature for another route is none for this one, and the reverse.
    let agent = rig.agent();
    let elsewhere = rig.asks_to_authorize(&body, "route");
    let signed = agent.sign(SpendRequest {
        session: agent.session,
        method: elsewhere.method.clone(),
        path: "/v1/transactions".to_owned(),
        query: elsewhere.query.clone(),
        idempotency_key: elsewhere.idempotency_key.clone(),
        body: elsewhere.body.clone(),
        signature_input: String::new(),
        signature: String::new(),
        unsigned: Vec::new(),
    })?;
    for path in ["/v1/transactions", AUTHORIZATION] {
        let asked = SessionRequest {
            session: agent.session,
            path: path.to_owned(),
            signature_input: signed.signature_input.clone(),
            signature: signed.signature.clone(),
            ..elsewhere.clone()
        };
        let code = refusal(rig.authorize(&asked))?;
        ensure!(code == Code::RequestSignatureInvalid, "{path}: {code}");
        refused += 1;
    }
    Ok(refused + 1)
}

/// Replays, other bodies under one name, and as many as the hour lets.
fn drained(rig: &mut Rig) -> Result<(usize, usize)> {
    let body = rig.authorization(AMOUNT, &[])?;
    let key = rig.fresh_key();
    let asked = rig.asks_to_authorize(&body, &key);
    let first = rig.authorize(&asked).context("an honest authorization")?;
    let said = &first.authorization;
    let whom = (account_bytes(rig.cast.evm.account), said.from.as_bytes());
    ensure!(
        whom.0 == whom.1
            && said.asset == token()
            && said.value.base_units() == AMOUNT
            && said.to.to_string() == EVM_TO
            && (said.domain.name.as_str(), said.domain.version.as_str()) == (TOKEN_NAME, "1"),
        "{said:?}"
    );
    for _ in 0..20 {
        let again = rig.authorize(&asked)?;
        ensure!(
            again.replay && again.signature == first.signature && again.sequence == first.sequence,
            "two authorizations for one request"
        );
    }
    for changed in [
        rig.authorization(AMOUNT + 1, &[])?,
        rig.authorization(AMOUNT, &[("expires_in", json!(60))])?,
        body.replacen(' ', "", 1) + " ",
    ] {
        let answer = rig.authorize(&rig.asks_to_authorize(&changed, &key));
        let code = refusal(answer)?;
        ensure!(code == Code::IdempotencyConflict, "{changed}: {code}");
    }
    // Its name is no payment's, and what was signed is no transaction.
    let transfer = rig.to_evm(5);
    let mut paying = rig.invented(&transfer)?;
    paying.idempotency_key.clone_from(&key);
    rig.refuse("under its name", paying, &[Code::IdempotencyConflict])?;
    let payload = crate::calculator::authorized::by_hand(said)?.payload();
    for bytes in [
        payload.clone(),
        payload.get(2..).unwrap_or_default().to_vec(),
        typed(2, fields(CHAIN, &TOKEN, 0, &payload)),
    ] {
        let mut paying = rig.invented(&transfer)?;
        paying.unsigned = bytes;
        let codes = [Code::TransactionUndecodable, Code::BodyMismatch];
        rig.refuse("as a transaction", paying, &codes)?;
    }
    // The same request after an end of the signer.
    rig.crash();
    rig.resume()?;
    let again = rig.authorize(&asked)?;
    ensure!(
        again.replay && again.signature == first.signature,
        "another after a start"
    );
    // As many as the hour lets, each under a random number of its own (O2 and O4 count them).
    let most = LIMIT;
    let (mut signed, mut lost) = (1, 0);
    for _ in 0..2 * WINDOW / most {
        let body = rig.authorization(most, &[])?;
        let key = rig.fresh_key();
        match rig.authorize(&rig.asks_to_authorize(&body, &key)) {
            Ok(one) => {
                ensure!(one.tier <= Tier::Notify, "{:?}", one.tier);
                signed += 1;
            }
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                let codes = [Code::HourLimit, Code::OutstandingCap, Code::DayLimit];
                ensure!(codes.contains(&code), "{code}");
                lost += 1;
            }
        }
    }
    let fits = usize::try_from((WINDOW - AMOUNT) / most)? + 1;
    ensure!(signed == fits && lost > 0, "{signed} of {fits}");
    // What an owner says of the chain's nonces gives no budget back.
    Ok((signed, lost))
}

/// Stops hold for what was signed before as well; a policy that takes the leave back does.
fn stopped(rig: &mut Rig) -> Result<usize> {
    let body = rig.authorization(1, &[])?;
    let asked = rig.asks_to_authorize(&body, "before");
    rig.authorize(&asked).context("a small one fits")?;
    let mut refused = 0;
    let mut both = |rig: &mut Rig, code: Code| -> Result<()> {
        let key = rig.fresh_key();
        for asked in [asked.clone(), rig.asks_to_authorize(&body, &key)] {
            let said = refusal(rig.authorize(&asked))?;
            ensure!(said == code, "{said}, not {code}");
            refused += 1;
        }
        Ok(())
    };
    // A shorter life holds at once, for what was signed as well; then none at all.
    let shorter = rig.next_policy(|document| {
        for rule in &mut document.assets {
            if let Some(rule) = &mut rule.authorization {
                rule.valid_for = Millis::from_secs(1);
            }
        }
    })?;
    rig.adopt(&shorter)?;
    let long = refusal(rig.authorize(&asked))?;
    ensure!(long == Code::AuthorizationValidity, "{long}");
    let none = rig.next_policy(|document| {
        for rule in &mut document.assets {
            rule.authorization = None;
        }
    })?;
    rig.adopt(&none)?;
    both(rig, Code::AuthorizationNotListed)?;
    let wallet = rig.cast.evm.wallet;
    rig.block(rig.gateway().pause(Some(wallet)))?;
    rig.record.accepted += 1;
    both(rig, Code::WalletPaused)?;
    rig.kill()?;
    // A kill ends the session too; which is said first is the signer's.
    let key = rig.fresh_key();
    for asked in [asked.clone(), rig.asks_to_authorize(&body, &key)] {
        let code = refusal(rig.authorize(&asked))?;
        let codes = [Code::Killed, Code::SessionRevoked, Code::Locked];
        ensure!(codes.contains(&code), "{code}");
    }
    rig.use_up("killed");
    Ok(refused + 3)
}
