//! Logins where policy names a site, for a session that the gateway can speak for (parts of E15 and X19): what a
//! key signs there is the signer's own text about that site, of bounded number, and nothing else.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::{ClientError, SessionRequest, SignedLogin};
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::policy::document::SignInRule;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Counts;
use waiaas_shared::session::{Credential, Operation, SessionGrant};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{EVM, LIMIT, solana};

use crate::bytes::keccak;
use crate::calculator::account_bytes;
use crate::rig::{Rig, refusal};

/// As `Rig::login` names it.
const SITE: &str = "app.example.org";
/// Logins of a wallet in a day.
const A_DAY: u32 = 3;

/// The site, and a bearer session that may sign in there with its two wallets.
fn prepare(rig: &mut Rig) -> Result<()> {
    let mut networks = vec![EVM, solana()];
    networks.sort_unstable();
    let with_site = rig.next_policy(|document| {
        document.sign_ins = Some(vec![SignInRule {
            domain: SITE.to_owned(),
            networks: networks.clone(),
            uri: None,
            tier: Tier::Notify,
            counts: Counts {
                day: Some(A_DAY),
                ..Counts::default()
            },
            valid_for: Millis::from_secs(600),
            resources: Vec::new(),
        }]);
    })?;
    rig.adopt(&with_site)?;
    let wallets = [rig.cast.evm, rig.cast.solana];
    let secret = hash(Domain::SessionSecret, &[b"signs in"]);
    rig.cast.bearer = rig.granted(SessionGrant {
        credential: Credential::Bearer(secret),
        operations: Some(vec![Operation::SignIn]),
        ..grant(&key(22), &wallets, &networks, LIMIT, u128::MAX)
    })?;
    Ok(())
}

fn request(rig: &mut Rig, body: &str, key: &str) -> SessionRequest {
    SessionRequest {
        session: rig.cast.bearer,
        method: "POST".to_owned(),
        path: "/v1/messages/sign-in".to_owned(),
        query: "?".to_owned(),
        idempotency_key: key.to_owned(),
        body: body.as_bytes().to_vec(),
        signature_input: String::new(),
        signature: String::new(),
    }
}

fn sign_in(rig: &mut Rig, body: &str, key: &str) -> Result<SignedLogin, ClientError> {
    let asked = request(rig, body, key);
    let gateway = rig.gateway();
    let answer = rig.block(gateway.sign_in(&asked));
    let new = answer.as_ref().is_ok_and(|login| !login.replay);
    rig.record.accepted += u64::from(new);
    answer
}

/// That the signature is the wallet's, by the curve's own library, over bytes that are no transaction and no
/// statement of an owner.
fn judge(rig: &Rig, login: &SignedLogin, network: ChainId) -> Result<()> {
    let text = login.text.as_bytes();
    ensure!(
        login
            .text
            .starts_with(&format!("{SITE} wants you to sign in")),
        "{}",
        login.text
    );
    let account = match network {
        ChainId::Evm(_) => {
            let front = format!("\x19Ethereum Signed Message:\n{}", text.len());
            ensure!(
                login.payload == [front.as_bytes(), text].concat(),
                "another payload"
            );
            let (r_and_s, v) = login.signature.split_at_checked(64).context("65 bytes")?;
            let signature = k256::ecdsa::Signature::from_slice(r_and_s)?;
            ensure!(signature.normalize_s() == signature, "a high s");
            let odd = v == [28] || v == [1];
            let recovery = k256::ecdsa::RecoveryId::new(odd, false);
            let key = k256::ecdsa::VerifyingKey::recover_from_prehash(
                &keccak(&login.payload),
                &signature,
                recovery,
            )?;
            let point = key.to_sec1_point(false);
            let hash = keccak(point.as_bytes().get(1..).context("a point")?);
            ensure!(
                hash.get(12..) == Some(&account_bytes(rig.cast.evm.account)[..]),
                "another key"
            );
            rig.cast.evm.account
        }
        ChainId::Solana(_) => {
            let account = account_bytes(rig.cast.solana.account);
            let front = [&b"\xffsolana offchain"[..], &[1, 1], &account].concat();
            ensure!(
                login.payload == [&front[..], text].concat(),
                "another payload"
            );
            let key = ed25519_dalek::VerifyingKey::from_bytes(account.as_slice().try_into()?)?;
            let signature = ed25519_dalek::Signature::from_slice(&login.signature)?;
            key.verify_strict(&login.payload, &signature)?;
            rig.cast.solana.account
        }
    };
    ensure!(
        login.text.contains(&account.to_string()),
        "the wallet is not in it"
    );
    Ok(())
}

