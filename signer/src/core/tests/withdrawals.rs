//! The owner's way out for tokens of both families: above every limit, with everything paused, to the unit of
//! what the owner signed.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Decimals;
use waiaas_shared::caip::{AccountId, AssetId, Token as AssetToken};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::evm::build;
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::solana::build::{TokenTransferRequest, token_transfer};
use waiaas_shared::solana::{Token, TokenProgram};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::tokens::{call, units};
use super::tokens_solana::{RENT, asset, shop, token, wallet};
use super::world::{EVM, RECIPIENT, STRANGER, World, solana};
use crate::core::command::{Command, Outcome, Withdrawal};

/// An address to withdraw to, and everything paused.
fn enrolled(world: &mut World, account: AccountId) {
    world
        .say(StatementFacts::EnrolWithdrawal { account }, true)
        .expect("enrolled");
    world.pass(Millis::from_hours(72));
    let pause = Command::Pause {
        wallet: None,
        origin: Origin::Gateway,
    };
    world.run(&pause).expect("paused");
}

fn withdraw(world: &mut World, facts: StatementFacts, unsigned: Vec<u8>) -> Result<(), Vec<Code>> {
    let (statement, text) = world.draft(facts, Origin::Admin)?;
    let signatures = vec![world.signature(&text)];
    let withdrawal = Withdrawal {
        statement,
        signatures,
        unsigned,
    };
    world.run(&Command::Withdraw(withdrawal)).map(drop)
}

#[test]
fn invariant_17_erc20_tokens_are_withdrawn_too() {
    let mut world = super::tokens::world();
    let to = RECIPIENT.parse().expect("an address");
    enrolled(&mut world, AccountId::new(EVM, to).expect("an account"));
    let usdc = super::tokens::token();
    let other = AssetId::new(EVM, AssetToken::Erc20(EvmAddress::from_bytes([0xee; 20])));
    let mut brought = |amount: u128, receiver: &str, asset: AssetId| {
        let facts = StatementFacts::Withdraw {
            wallet: world.evm_wallet,
            asset,
            to,
            amount: units(900_000),
            fee_ceiling: units(60_000),
            nonce: None,
            from: None,
        };
        let unsigned = build::token_transfer(&call(amount, receiver)).expect("built");
        withdraw(&mut world, facts, unsigned)
    };
    for (amount, receiver, asset) in [
        (900_001, RECIPIENT, usdc),
        (900_000, STRANGER, usdc),
        (900_000, RECIPIENT, EVM.native_asset()),
        (900_000, RECIPIENT, other.expect("a token")),
    ] {
        let mismatch = Err(vec![Code::StatementMismatch]);
        assert_eq!(
            brought(amount, receiver, asset),
            mismatch,
            "{amount} {receiver} {asset}"
        );
    }
    brought(900_000, RECIPIENT, usdc).expect("to the unit");
}

/// A transfer of the token to the shop, as a gateway builds it.
fn built(token: Token, amount: u64, create: bool) -> Vec<u8> {
    let request = TokenTransferRequest {
        from: wallet(),
        to: shop(),
        token,
        amount,
        create,
        blockhash: [9; 32],
        compute_unit_limit: 200_000,
        micro_lamports_per_compute_unit: 0,
    };
    token_transfer(&request).expect("built")
}

/// What an owner signs: five of the token to the shop.
fn to_the_shop(world: &World, fee_ceiling: u128) -> StatementFacts {
    StatementFacts::Withdraw {
        wallet: world.solana_wallet,
        asset: asset(),
        to: Account::Solana(shop()),
        amount: units(5_000_000),
        fee_ceiling: units(fee_ceiling),
        nonce: None,
        from: None,
    }
}

/// Rent and fee keep to the ceiling that was signed.
#[test]
fn invariant_17_solana_tokens_are_withdrawn_too() {
    let (mut world, _) = super::tokens_solana::world();
    let to = Account::Solana(shop());
    enrolled(
        &mut world,
        AccountId::new(solana(), to).expect("an account"),
    );
    let mut brought = |unsigned: Vec<u8>, fee_ceiling: u128| {
        let facts = to_the_shop(&world, fee_ceiling);
        withdraw(&mut world, facts, unsigned)
    };
    let (spl, newer) = (token(TokenProgram::Token), token(TokenProgram::Token2022));
    let mismatch = Code::StatementMismatch;
    for (unsigned, ceiling, code) in [
        (built(spl, 5_000_001, false), 5_000, mismatch),
        (built(spl, 5_000_000, false), 4_999, mismatch),
        (built(spl, 5_000_000, true), 5_000 + RENT - 1, mismatch),
        (
            built(newer, 5_000_000, false),
            5_000,
            Code::TransactionUndecodable,
        ),
    ] {
        assert_eq!(brought(unsigned, ceiling), Err(vec![code]));
    }
    brought(built(spl, 5_000_000, false), 5_000).expect("to the unit");
    brought(built(spl, 5_000_000, true), 5_000 + RENT).expect("with its account");
}

