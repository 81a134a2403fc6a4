//! The kill switch: forged releases, ends while it is written, its two ways (P26, P27, P29).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::OwnerId;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_tests::agent::key;
use waiaas_tests::stage::EVM;

use super::disk::WRITES_LIMIT;
use super::waiting::{approval, open, rejection};
use super::{Case, case};
use crate::long::{Rounds, many};
use crate::raw::{Answer, Random, Wire, kill, payment};
use crate::rig::{Rig, owner_key, refusal};
use crate::runner::Template;
use crate::stand::ASKED;

pub(super) const CASES: &[Case] = &[
    case("P26", forged_releases),
    case("P27", ends_while_killing),
    case("P29", the_kills_two_ways),
];

/// A login in the form that owners' wallets sign for websites.
const LOGIN: &[u8] = b"example.com wants you to sign in with your Solana account:\n";
/// Ends at instants of chance, in the ordinary run and in the longest; each costs a start of its own.
const ENDS: (u64, u64) = (2, 1000);

fn release(epoch: u64, rig: &Rig) -> StatementFacts {
    let cast = &rig.cast;
    let mut sessions = vec![cast.agent.session, cast.other.session, cast.bearer];
    sessions.sort();
    StatementFacts::ReleaseKill { epoch, sessions }
}

fn forged_releases(rig: &mut Rig, _: &Template) -> Result<String> {
    // Signed before the kill, of every other kind: none of it may be a release later.
    let resume = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 50,
        from: None,
    };
    let earlier = rig.draft(&resume)?;
    let earlier_signature = rig.owner_signature(&earlier.text)?;
    // And an approval, and what else the owner's key signs in its life.
    let transfer = rig.to_evm(ASKED);
    let asked = open(rig, &transfer)?;
    let approved = rig.draft(&approval(asked.transaction))?;
    let approval_signature = rig.owner_signature(&approved.text)?;
    let kept = rig.draft(&rejection(asked.transaction))?;
    let rejection_signature = rig.owner_signature(&kept.text)?;
    let code = refusal(rig.draft(&release(1, rig)))?;
    ensure!(
        code == Code::KillNotActive,
        "a release before the kill: {code}"
    );
    rig.kill()?;
    let code = refusal(rig.draft(&release(1, rig)))?;
    ensure!(code == Code::Locked, "{code}");
    // The owner opens the keystore to look; the kill holds.
    rig.unlock()?;
    ensure!(
        rig.status()?.kill == "ACTIVATED",
        "unlocking released the kill"
    );
    let mut tried = 2;
    for epoch in [0, 2, 3, u64::MAX] {
        let code = refusal(rig.draft(&release(epoch, rig)))?;
        ensure!(code == Code::KillNotActive, "epoch {epoch}: {code}");
        tried += 1;
    }
    let facts = release(1, rig);
    let drafted = rig.draft(&facts)?;
    let text = drafted.text.clone();
    let honest = rig.owner_signature(&text)?;
    let owner = honest.owner;
    let made = |signature: Vec<u8>| OwnerSignature {
        owner,
        envelope: Envelope::Ed25519Plain,
        signature,
    };
    let forgeries: Vec<(&str, Vec<OwnerSignature>)> = vec![
        ("nobody", vec![]),
        ("zeros", vec![made(vec![0; 64])]),
        ("nothing", vec![made(vec![])]),
        (
            "a stranger",
            vec![rig.signature_by(&key(99), text.as_bytes())?],
        ),
        (
            "the agent",
            vec![rig.signature_by(&key(22), text.as_bytes())?],
        ),
        (
            "another owner's name",
            vec![OwnerSignature {
                owner: OwnerId::from_bytes([1; 16]),
                ..honest.clone()
            }],
        ),
        ("a statement from before", vec![earlier_signature.clone()]),
        ("an approval", vec![approval_signature.clone()]),
        ("a rejection", vec![rejection_signature]),
        (
            "a login on Solana",
            vec![rig.signature_by(&owner_key(), LOGIN)?],
        ),
        (
            "a login on Ethereum",
            vec![rig.signature_by(
                &owner_key(),
                &[&b"\x19Ethereum Signed Message:\n60"[..], LOGIN].concat(),
            )?],
        ),
        (
            "a release of the next epoch",
            vec![rig.owner_signature(&text.replace("Kill epoch: 1", "Kill epoch: 2"))?],
        ),
        (
            "another signer's release",
            vec![rig.owner_signature(&text.replace(
                &rig.cast.agent.signer.to_string(),
                &waiaas_shared::ids::SignerId::from_bytes([3; 16]).to_string(),
            ))?],
        ),
        (
            "another kind's heading",
            vec![rig.owner_signature(&text.replace("RELEASE KILL SWITCH", "RELEASE PAUSE"))?],
        ),
        (
            "the log's head",
            vec![rig.signature_by(&owner_key(), rig.status()?.head.as_bytes())?],
        ),
        // The owner's true signature, without the password: a gateway never releases.
        ("the gateway", vec![honest]),
    ];
    for (who, signatures) in forgeries {
        let code =
            refusal(rig.submit(drafted.statement, &signatures)).with_context(|| who.to_owned())?;
        let expected = [
            Code::QuorumMissing,
            Code::StatementSignature,
            Code::OwnerUnknown,
            Code::AdminOnly,
        ];
        ensure!(expected.contains(&code), "{who}: {code}");
        ensure!(rig.status()?.kill == "ACTIVATED", "{who} released the kill");
        tried += 1;
    }
    // Each other kind that can be written now, signed by the owner, against the release; and the other way.
    for (statement, signature) in [
        (earlier.statement, earlier_signature),
        (approved.statement, approval_signature),
    ] {
        let code = refusal(rig.submit(statement, &[signature]))?;
        ensure!(
            [Code::Killed, Code::StatementUnknown].contains(&code),
            "{code}"
        );
        tried += 1;
    }
    let unknown = [Code::IntentUnknown];
    rig.unreleased("killed", asked.transaction, &asked.unsigned, &unknown)?;
    for facts in [
        resume,
        StatementFacts::GrantSession {
            grant: waiaas_tests::agent::grant(&key(55), &[rig.cast.evm], &[EVM], 1, 1),
        },
        StatementFacts::EnrolWithdrawal {
            account: waiaas_tests::stage::account(
                EVM,
                "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            ),
        },
        StatementFacts::AdoptPolicy {
            document: rig.next_policy(|_| {})?.to_bytes(),
        },
    ] {
        if let Ok(other) = rig.draft(&facts) {
            let signature = rig.owner_signature(&other.text)?;
            let code = refusal(rig.submit(drafted.statement, std::slice::from_ref(&signature)))?;
            ensure!(
                code == Code::StatementSignature,
                "{} as a release: {code}",
                facts.heading()
            );
            let code = refusal(rig.submit(other.statement, &[signature]))?;
            ensure!(
                code == Code::Killed,
                "{} while killed: {code}",
                facts.heading()
            );
            tried += 2;
        }
    }
    let transfer = rig.to_evm(1);
    let request = rig.request(&transfer)?;
    rig.refuse(
        "while killed",
        request,
        &[Code::Killed, Code::SessionRevoked, Code::Locked],
    )?;
    // The true release, with the password, then the owner resumes; an old release is of no use again.
    rig.say_with_password(&facts)?;
    rig.record.kill_ends.push(Instant::now());
    let request = rig.request(&transfer)?;
    rig.refuse("recovering", request, &[Code::Frozen, Code::Killed])?;
    rig.say_with_password(&StatementFacts::ReleasePause { wallet: None })?;
    rig.pay(&transfer)?;
    rig.kill()?;
    rig.unlock()?;
    let code = refusal(rig.draft(&release(1, rig)))?;
    ensure!(code == Code::KillNotActive, "an older epoch: {code}");
    rig.use_up("killed");
    Ok(format!(
        "{} forged releases refused; the true one, and none of the earlier epoch",
        tried + 1
    ))
}

