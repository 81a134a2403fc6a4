//! Calls of Solana programs: what a call does is derived from its bytes to the last account, judged by the rules that
//! the owner gave, counted as the owner said, and nothing else passes for it.

mod later;

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SessionId, SignerId, TransactionId};
use waiaas_shared::policy::document::{
    AccountAccepts, AccountRule, CallProgram, CallRule, FieldAccepts, FieldRule, PolicyDocument,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, Operation, SessionGrant, SessionLimit};
use waiaas_shared::solana::build::{CallRequest, TransferRequest, call, transfer};
use waiaas_shared::solana::{Leaving, ProgramCall, ProgramMethod, TokenProgram};
use waiaas_shared::statement::StatementFacts;

use super::tokens_solana::{
    address, asset, bare, shop, token, token_policy, units, wallet, world_with,
};
use super::world::{RECIPIENT, World, solana};
use crate::core::command::{Command, Outcome, Prior, Release, SpendRequest, Used};

const FEE: u128 = 5000;
const DEPOSIT: [u8; 2] = [0xf2, 0x23];
const CLOSE: [u8; 1] = [0x09];

fn program() -> SolanaAddress {
    address(0xd1)
}

fn vault() -> SolanaAddress {
    address(0xe1)
}

fn own_account() -> SolanaAddress {
    token(TokenProgram::Token).account_of(wallet())
}

const fn place(accepts: AccountAccepts, writable: bool) -> AccountRule {
    AccountRule { accepts, writable }
}

/// Up to 90,000 of the token into the vault for the wallet, at once, with up to 2,000 lamports of the program's own;
/// closing it, with the owner.
fn calls() -> Vec<CallRule> {
    let target = AccountId::new(solana(), Account::Solana(program())).expect("an account");
    let native = solana().native_asset();
    let deposit = CallProgram {
        accounts: vec![
            place(AccountAccepts::Wallet, true),
            place(AccountAccepts::TokenAccount(asset()), true),
            place(AccountAccepts::OneOf(vec![vault()]), true),
            place(AccountAccepts::Any, false),
        ],
        fields: vec![
            FieldRule {
                kind: "u64".parse().expect("a type"),
                accepts: FieldAccepts::Max(units(90_000)),
                spends: Some(asset()),
            },
            FieldRule {
                kind: "address".parse().expect("a type"),
                accepts: FieldAccepts::Wallet,
                spends: None,
            },
        ],
        tail: 2,
        outflow: vec![Leaving {
            asset: native,
            up_to: units(2000),
        }],
    };
    let close = CallProgram {
        accounts: vec![place(AccountAccepts::OneOf(vec![vault()]), true)],
        fields: Vec::new(),
        tail: 256,
        outflow: Vec::new(),
    };
    vec![
        CallRule::of_program(target, CLOSE.to_vec(), close, Tier::Approval),
        CallRule::of_program(target, DEPOSIT.to_vec(), deposit, Tier::Instant),
    ]
}

fn program_policy(epoch: u64) -> PolicyDocument {
    let mut document = token_policy(epoch);
    document.calls = calls();
    document.sort();
    document
}

fn method(begins: &[u8]) -> ProgramMethod {
    let calls = calls();
    let rule = calls.iter().find(|rule| rule.method == begins);
    let method = rule.and_then(CallRule::program_method);
    method.expect("a method of the policy")
}

fn grant(world: &World, operations: Option<Vec<Operation>>) -> SessionGrant {
    let limit = |asset| SessionLimit {
        asset,
        per_transaction: units(1_000_000),
        total: units(10_000_000),
    };
    let mut limits = vec![limit(solana().native_asset()), limit(asset())];
    limits
        .iter_mut()
        .filter(|limit| limit.asset == asset())
        .for_each(|limit| limit.per_transaction = units(800_000));
    limits.sort_by_key(|limit| limit.asset);
    let secret = hash(Domain::SessionSecret, &[b"calling"]);
    SessionGrant {
        limits,
        operations,
        ..world.a_grant(Credential::Bearer(secret))
    }
}

fn stage_with(document: &PolicyDocument, operations: Option<Vec<Operation>>) -> (World, SessionId) {
    let (mut world, _) = world_with(document);
    let session = granted(&mut world, operations);
    (world, session)
}

fn granted(world: &mut World, operations: Option<Vec<Operation>>) -> SessionId {
    let grant = grant(world, operations);
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    }
}

fn stage() -> (World, SessionId) {
    stage_with(&program_policy(1), Some(vec![Operation::Call]))
}

fn accounts() -> Vec<SolanaAddress> {
    vec![wallet(), own_account(), vault(), address(0xc7)]
}

fn data(amount: u64, to: SolanaAddress, behind: &[u8]) -> Vec<u8> {
    [&DEPOSIT[..], &amount.to_le_bytes(), to.as_bytes(), behind].concat()
}

