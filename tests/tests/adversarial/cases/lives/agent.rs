//! Agents' stages and what was kept back (R06, R07), and texts by the megabyte (R08).

use anyhow::{Result, ensure};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::AgentId;
use waiaas_shared::policy::alarm::{Action, Escalation};
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::{Transfer, grant, key};
use waiaas_tests::stage::{EVM, LIMIT, account};

use super::{BOUNDS, NO_OWNER, forged, lives, paid, undrafted, unpaid};
use crate::cases::waiting::{approval, tighten, waits};
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::ASKED;

pub(in crate::cases) const CASES: &[Case] = &[
    case("R06", stages),
    case("R07", kept_back),
    case("R08", large_texts),
];

/// As docs/policy.md says: bytes of statements that the gateway's socket may have drafted in a day.
const DAY: u64 = 1 << 20;
/// Statements that may be open on one socket.
const OPEN: usize = 16;

fn stage(rig: &Rig, agent: AgentId) -> Result<Option<AgentStage>> {
    let agents = rig.block(rig.gateway().agents())?;
    let view = agents.iter().find(|view| view.agent == agent);
    Ok(view.map(|view| view.stage))
}

fn is(rig: &Rig, agent: AgentId, wanted: AgentStage) -> Result<()> {
    let found = stage(rig, agent)?;
    ensure!(
        found == Some(wanted),
        "{agent} is {found:?}, not {wanted:?}"
    );
    Ok(())
}

fn stages(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut tried = 0;
    let (created, active) = (rig.register(false)?, rig.register(true)?);
    let of_created = lives(rig, 60, BOUNDS, Some(created))?;
    let of_active = lives(rig, 61, BOUNDS, Some(active))?;
    unpaid(rig, "created", &of_created, Code::AgentNotActive)?;
    paid(rig, &of_active)?;
    // Forward is anybody's: suspended by the gateway, brought back by nobody but the owner.
    rig.stop_agent(active, false)?;
    unpaid(rig, "suspended", &of_active, Code::AgentSuspended)?;
    let activate = |agent| StatementFacts::ActivateAgent { agent };
    let kinds = [
        StatementFacts::RegisterAgent { active: true },
        StatementFacts::RegisterAgent { active: false },
        activate(created),
        activate(active),
        StatementFacts::CloseWallet {
            wallet: rig.cast.other_evm.wallet,
        },
        StatementFacts::RotateWallet {
            wallet: rig.cast.other_evm.wallet,
            first_nonce: 0,
        },
    ];
    let known = rig.block(rig.gateway().agents())?.len();
    let mut drafted = Vec::new();
    for facts in &kinds {
        let draft = rig.draft(facts)?;
        tried += forged(rig, &draft)?;
        let signature = rig.owner_signature(&draft.text)?;
        drafted.push((facts, draft, signature));
    }
    // No owner's word for one of them passes for another: of another kind, or about another agent.
    for (facts, target, _) in &drafted {
        for (other, source, signature) in &drafted {
            if source.statement != target.statement {
                let signatures = std::slice::from_ref(signature);
                let code = refusal(rig.submit(target.statement, signatures))?;
                let what = format!("{} as {}", other.heading(), facts.heading());
                ensure!(NO_OWNER.contains(&code), "{what}: {code}");
                tried += 1;
            }
        }
    }
    is(rig, created, AgentStage::Created)?;
    is(rig, active, AgentStage::Suspended)?;
    let now = rig.block(rig.gateway().agents())?.len();
    ensure!(now == known, "an agent that nobody registered");
    // The owner's word brings it back, once.
    let (_, draft, signature) = &drafted[3];
    rig.submit(draft.statement, std::slice::from_ref(signature))?;
    paid(rig, &of_active)?;
    let again = refusal(rig.submit(draft.statement, std::slice::from_ref(signature)))?;
    ensure!(again == Code::StatementUnknown, "activated again: {again}");
    tried += ended(rig, active, &of_active)?;
    Template::aside(template.rig()?, ending)?;
    rig.use_up("statements are open");
    Ok(format!(
        "{tried} ways back refused; forward was the gateway's"
    ))
}

