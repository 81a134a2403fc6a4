//! Stakes: only with validators that the document names, counted in full; what comes back costs its fee.

use super::*;
use crate::address::SolanaAddress;
use crate::policy::document::Validator;
use crate::solana::{StakeAccount, Staking};

const VOTE: &str = "9QU2QSxhb24FUX3Tu2FpczXjpK3VYrvRudywSZaM29mF";
const OTHER_VOTE: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";

fn cluster() -> ChainId {
    "solana:localnet".parse().expect("a chain")
}

fn at(validator: &str) -> AccountId {
    format!("{}:{validator}", cluster())
        .parse()
        .expect("an account")
}

/// The sample with one validator: INSTANT to 10, NOTIFY to 50, DELAY to 60, APPROVAL to 80 units of the coin.
fn staking() -> PolicyDocument {
    PolicyDocument {
        validators: Some(vec![Validator {
            account: at(VOTE),
            name: "one".to_owned(),
        }]),
        ..sample()
    }
}

fn effect(staking: Staking) -> Effect {
    let wallet = SolanaAddress::from_bytes([1; 32]);
    Effect::Stake {
        asset: cluster().native_asset(),
        account: StakeAccount::of(wallet, "june-1".parse().expect("a seed")),
        staking,
    }
}

fn stakes(amount: u128, validator: &str) -> Vec<Effect> {
    vec![effect(Staking::Delegate {
        validator: validator.parse().expect("an address"),
        amount: units(amount),
    })]
}

fn judged(document: &PolicyDocument, effects: &[Effect]) -> Result<Tier, Vec<Code>> {
    assert_eq!(document.check(), Ok(()));
    let payment = Payment {
        chain: cluster(),
        ..request(effects)
    };
    evaluate(document, &payment, &Past::default(), NOW)
        .map(|verdict| verdict.tier)
        .map_err(|violations| codes(&violations))
}

#[test]
fn only_with_a_validator_that_the_document_names() {
    let none = vec![Code::ValidatorNotListed];
    assert_eq!(judged(&sample(), &stakes(5, VOTE)), Err(none.clone()));
    assert_eq!(judged(&staking(), &stakes(5, VOTE)), Ok(Tier::Instant));
    assert_eq!(
        judged(&staking(), &stakes(5, OTHER_VOTE)),
        Err(none.clone())
    );
    // A contact is no validator, also where anybody may be paid.
    let mut contact = staking();
    contact.recipients_open = true;
    contact.recipients.push(Recipient {
        account: at(OTHER_VOTE),
        name: "two".to_owned(),
    });
    contact.sort();
    assert_eq!(judged(&contact, &stakes(5, OTHER_VOTE)), Err(none));
    // And a validator is no contact.
    let pays = [Effect::Transfer {
        asset: cluster().native_asset(),
        to: at(VOTE).account(),
        amount: units(5),
    }];
    assert_eq!(
        judged(&staking(), &pays),
        Err(vec![Code::RecipientNotListed])
    );
    // One that is denied, is denied.
    let mut denied = staking();
    denied.denied = vec![at(VOTE)];
    assert_eq!(
        judged(&denied, &stakes(5, VOTE)),
        Err(vec![Code::RecipientDenied])
    );
}

#[test]
fn a_stake_counts_in_full_and_rises_through_the_tiers() {
    for (amount, expected) in [
        (10, Ok(Tier::Instant)),
        (11, Ok(Tier::Notify)),
        (51, Ok(Tier::Delay)),
        (61, Ok(Tier::Approval)),
        (80, Ok(Tier::Approval)),
        (81, Err(vec![Code::TierNotAvailable])),
        (
            101,
            Err(vec![Code::PerTransactionLimit, Code::TierNotAvailable]),
        ),
    ] {
        assert_eq!(
            judged(&staking(), &stakes(amount, VOTE)),
            expected,
            "{amount}"
        );
    }
    // Its rent is rent, for which the document has no leave.
    let mut with_rent = stakes(5, VOTE);
    with_rent.push(Effect::Rent {
        asset: cluster().native_asset(),
        amount: units(1),
    });
    assert_eq!(judged(&staking(), &with_rent), Err(vec![Code::RentCeiling]));
}

/// Whatever comes back, and whoever was removed from the document since.
#[test]
fn what_comes_back_costs_its_fee() {
    let fee = Effect::Fee {
        asset: cluster().native_asset(),
        max: units(5),
    };
    let amount = units(1_000_000);
    for back in [Staking::Deactivate, Staking::Withdraw { amount }] {
        let effects = [effect(back), fee.clone()];
        assert_eq!(judged(&sample(), &effects), Ok(Tier::Instant), "{back:?}");
        let sums = charges(&effects).expect("fits");
        assert_eq!(sums, [(cluster().native_asset(), units(5))].into());
        let mut nothing = sample();
        nothing
            .assets
            .retain(|rule| rule.asset != cluster().native_asset());
        assert_eq!(
            judged(&nothing, &effects),
            Err(vec![Code::AssetNotListed]),
            "{back:?}"
        );
    }
}

/// A scope that names recipients lets only those validators be given something which are among them.
#[test]
fn scopes_that_name_recipients_bind_validators() {
    let mut document = staking();
    let mut rule = ScopeRule::new(Scope::Global);
    rule.recipients = Some(vec!["hosting".to_owned()]);
    document.scopes = vec![rule];
    assert_eq!(
        judged(&document, &stakes(5, VOTE)),
        Err(vec![Code::RecipientNotAllowed])
    );
    document.recipients.push(Recipient {
        account: at(VOTE),
        name: "validator".to_owned(),
    });
    document.sort();
    if let Some(names) = &mut document.scopes[0].recipients {
        names.push("validator".to_owned());
    }
    assert_eq!(judged(&document, &stakes(5, VOTE)), Ok(Tier::Instant));
    let back = [effect(Staking::Deactivate)];
    assert_eq!(judged(&document, &back), Ok(Tier::Instant));
}