/// A document that registers a token otherwise, or wrongly, closes no withdrawal: the bytes are read as any
/// of them says.
#[test]
fn invariant_17_a_token_that_is_registered_twice_is_withdrawn() {
    let changes: [fn(&mut AssetRule); 2] = [
        |rule| rule.program = Some(TokenProgram::Token2022),
        |rule| rule.decimals = Decimals::new(9).expect("in range"),
    ];
    for change in changes {
        let (mut world, _) = super::tokens_solana::on_main_network();
        let to = Account::Solana(shop());
        let account = AccountId::new(solana(), to).expect("an account");
        enrolled(&mut world, account);
        let mut other = super::tokens_solana::token_policy(2);
        let rule = other.assets.iter_mut().find(|rule| rule.asset == asset());
        change(rule.expect("the token"));
        world.adopt(&other, true).expect("a second policy");
        let read = token(TokenProgram::Token);
        let newer = token(TokenProgram::Token2022);
        let more = Token {
            decimals: 9,
            ..read
        };
        let mut passed = 0;
        for token in [read, newer, more] {
            let facts = to_the_shop(&world, 5_000);
            match withdraw(&mut world, facts, built(token, 5_000_000, false)) {
                Ok(()) => passed += 1,
                Err(codes) => assert_eq!(codes, [Code::TransactionUndecodable]),
            }
        }
        assert_eq!(passed, 2, "as either document has it, and not otherwise");
    }
}

/// A mint that no document names waits for one that does, and for nothing else: before it has matured, and while
/// everything is paused.
#[test]
fn invariant_17_a_mint_that_no_document_names_is_withdrawn_with_the_next_one() {
    let (mut world, _) = super::tokens_solana::on_main_network();
    let to = Account::Solana(shop());
    enrolled(
        &mut world,
        AccountId::new(solana(), to).expect("an account"),
    );
    let mut without = super::tokens_solana::token_policy(2);
    without.assets.retain(|rule| rule.asset != asset());
    world.adopt(&without, true).expect("a policy");
    world.pass(Millis::from_hours(25));
    let brought = |world: &mut World| {
        let facts = to_the_shop(world, 5_000);
        let unsigned = built(token(TokenProgram::Token), 5_000_000, false);
        withdraw(world, facts, unsigned)
    };
    assert_eq!(brought(&mut world), Err(vec![Code::AssetNotListed]));
    let (wallet, origin) = (None, Origin::Admin);
    world
        .run(&Command::Pause { wallet, origin })
        .expect("paused");
    let document = super::tokens_solana::token_policy(3);
    world.adopt(&document, false).expect("it waits to mature");
    brought(&mut world).expect("withdrawn");
}

/// What was signed is given to its owner again, however the token is registered since, and if it is no more.
#[test]
fn invariant_17_a_token_withdrawal_is_given_again_whatever_is_registered() {
    let (mut world, _) = super::tokens_solana::on_main_network();
    let to = Account::Solana(shop());
    enrolled(
        &mut world,
        AccountId::new(solana(), to).expect("an account"),
    );
    let facts = to_the_shop(&world, 5_000 + RENT);
    let unsigned = built(token(TokenProgram::Token), 5_000_000, true);
    withdraw(&mut world, facts, unsigned.clone()).expect("withdrawn");
    let Some(EventBody::Withdrawn { spend, .. }) = world.events.last() else {
        panic!("{:?}", world.events.last());
    };
    let entry = super::rotation::prior(&world, spend.clone());
    let mut again = |document: Option<PolicyDocument>| {
        if let Some(document) = document {
            world.adopt(&document, true).expect("a policy");
        }
        match world.run(&Command::Resend(entry.clone(), Origin::Admin)) {
            Ok(Outcome::Sign(order)) => order.transaction().bytes().to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let registered = |epoch, change: fn(&mut AssetRule)| {
        let mut document = super::tokens_solana::token_policy(epoch);
        let rule = document
            .assets
            .iter_mut()
            .find(|rule| rule.asset == asset());
        change(rule.expect("the token"));
        Some(document)
    };
    let mut without = super::tokens_solana::token_policy(4);
    without.assets.retain(|rule| rule.asset != asset());
    for document in [
        None,
        registered(2, |rule| rule.program = Some(TokenProgram::Token2022)),
        registered(3, |rule| {
            rule.decimals = Decimals::new(9).expect("in range")
        }),
        Some(without),
    ] {
        assert_eq!(again(document), unsigned);
    }
    world.pass(Millis::from_hours(25));
    let resend = Command::Resend(entry, Origin::Admin);
    world.run(&resend).expect("nothing registers it any more");
}