/// An agent that was terminated never comes back.
fn ended(rig: &mut Rig, agent: AgentId, of_agent: &waiaas_tests::agent::Agent) -> Result<usize> {
    rig.stop_agent(agent, true)?;
    is(rig, agent, AgentStage::Terminated)?;
    let wallets = [rig.cast.other_evm];
    let another = SessionGrant {
        agent: Some(agent),
        ..grant(&key(62), &wallets, &[EVM], LIMIT, u128::MAX)
    };
    let back = [
        StatementFacts::ActivateAgent { agent },
        StatementFacts::GrantSession { grant: another },
    ];
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        unpaid(rig, "terminated", of_agent, Code::SessionRevoked)?;
        for facts in &back {
            undrafted(rig, facts, Code::AgentTerminated)?;
        }
        // Going on with what is over changes nothing.
        let sequence = rig.status()?.sequence;
        rig.stop_agent(agent, false)?;
        rig.stop_agent(agent, true)?;
        ensure!(rig.status()?.sequence == sequence, "written down again");
        is(rig, agent, AgentStage::Terminated)?;
    }
    Ok(6)
}

/// One of which something waits: it is not approved, not released, and its end is the agent's.
fn ending(rig: &mut Rig) -> Result<()> {
    let agent = rig.register(true)?;
    let of_agent = lives(rig, 63, BOUNDS, Some(agent))?;
    let transfer = Transfer {
        from: rig.cast.other_evm,
        ..rig.to_evm(ASKED)
    };
    let name = rig.fresh_key();
    let request = of_agent.request(&transfer, &name)?;
    let waiting = rig.wait(&request)?.intent.transaction;
    let kept = rig.draft(&approval(waiting))?;
    let signature = rig.owner_signature(&kept.text)?;
    rig.stop_agent(agent, true)?;
    is(rig, agent, AgentStage::Terminating)?;
    undrafted(rig, &approval(waiting), Code::AgentTerminated)?;
    let code = refusal(rig.submit(kept.statement, &[signature]))?;
    ensure!(code == Code::AgentTerminated, "approved: {code}");
    let codes = [Code::AgentTerminated];
    rig.unreleased("terminating", waiting, &request.unsigned, &codes)?;
    unpaid(rig, "terminating", &of_agent, Code::AgentTerminated)?;
    ensure!(waits(rig, waiting)?, "it waits until somebody ends it");
    rig.cancel(waiting)?;
    // The agent's end came with it.
    rig.record.accepted += 1;
    is(rig, agent, AgentStage::Terminated)
}

fn kept_back(_: &mut Rig, template: &Template) -> Result<String> {
    let drafts = Template::aside(template.rig()?, |rig| {
        let agent = rig.register(false)?;
        let of_agent = lives(rig, 64, BOUNDS, Some(agent))?;
        let facts = StatementFacts::ActivateAgent { agent };
        // Signed by the owner before the suspension, and brought behind it.
        let kept = rig.draft(&facts)?;
        let signature = rig.owner_signature(&kept.text)?;
        rig.stop_agent(agent, false)?;
        let code = refusal(rig.submit(kept.statement, std::slice::from_ref(&signature)))?;
        ensure!(code == Code::StatementUnknown, "kept back: {code}");
        is(rig, agent, AgentStage::Suspended)?;
        // Drafted while it was suspended, and suspended once more before it is brought.
        let kept = rig.draft(&facts)?;
        let signature = rig.owner_signature(&kept.text)?;
        rig.stop_agent(agent, false)?;
        rig.crash();
        rig.resume()?;
        let code = refusal(rig.submit(kept.statement, &[signature]))?;
        ensure!(code == Code::StatementUnknown, "kept back: {code}");
        unpaid(rig, "suspended", &of_agent, Code::AgentSuspended)?;
        // In turn, without end: as many as may be open, and the log grows no further.
        let mut drafts = 2;
        loop {
            match rig.draft(&facts) {
                Ok(_) => {
                    drafts += 1;
                    rig.stop_agent(agent, false)?;
                }
                Err(error) => {
                    let code = refusal::<()>(Err(error))?;
                    ensure!(code == Code::StatementTooMany, "{code}");
                    break;
                }
            }
            ensure!(drafts <= OPEN, "{drafts} statements at once");
        }
        let sequence = rig.status()?.sequence;
        for _ in 0..20 {
            rig.stop_agent(agent, false)?;
        }
        ensure!(rig.status()?.sequence == sequence, "written down again");
        is(rig, agent, AgentStage::Suspended)?;
        rig.use_up("as many statements are open as may be");
        Ok(drafts)
    })?;
    Template::aside(template.rig()?, resumption)?;
    Ok(format!(
        "activations and resumptions that were kept back refused; {drafts} drafts and suspensions in turn, then none"
    ))
}

