//! Signatures made, reused, bent, multiplied (P01 to P09).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_tests::agent::key;
use waiaas_tests::stage::EVM;

use super::quorum::one_is_not_two;
use super::{KINDS, REFUSED, drafts, refuse, refuse_all};
use crate::cases::waiting::{approval, invent, open, open_other, tighten};
use crate::cases::{Case, case};
use crate::rig::{Rig, owner_key, owner_payload, refusal};
use crate::runner::Template;
use crate::stand::ASKED;

pub(in crate::cases) const CASES: &[Case] = &[
    case("P01", without_the_key),
    case("P02", used_twice),
    case("P03", another_ones),
    case("P04", every_bit),
    case("P07", counted_twice),
    case("P08", weak_forms),
    case("P09", other_kinds),
];

fn without_the_key(rig: &mut Rig, _: &Template) -> Result<String> {
    let honest_owner = rig.owner_id()?;
    let mut tried = 0;
    let drafted = drafts(rig)?;
    for (facts, drafted) in &drafted {
        let text = drafted.text.as_bytes();
        let made = |signature: Vec<u8>, envelope| OwnerSignature {
            owner: honest_owner,
            envelope,
            signature,
        };
        let mut attempts = vec![
            rig.signature_by(&key(99), text)?,
            rig.signature_by(&key(22), text)?,
            rig.signature_by(&key(0), text)?,
            made(Vec::new(), Envelope::Ed25519Plain),
            made(vec![0; 63], Envelope::Ed25519Plain),
            made(vec![0; 65], Envelope::Ed25519Plain),
            made(vec![0; 65], Envelope::Eip191),
        ];
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            for envelope in Envelope::ALL {
                attempts.push(made(vec![byte; 64], envelope));
            }
        }
        for attempt in attempts {
            refuse(rig, facts.heading(), drafted.statement, &[attempt])?;
            tried += 1;
        }
        // In the name of somebody who is no owner.
        let mut stranger = rig.signature_by(&key(99), text)?;
        stranger.owner = waiaas_shared::ids::OwnerId::from_bytes([9; 16]);
        ensure!(refuse(rig, "a stranger", drafted.statement, &[stranger])? == Code::OwnerUnknown);
        tried += 1;
    }
    // Without a signature nothing was approved: what asks is not released.
    for view in rig.intents()? {
        let transfer = rig.to_evm(view.intent.amount.base_units());
        let unsigned = waiaas_tests::agent::unsigned(&transfer)?;
        let not_approved = [Code::IntentNotApproved];
        rig.unreleased("forged", view.intent.transaction, &unsigned, &not_approved)?;
        tried += 1;
    }
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!(
        "{tried} made-up signatures over {KINDS} kinds of statement refused"
    ))
}

fn used_twice(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut used = Vec::new();
    let (mut approved, mut rejected) = (None, None);
    for (facts, drafted) in drafts(rig)? {
        let signature = rig.owner_signature(&drafted.text)?;
        // What has a door of its own, or needs the password, is not carried out here at all.
        match rig.submit(drafted.statement, std::slice::from_ref(&signature)) {
            Ok(_) => used.push((facts.heading(), drafted.statement, signature)),
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(REFUSED.contains(&code), "{}: {code}", facts.heading());
            }
        }
        match facts {
            StatementFacts::ApprovePayment { transaction } => approved = Some(transaction),
            StatementFacts::RejectPayment { transaction } => rejected = Some(transaction),
            _ => {}
        }
    }
    ensure!(used.len() >= 7, "only {} were carried out", used.len());
    let (approved, rejected) = approved.zip(rejected).context("both decisions")?;
    let waiting = rig.intents()?;
    let view = waiting
        .iter()
        .find(|view| view.intent.transaction == approved);
    let amount = view.context("it waits")?.intent.amount.base_units();
    let unsigned = waiaas_tests::agent::unsigned(&rig.to_evm(amount))?;
    // One approval for many releases, at once: one signature, whose bytes come again.
    let releases = vec![(approved, unsigned.clone()); 24];
    let mut left: Option<waiaas_client::SignedPayment> = None;
    let mut tried = 0;
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        for answer in rig.release_all(&releases)? {
            let signed = answer.context("an approved payment")?;
            match &left {
                None => ensure!(!signed.replay, "a replay of nothing"),
                Some(left) => ensure!(
                    signed.replay && signed.raw == left.raw && signed.sequence == left.sequence,
                    "two signatures for one approval"
                ),
            }
            left.get_or_insert(signed);
        }
        let unknown = [Code::IntentUnknown];
        rig.unreleased("a rejected one", rejected, &unsigned, &unknown)?;
        for (heading, statement, signature) in &used {
            let code = refuse(rig, heading, *statement, std::slice::from_ref(signature))?;
            ensure!(code == Code::StatementUnknown, "{heading}: {code}");
            tried += 1;
        }
    }
    rig.use_up("the policy was loosened by its owner");
    Ok(format!(
        "{} statements carried out once; {tried} second tries refused, and one approval asked 48 times is one signature, also behind a restart",
        used.len()
    ))
}

