//! One more transaction for an issued nonce: what must come of it, and what was observed. The model takes
//! invariant 6 at its word: of all transactions of a nonce one lands, so a payment that is sped up is one
//! charge that moved, and a cancellation is a fee that the nonce's charge covers as far as it reaches.

use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Variant};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::transaction::EvmFees;

use super::book::{Book, Paid};
use super::bytes::{of_bytes, propose, spoilt_bytes};
use super::expect::Expect;
use super::observed::charged;
use super::requests::same;
use super::run::{Checked, Run};
use super::step::Spoilt;
use super::tries::does;
use crate::core::command::{Change, Command, Outcome, VariantRequest};
use crate::model::asking::{Does, Part};
use crate::model::people::FEE;
use crate::model::policy::Asking;

/// What was asked, to be asked again.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) of: TransactionId,
    pub(super) change: Change,
    price: u128,
    cancels: bool,
    spoilt: Spoilt,
}

/// What takes the place of a payment, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) by: TransactionId,
    request: (u128, bool, Spoilt),
}

impl Book {
    fn expect_variant(&self, asked: &Asked, known: bool) -> Expect {
        let mut expect = Expect::default();
        let paid = self.paid.get(&asked.of).filter(|_| known);
        let Some(paid) = paid else {
            expect.when(true, Code::TransactionUnknown);
            return expect;
        };
        if let Some(placed) = &paid.placed {
            let same = placed.request == (asked.price, asked.cancels, asked.spoilt);
            return if same {
                self.expect_replay(placed.by)
            } else {
                // What was credited before it was replaced cannot be.
                expect.when(true, Code::PaymentReplaced);
                expect.maybe_when(paid.credited, Code::PaymentCredited);
                expect
            };
        }
        let Some(nonce) = paid.nonce else {
            expect.when(true, Code::VariantUnsupported);
            return expect;
        };
        if paid.credited {
            expect.when(true, Code::PaymentCredited);
            return expect;
        }
        self.stopped(&paid.asking, &mut expect);
        self.same_key(paid, &mut expect);
        let wallet = self.wallet(paid.asking.wallet);
        let attested = wallet.nonces.map_or(0, |(_, attested)| attested);
        let gone = nonce < attested || wallet.withdrawn.contains(&nonce);
        expect.when(gone, Code::VariantNonceUsed);
        let (price, tip) = paid.prices;
        let above = |old: u128| old + old.div_ceil(10);
        let low = asked.price < above(price) || asked.price < above(tip);
        expect.when(low, Code::VariantFee);
        if asked.cancels {
            self.expect_cancellation(paid, asked.price * FEE, &mut expect);
            return expect;
        }
        if paid.cancels {
            expect.when(true, Code::VariantCancelled);
            return expect;
        }
        spoilt_bytes(asked.spoilt, &paid.asking, None, &mut expect);
        self.usable(paid.asking.session, &mut expect);
        let fee = asked.price * FEE;
        expect.when(
            paid.agreed.is_some_and(|agreed| fee > agreed),
            Code::FeeCeiling,
        );
        let Some(session) = self.session(paid.asking.session) else {
            return expect;
        };
        let asking = Asking {
            fee,
            ..paid.asking.clone()
        };
        let said = self.judged(session, &asking, Some(paid.charge), &mut expect);
        self.went_through(paid, &said, false, &mut expect);
        expect
    }

    /// What it went through, or what the higher fee makes of it.
    fn tier_of_variant(&self, paid: &Paid, asked: &Asked) -> Result<(Tier, Tier), String> {
        if asked.cancels {
            return Ok((paid.tier, paid.tier));
        }
        let session = self.session(paid.asking.session).ok_or("a session")?;
        let asking = Asking {
            fee: asked.price * FEE,
            ..paid.asking.clone()
        };
        let said = self.judged(session, &asking, Some(paid.charge), &mut Expect::default());
        let (least, most) = said.tier;
        Ok((paid.tier.max(least), paid.tier.max(most)))
    }

