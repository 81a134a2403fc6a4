//! Payments of a run: what is asked and proposed, and what was observed of it.

use waiaas_shared::event::{EventBody, Origin, Spend, Waited};
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::intent::{Intent, IntentEnd};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::time::RunTime;

use super::alarms::Doing;
use super::book::{Paid, Wait};
use super::bytes::{propose, spoilt_as};
use super::hands::agent;
use super::observed::{charged, waits_for};
use super::payments::Request;
use super::run::{Checked, Run, SIGNER, Sent};
use super::step::{Again, Pay, Spoilt};
use super::tries::{Went, does, replaced};
use super::wanted::Wanted;
use crate::core::command::{Command, Outcome, SigningOrder, SpendRequest};
use crate::model::binding::Said;
use crate::model::charges::Charge;
use crate::model::people::fee;
use crate::model::policy::Asking;

impl Run {
    pub(super) fn pay(&mut self, pay: &Pay) -> Checked {
        self.look()?;
        let session = &self.book.sessions[pay.session % self.book.sessions.len()];
        let session = session.id;
        let wallet = pay.wallet % self.book.wallets.len();
        let chain = self.book.wallets[wallet].chain;
        let price = pay.price;
        let mut wanted = Wanted {
            session,
            wallet,
            what: self.book.what(pay, wallet),
            creates: pay.creates,
            fee: fee(chain, price),
            submit: pay.submit,
            replaces: None,
        };
        self.book.size(pay, &mut wanted);
        self.second_try(pay, &mut wanted);
        let wallet = wanted.wallet;
        let chain = self.book.wallets[wallet].chain;
        let payer = self.book.session(wanted.session).ok_or("a session")?;
        let (session, bound) = (payer.id, !payer.bearer());
        let number = self.sent.len() as u64;
        let asked = self.book.asked(&wanted);
        let spoilt = spoilt_as(pay.spoilt, &asked);
        let from = self.book.wallets[wallet].account;
        let unsigned = propose(&from, &asked, (price, 1), number, spoilt);
        let signer = if spoilt == Spoilt::OtherSigner {
            waiaas_shared::ids::SignerId::from_bytes([6; 16])
        } else {
            SIGNER
        };
        let replaces = wanted
            .replaces
            .map_or_else(String::new, |name| format!(r#","replaces":"{name}""#));
        let body = format!(
            r#"{{"signer":"{signer}","wallet":"{}","network":"{chain}",{},"submit":{}{replaces}}}"#,
            self.book.wallets[wallet].id,
            wanted.fields(&self.book),
            wanted.submit,
        );
        let session = if spoilt == Spoilt::UnknownSession {
            SessionId::from_bytes([9; 16])
        } else {
            session
        };
        let key = format!("key-{number}");
        let proposed = SpendRequest {
            session,
            method: "POST".to_owned(),
            path: "/v1/transactions".to_owned(),
            query: "?".to_owned(),
            idempotency_key: key.clone(),
            body: body.clone().into_bytes(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned,
            used: None,
            replaced: None,
            dry_run: pay.dry_run,
        };
        let request = Request {
            session,
            key,
            body: body.into_bytes(),
            written: asked.ran.map(|ran| ran.places),
            asking: self.book.resolve(&wanted),
            spoilt,
            signed: None,
            dry_run: pay.dry_run,
            from: self.book.wallets[wallet].account,
            replaces: wanted.replaces,
        };
        let mut sent = Sent {
            wanted,
            request,
            proposed,
        };
        if bound && spoilt != Spoilt::NoSignature {
            self.sign_as_agent(&mut sent, spoilt)?;
        }
        self.sent.push(sent.clone());
        self.ask(sent)
    }

    /// Signs as the agent of the session, as of now or spoilt.
    pub(super) fn sign_as_agent(&mut self, sent: &mut Sent, spoilt: Spoilt) -> Checked {
        let session = self.book.session(sent.wanted.session).ok_or("a session")?;
        let place = usize::from(session.grant.credential != super::hands::bound_to(0));
        let key = agent(place + usize::from(spoilt == Spoilt::OtherSignature));
        // By the one side of the signer's clock or by the other.
        let now = self.book.now();
        let now = [now.wall, now.steady][self.sent.len() % 2] / 1000;
        let created = match spoilt {
            Spoilt::OldSignature(seconds) => now.saturating_sub(seconds),
            _ => now,
        };
        let before = self
            .sent
            .iter()
            .rev()
            .find_map(|sent| sent.request.signed.clone());
        let nonce = match (spoilt, before) {
            (Spoilt::UsedNonce, Some((nonce, _))) => nonce,
            _ => format!(
                "nonce-{:016}",
                self.sequence() * 1000 + self.sent.len() as u64
            ),
        };
        let parsed = nonce.parse().map_err(|_| "a nonce")?;
        let parameters = Parameters::new(created, parsed, sent.request.session)
            .map_err(|error| error.to_string())?;
        let path = if spoilt == Spoilt::OtherPath {
            "/v1/transactions/dry-run"
        } else {
            &sent.proposed.path
        };
        let parts = request_signature::Request {
            method: &sent.proposed.method,
            path,
            query: &sent.proposed.query,
            body: &sent.proposed.body,
            idempotency_key: &sent.proposed.idempotency_key,
        };
        use ed25519_dalek::Signer as _;
        let sign = |base: &[u8]| key.sign(base).to_bytes();
        let fields = request_signature::sign_request(&parts, &parameters, sign)
            .map_err(|error| error.to_string())?;
        sent.proposed.signature_input = fields.signature_input;
        sent.proposed.signature = fields.signature;
        sent.request.signed = Some((nonce, created));
        Ok(())
    }

    pub(super) fn again(&mut self, which: usize, how: Again) -> Checked {
        let sent = self.sent.get(which % self.sent.len().max(1)).cloned();
        let Some(mut sent) = sent else {
            return Ok(());
        };
        self.look()?;
        sent.request.asking = self.book.resolve(&sent.wanted);
        match how {
            Again::Exactly => {}
            Again::SignedAnew => self.sign_again(&mut sent)?,
            Again::OtherBody => {
                let text = String::from_utf8(sent.request.body).map_err(|it| it.to_string())?;
                let other = text.replacen(r#""submit""#, r#""reason":"again","submit""#, 1);
                sent.request.body = other.clone().into_bytes();
                sent.proposed.body = other.into_bytes();
                self.sign_again(&mut sent)?;
            }
            Again::OtherSession => {
                let other = &self.book.sessions[which % self.book.sessions.len()];
                let id = other.id;
                sent.wanted.session = id;
                sent.request.session = id;
                sent.proposed.session = id;
                sent.request.asking = self.book.resolve(&sent.wanted);
                sent.request.signed = None;
                (sent.proposed.signature, sent.proposed.signature_input) =
                    (String::new(), String::new());
                self.sign_again(&mut sent)?;
            }
        }
        self.ask(sent)
    }

    pub(super) fn sign_again(&mut self, sent: &mut Sent) -> Checked {
        let session = self.book.session(sent.request.session);
        if session.is_some_and(|session| !session.bearer()) {
            sent.wanted.session = sent.request.session;
            self.sign_as_agent(sent, Spoilt::Not)?;
            if matches!(
                sent.request.spoilt,
                Spoilt::OtherSignature | Spoilt::OtherPath | Spoilt::NoSignature
            ) {
                sent.request.spoilt = Spoilt::Not;
            }
        }
        Ok(())
    }

    /// Sends a request and takes in what came of it.
    fn ask(&mut self, sent: Sent) -> Checked {
        let Sent {
            wanted,
            request,
            mut proposed,
        } = sent;
        let (mut expect, said) = self.book.expect_request(&request);
        let mut doings = Vec::new();
        if let (Ok(asking), Some(said), false) = (&request.asking, &said, request.dry_run) {
            let (least, most) = said.tier;
            doings.extend((least <= Tier::Notify).then_some(Doing::Signed));
            doings.extend((most > Tier::Notify).then_some(Doing::Waiting));
            self.book.expect_alarms(asking, &doings, &mut expect);
        }
        proposed.replaced = request.replaces.and_then(|name| self.prior(name));
        let idempotency = self.state.idempotency(request.session, &request.key);
        proposed.used = idempotency.and_then(|digest| self.used(&digest));
        let is_the_agents = self.book.is_the_agents(&request);
        let (events, outcome) = self.foreseen(&Command::Spend(proposed), &expect)?;
        let holder = self.book.holder(request.session);
        match (outcome, events.as_slice()) {
            (None, _) => {
                // What was credited or replaced is refused before its session is looked at.
                let used = self.book.used(holder, &request.key);
                let withheld = used.is_some_and(|(_, name)| {
                    let paid = self.book.paid.get(name);
                    paid.is_some_and(|paid| {
                        paid.credited || paid.placed.is_some() || self.book.is_replaced(*name)
                    })
                });
                if !request.dry_run && !withheld {
                    self.book.see_expiry(request.session);
                }
                let codes = std::mem::take(&mut self.refusal);
                if let (Ok(asking), false) = (&request.asking, doings.is_empty())
                    && self.alarmed(asking, &doings, Some(&codes))?
                {
                    return Ok(());
                }
                if is_the_agents && self.book.refused(&request, &codes) {
                    self.count("session suspended");
                }
                Ok(())
            }
            (Some(Outcome::WouldSign { tier, fee }), []) if request.dry_run => {
                let said = said.ok_or("a dry run of what was made before")?;
                within(tier, &said)?;
                same("fee", fee.base_units(), wanted.fee)
            }
            (Some(Outcome::Sign(order)), []) => {
                let known = self.book.used(holder, &request.key);
                let (_, transaction) = known.ok_or("signed without a record")?;
                self.again_signed(*transaction, &order)
            }
            (Some(Outcome::Waiting(view)), []) => {
                let known = self.book.used(holder, &request.key);
                let (_, transaction) = known.ok_or("waits without a record")?;
                same("waiting", view.intent.transaction, *transaction)
            }
            (Some(Outcome::Sign(order)), [EventBody::SpendCommitted(spend)]) => {
                let said = said.ok_or("charged twice")?;
                within(spend.tier, &said)?;
                if spend.tier > Tier::Notify {
                    return Err(format!("{:?} was signed at once", spend.tier));
                }
                let asking = request.asking.clone().map_err(|code| format!("{code:?}"))?;
                self.alarmed(&asking, &[Doing::Signed], None)?;
                self.remember_request(&request, spend.transaction);
                let replaces = self.book.earlier(request.replaces);
                let went = Went {
                    replaces,
                    waited: None,
                    told: Vec::new(),
                };
                self.signed(&order, spend, asking, went)
            }
            (Some(Outcome::Waiting(_)), [ended @ .., EventBody::IntentOpened(intent)]) => {
                let said = said.ok_or("opened twice")?;
                within(intent.tier(), &said)?;
                let asking = request.asking.clone().map_err(|code| format!("{code:?}"))?;
                let mut before = self.book.approved_equals(asking.session, &asking);
                before.retain(|_| intent.tier() == Tier::Approval);
                let cause = IntentEnd::Cancelled {
                    origin: Origin::Gateway,
                };
                let ends = (!before.is_empty()).then(|| EventBody::IntentsEnded {
                    transactions: before.clone(),
                    cause,
                });
                same("ended", ended.to_vec(), Vec::from_iter(ends))?;
                for transaction in before {
                    self.book.waits.remove(&transaction);
                }
                self.alarmed(&asking, &[Doing::Waiting], None)?;
                self.remember_request(&request, intent.transaction);
                self.opened(intent, &asking, &said, request.replaces)
            }
            (outcome, events) => Err(format!("{outcome:?} with {events:?}")),
        }
    }

    pub(super) fn remember_request(&mut self, request: &Request, transaction: TransactionId) {
        let holder = self.book.holder(request.session);
        let key = (holder, request.key.clone());
        self.book
            .keys
            .insert(key, (request.body.clone(), transaction));
        if let Some((nonce, created)) = &request.signed {
            let bound = self.book.session(request.session);
            if bound.is_some_and(|session| !session.bearer()) {
                let nonce = (request.session, nonce.clone());
                let used = (created * 1000, self.book.now().run);
                self.book
                    .request_nonces
                    .entry(nonce)
                    .or_default()
                    .push(used);
            }
        }
    }

    /// A payment that was charged: exactly what was asked, with the signer's own nonce.
    pub(super) fn signed(
        &mut self,
        order: &SigningOrder,
        spend: &Spend,
        asking: Asking,
        went: Went,
    ) -> Checked {
        let wallet = self.book.wallet(asking.wallet).clone();
        same("wallet", spend.wallet, asking.wallet)?;
        same("session", spend.session, Some(asking.session))?;
        same(
            "epoch",
            spend.policy_epoch,
            self.book.newest().map_or(0, |one| one.epoch),
        )?;
        same("replaces", spend.replaces, went.replaces.map(replaced))?;
        let waited = went.waited.as_ref().map(|(since, approved)| Waited {
            since: RunTime::from_millis(*since),
            approved: approved.clone(),
            asked: (!went.told.is_empty()).then(|| went.told.clone()),
        });
        same("waited", spend.waited.clone(), waited)?;
        same("charges", charged(&spend.charges), asking.sums())?;
        let memo = spend.memo.as_ref().map(|memo| memo.as_str().to_owned());
        same("memo", memo, asking.memo.clone())?;
        let due = wallet.nonces.map(|(next, _)| next);
        same("nonce", spend.nonce, due)?;
        does(&wallet.account, &spend.unsigned, &asking, due)?;
        same(
            "bytes",
            order.transaction().bytes(),
            spend.unsigned.as_slice(),
        )?;
        same("a replay", order.sealed().replay_of, None)?;
        if let Some((next, _)) = &mut self.book.wallet_mut(asking.wallet).nonces {
            *next += 1;
            self.book.void_attestations(asking.wallet, None);
        }
        let signed = &mut self.book.alarms.signed;
        *signed.entry(asking.wallet).or_default() += u64::from(asking.made());
        let at = self.book.now().budget;
        let charge = Charge::made_now(&asking, at);
        let charge = self.book.charges.add(charge);
        let session = self.book.session_mut(asking.session).ok_or("a session")?;
        session.count += asking.made();
        self.book.watch.begin_anew(asking.session);
        let session = self.book.session_mut(asking.session).ok_or("a session")?;
        for (asset, total) in asking.sums() {
            *session.spent.entry(asset).or_default() += total;
        }
        self.count_kind(&asking);
        let paid = Paid {
            prices: (asking.fee / crate::model::people::FEE, 1),
            asking,
            charge,
            bytes: spend.unsigned.clone(),
            tier: spend.tier,
            sequence: self.sequence(),
            epoch: spend.policy_epoch,
            credited: false,
            replaces: went.replaces,
            waited: went.waited,
            told: went.told.iter().map(|broken| broken.code).collect(),
            key: wallet.former.len(),
            nonce: due,
            agreed: None,
            cancels: false,
            placed: None,
        };
        if self.book.paid.insert(spend.transaction, paid).is_some() {
            return Err("one name, two signatures".to_owned());
        }
        self.names_of_payments
            .retain(|one| *one != spend.transaction);
        self.names_of_payments.push(spend.transaction);
        self.count(spend.tier.as_str());
        if spend.replaces.is_some() {
            self.count("second try");
        }
        Ok(())
    }

    /// The same bytes once more, and nothing charged.
    pub(super) fn again_signed(
        &mut self,
        transaction: TransactionId,
        order: &SigningOrder,
    ) -> Checked {
        let paid = self
            .book
            .paid
            .get(&transaction)
            .ok_or("signed without a record")?;
        same("bytes", order.transaction().bytes(), paid.bytes.as_slice())?;
        same("replay of", order.sealed().replay_of, Some(paid.sequence))?;
        same("name", order.sealed().transaction, transaction)?;
        self.count("replayed");
        Ok(())
    }

    /// A payment that waits as every binding document asks for.
    fn opened(
        &mut self,
        intent: &Intent,
        asking: &Asking,
        said: &Said,
        replaces: Option<TransactionId>,
    ) -> Checked {
        let replaces = self.book.earlier(replaces);
        same("replaces", intent.replaces, replaces.map(replaced))?;
        let now = self.book.now();
        let fee_ceiling = self.book.fee_ceiling(asking);
        let delays = intent.tier() == Tier::Delay;
        let wait = Wait {
            asking: asking.clone(),
            fee_ceiling,
            rent_ceiling: self.book.rent_ceiling(asking),
            ready: delays.then_some(now.run + said.delay),
            quorum: said.quorum,
            opened: now.run,
            expires: now.wall + said.lifetime + if delays { said.delay } else { 0 },
            release_within: said.release_within,
            approval: None,
            replaces,
            told: intent.asked.clone().unwrap_or_default(),
        };
        // Each rule that is certainly broken is told, and none that is kept.
        let told = wait.told_codes();
        let most = self.book.judged_at_most(asking);
        let sets = [&said.asked, &said.maybe_asked];
        let sets = sets.into_iter().chain([&most.asked, &most.maybe_asked]);
        let possible = sets.flatten().copied().collect();
        if !told.is_superset(&said.asked) || !told.is_subset(&possible) {
            return Err(format!("it tells of {told:?}, expected {said:?}"));
        }
        let expected = match wait.ready {
            Some(ready) => waiaas_shared::intent::Wait::Delay {
                ready: waiaas_shared::time::RunTime::from_millis(ready),
            },
            None => waiaas_shared::intent::Wait::Approval {
                quorum: wait.quorum,
            },
        };
        same("wait", intent.wait, expected)?;
        same("end", intent.expires.millis(), wait.expires)?;
        same(
            "release",
            intent.release_within.millis(),
            wait.release_within,
        )?;
        same("fee ceiling", intent.fee_ceiling.base_units(), fee_ceiling)?;
        same("first payment", intent.first_payment, said.first_payment)?;
        let rent = intent.rent_ceiling.map_or(0, |most| most.base_units());
        same("rent ceiling", rent, wait.rent_ceiling)?;
        waits_for(intent, asking)?;
        self.book.waits.insert(intent.transaction, wait);
        let session = self.book.session_mut(asking.session).ok_or("a session")?;
        session.opened.push(now.budget);
        self.names_of_payments.push(intent.transaction);
        self.count("opened");
        Ok(())
    }
}

pub(super) const fn origin(admin: bool) -> Origin {
    if admin {
        Origin::Admin
    } else {
        Origin::Gateway
    }
}

pub(super) fn within(tier: Tier, said: &Said) -> Checked {
    if said.tier.0 <= tier && tier <= said.tier.1 {
        Ok(())
    } else {
        Err(format!("{tier:?}, expected {:?}", said.tier))
    }
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, signer: T, book: T) -> Checked {
    if signer == book {
        Ok(())
    } else {
        Err(format!("{what}: {signer:?}, expected {book:?}"))
    }
}
