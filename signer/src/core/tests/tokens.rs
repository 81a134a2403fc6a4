//! Tokens of EVM chains: what a call does is derived from its bytes, judged by the token's own rule and
//! the fee by the chain's coin's, and nothing else passes for it.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AssetId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::build::{self, TokenRequest};
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::session::{Credential, Operation, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::world::{EVM, RECIPIENT, STRANGER, World, evm_recipient, key_bound, policy, unsigned};
use crate::core::command::{Command, Outcome, SpendRequest};

/// Fee of every call here: 60,000 gas at 1 wei.
const CALL_FEE: u128 = 60_000;

fn contract() -> EvmAddress {
    EvmAddress::from_bytes([0xc3; 20])
}

pub(super) fn token() -> AssetId {
    token_at(contract())
}

fn token_at(contract: EvmAddress) -> AssetId {
    AssetId::new(EVM, Token::Erc20(contract)).expect("a token")
}

pub(super) fn bearer(secret: &[u8]) -> Credential {
    Credential::Bearer(hash(Domain::SessionSecret, &[secret]))
}

pub(super) fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

/// 5,000 of the token in one transaction, 8,000 an hour; INSTANT to 1,000. Calls cost more than transfers.
pub(super) fn token_policy(epoch: u64) -> PolicyDocument {
    let mut document = policy(epoch);
    document.assets.push(AssetRule {
        per_transaction: units(5_000),
        hour: units(8_000),
        day: units(9_000),
        week: units(9_000),
        month: units(9_000),
        instant_up_to: units(1_000),
        notify_up_to: units(5_000),
        delay_up_to: units(5_000),
        approve_up_to: units(5_000),
        outstanding: Some(units(20_000)),
        ..AssetRule::closed(token(), "USDC", Decimals::new(6).expect("six"))
    });
    for rule in &mut document.assets {
        if rule.asset == EVM.native_asset() {
            rule.fee_ceiling = Some(units(CALL_FEE));
        }
    }
    document.sort();
    document
}

/// A session of the agent's key that may spend 6,000 of the token.
pub(super) fn grant(world: &World, operations: Option<Vec<Operation>>) -> SessionGrant {
    let mut grant = world.a_grant(key_bound());
    grant.limits.push(SessionLimit {
        asset: token(),
        per_transaction: units(4_000),
        total: units(6_000),
    });
    grant.operations = operations;
    grant
}

fn granted(world: &mut World, operations: Option<Vec<Operation>>) -> Result<SessionId, Vec<Code>> {
    let grant = grant(world, operations);
    match world.say(StatementFacts::GrantSession { grant }, false)? {
        Outcome::Session(session) => Ok(session),
        other => panic!("{other:?}"),
    }
}

/// A world with the token in its policy and in a bearer session.
pub(super) fn world() -> World {
    let mut world = World::new();
    world
        .adopt(&token_policy(2), true)
        .expect("a policy with a token");
    let mut grant = grant(&world, None);
    grant.credential = bearer(b"token");
    let granted = world.say(StatementFacts::GrantSession { grant }, false);
    match granted.expect("a session") {
        Outcome::Session(session) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    world
}

pub(super) fn call(amount: u128, to: &str) -> TokenRequest {
    let Account::Evm(from) = wallet() else {
        panic!("an EVM wallet")
    };
    TokenRequest {
        chain_id: 31_337,
        from,
        token: contract(),
        to: evm_recipient(to),
        amount,
        gas_limit: u64::try_from(CALL_FEE).expect("gas"),
        max_fee_per_gas: 1,
        max_priority_fee_per_gas: 1,
    }
}

fn wallet() -> Account {
    Account::Evm(EvmAddress::from_bytes([1; 20]))
}

/// A bearer's body for the token with bytes that do it; `more` are further fields.
pub(super) fn request(
    world: &World,
    key: &str,
    amount: u128,
    to: &str,
    more: &str,
) -> SpendRequest {
    let body = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{EVM}","asset":"{}","to":"{to}","amount_base":"{amount}"{more}}}"#,
        SignerId::from_bytes([5; 16]),
        world.evm_wallet,
        token(),
    );
    SpendRequest {
        body: body.into_bytes(),
        unsigned: build::token_transfer(&call(amount, to)).expect("built"),
        ..world.request(world.bearer, key, amount, to)
    }
}

pub(super) fn pay(
    world: &mut World,
    key: &str,
    amount: u128,
    to: &str,
) -> Result<Outcome, Vec<Code>> {
    let request = request(world, key, amount, to, "");
    world.run(&Command::Spend(request))
}

pub(super) fn refused(world: &mut World, request: SpendRequest) -> Vec<Code> {
    world
        .run(&Command::Spend(request))
        .map(drop)
        .expect_err("it must be refused")
}

#[test]
fn invariant_03_a_token_payment_is_what_its_call_does() {
    let mut world = world();
    assert!(matches!(
        pay(&mut world, "a", 700, RECIPIENT),
        Ok(Outcome::Sign(_))
    ));
    let spend = world.spends().last().copied().cloned().expect("charged");
    assert_eq!(
        spend.effects,
        [
            Effect::Transfer {
                asset: token(),
                to: RECIPIENT.parse().expect("an address"),
                amount: units(700),
            },
            Effect::Fee {
                asset: EVM.native_asset(),
                max: units(CALL_FEE),
            },
        ]
    );
    let charges: Vec<_> = spend
        .charges
        .iter()
        .map(|charge| (charge.asset, charge.amount))
        .collect();
    assert_eq!(
        charges,
        [(EVM.native_asset(), units(CALL_FEE)), (token(), units(700))]
    );
    let sound = call(700, RECIPIENT);
    let other_token = TokenRequest {
        token: EvmAddress::from_bytes([0xc4; 20]),
        ..sound
    };
    for (claim, bytes) in [
        ("amount", build::token_transfer(&call(701, RECIPIENT))),
        ("recipient", build::token_transfer(&call(700, STRANGER))),
        ("token", build::token_transfer(&other_token)),
        ("an approval", build::approve(&sound)),
        (
            "the chain's coin",
            Ok(unsigned(31_337, 0, 700, evm_recipient(RECIPIENT))),
        ),
    ] {
        let mut request = request(&world, "b", 700, RECIPIENT, "");
        request.unsigned = bytes.expect("built");
        assert_eq!(
            refused(&mut world, request),
            [Code::BodyMismatch],
            "{claim}"
        );
    }
    // Nor does a token pass for the chain's coin.
    let mut request = world.request(world.bearer, "b", 700, RECIPIENT);
    request.unsigned = build::token_transfer(&sound).expect("built");
    assert_eq!(refused(&mut world, request), [Code::BodyMismatch]);
}

#[test]
fn invariant_02_a_call_that_is_not_understood_is_denied() {
    let mut world = world();
    let sound = build::token_transfer(&call(700, RECIPIENT)).expect("built");
    let start = sound.len() - 1 - 68;
    let with = |at: usize, value: u8| {
        let mut bytes = sound.clone();
        bytes[start + at] = value;
        bytes
    };
    for (what, bytes) in [
        ("another method", with(0, 0x23)),
        ("a dirty address", with(4, 0x80)),
        ("an amount above 128 bits", with(51, 1)),
    ] {
        let mut request = request(&world, "a", 700, RECIPIENT, "");
        request.unsigned = bytes;
        assert_eq!(
            refused(&mut world, request),
            [Code::TransactionUndecodable],
            "{what}"
        );
    }
}

#[test]
fn invariant_08_a_token_that_no_document_names_is_denied() {
    let mut world = world();
    let stranger = EvmAddress::from_bytes([0xc4; 20]);
    let sound = request(&world, "a", 700, RECIPIENT, "");
    let body = String::from_utf8(sound.body.clone()).expect("text");
    let request = SpendRequest {
        body: body
            .replace(&token().to_string(), &token_at(stranger).to_string())
            .into_bytes(),
        unsigned: build::token_transfer(&TokenRequest {
            token: stranger,
            ..call(700, RECIPIENT)
        })
        .expect("built"),
        ..sound
    };
    let codes = refused(&mut world, request);
    assert!(codes.contains(&Code::AssetNotListed), "{codes:?}");
    assert!(codes.contains(&Code::SessionAsset), "{codes:?}");
    // Nobody but the policy's contacts receives tokens either.
    let codes = pay(&mut world, "a", 700, STRANGER).expect_err("a stranger");
    assert_eq!(codes, [Code::RecipientNotListed]);
}

#[test]
fn invariant_09_a_tokens_limits_hold_to_the_unit_and_its_fee_is_the_coins() {
    let mut world = world();
    // A session's limit on one transaction, then its total, then the policy's hour.
    assert!(pay(&mut world, "a", 4_000, RECIPIENT).is_ok());
    assert_eq!(
        pay(&mut world, "b", 4_001, RECIPIENT).expect_err("too much"),
        [
            Code::HourLimit,
            Code::SessionPerTransaction,
            Code::SessionTotal
        ]
    );
    assert_eq!(
        pay(&mut world, "b", 2_001, RECIPIENT).expect_err("too much"),
        [Code::SessionTotal]
    );
    assert!(pay(&mut world, "b", 2_000, RECIPIENT).is_ok());
    // The fee counts against the chain's coin and not against the token.
    let fees: u128 = world
        .spends()
        .iter()
        .flat_map(|spend| &spend.charges)
        .filter(|charge| charge.asset == EVM.native_asset())
        .map(|charge| charge.amount.base_units())
        .sum();
    assert_eq!(fees, 2 * CALL_FEE);
    // A fee above the ceiling is refused, whatever the token.
    let mut dear = request(&world, "c", 1, RECIPIENT, "");
    dear.unsigned = build::token_transfer(&TokenRequest {
        gas_limit: u64::try_from(CALL_FEE).expect("gas") + 1,
        ..call(1, RECIPIENT)
    })
    .expect("built");
    let codes = refused(&mut world, dear);
    assert!(codes.contains(&Code::FeeCeiling), "{codes:?}");
}

#[test]
fn invariant_06_tokens_and_coins_share_one_row_of_nonces() {
    let mut world = world();
    for expected in 0..6_u64 {
        let key = format!("key-{expected}");
        let outcome = if expected % 2 == 0 {
            pay(&mut world, &key, 10, RECIPIENT)
        } else {
            world.bearer_pay(&key, 10)
        };
        match outcome {
            Ok(Outcome::Sign(order)) => {
                assert_eq!(order.transaction().account_nonce(), Some(expected));
            }
            other => panic!("{other:?}"),
        }
    }
    let mut numbered = request(&world, "named", 10, RECIPIENT, "");
    numbered.unsigned = {
        let read = waiaas_shared::transaction::decode(
            EVM,
            wallet(),
            &numbered.unsigned,
            waiaas_shared::transaction::Known::NOTHING,
        );
        let read = read.expect("sound").with_nonce(9).expect("a nonce");
        read.bytes().to_vec()
    };
    assert_eq!(refused(&mut world, numbered), [Code::NonceNotZero]);
}

#[test]
fn invariant_06_hoarding_of_tokens_ends_at_their_own_cap() {
    let mut world = world();
    let mut document = token_policy(3);
    for rule in &mut document.assets {
        if rule.asset == token() {
            rule.outstanding = Some(units(20_000));
        }
    }
    world.adopt(&document, true).expect("the same with a cap");
    let mut signed = 0;
    // Months in which the rolling limits would leave far more; the fees are next to nothing.
    for day in 0..60 {
        world.pass(Millis::from_hours(24 * 31));
        world.commit();
        let mut grant = grant(&world, None);
        grant.expires = world.clocks.wall.after(Millis::from_hours(2));
        grant.credential = bearer(&[day]);
        if let Ok(Outcome::Session(session)) =
            world.say(StatementFacts::GrantSession { grant }, false)
        {
            world.bearer = session;
        }
        let mut request = request(&world, &format!("day-{day}"), 4_000, RECIPIENT, "");
        request.unsigned = build::token_transfer(&TokenRequest {
            gas_limit: 21_000,
            ..call(4_000, RECIPIENT)
        })
        .expect("built");
        match world.run(&Command::Spend(request)) {
            Ok(_) => signed += 4_000,
            Err(codes) => assert!(codes.contains(&Code::OutstandingCap), "{codes:?}"),
        }
    }
    assert_eq!(signed, 20_000);
    // The owner's word on the nonce starts it afresh.
    let attest = StatementFacts::AttestNonce {
        wallet: world.evm_wallet,
        chain: EVM,
        next: 100,
        from: None,
    };
    world.say(attest, false).expect("attested");
    assert!(pay(&mut world, "after", 4_000, RECIPIENT).is_ok());
}

#[test]
fn a_session_names_token_transfers_as_an_operation() {
    let mut world = world();
    granted(&mut world, Some(vec![Operation::TokenTransfer])).expect("known to this version");
}

#[test]
fn invariant_08_a_piece_is_named_one_by_one() {
    let mut world = world();
    let piece = |kind: &str, id: u8| -> AssetId {
        format!("{EVM}/{kind}:{}/{id}", contract())
            .parse()
            .expect("a piece")
    };
    let mut document = token_policy(3);
    for kind in ["erc721", "erc1155"] {
        let like = document.asset(token()).cloned().expect("the token's rule");
        document.assets.push(AssetRule {
            asset: piece(kind, 7),
            decimals: Decimals::ZERO,
            ..like
        });
        document.sort();
    }
    world.adopt(&document, true).expect("a policy with pieces");
    let mut of_pieces = grant(&world, None);
    for kind in ["erc721", "erc1155"] {
        of_pieces.limits.push(SessionLimit {
            asset: piece(kind, 7),
            per_transaction: units(5),
            total: units(5),
        });
    }
    of_pieces.limits.sort_by_key(|limit| limit.asset);
    of_pieces.credential = bearer(b"pieces");
    match world.say(StatementFacts::GrantSession { grant: of_pieces }, false) {
        Ok(Outcome::Session(session)) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    let bytes = |asset: AssetId, amount: u128| {
        let sound = call(amount, RECIPIENT);
        let effect = Effect::Transfer {
            asset,
            to: RECIPIENT.parse().expect("an address"),
            amount: units(amount),
        };
        let message = build::message(sound.from, &effect).expect("a call");
        let terms = build::Terms {
            chain_id: sound.chain_id,
            from: sound.from,
            gas_limit: sound.gas_limit,
            max_fee_per_gas: 1,
            max_priority_fee_per_gas: 1,
        };
        build::transaction(&terms, message, None).expect("built")
    };
    let asked = |world: &World, key: &str, asset: AssetId, amount: u128, unsigned: Vec<u8>| {
        let sound = request(world, key, amount, RECIPIENT, "");
        let body = String::from_utf8(sound.body.clone()).expect("text");
        SpendRequest {
            body: body
                .replace(&token().to_string(), &asset.to_string())
                .into_bytes(),
            unsigned,
            ..sound
        }
    };
    for (kind, amount) in [("erc721", 1), ("erc1155", 3)] {
        let (named, other) = (piece(kind, 7), piece(kind, 8));
        // Another piece than the body's, and one that nobody names.
        let swapped = asked(&world, "a", named, amount, bytes(other, amount));
        assert_eq!(refused(&mut world, swapped), [Code::BodyMismatch]);
        let unnamed = asked(&world, "a", other, amount, bytes(other, amount));
        let codes = refused(&mut world, unnamed);
        assert!(codes.contains(&Code::AssetNotListed), "{codes:?}");
        let sound = asked(&world, kind, named, amount, bytes(named, amount));
        assert!(matches!(
            world.run(&Command::Spend(sound)),
            Ok(Outcome::Sign(_))
        ));
    }
}
