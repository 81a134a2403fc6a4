//! An agent's life against the sealed signer: a session that the agent renews itself, a wallet that moves
//! to a new key and is signed for with it after a restart, stages that stop the agent's sessions.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use waiaas_client::{NewWallet, SessionRequest, SpendRequest};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::amount::Amount;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::session::{Renewal, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_shared::transaction::{Known, decode};
use waiaas_tests::agent::{Agent, Transfer, grant, key, now, unsigned};
use waiaas_tests::owner::Owner;
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT, Stage, codes, gateway, run};

/// What one event of the log says.
async fn event(owner: &Owner, sequence: u64) -> Result<EventBody> {
    let page = owner
        .admin
        .events(sequence.saturating_sub(1), 1, Duration::ZERO)
        .await?;
    let record = page.events.first().context("the event")?;
    Ok(from_canonical::<Event>(&record.body)?.body)
}

/// A request for a renewal, signed for `path`.
fn renewal(agent: &Agent, path: &str) -> Result<SessionRequest> {
    let signed = agent.sign(SpendRequest {
        session: agent.session,
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: "?".to_owned(),
        idempotency_key: "renewal".to_owned(),
        body: json!({ "signer": agent.signer }).to_string().into_bytes(),
        signature_input: String::new(),
        signature: String::new(),
        unsigned: Vec::new(),
    })?;
    Ok(SessionRequest {
        session: signed.session,
        method: signed.method,
        path: "/v1/session/renew".to_owned(),
        query: signed.query,
        idempotency_key: signed.idempotency_key,
        body: signed.body,
        signature_input: signed.signature_input,
        signature: signed.signature,
    })
}

#[test]
fn an_agent_lives_through_renewal_rotation_and_its_stages() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let owner = &stage.owner;
        let wire = gateway(&home.gateway_socket()).await?;

        // An agent, and a session of its own that may be renewed at once.
        let registered = owner
            .say(&StatementFacts::RegisterAgent { active: true })
            .await?;
        let EventBody::AgentRegistered { agent: id, .. } =
            event(owner, registered.sequence).await?
        else {
            bail!("another event");
        };
        let key = key(23);
        let base = grant(&key, &[stage.evm], &[EVM], LIMIT, u128::MAX);
        let first_end = now().after(Millis::from_hours(1));
        let renewable = SessionGrant {
            expires: first_end,
            renewal: Some(Renewal {
                extends: Millis::from_hours(12),
                until: first_end.after(Millis::from_hours(20)),
                count: 2,
            }),
            agent: Some(id),
            ..base
        };
        let agent = Agent {
            signer: stage.agent.signer,
            session: owner.grant(renewable).await?,
            key,
        };
        let renewed = wire
            .renew_session(&renewal(&agent, "/v1/session/renew")?)
            .await?;
        ensure!(renewed.ends > first_end.after(Millis::from_hours(10)));
        for (path, code) in [
            ("/v1/transactions", Code::RequestSignatureInvalid),
            ("/v1/session/renew", Code::SessionRenewalEarly),
        ] {
            let refused = wire.renew_session(&renewal(&agent, path)?).await;
            let refused = refused.expect_err("out of its bounds");
            ensure!(codes(&refused) == [code], "{path}: {refused}");
        }
        let view = wire.remaining(agent.session).await?.context("known")?;
        ensure!((view.ends, view.renewals) == (renewed.ends, 1));
        ensure!(view.stage == Some(AgentStage::Active));

        // The wallet moves to a new key; what was paid with the old one is not given again.
        let before = wire
            .sign(&agent.request(&stage.to_evm(1_000), "before")?)
            .await?
            .signed()
            .context("nothing waits here")?;
        let rotated = owner
            .say(&StatementFacts::RotateWallet {
                wallet: stage.evm.wallet,
                first_nonce: 0,
            })
            .await?;
        let EventBody::WalletRotated { account, path, .. } = event(owner, rotated.sequence).await?
        else {
            bail!("another event");
        };
        ensure!(account != stage.evm.account && path.index == 1);
        let refused = wire.signed_transaction(before.transaction).await;
        ensure!(codes(&refused.expect_err("the old key")) == [Code::WalletClosed]);
        drop((wire, signer));

        // After a restart every key is there again.
        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        owner.unlock().await?;
        let wire = gateway(&home.gateway_socket()).await?;
        let moved = Transfer {
            from: NewWallet {
                account,
                ..stage.evm
            },
            ..stage.to_evm(2_000)
        };
        let after = wire
            .sign(&agent.request(&moved, "after")?)
            .await?
            .signed()
            .context("nothing waits here")?;
        ensure!(after.raw != before.raw);
        let views = wire.wallets().await?;
        let view = views.iter().find(|view| view.wallet == stage.evm.wallet);
        let view = view.context("the wallet")?;
        ensure!(view.account == account && view.nonces[0].next == 1);
        ensure!(view.former.len() == 1 && view.former[0].account == stage.evm.account);

        // The owner's way out of the old address, signed with the old key.
        let to = EVM_TO.parse()?;
        let facts = StatementFacts::Withdraw {
            wallet: stage.evm.wallet,
            asset: EVM.native_asset(),
            to,
            amount: Amount::from_base_units(5),
            fee_ceiling: Amount::from_base_units(21_000 * 1_000_000_000),
            nonce: None,
            from: Some(stage.evm.account),
        };
        let drafted = owner.admin.draft_statement(&facts).await?;
        let home_again = owner
            .admin
            .withdraw(
                drafted.statement,
                &[owner.signature(&drafted.text)?],
                &unsigned(&stage.to_evm(5))?,
            )
            .await?;
        let EventBody::Withdrawn { spend, .. } = event(&owner, home_again.sequence).await? else {
            bail!("another event");
        };
        ensure!(spend.from == Some(stage.evm.account) && spend.nonce == Some(1));
        ensure!(decode(EVM, stage.evm.account, &spend.unsigned, Known::NOTHING).is_ok());

        // Suspended over the gateway's own socket; only the owner brings it back.
        wire.suspend_agent(id).await?;
        let pay = |name: &'static str| agent.request(&moved, name);
        let refused = wire.sign(&pay("suspended")?).await.expect_err("suspended");
        ensure!(codes(&refused) == [Code::AgentSuspended], "{refused}");
        owner
            .say(&StatementFacts::ActivateAgent { agent: id })
            .await?;
        wire.sign(&pay("active")?).await?;
        wire.terminate_agent(id).await?;
        let refused = wire.sign(&pay("terminated")?).await.expect_err("over");
        ensure!(codes(&refused) == [Code::SessionRevoked], "{refused}");
        let agents = wire.agents().await?;
        ensure!(agents.len() == 1 && agents[0].stage == AgentStage::Terminated);
        Ok(())
    });
}