fn another_ones(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut tried = 0;
    // Two of the same kind, with equal content: the request's own number stands in the text.
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 5000,
        from: None,
    };
    let (first, second) = (rig.draft(&attest)?, rig.draft(&attest)?);
    ensure!(first.text != second.text, "two statements with one text");
    let signature = rig.owner_signature(&first.text)?;
    refuse(
        rig,
        "its twin",
        second.statement,
        std::slice::from_ref(&signature),
    )?;
    tried += 1;
    // Another wallet, chain and amount of the same kind.
    for facts in [
        StatementFacts::AttestNonce {
            wallet: rig.cast.other_evm.wallet,
            chain: EVM,
            next: 5000,
            from: None,
        },
        StatementFacts::AttestNonce {
            wallet: rig.cast.evm.wallet,
            chain: EVM,
            next: 5001,
            from: None,
        },
        StatementFacts::AttestNonce {
            wallet: rig.cast.main.wallet,
            chain: crate::stand::MAIN,
            next: 5000,
            from: None,
        },
    ] {
        let drafted = rig.draft(&facts)?;
        refuse(
            rig,
            "another field",
            drafted.statement,
            std::slice::from_ref(&signature),
        )?;
        tried += 1;
    }
    tried += crossed_approvals(rig)?;
    // Another signer: the same text with another signer's name, signed by the owner's true key.
    let name = rig.cast.agent.signer.to_string();
    let foreign = waiaas_shared::ids::SignerId::from_bytes([3; 16]).to_string();
    ensure!(
        first.text.contains(&name),
        "the text does not name its signer"
    );
    let signature = rig.owner_signature(&first.text.replace(&name, &foreign))?;
    refuse(rig, "another signer", first.statement, &[signature])?;
    // And another copy of this very signer: a statement of one is unknown to the other.
    let mut copy = template.rig()?;
    let signature = rig.owner_signature(&first.text)?;
    let code = refuse(&mut copy, "a copy's", first.statement, &[signature])?;
    ensure!(code == Code::StatementUnknown, "{code}");
    // An approval of this signer's, for a payment of equal kind at its copy.
    let transfer = rig.to_evm(ASKED + 7);
    let here = open(rig, &transfer)?;
    let there = open(&mut copy, &transfer)?;
    let drafted = rig.draft(&approval(here.transaction))?;
    let signature = rig.owner_signature(&drafted.text)?;
    let drafted = copy.draft(&approval(there.transaction))?;
    refuse(
        &mut copy,
        "another signer's approval",
        drafted.statement,
        &[signature],
    )?;
    let not_approved = [Code::IntentNotApproved];
    copy.unreleased(
        "at the copy",
        there.transaction,
        &there.unsigned,
        &not_approved,
    )?;
    let unknown = [Code::IntentUnknown];
    copy.unreleased("by its name", here.transaction, &here.unsigned, &unknown)?;
    tried += 5;
    rig.use_up("statements are open");
    Ok(format!("{tried} crossings refused"))
}

