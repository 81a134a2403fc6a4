//! The next step, by chance, with a leaning towards what is deep: service comes back after a stop, what
//! waits is approved and released, and time runs to where something changes.

use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Change, Kill, Stage, Standing};
use super::functions::{At, Calls};
use super::programs::Runs;
use super::setup::{say, well};
use super::step::{Again, Door, Forged, Kind, Pay, Say, Size, Spoilt, Step, What};
use super::time::Passing;
use crate::model::random::Random;
use crate::model::{DAY, HOUR, MINUTE};

fn place(random: &mut Random) -> usize {
    usize::try_from(random.below(64)).expect("small")
}

fn some<T: Copy>(random: &mut Random, of: &[T]) -> T {
    random.pick(of).expect("not empty")
}

pub(super) fn next(random: &mut Random, book: &Book) -> Step {
    if random.once_in(3)
        && let Some(step) = heal(random, book)
    {
        return step;
    }
    let asks = book
        .waits
        .values()
        .any(|wait| wait.ready.is_none() && wait.approval.is_none());
    if asks && random.once_in(5) {
        return said(random, What::Approve { which: 0 }, true);
    }
    let run = book.now().run;
    let ready = book
        .waits
        .values()
        .any(|wait| wait.approval.is_some() || wait.ready.is_some_and(|ready| ready <= run));
    if random.once_in(25) {
        return Step::Watch;
    }
    if random.once_in(12)
        && let Some(step) = lives(random, book)
    {
        return step;
    }
    if random.once_in(8) {
        return authorization(random, book);
    }
    if ready && random.once_in(4) {
        return Step::Release {
            which: usize::from(random.once_in(3)),
            price: 1,
            spoilt: Spoilt::Not,
        };
    }
    match random.below(100) {
        0..=36 => Step::Pay(pay(random)),
        37..=42 => Step::Vary {
            which: some(random, &[0, 0, 0, 1, 2, 5]),
            more: some(random, &[0, 1, 1, 1, 2, 3]),
            cancels: random.once_in(3),
            spoilt: if random.once_in(5) {
                spoilt(random)
            } else {
                Spoilt::Not
            },
        },
        43 | 44 => Step::VaryAgain {
            which: place(random),
        },
        45..=49 => Step::Again {
            which: place(random),
            how: some(
                random,
                &[
                    Again::Exactly,
                    Again::SignedAnew,
                    Again::SignedAnew,
                    Again::OtherBody,
                    Again::OtherSession,
                ],
            ),
        },
        50 | 51 => Step::Resend {
            which: place(random),
        },
        52..=58 => Step::Release {
            which: place(random),
            price: some(random, &[1, 1, 1, 2, 3]),
            spoilt: if random.once_in(5) {
                spoilt(random)
            } else {
                Spoilt::Not
            },
        },
        59 | 60 => Step::Cancel {
            which: place(random),
            admin: random.once_in(2),
        },
        61 => Step::EndExpired,
        62..=77 => {
            let what = what(random);
            said(random, what, false)
        }
        78 | 79 => Step::HandIn {
            which: place(random),
            door: door(random, false),
        },
        80..=91 => passing(random),
        92 => Step::Restart {
            off: some(random, &[0, MINUTE, HOUR, DAY, 8 * DAY, 29 * DAY, 31 * DAY]),
            stepped: if random.once_in(6) {
                some(random, &[-300_000, -1_200_000])
            } else {
                0
            },
            vouch: random.once_in(2),
            journal_lost: random.once_in(8),
        },
        93 => Step::Kill {
            admin: random.once_in(2),
        },
        94 | 95 => Step::Pause {
            wallet: random.once_in(2).then(|| place(random)),
            admin: random.once_in(2),
        },
        96 => Step::Revoke {
            session: place(random),
        },
        97 if random.once_in(2) => Step::Suspend {
            owner: place(random),
        },
        98 => Step::Batch(random.once_in(2)),
        99 if random.once_in(3) => Step::Lock,
        97 => Step::Watch,
        _ => {
            let what = What::Adopt {
                seed: random.next(),
                epoch: 0,
            };
            said(random, what, true)
        }
    }
}

