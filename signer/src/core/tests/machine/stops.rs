//! Stops of a run: kill, pause, revocation, suspension with the password. Nothing refuses them but a
//! name that means nothing. And what a withdrawal must hold to beyond its statement.

use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Kill, Standing};
use super::expect::Expect;
use super::requests::origin;
use super::run::{Checked, Run};
use super::step::Spoilt;
use crate::core::command::Command;
use crate::model::policy::Asking;

impl Run {
    pub(super) fn kill(&mut self, admin: bool) -> Checked {
        self.look_before_changes()?;
        let active = self.book.kill == Kill::Activated;
        let (events, _) = self.accepted(&Command::Kill(origin(admin)))?;
        let thrown = events
            .iter()
            .any(|body| matches!(body, EventBody::Killed { .. }));
        if thrown == active {
            return Err("thrown again, or not at all".to_owned());
        }
        self.book.killed();
        self.count("killed");
        Ok(())
    }

    pub(super) fn pause(&mut self, wallet: Option<usize>, admin: bool) -> Checked {
        self.look()?;
        let place = wallet.map(|place| place % self.book.wallets.len());
        let command = Command::Pause {
            wallet: place.map(|place| self.book.wallets[place].id),
            origin: origin(admin),
        };
        self.accepted(&command)?;
        self.book.paused(place);
        self.count("paused");
        Ok(())
    }

    pub(super) fn revoke(&mut self, session: usize) -> Checked {
        self.look()?;
        let place = session % self.book.sessions.len();
        let id = self.book.sessions[place].id;
        let command = Command::RevokeSession {
            session: id,
            origin: waiaas_shared::event::Origin::Gateway,
        };
        self.accepted(&command)?;
        let session = &mut self.book.sessions[place];
        session.standing = Standing::Revoked;
        session.by_kill = false;
        self.book.end_session(id);
        self.book.void_grants(id);
        self.book.watch.begin_anew(id);
        self.count("revoked");
        Ok(())
    }

    pub(super) fn suspend_by_password(&mut self, owner: usize) -> Checked {
        self.look()?;
        let owners: Vec<_> = self.book.owners.keys.keys().copied().collect();
        let owner = owners[owner % owners.len()];
        self.accepted(&Command::SuspendOwner { owner })?;
        self.book.suspend(owner, &[]);
        // The password is a word of its owner.
        self.book.watch.heard = self.book.now().run;
        self.count("suspended");
        Ok(())
    }
}

impl Book {
    /// A withdrawal passes every pause and limit, and does exactly what was signed.
    pub(super) fn expect_withdrawal(
        &self,
        facts: &Option<StatementFacts>,
        asking: &Asking,
        spoilt: Spoilt,
        expect: &mut Expect,
    ) {
        let Some(StatementFacts::Withdraw {
            wallet,
            nonce,
            to,
            amount,
            fee_ceiling,
            from,
            ..
        }) = facts
        else {
            return;
        };
        let mut wallet = self.wallet(*wallet).clone();
        let (next, attested) = wallet.nonces_of(*from).map_or((0, 0), |nonces| *nonces);
        let payer = from.unwrap_or(wallet.account);
        let left_out = |nonce: u64| {
            let mut gaps = wallet.left_out.iter();
            gaps.any(|(account, gap)| *account == payer && gap.contains(&nonce))
        };
        let outside =
            nonce.is_some_and(|nonce| (nonce < attested || nonce > next) && !left_out(nonce));
        expect.when(outside, Code::NonceLower);
        expect.when(spoilt == Spoilt::TrailingByte, Code::TransactionUndecodable);
        let paid = asking.parts.first();
        let exact = paid
            .is_some_and(|part| part.to.account() == *to && part.amount == amount.base_units())
            && asking.fee <= fee_ceiling.base_units();
        expect.when(!exact, Code::StatementMismatch);
    }
}
