//! The checks, checked: each is given something wrong and must see it. Without this a check that
//! never fails would look like one that holds.

mod authorized;
mod documents;
mod elsewhere;
mod lives;
mod owners;
mod waiting;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::SignerId;

use crate::bytes;
use crate::calculator::{Calculator, account_bytes};
use crate::chain::Log;
use crate::checks::Checks;
use crate::rig::Rig;
use crate::runner::Template;
use waiaas_tests::secrets::{Secrets, first_addresses};

/// Runs a signer, then doctors what it left.
pub(crate) fn all() -> Result<()> {
    let template = Template::new()?;
    let mut rig = template.rig()?;
    let mut checks = Checks::new(&rig)?;
    let ways = waiting::honest(&mut rig)?;
    for amount in 1..4 {
        let transfer = rig.to_evm(amount);
        rig.pay(&transfer)?;
        let transfer = rig.to_solana(amount);
        rig.pay(&transfer)?;
    }
    let failures = checks.after(&mut rig);
    ensure!(failures.is_empty(), "an honest log: {failures:?}");
    crate::long::checked()?;
    cores()?;
    secrets(&rig)?;
    limits(&checks.log.events)?;
    elsewhere::all(&checks.log.events)?;
    waiting::faults(&checks.log.events, ways)?;
    the_chain(&rig)?;
    signed_bytes(&rig)?;
    waiting::doctored(&mut rig)?;
    authorized::all(&template)?;
    lives::all(&template)?;
    owners::all(&template)?;
    doctored(&mut rig)?;
    let mut rig = template.rig()?;
    let checks = Checks::new(&rig)?;
    let failures = checks.at_the_end(&mut rig);
    ensure!(failures.is_empty(), "an honest end: {failures:?}");
    Ok(())
}

/// O1: a program like any other has core files, or is dumpable.
fn cores() -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    use xtask::process::Process;

    let mut command = std::process::Command::new("sleep");
    let other = Process::spawn("sleep", command.arg("60").uid(crate::stand::GATEWAY_UID))?;
    ensure!(
        crate::checks::cores::closed(other.id()).is_err(),
        "O1 overlooks a dumpable process"
    );
    Ok(())
}

fn secrets(rig: &Rig) -> Result<()> {
    let phrase = &rig.cast.phrase;
    let secrets = Secrets::of(phrase)?;
    let (solana, evm) = first_addresses(phrase)?;
    ensure!(
        solana == account_bytes(rig.cast.solana.account),
        "O1 derives another Solana key"
    );
    ensure!(
        evm == account_bytes(rig.cast.evm.account),
        "O1 derives another EVM key"
    );
    let password = waiaas_tests::owner::PASSWORD;
    let hidden: [Vec<u8>; 4] = [
        [b"before", password, b"behind"].concat(),
        hex::encode(password).into_bytes(),
        phrase.clone(),
        password.iter().rev().copied().collect(),
    ];
    for bytes in hidden {
        ensure!(!secrets.within(&bytes).is_empty(), "O1 overlooks a secret");
    }
    ensure!(secrets.within(b"nothing secret stands here").is_empty());
    Ok(())
}

fn judged(
    events: &[Event],
    change: impl FnOnce(&mut Vec<Event>) -> Result<()>,
) -> Result<Vec<String>> {
    let mut events = events.to_vec();
    change(&mut events)?;
    let mut calculator = Calculator::default();
    events.iter().for_each(|event| calculator.take(event));
    Ok(calculator.failures)
}

fn last_spend(events: &mut [Event]) -> Result<&mut waiaas_shared::event::Spend> {
    events
        .iter_mut()
        .rev()
        .find_map(|event| match &mut event.body {
            EventBody::SpendCommitted(spend) if spend.nonce.is_some() => Some(spend),
            _ => None,
        })
        .context("a payment")
}

fn limits(events: &[Event]) -> Result<()> {
    ensure!(
        judged(events, |_| Ok(()))?.is_empty(),
        "O2 refuses an honest log"
    );
    type Change = fn(&mut Vec<Event>) -> Result<()>;
    let changes: [(&str, Change); 7] = [
        ("a smaller charge", |events| {
            let charge = last_spend(events)?
                .charges
                .first_mut()
                .context("a charge")?;
            charge.amount = Amount::from_base_units(1);
            Ok(())
        }),
        ("other bytes", |events| {
            let spend = last_spend(events)?;
            spend.unsigned = bytes::typed(2, bytes::fields(31_337, &[0xbb; 20], 1, &[]));
            Ok(())
        }),
        ("a nonce again", |events| {
            let again = events.iter().rev().find(|event| matches!(&event.body, EventBody::SpendCommitted(spend) if spend.nonce.is_some()));
            events.push(again.cloned().context("a payment")?);
            Ok(())
        }),
        ("a payment after a kill", |events| {
            let clocks = events.last().context("an event")?.clocks;
            let place = events.len() - 1;
            let body = EventBody::Killed {
                epoch: 1,
                origin: waiaas_shared::event::Origin::Gateway,
            };
            events.insert(place, Event { clocks, body });
            Ok(())
        }),
        ("a policy adopted twice", |events| {
            let adopted = events
                .iter()
                .find(|event| matches!(event.body, EventBody::PolicyAdopted { .. }));
            events.push(adopted.cloned().context("a policy")?);
            Ok(())
        }),
        ("a clock that goes back", |events| {
            events.last_mut().context("an event")?.clocks.run =
                waiaas_shared::time::RunTime::from_millis(0);
            Ok(())
        }),
        ("very many payments", |events| {
            let again = events.iter().rev().find(|event| matches!(&event.body, EventBody::SpendCommitted(spend) if spend.nonce.is_none()));
            let again = again.cloned().context("a payment")?;
            events.extend(std::iter::repeat_n(again, 1));
            let EventBody::SpendCommitted(spend) = &mut events.last_mut().context("an event")?.body
            else {
                anyhow::bail!("a payment");
            };
            let large = crate::cases::large_transfer(spend)?;
            spend.charges.first_mut().context("a charge")?.amount = Amount::from_base_units(large);
            Ok(())
        }),
    ];
    for (what, change) in changes {
        ensure!(
            !judged(events, change)?.is_empty(),
            "O2 to O6 overlook {what}"
        );
    }
    Ok(())
}