/// What an owner does to get service back.
fn heal(random: &mut Random, book: &Book) -> Option<Step> {
    let quorum = book.owners.quorum;
    if book.owners.of(true).len() < quorum {
        return Some(say(
            What::Lift {
                which: place(random),
            },
            1,
        ));
    }
    if book.kill == Kill::Activated {
        let sessions = random.next();
        return Some(say(What::ReleaseKill { sessions, epoch: 0 }, quorum));
    }
    if book.closed {
        // Now and then another clock than the machine's, which then is believed or not.
        let beside = match random.below(8) {
            0 => -i64::try_from(random.below(2 * HOUR)).expect("small"),
            1 => -3 * i64::try_from(DAY).expect("small"),
            _ => i64::try_from(random.below(1000)).expect("small"),
        };
        return Some(say(What::StateTime { beside }, quorum));
    }
    // Where a second address is on its way or there, one of them may leave.
    let mut coming = book.owners.pending.iter();
    let coming = coming.any(|one| matches!(one.change, Change::Address(_)));
    if (coming || book.owners.withdrawals.len() > 2) && random.once_in(4) {
        let to = some(random, &[0, 1, 2]);
        return Some(say(What::RemoveAddress { to }, quorum));
    }
    let paused = book.wallets.iter().position(|wallet| wallet.paused);
    if book.frozen || paused.is_some() {
        let wallet = if book.frozen { None } else { paused };
        // One that is kept back, and a pause after it.
        let mut kept = book.drafts.values();
        let kept = kept
            .any(|draft| !draft.void && matches!(draft.facts, StatementFacts::ReleasePause { .. }));
        return Some(match random.below(5) {
            0 if kept => Step::Pause {
                wallet,
                admin: true,
            },
            0 => Step::Say(Say {
                what: What::ReleasePause { wallet },
                draft_admin: true,
                keep: true,
                door: well(quorum),
            }),
            _ => say(What::ReleasePause { wallet }, quorum),
        });
    }
    let suspended = book.sessions.iter();
    let suspended = suspended.map(|one| book.watch.suspended.contains(&one.id));
    let suspended: Vec<_> = suspended.enumerate().filter(|(_, is)| *is).collect();
    let place_of = random.pick(&suspended).map(|(place, _)| place);
    if let Some(which) = place_of.filter(|_| random.once_in(3)) {
        return Some(say(What::Resume { which }, quorum));
    }
    let wall = book.now().wall;
    let usable = book
        .sessions
        .iter()
        .filter(|session| session.is_usable(wall));
    let active = |session: &&super::book::Session| {
        let agent = session
            .grant
            .agent
            .and_then(|agent| book.agents.get(&agent));
        session.standing == Standing::Active && agent.is_none_or(|stage| *stage == Stage::Active)
    };
    if usable.filter(active).count() < 2 {
        let seed = random.next();
        return Some(say(What::Grant { seed }, quorum));
    }
    None
}

/// Of sessions, agents and keys: a session is renewed when it can be, an agent is brought back.
fn lives(random: &mut Random, book: &Book) -> Option<Step> {
    let which = place(random);
    Some(match random.below(12) {
        0..=4 => {
            let sessions = book.sessions.iter();
            let near = sessions.filter(|one| one.is_usable(book.now().wall));
            let near = near.filter(|one| one.renewable_from().is_some());
            let ids: Vec<_> = near.map(|one| one.id).collect();
            let id = random.pick(&ids);
            let found = book.sessions.iter().position(|one| Some(one.id) == id);
            Step::Renew {
                session: if random.once_in(4) { which } else { found? },
                spoilt: if random.once_in(4) {
                    spoilt(random)
                } else {
                    Spoilt::Not
                },
            }
        }
        5 | 6 => Step::StopAgent {
            which,
            ends: random.once_in(3),
            admin: random.once_in(2),
        },
        7 | 8 => {
            let down = book.agents.values();
            let down = down.map(|stage| matches!(stage, Stage::Created | Stage::Suspended));
            let down: Vec<_> = down.enumerate().filter(|(_, is)| *is).collect();
            let found = down.get(which % down.len().max(1)).map(|(place, _)| *place);
            let what = match found {
                Some(which) => What::ActivateAgent { which },
                None if random.once_in(2) => What::ActivateAgent { which },
                None => What::RegisterAgent {
                    active: random.once_in(2),
                },
            };
            said(random, what, false)
        }
        9 | 10 => {
            let known = random.once_in(6);
            let what = What::RotateWallet {
                wallet: which,
                first_nonce: some(random, &[0, 0, 0, 3]),
                known,
            };
            let well = random.once_in(2);
            said(random, what, well)
        }
        _ => {
            let one_is_left = book.wallets.iter().filter(|one| !one.closed).count() < 2;
            if one_is_left || random.once_in(2) {
                return None;
            }
            said(random, What::CloseWallet { wallet: which }, true)
        }
    })
}