    /// A fee, without what of the nonce's charge it takes over.
    pub(super) fn expect_cancellation(&self, paid: &Paid, fee: u128, expect: &mut Expect) {
        let asset = paid.asking.native();
        let mut charges = self.charges.clone();
        let taken = charges.take(paid.charge, asset, fee);
        let Some(session) = self.session(paid.asking.session) else {
            return;
        };
        let asking = Asking {
            parts: Vec::new(),
            told: None,
            ran: None,
            fee,
            bearer: session.bearer(),
            ..paid.asking.clone()
        };
        let binding = self.binding();
        expect.when(binding.is_empty(), Code::PolicyMissing);
        for one in binding {
            let found =
                crate::model::policy::judge_fee(&one.document, &asking, &charges, self.now());
            expect.all.extend(&found.certain);
            expect.may.extend(&found.possible);
        }
        let mut limits = session.grant.limits.iter();
        let Some(limit) = limits.find(|limit| limit.asset == asset) else {
            return expect.all_when(true, Code::SessionAsset);
        };
        let most = limit.per_transaction.base_units();
        expect.all_when(fee > most, Code::SessionPerTransaction);
        let spent = session.spent.get(&asset).copied().unwrap_or(0) - taken;
        let over = spent + fee > limit.total.base_units();
        expect.all_when(over, Code::SessionTotal);
    }
}

impl Run {
    pub(super) fn vary(
        &mut self,
        which: usize,
        more: u64,
        cancels: bool,
        spoilt: Spoilt,
    ) -> Checked {
        let names = &self.names_of_payments;
        let mut newest = names.iter().rev();
        let Some(of) = newest.nth(which % names.len().max(1)).copied() else {
            return Ok(());
        };
        let paid = self.book.paid.get(&of);
        let before = paid.map_or(1, |paid| paid.prices.0);
        let price = before + u128::from(more);
        let spoilt = match paid {
            Some(paid) if !cancels => of_bytes(spoilt, &paid.asking),
            _ => Spoilt::Not,
        };
        let change = if cancels {
            Change::Cancel {
                fees: EvmFees {
                    gas_limit: 21_000,
                    max_fee_per_gas: price,
                    max_priority_fee_per_gas: price,
                },
            }
        } else {
            let unsigned = paid.map(|paid| self.again_at(&paid.asking, price, spoilt));
            Change::Pay {
                unsigned: unsigned.unwrap_or_default(),
            }
        };
        let asked = Asked {
            of,
            change,
            price,
            cancels,
            spoilt,
        };
        // What had no bytes yet is not asked again.
        if cancels || paid.is_some() {
            self.asked.push(asked.clone());
        }
        self.ask_variant(asked)
    }

    /// Bytes of the same at another price, all of it for the block's producer.
    fn again_at(&self, asking: &Asking, price: u128, spoilt: Spoilt) -> Vec<u8> {
        if !matches!(asking.chain, ChainId::Evm(_)) {
            return Vec::new();
        }
        let from = self.book.wallet(asking.wallet).account;
        let whole = u64::try_from(price).expect("small");
        propose(&from, asking, (whole, price), 0, spoilt)
    }

    pub(super) fn vary_again(&mut self, which: usize) -> Checked {
        match self.asked.get(which % self.asked.len().max(1)).cloned() {
            Some(asked) => self.ask_variant(asked),
            None => Ok(()),
        }
    }

