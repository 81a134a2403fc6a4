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
        let which = asking
            .to
            .first()
            .map_or(0, |first| first.saturating_sub(40));
        let (which, amount) = match self.random.below(12) {
            0 => (1 - which.min(1), asking.amount),
            1 => (which, asking.amount + 1),
            _ => (which, asking.amount),
        };
        self.world.requests += 1;
        let salt = self.world.requests;
        let to = recipient(asking.chain, which);
        let bytes = unsigned(asking.chain, &from, &to, amount, salt).0;
        Asked::Release(transaction, bytes)
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
