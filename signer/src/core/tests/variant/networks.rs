//! What policy says of a whole EVM network: legacy transactions where it registers them, and a fee for data
//! that counts in every transaction.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::Origin;
use waiaas_shared::evm::Form;
use waiaas_shared::evm::build::{Message, Terms, transaction_as};
use waiaas_shared::policy::document::AssetRule;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::*;
use crate::core::command::{SpendRequest, Withdrawal};

const DATA: u128 = 700;

fn legacy_on(chain_id: u64, from: EvmAddress, price: u128, amount: u128) -> Vec<u8> {
    let terms = Terms {
        chain_id,
        from,
        gas_limit: 21_000,
        max_fee_per_gas: price,
        max_priority_fee_per_gas: price,
    };
    let message = Message {
        to: evm_recipient(RECIPIENT),
        value: amount,
        data: Vec::new(),
    };
    transaction_as(Form::Legacy, &terms, message, None).expect("built")
}

fn legacy(price: u128) -> Vec<u8> {
    legacy_on(31_337, EvmAddress::from_bytes([1; 20]), price, AMOUNT)
}

fn request(world: &World, key: &str, unsigned: Vec<u8>) -> SpendRequest {
    SpendRequest {
        unsigned,
        ..world.request(world.bearer, key, AMOUNT, RECIPIENT)
    }
}

fn spend(world: &mut World, key: &str, unsigned: Vec<u8>) -> Result<TransactionId, Vec<Code>> {
    let request = request(world, key, unsigned);
    match world.run(&Command::Spend(request))? {
        Outcome::Sign(order) => {
            world.commit();
            Ok(order.sealed().transaction)
        }
        other => panic!("{other:?}"),
    }
}

fn native(document: &mut PolicyDocument) -> &mut AssetRule {
    let rules = document.assets.iter_mut();
    let mut native = rules.filter(|rule| rule.asset == EVM.native_asset());
    native.next().expect("the chain's coin")
}

/// Legacy transactions, and room for fees.
fn registered(document: &mut PolicyDocument) {
    let rule = native(document);
    rule.transactions = Some(Form::Legacy);
    rule.fee_ceiling = Some(Amount::from_base_units(20 * FEE));
    rule.instant_up_to = rule.notify_up_to;
}

fn data_fee(document: &mut PolicyDocument, most: u128) {
    registered(document);
    native(document).data_fee = Some(Amount::from_base_units(most));
}

fn is_legacy(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first >= 0xc0)
}

#[test]
fn invariant_02_a_legacy_transaction_is_read_only_where_policy_registers_the_form() {
    let mut world = World::new();
    let undecodable = Err(vec![Code::TransactionUndecodable]);
    assert_eq!(spend(&mut world, "a", legacy(1)), undecodable);
    adopt(&mut world, 2, registered);
    spend(&mut world, "a", legacy(1)).expect("registered");
    let first = world.spends().last().copied().expect("a payment");
    assert!(is_legacy(&first.unsigned));
    assert_eq!(first.nonce, Some(0));
    assert_eq!(spent(&world, Window::Day), AMOUNT + FEE);
    // The other form is taken beside it, with the next nonce.
    spend(&mut world, "b", bytes(1, AMOUNT, RECIPIENT)).expect("of EIP-1559");
    let second = world.spends().last().copied().expect("a payment");
    assert_eq!(
        (second.nonce, is_legacy(&second.unsigned)),
        (Some(1), false)
    );
    // Without a chain id it would be good on every chain: 0x82 0x7a69, 0x80, 0x80 are five bytes.
    let mut unprotected = legacy(1);
    unprotected.truncate(unprotected.len() - 5);
    unprotected[0] -= 5;
    assert_eq!(spend(&mut world, "c", unprotected), undecodable);
    for chain in [1, 31_336, 31_338, u64::MAX] {
        let elsewhere = legacy_on(chain, EvmAddress::from_bytes([1; 20]), 1, AMOUNT);
        assert_eq!(spend(&mut world, "c", elsewhere), undecodable, "{chain}");
    }
    let typed = [&[0][..], &legacy(1)].concat();
    assert_eq!(spend(&mut world, "c", typed), undecodable);
    let other = legacy_on(31_337, EvmAddress::from_bytes([1; 20]), 1, AMOUNT + 1);
    assert_eq!(spend(&mut world, "c", other), Err(vec![Code::BodyMismatch]));
}

/// A form is more leave: an earlier document that does not have it holds until it stops binding.
#[test]
fn invariant_10_the_legacy_form_waits_like_everything_that_loosens() {
    let mut world = World::new();
    // A wallet on a network with real value: documents mature.
    world
        .wallet(Family::Evm, [9; 32], vec![ChainId::Evm(1)])
        .expect("a wallet");
    adopt(&mut world, 2, registered);
    let undecodable = Err(vec![Code::TransactionUndecodable]);
    assert_eq!(spend(&mut world, "a", legacy(1)), undecodable);
    // What costs more counts at once.
    adopt(&mut world, 3, |document| data_fee(document, DATA));
    spend(&mut world, "b", bytes(1, AMOUNT, RECIPIENT)).expect("of EIP-1559");
    assert_eq!(spent(&world, Window::Day), AMOUNT + FEE + DATA);
    world.pass(Millis::from_hours(1));
    spend(&mut world, "a", legacy(1)).expect("it has matured");
    assert_eq!(spent(&world, Window::Day), 2 * (AMOUNT + FEE + DATA));
}

