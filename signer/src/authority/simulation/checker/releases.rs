//! What left: signatures and the answers of `status`, against the log and against what was
//! acknowledged before.

use super::payments::by_itself;
use super::*;

/// A signature that left: recorded before, over those bytes, by that key, and nothing forbade it.
pub(super) fn left(history: &History, gates: &[Gate], release: &Release) -> Result<(), Broken> {
    let at = release.sequence;
    let known = entry(history, at).ok_or(Broken::Record(at, "no entry"))?;
    let spend = spend_of(&known.event.body).ok_or(Broken::Record(at, "no payment"))?;
    if known.moment.turn > release.moment.turn {
        return Err(Broken::Record(at, "recorded later"));
    }
    let created = history
        .entries
        .iter()
        .find_map(|entry| match &entry.event.body {
            EventBody::WalletCreated {
                wallet, account, ..
            } if *wallet == spend.wallet => Some(address(account)),
            _ => None,
        });
    let wallet = created.ok_or(Broken::Record(at, "no wallet"))?;
    let decoded = read_signed(&wallet, &release.raw).ok_or(Broken::Bytes(at, "signature"))?;
    if decoded.unsigned != spend.unsigned {
        return Err(Broken::Bytes(at, "other bytes than recorded"));
    }
    if release.key.is_some_and(|key| key != spend.idempotency) {
        return Err(Broken::Bytes(at, "another key's payment"));
    }
    if release.body.is_some_and(|body| body != spend.body) {
        return Err(Broken::Bytes(at, "another body's payment"));
    }
    let last = history
        .entries
        .iter()
        .rev()
        .find(|entry| entry.moment.turn <= release.moment.turn);
    let last = last.map_or(0, |entry| entry.sequence);
    acknowledged(
        history,
        release,
        spend,
        if release.replay { last } else { at },
    )?;
    if !release.replay {
        // Its own entry was judged where it stands.
        return Ok(());
    }
    // Somewhere between what was certain before and the end of its turn it must have been allowed.
    let certain = history
        .entries
        .iter()
        .filter(|entry| entry.moment.turn < release.moment.turn)
        .map(|entry| entry.sequence)
        .chain(
            history
                .acks
                .iter()
                .filter(|ack| ack.stamp < release.stamp && ack.stamp.0 == release.stamp.0)
                .map(|ack| ack.sequence),
        )
        .max()
        .unwrap_or(0);
    let mut why = Err(Broken::Record(at, "no moment"));
    for length in certain..=last {
        let place = usize::try_from(length).map_err(|_| Broken::Record(at, "length"))?;
        let gate = gates.get(place).ok_or(Broken::Record(at, "length"))?;
        let stated = || {
            history.entries.iter().any(|entry| {
                entry.moment.turn == release.moment.turn
                    && matches!(entry.event.body, EventBody::TimeStated { .. })
            })
        };
        if release.moment.strange && !stated() {
            return Err(Broken::Stopped(at, "strange clock"));
        }
        why = again(gate, release, spend, &decoded, history);
        if why.is_ok() {
            break;
        }
    }
    why
}

/// The same bytes once more, at one moment.
pub(super) fn again(
    gate: &Gate,
    release: &Release,
    spend: &Spend,
    decoded: &Decoded,
    history: &History,
) -> Result<(), Broken> {
    let at = release.sequence;
    if let Some(why) = gate.stops(spend.wallet) {
        return Err(Broken::Stopped(at, why));
    }
    if gate.open != Some(release.moment.life) {
        return Err(Broken::Stopped(at, "locked"));
    }
    let Some(session) = spend.session else {
        return Ok(());
    };
    if gate.dead.contains(&session) {
        return Err(Broken::Session(at, "over"));
    }
    let wall = if release.moment.strange {
        gate.wall
    } else {
        gate.wall.max(release.moment.wall)
    };
    let expired =
        history.entries.iter().any(|entry| match &entry.event.body {
            EventBody::SessionGranted {
                session: granted,
                statement,
                ..
            } if *granted == session => history.said.get(statement).is_some_and(|said| match &said
                .facts
            {
                StatementFacts::GrantSession { grant } => grant.expires.millis() <= wall,
                _ => false,
            }),
            _ => false,
        });
    if expired {
        return Err(Broken::Session(at, "expired"));
    }
    let run = gate.run + release.moment.run;
    let asked = history.asked.get(&spend.body);
    let judged = Judged {
        fee: decoded.fee,
        rent: decoded.rent(),
        ..asked.ok_or(Broken::Bytes(at, "nobody asked"))?.clone()
    };
    for one in binding(&gate.policies, run) {
        by_itself(&one.document, &judged).map_err(|why| Broken::Limit(at, why))?;
    }
    Ok(())
}

/// Nothing that was acknowledged to have stopped it before is still in force.
pub(super) fn acknowledged(
    history: &History,
    release: &Release,
    spend: &Spend,
    until: u64,
) -> Result<(), Broken> {
    let at = release.sequence;
    let undone = |after: u64, by: &dyn Fn(&EventBody) -> bool| {
        history
            .entries
            .iter()
            .any(|entry| entry.sequence > after && entry.sequence <= until && by(&entry.event.body))
    };
    for ack in history.acks.iter().filter(|ack| ack.stamp < release.stamp) {
        let (why, gone) = match ack.what {
            Acked::Kill => (
                "acknowledged kill",
                undone(ack.sequence, &|body| {
                    matches!(body, EventBody::KillReleased { .. })
                }),
            ),
            Acked::Pause(paused) if !release.withdrawal => {
                let concerns = paused.is_none_or(|wallet| wallet == spend.wallet);
                let released = |body: &EventBody| match body {
                    EventBody::PauseReleased { wallet, .. } => *wallet == paused,
                    _ => false,
                };
                (
                    "acknowledged pause",
                    !concerns || undone(ack.sequence, &released),
                )
            }
            Acked::Revoke(session) => ("acknowledged revocation", spend.session != Some(session)),
            Acked::Lock => (
                "acknowledged lock",
                history.entries.iter().any(|entry| {
                    entry.moment.turn >= ack.stamp.0
                        && entry.sequence <= until
                        && matches!(entry.event.body, EventBody::Unlocked { .. })
                }),
            ),
            Acked::Pause(_) | Acked::Submit => continue,
        };
        if !gone {
            return Err(Broken::Stopped(at, why));
        }
    }
    Ok(())
}

/// `status` shows every kill and total pause that was acknowledged in an earlier turn.
pub(super) fn shown(history: &History, seen: &Seen) -> Result<(), Broken> {
    let (turn, _): Stamp = seen.stamp;
    let undone = |after: u64, by: &dyn Fn(&EventBody) -> bool| {
        history.entries.iter().any(|entry| {
            entry.sequence > after && entry.moment.turn <= turn && by(&entry.event.body)
        })
    };
    for ack in history.acks.iter().filter(|ack| ack.stamp.0 < turn) {
        match ack.what {
            Acked::Kill => {
                let released = |body: &EventBody| matches!(body, EventBody::KillReleased { .. });
                if seen.kill != "ACTIVATED" && !undone(ack.sequence, &released) {
                    return Err(Broken::Status(turn, "kill"));
                }
            }
            Acked::Pause(None) => {
                let released = |body: &EventBody| {
                    matches!(body, EventBody::PauseReleased { wallet: None, .. })
                };
                if !seen.frozen && !undone(ack.sequence, &released) {
                    return Err(Broken::Status(turn, "frozen"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