/// Every pair of payments that are alike but for one thing: the approval of one approves no other.
fn crossed_approvals(rig: &mut Rig) -> Result<usize> {
    let (evm, solana) = (rig.to_evm(ASKED), rig.to_solana(ASKED));
    let more = rig.to_evm(ASKED + 1);
    let open = [
        ("a payment", open(rig, &evm)?),
        ("of another session", invent(rig, &evm)?),
        ("of another wallet", open_other(rig, ASKED)?),
        ("on another chain", open(rig, &solana)?),
        ("of another amount", open(rig, &more)?),
    ];
    let mut drafted = Vec::new();
    for (what, payment) in &open {
        let draft = rig.draft(&approval(payment.transaction))?;
        let signature = rig.owner_signature(&draft.text)?;
        drafted.push((what, payment, draft.statement, signature));
    }
    let mut tried = 0;
    for (what, _, statement, _) in &drafted {
        for (other, payment, of, signature) in &drafted {
            if of != statement {
                let said = format!("{other} for {what}");
                refuse(rig, &said, *statement, std::slice::from_ref(signature))?;
                let not_approved = [Code::IntentNotApproved];
                rig.unreleased(&said, payment.transaction, &payment.unsigned, &not_approved)?;
                tried += 1;
            }
        }
    }
    // Approved, one of them is released, with its own bytes only.
    let [(_, first, statement, signature), (_, other, ..), ..] = &drafted[..] else {
        anyhow::bail!("payments");
    };
    rig.submit(*statement, std::slice::from_ref(signature))?;
    let not_approved = [Code::IntentNotApproved];
    rig.unreleased(
        "its twin",
        other.transaction,
        &first.unsigned,
        &not_approved,
    )?;
    rig.release(first.transaction, &first.unsigned)?;
    Ok(tried + 1)
}

fn every_bit(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(ASKED);
    let asked = open(rig, &transfer)?;
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 5000,
        from: None,
    };
    let mut tried = 0;
    for facts in [attest, approval(asked.transaction)] {
        tried += every_bit_of(rig, &facts)?;
    }
    rig.release(asked.transaction, &asked.unsigned)
        .context("approved by the true signature")?;
    Ok(format!(
        "{tried} single bits of texts and signatures refused, then the true ones passed"
    ))
}

fn every_bit_of(rig: &mut Rig, facts: &StatementFacts) -> Result<usize> {
    let drafted = rig.draft(facts)?;
    let honest = rig.owner_signature(&drafted.text)?;
    let mut attempts = Vec::new();
    for bit in 0..drafted.text.len() * 8 {
        let mut text = drafted.text.clone().into_bytes();
        if let Some(byte) = text.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        attempts.push(rig.signature_by_id(honest.owner, &owner_key(), &text));
    }
    for bit in 0..512 {
        let mut signature = honest.clone();
        if let Some(byte) = signature.signature.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        attempts.push(signature);
    }
    let tried = refuse_all(rig, drafted.statement, attempts)?;
    // The unchanged one passes: the others were not refused for something else.
    rig.submit(drafted.statement, &[honest])?;
    Ok(tried)
}

fn counted_twice(rig: &mut Rig, template: &Template) -> Result<String> {
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 6000,
        from: None,
    };
    let drafted = rig.draft(&attest)?;
    let honest = rig.owner_signature(&drafted.text)?;
    let bad = rig.signature_by(&key(99), drafted.text.as_bytes())?;
    // One bad signature beside a good one refuses the whole; sixteen good ones are one owner.
    refuse(
        rig,
        "a bad one beside",
        drafted.statement,
        &[honest.clone(), bad],
    )?;
    let submitted = rig.submit(drafted.statement, &vec![honest; 16])?;
    let gateway = rig.gateway();
    let page = rig.block(gateway.events(submitted.sequence - 1, 1, std::time::Duration::ZERO))?;
    let record = page.events.first().context("the event")?;
    let event: waiaas_shared::event::Event = waiaas_shared::codec::from_canonical(&record.body)?;
    let waiaas_shared::event::EventBody::NonceAttested { signers, .. } = event.body else {
        anyhow::bail!("another event");
    };
    ensure!(signers.len() == 1, "{} signers", signers.len());
    let tried = quorum_of_two(rig)?;
    rig.use_up("the policy asks two owners");
    let of_three = Template::aside(template.of_three_owners()?.rig()?, one_is_not_two)?;
    Ok(format!(
        "16 signatures of one owner counted as one; {tried} ways to be two owners with one key refused, and {of_three} where two of three must sign"
    ))
}

