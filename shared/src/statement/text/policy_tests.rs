//! What an owner reads of a policy: never more than can be read, never less than binds.

use super::super::samples::*;
use super::super::*;
use crate::address::{EvmAddress, SolanaAddress};
use crate::policy::alarm::{Action, Escalation};
use crate::policy::document::{CallProgram, CallRule, Recipient, TableRule};
use crate::policy::evaluate::Tier;
use crate::policy::limits::{Cumulative, Limits};
use crate::policy::scope::{AssetLimits, Scope, ScopeRule};
use crate::policy::windows::Window;

fn refused(view: &TestView, facts: &StatementFacts) -> Option<Code> {
    compose(&view.header(), facts, view).err()
}

#[test]
fn nine_loosenings_must_be_split() {
    let view = TestView::new(Some(first_policy()));
    let with_recipients = |count: u8| {
        let mut document = PolicyDocument {
            epoch: 2,
            ..first_policy()
        };
        document.recipients.extend((0..count).map(|number| {
            Recipient {
                account: AccountId::new(
                    read("eip155:31337"),
                    Account::Evm(EvmAddress::from_bytes([number; 20])),
                )
                .expect("one family"),
                name: format!("contact-{number}"),
            }
        }));
        document.sort();
        StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        }
    };
    let text = compose(&view.header(), &with_recipients(8), &view).expect("eight can be read");
    assert_eq!(text.as_str().matches("new recipient").count(), 8);
    assert!(text.as_str().contains("\nRecipients: 10\n"));
    assert_eq!(
        refused(&view, &with_recipients(9)),
        Some(Code::StatementMalformed)
    );
    // Any number can be taken away at once.
    let empty = PolicyDocument {
        epoch: 2,
        assets: vec![],
        recipients: vec![],
        ..first_policy()
    };
    let facts = StatementFacts::AdoptPolicy {
        document: empty.to_bytes(),
    };
    let text = compose(&view.header(), &facts, &view).expect("tighter");
    assert!(
        text.as_str().contains("\nLoosenings: 0\nTightenings: 4\n"),
        "{}",
        text.as_str()
    );
}

#[test]
fn a_first_document_of_nine_assets_must_be_split() {
    let view = TestView::new(None);
    let mut document = first_policy();
    document.assets = (0..9)
        .map(|number: u8| {
            let mint = SolanaAddress::from_bytes([number; 32]);
            rule(&format!("solana:localnet/token:{mint}"), "TOKEN", 6, 1)
        })
        .collect();
    document.recipients = (0..9)
        .map(|number: u8| Recipient {
            account: AccountId::new(
                read("eip155:31337"),
                Account::Evm(EvmAddress::from_bytes([number; 20])),
            )
            .expect("one family"),
            name: format!("contact-{number}"),
        })
        .collect();
    document.sort();
    let adopt = |document: &PolicyDocument| StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    assert_eq!(
        refused(&view, &adopt(&document)),
        Some(Code::StatementMalformed)
    );
    document.assets.pop();
    let text = |document: &PolicyDocument| {
        compose(&view.header(), &adopt(document), &view)
            .expect("fits")
            .as_str()
            .to_owned()
    };
    // Recipients lose nothing by themselves: they are counted.
    let counted = text(&document);
    assert!(
        counted.contains("\nRecipients: 9, listed in the document of this digest\n"),
        "{counted}"
    );
    assert!(counted.contains(&format!("\nDocument: {}\n", document.digest())));
    assert!(counted.contains("Worst loss 8 of 8: "));
    document.assets.truncate(4);
    document.recipients.pop();
    let listed = text(&document);
    assert!(
        listed.contains("Worst loss 4 of 4: ") && listed.contains("Recipient 8 of 8: "),
        "{listed}"
    );
}

/// A table is a leave, however much stands in it; that it is read as the document has it is said.
#[test]
fn invariant_13_lookup_tables_are_read_with_a_caution() {
    let chain = read("solana:localnet");
    let table = |byte: u8, count: u8| TableRule {
        account: AccountId::new(
            chain,
            Account::Solana(SolanaAddress::from_bytes([byte; 32])),
        )
        .expect("one family"),
        addresses: (0..count)
            .map(|byte| SolanaAddress::from_bytes([byte; 32]))
            .collect(),
    };
    let text = |view: &TestView, document: &PolicyDocument| {
        let facts = StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        };
        let text = compose(&view.header(), &facts, view).expect("it fits");
        text.as_str().to_owned()
    };
    let caution = "\nCAUTION: an address out of a lookup table is read as this document has it, not as the chain does\n";
    let first = PolicyDocument {
        tables: Some(vec![table(8, 200)]),
        ..first_policy()
    };
    let said = text(&TestView::new(None), &first);
    let account = SolanaAddress::from_bytes([8; 32]);
    let entry = format!("lookup table solana:localnet:{account}, 200 addresses");
    assert!(
        said.contains(caution) && said.contains(&format!("new {entry}\n")),
        "{said}"
    );
    let plain = text(&TestView::new(None), &first_policy());
    assert!(!plain.contains("lookup"), "{plain}");
    // Later: one address more is one loosening, and named; less of it is none.
    let later = |count| PolicyDocument {
        epoch: 2,
        tables: Some(vec![table(8, count)]),
        ..first_policy()
    };
    let view = TestView::new(Some(first));
    let said = text(&view, &later(201));
    let added = SolanaAddress::from_bytes([200; 32]);
    let words = format!("addresses by index: 200 is {added}, new; 201 instead of 200 in all\n");
    assert!(
        said.contains("\nLoosenings: 1\n") && said.contains(&words),
        "{said}"
    );
    let said = text(&view, &later(199));
    assert!(said.contains("\nLoosenings: 0\nTightenings: 1\n"), "{said}");
}

