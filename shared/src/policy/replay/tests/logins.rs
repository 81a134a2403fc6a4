//! Logins in a replay: what another `[[sign-in]]` would have made of them.

use super::*;
use crate::event::SignedIn;
use crate::ids::MessageId;
use crate::policy::limits::Counts as Most;
use crate::policy::sign_in::SignInRule;
use crate::sign_in::SignIn;

const SITE: &str = "app.example.org";

/// The first rule that is broken, and logins by what is different.
type Expected = (Option<Code>, [u64; 5]);

fn minutes(count: u64) -> Millis {
    Millis::from_secs(count * 60)
}

/// A document with one site.
fn at_site(change: impl FnOnce(&mut SignInRule)) -> PolicyDocument {
    let mut rule = SignInRule {
        domain: SITE.to_owned(),
        networks: vec![CHAIN],
        uri: None,
        tier: Tier::Instant,
        counts: Most {
            day: Some(4),
            ..Most::default()
        },
        valid_for: minutes(10),
        resources: vec!["ipfs://a".to_owned()],
    };
    change(&mut rule);
    PolicyDocument {
        sign_ins: Some(vec![rule]),
        ..open_to_all()
    }
}

impl Log {
    fn logs_in(&mut self, tier: Tier, holds: Millis, resources: &[&str]) -> &mut Self {
        let name = self.name();
        let issued = self.clocks().wall;
        self.push(EventBody::SignedIn(SignedIn {
            message: MessageId::from_bytes([name; 16]),
            session: SESSION,
            wallet: WALLET,
            fields: SignIn {
                chain: CHAIN,
                account: LISTED.parse().expect("an address"),
                domain: SITE.to_owned(),
                uri: format!("https://{SITE}/login"),
                nonce: "abcdefgh".to_owned(),
                statement: None,
                issued,
                expires: issued.after(holds),
                request_id: None,
                resources: resources.iter().map(|uri| (*uri).to_owned()).collect(),
            },
            text: String::new(),
            tier,
            policy_epoch: 1,
            idempotency: Digest::from_bytes([0; 32]),
            body: Digest::from_bytes([0; 32]),
            kept_until: WallTime::from_millis(0),
            request_nonce: None,
        }))
    }
}

/// As long as it may, for a time of the agent's own, and with a resource.
fn a_day() -> Log {
    let mut log = Log::under(&at_site(|_| ()));
    log.hours(1).logs_in(Tier::Instant, minutes(10), &[]);
    log.hours(1).logs_in(Tier::Instant, minutes(5), &[]);
    log.hours(1)
        .logs_in(Tier::Instant, minutes(10), &["ipfs://a"]);
    log
}

fn counts(report: &Report) -> [u64; 5] {
    let counts = report.logins.counts;
    [
        counts.same,
        counts.denied,
        counts.told,
        counts.shorter,
        counts.easier,
    ]
}

#[test]
fn the_document_that_bound_decides_logins_the_same() {
    let report = a_day().judged_by(&at_site(|_| ()));
    assert_eq!(counts(&report), [3, 0, 0, 0, 0], "{:#?}", report.logins);
    assert_eq!(report.logins.counts.all(), 3);
    assert_eq!(report.unexplained, 0);
    assert_eq!(report.counts.all(), 0, "a login is no payment");
}

/// Each rule of an entry shows in what it makes of past logins.
#[test]
fn a_changed_site_tells_what_it_changes() {
    let refused = |code| (Some(code), [0, 3, 0, 0, 0]);
    let judged: [(PolicyDocument, Expected); 9] = [
        (open_to_all(), refused(Code::SignInNotListed)),
        (
            at_site(|rule| rule.domain = "other.example.org".to_owned()),
            refused(Code::SignInNotListed),
        ),
        (
            at_site(|rule| rule.networks = vec![ChainId::Evm(1)]),
            refused(Code::SignInNetwork),
        ),
        (
            at_site(|rule| rule.uri = Some(format!("https://{SITE}/admin"))),
            refused(Code::SignInUri),
        ),
        (
            at_site(|rule| rule.resources.clear()),
            (Some(Code::SignInResource), [2, 1, 0, 0, 0]),
        ),
        (
            at_site(|rule| rule.counts.day = Some(2)),
            (Some(Code::SignInCount), [2, 1, 0, 0, 0]),
        ),
        (
            at_site(|rule| rule.tier = Tier::Notify),
            (None, [0, 0, 3, 0, 0]),
        ),
        // One agent asked for five minutes itself; the others take what they get.
        (
            at_site(|rule| rule.valid_for = minutes(4)),
            (Some(Code::SignInValidity), [0, 1, 0, 2, 0]),
        ),
        (
            at_site(|rule| rule.valid_for = minutes(20)),
            (None, [1, 0, 0, 0, 2]),
        ),
    ];
    for (document, (code, expected)) in judged {
        let report = a_day().judged_by(&document);
        assert_eq!(counts(&report), expected, "{:#?}", report.logins);
        let why = report.logins.rows.iter().find_map(|row| row.why.first());
        assert_eq!(why.copied(), code);
        assert_eq!(report.unexplained, 0);
    }
}

/// What binds together allows the strictest of both; another outcome than that is called out.
#[test]
fn what_bound_then_explains_a_login() {
    let mut log = Log::under(&at_site(|_| ()));
    let mut told = at_site(|rule| {
        rule.tier = Tier::Notify;
        rule.valid_for = minutes(6);
    });
    told.epoch = 2;
    log.adopt(&told, 24 * HOUR);
    log.hours(1).logs_in(Tier::Notify, minutes(6), &[]);
    let report = log.judged_by(&at_site(|_| ()));
    assert_eq!(report.unexplained, 0);
    assert_eq!(counts(&report), [0, 0, 0, 0, 1]);
    log.logs_in(Tier::Instant, minutes(6), &[]);
    log.logs_in(Tier::Notify, minutes(7), &[]);
    assert_eq!(log.judged_by(&told).unexplained, 2);
    let mut unlisted = Log::under(&open_to_all());
    unlisted.logs_in(Tier::Instant, minutes(5), &[]);
    assert_eq!(unlisted.judged_by(&at_site(|_| ())).unexplained, 1);
}

#[test]
fn the_list_of_logins_is_bounded_and_newest() {
    let report = a_day().judged(&open_to_all(), 2);
    let sequences: Vec<_> = report.logins.rows.iter().map(|row| row.sequence).collect();
    assert_eq!((sequences, report.logins.left_out), (vec![6, 7], 1));
    let row = report.logins.rows.back().expect("the last");
    assert_eq!((row.domain.as_str(), row.held), (SITE, minutes(10)));
    assert_eq!((row.would, row.would_hold), (None, None));
}
