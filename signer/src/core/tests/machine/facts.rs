//! What the statements of a run say: each kind from its place in the book.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::event::Charge;
use waiaas_shared::ids::{AgentId, OwnerId, SessionId};
use waiaas_shared::session::{Operation, Renewal, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, WallTime};

use super::documents::next;
use super::hands::{STRANGER, bound_to, hand};
use super::run::Run;
use super::step::What;
use crate::model::people::{account, bearer, recipient, solana, token_on};
use crate::model::random::Random;
use crate::model::{DAY, HOUR, MINUTE};

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
                former,
                ..
            } => {
                let wallet = wallet(*place);
                let many = wallet.former.len().max(1);
                let key = former.and_then(|which| wallet.former.get(which % many));
                let nonces = key.map_or(wallet.nonces, |(_, nonces)| *nonces);
                let next = nonces.map_or(0, |(next, _)| next);
                StatementFacts::Withdraw {
                    wallet: wallet.id,
                    asset: wallet.chain.native_asset(),
                    to: recipient(wallet.chain, *to),
                    amount: Amount::from_base_units((*amount).into()),
                    fee_ceiling: Amount::from_base_units(30_000),
                    nonce: nonce.map(|beside| next.saturating_add_signed(beside)),
                    from: key.map(|(account, _)| *account),
                }
            }
            What::Attest {
                wallet: place,
                beside,
                former,
            } => {
                let wallet = wallet(*place);
                let many = wallet.former.len().max(1);
                let key = former.and_then(|which| wallet.former.get(which % many));
                let nonces = key.map_or(wallet.nonces, |(_, nonces)| *nonces);
                StatementFacts::AttestNonce {
                    wallet: wallet.id,
                    chain: wallet.chain,
                    next: nonces?.0.saturating_add_signed(*beside),
                    from: key.map(|(account, _)| *account),
                }
            }
            // The owner looks at a clock: the machine's, unless that lies behind what the signer knows.
            What::StateTime { beside } => StatementFacts::StateTime {
                wall: WallTime::from_millis({
                    let shown = book.time.reading.wall.max(book.now().wall);
                    shown.saturating_add_signed(*beside)
                }),
            },
            What::EnrolAddress { to } => StatementFacts::EnrolWithdrawal {
                account: account(crate::model::people::EVM, *to),
            },
            What::RemoveAddress { to } => StatementFacts::RemoveWithdrawal {
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
                let charged = book.charges.get(paid.charge);
                let main = paid.asking.asset();
                // All of it, or a part of what it is about.
                let assets = charged.took.keys().copied();
                let assets = assets.filter(|asset| *asset == main || *part == 4);
                let given = assets.map(|asset| {
                    let given = charged.of(asset) * u128::from(*part) / 4;
                    Charge {
                        asset,
                        amount: Amount::from_base_units(given.max(1)),
                    }
                });
                StatementFacts::Credit {
                    sequence: paid.sequence + u64::from(*part == 0),
                    transaction: name,
                    wallet: paid.asking.wallet,
                    amounts: given.collect(),
                }
            }
            What::Resume { which } => StatementFacts::ResumeSession {
                session: book.sessions[which % book.sessions.len()].id,
            },
            What::Alive => StatementFacts::SignOfLife,
            What::RegisterAgent { active } => StatementFacts::RegisterAgent { active: *active },
            What::ActivateAgent { which } => {
                let agents: Vec<_> = book.agents.keys().copied().collect();
                let known = agents.get(which % (agents.len() + 1)).copied();
                StatementFacts::ActivateAgent {
                    agent: known.unwrap_or_else(|| AgentId::from_bytes([8; 16])),
                }
            }
            What::CloseWallet { wallet: place } => Self::facts_of_keys(wallet(*place), None),
            What::RotateWallet {
                wallet: place,
                first_nonce,
                ..
            } => Self::facts_of_keys(wallet(*place), Some(*first_nonce)),
        })
    }

    pub(super) fn grant(&self, seed: u64) -> SessionGrant {
        let mut random = Random::new(seed);
        let per_transaction = random
            .pick(&[20_000, 150_000, 400_000, 500_000, 500_001])
            .unwrap_or(1);
        let total = random
            .pick(&[600_000, 2_000_000, 20_000_000])
            .unwrap_or(per_transaction);
        let newest = self.book.adopted.last().map(|one| &one.document);
        let rule = |asset: AssetId| {
            let mut rules = newest.iter().flat_map(|document| &document.assets);
            rules.find(|rule| rule.asset == asset)
        };
        let limit = |asset: AssetId| {
            // Where a payment may be larger, a session's may be too.
            let most = rule(asset).map_or(0, |rule| rule.per_transaction.base_units());
            let scale = if most > 1_000_000 { 10 } else { 1 };
            SessionLimit {
                asset,
                per_transaction: Amount::from_base_units(per_transaction * scale),
                total: Amount::from_base_units(total * scale),
            }
        };
        // Now and then an asset that no document lists, which refuses the whole.
        let (unlisted_too, without) = (random.once_in(8), random.once_in(8));
        let listed = |asset: &AssetId| unlisted_too || rule(*asset).is_some();
        let chains = [crate::model::people::EVM, solana()];
        let assets = chains.map(|chain| [chain.native_asset(), token_on(chain)]);
        let known = assets.into_iter().flatten().filter(listed);
        let known: Vec<AssetId> = known.collect();
        let skipped = usize::try_from(random.below(4)).expect("small");
        let kept = known.iter().enumerate();
        let kept = kept.filter(|(place, _)| !without || known.len() < 2 || *place != skipped);
        let mut limits: Vec<_> = kept.map(|(_, asset)| limit(*asset)).collect();
        if limits.is_empty() {
            limits.push(limit(solana().native_asset()));
        }
        limits.sort_by_key(|limit| limit.asset);
        // Now and then a closed one, which refuses the whole.
        let closed_too = random.once_in(10);
        let open = self
            .book
            .wallets
            .iter()
            .filter(|one| closed_too || !one.closed);
        let mut wallets: Vec<_> = open.map(|wallet| wallet.id).collect();
        if wallets.is_empty() {
            wallets.extend(self.book.wallets.iter().map(|wallet| wallet.id));
        }
        if random.once_in(4) && wallets.len() > 1 {
            wallets.remove(0);
        }
        wallets.sort();
        let lives = random.pick(&[HOUR, DAY, 40 * DAY, 40 * DAY]).unwrap_or(DAY);
        let count = u32::try_from(random.pick(&[2, 50, 50]).unwrap_or(2)).unwrap_or(2);
        let expires = self.wall().after(Millis::from_millis(lives));
        let credential = match random.below(3) {
            0 => bearer(random.next()),
            agent => bound_to(usize::from(agent == 2)),
        };
        let millis =
            |random: &mut Random, of: &[u64]| Millis::from_millis(random.pick(of).unwrap_or(HOUR));
        let renewal = random.once_in(2).then(|| Renewal {
            extends: millis(&mut random, &[10 * MINUTE, HOUR, DAY]),
            until: expires.after(millis(&mut random, &[MINUTE, MINUTE, HOUR, 40 * DAY])),
            count: u32::try_from(random.pick(&[1, 1, 1, 2, 4]).unwrap_or(1)).unwrap_or(1),
        });
        let everything = [
            Operation::NativeTransfer,
            Operation::TokenTransfer,
            Operation::TokenApproval,
            Operation::Call,
            Operation::TransferAuthorization,
        ];
        let operations = match random.below(5) {
            0 => None,
            1 => {
                let kept = everything.into_iter();
                let kept: Vec<_> = kept.filter(|_| random.once_in(2)).collect();
                (!kept.is_empty()).then_some(kept)
            }
            _ => Some(everything.to_vec()),
        };
        let agents: Vec<_> = self.book.agents.keys().copied().collect();
        let agent = random.once_in(3).then(|| random.pick(&agents)).flatten();
        SessionGrant {
            wallets,
            limits,
            count,
            expires,
            credential,
            recipients: None,
            operations,
            renewal,
            agent,
        }
    }
}
