//! What becomes of a transaction by the word of several nodes. Each node is asked for itself, so that no
//! end is put together from what different nodes say; and where more than one is configured, no node
//! alone makes a payment FAILED or EXPIRED: a payment that is told so is made again by whoever asked for
//! it. Nor does one alone make it CONFIRMED against another's word: what took its nonce would be given up.
//! Called by [`Chain`].
//!
//! INVARIANT: what one node has seen confirmed is never recorded as failed or expired because of
//! another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use waiaas_shared::status::Status;

use super::endpoints::{Endpoint, Failure};
use super::rpc_error::RpcError;
use super::{Chain, ChainTransactionId, Landing, Sought};

/// A success waits no longer for the others' word at each look.
const SUCCESS_PATIENCE: Duration = Duration::from_secs(1);
/// How long a node has to tell of a success, and no other one to know anything, until it is believed. Meanwhile the
/// bytes are sent on: a node that keeps them to itself and says that they have landed is soon contradicted.
const SUCCESS_ALONE: Duration = Duration::from_secs(20);
/// How long a node has to tell of an end, and no other one to know anything, until it is believed. Longer
/// than any Solana transaction lives: a node that is there has the whole truth by then.
const ALONE: Duration = Duration::from_secs(300);
/// Ends that are waited for at once. More begin their waiting anew.
const CLAIMS: usize = 4096;

/// How long a contradiction is shown that no look has seen again: longer than the slowest looks are apart.
const SHOWN: Duration = Duration::from_secs(300);

/// What nodes say that does not count yet.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Ends that one node alone tells of, and since when.
    ends: Mutex<HashMap<(ChainTransactionId, Status), Instant>>,
    /// Transactions about which nodes contradict each other: when that was last seen, and which nodes.
    disputes: Mutex<HashMap<ChainTransactionId, (Instant, Vec<usize>)>>,
}

impl Claims {
    /// How long this end has been told of. Zero: for the first time.
    fn told_for(&self, id: ChainTransactionId, end: Status, now: Instant) -> Duration {
        let mut claims = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.len() >= CLAIMS && !claims.contains_key(&(id, end)) {
            claims.clear();
        }
        now.saturating_duration_since(*claims.entry((id, end)).or_insert(now))
    }

    fn settled(&self, id: ChainTransactionId) {
        let mut claims = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(|(other, _), _| *other != id);
        let mut disputes = self.disputes.lock().unwrap_or_else(PoisonError::into_inner);
        disputes.remove(&id);
    }

    fn disputed(&self, id: ChainTransactionId, parties: Vec<usize>, now: Instant) {
        let mut disputes = self.disputes.lock().unwrap_or_else(PoisonError::into_inner);
        if disputes.len() >= CLAIMS {
            disputes.clear();
        }
        disputes.insert(id, (now, parties));
    }

    /// In how many contradictions a node takes part.
    pub(super) fn disputes_of(&self, place: usize, now: Instant) -> usize {
        let disputes = self.disputes.lock().unwrap_or_else(PoisonError::into_inner);
        let open = disputes.values().filter(|(seen, parties)| {
            now.saturating_duration_since(*seen) < SHOWN && parties.contains(&place)
        });
        open.count()
    }
}

/// What the nodes together know of a transaction.
///
/// # Errors
/// [`RpcError`] if none gives a usable answer: then nothing is known.
pub(super) async fn landing(chain: &Chain, sought: &Sought) -> Result<Landing, RpcError> {
    let endpoints = chain.endpoints();
    let mut failure = Failure::default();
    for endpoint in endpoints.round()? {
        match told(chain, endpoint, sought).await {
            Ok(landing) => return together(chain, endpoint, landing, sought).await,
            Err(error) => failure.add(error),
        }
    }
    Err(failure.told())
}

