//! The owner shown another text, and consent without a signature (P12, P13).

use anyhow::{Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::StatementId;

use super::{drafts, refuse};
use crate::cases::waiting::{approval, open};
use crate::cases::{Case, case};
use crate::rig::Rig;
use crate::runner::Template;
use crate::stand::ASKED;

pub(in crate::cases) const CASES: &[Case] = &[case("P12", another_text), case("P13", no_signature)];

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
    // A small payment's text is shown and signed; it is handed in for a large one, renamed or not.
    let (little, much) = (rig.to_evm(ASKED + 100), rig.to_evm(ASKED * 9));
    let (little, much) = (open(rig, &little)?, open(rig, &much)?);
    let admin = &rig.owner().admin;
    let (shown, meant) = rig.block(async {
        let shown = admin.draft_statement(&approval(little.transaction)).await?;
        let meant = admin.draft_statement(&approval(much.transaction)).await?;
        Ok::<_, anyhow::Error>((shown, meant))
    })?;
    rig.record.accepted += 2;
    let amounts = [ASKED * 9, ASKED + 100].map(|amount| amount.to_string());
    let [large, small] = &amounts;
    for text in [
        shown.text.clone(),
        shown
            .text
            .replace(&shown.statement.to_string(), &meant.statement.to_string()),
        meant.text.replace(large, small),
        meant.text.replace(
            &much.transaction.to_string(),
            &little.transaction.to_string(),
        ),
        meant.text.replace("APPROVE PAYMENT", "REJECT PAYMENT"),
        meant.text.replace("APPROVE", "Approve"),
    ] {
        ensure!(text != meant.text, "nothing was changed in\n{text}");
        let signature = rig.owner_signature(&text)?;
        refuse(rig, "another payment's text", meant.statement, &[signature])?;
        let not_approved = [Code::IntentNotApproved];
        rig.unreleased(
            "shown another text",
            much.transaction,
            &much.unsigned,
            &not_approved,
        )?;
        tried += 1;
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
    // What approves, shortens or loosens for the channel that carries no signature: nothing. All that it
    // may do to what waits is end it.
    let waiting = rig.intents()?;
    for view in &waiting {
        let transfer = rig.to_evm(view.intent.amount.base_units());
        let unsigned = waiaas_tests::agent::unsigned(&transfer)?;
        let not_approved = [Code::IntentNotApproved];
        rig.unreleased("pressed", view.intent.transaction, &unsigned, &not_approved)?;
        rig.cancel(view.intent.transaction)?;
        rig.unreleased(
            "ended",
            view.intent.transaction,
            &unsigned,
            &[Code::IntentUnknown],
        )?;
        tried += 2;
    }
    ensure!(!waiting.is_empty(), "nothing waited");
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
        "{tried} presses without a signature refused; kill, pause, revoke and cancel are all that need none"
    ))
}
