//! Several transfers in one transaction, and memos: judged as a sum, compared in full, released as they
//! waited.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SessionId, SignerId, TransactionId};
use waiaas_shared::intent::Intent;
use waiaas_shared::memo::Memo;
use waiaas_shared::policy::document::{PolicyDocument, Recipient};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::solana::TokenProgram;
use waiaas_shared::solana::build::{BatchRequest, Part, batch};
use waiaas_shared::statement::StatementFacts;

use super::tokens_solana::{address, refused, rule, shop, token, token_policy, units, world_with};
use super::world::{RECIPIENT, World, solana};
use crate::core::command::{Command, Outcome, Release, SpendRequest};

const RENT: u128 = 2_039_280;

fn baker() -> SolanaAddress {
    address(0x52)
}

/// The token policy, with a baker beside the shop.
fn two_shops(epoch: u64) -> PolicyDocument {
    let mut document = token_policy(epoch);
    document.recipients.push(Recipient {
        account: AccountId::new(solana(), Account::Solana(baker())).expect("an account"),
        name: "baker".to_owned(),
    });
    document.sort();
    document
}

fn stage() -> (World, SessionId) {
    world_with(&two_shops(1))
}

fn lamports(to: SolanaAddress, lamports: u64) -> Part {
    Part::Lamports { to, lamports }
}

fn tokens(to: SolanaAddress, amount: u64, create: bool) -> Part {
    Part::Tokens {
        to,
        token: token(TokenProgram::Token),
        amount,
        create,
    }
}

