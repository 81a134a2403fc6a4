//! Two of three owners must sign: one key is one owner in whatever form, an owner who is removed takes its
//! approvals along, and nobody enrols another (parts of P06, P07 and P14). The waits of 72 hours pass on a
//! machine in this program's hand.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::ids::OwnerId;
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{grant, key, now};
use waiaas_tests::owner::PASSWORD;
use waiaas_tests::stage::{EVM, LIMIT};

use super::refuse;
use crate::cases::waiting::{Open, approval, invent};
use crate::hand::{Hand, malleated};
use crate::raw::{Wire, submission};
use crate::rig::{Rig, refusal};
use crate::stand::{ASKED, OWNERS_WAIT};

/// Every form in which an owner's wallet signs a text, where the text fits.
fn forms(rig: &Rig, hand: &Hand, text: &str) -> Vec<OwnerSignature> {
    let envelopes = Envelope::ALL.into_iter();
    let forms = envelopes.filter_map(|envelope| rig.by_in(hand, envelope, text).ok());
    forms.collect()
}

/// The same signature as another wallet writes it: 0 and 1 for 27 and 28.
fn other_parity(honest: &OwnerSignature) -> OwnerSignature {
    let mut other = honest.clone();
    if let Some(v) = other.signature.get_mut(64) {
        *v -= 27;
    }
    other
}

fn named(signature: &OwnerSignature, owner: OwnerId) -> OwnerSignature {
    OwnerSignature {
        owner,
        ..signature.clone()
    }
}

/// What one owner alone can hand in, and how it must be refused.
fn alone(
    rig: &Rig,
    hand: &Hand,
    others: &[&Hand],
    text: &str,
) -> Result<Vec<(&'static str, Vec<OwnerSignature>, Code)>> {
    let honest = rig.by(hand, text)?;
    let all = forms(rig, hand, text);
    let mut attempts = vec![
        ("once", vec![honest.clone()], Code::QuorumMissing),
        ("twice", vec![honest.clone(); 2], Code::QuorumMissing),
        ("in all its forms", all.clone(), Code::QuorumMissing),
        (
            "sixteen times",
            all.iter().cycle().take(16).cloned().collect(),
            Code::QuorumMissing,
        ),
        (
            "malleated",
            vec![honest.clone(), malleated(&honest)?],
            Code::StatementSignature,
        ),
        (
            "under a name of nobody",
            vec![honest.clone(), named(&honest, OwnerId::from_bytes([1; 16]))],
            Code::OwnerUnknown,
        ),
    ];
    if honest.envelope == Envelope::Eip191 {
        let other = other_parity(&honest);
        attempts.push((
            "in two encodings",
            vec![honest.clone(), other],
            Code::QuorumMissing,
        ));
    }
    for other in others {
        attempts.push((
            "under another owner's name",
            vec![honest.clone(), named(&honest, other.id)],
            Code::StatementSignature,
        ));
    }
    Ok(attempts)
}

