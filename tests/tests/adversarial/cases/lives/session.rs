//! Renewals: stretched, recorded, and of sessions that are stopped (R01 to R03).

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use waiaas_client::{Renewed, SpendRequest};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::policy::alarm::{Action, Escalation};
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{Agent, key, now};
use waiaas_tests::stage::LIMIT;

use super::{BOUNDS, Bounds, lasting, lives, unpaid};
use crate::cases::waiting::tighten;
use crate::cases::{Case, case};
use crate::rig::{RENEWAL, Rig, refusal};
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("R01", stretched),
    case("R02", recorded),
    case("R03", stopped),
];

/// A renewal that must be refused with one of these codes.
fn refused(rig: &mut Rig, what: &str, request: &SpendRequest, codes: &[Code]) -> Result<()> {
    let code = refusal(rig.renew(request)).with_context(|| what.to_owned())?;
    ensure!(codes.contains(&code), "{what}: refused as {code}");
    Ok(())
}

/// That a renewal ends when its bounds say, counted from now: within the second that may lie between
/// the signer's clock and this one.
fn within(renewed: &Renewed) -> Result<()> {
    let second = Millis::from_secs(1);
    let expected = now().after(BOUNDS.extends);
    let apart = renewed
        .ends
        .since(expected)
        .max(expected.since(renewed.ends));
    ensure!(apart <= second, "renewed until {}", renewed.ends);
    Ok(())
}

/// Under a bearer session, of which a gateway writes every byte.
fn bearer(rig: &mut Rig, bounds: Bounds) -> Result<SessionId> {
    let wallets = [rig.cast.other_evm];
    let secret = hash(Domain::SessionSecret, &[b"a lasting secret"]);
    rig.granted(SessionGrant {
        credential: Credential::Bearer(secret),
        ..lasting(41, &wallets, bounds)
    })
}

fn stretched(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut tried = 0;
    // Sessions that nobody may renew.
    let agent = rig.agent();
    let request = rig.renewal(&agent, RENEWAL)?;
    refused(rig, "no bounds", &request, &[Code::SessionNotRenewable])?;
    let request = rig.bearer_renewal(rig.cast.bearer);
    refused(rig, "no bounds", &request, &[Code::SessionNotRenewable])?;
    // Of a bearer session the gateway writes every byte: none of them says for how long.
    let session = bearer(rig, BOUNDS)?;
    let signer = rig.cast.agent.signer;
    let other = SignerId::from_bytes([6; 16]);
    for body in [
        json!({ "signer": signer, "ends": "2099-01-01T00:00:00Z" }),
        json!({ "signer": signer, "extends": "8760h" }),
        json!({ "signer": signer, "until": 4_000_000_000_000_u64 }),
        json!({ "signer": signer, "count": 1000 }),
        json!({ "signer": signer, "session": rig.cast.agent.session }),
        json!({ "signer": [signer] }),
        json!({ "signer": other }),
        json!({}),
        json!([signer]),
    ] {
        let mut request = rig.bearer_renewal(session);
        request.body = body.to_string().into_bytes();
        let codes = [Code::BodyMalformed, Code::SignerMismatch];
        refused(rig, &body.to_string(), &request, &codes)?;
        tried += 1;
    }
    let mut nameless = rig.bearer_renewal(session);
    nameless.idempotency_key = String::new();
    let invalid = [Code::IdempotencyKeyInvalid];
    refused(rig, "without a key", &nameless, &invalid)?;
    let request = rig.bearer_renewal(session);
    within(&rig.renew(&request)?)?;
    let sequence = rig.status()?.sequence;
    for _ in 0..60 {
        let request = rig.bearer_renewal(session);
        refused(rig, "again", &request, &[Code::SessionRenewalEarly])?;
        tried += 1;
    }
    ensure!(
        rig.status()?.sequence == sequence,
        "a flood was written down"
    );
    // Once, and not a second time; to its absolute end, and not beyond.
    let once = bearer(rig, Bounds { count: 1, ..BOUNDS })?;
    let short = Bounds {
        beyond: Millis::from_secs(60),
        ..BOUNDS
    };
    let shortly = bearer(rig, short)?;
    for (session, code) in [
        (once, Code::SessionRenewalCount),
        (shortly, Code::SessionRenewalEnd),
    ] {
        let request = rig.bearer_renewal(session);
        let renewed = rig.renew(&request)?;
        ensure!(session == once || renewed.ends < now().after(Millis::from_hours(2)));
        let request = rig.bearer_renewal(session);
        refused(rig, "beyond", &request, &[code])?;
        tried += 2;
    }
    // Of a bound session it writes none: what the agent did not sign does not count.
    let agent = lives(rig, 42, BOUNDS, None)?;
    let honest = rig.renewal(&agent, RENEWAL)?;
    let unsigned = SpendRequest {
        signature: String::new(),
        signature_input: String::new(),
        ..honest.clone()
    };
    let missing = [Code::RequestSignatureMissing];
    refused(rig, "unsigned", &unsigned, &missing)?;
    for number in [22, 33, 99] {
        let other = Agent {
            key: key(number),
            ..agent.clone()
        };
        let request = rig.renewal(&other, RENEWAL)?;
        refused(
            rig,
            "another key",
            &request,
            &[Code::RequestSignatureInvalid],
        )?;
        tried += 1;
    }
    within(&rig.renew(&honest)?)?;
    Ok(format!(
        "{} renewals beyond what was signed refused",
        tried + 5
    ))
}

