//! Texts that the signer is made to write so that they hide something (P11).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::Transfer;
use waiaas_tests::stage::{EVM, account};

use super::drafts;
use crate::cases::waiting::{approval, open};
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::ASKED;

pub(in crate::cases) const CASES: &[Case] = &[case("P11", hiding_texts)];

fn hiding_texts(rig: &mut Rig, template: &Template) -> Result<String> {
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
    let spoken = told_in_full(rig)?;
    let twins = Template::aside(template.on_test_networks()?.rig()?, look_alikes)?;
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
        "{shown} texts plain, bounded, complete; {spoken} agents' words beside an approval and none in it; {twins} look-alikes named; {refused} hiding names and 200 loosenings refused"
    ))
}

/// What an approval's text must hold of its payment, and of the agent's words must not.
fn told_in_full(rig: &mut Rig) -> Result<usize> {
    let words = [
        "surely a refund\nAmount: 1 of nothing",
        "To: 0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "refund of the owner\r\n\r\nWAIaaS REJECT PAYMENT",
        &"very long ".repeat(400),
    ];
    let mut spoken = 0;
    for (number, reason) in (1..).zip(words) {
        // Amounts of no payment that waits already.
        let transfer = rig.to_evm(ASKED + 1000 * number);
        let honest = rig.request(&transfer)?;
        let mut body: serde_json::Value = serde_json::from_slice(&honest.body)?;
        body["reason"] = serde_json::json!(reason);
        let request = rig.agent().sign(waiaas_client::SpendRequest {
            body: body.to_string().into_bytes(),
            ..honest.clone()
        })?;
        // A body with words that it may not have is refused whole; the plain one is asked for then.
        let view = match rig.ask(&request) {
            Ok(waiaas_client::Paid::Waiting { view, .. }) => *view,
            Ok(_) => anyhow::bail!("signed at once"),
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::BodyMalformed, "{code}");
                let plain = rig.request(&transfer)?;
                rig.wait(&plain)
                    .with_context(|| format!("words {number}"))?
            }
        };
        let intent = view.intent;
        let admin = &rig.owner().admin;
        let drafted = rig.block(admin.draft_statement(&approval(intent.transaction)))?;
        rig.record.accepted += 1;
        let text = drafted.text;
        for line in reason.lines().filter(|line| !line.is_empty()) {
            ensure!(
                !text.contains(line),
                "the agent's words stand in it: {line}"
            );
        }
        let amount = intent.amount.base_units();
        for told in [
            amount.to_string(),
            intent.to.to_string(),
            intent.wallet.to_string(),
            intent.session.to_string(),
            intent.transaction.to_string(),
            rig.cast.evm.account.to_string(),
            intent.fee_ceiling.base_units().to_string(),
            EVM.to_string(),
            drafted.statement.to_string(),
            format!("Policy epoch: {}", rig.status()?.policy_epoch),
        ] {
            ensure!(text.contains(&told), "{told} is not in\n{text}");
        }
        let amounts = text.matches("Amount").count();
        ensure!(amounts == 1, "{amounts} amounts in\n{text}");
        spoken += 1;
    }
    Ok(spoken)
}

/// Recipients that begin and end like a contact of the policy are shown in full and named as others.
fn look_alikes(rig: &mut Rig) -> Result<usize> {
    let open_to_all = rig.next_policy(|document| {
        document.recipients_open = true;
        document.first_payment = Some(waiaas_shared::policy::evaluate::Tier::Approval);
    })?;
    rig.adopt(&open_to_all)?;
    let mut found = 0;
    for middle in ["00", "ff", "5e"] {
        let address = checksummed(&format!(
            "0x5aae{}beaed",
            middle.repeat(32).get(..31).unwrap_or_default()
        ));
        let transfer = Transfer {
            to: address.parse()?,
            ..rig.to_evm(1)
        };
        let asked = open(rig, &transfer).with_context(|| address.clone())?;
        let drafted = rig.draft(&approval(asked.transaction))?;
        for told in [
            address.as_str(),
            "WARNING",
            "recipient-0",
            "first one to this recipient",
        ] {
            ensure!(
                drafted.text.contains(told),
                "{told} is not in\n{}",
                drafted.text
            );
        }
        found += 1;
    }
    rig.use_up("statements are open");
    Ok(found)
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
