//! What an agent's signature must prove, a second time: that it is of its key and for its route, young, and used once
//! (invariant 18). Kept are all that were used, by the word of whoever made them and by the run clock.

use waiaas_shared::denial::Code;

use super::book::{Book, Session};
use super::expect::Expect;
use super::step::Spoilt;
use crate::model::MINUTE;

impl Book {
    /// What the agent's signature over its request must prove. `again`: of what was asked for before.
    pub(super) fn proven(
        &self,
        session: &Session,
        signed: Option<&(String, u64)>,
        spoilt: Spoilt,
        again: bool,
        expect: &mut Expect,
    ) {
        if session.bearer() {
            return;
        }
        let Some((nonce, created)) = signed else {
            return expect.when(true, Code::RequestSignatureMissing);
        };
        let bad = matches!(spoilt, Spoilt::OtherSignature | Spoilt::OtherPath);
        expect.when(bad, Code::RequestSignatureInvalid);
        let (now, at) = (self.now(), created * 1000);
        let young = at + 2 * MINUTE >= now.steady && at <= now.wall + 2 * MINUTE;
        expect.when(!young, Code::RequestTimeSkew);
        if again {
            return;
        }
        let long_ago = |used: u64| now.run - used > 24 * MINUTE;
        let used = self.request_nonces.get(&(session.id, nonce.clone()));
        if let Some((_, used)) = used.and_then(|used| used.last()) {
            expect.when(!long_ago(*used), Code::RequestNonceReused);
            expect.maybe_when(true, Code::RequestNonceReused);
        }
        // What was used long ago may be forgotten, with everything that is no younger.
        let used = self.request_nonces.iter();
        let mut used = used.filter(|((of, _), _)| *of == session.id);
        let older = used.any(|(_, used)| {
            let mut used = used.iter();
            used.any(|(created, used)| long_ago(*used) && at <= *created)
        });
        expect.maybe_when(older, Code::RequestTimeSkew);
    }
}
