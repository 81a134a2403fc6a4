//! Where many races run on one signer: test networks, limits that no race reaches, a delay of a millisecond,
//! and sessions enough for the openings that one may have in an hour.

use std::time::Duration;

use anyhow::Result;
use waiaas_shared::amount::Amount;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{EVM, LIMIT};

use crate::cases::waiting::{Open, invent};
use crate::long::Rounds;
use crate::rig::Rig;
use crate::runner::Template;

/// Sessions of one ground, and payments that each opens: 60 in an hour are let, by docs/policy.md.
const SESSIONS: usize = 6;
const OF_SESSION: usize = 56;
/// Of every window here: 2^90 wei.
const ROOM: u128 = 1 << 90;

/// What of a signer is used up.
#[derive(Debug, Default)]
pub(in crate::cases) struct Ground {
    opened: usize,
}

impl Ground {
    fn prepared(rig: &mut Rig) -> Result<Self> {
        let roomy = rig.next_policy(|document| {
            document.delay = Millis::from_millis(1);
            for rule in &mut document.assets {
                if rule.asset == EVM.native_asset() {
                    let room = Amount::from_base_units(ROOM);
                    (rule.hour, rule.day, rule.week, rule.month) = (room, room, room, room);
                    rule.outstanding = Some(room);
                }
            }
        })?;
        rig.adopt(&roomy)?;
        Ok(Self::default())
    }

    fn is_used_up(&self) -> bool {
        self.opened >= SESSIONS * OF_SESSION
    }

    /// One race more, which opens nothing.
    pub(in crate::cases) const fn another(&mut self) {
        self.opened += 1;
    }

    /// A payment that waits, of a session that may still open one.
    pub(in crate::cases) fn open(&mut self, rig: &mut Rig, amount: u128) -> Result<Open> {
        if self.opened.is_multiple_of(OF_SESSION) {
            let secret = rig.fresh_key();
            let secret = hash(Domain::SessionSecret, &[secret.as_bytes()]);
            rig.cast.bearer = rig.granted(SessionGrant {
                credential: Credential::Bearer(secret),
                ..grant(&key(22), &[rig.cast.evm], &[EVM], LIMIT, u128::MAX)
            })?;
        }
        self.another();
        let transfer = rig.to_evm(amount);
        invent(rig, &transfer)
    }

    /// How many races there were on it.
    pub(in crate::cases) const fn races(&self) -> usize {
        self.opened
    }

    /// Lets the delay pass.
    pub(in crate::cases) fn mature(&self) {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs races, on as many signers as they take, with all checks behind each signer; how many there were.
pub(in crate::cases) fn on_grounds(
    template: &Template,
    mut rounds: Rounds,
    mut race: impl FnMut(&mut Rig, &mut Ground) -> Result<()>,
) -> Result<u64> {
    let mut done = 0;
    while !rounds.are_over() {
        let rig = template.on_test_networks()?.rig()?;
        done += Template::aside(rig, |rig| {
            let mut ground = Ground::prepared(rig)?;
            let mut here = 0;
            while !ground.is_used_up() && rounds.next().is_some() {
                race(rig, &mut ground)?;
                here += 1;
            }
            Ok(here)
        })?;
    }
    Ok(done)
}
