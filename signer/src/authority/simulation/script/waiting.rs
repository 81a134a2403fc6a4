//! Payments that wait, and what ends their waits: time, owners, anybody who cancels; with fresh bytes of
//! the same effect, or of another one.

use super::*;

impl Script {
    /// One of the payments that wait or waited: a step towards its end, or several at once.
    pub(super) fn wait(&mut self) {
        let place = usize::try_from(self.random.next() >> 1).unwrap_or_default();
        let Some((transaction, asking)) =
            self.waiting.get(place % self.waiting.len().max(1)).cloned()
        else {
            return self.burst();
        };
        match self.random.below(10) {
            0..=2 => {
                self.approve(transaction);
                let release = self.release(transaction, &asking);
                self.deliver(vec![release]);
            }
            3 | 4 => {
                let passed = self.random.pick(&[59_999, 60_000, 15 * 60_000, 2 * HOUR]);
                self.world.pass(Passing::Running(passed.unwrap_or(HOUR)));
                let release = self.release(transaction, &asking);
                self.deliver(vec![release]);
            }
            5 => {
                let origin = if self.random.once_in(2) {
                    Origin::Gateway
                } else {
                    Origin::Admin
                };
                let mut asked = vec![self.release(transaction, &asking)];
                let cancel = Asked::Cancel(transaction, origin);
                asked.insert(usize::from(self.random.once_in(2)), cancel);
                self.deliver(asked);
            }
            6 => drop(self.owner_says(StatementFacts::RejectPayment { transaction }, None)),
            7 => {
                // The same approval twice, and a release beside a stop.
                self.approve(transaction);
                let twice = [(); 2].map(|()| self.release(transaction, &asking));
                let mut asked = twice.to_vec();
                if self.random.once_in(2) {
                    let stop = self.stopping();
                    asked.push(stop);
                }
                self.deliver(asked);
            }
            _ => {
                let release = self.release(transaction, &asking);
                self.deliver(vec![release]);
            }
        }
    }

    fn approve(&mut self, transaction: TransactionId) {
        self.owner_says(StatementFacts::ApprovePayment { transaction }, None);
    }

    /// Fresh bytes for it; sometimes of another effect.
    fn release(&mut self, transaction: TransactionId, asking: &Asking) -> Asked {
        let (_, from) = self.world.wallet_on(asking.chain);
        let mut does = asking.clone();
        if let Some(last) = does.parts.last_mut() {
            match self.random.below(12) {
                0 => last.to = account(asking.chain, u8::from(last.to == account(asking.chain, 0))),
                1 => last.amount += 1,
                _ => {}
            }
        }
        self.world.requests += 1;
        let terms = Terms {
            price: 1,
            salt: self.world.requests,
            nonce: 0,
        };
        Asked::Release(transaction, proposed(&from, &does, terms, 1))
    }

    /// Remembers what waits now.
    pub(super) fn accepted(&mut self, transaction: TransactionId, request: &SpendRequest) {
        let body = crate::model::people::body_digest(&request.body);
        if let Some(asking) = self.world.history.asked.get(&body) {
            self.waiting.push((transaction, asking.clone()));
            if self.waiting.len() > 6 {
                self.waiting.remove(0);
            }
        }
    }
}