fn the_chain(rig: &Rig) -> Result<()> {
    let gateway = rig.gateway();
    let page = rig.block(gateway.events(0, u32::MAX, std::time::Duration::ZERO))?;
    let keystore = std::fs::read(rig.home.state().join("keystore"))?;
    let key: [u8; 32] = keystore.get(64..96).context("a header")?.try_into()?;
    let signer = rig.cast.agent.signer;
    let follow = |signer: SignerId, page: &waiaas_client::EventPage| {
        let mut log = Log::new(signer, key)?;
        log.follow(page)?;
        log.finish()
    };
    follow(signer, &page).context("an honest page")?;
    let mut changed = page.clone();
    if let Some(byte) = changed
        .events
        .first_mut()
        .and_then(|event| event.body.last_mut())
    {
        *byte ^= 1;
    }
    ensure!(
        follow(signer, &changed).is_err(),
        "O7 overlooks a changed event"
    );
    let mut headless = page.clone();
    headless.heads.pop();
    ensure!(
        follow(signer, &headless).is_err(),
        "O7 overlooks a missing head"
    );
    let mut gap = page.clone();
    gap.events.remove(1);
    ensure!(follow(signer, &gap).is_err(), "O7 overlooks a gap");
    ensure!(
        follow(SignerId::from_bytes([1; 16]), &page).is_err(),
        "O7 takes another signer's log"
    );
    Ok(())
}

fn signed_bytes(rig: &Rig) -> Result<()> {
    for release in &rig.record.releases {
        let accounts = [rig.cast.evm.account, rig.cast.solana.account].map(account_bytes);
        let good = accounts
            .iter()
            .filter(|account| bytes::verified(&release.signed.raw, account).is_ok());
        ensure!(good.count() == 1, "O10: one account signs each");
        for place in [5, 40, 80, release.signed.raw.len() - 1] {
            let mut changed = release.signed.raw.clone();
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= 1;
            }
            let good = accounts
                .iter()
                .any(|account| bytes::verified(&changed, account).is_ok());
            ensure!(!good, "O10 overlooks a changed byte {place}");
        }
    }
    Ok(())
}

/// The checks that need the rig itself: a false record of it must be seen.
fn doctored(rig: &mut Rig) -> Result<()> {
    let seen = |rig: &mut Rig, name: &str| -> Result<()> {
        let mut checks = Checks::new(rig)?;
        let failures = checks.after(rig);
        ensure!(
            failures.iter().any(|failure| failure.starts_with(name)),
            "{name} overlooks it: {failures:?}"
        );
        Ok(())
    };
    rig.record.captured.extend(waiaas_tests::owner::PASSWORD);
    seen(rig, "O1")?;
    rig.record.captured.clear();
    if let Some(status) = &mut rig.record.status {
        status.sequence += 1_000_000;
    }
    seen(rig, "O5")?;
    rig.record.kills.push(std::time::Instant::now());
    let transfer = rig.to_evm(1);
    rig.pay(&transfer)?;
    seen(rig, "O6")?;
    rig.record.kills.clear();
    rig.record
        .heads
        .push("waiaas/log/v1/x\n1\nAAAA\n\n\u{2014} x AAAA\n".to_owned());
    seen(rig, "O7")?;
    rig.record.heads.clear();
    // A change that nobody recorded as accepted.
    let mut checks = Checks::new(rig)?;
    rig.block(rig.gateway().pause(Some(rig.cast.main.wallet)))?;
    let failures = checks.after(rig);
    ensure!(
        failures.iter().any(|failure| failure.starts_with("O9")),
        "O9 overlooks it: {failures:?}"
    );
    let mut other = rig.record.releases.last().cloned().context("a release")?;
    other.proposed = vec![2];
    rig.record.releases.push(other);
    seen(rig, "O10")?;
    rig.record.releases.pop();
    rig.pause()?;
    seen(rig, "O8")?;
    let transfer = rig.to_evm(1);
    let request = rig.request(&transfer)?;
    rig.refuse("paused", request, &[Code::Frozen])
}
