//! Lives that owners bound: sessions that renew themselves, agents in stages, wallets' keys (R01 to R08).
//! What tightens is anybody's; nothing leads back without an owner.

pub(super) mod agent;
pub(super) mod session;
pub(super) mod wallet;

use anyhow::{Context as _, Result, ensure};
use waiaas_client::{Drafted, NewWallet};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::AgentId;
use waiaas_shared::session::{Renewal, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{Agent, Transfer, grant, key, now};
use waiaas_tests::stage::{EVM, LIMIT, solana};

use crate::rig::{Rig, refusal};

/// With which codes a made-up owner's word is refused.
const NO_OWNER: [Code; 4] = [
    Code::QuorumMissing,
    Code::StatementSignature,
    Code::OwnerUnknown,
    Code::StatementUnknown,
];

/// What an owner bounds a session by in these cases.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    extends: Millis,
    /// Beyond the first end.
    beyond: Millis,
    count: u32,
}

/// Twelve hours at a time, twice, for twenty hours beyond the first.
const BOUNDS: Bounds = Bounds {
    extends: Millis::from_hours(12),
    beyond: Millis::from_hours(20),
    count: 2,
};

/// A grant over a wallet for an hour, renewable within bounds.
fn lasting(number: u8, wallets: &[NewWallet], bounds: Bounds) -> SessionGrant {
    let expires = now().after(Millis::from_hours(1));
    SessionGrant {
        expires,
        renewal: Some(Renewal {
            extends: bounds.extends,
            until: expires.after(bounds.beyond),
            count: bounds.count,
        }),
        ..grant(&key(number), wallets, &[EVM, solana()], LIMIT, u128::MAX)
    }
}

/// An agent with a key of its own and such a session.
fn lives(rig: &mut Rig, number: u8, bounds: Bounds, agent: Option<AgentId>) -> Result<Agent> {
    let wallets = [rig.cast.other_evm, rig.cast.other_solana];
    let session = rig.granted(SessionGrant {
        agent,
        ..lasting(number, &wallets, bounds)
    })?;
    Ok(Agent {
        signer: rig.cast.agent.signer,
        session,
        key: key(number),
    })
}

/// A small payment out of the other wallet.
fn small(rig: &Rig) -> Transfer {
    Transfer {
        from: rig.cast.other_evm,
        ..rig.to_evm(7)
    }
}

/// Asks for a payment that must be refused with this code.
fn unpaid(rig: &mut Rig, what: &str, agent: &Agent, code: Code) -> Result<()> {
    let key = rig.fresh_key();
    let transfer = small(rig);
    let request = agent.request(&transfer, &key)?;
    rig.refuse(what, request, &[code])
}

/// Asks for a payment that must pass.
fn paid(rig: &mut Rig, agent: &Agent) -> Result<()> {
    let key = rig.fresh_key();
    let transfer = small(rig);
    let request = agent.request(&transfer, &key)?;
    rig.send(&request).context("a live agent's payment")?;
    Ok(())
}

/// Hands a statement in with every word but the owner's.
fn forged(rig: &mut Rig, drafted: &Drafted) -> Result<usize> {
    let owner = rig.owner_id()?;
    let text = drafted.text.as_bytes();
    let zeros = OwnerSignature {
        owner,
        envelope: Envelope::Ed25519Plain,
        signature: vec![0; 64],
    };
    let attempts = [
        vec![],
        vec![zeros],
        vec![rig.signature_by(&key(99), text)?],
        vec![rig.signature_by(&key(22), text)?],
        vec![rig.signature_by(&key(33), text)?],
    ];
    let tried = attempts.len();
    for signatures in attempts {
        let code = refusal(rig.submit(drafted.statement, &signatures))?;
        ensure!(NO_OWNER.contains(&code), "without the owner: {code}");
    }
    Ok(tried)
}

/// A draft that must be refused.
fn undrafted(rig: &mut Rig, facts: &StatementFacts, code: Code) -> Result<()> {
    let given = refusal(rig.draft(facts)).with_context(|| facts.heading())?;
    ensure!(given == code, "{}: {given}", facts.heading());
    Ok(())
}

/// The address that a wallet has now.
fn address(rig: &Rig, wallet: NewWallet) -> Result<waiaas_shared::address::Account> {
    let views = rig.block(rig.gateway().wallets())?;
    let view = views.iter().find(|view| view.wallet == wallet.wallet);
    Ok(view.context("the wallet")?.account)
}

/// A life that keeps every rule, for the checks to judge: renewed, stopped, brought back, moved, ended.
pub(crate) fn lived(rig: &mut Rig) -> Result<()> {
    let staged = rig.register(true)?;
    let agent = lives(rig, 70, BOUNDS, Some(staged))?;
    paid(rig, &agent)?;
    let request = rig.renewal(&agent, crate::rig::RENEWAL)?;
    rig.renew(&request)?;
    rig.stop_agent(staged, false)?;
    rig.say(&StatementFacts::ActivateAgent { agent: staged })?;
    paid(rig, &agent)?;
    let evm = rig.cast.other_evm.wallet;
    rig.say(&StatementFacts::RotateWallet {
        wallet: evm,
        first_nonce: 0,
    })?;
    paid(rig, &agent)?;
    let solana = rig.cast.other_solana;
    let transfer = Transfer {
        from: solana,
        ..rig.to_solana(3)
    };
    let key = rig.fresh_key();
    let request = agent.request(&transfer, &key)?;
    rig.send(&request)?;
    rig.say(&StatementFacts::CloseWallet {
        wallet: solana.wallet,
    })?;
    Ok(())
}
