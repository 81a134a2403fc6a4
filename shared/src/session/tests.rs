//! Constraints of grants: what is well formed, what each refuses, and bytes of grants of before.

use super::*;
use crate::codec::{from_canonical, to_canonical};
use crate::policy::document::Recipient;
use crate::time::Millis;

const EVM: ChainId = ChainId::Evm(31_337);
const HOSTING: &str = "eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const STRANGER: &str = "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";

fn account(text: &str) -> AccountId {
    text.parse().expect("an account")
}

fn plain() -> SessionGrant {
    SessionGrant {
        wallets: vec![WalletId::from_bytes([1; 16])],
        limits: vec![SessionLimit {
            asset: EVM.native_asset(),
            per_transaction: Amount::from_base_units(10),
            total: Amount::from_base_units(100),
        }],
        count: 3,
        expires: WallTime::from_millis(1_000_000),
        credential: Credential::Bearer(Digest::from_bytes([7; 32])),
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    }
}

fn narrow(contacts: &[&str], accounts: &[&str]) -> SessionGrant {
    SessionGrant {
        recipients: Some(SessionRecipients {
            contacts: contacts.iter().map(|name| (*name).to_owned()).collect(),
            accounts: accounts.iter().map(|text| account(text)).collect(),
        }),
        ..plain()
    }
}

/// A document in which `hosting` is this account.
fn document(hosting: &str) -> PolicyDocument {
    PolicyDocument {
        recipients: vec![Recipient {
            account: account(hosting),
            name: "hosting".to_owned(),
        }],
        ..PolicyDocument::closed(1)
    }
}

fn pays(to: &str) -> Vec<Effect> {
    vec![
        Effect::Transfer {
            asset: EVM.native_asset(),
            to: account(to).account(),
            amount: Amount::from_base_units(1),
        },
        Effect::Fee {
            asset: EVM.native_asset(),
            max: Amount::from_base_units(1),
        },
    ]
}

fn codes(grant: &SessionGrant, effects: &[Effect], documents: &[PolicyDocument]) -> Vec<Code> {
    let broken = grant.narrowed(EVM, effects, documents.iter());
    broken.iter().map(|violation| violation.code).collect()
}

/// A grant without any of the later constraints has the bytes that it had before there were any.
#[test]
fn grants_of_before_keep_their_bytes() {
    let bytes = to_canonical(&plain());
    assert_eq!(bytes.first(), Some(&0xa5), "a map of five");
    assert_eq!(from_canonical::<SessionGrant>(&bytes), Ok(plain()));
}

#[test]
fn a_grant_covers_its_wallets_alone() {
    let charges = [(EVM.native_asset(), Amount::from_base_units(10))].into();
    let codes = |wallet: u8| -> Vec<Code> {
        let wallet = WalletId::from_bytes([wallet; 16]);
        let broken = plain().violations(wallet, &charges, 1, &SessionUsage::default());
        broken.iter().map(|broken| broken.code).collect()
    };
    assert_eq!(codes(1), []);
    assert_eq!(codes(2), [Code::SessionWallet]);
}

#[test]
fn contacts_and_accounts_narrow() {
    let policy = [document(HOSTING)];
    assert_eq!(codes(&plain(), &pays(STRANGER), &policy), []);
    for grant in [narrow(&["hosting"], &[]), narrow(&[], &[HOSTING])] {
        assert_eq!(codes(&grant, &pays(HOSTING), &policy), []);
        assert_eq!(
            codes(&grant, &pays(STRANGER), &policy),
            [Code::SessionRecipient]
        );
    }
    let both = narrow(&["hosting"], &[STRANGER]);
    assert_eq!(codes(&both, &pays(HOSTING), &policy), []);
    assert_eq!(codes(&both, &pays(STRANGER), &policy), []);
}

/// A later document that points a contact elsewhere loosens nothing while an earlier one binds.
#[test]
fn a_contact_means_what_every_binding_document_says() {
    let grant = narrow(&["hosting"], &[]);
    let both = [document(HOSTING), document(STRANGER)];
    for to in [HOSTING, STRANGER] {
        assert_eq!(codes(&grant, &pays(to), &both), [Code::SessionRecipient]);
    }
    assert_eq!(
        codes(&grant, &pays(HOSTING), &[]),
        [Code::SessionRecipient],
        "without a document no name means anything"
    );
}

