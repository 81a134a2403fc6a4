//! What the first policy lets pass, each part once.

use std::time::Duration;

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::authorization::TokenDomain;
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Token};
use waiaas_shared::evm::abi::Word;
use waiaas_shared::policy::document::{
    Accepts, AccountAccepts, AccountRule, ArgumentRule, AssetRule, AuthorizationRule, CallFunction,
    CallProgram, CallRule, FieldAccepts, FieldRule, PolicyDocument, TokenExtension,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::solana::Leaving;
use waiaas_shared::time::Millis;
use waiaas_tests::owner::{policy, rule};
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT, SOLANA_TO, account, solana};

use super::{DELAY, DELAY_UP_TO, FEE_CEILING, INSTANT_UP_TO, NOTIFY_UP_TO, WINDOW};

/// A token of the local EVM chain that policy and the bearer session name.
pub(crate) fn token() -> AssetId {
    let contract = EvmAddress::from_bytes([0xaa; 20]);
    AssetId::new(EVM, Token::Erc20(contract)).expect("a token")
}

/// What that token calls itself, and for how many seconds an authorization of it may hold.
pub(crate) const TOKEN_NAME: &str = "Test Coin";
pub(crate) const AUTHORIZED_FOR: u64 = 300;

fn token_rule() -> AssetRule {
    let units = Amount::from_base_units;
    AssetRule {
        fee_ceiling: None,
        sign_only: false,
        outstanding: Some(units(WINDOW)),
        authorization: Some(AuthorizationRule {
            domain: TokenDomain {
                name: TOKEN_NAME.to_owned(),
                version: "1".to_owned(),
            },
            valid_for: Millis::from_secs(AUTHORIZED_FOR),
        }),
        asset: token(),
        ..rule(EVM, LIMIT, WINDOW)
    }
}

/// A contract of which the policy has one function: so much of the token, for the wallet itself, and a choice
/// of two.
pub(crate) const CONTRACT: [u8; 20] = [0xcc; 20];
/// As Solidity names it.
pub(crate) const FUNCTION: &str = "order(uint256,address,bytes4)";
/// Most of the token in one call, and of the chain's coin.
pub(crate) const MOST: u128 = 1_000;
pub(crate) const VALUE_UP_TO: u128 = 7;

fn call_rule() -> CallRule {
    let contract = Account::Evm(EvmAddress::from_bytes(CONTRACT));
    let target = AccountId::new(EVM, contract).expect("one family");
    let of = |accepts| ArgumentRule {
        accepts,
        spends: None,
    };
    let choice = |text: &[u8; 4]| {
        let mut word = [0; 32];
        word[..4].copy_from_slice(text);
        Word::from_bytes(word)
    };
    let amount = ArgumentRule {
        spends: Some(token()),
        ..of(Accepts::Max(Word::from_number(MOST)))
    };
    let function = CallFunction {
        signature: FUNCTION.parse().expect("a function"),
        arguments: vec![
            amount,
            of(Accepts::Wallet),
            of(Accepts::OneOf(vec![choice(b"left"), choice(b"upon")])),
        ],
    };
    CallRule {
        value_up_to: Amount::from_base_units(VALUE_UP_TO),
        ..CallRule::of_function(target, function, Tier::Instant)
    }
}

/// A mint that the policy has, of SPL Token: its owner's keys are nobody's.
pub(crate) const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

/// The token of that mint.
pub(crate) fn mint() -> AssetId {
    let mint = Token::Mint(MINT.parse().expect("a mint"));
    AssetId::new(solana(), mint).expect("one family")
}

/// A mint of Token-2022 that keeps a part of each transfer, as its owner registered it.
pub(crate) const FEE_MINT: [u8; 32] = [0xf5; 32];
/// Ten-thousandths, and at most so many base units of one transfer.
const KEEPS: (u16, u128) = (50, 5_000);

/// The token of that mint.
pub(crate) fn fee_mint() -> AssetId {
    let mint = Token::Mint(SolanaAddress::from_bytes(FEE_MINT));
    AssetId::new(solana(), mint).expect("one family")
}

