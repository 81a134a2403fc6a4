//! The texts themselves, word for word, and what is refused instead of being shown badly.

use std::path::{Path, PathBuf};

use super::owner_samples::{change_id, owner_id};
use super::samples::*;
use super::*;
use crate::event::Charge;
use crate::ids::{SignerId, StatementId, TransactionId};
use crate::statement::{GuardianStop, TEXT_LIMIT};
use crate::time::{Millis, WallTime};

/// A text that the signer never wrote.
pub(in crate::statement) fn forged(text: &str) -> StatementText {
    StatementText(text.to_owned())
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/statements")
}

/// Compares with a golden file; `WAIAAS_REGENERATE=1` writes it anew.
pub(in crate::statement) fn assert_golden(name: &str, text: &str) {
    let file = golden_folder().join(name);
    let text = format!("{text}\n");
    if std::env::var_os("WAIAAS_REGENERATE").is_some() {
        std::fs::write(&file, &text).expect("the golden folder is writable");
    }
    let golden = std::fs::read_to_string(&file).expect(name);
    assert!(
        golden == text,
        "{name} has changed: read it, then run with WAIAAS_REGENERATE=1\n{text}"
    );
}

fn sample(name: &str) -> Sample {
    let mut all = all_samples().into_iter();
    all.find(|sample| sample.name == name).expect(name)
}

fn refused(view: &TestView, facts: &StatementFacts) -> Option<Code> {
    compose(&view.header(), facts, view).err()
}

#[test]
fn each_kind_reads_as_its_golden_file() {
    for sample in all_samples() {
        let text = sample.text();
        assert_golden(&format!("{}.txt", sample.name), text.as_str());
        assert!(is_statement_text(text.as_str()), "{}", sample.name);
        let heading = format!("WAIaaS {}\n", sample.facts.heading());
        assert!(text.as_str().starts_with(&heading), "{}", sample.name);
        // The same state and statement give the same text.
        assert_eq!(sample.text(), text);
    }
}

/// What the agent may choose could be a program: the policy's own words say so, and the text of each call.
#[test]
fn an_account_of_the_agents_choice_reads_as_what_it_may_be() {
    use crate::policy::document::AccountAccepts;
    use crate::policy::items::{Style, sections};

    let facts = StatementFacts::ApprovePayment {
        transaction: transaction_id(12),
    };
    let read = |document: &PolicyDocument| {
        let sections = sections(document, Style::Plain);
        let words = sections.iter().any(|one| {
            one.summary
                .contains("read-only (a program there may be given the wallet's signature)")
        });
        let view = TestView::new(Some(document.clone()));
        let text = compose(&view.header(), &facts, &view).expect("fits");
        let choice =
            "read-only, the agent's choice: a program there may be given this wallet's signature";
        let mut lines = text.as_str().lines().filter(|line| line.ends_with(choice));
        (
            words,
            lines.next().map(|line| line[..15].to_owned()),
            lines.count(),
        )
    };
    let mut document = program_samples::policy();
    assert_eq!(read(&document), (false, None, 0));
    let program = document.calls[0].program.as_mut().expect("of a program");
    program.accounts[3].accepts = AccountAccepts::Any;
    assert_eq!(document.check(), Ok(()));
    let place = Some("Account 4 of 4:".to_owned());
    assert_eq!(read(&document), (true, place, 0));
}

/// The nonce of a key that the wallet had before a rotation.
#[test]
fn the_nonce_of_a_former_key_names_its_address() {
    let view = TestView::new(Some(first_policy()));
    let attest = |from: &str| StatementFacts::AttestNonce {
        wallet: wallet_id(3),
        chain: read("eip155:31337"),
        next: 12,
        from: Some(read(from)),
    };
    let text = sample("attest-nonce-former").text();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/statements.md");
    let document = std::fs::read_to_string(file).expect("docs/statements.md");
    let line = "Its old address: 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert!(document.contains(line) && text.as_str().contains(line));
    for stranger in [
        RECIPIENT_EVM,
        "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    ] {
        let stranger = read::<AccountId>(stranger).account().to_string();
        let facts = attest(&stranger);
        let known = stranger == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let refusal = (!known).then_some(Code::WalletUnknown);
        assert_eq!(refused(&view, &facts), refusal, "{stranger}");
    }
}

