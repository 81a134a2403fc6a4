//! Samples of the statements about agents, wallets' keys and grants with every constraint. Only values.
//! Used by `samples`.

use super::samples::{
    RECIPIENT_EVM, Sample, TestView, agent_grant, bearer_grant, first_policy, read, units,
    wallet_id,
};
use super::*;
use crate::session::{Operation, Renewal, SessionRecipients};
use crate::time::{Millis, WallTime};

pub(in crate::statement) fn agent_id() -> AgentId {
    AgentId::from_bytes([0x33; 16])
}

/// Every constraint at once.
pub(in crate::statement) fn narrow_grant() -> SessionGrant {
    SessionGrant {
        recipients: Some(SessionRecipients {
            contacts: vec!["hosting".to_owned()],
            accounts: vec![read(
                "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            )],
        }),
        operations: Some(vec![Operation::NativeTransfer]),
        renewal: Some(Renewal {
            extends: Millis::from_hours(24),
            until: WallTime::from_millis(1_797_931_800_000),
            count: 60,
        }),
        agent: Some(agent_id()),
        ..agent_grant()
    }
}

/// One statement or more of each kind.
pub(in crate::statement) fn agent_samples() -> Vec<Sample> {
    let first = TestView::new(Some(first_policy()));
    let sample = |name, view: &TestView, facts| Sample {
        name,
        view: view.clone(),
        facts,
    };
    let to_evm: AccountId = read(RECIPIENT_EVM);
    let eth: AssetId = read("eip155:1/slip44:60");
    vec![
        sample(
            "grant-session-narrow",
            &first,
            StatementFacts::GrantSession {
                grant: narrow_grant(),
            },
        ),
        sample(
            "grant-session-bearer-renewable",
            &first,
            StatementFacts::GrantSession {
                grant: SessionGrant {
                    renewal: narrow_grant().renewal,
                    ..bearer_grant()
                },
            },
        ),
        sample(
            "close-wallet",
            &first,
            StatementFacts::CloseWallet {
                wallet: wallet_id(1),
            },
        ),
        sample(
            "rotate-wallet",
            &first,
            StatementFacts::RotateWallet {
                wallet: wallet_id(3),
                first_nonce: 0,
            },
        ),
        sample(
            "rotate-wallet-solana",
            &first,
            StatementFacts::RotateWallet {
                wallet: wallet_id(1),
                first_nonce: 0,
            },
        ),
        sample(
            "register-agent",
            &first,
            StatementFacts::RegisterAgent { active: true },
        ),
        sample(
            "register-agent-created",
            &first,
            StatementFacts::RegisterAgent { active: false },
        ),
        sample(
            "activate-agent",
            &first,
            StatementFacts::ActivateAgent { agent: agent_id() },
        ),
        sample(
            "withdraw-former",
            &first,
            StatementFacts::Withdraw {
                wallet: wallet_id(3),
                asset: eth,
                to: to_evm.account(),
                amount: units(1_250_000_000_000_000_000),
                fee_ceiling: units(420_000_000_000_000),
                nonce: None,
                from: Some(read("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
            },
        ),
    ]
}