/// One owner, whichever and however, is not two; two are.
pub(super) fn one_is_not_two(rig: &mut Rig) -> Result<usize> {
    let hands = rig.cast.owners.clone();
    let [one, two, three] = &hands[..] else {
        anyhow::bail!("three owners");
    };
    let transfer = rig.to_evm(ASKED);
    let asked = invent(rig, &transfer)?;
    let granted = grant(&key(55), &[rig.cast.evm], &[EVM], LIMIT, u128::MAX);
    let mut tried = 0;
    for facts in [
        approval(asked.transaction),
        StatementFacts::ReleasePause {
            wallet: Some(rig.cast.main.wallet),
        },
        StatementFacts::GrantSession { grant: granted },
    ] {
        let drafted = rig.draft(&facts)?;
        for (hand, others) in [
            (one, [two, three]),
            (two, [one, three]),
            (three, [one, two]),
        ] {
            for (what, signatures, code) in alone(rig, hand, &others, &drafted.text)? {
                let given = refusal(rig.submit(drafted.statement, &signatures))
                    .with_context(|| format!("{what}: {}", facts.heading()))?;
                ensure!(given == code, "{what}: {given}, not {code}");
                tried += 1;
            }
        }
        // By frames, which no client has put right: the first owner's name in other letters.
        let honest = rig.by(one, &drafted.text)?;
        let name = one.id.to_string();
        let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
        for (question, other) in (1..).zip([
            name.to_uppercase(),
            name.replacen("owner", "Owner", 1),
            format!(" {name}"),
            format!("{name} "),
            name.replace('_', "-"),
        ]) {
            ensure!(other != name, "the same name");
            let both = [(name.as_str(), &honest), (other.as_str(), &honest)];
            let frame = submission(question, drafted.statement, &both);
            ensure!(wire.push(&frame, Duration::from_secs(1)));
            wire.answer_to(question, Duration::from_secs(5))?;
            tried += 1;
        }
        rig.record.captured.extend(&wire.captured);
        let not_approved = [Code::IntentNotApproved];
        if let StatementFacts::ApprovePayment { .. } = facts {
            rig.unreleased("by one", asked.transaction, &asked.unsigned, &not_approved)?;
        }
        // Nothing of it was accepted, and two of them pass.
        let both = [rig.by(one, &drafted.text)?, rig.by(three, &drafted.text)?];
        rig.submit(drafted.statement, &both)
            .with_context(|| format!("two owners: {}", facts.heading()))?;
    }
    rig.release(asked.transaction, &asked.unsigned)
        .context("approved by two")?;
    Ok(tried)
}

/// A session and a policy under which payments outlive a change of owners.
fn long_lived(rig: &mut Rig) -> Result<()> {
    let patient = rig.next_policy(|document| {
        document.approval.lifetime = Millis::from_hours(200);
        document.release_within = Millis::from_hours(200);
    })?;
    rig.adopt(&patient)?;
    let secret = hash(Domain::SessionSecret, &[b"for many days"]);
    rig.cast.bearer = rig.granted(SessionGrant {
        expires: now().after(Millis::from_hours(400)),
        credential: Credential::Bearer(secret),
        ..grant(&key(22), &[rig.cast.evm], &[EVM], LIMIT, u128::MAX)
    })?;
    rig.use_up("three days have passed");
    Ok(())
}

fn ask(rig: &mut Rig, amount: u128) -> Result<Open> {
    let transfer = rig.to_evm(amount);
    invent(rig, &transfer)
}

/// An approval goes with the owner who gave it, and nothing that this owner signs later counts.
pub(in crate::cases) fn removed_owner(rig: &mut Rig) -> Result<usize> {
    long_lived(rig)?;
    let hands = rig.cast.owners.clone();
    let [one, two, three] = &hands[..] else {
        anyhow::bail!("three owners");
    };
    let (with_it, without) = (ask(rig, ASKED)?, ask(rig, ASKED + 1)?);
    for (payment, by) in [(&with_it, [one, three]), (&without, [one, two])] {
        let drafted = rig.draft(&approval(payment.transaction))?;
        let signatures = [rig.by(by[0], &drafted.text)?, rig.by(by[1], &drafted.text)?];
        rig.submit(drafted.statement, &signatures)?;
    }
    rig.say_with_password(&StatementFacts::RemoveOwner { owner: three.id })?;
    rig.pass(OWNERS_WAIT)?;
    // The first thing that happens behind its time writes the change down.
    rig.record.accepted += 1;
    let mut tried = 0;
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        let not_approved = [Code::IntentNotApproved];
        rig.unreleased(
            "approved by an owner who was removed",
            with_it.transaction,
            &with_it.unsigned,
            &not_approved,
        )?;
        let drafted = rig.draft(&approval(with_it.transaction))?;
        for others in [vec![], vec![one], vec![one, two]] {
            let mut signatures = vec![rig.by(three, &drafted.text)?];
            for other in others {
                signatures.push(rig.by(other, &drafted.text)?);
            }
            let code = refuse(rig, "a removed owner", drafted.statement, &signatures)?;
            ensure!(code == Code::OwnerUnknown, "{code}");
            tried += 1;
        }
        tried += 1;
    }
    rig.release(without.transaction, &without.unsigned)
        .context("approved by two who stay")?;
    Ok(tried)
}

