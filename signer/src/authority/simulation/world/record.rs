//! Writes down what left.

use super::*;

/// One answer, as somebody outside of the signer remembers it.
pub(super) fn note(
    history: &mut History,
    turn: u64,
    place: usize,
    asked: &Asked,
    answer: &Answer,
    moment: Moment,
) {
    // What stops is served before reads, those before commands.
    let lane = match asked {
        Asked::Kill(_) | Asked::Pause(..) | Asked::Revoke(_) | Asked::Cancel(..) | Asked::Lock => 0,
        Asked::Status | Asked::Remaining(_) | Asked::Events(_) | Asked::Decide(_) => 1,
        _ => 2,
    };
    let stamp = (turn, lane * 10_000 + place as u64);
    match (asked, answer) {
        (_, Answer::Signed(signed)) => {
            let (key, withdrawal) = match asked {
                Asked::Sign(request) => {
                    let granted =
                        history
                            .entries
                            .iter()
                            .find_map(|entry| match &entry.event.body {
                                EventBody::SessionGranted {
                                    session, statement, ..
                                } if *session == request.session => history.said.get(statement),
                                _ => None,
                            });
                    let credential = granted.and_then(|said| match &said.facts {
                        StatementFacts::GrantSession { grant } => Some(grant.credential),
                        _ => None,
                    });
                    let key = credential.map(|credential| {
                        idempotency(&credential, request.session, &request.idempotency_key)
                    });
                    (key, false)
                }
                Asked::Withdraw(..) => (None, true),
                _ => (None, false),
            };
            let body = match asked {
                Asked::Sign(request) => Some(body_digest(&request.body)),
                _ => None,
            };
            history.releases.push(Release {
                body,
                stamp,
                moment,
                raw: signed.raw.clone(),
                sequence: signed.sequence,
                replay: signed.replay,
                key,
                withdrawal,
            });
        }
        (_, Answer::Status(status)) => history.statuses.push(Seen {
            stamp,
            kill: status.kill,
            frozen: status.frozen,
        }),
        (Asked::Lock, Answer::Done) => history.acks.push(Ack {
            stamp,
            sequence: 0,
            what: Acked::Lock,
        }),
        (_, Answer::Sequence(sequence)) => {
            let what = match asked {
                Asked::Kill(_) => Acked::Kill,
                Asked::Pause(wallet, _) => Acked::Pause(*wallet),
                Asked::Revoke(session) => Acked::Revoke(*session),
                _ => Acked::Submit,
            };
            history.acks.push(Ack {
                stamp,
                sequence: *sequence,
                what,
            });
        }
        _ => {}
    }
}