fn built(parts: &[Part], memo: Option<&str>) -> Vec<u8> {
    let memo: Option<Memo> = memo.map(|memo| memo.parse().expect("a memo"));
    batch(&BatchRequest {
        from: address(2),
        parts,
        memo: memo.as_ref(),
        blockhash: [9; 32],
        compute_unit_limit: 200_000,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built")
}

/// The body that asks for exactly these.
fn body(world: &World, parts: &[Part], memo: Option<&str>) -> String {
    let items = parts.iter().map(|part| match part {
        Part::Lamports { to, lamports } => {
            format!(r#"{{"to":"{to}","amount_base":"{lamports}"}}"#)
        }
        Part::Tokens {
            to, token, amount, ..
        } => format!(
            r#"{{"to":"{to}","asset":"{}/token:{}","amount_base":"{amount}"}}"#,
            solana(),
            token.mint
        ),
    });
    let items: Vec<String> = items.collect();
    let memo = memo.map_or_else(String::new, |memo| format!(r#","memo":"{memo}""#));
    format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","transfers":[{}]{memo}}}"#,
        SignerId::from_bytes([5; 16]),
        world.solana_wallet,
        solana(),
        items.join(","),
    )
}

fn request(
    (world, session): &(World, SessionId),
    key: &str,
    body: String,
    unsigned: Vec<u8>,
) -> SpendRequest {
    SpendRequest {
        body: body.into_bytes(),
        unsigned,
        ..world.request(*session, key, 1, RECIPIENT)
    }
}

/// Asks for `claimed` and brings `unsigned`.
fn ask(
    stage: &mut (World, SessionId),
    key: &str,
    claimed: (&[Part], Option<&str>),
    unsigned: Vec<u8>,
) -> Result<Outcome, Vec<Code>> {
    let body = body(&stage.0, claimed.0, claimed.1);
    let request = request(stage, key, body, unsigned);
    stage.0.run(&Command::Spend(request))
}

fn pay(
    stage: &mut (World, SessionId),
    key: &str,
    parts: &[Part],
    memo: Option<&str>,
) -> Result<Outcome, Vec<Code>> {
    ask(stage, key, (parts, memo), built(parts, memo))
}

fn mixed() -> [Part; 4] {
    [
        tokens(shop(), 30_000, true),
        lamports(baker(), 70_000),
        tokens(baker(), 20_000, true),
        tokens(shop(), 10_000, true),
    ]
}

#[test]
fn several_transfers_are_one_payment() {
    let mut stage = world_with(&{
        let mut document = two_shops(1);
        rule(&mut document, solana().native_asset()).rent_ceiling = Some(units(2 * RENT));
        document
    });
    let outcome = pay(&mut stage, "one", &mixed(), Some("payroll 11"));
    let Ok(Outcome::Sign(order)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        order.transaction().bytes(),
        built(&mixed(), Some("payroll 11"))
    );
    let spend = stage.0.spends().pop().expect("charged").clone();
    assert_eq!(spend.memo.as_ref().map(Memo::as_str), Some("payroll 11"));
    let charged: Vec<_> = spend.charges.iter().map(|one| one.amount).collect();
    assert_eq!(charged, [units(70_000 + 2 * RENT + 5000), units(60_000)]);
    // Counted as four, once; and the same key gives the same bytes again.
    let usage = &stage.0.state.sessions[&stage.1].usage;
    assert_eq!(usage.count, 4);
    let again = pay(&mut stage, "one", &mixed(), Some("payroll 11"));
    assert!(matches!(again, Ok(Outcome::Sign(_))), "{again:?}");
    assert_eq!(stage.0.spends().len(), 1);
    assert_eq!(stage.0.state.sessions[&stage.1].usage.count, 4);
    let other = pay(&mut stage, "one", &mixed(), Some("payroll 12"));
    assert_eq!(refused(other), [Code::IdempotencyConflict]);
}

/// Bytes that hold more than was asked, less, or something else, as a hostile gateway could bring them.
#[test]
fn invariant_03_a_batch_is_compared_whole() {
    let mut stage = stage();
    let asked = [lamports(shop(), 5000), lamports(baker(), 7000)];
    let memo = Some("order 7");
    let one = &asked[..1];
    let mut swapped = asked;
    swapped.reverse();
    for (case, claimed, unsigned) in [
        (
            "one is asked and two are paid",
            (one, None),
            built(&asked, None),
        ),
        (
            "two are asked and one is paid",
            (&asked[..], None),
            built(one, None),
        ),
        ("another order", (&asked, None), built(&swapped, None)),
        (
            "another recipient",
            (&asked, None),
            built(&[asked[0], lamports(shop(), 7000)], None),
        ),
        (
            "a unit more to the second",
            (&asked, None),
            built(&[asked[0], lamports(baker(), 7001)], None),
        ),
        (
            "the sum to one",
            (&asked, None),
            built(&[lamports(shop(), 12_000)], None),
        ),
        (
            "a third",
            (&asked, None),
            built(&[asked[0], asked[1], asked[1]], None),
        ),
        (
            "a memo that nobody asked for",
            (&asked, None),
            built(&asked, memo),
        ),
        ("no memo", (&asked, memo), built(&asked, None)),
        (
            "another memo",
            (&asked, memo),
            built(&asked, Some("order 8")),
        ),
        (
            "a longer memo",
            (&asked, memo),
            built(&asked, Some("order 77")),
        ),
        ("a memo with one transfer", (one, None), built(one, memo)),
    ] {
        let key = case.replace(' ', "-");
        let outcome = ask(&mut stage, &key, claimed, unsigned);
        assert_eq!(refused(outcome), [Code::BodyMismatch], "{case}");
    }
    // Bytes that no decoder takes: a stranger's token account beside the right one.
    let claimed = [tokens(shop(), 10, false), tokens(baker(), 10, false)];
    let aside = [tokens(shop(), 10, false), tokens(address(0x66), 10, false)];
    let outcome = ask(&mut stage, "aside", (&claimed, None), built(&aside, None));
    assert_eq!(refused(outcome), [Code::TransactionUndecodable]);
    assert_eq!(stage.0.spends().len(), 0);
    pay(&mut stage, "right", &asked, memo).expect("it is signed");
}

#[test]
fn invariant_09_a_batch_is_bound_by_its_sum_to_the_unit() {
    let mut stage = stage();
    // INSTANT to 100,000 of the token, NOTIFY to 500,000, APPROVAL to 800,000: of the sum.
    let halves = |one, other| [tokens(shop(), one, false), tokens(baker(), other, false)];
    pay(&mut stage, "one", &halves(50_000, 50_000), None).expect("it is signed");
    let tier = |stage: &(World, SessionId)| stage.0.spends().last().map(|spend| spend.tier);
    assert_eq!(tier(&stage), Some(Tier::Instant));
    pay(&mut stage, "two", &halves(50_000, 50_001), None).expect("it is signed");
    assert_eq!(tier(&stage), Some(Tier::Notify));
    let outcome = pay(&mut stage, "three", &halves(400_001, 400_000), None);
    assert!(
        refused(outcome).contains(&Code::PerTransactionLimit),
        "each alone is below the limit"
    );
    // To one recipient twice is no way around either.
    let twice = [
        tokens(shop(), 400_001, false),
        tokens(shop(), 400_000, false),
    ];
    let outcome = pay(&mut stage, "four", &twice, None);
    assert!(refused(outcome).contains(&Code::PerTransactionLimit));
    // An hour takes a million: 200,001 are spent.
    pay(&mut stage, "five", &halves(250_000, 249_999), None).expect("it is signed");
    let outcome = pay(&mut stage, "six", &halves(150_000, 150_001), None);
    assert_eq!(refused(outcome), [Code::HourLimit]);
    pay(&mut stage, "seven", &halves(150_000, 150_000), None).expect("to the unit");
}

#[test]
fn invariant_09_a_batch_counts_as_many_payments_as_it_makes() {
    let mut document = two_shops(1);
    rule(&mut document, solana().native_asset()).counts.day = Some(4);
    let mut stage = world_with(&document);
    let three = [
        lamports(shop(), 5000),
        lamports(baker(), 5000),
        lamports(shop(), 5000),
    ];
    pay(&mut stage, "one", &three, None).expect("it is signed");
    assert_eq!(
        refused(pay(&mut stage, "two", &three[..2], None)),
        [Code::DayCount]
    );
    pay(&mut stage, "three", &three[..1], None).expect("the fourth");
    assert_eq!(
        refused(pay(&mut stage, "four", &three[..1], None)),
        [Code::DayCount]
    );
    // The session's own number as well.
    let mut document = two_shops(1);
    rule(&mut document, solana().native_asset()).counts.day = None;
    let mut stage = world_with(&document);
    let most = stage.0.state.sessions[&stage.1].grant.count;
    let eight = [lamports(shop(), 10); 8];
    let mut made = 0;
    while made + 8 <= most {
        pay(&mut stage, &format!("batch-{made}"), &eight, None).expect("it is signed");
        made += 8;
    }
    let left = usize::try_from(most - made).expect("a few");
    let outcome = pay(&mut stage, "too-many", &eight[..=left], None);
    assert_eq!(refused(outcome), [Code::SessionCount]);
}

#[test]
fn invariant_08_every_recipient_of_a_batch_must_be_named() {
    let stranger = address(0x66);
    for place in 0..3 {
        let mut stage = stage();
        let mut parts = [
            lamports(shop(), 10),
            lamports(baker(), 10),
            tokens(shop(), 10, false),
        ];
        match &mut parts[place] {
            Part::Lamports { to, .. } | Part::Tokens { to, .. } => *to = stranger,
        }
        let outcome = pay(&mut stage, "one", &parts, None);
        assert_eq!(refused(outcome), [Code::RecipientNotListed], "{place}");
        // Also where anybody else may receive, if it is denied.
        let mut document = two_shops(1);
        document.recipients_open = true;
        document.denied =
            vec![AccountId::new(solana(), Account::Solana(stranger)).expect("an account")];
        let mut stage = world_with(&document);
        let outcome = pay(&mut stage, "one", &parts, None);
        assert_eq!(refused(outcome), [Code::RecipientDenied], "{place}");
    }
}

#[test]
fn invariant_09_rent_of_all_accounts_counts() {
    // The ceiling of the policy takes one account, not two.
    let mut stage = stage();
    let both = [tokens(shop(), 10, true), tokens(baker(), 10, true)];
    assert_eq!(
        refused(pay(&mut stage, "one", &both, None)),
        [Code::RentCeiling]
    );
    let again = [tokens(shop(), 10, true), tokens(shop(), 10, true)];
    pay(&mut stage, "two", &again, None).expect("one account, created once");
}

#[test]
fn what_a_batch_may_be_is_bounded() {
    let mut stage = stage();
    let nine = [lamports(shop(), 10); 9];
    assert_eq!(
        refused(pay(&mut stage, "nine", &nine, None)),
        [Code::BatchTooLarge]
    );
    let one = [lamports(shop(), 10)];
    let claimed = body(&stage.0, &one, Some("a|b"));
    let bad = request(&stage, "memo", claimed, built(&one, Some("ab")));
    assert_eq!(
        refused(stage.0.run(&Command::Spend(bad))),
        [Code::MemoMalformed]
    );
    let on_evm = body(&stage.0, &one, None).replace(&solana().to_string(), "eip155:31337");
    let bad = request(&stage, "evm", on_evm, built(&one, None));
    assert_eq!(
        refused(stage.0.run(&Command::Spend(bad))),
        [Code::SolanaOnly]
    );
    assert_eq!(stage.0.spends().len(), 0);
}

/// A batch that waits for its owner.
fn waiting(stage: &mut (World, SessionId), key: &str, memo: Option<&str>) -> Intent {
    let parts = asking();
    match pay(stage, key, &parts, memo) {
        Ok(Outcome::Waiting(view)) => view.intent,
        other => panic!("{other:?}"),
    }
}

/// Together above what is signed without the owner; each alone below it.
fn asking() -> [Part; 3] {
    [
        tokens(shop(), 300_000, false),
        lamports(baker(), 7000),
        tokens(baker(), 300_000, true),
    ]
}

fn release(
    (world, _): &mut (World, SessionId),
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
fn invariant_12_a_batch_is_released_whole_and_with_its_memo() {
    let mut stage = stage();
    let memo = Some("payroll 11");
    let intent = waiting(&mut stage, "one", memo);
    assert_eq!(intent.rent_ceiling, Some(units(2_500_000)));
    let transaction = intent.transaction;
    let approved = stage
        .0
        .say(StatementFacts::ApprovePayment { transaction }, false);
    approved.expect("approved");
    let parts = asking();
    let mut reversed = parts;
    reversed.reverse();
    let mut more = parts.to_vec();
    more.push(lamports(shop(), 1));
    for (case, unsigned) in [
        ("another memo", built(&parts, Some("payroll 12"))),
        ("no memo", built(&parts, None)),
        ("without the last", built(&parts[..2], memo)),
        ("without the first", built(&parts[1..], memo)),
        ("one more", built(&more, memo)),
        ("another order", built(&reversed, memo)),
    ] {
        let outcome = release(&mut stage, transaction, unsigned);
        assert_eq!(refused(outcome), [Code::BodyMismatch], "{case}");
    }
    assert_eq!(stage.0.spends().len(), 0);
    // Fresh bytes of the same effect: whether an account is created is the chain's business.
    let mut fresh = parts;
    fresh[2] = tokens(baker(), 300_000, false);
    let outcome = release(&mut stage, transaction, built(&fresh, memo));
    assert!(matches!(outcome, Ok(Outcome::Sign(_))), "{outcome:?}");
    let spend = stage.0.spends().pop().expect("charged").clone();
    assert_eq!(spend.memo.as_ref().map(Memo::as_str), memo);
    let moved = spend.effects.iter().filter(|effect| !effect.is_cost());
    assert!(moved.cloned().eq(intent.claim().effects()));
}

#[test]
fn invariant_12_a_batch_is_judged_again_at_its_release() {
    let mut stage = stage();
    let transaction = waiting(&mut stage, "one", None).transaction;
    let approved = stage
        .0
        .say(StatementFacts::ApprovePayment { transaction }, false);
    approved.expect("approved");
    // One of its recipients is denied meanwhile.
    let mut later = two_shops(2);
    later.recipients.retain(|known| known.name != "baker");
    later.denied = vec![AccountId::new(solana(), Account::Solana(baker())).expect("an account")];
    stage.0.adopt(&later, true).expect("a stricter policy");
    let outcome = release(&mut stage, transaction, built(&asking(), None));
    assert!(refused(outcome).contains(&Code::RecipientDenied));
    assert_eq!(stage.0.spends().len(), 0);
}

/// The owner reads every transfer and the memo, and is asked once for the same.
#[test]
fn invariant_13_an_owner_reads_every_transfer_and_the_memo() {
    let mut stage = stage();
    let transaction = waiting(&mut stage, "one", Some("payroll 11")).transaction;
    for facts in [
        StatementFacts::ApprovePayment { transaction },
        StatementFacts::RejectPayment { transaction },
    ] {
        let (_, text) = stage.0.draft(facts, Origin::Gateway).expect("drafted");
        let shop = format!("\nTo 1 of 3: {}\n", shop());
        let baker = [2, 3].map(|place| format!("\nTo {place} of 3: {}\n", baker()));
        for line in [
            "\nTransfers: 3, ",
            "\nMemo by the agent, public: payroll 11\n",
            "600000 base units",
            &shop,
            &baker[0],
            &baker[1],
        ] {
            assert!(text.as_str().contains(line), "{line:?}\n{}", text.as_str());
        }
    }
    let equal = pay(&mut stage, "two", &asking(), Some("payroll 11"));
    assert_eq!(refused(equal), [Code::IntentDuplicate]);
    // Another memo is another payment.
    waiting(&mut stage, "three", Some("payroll 12"));
    let opened = stage.0.events.iter();
    let opened = opened.filter(|event| matches!(event, EventBody::IntentOpened(_)));
    assert_eq!(opened.count(), 2);
}
