//! The cases, a file a theme. Each gets a rig that serves, tries what its row says, and tells in one
//! line what came of it; an error means that the attack got further than it may.

mod audit;
mod evm;
mod flood;
mod frames;
mod kill;
mod methods;
mod owner;
mod policy;
mod race;
mod requests;
mod second_try;
mod solana;
mod time;
mod users;

use anyhow::Result;

use crate::rig::Rig;
use crate::runner::Template;

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    /// The attack's number.
    pub(crate) id: &'static str,
    /// Carries it out.
    pub(crate) run: fn(&mut Rig, &Template) -> Result<String>,
}

pub(crate) const fn case(id: &'static str, run: fn(&mut Rig, &Template) -> Result<String>) -> Case {
    Case { id, run }
}

/// All of them.
pub(crate) const ALL: &[&[Case]] = &[
    frames::CASES,
    flood::CASES,
    methods::CASES,
    requests::CASES,
    users::CASES,
    time::CASES,
    race::CASES,
    owner::forgery::CASES,
    owner::text::CASES,
    policy::document::CASES,
    policy::counter::CASES,
    kill::CASES,
    audit::CASES,
    solana::message::CASES,
    solana::token::CASES,
    solana::program::CASES,
    evm::field::CASES,
    evm::call::CASES,
    evm::typed::CASES,
];

/// The case of an attack.
pub(crate) fn of(id: &str) -> Option<&'static Case> {
    ALL.iter().copied().flatten().find(|case| case.id == id)
}

/// Makes a recorded Solana payment a large one: the second calculator must see that.
pub(crate) fn large_transfer(spend: &mut waiaas_shared::event::Spend) -> Result<u128> {
    solana::enlarge(&mut spend.unsigned)
}
