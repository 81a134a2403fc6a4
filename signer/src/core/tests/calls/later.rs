//! Calls after their request: released with fresh bytes, given again, signed once more on their nonce.

use super::*;

#[test]
fn invariant_12_only_the_call_that_waited_is_released() {
    let mut world = calling();
    let asked = asks(&world, "a", WITHDRAW, &["500"], 5);
    let transaction_id = waiting(world.run(&Command::Spend(asked.clone())));
    assert!(world.spends().is_empty());
    // The same again waits already.
    let twin = asks(&world, "b", WITHDRAW, &["500"], 5);
    assert_eq!(refused(&mut world, twin), [Code::IntentDuplicate]);
    let approve = StatementFacts::ApprovePayment {
        transaction: transaction_id,
    };
    let (_, text) = world.draft(approve.clone(), Origin::Admin).expect("a text");
    for line in [
        "Signing this lets your wallet call the contract below once, with exactly these arguments."
            .to_owned(),
        format!("Contract: {}", vault()),
        format!("Function: {WITHDRAW}"),
        "Argument 1 of 1: uint256 500".to_owned(),
        format!(
            "Carries: 0.000000005 COIN (5 base units of {})",
            EVM.native_asset()
        ),
        "Counted as leaving: nothing but what it carries".to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    world.say(approve, false).expect("approved");
    let release = |world: &mut World, unsigned: Vec<u8>| {
        world.run(&Command::Release(Release {
            transaction: transaction_id,
            unsigned,
            prior: None,
        }))
    };
    for (what, bytes, code) in [
        (
            "another argument",
            bytes(WITHDRAW, &["501"], 5),
            Code::BodyMismatch,
        ),
        (
            "less value",
            bytes(WITHDRAW, &["500"], 4),
            Code::BodyMismatch,
        ),
        (
            "another function",
            bytes(DEPOSIT, &["500", &wallet().to_string()], 5),
            Code::TransactionUndecodable,
        ),
        (
            "another contract",
            transaction(
                EvmAddress::from_bytes([0xd5; 20]),
                5,
                told(WITHDRAW, &["500"]).data(),
                1,
            ),
            Code::TransactionUndecodable,
        ),
    ] {
        let refused = release(&mut world, bytes).map(drop);
        assert_eq!(refused, Err(vec![code]), "{what}");
    }
    // Fresh bytes with another fee are the same call.
    let dearer = transaction(vault(), 5, told(WITHDRAW, &["500"]).data(), 1);
    assert_eq!(signed(release(&mut world, dearer)), transaction_id);
    assert_eq!(world.spends().len(), 1);
}

#[test]
fn invariant_19_a_call_is_replayed_without_a_second_charge() {
    let mut world = calling();
    let request = deposit(&world, "a", "3000");
    let first = signed(world.run(&Command::Spend(request.clone())));
    let again = SpendRequest {
        used: entry(&world, first).map(Used::Paid),
        ..request
    };
    let before = world.events.len();
    match world.run(&Command::Spend(again.clone())) {
        Ok(Outcome::Sign(order)) => {
            assert_eq!(order.sealed().transaction, first);
            assert!(order.sealed().replay_of.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.events.len(), before, "nothing is appended");
    // Under a policy that does not let it be called any more its bytes are not given again.
    let mut without = call_policy(4);
    without.calls.clear();
    world.adopt(&without, true).expect("a tighter policy");
    assert_eq!(refused(&mut world, again), [Code::CallNotListed]);
}

#[test]
fn invariant_06_a_call_is_sped_up_and_cancelled_on_its_nonce() {
    let mut world = calling();
    let mut document = call_policy(4);
    for rule in &mut document.assets {
        if rule.asset == EVM.native_asset() {
            rule.fee_ceiling = Some(units(1_000_000));
        }
    }
    world.adopt(&document, true).expect("dearer gas");
    let own = wallet().to_string();
    let request = deposit(&world, "a", "700");
    let first = signed(world.run(&Command::Spend(request)));
    world.commit();
    let pays = |arguments: &[&str], price| Change::Pay {
        unsigned: transaction(vault(), 0, told(DEPOSIT, arguments).data(), price),
    };
    // Not with another argument.
    assert_eq!(
        vary(&mut world, first, pays(&["701", &own], 2)).map(drop),
        Err(vec![Code::BodyMismatch])
    );
    let second = signed(vary(&mut world, first, pays(&["700", &own], 2)));
    world.commit();
    let (spend, variant) = match world.events.last() {
        Some(EventBody::SpendReplaced { spend, variant }) => (spend.clone(), variant.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(spend.nonce, Some(0));
    assert_eq!(
        Registered::of_effects(&spend.effects).map(|known| known.contract),
        Some(vault())
    );
    assert_eq!(variant.of, first);
    let usage = world.state.wallets[&world.evm_wallet]
        .history
        .asset(token());
    let spent = usage.expect("it was spent").spent(
        waiaas_shared::policy::windows::Window::Day,
        world.clocks.budget,
    );
    assert_eq!(spent, units(700), "of both one lands");
    let cancel = Change::Cancel {
        fees: EvmFees {
            gas_limit: 21_000,
            max_fee_per_gas: 9,
            max_priority_fee_per_gas: 9,
        },
    };
    signed(vary(&mut world, second, cancel));
}

/// A call that takes nothing of a token is a payment in it all the same; sped up, it is still one.
#[test]
fn invariant_06_a_call_that_takes_nothing_is_sped_up_as_one_payment() {
    let mut world = calling();
    let mut document = call_policy(4);
    for rule in &mut document.assets {
        if rule.asset == EVM.native_asset() {
            rule.fee_ceiling = Some(units(1_000_000));
        }
        rule.counts.hour = (rule.asset == token()).then_some(1);
    }
    world.adopt(&document, true).expect("one payment an hour");
    let request = deposit(&world, "a", "0");
    let first = signed(world.run(&Command::Spend(request)));
    world.commit();
    let own = wallet().to_string();
    let dearer = Change::Pay {
        unsigned: transaction(vault(), 0, told(DEPOSIT, &["0", &own]).data(), 2),
    };
    signed(vary(&mut world, first, dearer));
    let history = &world.state.wallets[&world.evm_wallet].history;
    let usage = history.asset(token()).expect("it was counted");
    let hour = waiaas_shared::policy::windows::Window::Hour;
    assert_eq!(usage.count(hour, world.clocks.budget), 1);
}
