//! Events about agents, renewals and the keys of wallets, one of each kind and more where fields differ.
//! Only values: nothing is checked here. Used by `samples`.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::caip::{AccountId, Family};
use waiaas_shared::event::{EventBody, Origin, RequestNonce, Spend};
use waiaas_shared::ids::{AgentId, OwnerId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::keys::KeyPath;
use waiaas_shared::session::{Operation, Renewal, SessionGrant, SessionRecipients};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::kind;
use super::samples::{
    bytes, evm, evm_account, evm_wallet, grant, issued, session, solana_wallet, statement,
    transaction, units, wall, withdrawal,
};

fn agent() -> AgentId {
    AgentId::from_bytes(bytes(0x60))
}

fn new_account() -> Account {
    Account::Evm(EvmAddress::from_bytes([0xa7; 20]))
}

/// Every constraint that a grant can have.
fn narrow_grant() -> SessionGrant {
    let grant = SessionGrant {
        recipients: Some(SessionRecipients {
            contacts: vec!["hosting".to_owned()],
            accounts: vec![AccountId::new(evm(), new_account()).unwrap()],
        }),
        operations: Some(vec![Operation::NativeTransfer]),
        renewal: Some(Renewal {
            extends: Millis::from_hours(12),
            until: wall().after(Millis::from_hours(24 * 30)),
            count: 60,
        }),
        agent: Some(agent()),
        ..grant()
    };
    assert!(grant.is_well_formed());
    grant
}

fn facts() -> Vec<(&'static str, StatementFacts)> {
    vec![
        (
            "grant-session-narrow",
            StatementFacts::GrantSession {
                grant: narrow_grant(),
            },
        ),
        (
            "withdraw-former",
            StatementFacts::Withdraw {
                wallet: evm_wallet(),
                asset: evm().native_asset(),
                to: evm_account(),
                amount: units(1000),
                fee_ceiling: units(21_000),
                nonce: None,
                from: Some(new_account()),
            },
        ),
        (
            "close-wallet",
            StatementFacts::CloseWallet {
                wallet: evm_wallet(),
            },
        ),
        (
            "rotate-wallet",
            StatementFacts::RotateWallet {
                wallet: evm_wallet(),
                first_nonce: 2,
            },
        ),
        (
            "register-agent",
            StatementFacts::RegisterAgent { active: true },
        ),
        (
            "activate-agent",
            StatementFacts::ActivateAgent { agent: agent() },
        ),
    ]
}

pub(crate) fn about_agents(signers: &[OwnerId]) -> Vec<(String, EventBody)> {
    let signers = signers.to_vec();
    let renewed = |request_nonce| EventBody::SessionRenewed {
        session: session(),
        ends: wall().after(Millis::from_hours(36)),
        request_nonce,
    };
    let bodies = [
        renewed(Some(RequestNonce {
            nonce: "nonce-0002".to_owned(),
            expires: wall().after(Millis::from_secs(120)),
        })),
        EventBody::WalletClosed {
            wallet: solana_wallet(),
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::WalletRotated {
            wallet: evm_wallet(),
            path: KeyPath {
                family: Family::Evm,
                index: 1,
            },
            account: new_account(),
            first_nonce: 2,
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::AgentRegistered {
            agent: agent(),
            stage: AgentStage::Created,
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::AgentActivated {
            agent: agent(),
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::AgentStopped {
            agent: agent(),
            stage: AgentStage::Suspended,
            origin: Origin::Gateway,
        },
        EventBody::AgentTerminated {
            agent: agent(),
            sessions: vec![session()],
        },
    ];
    let more = [
        ("session-renewed-bearer", renewed(None)),
        (
            "agent-stopped-terminating",
            EventBody::AgentStopped {
                agent: agent(),
                stage: AgentStage::Terminating,
                origin: Origin::Admin,
            },
        ),
        (
            "withdrawn-former",
            EventBody::Withdrawn {
                statement: statement(),
                signers,
                spend: Spend {
                    from: Some(new_account()),
                    ..withdrawal()
                },
            },
        ),
        (
            "intents-ended-wallet",
            EventBody::IntentsEnded {
                transactions: vec![transaction()],
                cause: IntentEnd::WalletClosed,
            },
        ),
    ];
    let statements = facts()
        .into_iter()
        .map(|(name, facts)| (format!("statement-issued-{name}"), issued(facts)));
    bodies
        .into_iter()
        .map(|body| (kind(&body).to_owned(), body))
        .chain(more.into_iter().map(|(name, body)| (name.to_owned(), body)))
        .chain(statements)
        .collect()
}