#[test]
fn what_a_first_document_lets_happen_is_read() {
    let view = TestView::new(None);
    let mut document = first_policy();
    document.recipients_open = true;
    document.escalations = vec![Escalation {
        code: Code::HourLimit,
        action: Action::Ask,
    }];
    let nothing = CallProgram {
        accounts: Vec::new(),
        fields: Vec::new(),
        tail: 0,
        outflow: Vec::new(),
    };
    document.calls = vec![CallRule::of_program(
        read(RECIPIENT_SOLANA),
        vec![1, 2, 3, 4],
        nothing,
        Tier::Approval,
    )];
    let text = |document: &PolicyDocument| {
        let facts = StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        };
        compose(&view.header(), &facts, &view)
    };
    let read = text(&document).expect("fits");
    for line in [
        "CAUTION: what you approve may exceed the limits".to_owned(),
        "CAUTION: what a called program takes beyond what you count as leaving is in no worst loss"
            .to_owned(),
        "CAUTION: anybody may receive, not only contacts".to_owned(),
        "Leave 1 of 3: who is no contact: may receive instead of is refused".to_owned(),
        format!("Leave 2 of 3: new calls of {RECIPIENT_SOLANA} with 0x01020304, APPROVAL"),
        "Leave 3 of 3: new asking you instead of refusing on hour_limit".to_owned(),
    ] {
        assert!(
            read.as_str().lines().any(|known| known == line),
            "{line}\n{}",
            read.as_str()
        );
    }
    let call = document.calls[0].clone();
    document.calls = (0..7)
        .map(|number| CallRule {
            method: vec![number],
            ..call.clone()
        })
        .collect();
    assert_eq!(text(&document).err(), Some(Code::StatementMalformed));
}

#[test]
fn what_goes_without_the_owner_is_told_apart() {
    let mut view = TestView::new(None);
    let mut document = first_policy();
    let sol = document
        .assets
        .iter_mut()
        .find(|rule| rule.symbol == "SOL")
        .expect("it is there");
    sol.cumulative = vec![Cumulative {
        window: Window::Day,
        above: units(500_000_000),
        tier: Tier::Approval,
    }];
    let asset = sol.asset;
    let loss = |document: &PolicyDocument, view: &TestView| {
        let facts = StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        };
        let text = compose(&view.header(), &facts, view).expect("fits");
        let mut lines = text.as_str().lines();
        let line = lines.find(|line| line.contains(&format!(": {asset}, ")));
        line.expect("a loss").to_owned()
    };
    let told = loss(&document, &view);
    assert!(
        told.contains(" a month, without you 1 SOL (1000000000 base units) a day, 30 SOL (30000000000 base units) a month, 2 wallets"),
        "{told}"
    );
    // What limits all wallets together bounds the sum.
    document.scopes = vec![ScopeRule {
        limits: vec![AssetLimits {
            asset,
            limits: Limits {
                day: Some(units(600_000_000)),
                ..Limits::default()
            },
        }],
        ..ScopeRule::new(Scope::Global)
    }];
    let told = loss(&document, &view);
    assert!(
        told.contains(&format!(
            "{asset}, 0.6 SOL (600000000 base units) a day, 18 SOL"
        )),
        "{told}"
    );
    view.wallets.clear();
    assert!(loss(&document, &view).contains("without you 0.5 SOL (500000000 base units) a day"));
}

#[test]
fn the_worst_loss_counts_every_wallet_of_the_chain() {
    let adopt = StatementFacts::AdoptPolicy {
        document: first_policy().to_bytes(),
    };
    let loss = |view: &TestView| {
        let text = compose(&view.header(), &adopt, view)
            .expect("fits")
            .as_str()
            .to_owned();
        text.lines()
            .find(|line| line.starts_with("Worst loss 1 of 2: "))
            .expect("SOL is first")
            .to_owned()
    };
    let mut view = TestView::new(None);
    assert!(loss(&view).contains(
        "10 SOL (10000000000 base units) a day, 40 SOL (40000000000 base units) a month, all of it without you, 2 wallets"
    ));
    view.wallets.remove(&wallet_id(2));
    assert!(loss(&view).contains(
        "5 SOL (5000000000 base units) a day, 20 SOL (20000000000 base units) a month, all of it without you, 1 wallet"
    ));
    view.wallets.remove(&wallet_id(1));
    assert!(loss(&view).ends_with("without you, for each wallet, none exists yet"));
    // A product that does not fit is refused, not shown wrong.
    let mut document = first_policy();
    let rule = &mut document.assets[0];
    for limit in [
        &mut rule.hour,
        &mut rule.day,
        &mut rule.week,
        &mut rule.month,
    ] {
        *limit = Amount::MAX;
    }
    let boundless = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    assert_eq!(refused(&view, &boundless), None);
    let view = TestView::new(None);
    assert_eq!(refused(&view, &boundless), Some(Code::Overflow));
}
