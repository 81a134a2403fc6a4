//! Transfer authorizations: what is paid goes in, one authorization of the signer's own making comes out, charged as
//! the transfer that it is before it is signed, and only where session and every binding document let it.

use ed25519_dalek::Signer as _;
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::{AuthorizationMessage, TokenDomain, TransferAuthorization};
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, EventBody, Origin, Spend};
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::policy::document::{AuthorizationRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::session::Operation;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{BudgetTime, Millis};
use waiaas_shared::transaction::SigningPayload;

use super::tokens::{bearer, grant, token, token_policy, units};
use super::world::{EVM, NOW, RECIPIENT, STRANGER, World, agent_key, key_bound};
use crate::core::command::{
    Command, MessageRequest, Outcome, PriorAuthorization, Release, SessionRequest, SigningOrder,
    Used,
};

const ROUTE: &str = "/v1/messages/transfer-authorization";

type Order = Box<SigningOrder<AuthorizationMessage>>;

fn rule() -> AuthorizationRule {
    AuthorizationRule {
        domain: TokenDomain {
            name: "USD Coin".to_owned(),
            version: "2".to_owned(),
        },
        valid_for: Millis::from_secs(300),
    }
}

/// The policy of the tokens' tests, with leave for authorizations.
fn with(epoch: u64, rule: Option<AuthorizationRule>) -> PolicyDocument {
    let mut document = token_policy(epoch);
    for entry in &mut document.assets {
        if entry.asset == token() {
            entry.authorization.clone_from(&rule);
        }
    }
    document
}

fn operations() -> Option<Vec<Operation>> {
    Some(vec![
        Operation::NativeTransfer,
        Operation::TokenTransfer,
        Operation::TransferAuthorization,
    ])
}

fn granted(
    world: &mut World,
    secret: Option<&[u8]>,
    operations: Option<Vec<Operation>>,
) -> SessionId {
    let mut grant = grant(world, operations);
    if let Some(secret) = secret {
        grant.credential = bearer(secret);
    }
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    }
}

fn world_under(document: &PolicyDocument) -> World {
    let mut world = World::new();
    world.adopt(document, true).expect("a policy");
    world.bearer = granted(&mut world, Some(b"x402"), operations());
    world.keyed = granted(&mut world, None, operations());
    world
}

fn world() -> World {
    world_under(&with(2, Some(rule())))
}

fn body(world: &World, amount: u128, to: &str, more: &str) -> String {
    let signer = SignerId::from_bytes([5; 16]);
    format!(
        r#"{{"signer":"{signer}","wallet":"{}","network":"{EVM}","asset":"{}","to":"{to}","amount_base":"{amount}"{more}}}"#,
        world.evm_wallet,
        token(),
    )
}

fn request(session: SessionId, key: &str, body: String) -> SessionRequest {
    SessionRequest {
        session,
        method: "POST".to_owned(),
        path: ROUTE.to_owned(),
        query: "?".to_owned(),
        idempotency_key: key.to_owned(),
        body: body.into_bytes(),
        signature_input: String::new(),
        signature: String::new(),
    }
}

fn ask(world: &mut World, request: SessionRequest, used: Option<Used>) -> Result<Order, Vec<Code>> {
    let asked = MessageRequest {
        request,
        used,
        dry_run: false,
    };
    match world.run(&Command::AuthorizeTransfer(asked))? {
        Outcome::Authorize(order) => Ok(order),
        other => panic!("{other:?}"),
    }
}

fn authorize(world: &mut World, key: &str, amount: u128) -> Result<Order, Vec<Code>> {
    let body = body(world, amount, RECIPIENT, "");
    let asked = request(world.bearer, key, body);
    ask(world, asked, None)
}

fn logged(world: &World) -> Vec<(&Spend, &TransferAuthorization)> {
    let bodies = world.events.iter();
    bodies
        .filter_map(|body| match body {
            EventBody::TransferAuthorized {
                spend,
                authorization,
            } => Some((spend, authorization)),
            _ => None,
        })
        .collect()
}