/// Rules that ask instead of refusing: each in words, with what it allows.
#[test]
fn what_a_payment_breaks_reads_in_full() {
    let text = sample("approve-payment-beyond").text();
    assert!(is_statement_text(text.as_str()));
    assert!(!text.as_str().contains("within your policy"));
    let shown: Vec<&str> = text
        .as_str()
        .lines()
        .filter(|line| line.starts_with("Breaks your rule "))
        .collect();
    assert_eq!(shown.len(), 7);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/statements.md");
    let document = std::fs::read_to_string(file).expect("docs/statements.md");
    assert!(document.contains(&shown.join("\n")), "{shown:#?}");
}

/// docs/statements.md shows the texts as they are.
#[test]
fn the_document_shows_the_golden_files() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/statements.md");
    let document = std::fs::read_to_string(file).expect("docs/statements.md");
    let mut headings: Vec<_> = samples()
        .iter()
        .map(|sample| sample.facts.heading())
        .collect();
    headings.sort_unstable();
    headings.dedup();
    assert_eq!(headings.len(), 30, "a sample of each kind");
    for heading in headings {
        let shown = samples()
            .iter()
            .filter(|sample| sample.facts.heading() == heading)
            .any(|sample| document.contains(&format!("```text\n{}\n```", sample.text().as_str())));
        assert!(
            shown,
            "docs/statements.md has no current example of {heading}"
        );
    }
}

/// Whatever binds a statement stands in its text, so changing any of it changes what is signed.
#[test]
fn every_binding_field_changes_the_text() {
    for sample in all_samples() {
        let (view, header) = (&sample.view, sample.view.header());
        let text = sample.text();
        let others = [
            StatementHeader {
                signer: SignerId::from_bytes([0x12; 16]),
                ..header
            },
            StatementHeader {
                statement: StatementId::from_bytes([0x23; 16]),
                ..header
            },
            StatementHeader {
                expires: header.expires.after(Millis::from_secs(1)),
                ..header
            },
            // Not visible to the second, but in the digest.
            StatementHeader {
                expires: header.expires.after(Millis::from_millis(1)),
                ..header
            },
        ];
        for other in others {
            assert_ne!(
                compose(&other, &sample.facts, view),
                Ok(text.clone()),
                "{}",
                sample.name
            );
        }
        let later = StatementHeader {
            policy_epoch: header.policy_epoch + 1,
            ..header
        };
        assert_eq!(
            compose(&later, &sample.facts, view),
            Err(Code::StatementMalformed),
            "{}",
            sample.name
        );
    }
}

