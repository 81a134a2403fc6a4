//! Solana tokens: the signer derives whose account is paid, counts what creating it costs, and knows mints
//! from policy alone.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Family, Token as AssetToken};
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient, TokenExtension};
use waiaas_shared::session::{Credential, Operation, SessionGrant, SessionLimit};
use waiaas_shared::solana::build::{
    TokenTransferRequest, TransferRequest, token_transfer, transfer,
};
use waiaas_shared::solana::{Token, TokenProgram};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::world::{World, policy, solana};
use crate::core::command::{Command, Outcome, SpendRequest};

pub(super) const RENT: u128 = 2_039_280;
const RENT_2022: u128 = 2_220_240;

pub(super) fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

/// As the world makes its Solana wallet.
pub(super) fn wallet() -> SolanaAddress {
    address(2)
}

pub(super) fn shop() -> SolanaAddress {
    address(0x51)
}

pub(super) fn token(program: TokenProgram) -> Token {
    Token {
        mint: address(0xc1),
        decimals: 6,
        program,
    }
}

pub(super) fn asset() -> AssetId {
    AssetId::new(solana(), AssetToken::Mint(address(0xc1))).expect("one family")
}

pub(super) fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

/// The world's policy, with a hundred times as much for SOL, a rent ceiling, a token (INSTANT to 100,000,
/// NOTIFY to 500,000, APPROVAL to 800,000) and a shop.
pub(super) fn token_policy(epoch: u64) -> PolicyDocument {
    let mut document = policy(epoch);
    let native = document
        .assets
        .iter_mut()
        .find(|rule| rule.asset == solana().native_asset())
        .expect("SOL");
    for amount in [
        &mut native.per_transaction,
        &mut native.hour,
        &mut native.day,
        &mut native.week,
        &mut native.month,
        &mut native.instant_up_to,
        &mut native.notify_up_to,
        &mut native.delay_up_to,
        &mut native.approve_up_to,
    ] {
        *amount = units(amount.base_units() * 100);
    }
    native.rent_ceiling = Some(units(2_500_000));
    document.assets.push(AssetRule {
        per_transaction: units(800_000),
        hour: units(1_000_000),
        day: units(1_500_000),
        week: units(2_000_000),
        month: units(3_000_000),
        instant_up_to: units(100_000),
        notify_up_to: units(500_000),
        delay_up_to: units(500_000),
        approve_up_to: units(800_000),
        ..AssetRule::closed(asset(), "USDC", Decimals::new(6).expect("in range"))
    });
    document.recipients.push(Recipient {
        account: AccountId::new(solana(), Account::Solana(shop())).expect("an account"),
        name: "shop".to_owned(),
    });
    document.sort();
    document
}

pub(super) fn rule(document: &mut PolicyDocument, asset: AssetId) -> &mut AssetRule {
    let mut rules = document.assets.iter_mut();
    rules.find(|rule| rule.asset == asset).expect("listed")
}

/// A world whose bearer session may pay tokens.
pub(super) fn world() -> (World, SessionId) {
    world_with(&token_policy(1))
}

pub(super) fn world_with(document: &PolicyDocument) -> (World, SessionId) {
    let mut world = bare(super::world::EVM, document);
    let grant = grant(&world);
    let session = granted(&mut world, grant);
    (world, session)
}

/// Owner, wallets and this first policy; the EVM wallet on this network.
pub(super) fn bare(network: ChainId, document: &PolicyDocument) -> World {
    let mut world = World::empty();
    world.owner = world.enrol(vec![]).expect("the first owner");
    let evm = world.wallet(Family::Evm, [1; 32], vec![network]);
    world.evm_wallet = evm.expect("a wallet");
    let of_solana = world.wallet(Family::Solana, [2; 32], vec![solana()]);
    world.solana_wallet = of_solana.expect("a wallet");
    world.adopt(document, true).expect("the first policy");
    world
}