/// The thief's own key as an owner: by one owner's word, by the gateway, before its time.
pub(super) fn a_fourth(rig: &mut Rig) -> Result<usize> {
    long_lived(rig)?;
    let hands = rig.cast.owners.clone();
    let [one, two, three] = &hands[..] else {
        anyhow::bail!("three owners");
    };
    let thief = Hand::ed25519(66);
    let facts = StatementFacts::AddOwner {
        key: thief.public(),
    };
    let drafted = rig.block(rig.owner().admin.draft_statement(&facts))?;
    rig.record.accepted += 1;
    let text = drafted.text.clone();
    let rehearsal = thief.signature(&text)?;
    let honest = rig.by(one, &text)?;
    let mut tried = 0;
    for (what, signatures) in [
        ("nobody", vec![]),
        ("one owner", vec![honest.clone()]),
        ("one owner twice", vec![honest.clone(); 2]),
        ("one owner in all forms", forms(rig, one, &text)),
        (
            "the thief in another's name",
            vec![honest.clone(), named(&rehearsal, two.id)],
        ),
        (
            "the thief in its own",
            vec![
                honest.clone(),
                named(&rehearsal, OwnerId::from_bytes([9; 16])),
            ],
        ),
    ] {
        let admin = &rig.owner().admin;
        let ticket = rig.block(admin.put_secret(PASSWORD))?;
        let registered = rig.block(admin.register_key(
            &ticket,
            drafted.statement,
            &signatures,
            rehearsal.envelope,
            &rehearsal.signature,
        ));
        let code = refusal(registered).with_context(|| what.to_owned())?;
        let expected = [
            Code::QuorumMissing,
            Code::StatementSignature,
            Code::OwnerUnknown,
        ];
        ensure!(expected.contains(&code), "{what}: {code}");
        tried += 1;
    }
    // Two owners' true signatures over the gateway's socket: there is no door.
    let own = rig.draft(&facts)?;
    let both = [rig.by(one, &own.text)?, rig.by(two, &own.text)?];
    refuse(rig, "over the gateway", own.statement, &both)?;
    // With the password it is announced; it signs nothing until its time has come.
    let both = [honest, rig.by(two, &text)?];
    let admin = &rig.owner().admin;
    let ticket = rig.block(admin.put_secret(PASSWORD))?;
    let id = rig.block(admin.register_key(
        &ticket,
        drafted.statement,
        &both,
        rehearsal.envelope,
        &rehearsal.signature,
    ))?;
    rig.record.accepted += 1;
    let thief = thief.known_as(id);
    rig.cast.owners.push(thief.clone());
    let asked = ask(rig, ASKED)?;
    let nearly = OWNERS_WAIT - Duration::from_secs(180);
    for passes in [Duration::ZERO, nearly] {
        rig.pass(passes)?;
        let drafted = rig.draft(&approval(asked.transaction))?;
        let early = [
            rig.by(three, &drafted.text)?,
            rig.by(&thief, &drafted.text)?,
        ];
        let code = refuse(rig, "before its time", drafted.statement, &early)?;
        ensure!(code == Code::OwnerUnknown, "{code}");
        tried += 1;
    }
    rig.pass(OWNERS_WAIT - nearly)?;
    rig.record.accepted += 1;
    let drafted = rig.draft(&approval(asked.transaction))?;
    let late = [
        rig.by(three, &drafted.text)?,
        rig.by(&thief, &drafted.text)?,
    ];
    rig.submit(drafted.statement, &late)
        .context("two owners and the password made it one")?;
    rig.release(asked.transaction, &asked.unsigned)?;
    Ok(tried + 1)
}
