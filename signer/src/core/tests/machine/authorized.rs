//! Transfers by authorization of a run (EIP-3009): what a gateway asks for, what must come of it, and what was
//! observed of it. What is hashed is written here a second time, word by word.

use std::collections::BTreeMap;

use alloy_primitives::keccak256;
use waiaas_shared::address::Account;
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Spend};
use waiaas_shared::ids::{SessionId, SignerId, TransactionId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::Operation;

use super::alarms::Doing;
use super::book::{Book, Session};
use super::expect::Expect;
use super::observed::charged;
use super::payments::Request;
use super::requests::{same, within};
use super::run::{Checked, Run, SIGNER, Sent};
use super::step::{Again, Pay, Spoilt};
use super::wanted::Wanted;
use crate::core::command::{Command, MessageRequest, Outcome, SessionRequest, SpendRequest};
use crate::model::binding::Said;
use crate::model::calls::word_of;
use crate::model::charges::Charge;
use crate::model::people::bytes;
use crate::model::policy::Asking;

const ROUTE: &str = "/v1/messages/transfer-authorization";

/// Every one that was signed.
#[derive(Debug, Clone, Default)]
pub(super) struct Authorized {
    all: BTreeMap<TransactionId, One>,
}

#[derive(Debug, Clone)]
struct One {
    asking: Asking,
    charge: usize,
    tier: Tier,
    sequence: u64,
    /// Of the newest document when it was signed.
    epoch: u64,
    payload: Vec<u8>,
    said: TransferAuthorization,
}

/// A request for one; how many seconds it is to hold, if it says so.
#[derive(Debug, Clone)]
pub(super) struct AskedFor {
    sent: Sent,
    holds: Option<u64>,
}

/// Name and version of a token, and how many seconds an authorization of it holds.
type Terms = (String, String, u64);

impl Authorized {
    /// Whether the newest one has not ended.
    pub(super) fn holds(&self, wall: u64) -> bool {
        let newest = self.all.values().max_by_key(|one| one.sequence);
        newest.is_some_and(|one| one.said.valid_before * 1000 > wall)
    }

    /// Upper-bound clock at which each ends, the newest ones alone.
    pub(super) fn ends(&self) -> impl Iterator<Item = u64> {
        let newest = self.all.values().rev().take(3);
        newest.map(|one| one.said.valid_before * 1000)
    }
}

impl Book {
    /// What every binding document says of the token: it must be named, alike, for as long as is asked for.
    fn terms(&self, asset: AssetId, asked: Option<u64>, expect: &mut Expect) -> Option<Terms> {
        let mut all: Option<Terms> = None;
        for one in self.binding() {
            let mut rules = one.document.assets.iter();
            let rule = rules.find(|rule| rule.asset == asset);
            let Some(rule) = rule.and_then(|rule| rule.authorization.as_ref()) else {
                expect.when(true, Code::AuthorizationNotListed);
                continue;
            };
            let (name, version) = (rule.domain.name.clone(), rule.domain.version.clone());
            let most = rule.valid_for.millis() / 1000;
            let before = all.get_or_insert((name.clone(), version.clone(), most));
            expect.when(
                (&before.0, &before.1) != (&name, &version),
                Code::AuthorizationConflict,
            );
            before.2 = before.2.min(most);
        }
        let (name, version, most) = all?;
        let holds = asked.unwrap_or(most);
        expect.when(holds > most, Code::AuthorizationValidity);
        Some((name, version, holds))
    }

    fn judged_as_authorization(
        &self,
        session: &Session,
        asking: &Asking,
        without: Option<usize>,
        expect: &mut Expect,
    ) -> Said {
        let said = self.judged(session, asking, without, expect);
        let mut listed = session.grant.operations.iter().flatten();
        let named = listed.any(|one| *one == Operation::TransferAuthorization);
        expect.all_when(!named, Code::SessionOperation);
        said
    }

    /// What must come of a request for one.
    fn expect_authorization(
        &self,
        request: &Request,
        holds: Option<u64>,
    ) -> (Expect, Option<(Said, Terms)>) {
        let mut expect = Expect::default();
        expect.when(request.spoilt == Spoilt::OtherSigner, Code::SignerMismatch);
        self.usable(request.session, &mut expect);
        let Some(session) = self.session(request.session) else {
            return (expect, None);
        };
        let used = self.used(session.holder(), &request.key);
        if !request.dry_run {
            let signed = request.signed.as_ref();
            self.proven(session, signed, request.spoilt, used.is_some(), &mut expect);
        }
        if let (Some((body, name)), false) = (used, request.dry_run) {
            expect.when(*body != request.body, Code::IdempotencyConflict);
            match self.authorized.all.get(name) {
                Some(one) => self.expect_again(one, &mut expect),
                None => expect.when(true, Code::IdempotencyConflict),
            }
            return (expect, None);
        }
        expect.when(self.adopted.is_empty(), Code::PolicyMissing);
        let asking = match &request.asking {
            Ok(asking) => asking,
            Err(code) => {
                expect.when(true, *code);
                self.all_stopped(&mut expect);
                for wallet in &self.wallets {
                    expect.when(wallet.paused, Code::WalletPaused);
                    expect.when(wallet.closed, Code::WalletClosed);
                }
                return (expect, None);
            }
        };
        self.stopped(asking, &mut expect);
        let unbound = !self.wallet(asking.wallet).networks.contains(&asking.chain);
        expect.when(unbound, Code::NetworkNotBound);
        let terms = self.terms(asking.asset(), holds, &mut expect);
        let said = self.judged_as_authorization(session, asking, None, &mut expect);
        // It never waits.
        let (least, most) = said.tier;
        expect.late_when(
            least > Tier::Notify,
            most > Tier::Notify,
            Code::AuthorizationWaits,
        );
        (expect, terms.map(|terms| (said, terms)))
    }

    /// The same one once more: only while it holds, by all that is asked of it now.
    fn expect_again(&self, one: &One, expect: &mut Expect) {
        let asking = &one.asking;
        self.stopped(asking, expect);
        self.usable(asking.session, expect);
        let own = self.wallet(asking.wallet).account;
        expect.when(own != Account::Evm(one.said.from), Code::WalletClosed);
        // It is over by the clock that may be ahead, and holds by the one that is not.
        let ends = one.said.valid_before;
        expect.when(ends <= self.now().wall / 1000, Code::AuthorizationExpired);
        let left = ends.saturating_sub(self.time.steady() / 1000);
        // Documents that let it hold are not asked again for how long.
        let later = self.newest().is_some_and(|newest| newest.epoch > one.epoch);
        let terms = self.terms(one.said.asset, later.then_some(left), expect);
        let domain = (&one.said.domain.name, &one.said.domain.version);
        let otherwise = terms.is_some_and(|terms| (&terms.0, &terms.1) != domain);
        expect.when(otherwise, Code::AuthorizationConflict);
        let Some(session) = self.session(asking.session) else {
            return;
        };
        let said = self.judged_as_authorization(session, asking, Some(one.charge), expect);
        self.suffices_at_once((one.tier, one.epoch), &said, expect);
    }
}

/// The 66 bytes whose hash is signed, by EIP-712.
fn hashed(said: &TransferAuthorization) -> Option<Vec<u8>> {
    let (ChainId::Evm(chain), Token::Erc20(contract)) = (said.asset.chain(), said.asset.token())
    else {
        return None;
    };
    let text = |text: &str| keccak256(text.as_bytes()).0;
    let number = |number: u64| word_of(&number.to_be_bytes());
    let domain = [
        text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        text(&said.domain.name),
        text(&said.domain.version),
        number(chain),
        word_of(contract.as_bytes()),
    ];
    let structure = [
        text(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)",
        ),
        word_of(said.from.as_bytes()),
        word_of(said.to.as_bytes()),
        word_of(&said.value.base_units().to_be_bytes()),
        number(said.valid_after),
        number(said.valid_before),
        said.nonce,
    ];
    let both = [domain.as_flattened(), structure.as_flattened()].map(|words| keccak256(words).0);
    Some([&[0x19, 1][..], both.as_flattened()].concat())
}

