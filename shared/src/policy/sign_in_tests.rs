//! Logins against a site's entry: each rule alone, and what is told with it.

use super::super::document::PolicyDocument;
use super::*;
use crate::time::WallTime;

const SITE: &str = "app.example.org";
const EVM: ChainId = ChainId::Evm(31_337);

fn rule() -> SignInRule {
    SignInRule {
        domain: SITE.to_owned(),
        networks: vec![EVM],
        uri: None,
        tier: Tier::Notify,
        counts: Counts {
            hour: Some(2),
            day: Some(3),
            ..Counts::default()
        },
        valid_for: Millis::from_secs(600),
        resources: vec!["ipfs://a".to_owned()],
    }
}

fn document(rules: Vec<SignInRule>) -> PolicyDocument {
    let mut document = PolicyDocument {
        sign_ins: Some(rules),
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document.check().expect("sound");
    document
}

fn login() -> Login<'static> {
    Login {
        domain: SITE,
        chain: EVM,
        uri: "https://app.example.org/login",
        resources: &[],
        valid_for: None,
        earlier: None,
    }
}

fn now() -> BudgetTime {
    BudgetTime::from_millis(1_000_000_000)
}

fn codes(judged: Result<Allowed, Vec<Violation>>) -> Vec<Code> {
    let broken = judged.expect_err("refused");
    broken.iter().map(|violation| violation.code).collect()
}

#[test]
fn invariant_08_a_site_that_no_entry_names_is_refused() {
    let closed = PolicyDocument::closed(1);
    assert_eq!(
        codes(closed.judge_login(&login(), now())),
        [Code::SignInNotListed]
    );
    let document = document(vec![
        rule(),
        SignInRule {
            domain: "b.example".to_owned(),
            ..rule()
        },
    ]);
    assert!(document.judge_login(&login(), now()).is_ok());
    for domain in [
        "app.example.or",
        "app.example.org.evil.com",
        "sub.app.example.org",
        "example.org",
        "app.example.org:8443",
        "c.example",
        "",
    ] {
        let other = Login { domain, ..login() };
        assert_eq!(
            codes(document.judge_login(&other, now())),
            [Code::SignInNotListed],
            "{domain}"
        );
    }
}

#[test]
fn every_broken_rule_is_told() {
    let document = document(vec![rule()]);
    let resources = ["ipfs://b".to_owned()];
    let all = Login {
        chain: ChainId::Evm(1),
        uri: "https://evil.com/https://app.example.org",
        resources: &resources,
        valid_for: Some(Millis::from_secs(601)),
        ..login()
    };
    assert_eq!(
        codes(document.judge_login(&all, now())),
        [
            Code::SignInNetwork,
            Code::SignInUri,
            Code::SignInResource,
            Code::SignInValidity,
        ]
    );
    let resources = ["ipfs://a".to_owned()];
    let none = Login {
        resources: &resources,
        valid_for: Some(Millis::from_secs(600)),
        ..login()
    };
    assert_eq!(
        document.judge_login(&none, now()),
        Ok(Allowed {
            tier: Tier::Notify,
            valid_for: Millis::from_secs(600),
        })
    );
    let shorter = Login {
        valid_for: Some(Millis::from_secs(1)),
        ..login()
    };
    let allowed = document.judge_login(&shorter, now()).expect("shorter");
    assert_eq!(allowed.valid_for, Millis::from_secs(1));
}

#[test]
fn a_uri_of_the_owners_choice_takes_the_domains_place() {
    let elsewhere = SignInRule {
        uri: Some("https://id.example.org/auth".to_owned()),
        ..rule()
    };
    let document = document(vec![elsewhere]);
    for (uri, fits) in [
        ("https://id.example.org/auth", true),
        ("https://id.example.org/auth/x?y", true),
        ("https://id.example.org/authority", false),
        ("https://id.example.org", false),
        ("https://app.example.org/login", false),
    ] {
        let judged = document.judge_login(&Login { uri, ..login() }, now());
        assert_eq!(judged.is_ok(), fits, "{uri}");
    }
}

#[test]
fn counts_hold_over_their_windows_and_tell_when_more_passes() {
    let document = document(vec![rule()]);
    let mut usage = Usage::default();
    let judged = |usage: &Usage, at| {
        let earlier = Some(usage);
        document.judge_login(&Login { earlier, ..login() }, at)
    };
    let mut at = now();
    for _ in 0..2 {
        assert!(judged(&usage, at).is_ok());
        usage.charge(at, Amount::ZERO);
    }
    let broken = judged(&usage, at).expect_err("a third in the hour");
    assert_eq!(
        (
            broken.len(),
            broken[0].code,
            broken[0].observed,
            broken[0].allowed
        ),
        (
            1,
            Code::SignInCount,
            Some(Amount::from_base_units(3)),
            Some(Amount::from_base_units(2))
        )
    );
    at = at.after(broken[0].retry_after.expect("an hour"));
    assert!(judged(&usage, at).is_ok(), "as told");
    usage.charge(at, Amount::ZERO);
    at = at.after(Millis::from_hours(2));
    let broken = judged(&usage, at).expect_err("a fourth in the day");
    assert_eq!(broken[0].allowed, Some(Amount::from_base_units(3)));
    at = at.after(broken[0].retry_after.expect("a day"));
    assert!(judged(&usage, at).is_ok(), "as told");
}

#[test]
fn two_documents_allow_what_both_do() {
    let one = Allowed {
        tier: Tier::Instant,
        valid_for: Millis::from_secs(60),
    };
    let other = Allowed {
        tier: Tier::Notify,
        valid_for: Millis::from_secs(600),
    };
    let both = Allowed {
        tier: Tier::Notify,
        valid_for: Millis::from_secs(60),
    };
    assert_eq!((one.strictest(other), other.strictest(one)), (both, both));
    // Times of messages and of windows are of two clocks.
    assert_eq!(
        WallTime::from_millis(1).after(both.valid_for).millis(),
        60_001
    );
}
