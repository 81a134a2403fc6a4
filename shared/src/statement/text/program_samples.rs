//! A waiting call of a program, and a policy that lets it be called. Only values. Used by the tests of texts.

use super::samples::{first_policy, intent, read, transaction_id, units, wallet_id};
use super::*;
use crate::address::SolanaAddress;
use crate::amount::Decimals;
use crate::intent::Wait;
use crate::policy::document::{
    AccountAccepts, AccountRule, AssetRule, CallProgram, CallRule, FieldAccepts, FieldRule,
};
use crate::policy::evaluate::Tier;
use crate::request::Action;
use crate::solana::{Leaving, ProgramCall, TokenProgram, associated_account};

const PROGRAM: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const COIN: &str = "solana:localnet/slip44:501";

fn token() -> AssetId {
    read(&format!("solana:localnet/token:{MINT}"))
}

fn vault() -> SolanaAddress {
    SolanaAddress::from_bytes([0xa1; 32])
}

/// As the view has wallet 1.
fn wallet() -> SolanaAddress {
    SolanaAddress::from_bytes([1; 32])
}

fn method() -> CallProgram {
    let account = |accepts, writable| AccountRule { accepts, writable };
    let token_program = AccountAccepts::OneOf(vec![TokenProgram::Token.id()]);
    CallProgram {
        accounts: vec![
            account(AccountAccepts::Wallet, true),
            account(AccountAccepts::TokenAccount(token()), true),
            account(AccountAccepts::OneOf(vec![vault()]), true),
            account(token_program, false),
        ],
        fields: vec![
            FieldRule {
                kind: read("u64"),
                accepts: FieldAccepts::Max(units(20_000_000)),
                spends: Some(token()),
            },
            FieldRule {
                kind: read("address"),
                accepts: FieldAccepts::Wallet,
                spends: None,
            },
        ],
        tail: 8,
        outflow: vec![Leaving {
            asset: read(COIN),
            up_to: units(2_039_280),
        }],
    }
}

fn rule() -> CallRule {
    let target = read(&format!("solana:localnet:{PROGRAM}"));
    let begins = vec![0xf2, 0x23, 0xc6, 0x89, 0x52, 0xe1, 0xf2, 0xb6];
    CallRule::of_program(target, begins, method(), Tier::Approval)
}

/// Twelve and a half units of a token into a vault, for the wallet itself, with a byte behind.
pub(in crate::statement) fn deposit(number: u8) -> Intent {
    let method = rule().program_method().expect("of a program");
    let mint: SolanaAddress = read(MINT);
    let own = associated_account(wallet(), mint, TokenProgram::Token);
    let accounts = [wallet(), own, vault(), TokenProgram::Token.id()];
    let data = [
        &method.begins[..],
        &12_500_000_u64.to_le_bytes(),
        wallet().as_bytes(),
        &[0x2a],
    ]
    .concat();
    let told = ProgramCall::read(wallet(), &method, &accounts, &data).expect("of its form");
    Intent {
        transaction: transaction_id(number),
        wallet: wallet_id(1),
        asset: read(COIN),
        to: read(PROGRAM),
        amount: told.leaving(read(COIN)),
        fee_ceiling: units(10_000),
        wait: Wait::Approval { quorum: 1 },
        action: Some(Action::Call),
        program: Some(Box::new(told)),
        ..intent(1)
    }
}

/// The first policy with the program's method.
pub(in crate::statement) fn policy() -> PolicyDocument {
    let mut document = first_policy();
    for (asset, symbol, places) in [(read(COIN), "SOL", 9), (token(), "USDC", 6)] {
        if document.asset(asset).is_none() {
            let decimals = Decimals::new(places).expect("in range");
            let closed = AssetRule::closed(asset, symbol, decimals);
            document.assets.push(closed);
            document.sort();
        }
    }
    document.calls = vec![rule()];
    document.sort();
    assert_eq!(document.check(), Ok(()));
    document
}
