//! The cases, a file a theme. Each gets a rig that serves, tries what its row says, and tells in one
//! line what came of it; an error means that the attack got further than it may.

mod audit;
mod disk;
mod evm;
mod flood;
mod frames;
mod kill;
mod lives;
mod logins;
mod methods;
mod owner;
mod policy;
mod race;
mod requests;
mod second_try;
mod solana;
mod time;
mod users;
mod variants;
mod waiting;

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
    waiting::delay::CASES,
    waiting::release::CASES,
    waiting::approval::CASES,
    race::CASES,
    owner::forgery::CASES,
    owner::hiding::CASES,
    owner::text::CASES,
    owner::enrol::CASES,
    owner::moments::CASES,
    owner::monitor::CASES,
    policy::document::CASES,
    policy::counter::CASES,
    kill::CASES,
    lives::session::CASES,
    lives::wallet::CASES,
    lives::agent::CASES,
    audit::CASES,
    disk::CASES,
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

/// Lets the first policy's delay pass.
pub(crate) fn mature() {
    waiting::mature();
}

/// Sessions, agents and keys through all that may happen to them, by the rules.
pub(crate) fn lived(rig: &mut Rig) -> Result<()> {
    lives::lived(rig)
}

/// An authorization, payments that are brought in every role, leave to take a token, tokens of every program, and a
/// call of a program, all honest.
pub(crate) fn one_of_each(rig: &mut Rig) -> Result<()> {
    let body = rig.authorization(700, &[])?;
    rig.authorize(&rig.asks_to_authorize(&body, "one-of-each"))?;
    evm::one_of_each(rig)?;
    solana::one_of_each(rig)
}

/// Makes a recorded Solana payment a large one: the second calculator must see that.
pub(crate) fn large_transfer(spend: &mut waiaas_shared::event::Spend) -> Result<u128> {
    solana::enlarge(&mut spend.unsigned)
}