fn ends_while_killing(_: &mut Rig, template: &Template) -> Result<String> {
    let mut random = Random(27);
    let (mut heard, mut unheard_held) = (0, 0);
    let rounds = Rounds::new("P27", ENDS.0, ENDS.1);
    let ends = rounds.all();
    for _ in rounds {
        let (answered, held) =
            Template::aside(template.rig()?, |rig| ended_while_killing(rig, &mut random))?;
        ensure!(held || !answered, "an acknowledged kill is gone");
        heard += u32::from(answered);
        unheard_held += u32::from(held && !answered);
    }
    let mut writes = 0;
    // All of them in a long run, every other one else.
    let step = if many(1, 2) > 1 { 1 } else { 2 };
    for write in (1..WRITES_LIMIT).step_by(step) {
        let held = Template::aside(template.rig_in_hand()?, |rig| killed_at_write(rig, write))?;
        let Some(held) = held else {
            break;
        };
        writes = write;
        unheard_held += u32::from(held);
    }
    ensure!(writes > 3 && writes + 2 < WRITES_LIMIT, "{writes} writes");
    Ok(format!(
        "an end before each of up to {writes} writes of a kill, by {step}, and {ends} at instants of chance: {heard} kills were acknowledged and held; of the others {unheard_held} held"
    ))
}

