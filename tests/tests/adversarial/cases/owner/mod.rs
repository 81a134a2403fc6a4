//! The owner's word: statements to attack, and how they are handed in.

pub(super) mod enrol;
pub(super) mod forgery;
pub(super) mod hiding;
pub(super) mod moments;
pub(super) mod monitor;
pub(super) mod quorum;
pub(super) mod text;

use anyhow::{Context as _, Result, ensure};
use waiaas_client::Drafted;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Charge;
use waiaas_shared::ids::StatementId;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT, account};

use super::waiting::{approval, open, rejection};
use crate::rig::{Rig, refusal};
use crate::stand::ASKED;

const REFUSED: [Code; 7] = [
    Code::StatementSignature,
    Code::QuorumMissing,
    Code::OwnerUnknown,
    Code::StatementUnknown,
    Code::AdminOnly,
    Code::StatementMismatch,
    Code::OwnerItself,
];

/// How many kinds [`kinds`] has.
const KINDS: usize = 14;

/// One statement of each kind that can be drafted over the gateway's socket now. The first approves,
/// the second rejects a payment that waits; what would void others comes last.
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
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let amount = ASKED + u128::try_from(rig.record.opened.len())?;
        let transfer = rig.to_evm(amount);
        waiting.push(open(rig, &transfer)?.transaction);
    }
    let [approved, rejected] = waiting[..] else {
        anyhow::bail!("two payments");
    };
    let small = rig.to_evm(1);
    let paid = rig.pay(&small)?;
    let looser = rig.next_policy(|document| {
        for rule in &mut document.assets {
            rule.per_transaction = Amount::from_base_units(LIMIT * 3);
        }
    })?;
    let granted = grant(&key(55), &[rig.cast.evm], &[EVM], LIMIT, u128::MAX);
    let new_key = |number| {
        OwnerKey::Ed25519(SolanaAddress::from_bytes(
            key(number).verifying_key().to_bytes(),
        ))
    };
    let kinds = vec![
        approval(approved),
        rejection(rejected),
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
            from: None,
        },
        StatementFacts::AttestNonce {
            wallet,
            chain: EVM,
            next: 1000,
            from: None,
        },
        StatementFacts::EnrolWithdrawal {
            account: account(EVM, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
        },
        StatementFacts::AddOwner { key: new_key(66) },
        StatementFacts::AddGuardian { key: new_key(67) },
        StatementFacts::SetQuorum { quorum: 1 },
        StatementFacts::SuspendOwner {
            owner: rig.owner_id()?,
        },
        StatementFacts::Credit {
            sequence: paid.sequence,
            transaction: paid.transaction,
            wallet: rig.cast.evm.wallet,
            amounts: vec![Charge {
                asset: EVM.native_asset(),
                amount: Amount::from_base_units(1),
            }],
        },
        StatementFacts::Retire,
        StatementFacts::AdoptPolicy {
            document: looser.to_bytes(),
        },
    ];
    ensure!(kinds.len() == KINDS, "{} kinds", kinds.len());
    Ok(kinds)
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
