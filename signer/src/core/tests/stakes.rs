//! Stakes: the account is derived from the wallet, its validator named by policy, what goes in counts in full, and
//! what comes back comes to the wallet alone.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{SessionId, SignerId, TransactionId};
use waiaas_shared::policy::document::{PolicyDocument, Validator};
use waiaas_shared::session::{Credential, Operation, SessionGrant, SessionLimit};
use waiaas_shared::solana::build::{StakingRequest, TransferRequest, staking, transfer};
use waiaas_shared::solana::{STAKE_RENT, StakeAccount, Staking};
use waiaas_shared::statement::StatementFacts;

use super::tokens_solana::{address, refused, rule, token_policy, units, world_with};
use super::world::{RECIPIENT, World, solana};
use crate::core::command::{Command, Outcome, Release, SpendRequest, Submission};

/// What every payment here costs.
const FEE: u128 = 5000;
const RENT: u128 = STAKE_RENT as u128;

fn wallet() -> SolanaAddress {
    address(2)
}

fn validator() -> SolanaAddress {
    address(0xa1)
}

fn account(seed: &str) -> StakeAccount {
    StakeAccount::of(wallet(), seed.parse().expect("a seed"))
}

/// The token policy with a validator: INSTANT to 10,000,000, NOTIFY to 20,000,000, APPROVAL to 50,000,000 lamports.
fn staking_policy(epoch: u64) -> PolicyDocument {
    let mut document = token_policy(epoch);
    let native = rule(&mut document, solana().native_asset());
    native.notify_up_to = units(20_000_000);
    native.delay_up_to = units(20_000_000);
    document.validators = Some(vec![Validator {
        account: AccountId::new(solana(), Account::Solana(validator())).expect("an account"),
        name: "one".to_owned(),
    }]);
    document
}

fn grant(world: &World, operations: Option<Vec<Operation>>) -> SessionGrant {
    let secret = hash(Domain::SessionSecret, &[b"staking"]);
    SessionGrant {
        limits: vec![SessionLimit {
            asset: solana().native_asset(),
            per_transaction: units(50_000_000),
            total: units(1_000_000_000),
        }],
        operations,
        ..world.a_grant(Credential::Bearer(secret))
    }
}

fn granted(world: &mut World, operations: Option<Vec<Operation>>) -> SessionId {
    let grant = grant(world, operations);
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    }
}

fn stage_with(document: &PolicyDocument) -> (World, SessionId) {
    let (mut world, _) = world_with(document);
    let operations = vec![Operation::NativeTransfer, Operation::Stake];
    let session = granted(&mut world, Some(operations));
    (world, session)
}

fn stage() -> (World, SessionId) {
    stage_with(&staking_policy(1))
}

fn built(account: &StakeAccount, staking_of: Staking) -> Vec<u8> {
    staking(&StakingRequest {
        from: wallet(),
        account,
        staking: staking_of,
        blockhash: [9; 32],
        compute_unit_limit: 80_000,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built")
}

fn delegates(seed: &str, validator: SolanaAddress, amount: u128) -> Vec<u8> {
    let amount = units(amount);
    built(&account(seed), Staking::Delegate { validator, amount })
}

fn asks(
    (world, session): &(World, SessionId),
    key: &str,
    body: &str,
    unsigned: Vec<u8>,
) -> SpendRequest {
    let body = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}",{body}}}"#,
        SignerId::from_bytes([5; 16]),
        world.solana_wallet,
        solana(),
    );
    SpendRequest {
        body: body.into_bytes(),
        unsigned,
        ..world.request(*session, key, 1, RECIPIENT)
    }
}

fn spends(
    stage: &mut (World, SessionId),
    key: &str,
    body: &str,
    unsigned: Vec<u8>,
) -> Result<Outcome, Vec<Code>> {
    let request = asks(stage, key, body, unsigned);
    stage.0.run(&Command::Spend(request))
}