/// A policy that asks two owners, and one owner's key in every form that it has.
fn quorum_of_two(rig: &mut Rig) -> Result<usize> {
    tighten(rig, |document| document.approval.quorum = 2)?;
    let transfer = rig.to_evm(ASKED);
    let asked = open(rig, &transfer)?;
    let drafted = rig.draft(&approval(asked.transaction))?;
    let honest = rig.owner_signature(&drafted.text)?;
    let mut forms = vec![honest.clone()];
    for envelope in [Envelope::Ed25519OffchainV0, Envelope::Ed25519OffchainV1] {
        let signature = owner_payload(&drafted.text, envelope)
            .and_then(|bytes| rig.signature_by(&owner_key(), &bytes));
        forms.extend(signature.map(|signature| OwnerSignature {
            envelope,
            ..signature
        }));
    }
    ensure!(forms.len() >= 2, "no second form fits the text");
    let mut renamed = honest.clone();
    renamed.owner = waiaas_shared::ids::OwnerId::from_bytes([1; 16]);
    let mut attempts = vec![
        ("once", vec![honest.clone()], Code::QuorumMissing),
        ("twice", vec![honest.clone(); 2], Code::QuorumMissing),
        ("in all its forms", forms.clone(), Code::QuorumMissing),
        (
            "in all its forms, many times",
            forms.iter().cycle().take(16).cloned().collect(),
            Code::QuorumMissing,
        ),
        (
            "under another name",
            vec![honest.clone(), renamed],
            Code::OwnerUnknown,
        ),
    ];
    // A second form of the numbers: the scalar and the group's order, the point's sign.
    for place in [31, 63] {
        let mut bent = honest.clone();
        if let Some(byte) = bent.signature.get_mut(place) {
            *byte ^= 0x80;
        }
        attempts.push(("bent", vec![honest.clone(), bent], Code::StatementSignature));
    }
    let tried = attempts.len();
    for (what, signatures, code) in attempts {
        let given = refusal(rig.submit(drafted.statement, &signatures))?;
        ensure!(given == code, "{what}: {given}");
        let not_approved = [Code::IntentNotApproved];
        rig.unreleased(what, asked.transaction, &asked.unsigned, &not_approved)?;
    }
    Ok(tried)
}

fn weak_forms(rig: &mut Rig, _: &Template) -> Result<String> {
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 7000,
        from: None,
    };
    let drafted = rig.draft(&attest)?;
    let honest = rig.owner_signature(&drafted.text)?;
    let (point, scalar) = honest.signature.split_at(32);
    // The scalar plus the group's order: the same number modulo it, another encoding.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")?;
    let mut carry = 0_u16;
    let larger: Vec<u8> = scalar
        .iter()
        .zip(&order)
        .map(|(one, other)| {
            let sum = u16::from(*one) + u16::from(*other) + carry;
            carry = sum >> 8;
            u8::try_from(sum & 0xff).unwrap_or(0)
        })
        .collect();
    let mut forms = vec![[point, &larger].concat()];
    // Nonce points of small order, in canonical and other encodings, with several scalars.
    for small in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        let small = hex::decode(small)?;
        for scalar in [scalar, &[0; 32], &larger] {
            forms.push([&small, scalar].concat());
        }
    }
    let attempts = forms
        .into_iter()
        .map(|signature| OwnerSignature {
            signature,
            ..honest.clone()
        })
        .collect();
    let tried = refuse_all(rig, drafted.statement, attempts)?;
    rig.submit(drafted.statement, &[honest])?;
    Ok(format!(
        "{tried} second forms refused, then the strict one passed"
    ))
}

fn other_kinds(rig: &mut Rig, _: &Template) -> Result<String> {
    let drafted = drafts(rig)?;
    let mut tried = 0;
    for (facts, target) in &drafted {
        for (other, source) in &drafted {
            if other.heading() != facts.heading() {
                let signature = rig.owner_signature(&source.text)?;
                let what = format!("{} as {}", other.heading(), facts.heading());
                refuse(rig, &what, target.statement, &[signature])?;
                tried += 1;
            }
        }
        // What else an owner's key may sign in its life.
        let head = rig.status()?.head;
        let login = format!(
            "example.com wants you to sign in with your Solana account:\n{}",
            rig.cast.agent.signer
        );
        for foreign in [
            head.as_bytes(),
            login.as_bytes(),
            b"",
            &drafted_transaction(rig)?,
        ] {
            let signature = rig.signature_by(&owner_key(), foreign)?;
            refuse(rig, facts.heading(), target.statement, &[signature])?;
            tried += 1;
        }
        // The text itself in an envelope that the submission does not name.
        let wrapped = owner_payload(&target.text, Envelope::Ed25519OffchainV1)?;
        let signature = rig.signature_by(&owner_key(), &wrapped)?;
        refuse(rig, "another envelope", target.statement, &[signature])?;
        tried += 1;
    }
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!("{tried} pairs of kinds refused"))
}

/// A transaction on the chain that an owner's wallet could have signed.
fn drafted_transaction(rig: &mut Rig) -> Result<Vec<u8>> {
    let transfer = rig.to_solana(1);
    waiaas_tests::agent::unsigned(&transfer)
}