/// What one node tells. It names its chain once more where its word may end a payment that was not made:
/// another chain knows nothing of it.
async fn told(chain: &Chain, endpoint: &Endpoint, sought: &Sought) -> Result<Landing, RpcError> {
    let landing = chain.status_at(endpoint, sought).await?;
    if matches!(landing, Landing::Failed { .. } | Landing::Expired) {
        endpoint.identify_now().await?;
    }
    Ok(landing)
}

/// An end that a node tells, held against what the others say.
async fn together(
    chain: &Chain,
    by: &Endpoint,
    claim: Landing,
    sought: &Sought,
) -> Result<Landing, RpcError> {
    let (endpoints, id) = (chain.endpoints(), sought.id);
    // At a depth of the asker's own: nothing is concluded from it, so no patience begins or ends with it, and no
    // contradiction is shown.
    let aside = sought.depth.is_some();
    let Some(end) = claim.final_status() else {
        return Ok(claim);
    };
    let patience = match claim {
        Landing::Confirmed { .. } => SUCCESS_PATIENCE.min(endpoints.deadline()),
        _ => endpoints.deadline(),
    };
    let others = endpoints.others(by).map(async |other| {
        if other.rests() {
            return Opinion::Silent;
        }
        let asked = opinion(chain, other, &claim, sought);
        timeout(patience, asked).await.unwrap_or(Opinion::Silent)
    });
    let opinions = futures::future::join_all(others).await;
    let succeeded = matches!(claim, Landing::Confirmed { .. });
    let alone_for = if opinions.is_empty() || (aside && succeeded) {
        // The only node there is; or nothing is concluded from it.
        Duration::MAX
    } else if aside {
        Duration::ZERO
    } else {
        endpoints.claims.told_for(id, end, Instant::now())
    };
    let parties = parties(endpoints.others(by), by, &opinions);
    match judge(claim, opinions, alone_for) {
        Verdict::Ends(landing) => {
            if !aside {
                endpoints.claims.settled(id);
            }
            Ok(landing)
        }
        // Sent once more.
        Verdict::Waits if succeeded => Ok(Landing::Unknown),
        Verdict::Waits => Ok(Landing::Pending),
        Verdict::Contradiction if aside => Ok(Landing::Pending),
        Verdict::Contradiction => {
            if alone_for.is_zero() {
                let node = by.shown();
                tracing::error!(transaction = %id, %node, %end,
                    "the nodes contradict each other: the payment stays open until they agree");
                // Each of them is asked once more.
                return Ok(Landing::Pending);
            }
            endpoints.claims.disputed(id, parties, Instant::now());
            Ok(Landing::Disputed)
        }
    }
}

/// The places of those that have taken a side.
fn parties<'a>(
    others: impl Iterator<Item = &'a Arc<Endpoint>>,
    by: &Endpoint,
    opinions: &[Opinion],
) -> Vec<usize> {
    let told = others.zip(opinions);
    let told = told.filter(|(_, opinion)| **opinion != Opinion::Silent);
    let places = told.map(|(endpoint, _)| endpoint.place());
    std::iter::once(by.place()).chain(places).collect()
}

/// What another node says to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Opinion {
    /// Nothing: it fails, or has not seen that far.
    Silent,
    /// It has seen the chain that far and further, and there is no such end.
    Denies,
    /// It tells of an end itself.
    Ends(Landing),
}

