//! Worlds that runs begin in: made once by the same steps and checks, then cloned.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::event::Origin;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;

use super::alarms::Alarms;
use super::book::{Book, Kill, Owners, Wallet};
use super::documents::first;
use super::hands::{hand, sign};
use super::owners::WAIT;
use super::run::{Checked, Run};
use super::step::{Door, Forged, Say, Step, What};
use super::time::{Passing, Time};
use super::watch::Watch;
use crate::core::command::{Command, Outcome, Rehearsal, Submission, WalletRequest};
use crate::model::binding::Adopted;
use crate::model::charges::Charges;
use crate::model::people::{EVM, MAIN, account, solana};

/// So many worlds there are: one owner or three of whom two must sign; test networks alone or a main
/// network beside them, so that documents wait; and several first policies.
pub(super) const WORLDS: u64 = 16;

pub(super) fn world(seed: u64) -> Checked<Run> {
    static MADE: [OnceLock<Checked<Run>>; 16] = [const { OnceLock::new() }; 16];
    let place = usize::try_from(seed % WORLDS).expect("few");
    MADE[place].get_or_init(|| make(seed % WORLDS)).clone()
}

pub(super) const fn well(count: usize) -> Door {
    Door {
        admin: true,
        password: true,
        first: 0,
        count,
        forged: Forged::Not,
    }
}

fn make(kind: u64) -> Checked<Run> {
    let mut run = Run::new(Book {
        time: Time::new(1_800_000_000_000),
        last: crate::model::policy::Moment::default(),
        closed: false,
        frozen: false,
        kill: Kill::Normal,
        kill_epoch: 0,
        wallets: Vec::new(),
        adopted: Vec::new(),
        sessions: Vec::new(),
        drafts: BTreeMap::new(),
        waits: BTreeMap::new(),
        charges: Charges::default(),
        paid: BTreeMap::new(),
        authorized: Default::default(),
        keys: BTreeMap::new(),
        request_nonces: BTreeMap::new(),
        owners: Owners {
            quorum: 1,
            ..Owners::default()
        },
        agents: BTreeMap::new(),
        watch: Watch::default(),
        alarms: Alarms::default(),
    })?;
    first_owner(&mut run)?;
    wallet(&mut run, 1, vec![EVM])?;
    wallet(&mut run, 2, vec![EVM])?;
    wallet(&mut run, 3, vec![solana()])?;
    if kind.is_multiple_of(2) {
        wallet(&mut run, 4, vec![MAIN, EVM])?;
    }
    run.names.wallets = run.book.wallets.iter().map(|wallet| wallet.id).collect();
    let accounts = run.book.wallets.iter().map(|wallet| wallet.account);
    let addresses = accounts.filter_map(|account| match account {
        Account::Evm(address) => Some(address),
        Account::Solana(_) => None,
    });
    run.names.addresses = addresses.collect();
    adopt_first(&mut run, kind)?;
    for active in [true, false] {
        run.step(&say(What::RegisterAgent { active }, 1))?;
    }
    for seed in 3..100 {
        if run.book.sessions.len() < 5 {
            run.step(&say(What::Grant { seed }, 1))?;
        }
    }
    if run.book.sessions.len() < 5 {
        return Err(format!("{} sessions", run.book.sessions.len()));
    }
    if kind % 4 >= 2 {
        for key in [1, 2] {
            run.step(&say(What::AddOwner { key }, 1))?;
        }
        run.step(&Step::Pass(Passing::Running(WAIT)))?;
        run.step(&say(What::SetQuorum { quorum: 2 }, 1))?;
        run.step(&Step::Pass(Passing::Running(WAIT)))?;
        run.step(&Step::EndExpired)?;
        if run.book.owners.quorum != 2 {
            return Err("two of three owners must sign by now".to_owned());
        }
    }
    run.folds()?;
    run.counts.clear();
    Ok(run)
}

pub(super) const fn say(what: What, count: usize) -> Step {
    Step::Say(Say {
        what,
        draft_admin: true,
        keep: false,
        door: well(count),
    })
}

fn first_owner(run: &mut Run) -> Checked {
    let withdrawals = vec![account(EVM, 0), account(solana(), 0)];
    let facts = StatementFacts::EnrolOwner {
        key: hand(0).public,
        withdrawals: withdrawals.clone(),
    };
    run.look()?;
    let origin = Origin::Admin;
    let (_, drafted) = run.accepted(&Command::Draft { facts, origin })?;
    let Outcome::Drafted { statement, text } = drafted else {
        return Err(format!("{drafted:?}"));
    };
    let rehearsal = Rehearsal {
        statement,
        envelope: Envelope::Ed25519Plain,
        signature: sign(hand(0), text.as_str()),
    };
    let (_, enrolled) = run.accepted(&Command::Enrol(rehearsal))?;
    let Outcome::Owner(owner) = enrolled else {
        return Err(format!("{enrolled:?}"));
    };
    run.book.owners.keys.insert(owner, (0, true));
    run.book.owners.withdrawals.extend(withdrawals);
    Ok(())
}

fn wallet(run: &mut Run, number: u8, networks: Vec<ChainId>) -> Checked {
    let chain = *networks.last().ok_or("networks")?;
    let account = match chain {
        ChainId::Evm(_) => Account::Evm(EvmAddress::from_bytes([number; 20])),
        ChainId::Solana(_) => Account::Solana(SolanaAddress::from_bytes([number; 32])),
    };
    let request = WalletRequest {
        path: run.state.next_path(chain.family()),
        account,
        networks: networks.clone(),
        first_nonce: 0,
    };
    run.look()?;
    let (_, made) = run.accepted(&Command::CreateWallet(request))?;
    let Outcome::Wallet(id) = made else {
        return Err(format!("{made:?}"));
    };
    run.book.wallets.push(Wallet {
        id,
        account,
        chain,
        networks,
        paused: false,
        nonces: (chain.family() == Family::Evm).then_some((0, 0)),
        closed: false,
        former: Vec::new(),
        rotated: None,
        withdrawn: Default::default(),
        left_out: Vec::new(),
    });
    Ok(())
}

fn adopt_first(run: &mut Run, kind: u64) -> Checked {
    let document = first(kind, &run.names);
    let facts = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    run.look()?;
    let origin = Origin::Admin;
    let (_, drafted) = run.accepted(&Command::Draft { facts, origin })?;
    let Outcome::Drafted { statement, text } = drafted else {
        return Err(format!("{drafted:?}"));
    };
    let owners = run.book.owners.of(true);
    let submission = Submission {
        statement,
        signatures: Run::signatures(&owners, &[(0, text.as_str())], false),
        origin,
        with_password: true,
    };
    run.accepted(&Command::Submit(submission))?;
    let matures = Some(run.book.now().run);
    run.book.adopted.push(Adopted {
        document: document.into(),
        matures,
        signers: owners,
    });
    Ok(())
}
