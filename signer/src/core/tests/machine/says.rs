//! What owners of a run say, and what was observed of it.

use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{OwnerId, SessionId, StatementId};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;

use super::book::{Kill, Session, Stage, Standing};
use super::hands::{STRANGER, hand, sign};
use super::requests::{origin, same};
use super::run::{Checked, Held, Run};
use super::statements::Signed;
use super::step::{Door, Forged, Say, Spoilt, What};
use super::tries::does;
use crate::core::command::{Command, Outcome, Rehearsal, Submission, Withdrawal};
use crate::model::asking::{Does, Part};
use crate::model::binding::Adopted;
use crate::model::people::{Terms, recipient, transfer};
use crate::model::policy::Asking;

impl Run {
    pub(super) fn say(&mut self, say: &Say) -> Checked {
        self.look()?;
        let Some(facts) = self.facts(&say.what) else {
            return self.lock_nothing();
        };
        let from = origin(say.draft_admin);
        let expect = self.book.expect_draft(&facts, from);
        let command = match &facts {
            StatementFacts::Credit { transaction, .. } => Command::DraftCredit {
                entry: self.prior(*transaction),
                facts: facts.clone(),
                origin: from,
            },
            _ => Command::Draft {
                facts: facts.clone(),
                origin: from,
            },
        };
        let (_, outcome) = self.foreseen(&command, &expect)?;
        let Some(Outcome::Drafted { statement, text }) = outcome else {
            return Ok(());
        };
        let text = text.as_str().to_owned();
        self.book.drafted(statement, facts, from);
        self.held.insert(0, Held { statement, text });
        self.held.truncate(6);
        if say.keep {
            return Ok(());
        }
        let spoilt = match say.what {
            What::Withdraw { spoilt, .. } => spoilt,
            // The shell is wrong about the key.
            What::RotateWallet { known: true, .. } => Spoilt::OtherSignature,
            _ => Spoilt::Not,
        };
        self.submit(0, say.door, spoilt)
    }

    /// A look at the clocks without a command of its own: what was due takes effect.
    fn lock_nothing(&mut self) -> Checked {
        self.accepted(&Command::EndExpired)?;
        let now = self.book.now();
        self.book.waits.retain(|_, wait| !wait.is_over(now));
        Ok(())
    }

    pub(super) fn hand_in(&mut self, which: usize, door: Door) -> Checked {
        if self.held.is_empty() {
            return Ok(());
        }
        self.look()?;
        self.submit(which % self.held.len(), door, Spoilt::Not)
    }

    /// Signs as the door says, hands in where the kind belongs, and takes in what came of it.
    fn submit(&mut self, place: usize, door: Door, spoilt: Spoilt) -> Checked {
        let Held { statement, text } = self.held[place].clone();
        let other = self.held.get(place + 1).map(|held| held.text.clone());
        let (signed, signatures) = self.sign(&text, other, door);
        let draft = self.book.drafts.get(&statement).cloned();
        let facts = draft.map(|draft| draft.facts);
        let submission = Submission {
            statement,
            signatures: signatures.clone(),
            origin: origin(door.admin),
            with_password: door.password && door.admin,
        };
        let signed = Signed {
            password: door.password && door.admin,
            ..signed
        };
        let mut expect = self.book.expect_submission(statement, &signed);
        let command = match &facts {
            Some(StatementFacts::Withdraw { .. }) => {
                let (unsigned, asking) = self.withdrawal(&facts, spoilt)?;
                self.book
                    .expect_withdrawal(&facts, &asking, spoilt, &mut expect);
                Command::Withdraw(Withdrawal {
                    statement,
                    signatures,
                    unsigned,
                })
            }
            Some(StatementFacts::Credit { transaction, .. }) => Command::Credit {
                submission,
                entry: self.prior(*transaction),
            },
            Some(StatementFacts::AddOwner { key }) => {
                let new = hand(super::hands::place(key));
                Command::Register {
                    submission,
                    rehearsal: Rehearsal {
                        statement,
                        envelope: Envelope::Ed25519Plain,
                        signature: sign(new, &text),
                    },
                }
            }
            Some(StatementFacts::RotateWallet { wallet, .. }) => {
                let known = spoilt == Spoilt::OtherSignature;
                self.rotation(submission, *wallet, known, &mut expect)
            }
            _ => Command::Submit(submission),
        };
        let (events, outcome) = self.foreseen(&command, &expect)?;
        match (outcome, facts) {
            (Some(outcome), Some(facts)) => {
                self.count(facts.heading());
                self.said(statement, &facts, &signed, &events, outcome)
            }
            _ => Ok(()),
        }
    }