    fn ask_variant(&mut self, asked: Asked) -> Checked {
        self.look()?;
        let prior = self.prior(asked.of);
        let expect = self.book.expect_variant(&asked, prior.is_some());
        let command = Command::Vary(VariantRequest {
            transaction: asked.of,
            change: asked.change.clone(),
            prior,
            used: self.used(&Variant::key(asked.of)),
        });
        let (events, outcome) = self.foreseen(&command, &expect)?;
        match (outcome, events.as_slice()) {
            (None, _) => {
                self.see_variants_expiry(&asked);
                Ok(())
            }
            (Some(Outcome::Sign(order)), []) => {
                let placed = self
                    .book
                    .paid
                    .get(&asked.of)
                    .and_then(|paid| paid.placed.clone());
                let placed = placed.ok_or("signed without a record")?;
                self.again_signed(placed.by, &order)
            }
            (Some(Outcome::Sign(order)), [EventBody::SpendReplaced { spend, variant }]) => {
                let paid = self.book.paid.get(&asked.of).cloned().ok_or("a payment")?;
                same("of", variant.of, asked.of)?;
                same("cancels", variant.cancels, asked.cancels)?;
                same("nonce", spend.nonce, paid.nonce)?;
                same("bytes", order.transaction().bytes(), &spend.unsigned[..])?;
                same("a replay", order.sealed().replay_of, None)?;
                let fee = asked.price * FEE;
                let (least, most) = self.book.tier_of_variant(&paid, &asked)?;
                if spend.tier < least || spend.tier > most {
                    return Err(format!("{:?} is not {least:?} to {most:?}", spend.tier));
                }
                let paid = Paid {
                    tier: spend.tier,
                    epoch: spend.policy_epoch,
                    ..paid
                };
                let own = self.book.wallet(paid.asking.wallet).account;
                let chain = paid.asking.chain;
                let mut did = Asking {
                    fee,
                    ..paid.asking.clone()
                };
                if asked.cancels {
                    let to = AccountId::new(chain, own).map_err(|error| error.to_string())?;
                    let nothing = Part {
                        does: Does::Pays,
                        asset: did.native(),
                        to,
                        amount: 0,
                    };
                    (did.parts, did.told) = (vec![nothing], None);
                }
                does(&own, &spend.unsigned, &did, paid.nonce)?;
                same("charges", charged(&spend.charges), did.sums())?;
                self.varied(&asked, &paid, did, spend.transaction, &spend.unsigned)
            }
            (outcome, events) => Err(format!("{outcome:?} with {events:?}")),
        }
    }

    /// Only where the session was looked at is its end seen; where it was not, nothing says so.
    fn see_variants_expiry(&mut self, asked: &Asked) {
        let Some(paid) = self.book.paid.get(&asked.of) else {
            return;
        };
        let asks_again = paid.placed.as_ref().is_some_and(|placed| {
            placed.request == (asked.price, asked.cancels, asked.spoilt)
                && self
                    .book
                    .paid
                    .get(&placed.by)
                    .is_some_and(|by| by.credited || by.placed.is_some())
        });
        let session = paid.asking.session;
        if !asks_again {
            self.book.see_expiry(session);
        }
    }

    fn varied(
        &mut self,
        asked: &Asked,
        paid: &Paid,
        did: Asking,
        name: TransactionId,
        unsigned: &[u8],
    ) -> Checked {
        let (at, asset) = (self.book.now().budget, paid.asking.native());
        let charges = &mut self.book.charges;
        let (charge, taken) = if asked.cancels {
            let (charge, taken) = charges.cancel(paid.charge, at, asset, did.fee);
            (charge, [(asset, taken)].into())
        } else {
            let before = charges.get(paid.charge).took.clone();
            charges.moves(paid.charge, at, did.sums());
            (paid.charge, before)
        };
        let session = self
            .book
            .session_mut(paid.asking.session)
            .ok_or("a session")?;
        for (asset, total) in did.sums() {
            let spent = session.spent.entry(asset).or_default();
            *spent = *spent - taken.get(&asset).copied().unwrap_or_default() + total;
        }
        let sequence = self.sequence();
        let variant = Paid {
            asking: Asking {
                fee: did.fee,
                ..paid.asking.clone()
            },
            charge,
            bytes: unsigned.to_vec(),
            sequence,
            credited: false,
            prices: (asked.price, asked.price),
            cancels: asked.cancels,
            placed: None,
            ..paid.clone()
        };
        let placed = Placed {
            by: name,
            request: (asked.price, asked.cancels, asked.spoilt),
        };
        if let Some(first) = self.book.paid.get_mut(&asked.of) {
            first.placed = Some(placed);
        }
        self.book.paid.insert(name, variant);
        self.names_of_payments.push(name);
        self.count(if asked.cancels {
            "cancelled on its nonce"
        } else {
            "sped up"
        });
        Ok(())
    }
}