/// What is signed was in the log before, whole, with its charge; payer, nonce and times are the signer's own.
#[test]
fn invariant_04_an_authorization_is_charged_in_the_log_before_the_order_to_sign() {
    let mut world = world();
    let body = body(&world, 700, "@hosting", r#","expires_in":60"#);
    let asked = request(world.bearer, "one", body);
    let order = ask(&mut world, asked, None).expect("signed");
    let (spend, authorization) = logged(&world)[0];
    assert!(matches!(
        world.events.last(),
        Some(EventBody::TransferAuthorized { .. })
    ));
    assert_eq!(order.authorization().fields(), authorization);
    assert_eq!(order.authorization().payload(), spend.unsigned);
    assert_eq!(
        order.payload(),
        SigningPayload::Secp256k1Prehash(alloy_primitives::keccak256(&spend.unsigned).0)
    );
    assert_eq!(order.sealed().transaction, spend.transaction);
    assert_eq!(
        (order.sealed().tier, spend.tier),
        (Tier::Instant, Tier::Instant)
    );
    assert_eq!(order.sealed().replay_of, None);
    let to = RECIPIENT.parse().expect("an address");
    assert_eq!(
        spend.effects,
        [Effect::Transfer {
            asset: token(),
            to: Account::Evm(to),
            amount: units(700),
        }]
    );
    let charge = Charge {
        asset: token(),
        amount: units(700),
    };
    assert_eq!((&spend.charges[..], spend.nonce), (&[charge][..], None));
    assert_eq!((authorization.to, authorization.value), (to, units(700)));
    assert_eq!(authorization.domain, rule().domain);
    assert_eq!(
        (authorization.valid_after, authorization.valid_before),
        (0, NOW / 1000 + 60)
    );
    let own = world
        .state
        .keys()
        .find(|(_, account)| *account == Account::Evm(authorization.from));
    assert_eq!(own.map(|(path, _)| path), Some(order.path()));
    // Of the session too.
    let view = world.state.session_view(world.bearer, world.clocks);
    let usage = view.expect("known").usage;
    assert_eq!((usage.count, usage.spent[&token()]), (1, units(700)));
    // Each has a nonce of its own, and as long as policy lets if nobody says how long.
    let first = authorization.nonce;
    authorize(&mut world, "two", 700).expect("another");
    let (_, second) = logged(&world)[1];
    assert_ne!(second.nonce, first);
    assert_eq!(second.valid_before, NOW / 1000 + 300);
}

/// Without the token's entry, without the operation, without a policy: no authorization.
#[test]
fn invariant_08_what_policy_or_grant_does_not_name_is_not_authorized() {
    let mut world = world_under(&with(2, None));
    assert_eq!(
        authorize(&mut world, "a", 700).map(drop),
        Err(vec![Code::AuthorizationNotListed])
    );
    let mut world = self::world();
    for operations in [
        None,
        Some(vec![Operation::TokenTransfer]),
        Some(vec![Operation::TransferAuthorization]),
    ] {
        let secret = format!("{operations:?}");
        world.bearer = granted(&mut world, Some(secret.as_bytes()), operations);
        assert_eq!(
            authorize(&mut world, "b", 700).map(drop),
            Err(vec![Code::SessionOperation]),
            "{secret}"
        );
    }
    assert!(logged(&world).is_empty());
    let mut world = self::world();
    let other_token = token().to_string().replace("0xC3", "0xc4").to_lowercase();
    let own = world.state.keys().find_map(|(_, account)| match account {
        Account::Evm(address) => Some(address.to_string()),
        Account::Solana(_) => None,
    });
    let contract = token().to_string().replace("eip155:31337/erc20:", "");
    let native = EVM.native_asset().to_string();
    for (from, to, code) in [
        (RECIPIENT, STRANGER, Code::RecipientNotListed),
        (RECIPIENT, "@nobody", Code::RecipientNotListed),
        (
            RECIPIENT,
            "0x0000000000000000000000000000000000000000",
            Code::AuthorizationRecipient,
        ),
        (
            RECIPIENT,
            own.as_deref().expect("an EVM wallet"),
            Code::AuthorizationRecipient,
        ),
        (RECIPIENT, &contract, Code::AuthorizationRecipient),
        (&token().to_string(), &native, Code::AuthorizationNotListed),
        (
            "\"700\"",
            "\"700\",\"expires_in\":301",
            Code::AuthorizationValidity,
        ),
        ("\"700\"", "\"0\"", Code::AmountInvalid),
        ("\"700\"", "\"700\",\"nonce\":\"0x01\"", Code::BodyMalformed),
        (
            "\"700\"",
            "\"700\",\"validAfter\":\"1\"",
            Code::BodyMalformed,
        ),
        (
            "\"700\"",
            "\"700\",\"primaryType\":\"Permit\"",
            Code::TypedDataUnsupported,
        ),
        ("signer_", "signer_0", Code::BodyMalformed),
    ] {
        let honest = body(&world, 700, RECIPIENT, "");
        let changed = honest.replacen(from, to, 1);
        assert_ne!(changed, honest, "{to}");
        let asked = request(world.bearer, to, changed);
        assert_eq!(
            ask(&mut world, asked, None).map(drop),
            Err(vec![code]),
            "{to}"
        );
    }
    // Another token is in no list, whatever form its name has.
    let honest = body(&world, 700, RECIPIENT, "");
    let foreign = honest.replacen(&token().to_string(), &other_token, 1);
    let asked = request(world.bearer, "foreign", foreign);
    assert!(ask(&mut world, asked, None).is_err());
    assert!(logged(&world).is_empty());
}

/// Authorizations and transactions draw on one budget, in every window and in the session.
#[test]
fn invariant_09_an_authorization_counts_as_the_transfer_that_it_is() {
    let mut world = world();
    assert_eq!(
        authorize(&mut world, "a", 4_001).map(drop),
        Err(vec![Code::SessionPerTransaction])
    );
    authorize(&mut world, "b", 4_000).expect("the first");
    let transfer = |world: &World, key: &str, amount| {
        let request = super::tokens::request(world, key, amount, RECIPIENT, "");
        Command::Spend(request)
    };
    // A transfer of the same token finds the session's total used.
    let command = transfer(&world, "c", 2_001);
    assert_eq!(world.run(&command).map(drop), Err(vec![Code::SessionTotal]));
    let command = transfer(&world, "d", 2_000);
    world.run(&command).expect("what is left");
    assert_eq!(
        authorize(&mut world, "e", 1).map(drop),
        Err(vec![Code::SessionTotal])
    );
    // Another session of the same wallet finds the wallet's windows used.
    world.bearer = granted(&mut world, Some(b"another"), operations());
    assert_eq!(
        authorize(&mut world, "f", 2_001).map(drop),
        Err(vec![Code::HourLimit])
    );
    authorize(&mut world, "g", 2_000).expect("the hour's rest");
    // Whether it is used or not, it counts until its windows have passed.
    world.pass(Millis::from_secs(3_700));
    assert_eq!(
        authorize(&mut world, "h", 1_001).map(drop),
        Err(vec![Code::DayLimit, Code::WeekLimit, Code::MonthLimit])
    );
    authorize(&mut world, "i", 1_000).expect("the day's rest");
    // The cap between two attestations of the nonce counts it as well.
    let mut document = with(2, Some(rule()));
    for entry in &mut document.assets {
        if entry.asset == token() {
            let wide = units(1_000_000);
            (entry.hour, entry.day, entry.week, entry.month) = (wide, wide, wide, wide);
            entry.outstanding = Some(units(9_100));
        }
    }
    let mut world = world_under(&document);
    for number in 0..2 {
        world.bearer = granted(
            &mut world,
            Some(format!("{number}").as_bytes()),
            operations(),
        );
        authorize(&mut world, &format!("j{number}"), 4_000).expect("below the cap");
    }
    assert_eq!(
        authorize(&mut world, "k", 1_101).map(drop),
        Err(vec![Code::OutstandingCap])
    );
}

/// It uses no nonce of the account, so no nonce that is attested says that it cannot land: of the outstanding cap it
/// leaves no room before it has certainly ended, by a clock that nobody moves.
#[test]
fn invariant_06_no_attested_nonce_ends_an_authorization() {
    let mut document = with(2, Some(rule()));
    for entry in &mut document.assets {
        if entry.asset == token() {
            entry.outstanding = Some(units(4_500));
        }
    }
    let mut world = world_under(&document);
    let attest = |world: &mut World, next| {
        let facts = StatementFacts::AttestNonce {
            wallet: world.evm_wallet,
            chain: EVM,
            next,
            from: None,
        };
        world.say(facts, false).expect("attested");
    };
    authorize(&mut world, "a", 4_000).expect("below the cap");
    let capped = |world: &mut World, key: &str| {
        let beyond = authorize(world, key, 501).map(drop);
        assert_eq!(beyond, Err(vec![Code::OutstandingCap]), "{key}");
    };
    capped(&mut world, "b");
    attest(&mut world, 0);
    capped(&mut world, "c");
    attest(&mut world, 7);
    capped(&mut world, "d");
    // Nor a wallet's next key, nor a wall clock that is far ahead.
    super::rotation::rotate(&mut world, 7).expect("rotated");
    attest(&mut world, 3);
    capped(&mut world, "e");
    world.steady = Some(world.clocks.wall);
    world.clocks.wall = world.clocks.wall.after(Millis::from_hours(24 * 3));
    world.bearer = granted(&mut world, Some(b"later"), operations());
    capped(&mut world, "f");
    // What is certain is what the signer lived through: an hour, in which any authorization has ended.
    world.pass(Millis::from_secs(59 * 60));
    world.bearer = granted(&mut world, Some(b"last"), operations());
    capped(&mut world, "g");
    world.pass(Millis::from_secs(2 * 60));
    authorize(&mut world, "h", 4_000).expect("room again");
    capped(&mut world, "i");
}

/// The upper side of the wall clock ends things early: what is granted for minutes is granted from the lower side, or
/// a wrong time statement would make it hold for a year.
#[test]
fn invariant_11_a_clock_that_is_ahead_makes_no_authorization_last() {
    let mut world = world();
    let before = world.clocks.wall;
    let ahead = before.after(Millis::from_hours(24 * 300));
    (world.clocks.wall, world.steady) = (ahead, Some(before));
    world.bearer = granted(&mut world, Some(b"ahead"), operations());
    let order = authorize(&mut world, "a", 700).expect("signed");
    let until = order.authorization().fields().valid_before;
    assert_eq!(until, before.millis() / 1000 + 300);
    // By the upper side it is over: its bytes are not given again.
    assert_eq!(
        authorize(&mut world, "a", 700).map(drop),
        Err(vec![Code::AuthorizationExpired])
    );
    // A document that lets less binds what may still hold, however near its end the upper side puts it.
    let mut world = self::world();
    authorize(&mut world, "b", 700).expect("for 300 seconds");
    let shorter = AuthorizationRule {
        valid_for: Millis::from_secs(60),
        ..rule()
    };
    world
        .adopt(&with(3, Some(shorter)), true)
        .expect("a policy");
    world.steady = Some(world.clocks.wall.after(Millis::from_secs(10)));
    world.clocks.wall = world.clocks.wall.after(Millis::from_secs(250));
    assert_eq!(
        authorize(&mut world, "b", 700).map(drop),
        Err(vec![Code::AuthorizationValidity])
    );
    world.steady = Some(world.clocks.wall);
    authorize(&mut world, "b", 700).expect("50 seconds are left");
}

/// By a clock that was set back a little more is left than was granted. Under the documents that granted it the same
/// authorization is given again; a later one counts what is left.
#[test]
fn invariant_19_a_small_step_back_holds_no_authorization_back() {
    let mut world = world();
    let first = authorize(&mut world, "a", 700).expect("for 300 seconds");
    let back = world.clocks.wall.millis() - 600_000;
    world.steady = Some(waiaas_shared::time::WallTime::from_millis(back));
    let again = authorize(&mut world, "a", 700).expect("the same");
    assert_eq!(again.authorization(), first.authorization());
    world
        .adopt(&with(3, Some(rule())), true)
        .expect("a later policy");
    assert_eq!(
        authorize(&mut world, "a", 700).map(drop),
        Err(vec![Code::AuthorizationValidity])
    );
}

/// NOTIFY is signed at once; what has to wait is refused by a name of its own, and nothing of it is kept.
#[test]
fn an_authorization_never_waits() {
    let mut document = with(2, Some(rule()));
    for entry in &mut document.assets {
        if entry.asset == token() {
            entry.notify_up_to = units(2_000);
            entry.delay_up_to = units(3_000);
        }
    }
    let mut world = world_under(&document);
    let order = authorize(&mut world, "a", 2_000).expect("told");
    assert_eq!(order.sealed().tier, Tier::Notify);
    for (key, amount) in [("b", 2_001), ("c", 3_001)] {
        assert_eq!(
            authorize(&mut world, key, amount).map(drop),
            Err(vec![Code::AuthorizationWaits])
        );
    }
    assert_eq!(logged(&world).len(), 1);
    assert!(!world.state.has_intents());
}

/// A document that tightens binds at once, and one that loosens waits: both must let it pass, and name it alike.
#[test]
fn invariant_10_every_binding_document_must_let_a_token_be_authorized() {
    let mut world = World::new();
    super::people::main_network(&mut world);
    let epoch = world.state.policy_epoch() + 1;
    let adopt = |world: &mut World, document| world.adopt(&document, true).expect("adopted");
    adopt(&mut world, with(epoch, None));
    world.pass(Millis::from_hours(25));
    world.bearer = granted(&mut world, Some(b"x402"), operations());
    adopt(&mut world, with(epoch + 1, Some(rule())));
    let epoch = epoch + 1;
    // The document before still binds, and says nothing of it.
    assert_eq!(
        authorize(&mut world, "a", 700).map(drop),
        Err(vec![Code::AuthorizationNotListed])
    );
    world.pass(Millis::from_hours(25));
    authorize(&mut world, "b", 700).expect("matured");
    let shorter = AuthorizationRule {
        valid_for: Millis::from_secs(60),
        ..rule()
    };
    adopt(&mut world, with(epoch + 1, Some(shorter)));
    let asked = request(
        world.bearer,
        "c",
        body(&world, 700, RECIPIENT, r#","expires_in":61"#),
    );
    assert_eq!(
        ask(&mut world, asked, None).map(drop),
        Err(vec![Code::AuthorizationValidity])
    );
    authorize(&mut world, "d", 700).expect("for as long as both let");
    let now = world.clocks.wall.millis() / 1000;
    assert_eq!(logged(&world)[1].1.valid_before, now + 60);
    // What was signed for longer than policy lets now is not given again before that much of it has passed.
    let asked = |world: &World| request(world.bearer, "b", body(world, 700, RECIPIENT, ""));
    let (first, used) = (asked(&world), prior(&world, 0));
    assert_eq!(
        ask(&mut world, first, used).map(drop),
        Err(vec![Code::AuthorizationValidity])
    );
    let other = AuthorizationRule {
        domain: TokenDomain {
            version: "1".to_owned(),
            ..rule().domain
        },
        ..rule()
    };
    adopt(&mut world, with(epoch + 2, Some(other)));
    assert_eq!(
        authorize(&mut world, "e", 700).map(drop),
        Err(vec![Code::AuthorizationConflict])
    );
    adopt(&mut world, with(epoch + 3, None));
    assert_eq!(
        authorize(&mut world, "f", 700).map(drop),
        Err(vec![Code::AuthorizationConflict])
    );
}

/// What the ledger's index finds for the nth authorization.
fn prior(world: &World, place: usize) -> Option<Used> {
    let (spend, authorization) = logged(world)[place];
    Some(Used::Authorized(Box::new(PriorAuthorization {
        sequence: 7,
        charged_at: charged_at(world, spend),
        spend: spend.clone(),
        authorization: authorization.clone(),
    })))
}

fn charged_at(world: &World, charged: &Spend) -> BudgetTime {
    let mut moments = world.moments();
    let found = moments.find_map(|(_, at, body)| match body {
        EventBody::TransferAuthorized { spend, .. } if spend == charged => Some(at),
        _ => None,
    });
    found.expect("in the log")
}

/// The same key and body give the same authorization, charged once; another body is an error.
#[test]
fn invariant_19_an_authorization_is_charged_once_for_its_key() {
    let mut world = world();
    let first = authorize(&mut world, "once", 4_000).expect("signed");
    let events = world.events.len();
    // In the same batch, where the ledger does not know it yet.
    let again = authorize(&mut world, "once", 4_000).expect("again");
    assert_eq!(again.authorization(), first.authorization());
    assert_eq!(
        authorize(&mut world, "once", 3_999).map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
    // Later, found by the index: the same nonce and end, although the clock went on, judged without its own charge
    // at its limit.
    world.commit();
    authorize(&mut world, "two", 2_000).expect("the session's rest");
    world.commit();
    world.pass(Millis::from_secs(30));
    let repeat = |world: &World| request(world.bearer, "once", body(world, 4_000, RECIPIENT, ""));
    let (asked, used) = (repeat(&world), prior(&world, 0));
    let late = ask(&mut world, asked, used).expect("again");
    assert_eq!(late.authorization(), first.authorization());
    assert_eq!(late.sealed().replay_of, Some(7));
    assert_eq!(world.events.len(), events + 1);
    // An entry of another key is no answer to this one.
    let (asked, used) = (repeat(&world), prior(&world, 1));
    let refused = ask(&mut world, asked, used).map(drop);
    assert!(refused.is_err_and(|codes| codes.contains(&Code::SessionTotal)));
    // A payment's key is no authorization's, nor the other way round.
    let payment = super::tokens::request(&world, "once", 4_000, RECIPIENT, "");
    let payment = Command::Spend(crate::core::command::SpendRequest {
        used: prior(&world, 0),
        ..payment
    });
    assert_eq!(
        world.run(&payment).map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
    // It has ended: nobody takes it any more, and it is not given again.
    world.pass(Millis::from_secs(270));
    let (asked, used) = (repeat(&world), prior(&world, 0));
    assert_eq!(
        ask(&mut world, asked, used).map(drop),
        Err(vec![Code::AuthorizationExpired])
    );
    // Nor is what the token's entry no longer lets.
    let mut world = self::world();
    authorize(&mut world, "once", 4_000).expect("signed");
    world.commit();
    world.adopt(&with(3, None), true).expect("without it");
    let (asked, used) = (repeat(&world), prior(&world, 0));
    assert_eq!(
        ask(&mut world, asked, used).map(drop),
        Err(vec![Code::AuthorizationNotListed])
    );
}

/// No door leads from its name to bytes: it is no transaction, and nothing takes its place.
#[test]
fn invariant_05_an_authorization_is_no_transaction_to_send_again() {
    let mut world = world();
    authorize(&mut world, "once", 4_000).expect("signed");
    let (spend, _) = logged(&world)[0];
    let name = spend.transaction;
    assert_eq!(world.state.uncommitted_transaction(name), None);
    let more = format!(r#","replaces":"{name}""#);
    let replaces = super::tokens::request(&world, "again", 2_000, RECIPIENT, &more);
    let refused = world.run(&Command::Spend(replaces)).map(drop);
    assert_eq!(refused, Err(vec![Code::ReplacesEvm]));
    let release = Command::Release(Release {
        transaction: name,
        unsigned: Vec::new(),
        prior: None,
    });
    let refused = world.run(&release).map(drop);
    assert_eq!(refused, Err(vec![Code::IntentUnknown]));
}

/// A bound session's authorization carries its agent's signature over this route, once.
#[test]
fn invariant_18_a_bound_session_authorizes_by_its_agent_alone() {
    let mut world = world();
    assert_eq!(
        world
            .state
            .session_view(world.keyed, world.clocks)
            .map(|view| view.grant.credential),
        Some(key_bound())
    );
    let plain = |key: &str| request(world.keyed, key, body(&world, 700, RECIPIENT, ""));
    let sign = |request: SessionRequest, path: &str, nonce: &str| {
        let seconds = world.clocks.wall.millis() / 1000;
        let nonce = format!("{nonce:-<16}").parse().expect("a nonce");
        let parameters = Parameters::new(seconds, nonce, request.session).expect("sound");
        let parts = request_signature::Request {
            method: "POST",
            path,
            query: "?",
            body: &request.body,
            idempotency_key: &request.idempotency_key,
        };
        let fields = request_signature::sign_request(&parts, &parameters, |base| {
            agent_key().sign(base).to_bytes()
        })
        .expect("a request that can be signed");
        SessionRequest {
            path: path.to_owned(),
            signature_input: fields.signature_input,
            signature: fields.signature,
            ..request
        }
    };
    let good = sign(plain("a"), ROUTE, "good");
    let reused = sign(plain("b"), ROUTE, "good");
    let other_route = sign(plain("c"), "/v1/transactions", "other");
    let moved = SessionRequest {
        path: ROUTE.to_owned(),
        ..other_route.clone()
    };
    let altered = SessionRequest {
        body: body(&world, 701, RECIPIENT, "").into_bytes(),
        ..sign(plain("d"), ROUTE, "altered")
    };
    let unsigned = plain("e");
    for (asked, code) in [
        (unsigned, Code::RequestSignatureMissing),
        (other_route, Code::RequestSignatureInvalid),
        (moved, Code::RequestSignatureInvalid),
        (altered, Code::RequestSignatureInvalid),
    ] {
        assert_eq!(ask(&mut world, asked, None).map(drop), Err(vec![code]));
    }
    ask(&mut world, good, None).expect("the agent's own");
    assert_eq!(
        ask(&mut world, reused, None).map(drop),
        Err(vec![Code::RequestNonceReused])
    );
}

/// Nothing is authorized, and nothing given again, while something stops it.
#[test]
fn invariant_16_nothing_is_authorized_while_stopped() {
    type Stop = fn(&World) -> Command;
    let stops: [(Stop, Code); 4] = [
        (
            |_| Command::Pause {
                wallet: None,
                origin: Origin::Gateway,
            },
            Code::Frozen,
        ),
        (
            |world| Command::Pause {
                wallet: Some(world.evm_wallet),
                origin: Origin::Gateway,
            },
            Code::WalletPaused,
        ),
        (
            |world| Command::RevokeSession {
                session: world.bearer,
                origin: Origin::Gateway,
            },
            Code::SessionRevoked,
        ),
        (|_| Command::Kill(Origin::Gateway), Code::SessionRevoked),
    ];
    for (stop, code) in stops {
        let mut world = world();
        authorize(&mut world, "before", 700).expect("signed");
        let command = stop(&world);
        world.run(&command).expect("stopped");
        for key in ["after", "before"] {
            assert_eq!(authorize(&mut world, key, 700).map(drop), Err(vec![code]));
        }
        assert_eq!(logged(&world).len(), 1);
    }
}

/// The wallet moved to a new key: the authorization names the former one, and is not signed again.
#[test]
fn a_rotated_wallet_signs_no_authorization_of_its_former_key() {
    let mut world = world();
    authorize(&mut world, "once", 700).expect("signed");
    world.commit();
    super::rotation::rotate(&mut world, 7).expect("rotated");
    let asked = request(world.bearer, "once", body(&world, 700, RECIPIENT, ""));
    let used = prior(&world, 0);
    assert_eq!(
        ask(&mut world, asked, used).map(drop),
        Err(vec![Code::WalletClosed])
    );
    let fresh = authorize(&mut world, "new", 700).expect("with the new key");
    assert_eq!(fresh.path().index, 1);
}

#[test]
fn a_dry_run_reserves_nothing_and_tells_the_tier() {
    let mut world = world();
    let events = world.events.len();
    let mut judge = |amount| {
        let asked = MessageRequest {
            request: request(world.keyed, "", body(&world, amount, RECIPIENT, "")),
            used: None,
            dry_run: true,
        };
        world.run(&Command::AuthorizeTransfer(asked))
    };
    let Ok(Outcome::WouldSign { tier, fee }) = judge(1_001) else {
        panic!("it passes")
    };
    assert_eq!((tier, fee), (Tier::Notify, Amount::ZERO));
    assert!(judge(4_001).is_err());
    assert_eq!(world.events.len(), events);
}
