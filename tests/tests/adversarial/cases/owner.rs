//! The owner's word: made, reused, bent, hidden, multiplied (P01 to P15).

use anyhow::{Context as _, Result, ensure};
use waiaas_client::Drafted;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::StatementId;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::statement::{OPEN_LIMIT, StatementFacts};
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT, account};

use super::{Case, case};
use crate::rig::{Rig, owner_key, owner_payload, refusal};
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("P01", without_the_key),
    case("P02", used_twice),
    case("P03", another_ones),
    case("P04", every_bit),
    case("P07", counted_twice),
    case("P08", weak_forms),
    case("P09", other_kinds),
    case("P11", hiding_texts),
    case("P12", another_text),
    case("P13", no_signature),
    case("P14", own_approver),
    case("P15", too_many),
];

const REFUSED: [Code; 6] = [
    Code::StatementSignature,
    Code::QuorumMissing,
    Code::OwnerUnknown,
    Code::StatementUnknown,
    Code::AdminOnly,
    Code::StatementMismatch,
];

/// One statement of each kind that can be drafted over the gateway's socket now.
fn kinds(rig: &mut Rig) -> Result<Vec<StatementFacts>> {
    let wallet = rig.cast.other_evm.wallet;
    let gateway = rig.gateway();
    if !rig
        .block(gateway.wallets())?
        .iter()
        .any(|view| view.wallet == wallet && view.paused)
    {
        rig.block(gateway.pause(Some(wallet)))?;
        rig.record.accepted += 1;
    }
    let looser = rig.next_policy(|document| {
        for rule in &mut document.assets {
            rule.per_transaction = Amount::from_base_units(LIMIT * 3);
        }
    })?;
    let granted = grant(&key(55), &[rig.cast.evm], &[EVM], LIMIT, u128::MAX);
    Ok(vec![
        StatementFacts::AdoptPolicy {
            document: looser.to_bytes(),
        },
        StatementFacts::GrantSession { grant: granted },
        StatementFacts::ReleasePause {
            wallet: Some(wallet),
        },
        StatementFacts::Withdraw {
            wallet: rig.cast.evm.wallet,
            asset: EVM.native_asset(),
            to: EVM_TO.parse()?,
            amount: Amount::from_base_units(1),
            fee_ceiling: Amount::from_base_units(LIMIT),
            nonce: None,
        },
        StatementFacts::AttestNonce {
            wallet,
            chain: EVM,
            next: 1000,
        },
        StatementFacts::EnrolWithdrawal {
            account: account(EVM, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
        },
    ])
}

fn drafts(rig: &mut Rig) -> Result<Vec<(StatementFacts, Drafted)>> {
    let mut drafted = Vec::new();
    for facts in kinds(rig)? {
        let draft = rig.draft(&facts).with_context(|| facts.heading())?;
        drafted.push((facts, draft));
    }
    Ok(drafted)
}

/// Submits what must be refused.
fn refuse(
    rig: &mut Rig,
    what: &str,
    statement: StatementId,
    signatures: &[OwnerSignature],
) -> Result<Code> {
    let code = refusal(rig.submit(statement, signatures)).with_context(|| what.to_owned())?;
    ensure!(REFUSED.contains(&code), "{what}: {code}");
    Ok(code)
}

/// Submits many signatures for one statement at once; all must be refused.
fn refuse_all(
    rig: &mut Rig,
    statement: StatementId,
    attempts: Vec<OwnerSignature>,
) -> Result<usize> {
    let count = attempts.len();
    ensure!(count > 0, "nothing was attempted");
    for chunk in attempts.chunks(128) {
        let gateway = rig.gateway();
        let answers = rig.block(async {
            let tasks: Vec<_> = chunk
                .iter()
                .cloned()
                .map(|signature| {
                    let gateway = std::rc::Rc::clone(&gateway);
                    tokio::task::spawn_local(async move {
                        gateway.submit_statement(statement, &[signature]).await
                    })
                })
                .collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await?);
            }
            Ok::<_, anyhow::Error>(answers)
        })?;
        for answer in answers {
            let code = refusal(answer)?;
            ensure!(code == Code::StatementSignature, "{code}");
        }
    }
    Ok(count)
}

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

fn hiding_texts(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut shown = 0;
    for (facts, drafted) in drafts(rig)? {
        let text = &drafted.text;
        ensure!(
            text.len() <= waiaas_shared::statement::TEXT_LIMIT,
            "{} bytes",
            text.len()
        );
        ensure!(
            text.bytes()
                .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)),
            "unprintable"
        );
        let first = text.lines().next().unwrap_or_default();
        ensure!(first.contains(facts.heading()), "{first}");
        ensure!(
            text.contains(&drafted.statement.to_string()),
            "its own number is missing"
        );
        ensure!(
            text.contains(&rig.cast.agent.signer.to_string()),
            "the signer is missing"
        );
        if let StatementFacts::Withdraw { to, .. } = facts {
            ensure!(
                text.contains(&to.to_string()),
                "the recipient is not in full"
            );
        }
        shown += 1;
    }
    // Names that would bring lines, directions or markup of their own, and more than fits.
    let mut refused = 0;
    for name in [
        "a\nTo: attacker",
        "a\u{202e}b",
        "a\u{200b}",
        "<b>",
        "a | b",
        "A",
        "",
        &"a".repeat(33),
    ] {
        let document = rig.next_policy(|document| {
            if let Some(recipient) = document.recipients.first_mut() {
                recipient.name = name.to_owned();
            }
        })?;
        let facts = StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        };
        let code = refusal(rig.draft(&facts)).with_context(|| format!("{name:?}"))?;
        ensure!(
            [Code::PolicyMalformed, Code::StatementMalformed].contains(&code),
            "{code}"
        );
        refused += 1;
    }
    let many = rig.next_policy(|document| {
        let template = document.recipients.first().cloned();
        for number in 0..200_u8 {
            if let Some(mut recipient) = template.clone() {
                let address = format!("0x{:02x}{}", number, "11".repeat(19));
                recipient.account = account(EVM, &checksummed(&address));
                recipient.name = format!("many-{number}");
                document.recipients.push(recipient);
            }
        }
    })?;
    let facts = StatementFacts::AdoptPolicy {
        document: many.to_bytes(),
    };
    match rig.draft(&facts) {
        // As long as it shows them all.
        Ok(drafted) => ensure!(
            drafted.text.matches("many-").count() >= 200,
            "not all are shown"
        ),
        Err(error) => {
            let code = refusal::<()>(Err(error))?;
            ensure!(code == Code::StatementMalformed, "{code}");
        }
    }
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!(
        "{shown} texts plain, bounded, complete; {refused} hiding names and 200 loosenings refused"
    ))
}