fn kind(random: &mut Random) -> Kind {
    match random.below(15) {
        0..=5 => Kind::Coins,
        6 | 7 => Kind::Tokens,
        8 if random.once_in(2) => Kind::Allowance,
        8..=10 => Kind::Batch {
            first: random.once_in(2),
            more: (0..random.between(1, 3))
                .map(|_| {
                    let to = some(random, &[0, 0, 0, 0, 1, 1, 2, 3]);
                    let amount = some(random, &[1, 500, 2_000, 20_000]);
                    (to, random.once_in(2), amount)
                })
                .collect(),
        },
        11 | 12 => Kind::Run(Runs {
            which: some(random, &[0, 0, 0, 0, 1, 1, 2]),
            elsewhere: random.once_in(12),
            places: [
                u8::from(random.once_in(12)),
                some(random, &[0, 0, 0, 1, 1, 2, 3, 4]),
                some(random, &[0, 0, 0, 0, 0, 1, 2, 3, 4]),
            ],
            more: some(random, &[0, 0, 0, 0, 0, 0, 0, 0, -1, 1]),
            behind: some(random, &[0, 0, 0, 0, 1, 2, 5]),
        }),
        _ => Kind::Call(Calls {
            which: some(random, &[0, 0, 0, 1, 1, 2, 2, 3]),
            at: match random.below(16) {
                0 => At::Elsewhere,
                1 | 2 => At::Wallet(usize::from(random.once_in(4))),
                _ => At::Vault,
            },
            own: random.once_in(2),
            names: some(random, &[0, 0, 1, 2, 3]),
            value: some(random, &[0, 0, 0, 7, 8, 9]),
        }),
    }
}

fn authorization(random: &mut Random, book: &Book) -> Step {
    let holds = book.authorized.holds(book.now().wall);
    if random.once_in(if holds { 2 } else { 6 }) {
        return Step::AuthorizeAgain {
            which: some(random, &[0, 0, 0, 1, 2]),
            how: some(
                random,
                &[
                    Again::Exactly,
                    Again::SignedAnew,
                    Again::SignedAnew,
                    Again::SignedAnew,
                    Again::OtherBody,
                    Again::OtherSession,
                ],
            ),
        };
    }
    let mut pay = pay(random);
    (pay.kind, pay.memo) = (Kind::Tokens, None);
    // Seldom from the wallet of Solana.
    if pay.wallet % 4 == 2 && !random.once_in(6) {
        pay.wallet = 0;
    }
    if !random.once_in(4) {
        pay.wallet = usize::from(random.once_in(3));
        pay.size = Size::Plain(random.between(1, 60_000));
    }
    let holds = [None, None, None, None, None, Some(60), Some(300), Some(301)];
    let holds = some(random, &holds);
    Step::Authorize { pay, holds }
}

fn pay(random: &mut Random) -> Pay {
    let kind = kind(random);
    Pay {
        memo: match kind {
            Kind::Coins if random.once_in(60) => Some(1),
            Kind::Coins | Kind::Allowance | Kind::Call(_) | Kind::Run(_) => None,
            _ => random.once_in(2).then(|| some(random, &[0, 1, 2])),
        },
        creates: some(random, &[0, 0, 1, 2]),
        wallet: match kind {
            // The third one is Solana's.
            Kind::Batch { .. } | Kind::Run(_) if !random.once_in(6) => 2,
            _ if random.once_in(2) => 0,
            _ => place(random),
        },
        kind,
        session: place(random),
        to: some(random, &[0, 0, 0, 0, 1, 1, 2, 3]),
        by_name: random.once_in(5),
        size: match random.below(8) {
            0..=2 => Size::Plain(random.between(1, 60_000)),
            3 => Size::Plain(random.between(1, 400_000)),
            4 => Size::Plain(some(random, &[0, 1, 99_999, 229_000, 479_000])),
            _ => Size::Edge {
                which: place(random),
                beside: some(random, &[-1, 0, 0, 0, 1]),
            },
        },
        price: some(random, &[1, 1, 1, 1, 2, 3]),
        submit: !random.once_in(12),
        dry_run: random.once_in(20),
        replaces: random.once_in(8).then(|| {
            let which = some(random, &[0, 0, 1, 2, 3]);
            (which, !random.once_in(5), !random.once_in(4))
        }),
        spoilt: if random.once_in(8) {
            spoilt(random)
        } else {
            Spoilt::Not
        },
    }
}

