//! Many agents at once on one wallet near its limit: what is signed never exceeds it, the rest get a
//! clean refusal, and one commit carries many payments.

use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_tests::agent::{Agent, grant, key};
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{EVM, LIMIT, Stage, codes, gateway, run};

const AGENTS: u8 = 64;
/// Fee of every payment here: 21,000 gas at 1 gwei.
const FEE: u128 = 21_000_000_000_000;

/// Must show 5.
#[test]
fn sixty_four_agents_never_exceed_the_wallets_limit() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        // Room for exactly 40 payments and a little, for 64 who each ask for five.
        let each = 1_000_000_000_000_000;
        let window = 40 * (each + FEE) + each / 2;
        ensure!(window >= LIMIT / 10, "limits must rise");
        let stage = Stage::with_window(&home, window.max(LIMIT)).await?;
        let window = window.max(LIMIT);
        let mut agents = Vec::new();
        for number in 0..AGENTS {
            let key = key(100 + number);
            let session = stage
                .owner
                .grant(grant(&key, &[stage.evm], &[EVM], LIMIT, u128::MAX))
                .await?;
            agents.push(Agent {
                signer: stage.agent.signer,
                session,
                key,
            });
        }
        let gateway = Rc::new(gateway(&home.gateway_socket()).await?);
        let before = gateway.status().await?.sequence;
        let amount = each;
        let places = Rc::new(tokio::sync::Semaphore::new(waiaas_schema::CALLS_IN_FLIGHT));
        let mut tasks = Vec::new();
        for (place, agent) in agents.iter().enumerate() {
            for round in 0..5 {
                let request = agent.request(&stage.to_evm(amount), &format!("{place}-{round}"))?;
                let gateway = Rc::clone(&gateway);
                let places = Rc::clone(&places);
                tasks.push(tokio::task::spawn_local(async move {
                    // A gateway keeps to the signer's bound of calls in flight.
                    let _place = places.acquire().await;
                    gateway.sign(&request).await
                }));
            }
        }
        let (mut signed, mut refused) = (0_u128, 0);
        let mut nonces = std::collections::BTreeSet::new();
        for task in tasks {
            match task.await? {
                Ok(paid) => {
                    let payment = paid.signed().context("nothing waits here")?;
                    signed += amount + FEE;
                    ensure!(
                        nonces.insert(payment.raw),
                        "the same bytes for two payments"
                    );
                }
                Err(error) => {
                    let codes = codes(&error);
                    let clean = [
                        Code::HourLimit,
                        Code::DayLimit,
                        Code::WeekLimit,
                        Code::MonthLimit,
                        Code::OutstandingCap,
                    ];
                    ensure!(codes.iter().all(|code| clean.contains(code)), "{codes:?}");
                    refused += 1;
                }
            }
        }
        ensure!(signed <= window, "{signed} of {window}");
        ensure!(
            signed + amount + FEE > window,
            "the limit is used up: {signed} of {window}"
        );
        ensure!(refused > 0, "some must be refused");
        let events = gateway.status().await?.sequence - before;
        ensure!(
            u128::from(events) == signed / (amount + FEE),
            "one event a payment: {events}"
        );
        Ok(()) as Result<()>
    });
}
