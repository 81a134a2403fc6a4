//! kill -9 of the signer in the middle of many payments, again and again: the log verifies after each
//! start, no payment is lost, doubled or stuck, no nonce is used twice or skipped, and what left comes to
//! the limit exactly, which a tenth of the payments exceeds.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use waiaas_client::ClientError;
use waiaas_shared::denial::Code;
use waiaas_tests::log::audit;
use waiaas_tests::owner::Owner;
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{Stage, gateway, run};

const ROUNDS: u64 = 50;
const PAYMENTS: u64 = 200;
/// What one payment charges: 1 wei and 21,000 gas at 1 gwei.
const CHARGE: u128 = 1 + 21_000_000_000_000;
/// As many as the policy's windows let leave; the rest is refused.
const ALLOWED: u64 = ROUNDS * PAYMENTS / 10 * 9;
/// After each of so many rounds the whole log is read and verified here as well, beside the signer's start.
const AUDITED: u64 = 10;

/// Whether it was refused because no more may leave.
fn is_over(error: &ClientError) -> bool {
    matches!(error, ClientError::Denied(denial)
    if denial.violations().iter().all(|broken| matches!(
        broken.code,
        Code::HourLimit | Code::DayLimit | Code::WeekLimit | Code::MonthLimit | Code::OutstandingCap
    )))
}

/// The signer's half of must show 4.
#[test]
fn fifty_kills_minus_nine_lose_and_double_nothing() {
    run(async {
        let home = Home::new()?;
        let window = CHARGE * u128::from(ALLOWED) + CHARGE / 2;
        ensure!(
            window > waiaas_tests::stage::LIMIT,
            "the window binds first"
        );
        let signer = home.start()?;
        let stage = Stage::with_window(&home, window).await?;
        drop(signer);
        let mut released: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut unanswered: Vec<String> = Vec::new();
        let mut refused = 0;
        let mut seed = 0x5eed_u64;
        let mut interrupted = 0;
        for round in 0..=ROUNDS {
            let signer = home.start()?;
            let owner = Owner::connect(&home.admin_socket()).await?;
            owner.unlock().await?;
            let gateway = Rc::new(gateway(&home.gateway_socket()).await?);
            // Whatever was asked before and not answered is asked again under its own key.
            for key in std::mem::take(&mut unanswered) {
                let request = stage.agent.request(&stage.to_evm(1), &key)?;
                let paid = match gateway.sign(&request).await {
                    Err(error) if is_over(&error) => {
                        refused += 1;
                        continue;
                    }
                    answer => answer?,
                };
                let signed = paid.signed().context("nothing waits here")?;
                ensure!(
                    released.insert(key.clone(), signed.raw).is_none(),
                    "{key} was answered already"
                );
            }
            if round % AUDITED == 0 {
                audit(&home, &owner.admin, stage.agent.signer).await?;
            }
            if round == ROUNDS {
                break;
            }
            let mut tasks = Vec::new();
            for number in 0..PAYMENTS {
                let key = format!("{round}-{number}");
                let request = stage.agent.request(&stage.to_evm(1), &key)?;
                let gateway = Rc::clone(&gateway);
                tasks.push((
                    key,
                    tokio::task::spawn_local(async move { gateway.sign(&request).await }),
                ));
            }
            // Anywhere from before the first to after the last answer.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            tokio::time::sleep(Duration::from_micros(seed >> 33 & 0xffff)).await;
            drop(signer);
            let before = released.len();
            for (key, task) in tasks {
                match task.await? {
                    Ok(paid) => {
                        let signed = paid.signed().context("nothing waits here")?;
                        ensure!(!signed.replay, "{key} was never asked before");
                        released.insert(key, signed.raw);
                    }
                    Err(ClientError::Disconnected | ClientError::TimedOut) => unanswered.push(key),
                    Err(error) if is_over(&error) => refused += 1,
                    Err(error) => return Err(error).context(key),
                }
            }
            let answered = u64::try_from(released.len() - before)?;
            interrupted += u64::from(answered > 0 && answered < PAYMENTS);
        }
        ensure!(
            interrupted > 0,
            "no kill ever hit the middle of the payments"
        );
        // One more start, locked: the whole log against what left.
        let signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        let audited = audit(&home, &owner.admin, stage.agent.signer).await?;
        let spends: Vec<_> = audited.spends().collect();
        let total = usize::try_from(ALLOWED)?;
        ensure!(
            released.len() == total,
            "{} payments left, {total} may",
            released.len()
        );
        ensure!(refused == ROUNDS * PAYMENTS - ALLOWED, "{refused} refusals");
        ensure!(
            spends.len() == total,
            "{} charges for {total} payments",
            spends.len()
        );
        let mut nonces: Vec<_> = spends.iter().filter_map(|spend| spend.nonce).collect();
        nonces.sort_unstable();
        ensure!(
            nonces.iter().copied().eq(0..u64::try_from(total)?),
            "nonces are given once, in order"
        );
        let mut raw: Vec<_> = released.values().collect();
        raw.sort();
        raw.dedup();
        ensure!(raw.len() == total, "two payments left as the same bytes");
        drop(signer);
        Ok(())
    });
}