fn recorded(rig: &mut Rig, _: &Template) -> Result<String> {
    let one = lives(rig, 43, BOUNDS, None)?;
    let other = lives(rig, 44, BOUNDS, None)?;
    let honest = rig.renewal(&one, RENEWAL)?;
    let elsewhere = rig.renewal(&one, "/v1/transactions")?;
    let of_another = rig.renewal(&other, RENEWAL)?;
    let invalid = [Code::RequestSignatureInvalid];
    let body = json!({ "signer": one.signer, "": "" }).to_string();
    let changed = [
        (
            "another session",
            SpendRequest {
                session: other.session,
                ..honest.clone()
            },
        ),
        (
            "another agent's",
            SpendRequest {
                session: one.session,
                ..of_another.clone()
            },
        ),
        (
            "another method",
            SpendRequest {
                method: "PUT".to_owned(),
                ..honest.clone()
            },
        ),
        (
            "another path",
            SpendRequest {
                path: "/v1/session/renew/".to_owned(),
                ..honest.clone()
            },
        ),
        (
            "another query",
            SpendRequest {
                query: "?for=ever".to_owned(),
                ..honest.clone()
            },
        ),
        (
            "another key",
            SpendRequest {
                idempotency_key: "other".to_owned(),
                ..honest.clone()
            },
        ),
        ("another route", elsewhere.clone()),
        (
            "a payment's signature",
            SpendRequest {
                path: RENEWAL.to_owned(),
                ..elsewhere
            },
        ),
        (
            "half of it",
            SpendRequest {
                signature: of_another.signature,
                ..honest.clone()
            },
        ),
    ];
    let mut tried = changed.len();
    for (what, request) in changed {
        refused(rig, what, &request, &invalid)?;
    }
    let codes = [Code::BodyMalformed, Code::RequestSignatureInvalid];
    let request = SpendRequest {
        body: body.into_bytes(),
        ..honest.clone()
    };
    refused(rig, "another body", &request, &codes)?;
    let request = SpendRequest {
        session: SessionId::from_bytes([9; 16]),
        ..honest.clone()
    };
    refused(rig, "nobody's session", &request, &[Code::SessionUnknown])?;
    // The agent's renewal as a payment: its body asks for none.
    rig.refuse("as a payment", honest.clone(), &[Code::BodyMalformed])?;
    rig.renew(&honest)?;
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        let reused = [Code::RequestNonceReused];
        refused(rig, "the same again", &honest, &reused)?;
        tried += 1;
    }
    Ok(format!(
        "{} recordings of renewals refused, also behind a restart",
        tried + 3
    ))
}