fn stake_body(seed: &str, amount: u128) -> String {
    format!(r#""type":"stake","validator":"@one","amount_base":"{amount}","seed":"{seed}""#)
}

const UNSTAKE: &str = r#""type":"unstake","seed":"june-1""#;
const WITHDRAW: &str = r#""type":"withdraw_stake","seed":"june-1""#;

fn charged(world: &World) -> Amount {
    let spend = world.spends().pop().expect("charged").clone();
    let charges: Vec<_> = spend.charges.iter().map(|one| one.asset).collect();
    assert_eq!(charges, [solana().native_asset()]);
    spend.charges[0].amount
}

#[test]
fn invariant_09_a_stake_counts_in_full_and_what_comes_back_its_fee() {
    let mut stage = stage();
    let amount = 7_000_000;
    let body = stake_body("june-1", amount);
    let unsigned = delegates("june-1", validator(), amount);
    let Ok(Outcome::Sign(order)) = spends(&mut stage, "one", &body, unsigned.clone()) else {
        panic!("it is signed")
    };
    assert_eq!(order.transaction().bytes(), unsigned);
    assert_eq!(charged(&stage.0), units(amount + RENT + FEE));
    let spend = stage.0.spends().pop().expect("charged").clone();
    let native = solana().native_asset();
    assert_eq!(
        spend.effects,
        [
            Effect::Rent {
                asset: native,
                amount: units(RENT),
            },
            Effect::Stake {
                asset: native,
                account: account("june-1"),
                staking: Staking::Delegate {
                    validator: validator(),
                    amount: units(amount),
                },
            },
            Effect::Fee {
                asset: native,
                max: units(FEE),
            },
        ]
    );
    // Back, whatever it has grown to; nothing of it makes room in a limit.
    let back = |amount| {
        built(
            &account("june-1"),
            Staking::Withdraw {
                amount: units(amount),
            },
        )
    };
    let ends = built(&account("june-1"), Staking::Deactivate);
    spends(&mut stage, "two", UNSTAKE, ends).expect("it is signed");
    assert_eq!(charged(&stage.0), units(FEE));
    for (key, amount) in [("three", amount + RENT), ("four", 900_000_000_000)] {
        spends(&mut stage, key, WITHDRAW, back(amount)).expect("it is signed");
        assert_eq!(charged(&stage.0), units(FEE), "{key}");
    }
    // The window: 50,000,000 in an hour, of which four fees and a stake are gone.
    let mut document = staking_policy(2);
    rule(&mut document, native).hour = units(50_000_000);
    stage.0.adopt(&document, true).expect("a policy");
    let left = 50_000_000 - (amount + RENT + 4 * FEE);
    let most = left - RENT - FEE;
    let over = delegates("june-2", validator(), most + 1);
    let refusal = refused(spends(
        &mut stage,
        "five",
        &stake_body("june-2", most + 1),
        over,
    ));
    assert_eq!(refusal, [Code::HourLimit]);
    let most_bytes = delegates("june-2", validator(), most);
    let body = stake_body("june-2", most);
    match spends(&mut stage, "six", &body, most_bytes) {
        Ok(Outcome::Waiting(_)) => {}
        other => panic!("to the lamport, and above NOTIFY: {other:?}"),
    }
}

/// Bytes that do anything but what was asked, as a hostile gateway could bring them.
#[test]
fn invariant_03_a_stake_is_the_wallets_own_and_of_the_validator_that_was_asked_for() {
    let mut stage = stage();
    let amount = 7_000_000;
    let thief = address(0xee);
    let foreign = StakeAccount::of(thief, "june-1".parse().expect("a seed"));
    let own_of_thief = {
        // The thief's account in the place of the wallet's.
        let mut bytes = delegates("june-1", validator(), amount);
        let place = bytes
            .windows(32)
            .position(|window| window == account("june-1").address().as_bytes())
            .expect("it stands there");
        bytes[place..place + 32].copy_from_slice(foreign.address().as_bytes());
        bytes
    };
    let pays_validator = transfer(&TransferRequest {
        from: wallet(),
        to: validator(),
        lamports: 7_000_000,
        blockhash: [9; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built");
    let back = Staking::Withdraw { amount: units(5) };
    for (case, body, unsigned, code) in [
        (
            "another validator",
            stake_body("june-1", amount),
            delegates("june-1", address(0xa2), amount),
            Code::BodyMismatch,
        ),
        (
            "more",
            stake_body("june-1", amount),
            delegates("june-1", validator(), amount + 1),
            Code::BodyMismatch,
        ),
        (
            "another seed",
            stake_body("june-1", amount),
            delegates("june-2", validator(), amount),
            Code::BodyMismatch,
        ),
        (
            "an account of another base",
            stake_body("june-1", amount),
            own_of_thief,
            Code::TransactionUndecodable,
        ),
        (
            "a payment to the validator",
            stake_body("june-1", amount),
            pays_validator,
            Code::BodyMismatch,
        ),
        (
            "a deactivation in place of a stake",
            stake_body("june-1", amount),
            built(&account("june-1"), Staking::Deactivate),
            Code::BodyMismatch,
        ),
        (
            "a withdrawal in place of a deactivation",
            UNSTAKE.to_owned(),
            built(&account("june-1"), back),
            Code::BodyMismatch,
        ),
        (
            "the end of another stake",
            UNSTAKE.to_owned(),
            built(&account("june-2"), Staking::Deactivate),
            Code::TransactionUndecodable,
        ),
        (
            "out of another stake",
            WITHDRAW.to_owned(),
            built(&account("june-2"), back),
            Code::TransactionUndecodable,
        ),
    ] {
        let outcome = spends(&mut stage, &case.replace(' ', "-"), &body, unsigned);
        assert_eq!(refused(outcome), [code], "{case}");
    }
    assert_eq!(stage.0.spends().len(), 0);
}

#[test]
fn invariant_08_coins_are_staked_only_with_a_validator_that_policy_names() {
    let amount = 7_000_000;
    // By its address, which no document names.
    let mut stage = stage();
    let stranger = address(0xa2);
    let body = format!(
        r#""type":"stake","validator":"{stranger}","amount_base":"{amount}","seed":"june-1""#
    );
    let outcome = spends(
        &mut stage,
        "one",
        &body,
        delegates("june-1", stranger, amount),
    );
    assert_eq!(refused(outcome), [Code::ValidatorNotListed]);
    // By a name that no document has.
    let body = body.replace(&stranger.to_string(), "@two");
    let outcome = spends(
        &mut stage,
        "two",
        &body,
        delegates("june-1", stranger, amount),
    );
    assert_eq!(refused(outcome), [Code::ValidatorNotListed]);
    // Once the validator is removed, nothing more goes to it; what is there comes back.
    let listed = stake_body("june-1", amount);
    let by_address = listed.replace("@one", &validator().to_string());
    spends(
        &mut stage,
        "three",
        &listed,
        delegates("june-1", validator(), amount),
    )
    .expect("signed");
    let mut without = staking_policy(2);
    without.validators = None;
    stage.0.adopt(&without, true).expect("a policy");
    let again = delegates("june-1", validator(), amount);
    let outcome = spends(&mut stage, "four", &by_address, again);
    assert_eq!(refused(outcome), [Code::ValidatorNotListed]);
    let ends = built(&account("june-1"), Staking::Deactivate);
    spends(&mut stage, "five", UNSTAKE, ends).expect("signed");
    let back = Staking::Withdraw { amount: units(5) };
    spends(&mut stage, "six", WITHDRAW, built(&account("june-1"), back)).expect("signed");
    // Without leave for rent there is no stake.
    let mut document = staking_policy(1);
    rule(&mut document, solana().native_asset()).rent_ceiling = Some(units(RENT - 1));
    let mut stage = stage_with(&document);
    let outcome = spends(
        &mut stage,
        "one",
        &listed,
        delegates("june-1", validator(), amount),
    );
    assert_eq!(refused(outcome), [Code::RentCeiling]);
}

/// A grant that does not name it covers no stake, and nothing of one; one that names it, nothing else.
#[test]
fn a_grant_names_stakes() {
    let amount = 7_000_000;
    let mut stage = stage();
    let body = stake_body("june-1", amount);
    let ends = || built(&account("june-1"), Staking::Deactivate);
    for operations in [None, Some(vec![Operation::NativeTransfer])] {
        stage.1 = granted(&mut stage.0, operations);
        let stakes = delegates("june-1", validator(), amount);
        let outcome = spends(&mut stage, "one", &body, stakes);
        assert_eq!(refused(outcome), [Code::SessionOperation]);
        let outcome = spends(&mut stage, "two", UNSTAKE, ends());
        assert_eq!(refused(outcome), [Code::SessionOperation]);
    }
    stage.1 = granted(&mut stage.0, Some(vec![Operation::Stake]));
    let stakes = delegates("june-1", validator(), amount);
    spends(&mut stage, "three", &body, stakes).expect("rent is a cost, not an operation");
}

fn release(
    world: &mut World,
    transaction: TransactionId,
    unsigned: Vec<u8>,
) -> Result<Outcome, Vec<Code>> {
    world.run(&Command::Release(Release {
        transaction,
        unsigned,
        prior: None,
    }))
}

#[test]
fn invariant_12_only_the_stake_that_waited_is_released() {
    let mut stage = stage();
    let amount = 30_000_000;
    let body = stake_body("june-1", amount);
    let bytes = || delegates("june-1", validator(), amount);
    let transaction = match spends(&mut stage, "one", &body, bytes()) {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("{other:?}"),
    };
    let world = &mut stage.0;
    let facts = StatementFacts::ApprovePayment { transaction };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    for line in [
        "Stakes: 0.03 COIN",
        "@one in your policy",
        "Its seed: june-1",
        "Rent at most: 0.00228288",
        &account("june-1").address().to_string(),
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let signatures = vec![world.signature(&text)];
    world
        .run(&Command::Submit(Submission {
            statement,
            signatures,
            origin: Origin::Gateway,
            with_password: false,
        }))
        .expect("approved");
    for (other, code) in [
        (delegates("june-2", validator(), amount), Code::BodyMismatch),
        (
            delegates("june-1", address(0xa2), amount),
            Code::BodyMismatch,
        ),
        (
            delegates("june-1", validator(), amount - 1),
            Code::BodyMismatch,
        ),
        (
            built(&account("june-1"), Staking::Deactivate),
            Code::BodyMismatch,
        ),
    ] {
        assert_eq!(refused(release(world, transaction, other)), [code]);
    }
    release(world, transaction, bytes()).expect("it is signed");
    assert_eq!(charged(world), units(amount + RENT + FEE));
}

/// The same key and body give the same bytes, also where other bytes are brought.
#[test]
fn invariant_19_a_stake_is_replayed_without_a_second_charge() {
    let mut stage = stage();
    let back = |amount| {
        built(
            &account("june-1"),
            Staking::Withdraw {
                amount: units(amount),
            },
        )
    };
    let amount = 7_000_000;
    for (key, body, first, second) in [
        (
            "one",
            stake_body("june-1", amount),
            delegates("june-1", validator(), amount),
            delegates("june-1", validator(), amount),
        ),
        ("two", WITHDRAW.to_owned(), back(5), back(6)),
    ] {
        let before = stage.0.spends().len();
        let Ok(Outcome::Sign(order)) = spends(&mut stage, key, &body, first.clone()) else {
            panic!("signed")
        };
        assert_eq!(order.transaction().bytes(), first);
        let again = spends(&mut stage, key, &body, second);
        let Ok(Outcome::Sign(replayed)) = again else {
            panic!("given again")
        };
        assert_eq!(replayed.transaction().bytes(), first);
        assert_eq!(stage.0.spends().len(), before + 1);
    }
}
