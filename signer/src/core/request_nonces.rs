//! Nonces of requests that agents signed. What was used counts never again, whatever a clock says by then: either
//! its nonce is remembered, or its session refuses everything that is as old.
//!
//! A nonce is remembered for a time that the signer ran, which nobody's clock brings about. Both sides of the wall
//! clock lie no further apart than two steps that need no explanation, unless an owner stated a time: within that,
//! whatever a session refuses for being forgotten is older than any request that is young. Ordered by their
//! end as well, so that forgetting costs what is forgotten and not what is kept: a busy signer keeps hundreds of
//! thousands.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use waiaas_shared::ids::SessionId;
use waiaas_shared::time::{Millis, RunTime, WallTime};

use super::clock::STEP_WHILE_RUNNING;
use super::proof::SKEW;

/// How long a nonce is remembered: two steps, and twice the time that a signature is young, either way.
const KEPT: Millis = Millis::from_millis(2 * STEP_WHILE_RUNNING.millis() + 2 * SKEW.millis());

/// As many are remembered at once; the oldest is forgotten before its time for one more.
const LIMIT: usize = 1 << 18;

type Name = (SessionId, String);

/// A nonce that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct Kept {
    /// When its signature is young no more.
    #[n(0)]
    end: WallTime,
    /// When it was used.
    #[n(1)]
    at: RunTime,
}

/// Every nonce that is remembered, and where what was forgotten ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RequestNonces {
    kept: BTreeMap<Name, Kept>,
    order: BTreeSet<(RunTime, Name)>,
    /// By session, the latest end of a nonce that was forgotten.
    forgotten: BTreeMap<SessionId, WallTime>,
}

impl RequestNonces {
    /// The session's nonce is used at `at`; its signature is young until `end`.
    pub(super) fn insert(&mut self, session: SessionId, nonce: &str, end: WallTime, at: RunTime) {
        let name = (session, nonce.to_owned());
        if let Some(before) = self.kept.insert(name.clone(), Kept { end, at }) {
            self.order.remove(&(before.at, name.clone()));
        }
        self.order.insert((at, name));
        if self.kept.len() > LIMIT {
            self.forget_first();
        }
    }

    /// Whether the session's nonce is remembered.
    pub(super) fn contains(&self, session: SessionId, nonce: &str) -> bool {
        self.kept.contains_key(&(session, nonce.to_owned()))
    }

    /// Whether a signature of the session that is young until `end` may have been used and forgotten.
    pub(super) fn may_be_forgotten(&self, session: SessionId, end: WallTime) -> bool {
        self.forgotten
            .get(&session)
            .is_some_and(|last| end <= *last)
    }

    /// Forgets what was used long ago.
    pub(super) fn forget(&mut self, now: RunTime) {
        let is_over = |(at, _): &&(RunTime, Name)| now.since(*at) > KEPT;
        while self.order.first().filter(is_over).is_some() {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, name)) = self.order.pop_first() else {
            return;
        };
        if let Some(kept) = self.kept.remove(&name) {
            let last = self.forgotten.entry(name.0).or_default();
            *last = kept.end.max(*last);
        }
    }
}

impl<C> Encode<C> for RequestNonces {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.array(2)?;
        self.kept.encode(encoder, context)?;
        self.forgotten.encode(encoder, context)
    }
}

impl<'b, C> Decode<'b, C> for RequestNonces {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        if decoder.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("not request nonces"));
        }
        let kept = BTreeMap::<Name, Kept>::decode(decoder, context)?;
        let forgotten = BTreeMap::decode(decoder, context)?;
        let order = kept
            .iter()
            .map(|(name, kept)| (kept.at, name.clone()))
            .collect();
        Ok(Self {
            kept,
            order,
            forgotten,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: WallTime = WallTime::from_millis(1_000);

    fn session(byte: u8) -> SessionId {
        SessionId::derive(&[byte; 32], 0)
    }

    const fn at(millis: u64) -> RunTime {
        RunTime::from_millis(millis)
    }

    #[test]
    fn invariant_18_what_is_forgotten_is_refused_for_its_age() {
        let mut nonces = RequestNonces::default();
        nonces.insert(session(1), "a", END, at(0));
        nonces.insert(session(2), "a", END, at(1));
        nonces.forget(at(KEPT.millis()));
        assert!(nonces.contains(session(1), "a"));
        assert!(!nonces.contains(session(1), "b"));
        assert!(!nonces.may_be_forgotten(session(1), END));
        nonces.forget(at(KEPT.millis() + 1));
        assert!(!nonces.contains(session(1), "a"));
        assert!(nonces.contains(session(2), "a"));
        // To the millisecond, and of this session alone.
        assert!(nonces.may_be_forgotten(session(1), END));
        assert!(!nonces.may_be_forgotten(session(1), END.after(Millis::from_millis(1))));
        assert!(!nonces.may_be_forgotten(session(2), END));
        // One that ended before moves nothing back.
        nonces.insert(session(1), "b", WallTime::from_millis(7), at(9));
        nonces.forget(at(KEPT.millis() + 10));
        assert!(nonces.may_be_forgotten(session(1), END));
    }

    /// A flood is paid for by the oldest, and opens nothing.
    #[test]
    fn invariant_18_no_more_are_remembered_than_have_room() {
        let mut nonces = RequestNonces::default();
        let end = |place: u64| WallTime::from_millis(1_000 + place);
        let most = u64::try_from(LIMIT).expect("small");
        for place in 0..most + 3 {
            nonces.insert(session(1), &place.to_string(), end(place), at(place));
        }
        assert_eq!((nonces.kept.len(), nonces.order.len()), (LIMIT, LIMIT));
        for place in 0..most + 3 {
            let kept = nonces.contains(session(1), &place.to_string());
            let refused = nonces.may_be_forgotten(session(1), end(place));
            assert!(kept != refused, "{place}");
        }
    }

    #[test]
    fn a_later_use_counts() {
        let mut nonces = RequestNonces::default();
        nonces.insert(session(1), "a", END, at(1));
        nonces.insert(session(1), "a", END, at(2));
        nonces.forget(at(KEPT.millis() + 2));
        assert!(nonces.contains(session(1), "a"));
        nonces.forget(at(KEPT.millis() + 3));
        assert!(!nonces.contains(session(1), "a"));
    }

    #[test]
    fn what_is_read_back_is_the_same() {
        let mut nonces = RequestNonces::default();
        nonces.insert(session(1), "a", END, at(1));
        nonces.insert(session(2), "b", WallTime::from_millis(7), at(2));
        nonces.insert(session(3), "c", WallTime::from_millis(9), at(0));
        nonces.forget(at(KEPT.millis() + 1));
        let bytes = minicbor::to_vec(&nonces).expect("written");
        let mut read: RequestNonces = minicbor::decode(&bytes).expect("read");
        assert_eq!(read, nonces);
        assert!(read.may_be_forgotten(session(3), WallTime::from_millis(9)));
        read.forget(at(KEPT.millis() + 3));
        assert!(!read.contains(session(2), "b"));
    }
}