#[test]
fn invariant_06_a_legacy_payment_is_sped_up_and_cancelled_in_its_own_form() {
    let mut world = World::new();
    adopt(&mut world, 2, registered);
    let first = spend(&mut world, "a", legacy(10)).expect("a payment");
    let again = |price| Change::Pay {
        unsigned: legacy(price),
    };
    // A tenth more of the one price.
    assert_eq!(refused(&mut world, first, again(10)), [Code::VariantFee]);
    let second = vary(&mut world, first, again(11)).expect("a tenth more");
    assert!(is_legacy(&newest(&world).0.unsigned));
    assert_eq!(newest(&world).0.nonce, Some(0));
    assert_eq!(refused(&mut world, second, again(12)), [Code::VariantFee]);
    // A tip within a price is no legacy fee.
    let uneven = Change::Cancel {
        fees: EvmFees {
            gas_limit: 21_000,
            max_fee_per_gas: 15,
            max_priority_fee_per_gas: 14,
        },
    };
    let undecodable = [Code::TransactionUndecodable];
    assert_eq!(refused(&mut world, second, uneven), undecodable);
    // The form is no more registered: what was signed is not given again, but its nonce can be closed.
    adopt(&mut world, 3, |document| {
        registered(document);
        native(document).transactions = None;
    });
    assert_eq!(refused(&mut world, second, again(13)), undecodable);
    let third = vary(&mut world, second, cancels(13)).expect("a cancellation");
    let (spend, variant) = newest(&world);
    assert!(variant.cancels && is_legacy(&spend.unsigned));
    assert_eq!(spend.transaction, third);
    // And again by the same call.
    assert!(matches!(
        ask(&mut world, second, cancels(13)),
        Ok(Outcome::Sign(_))
    ));
}

#[test]
fn invariant_09_what_a_network_may_take_for_data_counts_to_the_unit() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        data_fee(document, DATA);
        let rule = native(document);
        rule.hour = Amount::from_base_units(2 * (AMOUNT + FEE + DATA));
        for most in [
            &mut rule.instant_up_to,
            &mut rule.notify_up_to,
            &mut rule.delay_up_to,
            &mut rule.approve_up_to,
            &mut rule.per_transaction,
        ] {
            *most = Amount::from_base_units(AMOUNT + FEE + DATA);
        }
    });
    for key in ["a", "b"] {
        spend(&mut world, key, bytes(1, AMOUNT, RECIPIENT)).expect("within every limit");
    }
    let last = world.spends().last().copied().expect("a payment");
    let fee = Effect::Fee {
        asset: EVM.native_asset(),
        max: Amount::from_base_units(FEE + DATA),
    };
    assert_eq!(last.effects.last(), Some(&fee));
    assert_eq!(spent(&world, Window::Hour), 2 * (AMOUNT + FEE + DATA));
    let over = spend(&mut world, "c", bytes(1, AMOUNT, RECIPIENT));
    assert_eq!(over, Err(vec![Code::HourLimit]));
}

#[test]
fn the_fee_for_data_is_within_the_fee_ceiling() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        data_fee(document, DATA);
        native(document).fee_ceiling = Some(Amount::from_base_units(FEE + DATA - 1));
    });
    let above = spend(&mut world, "a", bytes(1, AMOUNT, RECIPIENT));
    assert_eq!(above, Err(vec![Code::FeeCeiling]));
    adopt(&mut world, 3, |document| {
        data_fee(document, DATA);
        native(document).fee_ceiling = Some(Amount::from_base_units(FEE + DATA));
    });
    let first = spend(&mut world, "a", bytes(1, AMOUNT, RECIPIENT)).expect("to the unit");
    // The next transaction of the nonce counts it once more in its own fee, and charges what that exceeds.
    assert_eq!(refused(&mut world, first, pays(2)), [Code::FeeCeiling]);
    adopt(&mut world, 4, |document| data_fee(document, DATA));
    vary(&mut world, first, pays(2)).expect("under a higher ceiling");
    assert_eq!(spent(&world, Window::Day), AMOUNT + 2 * FEE + DATA);
}

#[test]
fn a_cancellation_counts_the_fee_for_data_too() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| data_fee(document, DATA));
    let first = spend(&mut world, "a", bytes(1, AMOUNT, RECIPIENT)).expect("a payment");
    let by = vary(&mut world, first, cancels(2)).expect("cancelled");
    let (spend, _) = newest(&world);
    assert_eq!(
        spend.charges[0].amount,
        Amount::from_base_units(2 * FEE + DATA)
    );
    let before = world.events.len();
    assert!(matches!(
        ask(&mut world, first, cancels(2)),
        Ok(Outcome::Sign(_))
    ));
    assert_eq!(world.events.len(), before, "the same bytes charge nothing");
    // What counts for data fell: the gas alone must outbid, and the whole is charged by what counts now.
    adopt(&mut world, 3, |document| data_fee(document, 1));
    vary(&mut world, by, cancels(3)).expect("cancelled again");
    assert_eq!(
        newest(&world).0.charges[0].amount,
        Amount::from_base_units(3 * FEE + 1)
    );
}