/// Ends the signer before this write of a kill; whether it held behind that. Nothing if it was acknowledged
/// before: there are not so many writes.
fn killed_at_write(rig: &mut Rig, write: i64) -> Result<Option<bool>> {
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    rig.home.machine()?.end_at(write)?;
    ensure!(wire.push(&kill(1), Duration::from_secs(1)));
    let heard = wire.answers(1, Duration::from_secs(20))?;
    rig.record.captured.extend(&wire.captured);
    rig.record.accepted += 1;
    let ended = rig.home.machine()?.writes_left()? == 0;
    rig.home.machine()?.end_at(0)?;
    let acknowledged = heard
        .iter()
        .any(|(_, answer)| matches!(answer, Answer::Results(_)));
    if !ended {
        ensure!(acknowledged, "{heard:?}");
        rig.record.kills.push(Instant::now());
        rig.use_up("killed");
        return Ok(None);
    }
    rig.ended_by_itself()?;
    let held = after_the_end(rig)?;
    ensure!(held || !acknowledged, "an acknowledged kill is gone");
    Ok(Some(held))
}

/// Whether the kill was acknowledged before the end, and whether it held behind it.
fn ended_while_killing(rig: &mut Rig, random: &mut Random) -> Result<(bool, bool)> {
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    ensure!(wire.push(&kill(1), Duration::from_secs(1)));
    // Anywhere from before the write to behind the answer.
    std::thread::sleep(Duration::from_micros(random.next() % 4000));
    rig.crash();
    // What the signer had sent is still there to be read.
    let answered = wire
        .answer_to(1, Duration::from_millis(500))
        .is_ok_and(|answer| matches!(answer, Answer::Results(_)));
    rig.record.captured.extend(&wire.captured);
    rig.record.accepted += 1;
    Ok((answered, after_the_end(rig)?))
}

/// Starts again behind an end in a kill: it holds or never was, and unlocking changes nothing of it.
fn after_the_end(rig: &mut Rig) -> Result<bool> {
    rig.restart()?;
    let held = rig.status()?.kill == "ACTIVATED";
    rig.unlock()?;
    ensure!(
        (rig.status()?.kill == "ACTIVATED") == held,
        "unlocking changed the kill"
    );
    if !held {
        rig.kill()?;
    }
    rig.record.kills.push(Instant::now());
    let transfer = rig.to_evm(1);
    let request = rig.request(&transfer)?;
    rig.refuse(
        "killed",
        request,
        &[Code::Killed, Code::SessionRevoked, Code::Locked],
    )?;
    rig.use_up("killed");
    Ok(held)
}

fn the_kills_two_ways(rig: &mut Rig, template: &Template) -> Result<String> {
    // The gateway's own kill stops the service, and nothing else of the owner's is lost.
    rig.kill()?;
    let status = rig.status()?;
    ensure!(status.kill == "ACTIVATED" && !status.unlocked);
    rig.unlock()?;
    rig.say_with_password(&release(1, rig))?;
    rig.record.kill_ends.push(Instant::now());
    rig.say_with_password(&StatementFacts::ReleasePause { wallet: None })?;
    let transfer = rig.to_evm(1);
    rig.pay(&transfer)?;
    // The owner's kill while the gateway floods every place that it has.
    let took = Template::aside(template.rig()?, killed_in_a_flood)?;
    Ok(format!(
        "the gateway's kill was undone by owner and password; the owner's passed a flood in {} ms",
        took.as_millis()
    ))
}

fn killed_in_a_flood(rig: &mut Rig) -> Result<Duration> {
    let transfer = rig.to_evm(1);
    let mut frames = Vec::new();
    for question in 1..=250 {
        frames.extend(payment(question, 1, &rig.invented(&transfer)?));
    }
    let mut wires = Vec::new();
    for _ in 0..6 {
        wires.push(Wire::introduced(&rig.home.gateway_socket())?);
    }
    for wire in &mut wires {
        let _ = wire.push(&frames, Duration::from_millis(300));
    }
    let start = Instant::now();
    rig.block(rig.owner().admin.kill())?;
    let took = start.elapsed();
    rig.record.kills.push(Instant::now());
    rig.record.accepted += 1;
    // One payment for each key: the six connections asked for the same 250.
    rig.record.unanswered += 250;
    ensure!(
        took < Duration::from_secs(5),
        "the owner's kill took {took:?}"
    );
    ensure!(rig.status()?.kill == "ACTIVATED");
    rig.use_up("killed");
    Ok(took)
}