#[test]
fn what_is_unknown_or_contradictory_is_refused() {
    use StatementFacts as Facts;
    let view = TestView::new(Some(first_policy()));
    let withdrawal = |change: fn(&mut Facts)| {
        let mut facts = samples()
            .into_iter()
            .find(|sample| sample.name == "withdraw")
            .expect("a sample")
            .facts;
        change(&mut facts);
        facts
    };
    let grant = |change: fn(&mut SessionGrant)| {
        let mut grant = agent_grant();
        change(&mut grant);
        Facts::GrantSession { grant }
    };
    let policy = |change: fn(&mut PolicyDocument)| {
        let mut document = later_policy();
        change(&mut document);
        Facts::AdoptPolicy {
            document: document.to_bytes(),
        }
    };
    let credit = |wallet: u8, amounts: &[u128]| Facts::Credit {
        sequence: 1,
        transaction: TransactionId::from_bytes([1; 16]),
        wallet: wallet_id(wallet),
        amounts: amounts
            .iter()
            .map(|amount| Charge {
                asset: read("solana:localnet/slip44:501"),
                amount: units(*amount),
            })
            .collect(),
    };
    let cases = [
        (
            Code::WalletUnknown,
            Facts::ReleasePause {
                wallet: Some(wallet_id(9)),
            },
        ),
        (
            Code::WalletUnknown,
            grant(|grant| grant.wallets = vec![wallet_id(9)]),
        ),
        (
            Code::WalletUnknown,
            withdrawal(|facts| {
                if let Facts::Withdraw { wallet, .. } = facts {
                    *wallet = wallet_id(9)
                }
            }),
        ),
        (
            Code::NetworkNotBound,
            withdrawal(|facts| {
                if let Facts::Withdraw { wallet, .. } = facts {
                    *wallet = wallet_id(3)
                }
            }),
        ),
        (
            Code::NetworkNotBound,
            Facts::AttestNonce {
                wallet: wallet_id(3),
                chain: read("eip155:8453"),
                next: 0,
                from: None,
            },
        ),
        (
            Code::StatementMalformed,
            Facts::AttestNonce {
                wallet: wallet_id(1),
                chain: read("solana:localnet"),
                next: 0,
                from: None,
            },
        ),
        (
            Code::StatementMalformed,
            withdrawal(|facts| {
                if let Facts::Withdraw { amount, .. } = facts {
                    *amount = Amount::ZERO
                }
            }),
        ),
        (
            Code::StatementMalformed,
            withdrawal(|facts| {
                if let Facts::Withdraw { nonce, .. } = facts {
                    *nonce = Some(1)
                }
            }),
        ),
        (
            Code::StatementMalformed,
            withdrawal(|facts| {
                if let Facts::Withdraw { to, .. } = facts {
                    *to = read(OWNER_EVM)
                }
            }),
        ),
        (
            Code::StatementMalformed,
            grant(|grant| grant.wallets.reverse()),
        ),
        (
            Code::StatementMalformed,
            grant(|grant| grant.limits.clear()),
        ),
        (Code::StatementMalformed, grant(|grant| grant.count = 0)),
        (
            Code::SessionUnknown,
            Facts::ReleaseKill {
                epoch: 1,
                sessions: vec![session_id(9)],
            },
        ),
        (
            Code::StatementMalformed,
            Facts::ReleaseKill {
                epoch: 1,
                sessions: vec![session_id(1), session_id(1)],
            },
        ),
        (
            Code::StatementMalformed,
            Facts::ReleaseKill {
                epoch: 1,
                sessions: vec![session_id(2), session_id(1)],
            },
        ),
        (
            Code::StatementMalformed,
            Facts::EnrolOwner {
                key: OwnerKey::Secp256k1(read(OWNER_EVM)),
                withdrawals: vec![read(RECIPIENT_EVM); 2],
            },
        ),
        (
            Code::PolicyMalformed,
            Facts::AdoptPolicy { document: vec![] },
        ),
        (
            Code::PolicyMalformed,
            policy(|document| document.assets.reverse()),
        ),
        (Code::PolicyEpoch, policy(|document| document.epoch = 1)),
        (Code::PolicyEpoch, policy(|document| document.epoch = 3)),
        (
            Code::OwnerUnknown,
            Facts::RemoveOwner { owner: owner_id(3) },
        ),
        (
            Code::OwnerUnknown,
            Facts::SuspendOwner { owner: owner_id(9) },
        ),
        (
            Code::OwnerUnknown,
            Facts::LiftSuspension { owner: owner_id(9) },
        ),
        (
            Code::GuardianUnknown,
            Facts::RemoveGuardian {
                guardian: owner_id(1),
            },
        ),
        (
            Code::OwnerChangeUnknown,
            Facts::CancelOwnerChange {
                change: change_id(9),
            },
        ),
        (
            Code::OwnerChangeUnknown,
            Facts::GuardianStop {
                stop: GuardianStop::CancelChange {
                    change: change_id(9),
                },
            },
        ),
        (Code::QuorumRange, Facts::SetQuorum { quorum: 0 }),
        (Code::WalletUnknown, credit(9, &[1])),
        (Code::StatementMalformed, credit(1, &[])),
        (Code::StatementMalformed, credit(1, &[0])),
        (Code::StatementMalformed, credit(1, &[1, 1])),
    ];
    for (code, facts) in cases {
        assert_eq!(refused(&view, &facts), Some(code), "{facts:?}");
    }
    let last = PolicyDocument {
        epoch: u64::MAX,
        ..first_policy()
    };
    let view = TestView::new(Some(last.clone()));
    assert_eq!(
        refused(
            &view,
            &Facts::AdoptPolicy {
                document: last.to_bytes()
            }
        ),
        Some(Code::PolicyEpoch)
    );
}