/// Everything that a login could be bent to; how many were refused, and how many signed.
pub(super) fn at_a_site(rig: &mut Rig) -> Result<(usize, usize)> {
    prepare(rig)?;
    let (mut refused, mut signed) = (0, 0);
    for network in [EVM, solana()] {
        let foreign = match network {
            ChainId::Evm(_) => rig.cast.other_evm,
            ChainId::Solana(_) => rig.cast.other_solana,
        };
        let other = if network == EVM { solana() } else { EVM };
        for (field, value) in [
            ("domain", json!("evil.example")),
            ("domain", json!("APP.EXAMPLE.ORG")),
            ("domain", json!("app.example.org.")),
            ("domain", json!("app.example.org:443")),
            ("domain", json!("app.example.org@evil.example")),
            ("domain", json!("xn--pp-xja.example.org")),
            ("domain", json!("WAIaaS ADOPT POLICY")),
            ("uri", json!("https://app.example.org.evil.com/login")),
            ("uri", json!("http://app.example.org/login")),
            ("uri", json!("https://app.example.org@evil.com/")),
            ("uri", json!("https://app.example.org/\nChain ID: 1")),
            ("statement", json!("a\n\nURI: https://evil.com")),
            ("statement", json!("\u{202e}gnirts")),
            ("statement", json!("\u{19}\u{1}")),
            ("nonce", json!("1234567")),
            ("nonce", json!("abcdefgh\nIssued At: 1970")),
            ("request_id", json!("a\nResources:")),
            ("resources", json!(["ipfs://a"])),
            ("expires_in", json!(601)),
            ("expires_in", json!(u64::MAX)),
            ("issued_at", json!("1970-01-01T00:00:00.000Z")),
            ("not_before", json!("1970-01-01T00:00:00.000Z")),
            ("version", json!("2")),
            ("address", json!(foreign.account)),
            ("wallet", json!(foreign.wallet)),
            ("network", json!(other)),
            ("chain_id", json!(1)),
            ("text", json!("anything")),
            ("message", json!("anything")),
            ("payload", json!("00".repeat(32))),
            ("raw", json!(true)),
        ] {
            let body = rig.login(network, field, value);
            let key = rig.fresh_key();
            let answer = sign_in(rig, &body, &key);
            refusal(answer).with_context(|| body.clone())?;
            refused += 1;
        }
        // The honest one: once for its key, and only as often as the policy lets.
        let body = rig.login(network, "nonce", json!("oBbLoEldZs"));
        let key = rig.fresh_key();
        let first = sign_in(rig, &body, &key).context("an honest login")?;
        judge(rig, &first, network)?;
        for _ in 0..20 {
            let again = sign_in(rig, &body, &key)?;
            ensure!(
                again.replay && again.signature == first.signature && again.text == first.text,
                "two logins for one request"
            );
        }
        let changed = body.replace("oBbLoEldZs", "oBbLoEldZt");
        let code = refusal(sign_in(rig, &changed, &key))?;
        ensure!(code == Code::IdempotencyConflict, "{code}");
        let mut more = 1;
        for _ in 0..10 {
            let key = rig.fresh_key();
            match sign_in(rig, &changed, &key) {
                Ok(login) => {
                    judge(rig, &login, network)?;
                    more += 1;
                }
                Err(error) => {
                    let code = refusal::<()>(Err(error))?;
                    ensure!(code == Code::SignInCount, "{code}");
                    refused += 1;
                }
            }
        }
        ensure!(more == A_DAY, "{more} logins in a day");
        signed += usize::try_from(more)?;
        // What was signed at the site is no bytes to sign elsewhere, and pays nothing.
        let transfer = match network {
            ChainId::Evm(_) => rig.to_evm(5),
            ChainId::Solana(_) => rig.to_solana(5),
        };
        let mut paying = rig.invented(&transfer)?;
        rig.refuse("a payment", paying.clone(), &[Code::SessionOperation])?;
        paying.unsigned = first.payload;
        paying.idempotency_key = rig.fresh_key();
        let codes = [Code::TransactionUndecodable, Code::SessionOperation];
        rig.refuse("a login as a transaction", paying, &codes)?;
        refused += 2;
    }
    let wallet = rig.cast.evm.wallet;
    rig.block(rig.gateway().pause(Some(wallet)))?;
    rig.record.accepted += 1;
    let body: Value = serde_json::from_str(&rig.login(EVM, "nonce", json!("oBbLoEldZs")))?;
    let code = refusal(sign_in(rig, &body.to_string(), "paused"))?;
    ensure!(code == Code::WalletPaused, "{code}");
    rig.use_up("a wallet is paused");
    Ok((refused + 1, signed))
}