/// A network of the OP stack of which no document says what its data may cost is not signed for at all.
#[test]
fn invariant_08_a_rollup_whose_data_fee_nobody_stated_is_denied() {
    let mut world = World::new();
    let base: ChainId = ChainId::Evm(84_532);
    let wallet = world
        .wallet(Family::Evm, [7; 32], vec![base])
        .expect("a wallet");
    let asked = |world: &World| {
        let sound = world.request(world.bearer, "a", AMOUNT, RECIPIENT);
        let body = String::from_utf8(sound.body.clone()).expect("text");
        let body = body.replace(&EVM.to_string(), &base.to_string());
        let body = body.replace(&world.evm_wallet.to_string(), &wallet.to_string());
        SpendRequest {
            body: body.into_bytes(),
            unsigned: world::unsigned(84_532, 0, AMOUNT, evm_recipient(RECIPIENT)),
            ..sound
        }
    };
    let request = asked(&world);
    let missing = world.run(&Command::Spend(request)).map(drop);
    assert_eq!(missing, Err(vec![Code::DataFeeMissing]));
    // No document is adopted without it, nor with another coin.
    let with = |data: Option<u128>, symbol: &str| {
        let mut document = policy(2);
        let like = native(&mut document).clone();
        document.assets.push(AssetRule {
            asset: base.native_asset(),
            symbol: symbol.to_owned(),
            decimals: Decimals::new(18).expect("in range"),
            data_fee: data.map(Amount::from_base_units),
            ..like
        });
        document.sort();
        document
    };
    for (data, symbol) in [(None, "ETH"), (Some(0), "ETH"), (Some(DATA), "COIN")] {
        let refused = world.adopt(&with(data, symbol), true).map(drop);
        assert_eq!(
            refused,
            Err(vec![Code::PolicyMalformed]),
            "{data:?} {symbol}"
        );
    }
    world.adopt(&with(Some(DATA), "ETH"), true).expect("sound");
    let request = asked(&world);
    let codes = world.run(&Command::Spend(request)).map(drop);
    // It is read now; the session does not name the wallet and its coin.
    let codes = codes.expect_err("another wallet");
    assert!(codes.contains(&Code::SessionWallet), "{codes:?}");
    assert!(!codes.contains(&Code::DataFeeMissing), "{codes:?}");
}

/// The owner's way out takes either form, and its ceiling is of everything.
#[test]
fn invariant_17_a_withdrawal_keeps_to_its_ceiling_with_the_fee_for_data() {
    let mut world = World::empty();
    let to = AccountId::new(EVM, Account::Evm(evm_recipient(RECIPIENT))).expect("an account");
    world.owner = world.enrol(vec![to]).expect("an owner");
    world.evm_wallet = world
        .wallet(Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    let withdraw = |world: &mut World, ceiling: u128, unsigned: Vec<u8>| {
        let facts = StatementFacts::Withdraw {
            wallet: world.evm_wallet,
            asset: EVM.native_asset(),
            to: to.account(),
            amount: Amount::from_base_units(AMOUNT),
            fee_ceiling: Amount::from_base_units(ceiling),
            nonce: None,
            from: None,
        };
        let (statement, text) = world.draft(facts, Origin::Admin)?;
        let signatures = vec![world.signature(&text)];
        world
            .run(&Command::Withdraw(Withdrawal {
                statement,
                signatures,
                unsigned,
            }))
            .map(drop)
    };
    // Without any policy, in either form.
    assert_eq!(withdraw(&mut world, FEE, legacy(1)), Ok(()));
    let typed = bytes(1, AMOUNT, RECIPIENT);
    assert_eq!(withdraw(&mut world, FEE, typed.clone()), Ok(()));
    adopt(&mut world, 1, |document| data_fee(document, DATA));
    for unsigned in [legacy(1), typed] {
        let below = withdraw(&mut world, FEE + DATA - 1, unsigned.clone());
        assert_eq!(below, Err(vec![Code::StatementMismatch]));
        assert_eq!(withdraw(&mut world, FEE + DATA, unsigned), Ok(()));
    }
    // No number in a document closes the way out: a higher ceiling opens it, and a void document says nothing.
    adopt(&mut world, 2, |document| data_fee(document, u128::MAX));
    for unsigned in [legacy(1), bytes(1, AMOUNT, RECIPIENT)] {
        let below = withdraw(&mut world, FEE + DATA, unsigned.clone());
        assert_eq!(below, Err(vec![Code::StatementMismatch]));
        assert_eq!(withdraw(&mut world, u128::MAX, unsigned), Ok(()));
    }
    for policy in &mut world.state.policies {
        policy.void();
    }
    assert_eq!(withdraw(&mut world, FEE, legacy(1)), Ok(()));
}
