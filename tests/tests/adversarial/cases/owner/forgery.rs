//! Signatures made, reused, bent, multiplied (P01 to P09).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_tests::agent::key;
use waiaas_tests::stage::EVM;

use super::{REFUSED, drafts, refuse, refuse_all};
use crate::cases::{Case, case};
use crate::rig::{Rig, owner_key, owner_payload, refusal};
use crate::runner::Template;

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
    for (facts, drafted) in drafts(rig)? {
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
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!(
        "{tried} made-up signatures over 6 kinds of statement refused"
    ))
}

fn used_twice(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut used = Vec::new();
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
    }
    ensure!(used.len() >= 4, "only {} were carried out", used.len());
    let mut tried = 0;
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        for (heading, statement, signature) in &used {
            let code = refuse(rig, heading, *statement, std::slice::from_ref(signature))?;
            ensure!(code == Code::StatementUnknown, "{heading}: {code}");
            tried += 1;
        }
    }
    rig.use_up("the policy was loosened by its owner");
    Ok(format!(
        "{} statements carried out once; {tried} second tries refused, also behind a restart",
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
        },
        StatementFacts::AttestNonce {
            wallet: rig.cast.evm.wallet,
            chain: EVM,
            next: 5001,
        },
        StatementFacts::AttestNonce {
            wallet: rig.cast.main.wallet,
            chain: crate::stand::MAIN,
            next: 5000,
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
    tried += 2;
    rig.use_up("statements are open");
    Ok(format!("{tried} crossings refused"))
}

fn every_bit(rig: &mut Rig, _: &Template) -> Result<String> {
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 5000,
    };
    let drafted = rig.draft(&attest)?;
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
    Ok(format!(
        "{tried} single bits of text and signature refused, then the true one passed"
    ))
}

fn counted_twice(rig: &mut Rig, _: &Template) -> Result<String> {
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 6000,
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
    Ok("16 signatures of one owner counted as one".to_owned())
}

fn weak_forms(rig: &mut Rig, _: &Template) -> Result<String> {
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 7000,
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
