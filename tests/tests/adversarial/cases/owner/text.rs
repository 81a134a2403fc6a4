//! Texts that hide, consent without a signature, and too much of it (P11 to P15).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::StatementId;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::{OPEN_LIMIT, StatementFacts};
use waiaas_tests::agent::key;
use waiaas_tests::stage::{EVM, LIMIT, account};

use super::{drafts, refuse};
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("P11", hiding_texts),
    case("P12", another_text),
    case("P13", no_signature),
    case("P14", own_approver),
    case("P15", too_many),
];

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
        from: None,
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