async fn opinion(chain: &Chain, endpoint: &Endpoint, claim: &Landing, sought: &Sought) -> Opinion {
    match told(chain, endpoint, sought).await {
        Err(_) => Opinion::Silent,
        Ok(landing) if landing.final_status().is_some() => Opinion::Ends(landing),
        Ok(open) => match chain.denies(endpoint, &open, claim, sought).await {
            Ok(true) => Opinion::Denies,
            Ok(false) | Err(_) => Opinion::Silent,
        },
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Ends(Landing),
    /// Nobody contradicts, and nobody agrees.
    Waits,
    /// No end can be true by everybody's word.
    Contradiction,
}

/// Judges what the nodes say of one transaction: the end that one of them tells, the others' opinions, and
/// for how long that end has been told of.
fn judge(claim: Landing, opinions: Vec<Opinion>, alone_for: Duration) -> Verdict {
    let denied = opinions.contains(&Opinion::Denies);
    let mut ends = vec![claim];
    ends.extend(opinions.into_iter().filter_map(|opinion| match opinion {
        Opinion::Ends(landing) => Some(landing),
        Opinion::Silent | Opinion::Denies => None,
    }));
    let agreed = ends.len() > 1;
    let count = |end: Status| {
        let of_it = |landing: &&Landing| landing.final_status() == Some(end);
        ends.iter().filter(of_it).count()
    };
    let (succeeded, failures) = (count(Status::Confirmed), count(Status::Failed));
    let expired = count(Status::Expired);
    let mut of = |end: Status| {
        let found = ends
            .iter()
            .position(|landing| landing.final_status() == Some(end))?;
        Some(ends.swap_remove(found))
    };
    match (of(Status::Confirmed), of(Status::Failed)) {
        // Two that saw it succeed outweigh one that says otherwise; never the other way round.
        (Some(confirmed), Some(_)) if succeeded > 1 && succeeded > failures => {
            Verdict::Ends(confirmed)
        }
        (Some(_), Some(_)) => Verdict::Contradiction,
        // Two that saw it outweigh whoever did not.
        (Some(confirmed), None) if succeeded > 1 => Verdict::Ends(confirmed),
        (Some(_), None) if denied || expired > 0 => Verdict::Contradiction,
        (Some(confirmed), None) if alone_for >= SUCCESS_ALONE => Verdict::Ends(confirmed),
        (Some(_), None) => Verdict::Waits,
        // One that says expired agrees that it was not made.
        (None, failed) => match failed.or_else(|| of(Status::Expired)) {
            Some(end) if agreed => Verdict::Ends(end),
            Some(_) if denied => Verdict::Contradiction,
            Some(end) if alone_for >= ALONE => Verdict::Ends(end),
            _ => Verdict::Waits,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainText;

    fn confirmed() -> Landing {
        Landing::Confirmed {
            position: 5,
            fee: None,
        }
    }

    fn failed() -> Landing {
        Landing::Failed {
            position: 5,
            reason: ChainText::new("reverted"),
        }
    }

    fn ends(landing: Landing) -> Opinion {
        Opinion::Ends(landing)
    }

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn what_one_node_has_seen_confirmed_never_fails_or_expires() {
        for told in [confirmed(), failed(), Landing::Expired] {
            for opinions in [
                vec![ends(confirmed())],
                vec![Opinion::Silent, ends(confirmed())],
                vec![ends(confirmed()), ends(Landing::Expired)],
                vec![ends(Landing::Expired), Opinion::Denies, ends(confirmed())],
                vec![ends(failed()), ends(confirmed()), ends(failed())],
            ] {
                for alone_for in [NOW, ALONE, Duration::MAX] {
                    let verdict = judge(told.clone(), opinions.clone(), alone_for);
                    assert!(
                        [Verdict::Ends(confirmed()), Verdict::Contradiction].contains(&verdict),
                        "{told:?} {opinions:?}: {verdict:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_success_that_nobody_denies_waits_for_a_second_word_and_bears_no_contradiction() {
        let almost = SUCCESS_ALONE - Duration::from_nanos(1);
        for (opinions, alone_for, verdict) in [
            // The only node.
            (vec![], Duration::MAX, Verdict::Ends(confirmed())),
            (vec![Opinion::Silent], NOW, Verdict::Waits),
            (vec![Opinion::Silent; 2], almost, Verdict::Waits),
            (
                vec![Opinion::Silent],
                SUCCESS_ALONE,
                Verdict::Ends(confirmed()),
            ),
            (vec![ends(confirmed())], NOW, Verdict::Ends(confirmed())),
            (
                vec![ends(confirmed()), Opinion::Denies],
                NOW,
                Verdict::Ends(confirmed()),
            ),
            // One that has looked there and seen nothing.
            (vec![Opinion::Denies], Duration::MAX, Verdict::Contradiction),
            (
                vec![Opinion::Silent, Opinion::Denies],
                Duration::MAX,
                Verdict::Contradiction,
            ),
            (
                vec![ends(Landing::Expired)],
                Duration::MAX,
                Verdict::Contradiction,
            ),
        ] {
            assert_eq!(judge(confirmed(), opinions, alone_for), verdict);
        }
        let verdict = judge(confirmed(), vec![ends(failed())], Duration::MAX);
        assert_eq!(verdict, Verdict::Contradiction);
        let two = vec![ends(failed()), ends(confirmed())];
        assert_eq!(
            judge(confirmed(), two.clone(), NOW),
            Verdict::Ends(confirmed())
        );
        let three = [two, vec![ends(failed())]].concat();
        assert_eq!(judge(confirmed(), three, NOW), Verdict::Contradiction);
    }

    #[test]
    fn an_end_without_payment_needs_a_second_word() {
        for told in [failed(), Landing::Expired] {
            for (opinions, alone_for, verdict) in [
                (vec![Opinion::Silent], NOW, Verdict::Waits),
                (
                    vec![Opinion::Silent],
                    ALONE - Duration::from_nanos(1),
                    Verdict::Waits,
                ),
                (vec![Opinion::Silent], ALONE, Verdict::Ends(told.clone())),
                (vec![Opinion::Denies], Duration::MAX, Verdict::Contradiction),
                (
                    vec![Opinion::Denies, Opinion::Silent],
                    ALONE,
                    Verdict::Contradiction,
                ),
                (
                    vec![ends(told.clone()), Opinion::Denies],
                    NOW,
                    Verdict::Ends(told.clone()),
                ),
                // The only node.
                (vec![], Duration::MAX, Verdict::Ends(told.clone())),
            ] {
                let case = format!("{told:?} {opinions:?} {alone_for:?}");
                assert_eq!(judge(told.clone(), opinions, alone_for), verdict, "{case}");
            }
        }
        // That it failed says more than that it ran out of time.
        for (one, other) in [(failed(), Landing::Expired), (Landing::Expired, failed())] {
            assert_eq!(judge(one, vec![ends(other)], NOW), Verdict::Ends(failed()));
        }
    }

    #[test]
    fn an_end_is_waited_for_from_when_it_was_first_told() {
        let claims = Claims::default();
        let (id, now) = (ChainTransactionId::Evm([1; 32]), Instant::now());
        let later = now + ALONE;
        assert_eq!(claims.told_for(id, Status::Failed, now), NOW);
        assert_eq!(claims.told_for(id, Status::Expired, later), NOW);
        assert_eq!(claims.told_for(id, Status::Failed, later), ALONE);
        claims.settled(id);
        assert_eq!(claims.told_for(id, Status::Failed, later), NOW);
        for number in 0..2 * CLAIMS {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            claims.told_for(ChainTransactionId::Evm(hash), Status::Failed, now);
        }
        let held = claims.ends.lock().expect("no panic under it").len();
        assert!(held <= CLAIMS, "{held}");
    }

    #[test]
    fn contradictions_are_counted_for_those_that_take_a_side_until_they_end() {
        let claims = Claims::default();
        let now = Instant::now();
        let id = |number: u8| ChainTransactionId::Evm([number; 32]);
        claims.disputed(id(1), vec![0, 2], now);
        claims.disputed(id(2), vec![0, 1], now);
        let count = |at| [0, 1, 2, 3].map(|place| claims.disputes_of(place, at));
        assert_eq!(count(now), [2, 1, 1, 0]);
        claims.settled(id(1));
        assert_eq!(count(now), [1, 1, 0, 0]);
        // Nobody looks at it any more.
        assert_eq!(count(now + SHOWN), [0, 0, 0, 0]);
        for number in 0..2 * CLAIMS {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            claims.disputed(ChainTransactionId::Evm(hash), vec![0], now);
        }
        assert!(claims.disputes_of(0, now) <= CLAIMS);
    }
}
