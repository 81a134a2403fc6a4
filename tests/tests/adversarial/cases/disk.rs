//! The log starved and cut short: a full disk, and ends in every moment (P34, P35).

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;

use super::waiting::{Open, mature, open as open_one};
use super::{Case, case};
use crate::long::Rounds;
use crate::raw::{Answer, Random, Wire, payment, release};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{DELAYED, Home};

pub(super) const CASES: &[Case] = &[case("P34", full_disk), case("P35", crash_loop)];

/// Ends by kill -9 in the ordinary run and in the longest; each costs a start and a password.
const ENDS: (u64, u64) = (5, 100_000);
/// Writes of one command, at most.
pub(super) const WRITES_LIMIT: i64 = 60;
/// The small disk.
const DISK: u64 = 8 * 1024 * 1024;

fn full_disk(rig: &mut Rig, template: &Template) -> Result<String> {
    let home = Home::on_small_disk(&template.home, DISK)?;
    let small = Rig::start(home, template.cast.clone())?;
    let said = Template::aside(small, filled)?;
    // The signers on other disks were served all the while.
    rig.status()?;
    Ok(said)
}

/// Fills the disk until it refuses, but for so many bytes.
fn fill(path: &Path, spare: u64) -> Result<()> {
    let mut file = std::fs::File::create(path)?;
    let mut length = 0_u64;
    while file.write_all(&[0; 4096]).is_ok() {
        length += 4096;
    }
    file.set_len(length.saturating_sub(spare))?;
    Ok(())
}

fn filled(rig: &mut Rig) -> Result<String> {
    let ballast = rig.home.state().join("ballast");
    fill(&ballast, 128 * 1024)?;
    let (mut signed, mut refused) = (0, 0);
    while refused <= 20 {
        let transfer = rig.to_evm(1 + signed);
        let request = rig.request(&transfer)?;
        match rig.send(&request) {
            Ok(_) => signed += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::StorageFull, "{code}");
                refused += 1;
            }
        }
        ensure!(signed < 2000, "the disk never fills");
    }
    ensure!(!rig.ended()?, "the signer ended");
    std::fs::remove_file(&ballast)?;
    let transfer = rig.to_evm(1);
    rig.pay(&transfer).context("with room again")?;
    // Full once more: a kill finds its reserve.
    fill(&ballast, 0)?;
    rig.kill().context("a kill on a full disk")?;
    ensure!(rig.status()?.kill == "ACTIVATED");
    std::fs::remove_file(&ballast)?;
    rig.use_up("killed");
    Ok(format!(
        "{signed} signed before it was full, {refused} refused without a record; it recovered; a kill found room"
    ))
}

fn crash_loop(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut random = Random(35);
    let (mut charged, mut open): (u64, Vec<SpendRequest>) = (0, Vec::new());
    let (mut matured, mut released, mut left) = (Vec::<Open>::new(), 0, 0);
    let rounds = Rounds::new("P35", ENDS.0, ENDS.1);
    let ends = rounds.all();
    for round in rounds {
        let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
        let mut bytes = Vec::new();
        for question in 1..=100 {
            let transfer = if question % 2 == 0 {
                rig.to_evm(1)
            } else {
                rig.to_solana(1)
            };
            let request = rig.request(&transfer)?;
            bytes.extend(payment(question, 1, &request));
            open.push(request);
            // Among them the releases of what has waited since the round before.
            if let Some(waiting) = matured.get(usize::try_from(question / 20)?)
                && question % 20 == 0
            {
                bytes.extend(release(
                    1000 + question,
                    waiting.transaction,
                    &waiting.unsigned,
                ));
            }
        }
        ensure!(wire.push(&bytes, Duration::from_secs(5)));
        // Somewhere among the answers, or before the first.
        let heard = wire.answers(random.below(90), Duration::from_secs(20))?;
        std::thread::sleep(Duration::from_micros(random.next() % 5000));
        rig.crash();
        left += heard.len();
        rig.record.captured.extend(&wire.captured);
        rig.resume()?;
        // Each is asked again until it is answered, and again: one payment, the same bytes.
        let mut again = Vec::new();
        for request in open.drain(..) {
            again.push(rig.agent().sign(request)?);
        }
        let first = rig.send_all(&again)?;
        let mut once_more = Vec::new();
        for request in again {
            once_more.push(rig.agent().sign(request)?);
        }
        for (one, other) in first.into_iter().zip(rig.send_all(&once_more)?) {
            let (one, other) = (one?, other?);
            ensure!(
                one.raw == other.raw && other.replay,
                "two forms of one payment"
            );
            charged += u64::from(one.replay);
            rig.record.paid += u64::from(one.replay);
        }
        // Of the time that passed before the end only what the log has counts.
        if !matured.is_empty() {
            mature();
        }
        for waiting in std::mem::take(&mut matured) {
            let one = rig.release(waiting.transaction, &waiting.unsigned)?;
            let other = rig.release(waiting.transaction, &waiting.unsigned)?;
            ensure!(
                one.raw == other.raw && other.replay,
                "two forms of one payment that waited"
            );
            rig.record.paid += u64::from(one.replay);
            released += 1;
        }
        if round + 1 < ends {
            for number in 0..6 {
                let transfer = rig.to_evm(DELAYED + number);
                matured.push(open_one(rig, &transfer)?);
            }
            mature();
        }
    }
    ensure!(charged > 0, "no end came behind a charge");
    let (writes, kept) = Template::aside(template.rig_in_hand()?, ended_at_each_write)?;
    Ok(format!(
        "an end before each of the {writes} writes and syncs of a payment, {kept} of them behind its charge: made once; {ends} ends among 100 payments each, {left} answers before them: {charged} were charged before the end, none twice; {released} that had waited left once"
    ))
}

/// Ends the signer before the first write of a payment, before the second, and so on, until one is signed
/// without an end. Whatever was written down, the payment is asked for again and made once. How many
/// writes there are, and how often the charge had been kept.
fn ended_at_each_write(rig: &mut Rig) -> Result<(i64, u64)> {
    let mut kept = 0;
    for write in 1..WRITES_LIMIT {
        let transfer = if write % 2 == 0 {
            rig.to_evm(7)
        } else {
            rig.to_solana(7)
        };
        let request = rig.request(&transfer)?;
        let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
        rig.home.machine()?.end_at(write)?;
        ensure!(wire.push(&payment(1, 1, &request), Duration::from_secs(1)));
        let heard = wire.answers(1, Duration::from_secs(20))?;
        rig.record.captured.extend(&wire.captured);
        let left = rig.home.machine()?.writes_left()?;
        rig.home.machine()?.end_at(0)?;
        if left == 0 {
            rig.ended_by_itself()?;
            rig.resume()?;
        }
        let again = rig.agent().sign(request)?;
        let one = rig.send(&again)?;
        let once_more = rig.agent().sign(again)?;
        let other = rig.send(&once_more)?;
        ensure!(
            one.raw == other.raw && other.replay,
            "two forms of one payment"
        );
        kept += u64::from(one.replay && left == 0);
        rig.record.paid += u64::from(one.replay);
        for (_, answer) in &heard {
            let same = *answer == Answer::Results(Some(one.raw.clone()));
            ensure!(same, "an answer of another payment: {answer:?}");
        }
        if left > 0 {
            ensure!(write > 1 && !heard.is_empty(), "no write was counted");
            return Ok((write - 1, kept));
        }
    }
    anyhow::bail!("a payment of more than {WRITES_LIMIT} writes")
}