fn grant(world: &World) -> SessionGrant {
    let limit = |asset: AssetId| SessionLimit {
        asset,
        per_transaction: units(800_000).max(if asset == solana().native_asset() {
            units(10_000_000)
        } else {
            Amount::ZERO
        }),
        total: units(100_000_000),
    };
    let mut limits = vec![limit(solana().native_asset()), limit(asset())];
    limits.sort_by_key(|limit| limit.asset);
    let digest = waiaas_shared::digest::hash(
        waiaas_shared::digest::Domain::SessionSecret,
        &[b"another secret"],
    );
    SessionGrant {
        limits,
        ..world.a_grant(Credential::Bearer(digest))
    }
}

fn granted(world: &mut World, grant: SessionGrant) -> SessionId {
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    }
}

pub(super) fn bytes(token: Token, to: SolanaAddress, amount: u64, create: bool) -> Vec<u8> {
    token_transfer(&TokenTransferRequest {
        from: wallet(),
        to,
        token,
        amount,
        create,
        blockhash: [9; 32],
        compute_unit_limit: 40_000,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built")
}

pub(super) fn spl(amount: u64, create: bool) -> Vec<u8> {
    bytes(token(TokenProgram::Token), shop(), amount, create)
}

fn request(
    world: &World,
    session: SessionId,
    key: &str,
    amount: u64,
    unsigned: Vec<u8>,
) -> SpendRequest {
    let body = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","asset":"{}","to":"@shop","amount_base":"{amount}"}}"#,
        SignerId::from_bytes([5; 16]),
        world.solana_wallet,
        solana(),
        asset(),
    );
    SpendRequest {
        body: body.into_bytes(),
        unsigned,
        ..world.request(session, key, 1, super::world::RECIPIENT)
    }
}

pub(super) fn pay(
    (world, session): &mut (World, SessionId),
    key: &str,
    amount: u64,
    unsigned: Vec<u8>,
) -> Result<Outcome, Vec<Code>> {
    let request = request(world, *session, key, amount, unsigned);
    world.run(&Command::Spend(request))
}

pub(super) fn refused(outcome: Result<Outcome, Vec<Code>>) -> Vec<Code> {
    outcome.map(drop).expect_err("it must be refused")
}

#[test]
fn a_token_payment_is_signed_and_names_the_owner() {
    let mut stage = world();
    let outcome = pay(&mut stage, "one", 70_000, spl(70_000, false));
    let Ok(Outcome::Sign(order)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(order.transaction().bytes(), spl(70_000, false));
    let spend = stage.0.spends().pop().expect("charged").clone();
    assert_eq!(
        spend.effects,
        [
            Effect::Transfer {
                asset: asset(),
                to: Account::Solana(shop()),
                amount: units(70_000),
            },
            Effect::Fee {
                asset: solana().native_asset(),
                max: units(5000),
            },
        ]
    );
    let charged: Vec<_> = spend
        .charges
        .iter()
        .map(|one| (one.asset, one.amount))
        .collect();
    assert_eq!(
        charged,
        [
            (solana().native_asset(), units(5000)),
            (asset(), units(70_000))
        ]
    );
}

/// Bytes that do anything but what was asked, as a hostile gateway could bring them.
#[test]
fn invariant_03_the_account_that_is_paid_is_derived_never_believed() {
    let mut stage = world();
    let spl_token = token(TokenProgram::Token);
    let other_mint = Token {
        mint: address(0xc2),
        ..spl_token
    };
    let other_decimals = Token {
        decimals: 9,
        ..spl_token
    };
    let lamports = transfer(&TransferRequest {
        from: wallet(),
        to: shop(),
        lamports: 70_000,
        blockhash: [9; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built");
    for (case, unsigned, code) in [
        (
            "a stranger's account",
            bytes(spl_token, address(0x66), 70_000, false),
            Code::TransactionUndecodable,
        ),
        (
            "a stranger's account, created",
            bytes(spl_token, address(0x66), 70_000, true),
            Code::TransactionUndecodable,
        ),
        (
            "the other program",
            bytes(token(TokenProgram::Token2022), shop(), 70_000, false),
            Code::TransactionUndecodable,
        ),
        (
            "another mint",
            bytes(other_mint, shop(), 70_000, false),
            Code::TransactionUndecodable,
        ),
        (
            "other decimals",
            bytes(other_decimals, shop(), 70_000, false),
            Code::TransactionUndecodable,
        ),
        ("another amount", spl(70_001, false), Code::BodyMismatch),
        ("lamports", lamports, Code::BodyMismatch),
    ] {
        let outcome = pay(&mut stage, &case.replace(' ', "-"), 70_000, unsigned);
        assert_eq!(refused(outcome), [code], "{case}");
    }
    assert_eq!(stage.0.spends().len(), 0);
    pay(&mut stage, "right", 70_000, spl(70_000, false)).expect("it is signed");
}

/// Lamports that an account locks up are spent: in the ceiling for rent, in the windows, in the session.
#[test]
fn invariant_09_rent_counts_as_spend() {
    let mut stage = world();
    pay(&mut stage, "one", 70_000, spl(70_000, true)).expect("it is signed");
    let spend = stage.0.spends().pop().expect("charged").clone();
    let native = spend
        .charges
        .iter()
        .find(|one| one.asset == solana().native_asset());
    assert_eq!(native.map(|one| one.amount), Some(units(RENT + 5000)));

    // An account of Token-2022 is counted as large as a mint can make it.
    let mut document = token_policy(1);
    rule(&mut document, asset()).extensions = vec![TokenExtension::TransferFee {
        basis_points: 100,
        most: units(1000),
    }];
    let mut of_2022 = world_with(&document);
    let unsigned = bytes(token(TokenProgram::Token2022), shop(), 70_000, true);
    pay(&mut of_2022, "one", 70_000, unsigned).expect("it is signed");
    let spend = of_2022.0.spends().pop().expect("charged").clone();
    let native = spend
        .charges
        .iter()
        .find(|one| one.asset == solana().native_asset());
    assert_eq!(native.map(|one| one.amount), Some(units(RENT_2022 + 5000)));
    // Gross: what leaves the wallet, whatever the mint keeps of it.
    let tokens = spend.charges.iter().find(|one| one.asset == asset());
    assert_eq!(tokens.map(|one| one.amount), Some(units(70_000)));

    // One lamport too little, and none at all.
    for ceiling in [Some(units(RENT - 1)), None] {
        let mut document = token_policy(1);
        rule(&mut document, solana().native_asset()).rent_ceiling = ceiling;
        let mut stage = world_with(&document);
        let outcome = pay(&mut stage, "one", 70_000, spl(70_000, true));
        assert_eq!(refused(outcome), [Code::RentCeiling]);
        pay(&mut stage, "two", 70_000, spl(70_000, false)).expect("no rent, no ceiling");
    }
    // Windows: an hour that takes two accounts takes no third.
    let mut document = token_policy(2);
    let native = rule(&mut document, solana().native_asset());
    let two = units(2 * (RENT + 5000));
    native.hour = two;
    native.per_transaction = two;
    native.approve_up_to = two;
    native.delay_up_to = two;
    native.notify_up_to = two;
    native.instant_up_to = two;
    let mut stage = world();
    stage.0.adopt(&document, true).expect("a policy");
    for key in ["one", "two"] {
        pay(&mut stage, key, 10, spl(10, true)).expect("it is signed");
    }
    assert_eq!(
        refused(pay(&mut stage, "three", 10, spl(10, true))),
        [Code::HourLimit]
    );
}

/// No entry, no payment; two entries that contradict each other, none either, until one binds no more.
#[test]
fn invariant_08_a_token_is_known_from_policy_alone() {
    let mut document = token_policy(1);
    document.assets.retain(|rule| rule.asset != asset());
    let mut world = bare(super::world::EVM, &document);
    let coins = world.a_grant(grant(&world).credential);
    let session = granted(&mut world, coins);
    let mut stage = (world, session);
    assert_eq!(
        refused(pay(&mut stage, "one", 70_000, spl(70_000, false))),
        [Code::AssetNotListed]
    );

    for change in [
        (|rule: &mut AssetRule| rule.program = Some(TokenProgram::Token2022)) as fn(&mut AssetRule),
        |rule| rule.decimals = Decimals::new(9).expect("in range"),
        |rule| rule.extensions = vec![TokenExtension::Metadata],
    ] {
        let mut stage = on_main_network();
        let mut other = token_policy(2);
        change(rule(&mut other, asset()));
        stage.0.adopt(&other, true).expect("a second policy");
        for program in TokenProgram::ALL {
            let unsigned = bytes(token(program), shop(), 70_000, false);
            assert_eq!(
                refused(pay(&mut stage, "two", 70_000, unsigned)),
                [Code::TokenConflict]
            );
        }
    }
}

/// A world where documents wait before they stop to bind: it has a wallet on a main network besides.
pub(super) fn on_main_network() -> (World, SessionId) {
    let mut world = bare(ChainId::Evm(1), &token_policy(1));
    let grant = grant(&world);
    let session = granted(&mut world, grant);
    (world, session)
}

#[test]
fn a_grant_may_cover_tokens_and_nothing_else() {
    let mut stage = world();
    let narrow = SessionGrant {
        operations: Some(vec![Operation::TokenTransfer]),
        ..grant(&stage.0)
    };
    stage.1 = granted(&mut stage.0, narrow);
    pay(&mut stage, "one", 70_000, spl(70_000, true)).expect("rent is a cost, not an operation");
    let native = SessionGrant {
        operations: Some(vec![Operation::NativeTransfer]),
        ..grant(&stage.0)
    };
    stage.1 = granted(&mut stage.0, native);
    assert_eq!(
        refused(pay(&mut stage, "two", 70_000, spl(70_000, false))),
        [Code::SessionOperation]
    );
}

/// The same key and body give the same bytes, also for an account that was created.
#[test]
fn invariant_19_a_token_payment_is_replayed_without_a_second_charge() {
    let mut stage = world();
    let unsigned = spl(70_000, true);
    let Ok(Outcome::Sign(order)) = pay(&mut stage, "one", 70_000, unsigned.clone()) else {
        panic!("signed")
    };
    let again = pay(&mut stage, "one", 70_000, spl(70_000, false));
    let Ok(Outcome::Sign(replayed)) = again else {
        panic!("{again:?}")
    };
    assert_eq!(replayed.transaction().bytes(), order.transaction().bytes());
    assert_eq!(stage.0.spends().len(), 1);
}

/// Documents that register the token otherwise, or not at all, change nothing of what was signed: the payment is
/// judged by them, its bytes are read as they are.
#[test]
fn invariant_19_a_replay_asks_no_document_how_its_token_is_registered() {
    for change in [
        (|rule: &mut AssetRule| rule.program = Some(TokenProgram::Token2022)) as fn(&mut AssetRule),
        |rule| rule.decimals = Decimals::new(9).expect("in range"),
    ] {
        let mut stage = on_main_network();
        let Ok(Outcome::Sign(order)) = pay(&mut stage, "one", 70_000, spl(70_000, true)) else {
            panic!("signed")
        };
        let mut other = token_policy(2);
        change(rule(&mut other, asset()));
        stage.0.adopt(&other, true).expect("a second policy");
        assert_eq!(
            refused(pay(&mut stage, "two", 70_000, spl(70_000, false))),
            [Code::TokenConflict]
        );
        let again = pay(&mut stage, "one", 70_000, spl(70_000, false));
        let Ok(Outcome::Sign(replayed)) = again else {
            panic!("{again:?}")
        };
        assert_eq!(replayed.transaction().bytes(), order.transaction().bytes());
        // What no document lists any more is not paid, by those who judge it.
        stage.0.pass(Millis::from_hours(25));
        let mut without = token_policy(3);
        without.assets.retain(|rule| rule.asset != asset());
        stage.0.adopt(&without, true).expect("a third policy");
        let again = pay(&mut stage, "one", 70_000, spl(70_000, false));
        assert!(refused(again).contains(&Code::AssetNotListed));
    }
}