/// A resumption that was signed never undoes a suspension that came later.
fn resumption(rig: &mut Rig) -> Result<()> {
    tighten(rig, |document| {
        document.escalations.push(Escalation {
            code: Code::PerTransactionLimit,
            action: Action::SuspendSession,
        });
    })?;
    let session = rig.cast.bearer;
    let facts = StatementFacts::ResumeSession { session };
    let transfer = rig.to_evm(LIMIT + 1);
    let suspend = |rig: &mut Rig| -> Result<()> {
        let request = rig.invented(&transfer)?;
        let codes = [
            Code::PerTransactionLimit,
            Code::TierNotAvailable,
            Code::SessionPerTransaction,
        ];
        rig.refuse("too much", request, &codes)?;
        rig.record.accepted += 2;
        let small = rig.to_evm(5);
        let request = rig.invented(&small)?;
        rig.refuse("suspended", request, &[Code::SessionSuspended])
    };
    suspend(rig)?;
    let kept = rig.draft(&facts)?;
    forged(rig, &kept)?;
    let signature = rig.owner_signature(&kept.text)?;
    rig.say(&facts)?;
    let small = rig.to_evm(5);
    let request = rig.invented(&small)?;
    rig.send(&request)?;
    suspend(rig)?;
    let code = refusal(rig.submit(kept.statement, &[signature]))?;
    ensure!(code == Code::StatementUnknown, "kept back: {code}");
    let request = rig.invented(&small)?;
    rig.refuse("suspended", request, &[Code::SessionSuspended])
}

/// Texts that nobody signs, as large as they may be: a day's worth of them is bounded.
fn large_texts(_: &mut Rig, template: &Template) -> Result<String> {
    let (drafted, refused) = Template::aside(template.rig()?, |rig| {
        let large = rig.next_policy(|document| {
            for number in 1..=4_000_u32 {
                let denied = account(EVM, &format!("0x{number:040}"));
                document.denied.push(denied);
            }
        })?;
        let size = u64::try_from(large.to_bytes().len())?;
        ensure!(size > 100_000, "{size} bytes are not large");
        let facts = StatementFacts::AdoptPolicy {
            document: large.to_bytes(),
        };
        let (mut drafted, mut refused) = (0_u64, 0);
        for restart in [false, true] {
            if restart {
                rig.crash();
                rig.resume()?;
            }
            for _ in 0..OPEN {
                match rig.draft(&facts) {
                    Ok(_) => drafted += 1,
                    Err(error) => {
                        let code = refusal::<()>(Err(error))?;
                        ensure!(code == Code::StatementTooMany, "{code}");
                        refused += 1;
                    }
                }
            }
        }
        ensure!(
            drafted * size <= DAY && (drafted + 1) * size > DAY - 100_000,
            "{drafted} texts of {size} bytes"
        );
        // The owner's own socket has no part in it.
        rig.block(rig.owner().admin.draft_statement(&facts))?;
        rig.record.accepted += 1;
        Ok((drafted * size, refused))
    })?;
    Ok(format!(
        "{drafted} bytes of texts drafted, then {refused} refused, also behind a restart"
    ))
}