    fn sign(
        &self,
        text: &str,
        other: Option<String>,
        door: Door,
    ) -> (
        Signed,
        Vec<waiaas_shared::statement::verify::OwnerSignature>,
    ) {
        let owners = &self.book.owners;
        let active = owners.of(true);
        let mut by: Vec<OwnerId> = (0..door.count.min(active.len()))
            .map(|step| active[(door.first + step) % active.len()])
            .collect();
        let mut bad = false;
        let mut text_of_last = text.to_owned();
        match door.forged {
            Forged::Not => {}
            Forged::BitFlipped => bad = !by.is_empty(),
            Forged::Doubled => by = by.first().map(|one| vec![*one; 2]).unwrap_or_default(),
            Forged::ByStranger => by.push(OwnerId::from_bytes([77; 16])),
            Forged::WithFormer => by.extend(owners.of(false).first()),
            Forged::OverAnotherText => {
                if let (Some(other), false) = (other, by.is_empty()) {
                    bad = other != text;
                    text_of_last = other;
                }
            }
        }
        let last = by.len().saturating_sub(1);
        let texts: Vec<(usize, &str)> = by
            .iter()
            .enumerate()
            .map(|(place, owner)| {
                let hand = owners.keys.get(owner).map_or(STRANGER, |(key, _)| *key);
                let text = if place == last { &text_of_last } else { text };
                (hand, text)
            })
            .collect();
        let flipped = door.forged == Forged::BitFlipped;
        let signatures = Self::signatures(&by, &texts, flipped);
        let signed = Signed {
            by,
            bad,
            admin: door.admin,
            password: door.password,
        };
        (signed, signatures)
    }