/// A program that nobody has a decoder for, of which the policy has three methods: how their data begins. Of the
/// first so much of the token may go into the vault, for the wallet itself, with its signature; the second begins
/// as the first does and takes less; the third has two places for one account.
pub(crate) const PROGRAM: [u8; 32] = [0xd1; 32];
pub(crate) const DEPOSIT: [u8; 2] = [0xf2, 0x23];
pub(crate) const SHORT: [u8; 1] = [0xf2];
pub(crate) const MIXED: [u8; 1] = [0x07];
pub(crate) const VAULT: [u8; 32] = [0xe1; 32];
/// Lamports that are counted as leaving with the first, and the tier of the second.
pub(crate) const LEAVES: u128 = 2_000;
pub(crate) const CHEAP: Tier = Tier::Notify;

/// The three methods.
pub(crate) fn program_rules() -> Vec<CallRule> {
    let key = SolanaAddress::from_bytes;
    let target = AccountId::new(solana(), Account::Solana(key(PROGRAM))).expect("one family");
    let place = |accepts, writable| AccountRule { accepts, writable };
    let vault = || AccountAccepts::OneOf(vec![key(VAULT)]);
    let field = |kind: &str, accepts, spends| FieldRule {
        kind: kind.parse().expect("a type"),
        accepts,
        spends,
    };
    let deposit = CallProgram {
        accounts: vec![
            place(AccountAccepts::Wallet, true),
            place(AccountAccepts::TokenAccount(mint()), true),
            place(vault(), true),
            place(AccountAccepts::Any, false),
        ],
        fields: vec![
            field(
                "u64",
                FieldAccepts::Max(Amount::from_base_units(MOST)),
                Some(mint()),
            ),
            field("address", FieldAccepts::Wallet, None),
        ],
        tail: 2,
        outflow: vec![Leaving {
            asset: solana().native_asset(),
            up_to: Amount::from_base_units(LEAVES),
        }],
    };
    let bare = |accounts, tail| CallProgram {
        accounts,
        fields: Vec::new(),
        tail,
        outflow: Vec::new(),
    };
    let short = bare(vec![place(vault(), true)], 64);
    let both = AccountAccepts::OneOf(vec![key(VAULT), key([0xe2; 32])]);
    let mixed = bare(vec![place(vault(), true), place(both, false)], 0);
    vec![
        CallRule::of_program(target, MIXED.to_vec(), mixed, Tier::Instant),
        CallRule::of_program(target, SHORT.to_vec(), short, CHEAP),
        CallRule::of_program(target, DEPOSIT.to_vec(), deposit, Tier::Instant),
    ]
}

/// The policy of the beginning: both local chains with one recipient on each, in all four tiers, a token on
/// each, of which one may be moved by authorization, a second on Solana that keeps a part of each transfer, a
/// function of a contract and three methods of a program.
pub(crate) fn first_policy() -> PolicyDocument {
    let units = Amount::from_base_units;
    let of_solana = AssetRule {
        rent_ceiling: Some(units(3_000_000)),
        ..tiers(solana())
    };
    let token = AssetRule {
        asset: mint(),
        symbol: "USDC".to_owned(),
        decimals: Decimals::new(6).expect("in range"),
        fee_ceiling: None,
        ..tiers(solana())
    };
    let (basis_points, most) = KEEPS;
    let keeping = AssetRule {
        asset: fee_mint(),
        symbol: "KEEP".to_owned(),
        extensions: vec![TokenExtension::TransferFee {
            basis_points,
            most: units(most),
        }],
        ..token.clone()
    };
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut document = PolicyDocument {
        delay: Millis::from_millis(millis(DELAY)),
        calls: [vec![call_rule()], program_rules()].concat(),
        ..policy(
            vec![tiers(EVM), of_solana, token_rule(), token, keeping],
            &[account(EVM, EVM_TO), account(solana(), SOLANA_TO)],
        )
    };
    document.sort();
    document
}

fn tiers(chain: ChainId) -> AssetRule {
    let units = Amount::from_base_units;
    AssetRule {
        instant_up_to: units(INSTANT_UP_TO),
        notify_up_to: units(NOTIFY_UP_TO),
        delay_up_to: units(DELAY_UP_TO),
        fee_ceiling: Some(units(FEE_CEILING)),
        ..rule(chain, LIMIT, WINDOW)
    }
}