/// P11: nothing is shortened to make it fit.
#[test]
fn what_does_not_fit_is_refused_whole() {
    let mut view = TestView::new(None);
    let account = |number: u8| {
        AccountId::new(
            read("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"),
            Account::Solana(crate::address::SolanaAddress::from_bytes([number; 32])),
        )
        .expect("one family")
    };
    let enrol = |count: u8| StatementFacts::EnrolOwner {
        key: OwnerKey::Ed25519(read(OWNER_ED25519)),
        withdrawals: (100..100 + count).map(account).collect(),
    };
    let fits = (0..100)
        .take_while(|count| refused(&view, &enrol(*count)).is_none())
        .count();
    assert!((20..40).contains(&fits), "{fits}");
    let most = u8::try_from(fits).expect("below 100");
    assert_eq!(refused(&view, &enrol(most)), Some(Code::StatementMalformed));
    let longest = compose(&view.header(), &enrol(most - 1), &view).expect("fits");
    assert!(longest.as_str().len() <= TEXT_LIMIT && longest.as_str().len() + 120 > TEXT_LIMIT);
    // A grant of as many wallets and assets as a grant may have.
    let mut grant = agent_grant();
    grant.wallets = (0..16).map(wallet_id).collect();
    for id in &grant.wallets {
        let facts = TestView::new(None).wallet(wallet_id(1)).expect("wallet 1");
        view.wallets.insert(*id, facts);
    }
    grant.limits = (0..16)
        .map(|number| crate::session::SessionLimit {
            asset: read(&format!(
                "solana:localnet/token:{}",
                crate::address::SolanaAddress::from_bytes([number; 32])
            )),
            per_transaction: Amount::MAX,
            total: Amount::MAX,
        })
        .collect();
    grant.limits.sort_by_key(|limit| limit.asset);
    assert!(grant.is_well_formed());
    assert_eq!(
        refused(&view, &StatementFacts::GrantSession { grant }),
        Some(Code::StatementMalformed)
    );
}

#[test]
fn units_come_from_the_policy_and_else_from_the_chain() {
    let withdraw = |asset: &str| StatementFacts::Withdraw {
        wallet: wallet_id(3),
        asset: read(asset),
        to: read(OWNER_EVM),
        amount: units(1_500_000),
        fee_ceiling: units(1),
        nonce: None,
        from: None,
    };
    let amount = |policy: Option<PolicyDocument>, asset: &str| {
        let view = TestView::new(policy);
        let text = compose(&view.header(), &withdraw(asset), &view)
            .expect("fits")
            .as_str()
            .to_owned();
        text.lines()
            .nth(2)
            .expect("the amount is the first field")
            .to_owned()
    };
    let native = "eip155:31337/slip44:60";
    assert_eq!(
        amount(None, native),
        format!("Amount: 0.0000000000015 native coin (1500000 base units of {native})")
    );
    assert_eq!(
        amount(Some(first_policy()), native),
        format!("Amount: 0.0000000000015 ETH (1500000 base units of {native})")
    );
    assert_eq!(
        amount(Some(first_policy()), USDC),
        format!("Amount: 1500000 base units of {USDC} (decimals unknown)")
    );
    let later = Some(later_policy());
    assert_eq!(
        amount(later, USDC),
        format!("Amount: 1.5 USDC (1500000 base units of {USDC})")
    );
    // A document that counts a coin otherwise than its chain is adopted with open eyes only.
    let mut document = first_policy();
    document.assets[0].decimals = crate::amount::Decimals::ZERO;
    let view = TestView::new(None);
    let facts = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    let text = compose(&view.header(), &facts, &view).expect("fits");
    assert!(
        text.as_str()
            .contains("\nCAUTION: solana:localnet/slip44:501 is counted with 0 decimals")
    );
}

/// The beginning of every text, read as a Solana message header (signers, read-only signers,
/// read-only others, accounts), asks for more accounts than it has.
#[test]
fn no_text_is_a_transaction() {
    for sample in all_samples() {
        let text = sample.text();
        let [signers, _, read_only, accounts] = text.as_str().as_bytes()[..4] else {
            panic!("four bytes")
        };
        assert!(usize::from(signers) + usize::from(read_only) > usize::from(accounts));
        let solana = TestView::new(None).wallet(wallet_id(1)).expect("wallet 1");
        let evm = TestView::new(None).wallet(wallet_id(3)).expect("wallet 3");
        for facts in [solana, evm] {
            assert!(
                crate::transaction::decode(
                    facts.networks[0],
                    facts.account,
                    text.as_str().as_bytes(),
                    crate::transaction::Known::NOTHING,
                )
                .is_err()
            );
        }
    }
}

