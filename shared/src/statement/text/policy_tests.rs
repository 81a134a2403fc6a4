//! What an owner reads of a policy: never more than can be read, never less than binds.

use super::super::samples::*;
use super::super::*;
use crate::address::{EvmAddress, SolanaAddress};
use crate::policy::document::Recipient;

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
fn a_large_first_document_is_counted_and_bound_by_its_digest() {
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
    let text = |document: &PolicyDocument| {
        let facts = StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        };
        compose(&view.header(), &facts, &view)
            .expect("fits")
            .as_str()
            .to_owned()
    };
    let counted = text(&document);
    for name in ["Assets", "Recipients"] {
        assert!(
            counted.contains(&format!(
                "\n{name}: 9, listed in the document of this digest\n"
            )),
            "{counted}"
        );
    }
    assert!(counted.contains(&format!("\nDocument: {}\n", document.digest())));
    assert!(!counted.contains("Worst loss"));
    document.assets.pop();
    document.recipients.pop();
    let listed = text(&document);
    assert!(
        listed.contains("Worst loss 8 of 8: ") && listed.contains("Recipient 8 of 8: "),
        "{listed}"
    );
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
        "10 SOL (10000000000 base units) a day, 40 SOL (40000000000 base units) a month, 2 wallets"
    ));
    view.wallets.remove(&wallet_id(2));
    assert!(loss(&view).contains(
        "5 SOL (5000000000 base units) a day, 20 SOL (20000000000 base units) a month, 1 wallet"
    ));
    view.wallets.remove(&wallet_id(1));
    assert!(loss(&view).ends_with("a month, for each wallet, none exists yet"));
    // A product that does not fit is refused, not shown wrong.
    let mut document = first_policy();
    document.assets[0].month = Amount::MAX;
    let boundless = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    assert_eq!(refused(&view, &boundless), None);
    let view = TestView::new(None);
    assert_eq!(refused(&view, &boundless), Some(Code::Overflow));
}