fn bytes_of(method: &ProgramMethod, accounts: &[SolanaAddress], data: &[u8]) -> Vec<u8> {
    let told = ProgramCall::read(wallet(), method, accounts, data).expect("of its form");
    call(&CallRequest {
        told: &told,
        blockhash: [9; 32],
        compute_unit_limit: 80_000,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built")
}

fn bytes(accounts: &[SolanaAddress], data: &[u8]) -> Vec<u8> {
    let begins = if data.starts_with(&DEPOSIT) {
        &DEPOSIT[..]
    } else {
        &CLOSE
    };
    bytes_of(&method(begins), accounts, data)
}

/// A bearer's request for a call, with these bytes.
fn asks(
    (world, session): &(World, SessionId),
    key: &str,
    (accounts, data): (&[SolanaAddress], &[u8]),
    unsigned: Vec<u8>,
) -> SpendRequest {
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    let body = format!(
        r#"{{"type":"call","signer":"{}","wallet":"{}","network":"{}","program":"{}","data":"0x{}","accounts":{}}}"#,
        SignerId::from_bytes([5; 16]),
        world.solana_wallet,
        solana(),
        program(),
        hex::encode(data),
        serde_json::to_string(&accounts).expect("texts"),
    );
    SpendRequest {
        body: body.into_bytes(),
        unsigned,
        ..world.request(*session, key, 1, RECIPIENT)
    }
}

fn deposit(stage: &(World, SessionId), key: &str, amount: u64) -> SpendRequest {
    let data = data(amount, wallet(), &[]);
    let accounts = accounts();
    asks(stage, key, (&accounts, &data), bytes(&accounts, &data))
}

fn closing(stage: &(World, SessionId), key: &str, behind: &[u8]) -> SpendRequest {
    let data = [&CLOSE[..], behind].concat();
    asks(stage, key, (&[vault()], &data), bytes(&[vault()], &data))
}

fn refused(world: &mut World, request: &SpendRequest) -> Vec<Code> {
    let outcome = world.run(&Command::Spend(request.clone()));
    outcome.map(drop).expect_err("it must be refused")
}

fn signed(outcome: Result<Outcome, Vec<Code>>) -> TransactionId {
    match outcome {
        Ok(Outcome::Sign(order)) => order.sealed().transaction,
        other => panic!("it is not signed: {other:?}"),
    }
}

fn waiting(outcome: Result<Outcome, Vec<Code>>) -> TransactionId {
    match outcome {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("it does not wait: {other:?}"),
    }
}

#[test]
fn invariant_03_a_call_of_a_program_is_what_its_bytes_say_to_the_last_account() {
    let mut stage = stage();
    let sound = deposit(&stage, "a", 700);
    signed(stage.0.run(&Command::Spend(sound)));
    let spend = stage.0.spends().last().copied().cloned().expect("charged");
    let native = solana().native_asset();
    let [
        Effect::Program {
            asset: coin,
            value,
            told,
        },
        Effect::Call {
            asset: spent,
            value: amount,
            told: None,
            ..
        },
        Effect::Fee { .. },
    ] = spend.effects.as_slice()
    else {
        panic!("{:?}", spend.effects)
    };
    assert_eq!((*coin, *value), (native, units(2000)));
    assert_eq!((*spent, *amount), (asset(), units(700)));
    assert_eq!(told.accounts, accounts());
    assert_eq!(told.data, data(700, wallet(), &[]));
    let mut charges: Vec<_> = spend
        .charges
        .iter()
        .map(|charge| (charge.asset, charge.amount))
        .collect();
    charges.sort_by_key(|(_, amount)| *amount);
    assert_eq!(
        charges,
        [(asset(), units(700)), (native, units(2000 + FEE))]
    );
    // The agent asked for one thing; other bytes that policy would let pass are not it.
    let asked = data(700, wallet(), &[]);
    let mut others = accounts();
    others[3] = address(0xc8);
    let plain = transfer(&TransferRequest {
        from: wallet(),
        to: shop(),
        lamports: 2000,
        blockhash: [9; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 0,
    });
    let mut uncounted = method(&DEPOSIT);
    uncounted.fields[0].spends = None;
    let uncounted = bytes_of(&uncounted, &accounts(), &data(701, wallet(), &[]));
    for (claim, unsigned, code) in [
        (
            "amount",
            bytes(&accounts(), &data(701, wallet(), &[])),
            Code::BodyMismatch,
        ),
        (
            "receiver",
            bytes(&accounts(), &data(700, shop(), &[])),
            Code::BodyMismatch,
        ),
        ("account", bytes(&others, &asked), Code::BodyMismatch),
        (
            "what-follows",
            bytes(&accounts(), &data(700, wallet(), &[1])),
            Code::BodyMismatch,
        ),
        (
            "method",
            bytes(&[vault()], &CLOSE),
            Code::TransactionUndecodable,
        ),
        ("no-call", plain.expect("built"), Code::BodyMismatch),
        ("counting", uncounted, Code::BodyMismatch),
    ] {
        let request = asks(&stage, claim, (&accounts(), &asked), unsigned);
        assert_eq!(refused(&mut stage.0, &request), [code], "{claim}");
    }
    assert_eq!(stage.0.spends().len(), 1);
}

/// No byte of the message is free: whatever changes is refused, or leaves the request and its charge as they are.
#[test]
fn invariant_02_no_changed_byte_does_anything_else() {
    let mut stage = stage();
    let sound = deposit(&stage, "a", 700);
    let before = sound.unsigned.clone();
    let mut passed = 0;
    for position in 0..before.len() {
        let mut changed = before.clone();
        changed[position] ^= 0x40;
        let request = SpendRequest {
            unsigned: changed.clone(),
            dry_run: true,
            ..sound.clone()
        };
        if stage.0.run(&Command::Spend(request)).is_ok() {
            passed += 1;
            // Blockhash, unit limit and price: what an agent does not say.
            let keys = 4 + 32 * usize::from(before[3]);
            let settings = keys + 32 + 1;
            assert!(
                (keys..settings + 20).contains(&position),
                "byte {position} is free"
            );
        }
    }
    assert!(passed >= 32, "the blockhash is free: {passed}");
}

#[test]
fn invariant_08_only_registered_calls_are_signed() {
    let mut stage = stage();
    let sound = data(700, wallet(), &[]);
    let unsigned = bytes(&accounts(), &sound);
    let with = |place: usize, account: SolanaAddress| {
        let mut accounts = accounts();
        accounts[place] = account;
        accounts
    };
    let stake = address(0xb7);
    for (what, accounts, data, code) in [
        ("method", accounts(), vec![0xf2, 0x24], Code::CallNotListed),
        ("nothing", accounts(), vec![], Code::CallNotListed),
        ("shorter", accounts(), sound[..41].to_vec(), Code::CallData),
        (
            "longer",
            accounts(),
            [&sound[..], &[1, 2, 3]].concat(),
            Code::CallData,
        ),
        (
            "fewer-accounts",
            accounts()[..3].to_vec(),
            sound.clone(),
            Code::CallAccounts,
        ),
        (
            "more-accounts",
            [accounts(), vec![stake]].concat(),
            sound.clone(),
            Code::CallAccounts,
        ),
    ] {
        let request = asks(&stage, what, (&accounts, &data), unsigned.clone());
        assert_eq!(refused(&mut stage.0, &request), [code], "{what}");
    }
    for (what, accounts, data, code) in [
        (
            "too-much",
            accounts(),
            data(90_001, wallet(), &[]),
            Code::CallArgumentLimit,
        ),
        (
            "for-another",
            accounts(),
            data(7, shop(), &[]),
            Code::CallArgumentWallet,
        ),
        (
            "another-vault",
            with(2, stake),
            sound.clone(),
            Code::CallAccount,
        ),
        (
            "another-account",
            with(1, stake),
            sound.clone(),
            Code::CallAccount,
        ),
        (
            "another-signs",
            with(0, stake),
            sound.clone(),
            Code::CallAccount,
        ),
        (
            "a-program",
            with(3, SolanaAddress::from_bytes([0; 32])),
            sound.clone(),
            Code::CallAccount,
        ),
    ] {
        let unsigned = bytes(&accounts, &data);
        let request = asks(&stage, what, (&accounts, &data), unsigned);
        assert_eq!(refused(&mut stage.0, &request), [code], "{what}");
    }
    // The wallet's own where the agent may choose. The message cannot even say it: its accounts are written.
    for own in [wallet(), own_account()] {
        let accounts = with(3, own);
        let request = asks(&stage, "own", (&accounts, &sound), unsigned.clone());
        assert_eq!(refused(&mut stage.0, &request), [Code::BodyMismatch]);
    }
    // A session that may not call.
    let operations = Some(vec![Operation::NativeTransfer, Operation::TokenTransfer]);
    let mut narrow = stage_with(&program_policy(1), operations);
    let request = deposit(&narrow, "a", 700);
    assert_eq!(refused(&mut narrow.0, &request), [Code::SessionOperation]);
    // No policy that names it.
    let mut without = stage_with(&token_policy(1), Some(vec![Operation::Call]));
    let request = deposit(&without, "a", 700);
    assert_eq!(refused(&mut without.0, &request), [Code::CallNotListed]);
    assert!(stage.0.spends().is_empty());
}

#[test]
fn invariant_09_what_a_call_lets_leave_counts_in_every_limit() {
    let mut stage = stage();
    for number in 0..11 {
        let request = deposit(&stage, &format!("a-{number}"), 90_000);
        signed(stage.0.run(&Command::Spend(request)));
    }
    // The policy's hour is 1,000,000.
    let beyond = deposit(&stage, "c", 10_001);
    assert_eq!(refused(&mut stage.0, &beyond), [Code::HourLimit]);
    let last = deposit(&stage, "d", 10_000);
    signed(stage.0.run(&Command::Spend(last)));
    // The lamports of each, with its fee, stand in the session's usage.
    let session = stage.0.state.sessions.get(&stage.1).expect("a session");
    let native = solana().native_asset();
    let spent = |asset| session.usage.spent.get(&asset).copied();
    assert_eq!(spent(native), Some(units(12 * (2000 + FEE))));
    assert_eq!(spent(asset()), Some(units(1_000_000)));
}