#[test]
fn only_our_form_is_a_statement() {
    let text = samples()[0].text();
    let text = text.as_str();
    assert!(is_statement_text(text));
    for other in [
        String::new(),
        text.to_lowercase(),
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text} "),
        text.replacen('\n', "\n\n", 1),
        text.replacen('\n', "\r\n", 1),
        text.replacen(' ', "\t", 1),
        text.replacen("ENROL", "ENR\u{200b}OL", 1),
        text.replacen("ENROL", "EN|ROL", 1),
        text.replacen("Digest: ", "Digest:", 1),
        text[..text.len() - 1].to_owned(),
        format!("{text}0"),
        format!("WAIaaS {}\n{text}", "x".repeat(TEXT_LIMIT)),
    ] {
        assert!(!is_statement_text(&other), "{other}");
    }
}

#[test]
fn a_field_cannot_bring_in_a_line() {
    for value in [
        "one\nAmount: 2",
        "one\r",
        "tab\t",
        "null\0",
        "n\u{f6}",
        "one | Amount: 2",
        "\u{202e}esrever",
    ] {
        let mut lines = Lines::new("TEST", "A sentence.");
        lines.field("Field", value);
        lines.field("Statement", "x");
        assert_eq!(
            lines.finish(digest(&TestView::new(None).header(), &samples()[0].facts)),
            Err(Code::StatementMalformed),
            "{value:?}"
        );
    }
}

#[test]
fn times_are_utc() {
    let view = TestView::new(None);
    let facts = StatementFacts::StateTime {
        wall: WallTime::from_millis(u64::MAX),
    };
    assert!(
        compose(&view.header(), &facts, &view).is_ok(),
        "the end of the range is no panic"
    );
}

/// Eight transfers of a million each, of four tokens on the main network, every recipient named, and the
/// longest memo: all of it is shown. What does not fit is refused, not shortened.
#[test]
fn the_longest_batch_is_shown_whole() {
    use crate::intent::{Intent, Moved};
    use crate::policy::document::{AssetRule, Recipient};

    let chain = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";
    let address = |byte: u8| crate::address::SolanaAddress::from_bytes([byte; 32]);
    let mint = |place: u8| read::<AssetId>(&format!("{chain}/token:{}", address(0xe0 + place % 4)));
    let mut policy = first_policy();
    for place in 0..4 {
        let decimals = crate::amount::Decimals::new(9).expect("nine");
        let rule = AssetRule::closed(mint(place), "ABCDE", decimals);
        policy.assets.push(rule);
    }
    for place in 0..8 {
        policy.recipients.push(Recipient {
            name: format!("{place}{}", "n".repeat(15)),
            account: read(&format!("{chain}:{}", address(0xf0 + place))),
        });
    }
    policy.sort();
    let mut view = TestView::new(Some(policy));
    if let Some(wallet) = view.wallets.get_mut(&wallet_id(1)) {
        wallet.networks = vec![read(chain)];
    }
    let moved = |place: u8| Moved {
        asset: mint(place),
        to: Account::Solana(address(0xf0 + place)),
        amount: units(1_000_000_123_456_789),
    };
    let waits = |count: u8| Intent {
        asset: moved(0).asset,
        to: moved(0).to,
        amount: moved(0).amount,
        fee_ceiling: units(1_000_005_000),
        rent_ceiling: Some(units(17_761_920)),
        more: Some((1..count).map(moved).collect()),
        memo: Some(read(&"m".repeat(crate::memo::MEMO_LIMIT))),
        ..owner_samples::batch(7)
    };
    let facts = StatementFacts::ApprovePayment {
        transaction: transaction_id(7),
    };
    view.intents.insert(transaction_id(7), waits(8));
    let text = compose(&view.header(), &facts, &view).expect("it fits");
    for place in 0..8_u8 {
        let to = format!("To {} of 8: {}\n", place + 1, address(0xf0 + place));
        assert!(text.as_str().contains(&to), "{to}");
    }
    view.intents.insert(transaction_id(7), waits(16));
    assert_eq!(refused(&view, &facts), Some(Code::StatementMalformed));
}
