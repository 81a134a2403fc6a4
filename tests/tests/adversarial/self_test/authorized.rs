//! The checks of authorizations, of what was brought and of programs that were called, checked: each is given a
//! log with one thing wrong and must see it.

use anyhow::{Context as _, Result, ensure};
use waiaas_client::SignedTransfer;
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::event::{Event, EventBody, Spend};

use super::judged;
use crate::calculator::authorized::by_hand;
use crate::cases;
use crate::checks::Checks;
use crate::runner::Template;

type Change = fn(&mut Spend, &mut TransferAuthorization) -> Result<()>;
type Altered = fn(&mut SignedTransfer);

/// The last authorization, changed, with its bytes as the fields then say.
fn changed(events: &mut [Event], change: Change) -> Result<()> {
    let mut bodies = events.iter_mut().rev().map(|event| &mut event.body);
    let found = bodies.find_map(|body| match body {
        EventBody::TransferAuthorized {
            spend,
            authorization,
        } => Some((spend, authorization)),
        _ => None,
    });
    let (spend, authorization) = found.context("an authorization")?;
    let before = authorization.clone();
    change(spend, authorization)?;
    if *authorization != before {
        spend.unsigned = by_hand(authorization)?.payload();
    }
    Ok(())
}

fn amount(spend: &mut Spend, authorization: &mut TransferAuthorization, amount: u128) {
    let amount = Amount::from_base_units(amount);
    authorization.value = amount;
    for charge in &mut spend.charges {
        charge.amount = amount;
    }
}

const WRONG: &[(&str, Change)] = &[
    ("a smaller charge", |spend, _| {
        let charge = spend.charges.first_mut().context("a charge")?;
        charge.amount = Amount::from_base_units(1);
        Ok(())
    }),
    ("a charge of the coin", |spend, _| {
        let charge = spend.charges.first_mut().context("a charge")?;
        charge.asset = spend.chain.native_asset();
        Ok(())
    }),
    ("other bytes", |spend, _| {
        let byte = spend.unsigned.last_mut().context("bytes")?;
        *byte ^= 1;
        Ok(())
    }),
    ("another value than was hashed", |_, authorization| {
        authorization.value = Amount::from_base_units(1_000);
        Ok(())
    }),
    ("more than the limit", |spend, authorization| {
        amount(spend, authorization, u128::MAX / 4);
        Ok(())
    }),
    ("a longer life", |_, authorization| {
        authorization.valid_before += 60;
        Ok(())
    }),
    ("a life without end", |_, authorization| {
        authorization.valid_before = u64::MAX;
        Ok(())
    }),
    ("one that has ended", |_, authorization| {
        authorization.valid_before = 1;
        Ok(())
    }),
    ("one that begins later", |_, authorization| {
        authorization.valid_after = 1;
        Ok(())
    }),
    ("another domain", |_, authorization| {
        authorization.domain.name.push('s');
        Ok(())
    }),
    ("another payer", |_, authorization| {
        authorization.from = authorization.to;
        Ok(())
    }),
    ("to a stranger", |_, authorization| {
        authorization.to = waiaas_shared::address::EvmAddress::from_bytes([0xbb; 20]);
        Ok(())
    }),
    ("an account nonce", |spend, _| {
        spend.nonce = Some(0);
        Ok(())
    }),
    ("one that waits", |spend, _| {
        spend.tier = waiaas_shared::policy::evaluate::Tier::Approval;
        Ok(())
    }),
];

pub(super) fn all(template: &Template) -> Result<()> {
    let mut rig = template.rig()?;
    let mut checks = Checks::new(&rig)?;
    cases::one_of_each(&mut rig)?;
    let failures = checks.after(&mut rig);
    ensure!(failures.is_empty(), "an honest log: {failures:?}");
    let events = &checks.log.events;
    ensure!(judged(events, |_| Ok(()))?.is_empty(), "an honest log");
    for (what, change) in WRONG {
        let seen = judged(events, |events| changed(events, *change))?;
        ensure!(!seen.is_empty(), "O2 overlooks {what} of an authorization");
    }
    // The same once more: another name and key, the same random number.
    let seen = judged(events, |events| {
        let again = events
            .iter()
            .rev()
            .find(|event| matches!(event.body, EventBody::TransferAuthorized { .. }));
        let mut again = again.cloned().context("an authorization")?;
        again.clocks = events.last().context("an event")?.clocks;
        if let EventBody::TransferAuthorized { spend, .. } = &mut again.body {
            spend.transaction = waiaas_shared::ids::TransactionId::from_bytes([9; 16]);
            spend.idempotency = spend.body;
        }
        events.push(again);
        Ok(())
    })?;
    ensure!(
        seen.iter().any(|one| one.contains("random number")),
        "O4 overlooks a random number twice: {seen:?}"
    );
    // What was brought and what was called: a charge that is one unit less, asset by asset.
    for (place, event) in events.iter().enumerate() {
        let EventBody::SpendCommitted(spend) = &event.body else {
            continue;
        };
        for charge in 0..spend.charges.len() {
            let seen = judged(events, |events| {
                if let EventBody::SpendCommitted(spend) = &mut events[place].body {
                    let amount = &mut spend.charges[charge].amount;
                    *amount = Amount::from_base_units(amount.base_units() - 1);
                }
                Ok(())
            })?;
            ensure!(!seen.is_empty(), "O2 overlooks a unit of event {place}");
        }
    }
    // Elsewhere as well.
    super::elsewhere::authorized(events)?;
    released(&mut rig)?;
    // Its process ends here.
    let failures = checks.at_the_end(&mut rig);
    ensure!(failures.is_empty(), "an honest end: {failures:?}");
    Ok(())
}

/// What left is compared with what was recorded.
fn released(rig: &mut crate::rig::Rig) -> Result<()> {
    let honest = rig.record.authorized.last().cloned();
    let honest = honest.context("an authorization")?;
    let changes: [(&str, Altered); 4] = [
        ("a changed signature", |one| one.signature[5] ^= 1),
        ("another v", |one| one.signature[64] ^= 7),
        ("another event", |one| one.sequence -= 1),
        ("other fields", |one| one.authorization.valid_before += 1),
    ];
    for (what, change) in changes {
        let mut other = honest.clone();
        change(&mut other.signed);
        rig.record.authorized = vec![other];
        let failures = Checks::new(rig)?.after(rig);
        ensure!(
            failures.iter().any(|failure| failure.starts_with("O10")),
            "O10 overlooks {what}: {failures:?}"
        );
    }
    rig.record.authorized.clear();
    rig.record
        .kills
        .push(honest.requested - std::time::Duration::from_millis(1));
    rig.record.authorized.push(honest);
    let releases = std::mem::take(&mut rig.record.releases);
    let failures = Checks::new(rig)?.after(rig);
    rig.record.releases = releases;
    rig.record.kills.clear();
    ensure!(
        failures.iter().any(|failure| failure.starts_with("O6")),
        "O6 overlooks an authorization after a kill: {failures:?}"
    );
    Ok(())
}