/// An address in the form with its check.
fn checksummed(address: &str) -> String {
    let digits = address.trim_start_matches("0x").to_lowercase();
    let hash = hex::encode(crate::bytes::keccak(digits.as_bytes()));
    let mixed = digits.chars().zip(hash.chars()).map(|(digit, nibble)| {
        if nibble >= '8' {
            digit.to_ascii_uppercase()
        } else {
            digit
        }
    });
    format!("0x{}", mixed.collect::<String>())
}

fn another_text(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut tried = 0;
    for (facts, drafted) in drafts(rig)? {
        let small = drafted.text.replace("5000", "5").replace("1000", "1");
        for text in [
            drafted.text.to_lowercase(),
            drafted.text.replace('\n', "\r\n"),
            drafted.text.trim_end().to_owned(),
            format!("{}\n", drafted.text),
            format!(" {}", drafted.text),
            drafted.text.lines().next().unwrap_or_default().to_owned(),
            drafted.text.lines().rev().collect::<Vec<_>>().join("\n"),
            small,
            "Please confirm your login".to_owned(),
        ] {
            if text != drafted.text {
                let signature = rig.owner_signature(&text)?;
                refuse(rig, facts.heading(), drafted.statement, &[signature])?;
                tried += 1;
            }
        }
    }
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!(
        "{tried} other texts, signed by the owner's true key, refused"
    ))
}

fn no_signature(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut tried = 0;
    for (facts, drafted) in drafts(rig)? {
        let code = refuse(rig, facts.heading(), drafted.statement, &[])?;
        ensure!(code == Code::QuorumMissing, "{}: {code}", facts.heading());
        tried += 1;
    }
    for number in 0..32_u8 {
        let code = refuse(
            rig,
            "a made-up statement",
            StatementId::from_bytes([number; 16]),
            &[],
        )?;
        ensure!(code == Code::StatementUnknown, "{code}");
        tried += 1;
    }
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!(
        "{tried} presses without a signature refused; kill, pause and revoke are all that need none"
    ))
}

fn own_approver(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut tried = 0;
    for number in [66, 11] {
        let own = OwnerKey::Ed25519(SolanaAddress::from_bytes(
            key(number).verifying_key().to_bytes(),
        ));
        let facts = StatementFacts::EnrolOwner {
            key: own,
            withdrawals: Vec::new(),
        };
        let code = refusal(rig.draft(&facts))?;
        ensure!(
            [Code::AdminOnly, Code::OwnerKnown].contains(&code),
            "{code}"
        );
        tried += 1;
    }
    // An address of the attacker's, even with the owner's true signature, waits for the password.
    let thief = account(EVM, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359");
    let drafted = rig.draft(&StatementFacts::EnrolWithdrawal { account: thief })?;
    let signature = rig.owner_signature(&drafted.text)?;
    let code = refuse(rig, "an address", drafted.statement, &[signature])?;
    ensure!(code == Code::AdminOnly, "{code}");
    // And a withdrawal to where nobody enrolled is not even written down.
    let facts = StatementFacts::Withdraw {
        wallet: rig.cast.evm.wallet,
        asset: EVM.native_asset(),
        to: thief.account(),
        amount: Amount::from_base_units(1),
        fee_ceiling: Amount::from_base_units(LIMIT),
        nonce: None,
    };
    let code = refusal(rig.draft(&facts))?;
    ensure!(code == Code::WithdrawalAddress, "{code}");
    ensure!(
        rig.block(rig.owner().admin.owners())?.len() == 1,
        "another owner"
    );
    Ok(format!("{} attempts refused", tried + 2))
}

fn too_many(rig: &mut Rig, _: &Template) -> Result<String> {
    let (mut open, mut refused) = (0, 0);
    for next in 0..1000 {
        let attest = StatementFacts::AttestNonce {
            wallet: rig.cast.evm.wallet,
            chain: EVM,
            next: 9000 + next,
        };
        match rig.draft(&attest) {
            Ok(_) => open += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::StatementTooMany, "{code}");
                refused += 1;
            }
        }
    }
    ensure!(open <= OPEN_LIMIT && refused > 900, "{open} open");
    // The owner's own socket has places of its own.
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.other_evm.wallet,
        chain: EVM,
        next: 1,
    };
    rig.say_with_password(&attest)?;
    rig.use_up("the gateway's statements are all open");
    Ok(format!(
        "{open} of 1000 opened, the rest refused; the owner's own socket is free"
    ))
}