fn stopped(rig: &mut Rig, template: &Template) -> Result<String> {
    let agent = lives(rig, 45, BOUNDS, None)?;
    rig.pause()?;
    let request = rig.renewal(&agent, RENEWAL)?;
    refused(rig, "paused", &request, &[Code::Frozen])?;
    rig.say(&StatementFacts::ReleasePause { wallet: None })?;
    // The same request afterwards is the agent's own, and counts once.
    rig.renew(&request)?;
    let staged = rig.register(true)?;
    let of_agent = lives(rig, 46, BOUNDS, Some(staged))?;
    rig.stop_agent(staged, false)?;
    let request = rig.renewal(&of_agent, RENEWAL)?;
    refused(rig, "suspended", &request, &[Code::AgentSuspended])?;
    rig.stop_agent(staged, true)?;
    refused(rig, "terminated", &request, &[Code::SessionRevoked])?;
    let revoked = lives(rig, 47, BOUNDS, None)?;
    rig.revoke(revoked.session)?;
    let request = rig.renewal(&revoked, RENEWAL)?;
    refused(rig, "revoked", &request, &[Code::SessionRevoked])?;
    Template::aside(template.rig()?, suspended)?;
    Template::aside(template.rig()?, killed)?;
    Ok("none of a paused, suspended, terminated, revoked or killed session is renewed".to_owned())
}

/// A session that its own refusals suspended is not renewed, and only an owner resumes it.
fn suspended(rig: &mut Rig) -> Result<()> {
    tighten(rig, |document| {
        document.escalations.push(Escalation {
            code: Code::PerTransactionLimit,
            action: Action::SuspendSession,
        });
    })?;
    let session = bearer(rig, BOUNDS)?;
    let transfer = waiaas_tests::agent::Transfer {
        from: rig.cast.other_evm,
        ..rig.to_evm(LIMIT + 1)
    };
    let mut request = rig.invented(&transfer)?;
    request.session = session;
    let codes = [
        Code::PerTransactionLimit,
        Code::TierNotAvailable,
        Code::SessionPerTransaction,
    ];
    rig.refuse("too much", request, &codes)?;
    // The alarm and the suspension are what that request brought.
    rig.record.accepted += 2;
    let request = rig.bearer_renewal(session);
    refused(rig, "suspended", &request, &[Code::SessionSuspended])?;
    rig.say(&StatementFacts::ResumeSession { session })?;
    rig.renew(&request)?;
    Ok(())
}

/// A session that the kill switch ended stays ended, unless its owner lists it.
fn killed(rig: &mut Rig) -> Result<()> {
    let agent = lives(rig, 48, BOUNDS, None)?;
    let request = rig.renewal(&agent, RENEWAL)?;
    rig.kill()?;
    let codes = [Code::Locked, Code::Killed, Code::SessionRevoked];
    refused(rig, "killed", &request, &codes)?;
    rig.unlock()?;
    refused(rig, "unlocked", &request, &codes)?;
    let mut sessions = vec![
        rig.cast.agent.session,
        rig.cast.other.session,
        rig.cast.bearer,
    ];
    sessions.sort();
    rig.say_with_password(&StatementFacts::ReleaseKill { epoch: 1, sessions })?;
    rig.record.kill_ends.push(Instant::now());
    refused(rig, "recovering", &request, &codes)?;
    rig.say_with_password(&StatementFacts::ReleasePause { wallet: None })?;
    refused(rig, "released", &request, &[Code::SessionRevoked])?;
    unpaid(rig, "released", &agent, Code::SessionRevoked)
}