fn spoilt(random: &mut Random) -> Spoilt {
    some(
        random,
        &[
            Spoilt::OtherRecipient,
            Spoilt::OtherAmount,
            Spoilt::Hidden,
            Spoilt::OtherMemo,
            Spoilt::Dirty,
            Spoilt::TrailingByte,
            Spoilt::NonceOne,
            Spoilt::OtherSigner,
            Spoilt::UnknownSession,
            Spoilt::OtherNetwork,
            Spoilt::NoSignature,
            Spoilt::OtherSignature,
            Spoilt::OtherPath,
            Spoilt::OldSignature(120),
            Spoilt::OldSignature(121),
            Spoilt::UsedNonce,
        ],
    )
}

fn passing(random: &mut Random) -> Step {
    match random.below(16) {
        0..=8 => Step::PassTo {
            which: place(random),
            beside: some(random, &[-1, 0, 0, 1]),
        },
        9 => Step::Pass(Passing::Running(random.below(MINUTE))),
        10 => Step::Pass(Passing::Running(some(
            random,
            &[MINUTE, 15 * MINUTE, HOUR, DAY],
        ))),
        11 => Step::Pass(Passing::Running(random.below(3 * DAY))),
        12 => Step::Pass(Passing::Running(some(
            random,
            &[3 * DAY, 7 * DAY, 30 * DAY],
        ))),
        13 | 14 => Step::Pass(Passing::Suspended(random.below(2 * DAY))),
        _ => Step::Pass(Passing::Stepped(some(
            random,
            &[
                300_000,
                -300_000,
                600_000,
                600_001,
                -600_001,
                86_400_000 * 3,
            ],
        ))),
    }
}

fn what(random: &mut Random) -> What {
    match random.below(24) {
        0..=5 => What::Adopt {
            seed: random.next(),
            epoch: if random.once_in(10) {
                some(random, &[-1, 1])
            } else {
                0
            },
        },
        6 | 7 => What::Grant {
            seed: random.next(),
        },
        8 => What::ReleaseKill {
            sessions: random.next(),
            epoch: some(random, &[0, 0, -1, 1]),
        },
        9 => What::ReleasePause {
            wallet: random.once_in(2).then(|| place(random)),
        },
        10 | 11 => What::Withdraw {
            wallet: place(random),
            to: some(random, &[0, 0, 0, 1, 2]),
            amount: random.between(1, 5_000_000),
            nonce: random.once_in(2).then(|| some(random, &[-2, -1, 0, 1])),
            spoilt: if random.once_in(4) {
                spoilt(random)
            } else {
                Spoilt::Not
            },
            former: random.once_in(3).then(|| place(random)),
        },
        12 => What::Attest {
            wallet: place(random),
            beside: some(random, &[-1, 0, 0, 1, 3]),
            former: random.once_in(3).then(|| place(random)),
        },
        13 => What::StateTime {
            beside: some(random, &[-4_200_001, -4_200_000, -1, 0, 60_000]),
        },
        14 if random.once_in(3) => What::RemoveAddress {
            to: some(random, &[0, 1, 2]),
        },
        14 => What::EnrolAddress {
            to: some(random, &[0, 1, 2]),
        },
        15 => What::Approve {
            which: place(random),
        },
        16 => What::Reject {
            which: place(random),
        },
        17 => What::AddOwner { key: place(random) },
        18 => What::RemoveOwner {
            which: place(random),
        },
        19 => What::SetQuorum {
            quorum: some(random, &[0, 1, 2, 3]),
        },
        20 => What::CancelChange {
            which: place(random),
        },
        21 => What::SuspendOwner {
            which: place(random),
        },
        22 => What::Lift {
            which: place(random),
        },
        23 if random.once_in(3) => What::Resume {
            which: place(random),
        },
        23 if random.once_in(3) => What::Alive,
        _ => What::Credit {
            which: place(random),
            part: some(random, &[4, 4, 2, 1, 0, 5]),
        },
    }
}

fn said(random: &mut Random, what: What, well: bool) -> Step {
    Step::Say(Say {
        what,
        draft_admin: !random.once_in(3),
        keep: random.once_in(8) && !well,
        door: door(random, well),
    })
}

fn door(random: &mut Random, well: bool) -> Door {
    Door {
        admin: !random.once_in(3),
        password: random.once_in(2),
        first: place(random),
        count: some(random, &[1, 2, 2, 2, 3]),
        forged: if random.once_in(7) && !well {
            some(
                random,
                &[
                    Forged::BitFlipped,
                    Forged::Doubled,
                    Forged::ByStranger,
                    Forged::WithFormer,
                    Forged::OverAnotherText,
                ],
            )
        } else {
            Forged::Not
        },
    }
}