#[test]
fn operations_narrow_and_only_transfers_go_unnamed() {
    let only = |operations: &[Operation]| SessionGrant {
        operations: Some(operations.to_vec()),
        ..plain()
    };
    let token = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        .parse()
        .expect("a token");
    let transfer = vec![Effect::Transfer {
        asset: token,
        to: account(HOSTING).account(),
        amount: Amount::from_base_units(1),
    }];
    let call = vec![Effect::Call {
        target: account(HOSTING).account(),
        method: vec![1, 2, 3, 4],
        asset: EVM.native_asset(),
        value: Amount::ZERO,
        told: None,
    }];
    let approval = vec![Effect::Approval {
        asset: token,
        spender: account(HOSTING).account(),
        amount: Amount::from_base_units(1),
    }];
    let refused = [Code::SessionOperation];
    assert_eq!(codes(&plain(), &transfer, &[]), []);
    assert_eq!(codes(&plain(), &call, &[]), refused);
    assert_eq!(codes(&plain(), &approval, &[]), refused);
    let native = only(&[Operation::NativeTransfer]);
    assert_eq!(codes(&native, &pays(HOSTING), &[]), []);
    assert_eq!(codes(&native, &transfer, &[]), refused);
    assert_eq!(
        codes(&only(&[Operation::TokenTransfer]), &pays(HOSTING), &[]),
        refused
    );
    let mixed = [pays(HOSTING), call.clone()].concat();
    assert_eq!(codes(&native, &mixed, &[]), refused, "all instructions");
    assert_eq!(codes(&only(&[Operation::Call]), &call, &[]), []);
}

#[test]
fn malformed_constraints_are_refused() {
    let renewable = |extends, until, count| SessionGrant {
        renewal: Some(Renewal {
            extends,
            until: WallTime::from_millis(until),
            count,
        }),
        ..plain()
    };
    let operations = |operations: Vec<Operation>| SessionGrant {
        operations: Some(operations),
        ..plain()
    };
    let minute = Millis::from_secs(60);
    for sound in [
        plain(),
        narrow(&["a", "b-2"], &[HOSTING]),
        renewable(minute, 1_000_001, 1),
        renewable(minute, 2_000_000, RENEWALS_LIMIT),
        operations(vec![Operation::NativeTransfer, Operation::Call]),
    ] {
        assert!(sound.is_well_formed(), "{sound:?}");
    }
    for wrong in [
        narrow(&[], &[]),
        narrow(&["b", "a"], &[]),
        narrow(&["a", "a"], &[]),
        narrow(&["A"], &[]),
        narrow(&["a|b"], &[]),
        narrow(&[""], &[]),
        narrow(&["hosting"], &[HOSTING, HOSTING]),
        narrow(&[&"a".repeat(33)], &[]),
        renewable(Millis::from_secs(59), 2_000_000, 1),
        renewable(minute, 1_000_000, 1),
        renewable(minute, 2_000_000, 0),
        renewable(minute, 2_000_000, RENEWALS_LIMIT + 1),
        operations(vec![]),
        operations(vec![Operation::Call, Operation::NativeTransfer]),
        operations(vec![Operation::Call, Operation::Call]),
    ] {
        assert!(!wrong.is_well_formed(), "{wrong:?}");
    }
    let many: Vec<String> = (0..17).map(|number| format!("c{number:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(!narrow(&many, &[]).is_well_formed());
}

#[test]
fn operations_have_one_name_each() {
    for operation in Operation::ALL {
        assert_eq!(Operation::from_text(operation.as_str()), Some(operation));
    }
    assert_eq!(Operation::from_text("Native-Transfer"), None);
}

#[test]
fn the_absolute_end_is_the_renewals() {
    assert_eq!(plain().absolute_end(), plain().expires);
    let until = WallTime::from_millis(9_000_000);
    let renewable = SessionGrant {
        renewal: Some(Renewal {
            extends: Millis::from_hours(1),
            until,
            count: 2,
        }),
        ..plain()
    };
    assert_eq!(renewable.absolute_end(), until);
}

/// A session's number of payments is not passed by putting several into one transaction.
#[test]
fn a_batch_uses_up_as_many_payments_as_it_makes() {
    let grant = narrow(&[], &[]);
    let (wallet, none) = (grant.wallets[0], Charges::new());
    let mut usage = SessionUsage::default();
    let fits = |payments, usage: &SessionUsage| {
        let broken = grant.violations(wallet, &none, payments, usage);
        broken.iter().all(|one| one.code != Code::SessionCount)
    };
    assert!(fits(3, &usage) && !fits(4, &usage));
    usage.charge(&none, 2);
    assert!(fits(1, &usage) && !fits(2, &usage));
    usage.charge(&none, 1);
    assert!(!fits(1, &usage));
    usage.uncharge(&none, 2);
    assert_eq!(usage.count, 1);
}