/// What is wrong with a request that holds no bytes.
const fn of_request(spoilt: Spoilt) -> Spoilt {
    match spoilt {
        kept @ (Spoilt::OtherSigner
        | Spoilt::UnknownSession
        | Spoilt::NoSignature
        | Spoilt::OtherSignature
        | Spoilt::OtherPath
        | Spoilt::OldSignature(_)
        | Spoilt::UsedNonce) => kept,
        _ => Spoilt::Not,
    }
}

impl Run {
    pub(super) fn authorize(&mut self, pay: &Pay, holds: Option<u64>) -> Checked {
        self.look()?;
        let session = &self.book.sessions[pay.session % self.book.sessions.len()];
        let (session, bound) = (session.id, !session.bearer());
        let wallet = pay.wallet % self.book.wallets.len();
        let mut wanted = Wanted {
            session,
            wallet,
            what: self.book.what(pay, wallet),
            creates: 0,
            fee: 0,
            submit: true,
            replaces: None,
        };
        self.book.size(pay, &mut wanted);
        let spoilt = of_request(pay.spoilt);
        let asked = self.book.asked(&wanted);
        let signer = match spoilt {
            Spoilt::OtherSigner => SignerId::from_bytes([6; 16]),
            _ => SIGNER,
        };
        let until = holds.map_or_else(String::new, |holds| format!(r#","expires_in":{holds}"#));
        let body = format!(
            r#"{{"signer":"{signer}","wallet":"{}","network":"{}",{}{until}}}"#,
            asked.wallet,
            asked.chain,
            wanted.fields(&self.book),
        );
        let session = match spoilt {
            Spoilt::UnknownSession => SessionId::from_bytes([9; 16]),
            _ => session,
        };
        let key = format!("authorization-{}", self.authorizations.len());
        let proposed = SpendRequest {
            session,
            method: "POST".to_owned(),
            path: ROUTE.to_owned(),
            query: "?".to_owned(),
            idempotency_key: key.clone(),
            body: body.clone().into_bytes(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned: Vec::new(),
            used: None,
            replaced: None,
            dry_run: pay.dry_run,
        };
        let request = Request {
            session,
            key,
            body: body.into_bytes(),
            asking: self.book.resolve(&wanted).map(Self::brought_by_somebody),
            written: None,
            spoilt,
            signed: None,
            dry_run: pay.dry_run,
            from: self.book.wallets[wallet].account,
            replaces: None,
        };
        let mut sent = Sent {
            wanted,
            request,
            proposed,
        };
        if bound && spoilt != Spoilt::NoSignature {
            self.sign_as_agent(&mut sent, spoilt)?;
        }
        let asked = AskedFor { sent, holds };
        self.authorizations.push(asked.clone());
        self.ask_for_authorization(asked)
    }

    fn brought_by_somebody(asking: Asking) -> Asking {
        Asking {
            sponsored: true,
            ..asking
        }
    }

    pub(super) fn authorize_again(&mut self, which: usize, how: Again) -> Checked {
        let mut newest = self.authorizations.iter().rev();
        let Some(mut asked) = newest
            .nth(which % self.authorizations.len().max(1))
            .cloned()
        else {
            return Ok(());
        };
        self.look()?;
        let sent = &mut asked.sent;
        let asking = self.book.resolve(&sent.wanted);
        sent.request.asking = asking.map(Self::brought_by_somebody);
        match how {
            Again::Exactly => {}
            Again::SignedAnew => self.sign_again(sent)?,
            Again::OtherBody => {
                let text = String::from_utf8(sent.request.body.clone());
                let mut text = text.map_err(|error| error.to_string())?;
                if let Some(holds) = asked.holds {
                    text = text.replace(&format!(r#","expires_in":{holds}"#), "");
                }
                let other = text.replacen('}', r#","expires_in":59}"#, 1);
                asked.holds = Some(59);
                sent.request.body = other.clone().into_bytes();
                sent.proposed.body = other.into_bytes();
                self.sign_again(sent)?;
            }
            Again::OtherSession => {
                let id = self.book.sessions[which % self.book.sessions.len()].id;
                sent.wanted.session = id;
                sent.request.session = id;
                sent.proposed.session = id;
                let asking = self.book.resolve(&sent.wanted);
                sent.request.asking = asking.map(Self::brought_by_somebody);
                sent.request.signed = None;
                sent.proposed.signature.clear();
                sent.proposed.signature_input.clear();
                self.sign_again(sent)?;
            }
        }
        self.ask_for_authorization(asked)
    }

    fn ask_for_authorization(&mut self, asked: AskedFor) -> Checked {
        let AskedFor { sent, holds } = asked;
        let Sent {
            request, proposed, ..
        } = sent;
        let (mut expect, said) = self.book.expect_authorization(&request, holds);
        let mut doings = Vec::new();
        if let (Ok(asking), Some((said, _)), false) = (&request.asking, &said, request.dry_run) {
            doings.extend((said.tier.0 <= Tier::Notify).then_some(Doing::Signed));
            self.book.expect_alarms(asking, &doings, &mut expect);
        }
        let idempotency = self.state.idempotency(request.session, &request.key);
        let command = Command::AuthorizeTransfer(MessageRequest {
            request: SessionRequest {
                session: proposed.session,
                method: proposed.method,
                path: proposed.path,
                query: proposed.query,
                idempotency_key: proposed.idempotency_key,
                body: proposed.body,
                signature_input: proposed.signature_input,
                signature: proposed.signature,
            },
            used: idempotency.and_then(|digest| self.used(&digest)),
            dry_run: request.dry_run,
        });
        let is_the_agents = self.book.is_the_agents(&request);
        let (events, outcome) = self.foreseen(&command, &expect)?;
        match (outcome, events.as_slice()) {
            (None, _) => {
                if !request.dry_run {
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
                let (said, _) = said.ok_or("a dry run of what was made before")?;
                within(tier, &said)?;
                same("fee", fee.base_units(), 0)
            }
            (Some(Outcome::Authorize(order)), []) => {
                let holder = self.book.holder(request.session);
                let known = self.book.used(holder, &request.key);
                let (_, name) = known.ok_or("signed without a record")?;
                let one = self.book.authorized.all.get(name).ok_or("no such one")?;
                let sealed = order.sealed();
                same("bytes", order.authorization().payload(), &one.payload[..])?;
                same("replay of", sealed.replay_of, Some(one.sequence))?;
                same("name", sealed.transaction, *name)?;
                self.count("authorized again");
                Ok(())
            }
            (
                Some(Outcome::Authorize(order)),
                [
                    EventBody::TransferAuthorized {
                        spend,
                        authorization,
                    },
                ],
            ) => {
                let (said, terms) = said.ok_or("charged twice")?;
                within(spend.tier, &said)?;
                let asking = request.asking.clone().map_err(|code| format!("{code:?}"))?;
                self.alarmed(&asking, &[Doing::Signed], None)?;
                self.remember_request(&request, spend.transaction);
                let payload = order.authorization().payload();
                same("bytes", payload, spend.unsigned.as_slice())?;
                same("a replay", order.sealed().replay_of, None)?;
                self.authorized(spend, authorization, asking, terms)
            }
            (outcome, events) => Err(format!("{outcome:?} with {events:?}")),
        }
    }

    /// One that was charged: exactly what was asked, for as long as the terms let, of the signer's own making.
    fn authorized(
        &mut self,
        spend: &Spend,
        said: &TransferAuthorization,
        asking: Asking,
        (name, version, holds): Terms,
    ) -> Checked {
        let now = self.book.now();
        let part = *asking.parts.first().ok_or("a payment")?;
        let own = self.book.wallet(asking.wallet).account;
        same("payer", Account::Evm(said.from), own)?;
        same(
            "payee",
            said.to.as_bytes().to_vec(),
            bytes(&part.to.account()),
        )?;
        same("token", said.asset, part.asset)?;
        same("value", said.value.base_units(), part.amount)?;
        let domain = (said.domain.name.clone(), said.domain.version.clone());
        same("domain", domain, (name, version))?;
        let life = (said.valid_after, said.valid_before);
        let ends = self.book.time.steady() / 1000 + holds;
        same("life", life, (0, ends))?;
        let mut all = self.book.authorized.all.values();
        if all.any(|one| one.said.nonce == said.nonce) {
            return Err("one random number, two authorizations".to_owned());
        }
        same("hashed", Some(spend.unsigned.clone()), hashed(said))?;
        same("wallet", spend.wallet, asking.wallet)?;
        same("session", spend.session, Some(asking.session))?;
        let epoch = self.book.newest().map_or(0, |one| one.epoch);
        same("epoch", spend.policy_epoch, epoch)?;
        same("charges", charged(&spend.charges), asking.sums())?;
        let more = (spend.nonce, spend.memo.is_some(), spend.submit);
        same("more", more, (None, false, false))?;
        if spend.tier > Tier::Notify || spend.waited.is_some() || spend.replaces.is_some() {
            return Err(format!("it waited: {spend:?}"));
        }
        let signed = &mut self.book.alarms.signed;
        *signed.entry(asking.wallet).or_default() += u64::from(asking.made());
        let charge = Charge::made_now(&asking, now.budget);
        let charge = self.book.charges.add(charge);
        self.book.watch.begin_anew(asking.session);
        let session = self.book.session_mut(asking.session).ok_or("a session")?;
        session.count += asking.made();
        for (asset, total) in asking.sums() {
            *session.spent.entry(asset).or_default() += total;
        }
        let one = One {
            asking,
            charge,
            tier: spend.tier,
            sequence: self.sequence(),
            epoch,
            payload: spend.unsigned.clone(),
            said: said.clone(),
        };
        self.book.authorized.all.insert(spend.transaction, one);
        self.count("authorized");
        Ok(())
    }
}