    fn withdrawal(
        &self,
        facts: &Option<StatementFacts>,
        spoilt: Spoilt,
    ) -> Checked<(Vec<u8>, Asking)> {
        let Some(StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            from,
            ..
        }) = facts
        else {
            return Err("no withdrawal".to_owned());
        };
        let wallet = self.book.wallet(*wallet);
        let from = from.unwrap_or(wallet.account);
        let amount = amount.base_units();
        let terms = Terms {
            // One step more than was signed for.
            price: 1 + u64::from(spoilt == Spoilt::OtherNetwork),
            salt: 9,
            nonce: 0,
        };
        let to = match spoilt {
            Spoilt::OtherRecipient => recipient(wallet.chain, 2),
            _ => *to,
        };
        let more = amount + u128::from(spoilt == Spoilt::OtherAmount);
        let (mut unsigned, fee) = transfer(asset.chain(), &from, &to, more, terms);
        if spoilt == Spoilt::TrailingByte {
            unsigned.push(0);
        }
        let to = waiaas_shared::caip::AccountId::new(asset.chain(), to)
            .map_err(|error| error.to_string())?;
        let asking = Asking {
            wallet: wallet.id,
            session: SessionId::from_bytes([0; 16]),
            bearer: false,
            chain: asset.chain(),
            parts: vec![Part {
                does: Does::Pays,
                asset: *asset,
                to,
                amount: more,
            }],
            told: None,
            ran: None,
            memo: None,
            fee,
            rent: 0,
            submit: false,
            sponsored: false,
        };
        Ok((unsigned, asking))
    }

    /// What was signed took effect.
    fn said(
        &mut self,
        statement: StatementId,
        facts: &StatementFacts,
        signed: &Signed,
        events: &[EventBody],
        outcome: Outcome,
    ) -> Checked {
        let signers: Vec<OwnerId> = signed.distinct().into_iter().collect();
        let by = signers.clone();
        let now = self.book.now();
        let matures = self.book.maturity(signed);
        self.book.drafts.remove(&statement);
        match (facts, events, outcome) {
            (
                StatementFacts::AdoptPolicy { document },
                [EventBody::PolicyAdopted { matures: at, .. }],
                _,
            ) => {
                same("maturity", at.millis(), matures)?;
                let document =
                    waiaas_shared::policy::document::PolicyDocument::from_bytes(document)
                        .map_err(|error| error.to_string())?;
                let mut alarms = self.book.all_alarms();
                alarms.extend(document.alarms.iter().cloned());
                self.book.alarms.adopted(&alarms);
                self.book.adopted.push(Adopted {
                    document: document.into(),
                    matures: Some(matures),
                    signers,
                });
                // What owners read in an approval was judged by the policy before.
                self.book.drafts.retain(|_, draft| {
                    !matches!(draft.facts, StatementFacts::ApprovePayment { .. })
                });
                self.book.watch.adopted();
            }
            (
                StatementFacts::GrantSession { grant },
                [EventBody::SessionGranted { session, .. }],
                _,
            ) => {
                self.book.sessions.push(Session {
                    id: *session,
                    grant: grant.clone(),
                    spent: std::collections::BTreeMap::new(),
                    count: 0,
                    standing: Standing::Active,
                    ends: grant.expires.millis(),
                    renewals: 0,
                    by_kill: false,
                    opened: Vec::new(),
                    signers,
                });
                self.names.sessions.push(*session);
            }
            (StatementFacts::ReleaseKill { sessions, .. }, [EventBody::KillReleased { .. }], _) => {
                self.book.kill = Kill::Recovering;
                self.book.paused(None);
                for session in &mut self.book.sessions {
                    if session.by_kill && sessions.contains(&session.id) {
                        session.standing = Standing::Active;
                    }
                    session.by_kill = false;
                }
            }
            (StatementFacts::ReleasePause { wallet }, [EventBody::PauseReleased { .. }], _) => {
                match wallet {
                    Some(id) => self.book.wallet_mut(*id).paused = false,
                    None => {
                        self.book.frozen = false;
                        if self.book.kill == Kill::Recovering {
                            self.book.kill = Kill::Normal;
                        }
                    }
                }
            }
            (
                StatementFacts::Withdraw { nonce, from, .. },
                [EventBody::Withdrawn { spend, .. }],
                Outcome::Sign(order),
            ) => {
                let (_, asking) = self.withdrawal(&Some(facts.clone()), Spoilt::Not)?;
                let wallet = self.book.wallet_mut(asking.wallet);
                let issued = wallet
                    .nonces_of(*from)
                    .map(|(next, _)| nonce.unwrap_or(*next));
                let payer = from.unwrap_or(wallet.account);
                same("payer", spend.from, *from)?;
                does(&payer, &spend.unsigned, &asking, issued)?;
                same(
                    "bytes",
                    order.transaction().bytes(),
                    spend.unsigned.as_slice(),
                )?;
                let wallet = self.book.wallet_mut(asking.wallet);
                if let (Some((next, _)), Some(issued)) = (wallet.nonces_of(*from), issued) {
                    let reused = issued < *next;
                    *next = (*next).max(issued + 1);
                    if reused && from.is_none() {
                        wallet.withdrawn.insert(issued);
                    }
                    if !reused {
                        self.book.void_attestations(asking.wallet, *from);
                    }
                }
            }
            (
                StatementFacts::AttestNonce {
                    wallet,
                    chain,
                    next,
                    from,
                },
                [EventBody::NonceAttested { from: of, .. }],
                _,
            ) => {
                same("whose nonce", of, from)?;
                self.book.attested(*wallet, *chain, *next, *from);
            }
            // The clocks took it in with the event.
            (StatementFacts::StateTime { .. }, [EventBody::TimeStated { .. }], _) => {
                self.book.closed = false;
                for draft in self.book.drafts.values_mut() {
                    draft.void |= matches!(draft.facts, StatementFacts::StateTime { .. });
                }
            }
            (
                StatementFacts::ApprovePayment { transaction },
                [EventBody::IntentApproved { until, .. }],
                _,
            ) => {
                let wait = self.book.waits.get_mut(transaction).ok_or("it waits")?;
                let end = now.run + wait.release_within;
                same("approved until", until.millis(), end)?;
                wait.approval = Some((signers, end));
            }
            (
                StatementFacts::RejectPayment { transaction },
                [EventBody::IntentsEnded { .. }],
                _,
            ) => {
                self.book.waits.remove(transaction);
            }
            (
                StatementFacts::CancelOwnerChange { change },
                [EventBody::OwnerChangeCancelled { .. }],
                _,
            ) => {
                self.book
                    .owners
                    .pending
                    .retain(|one| one.statement != *change);
                // One that was signed and kept back never undoes a cancellation.
                let book = &mut self.book;
                let asks: Vec<StatementId> = book
                    .drafts
                    .iter()
                    .filter(|(_, draft)| {
                        book.change(&draft.facts, OwnerId::from_bytes([0; 16]))
                            .is_some()
                    })
                    .map(|(id, _)| *id)
                    .collect();
                book.drafts.retain(|id, _| !asks.contains(id));
            }
            (StatementFacts::SuspendOwner { owner }, [EventBody::OwnerSuspended { .. }, ..], _) => {
                self.book.suspend(*owner, &signers);
            }
            (StatementFacts::LiftSuspension { owner }, [EventBody::SuspensionLifted { .. }], _) => {
                if let Some((_, active)) = self.book.owners.keys.get_mut(owner) {
                    *active = true;
                }
            }
            (
                StatementFacts::Credit {
                    transaction,
                    amounts,
                    ..
                },
                [EventBody::Credited { .. }],
                _,
            ) => {
                let paid = self.book.paid.get_mut(transaction).ok_or("it was paid")?;
                paid.credited = true;
                let (charge, session) = (paid.charge, paid.asking.session);
                let given: Vec<_> = amounts
                    .iter()
                    .map(|one| (one.asset, one.amount.base_units()))
                    .collect();
                self.book.charges.credit(charge, &given);
                let session = self.book.session_mut(session).ok_or("a session")?;
                session.count -= 1;
                for (asset, given) in given {
                    *session.spent.entry(asset).or_default() -= given;
                }
            }
            (
                StatementFacts::RegisterAgent { active },
                [EventBody::AgentRegistered { agent, .. }],
                _,
            ) => {
                let stage = if *active {
                    Stage::Active
                } else {
                    Stage::Created
                };
                self.staged_by_owner(statement, *agent, stage)?;
            }
            (StatementFacts::ActivateAgent { agent }, [EventBody::AgentActivated { .. }], _) => {
                self.staged_by_owner(statement, *agent, Stage::Active)?
            }
            (StatementFacts::CloseWallet { wallet }, [.., EventBody::WalletClosed { .. }], _) => {
                self.book.close(*wallet)
            }
            (
                StatementFacts::RotateWallet {
                    wallet,
                    first_nonce,
                },
                [.., EventBody::WalletRotated { account, .. }],
                _,
            ) => self.book.rotate(*wallet, *account, *first_nonce),
            (
                StatementFacts::AddOwner { .. },
                [EventBody::OwnerChangeScheduled { .. }],
                outcome,
            ) => {
                let Outcome::Owner(id) = outcome else {
                    return Err(format!("{outcome:?}"));
                };
                let change = self.book.change(facts, id).ok_or("a change")?;
                self.book.schedule(statement, change, signers);
            }
            (
                facts,
                [EventBody::OwnerChangeScheduled { .. } | EventBody::WithdrawalEnrolled { .. }],
                _,
            ) => {
                let nobody = OwnerId::from_bytes([0; 16]);
                let change = self.book.change(facts, nobody).ok_or("a change")?;
                self.book.schedule(statement, change, signers);
            }
            (StatementFacts::SignOfLife, [EventBody::OwnerAlive { .. }], _) => {}
            (StatementFacts::ResumeSession { session }, [EventBody::SessionResumed { .. }], _) => {
                self.book.watch.suspended.remove(session);
                self.book.watch.begin_anew(*session);
            }
            (facts, events, outcome) => {
                return Err(format!("{facts:?} gave {events:?} and {outcome:?}"));
            }
        }
        self.book.word(&by);
        Ok(())
    }
}
