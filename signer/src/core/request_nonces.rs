//! Nonces of requests that agents signed, each kept until its signature is too old to count. Ordered by
//! their end as well, so that forgetting costs what is forgotten and not what is kept: a busy signer
//! keeps hundreds of thousands.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use waiaas_shared::ids::SessionId;
use waiaas_shared::time::WallTime;

type Name = (SessionId, String);

/// Every nonce that was used and still counts. Encoded as the map from name to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RequestNonces {
    ends: BTreeMap<Name, WallTime>,
    order: BTreeSet<(WallTime, Name)>,
}

impl RequestNonces {
    /// The session's nonce is used, until `end`.
    pub(super) fn insert(&mut self, session: SessionId, nonce: &str, end: WallTime) {
        let name = (session, nonce.to_owned());
        if let Some(before) = self.ends.insert(name.clone(), end) {
            self.order.remove(&(before, name.clone()));
        }
        self.order.insert((end, name));
    }

    /// Whether the session's nonce was used.
    pub(super) fn contains(&self, session: SessionId, nonce: &str) -> bool {
        self.ends.contains_key(&(session, nonce.to_owned()))
    }

    /// Forgets what ended before `now`.
    pub(super) fn forget(&mut self, now: WallTime) {
        while let Some(first) = self.order.first().filter(|(end, _)| *end < now) {
            self.ends.remove(&first.1);
            self.order.pop_first();
        }
    }
}

impl<C> Encode<C> for RequestNonces {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.ends.encode(encoder, context)
    }
}

impl<'b, C> Decode<'b, C> for RequestNonces {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        let ends = BTreeMap::<Name, WallTime>::decode(decoder, context)?;
        let order = ends
            .iter()
            .map(|(name, end)| (*end, name.clone()))
            .collect();
        Ok(Self { ends, order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_millis(1_000);

    fn session(byte: u8) -> SessionId {
        SessionId::derive(&[byte; 32], 0)
    }

    #[test]
    fn a_nonce_counts_through_its_last_millisecond() {
        let mut nonces = RequestNonces::default();
        nonces.insert(session(1), "a", NOW);
        nonces.insert(session(2), "a", WallTime::from_millis(1_001));
        nonces.forget(NOW);
        assert!(nonces.contains(session(1), "a"));
        assert!(!nonces.contains(session(1), "b"));
        nonces.forget(WallTime::from_millis(1_001));
        assert!(!nonces.contains(session(1), "a"));
        assert!(nonces.contains(session(2), "a"));
    }

    #[test]
    fn a_later_end_counts() {
        let mut nonces = RequestNonces::default();
        nonces.insert(session(1), "a", WallTime::from_millis(1));
        nonces.insert(session(1), "a", NOW);
        nonces.forget(NOW);
        assert!(nonces.contains(session(1), "a"));
    }

    #[test]
    fn what_is_read_back_is_the_same() {
        let mut nonces = RequestNonces::default();
        nonces.insert(session(1), "a", NOW);
        nonces.insert(session(2), "b", WallTime::from_millis(7));
        let bytes = minicbor::to_vec(&nonces).expect("written");
        let plain: BTreeMap<Name, WallTime> = minicbor::decode(&bytes).expect("a map");
        assert_eq!(plain, nonces.ends);
        let mut read: RequestNonces = minicbor::decode(&bytes).expect("read");
        assert_eq!(read, nonces);
        read.forget(WallTime::from_millis(8));
        assert!(!read.contains(session(2), "b"));
    }
}
