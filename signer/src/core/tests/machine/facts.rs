//! What the statements of a run say: each kind from its place in the book.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::event::Charge;
use waiaas_shared::ids::{OwnerId, SessionId};
use waiaas_shared::session::{SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, WallTime};

use super::documents::next;
use super::hands::{STRANGER, bound_to, hand};
use super::run::Run;
use super::step::What;
use crate::model::people::{account, bearer, recipient, solana};
use crate::model::random::Random;
use crate::model::{DAY, HOUR};

impl Run {
    pub(super) fn facts(&self, what: &What) -> Option<StatementFacts> {
        let book = &self.book;
        let wallet = |place: usize| &book.wallets[place % book.wallets.len()];
        let owner = |place: usize| {
            let owners: Vec<OwnerId> = book.owners.keys.keys().copied().collect();
            owners[place % owners.len()]
        };
        let mut names = self.names_of_payments.iter().rev().copied();
        Some(match what {
            What::Adopt { seed, epoch } => {
                let newest = book.adopted.last()?;
                let epoch = (book.epoch() + 1).saturating_add_signed(*epoch).max(1);
                let document = next(&newest.document, epoch, &self.names, *seed);
                StatementFacts::AdoptPolicy {
                    document: document.to_bytes(),
                }
            }
            What::Grant { seed } => StatementFacts::GrantSession {
                grant: self.grant(*seed),
            },
            What::ReleaseKill { sessions, epoch } => {
                let picked = book.sessions.iter().enumerate();
                let mut sessions: Vec<SessionId> = picked
                    .filter(|(place, one)| sessions >> place & 1 == 1 && one.by_kill)
                    .map(|(_, one)| one.id)
                    .collect();
                sessions.sort();
                StatementFacts::ReleaseKill {
                    epoch: book.kill_epoch.saturating_add_signed(*epoch),
                    sessions,
                }
            }
            What::ReleasePause { wallet: place } => StatementFacts::ReleasePause {
                wallet: place.map(|place| wallet(place).id),
            },
            What::Withdraw {
                wallet: place,
                to,
                amount,
                nonce,
                ..
            } => {
                let wallet = wallet(*place);
                let next = wallet.nonces.map_or(0, |(next, _)| next);
                StatementFacts::Withdraw {
                    wallet: wallet.id,
                    asset: wallet.chain.native_asset(),
                    to: recipient(wallet.chain, *to),
                    amount: Amount::from_base_units((*amount).into()),
                    fee_ceiling: Amount::from_base_units(30_000),
                    nonce: nonce.map(|beside| next.saturating_add_signed(beside)),
                    from: None,
                }
            }
            What::Attest {
                wallet: place,
                beside,
            } => {
                let wallet = wallet(*place);
                StatementFacts::AttestNonce {
                    wallet: wallet.id,
                    chain: wallet.chain,
                    next: wallet.nonces?.0.saturating_add_signed(*beside),
                }
            }
            What::StateTime { beside } => StatementFacts::StateTime {
                wall: WallTime::from_millis(book.now().wall.saturating_add_signed(*beside)),
            },
            What::EnrolAddress { to } => StatementFacts::EnrolWithdrawal {
                account: account(crate::model::people::EVM, *to),
            },
            What::Approve { which } => StatementFacts::ApprovePayment {
                transaction: names.nth(which % self.names_of_payments.len().max(1))?,
            },
            What::Reject { which } => StatementFacts::RejectPayment {
                transaction: names.nth(which % self.names_of_payments.len().max(1))?,
            },
            What::AddOwner { key } => StatementFacts::AddOwner {
                key: hand(key % STRANGER).public,
            },
            What::RemoveOwner { which } => StatementFacts::RemoveOwner {
                owner: owner(*which),
            },
            What::SetQuorum { quorum } => StatementFacts::SetQuorum { quorum: *quorum },
            What::CancelChange { which } => {
                let pending = &book.owners.pending;
                StatementFacts::CancelOwnerChange {
                    change: pending.get(which % pending.len().max(1))?.statement,
                }
            }
            What::SuspendOwner { which } => StatementFacts::SuspendOwner {
                owner: owner(*which),
            },
            What::Lift { which } => StatementFacts::LiftSuspension {
                owner: owner(*which),
            },
            What::Credit { which, part } => {
                let name = names.nth(which % self.names_of_payments.len().max(1))?;
                let paid = book.paid.get(&name)?;
                let charged = book.charges.get(paid.charge).of(paid.asking.asset());
                let given = charged * u128::from(*part) / 4;
                StatementFacts::Credit {
                    sequence: paid.sequence + u64::from(*part == 0),
                    transaction: name,
                    wallet: paid.asking.wallet,
                    amounts: vec![Charge {
                        asset: paid.asking.asset(),
                        amount: Amount::from_base_units(given.max(1)),
                    }],
                }
            }
        })
    }

    pub(super) fn grant(&self, seed: u64) -> SessionGrant {
        let mut random = Random::new(seed);
        let per_transaction = random
            .pick(&[150_000, 400_000, 500_000, 500_001])
            .unwrap_or(1);
        let total = random
            .pick(&[600_000, 2_000_000, 20_000_000])
            .unwrap_or(per_transaction);
        let limit = |chain: ChainId| SessionLimit {
            asset: chain.native_asset(),
            per_transaction: Amount::from_base_units(per_transaction),
            total: Amount::from_base_units(total),
        };
        let mut limits = vec![limit(solana())];
        if !random.once_in(8) {
            limits.push(limit(crate::model::people::EVM));
        }
        limits.sort_by_key(|limit| limit.asset);
        let mut wallets: Vec<_> = self.book.wallets.iter().map(|wallet| wallet.id).collect();
        if random.once_in(4) {
            wallets.remove(0);
        }
        wallets.sort();
        let lives = random.pick(&[HOUR, DAY, 40 * DAY, 40 * DAY]).unwrap_or(DAY);
        SessionGrant {
            wallets,
            limits,
            count: u32::try_from(random.pick(&[2, 50, 50]).unwrap_or(2)).unwrap_or(2),
            expires: self.wall().after(Millis::from_millis(lives)),
            credential: match random.below(3) {
                0 => bearer(random.next()),
                agent => bound_to(usize::from(agent == 2)),
            },
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        }
    }
}
