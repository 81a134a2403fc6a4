//! From the signer's events to a receiver, over the projection and a real outbox; outages, quiet hours, channels that
//! stand in, and a gateway.db that is lost.

use std::path::Path;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use rusqlite::Connection;
use tokio::net::TcpListener;
use waiaas_client::EventRecord;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::ids::StatementId;
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::time::{Clocks, WallTime};

use super::outbox;
use super::*;
use crate::app::Parts;
use crate::clock::Clock;
use crate::database::Database;
use crate::http::guard::Guard;
use crate::http::token::Tokens;
use crate::projection::{self, store};
use crate::signer_client::SignerPort;
use crate::testing::World;

/// What a receiver took, by name, and what it answers now.
#[derive(Debug, Default)]
struct Receiver {
    took: Mutex<Vec<String>>,
    answer: AtomicU16,
}

impl Receiver {
    async fn start() -> (Arc<Self>, String) {
        async fn take(
            State(receiver): State<Arc<Receiver>>,
            headers: HeaderMap,
            _: Bytes,
        ) -> StatusCode {
            let status =
                StatusCode::from_u16(receiver.answer.load(Ordering::SeqCst)).expect("a status");
            if status.is_success() {
                let name = headers.get("webhook-id").expect("a name");
                let name = name.to_str().expect("text").to_owned();
                receiver.took.lock().expect("whole").push(name);
            }
            status
        }
        let receiver = Arc::new(Self::default());
        receiver.answers(200);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new()
            .fallback(take)
            .with_state(Arc::clone(&receiver));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, format!("http://{address}/"))
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    fn took(&self) -> Vec<String> {
        self.took.lock().expect("whole").clone()
    }

    /// Waits until it has taken so many.
    async fn has(&self, count: usize) -> Vec<String> {
        for _ in 0..2000 {
            if self.took().len() >= count {
                return self.took();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it has only {:?}", self.took());
    }
}

fn channels(folder: &Path, text: &str) -> Channels {
    use std::os::unix::fs::PermissionsExt as _;
    // reqwest wants one; another test may have chosen it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let secret = folder.join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("set");
    #[derive(serde::Deserialize)]
    struct File {
        channel: Vec<RawChannel>,
    }
    let file: File = toml::from_str(text).expect("TOML");
    let config = NotifyConfig::check(file.channel, None, folder).expect("channels");
    Channels::new(config).expect("set up")
}

fn hook(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[channel]]\nname = \"{name}\"\nwebhook = {{ url = \"{url}\", secret-file = \"secret\" }}\n{more}\n"
    )
}

/// The golden event of a waiting payment, as the log's event of this number.
fn opened(sequence: u64) -> EventRecord {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden/events");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the events' golden files")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let event = files.into_iter().find_map(|path| {
        let text = std::fs::read_to_string(path).expect("readable");
        let bytes = hex::decode(text.lines().next()?.trim()).ok()?;
        let event: Event = from_canonical(&bytes).ok()?;
        matches!(event.body, EventBody::IntentOpened(_)).then_some(event)
    });
    let mut event = event.expect("a waiting payment");
    if let EventBody::IntentOpened(intent) = &mut event.body {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&sequence.to_be_bytes());
        intent.transaction = waiaas_shared::ids::TransactionId::from_bytes(name);
    }
    record(sequence, event)
}

fn ended(sequence: u64, opened: &EventRecord) -> EventRecord {
    let event: Event = from_canonical(&opened.body).expect("an event");
    let EventBody::IntentOpened(intent) = event.body else {
        panic!("not a waiting payment");
    };
    let body = EventBody::IntentsEnded {
        transactions: vec![intent.transaction],
        cause: IntentEnd::Expired,
    };
    record(
        sequence,
        Event {
            clocks: event.clocks,
            body,
        },
    )
}

fn locked(sequence: u64) -> EventRecord {
    let clocks = Clocks::default();
    let body = EventBody::Locked {
        origin: Origin::Admin,
    };
    record(sequence, Event { clocks, body })
}

fn stated(sequence: u64, wall: u64) -> EventRecord {
    let body = EventBody::SessionExpired {
        session: waiaas_shared::ids::SessionId::from_bytes([3; 16]),
    };
    let clocks = Clocks {
        wall: WallTime::from_millis(wall),
        ..Clocks::default()
    };
    record(sequence, Event { clocks, body })
}

fn record(sequence: u64, event: Event) -> EventRecord {
    EventRecord {
        sequence,
        body: to_canonical(&event),
        hash: Digest::from_bytes([0; 32]),
    }
}

fn tables() -> Connection {
    let connection = Connection::open_in_memory().expect("opens");
    for tables in [store::TABLES, outbox::TABLES] {
        connection.execute_batch(tables).expect("made");
    }
    connection
}

fn to_come(connection: &Connection, channel: &str) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(next) = outbox::next(connection, channel, false, 0).expect("read") {
        names.push(next.notice.expect("readable").name);
        let now = WallTime::from_millis(1);
        outbox::end(
            connection,
            channel,
            next.id,
            outbox::Outcome::Delivered,
            now,
        )
        .expect("ended");
    }
    names
}

#[test]
fn an_event_is_written_down_once_for_whom_it_concerns() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = "http://127.0.0.1:9/";
    let text = hook("all", url, "") + &hook("kills", url, "events = [\"kill.*\"]");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    let events = [opened(1), locked(2)];
    for _ in 0..2 {
        channels
            .write_down(&connection, &events, 0)
            .expect("written");
    }
    assert_eq!(to_come(&connection, "all"), ["evt_1", "evt_2"]);
    assert!(to_come(&connection, "kills").is_empty());
}

/// After gateway.db was lost, old events tell of nothing but what waits still, under the names that they had.
#[test]
fn what_still_waits_is_told_again_after_gateway_db_was_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = hook("all", "http://127.0.0.1:9/", "");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    let (over, waits) = (opened(1), opened(3));
    let events = [over.clone(), locked(2), waits, ended(4, &over), locked(5)];
    channels
        .write_down(&connection, &events, 4)
        .expect("written");
    assert_eq!(to_come(&connection, "all"), ["evt_3", "evt_5"]);
}

/// Of what was told before gateway.db was lost nobody hears until all of it is read: its end may come.
#[test]
fn nothing_is_told_in_the_middle_of_the_catch_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = hook("all", "http://127.0.0.1:9/", "");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    let follow = |sequence| {
        let cursor = store::Cursor {
            signer: waiaas_shared::ids::SignerId::from_bytes([1; 16]),
            sequence,
            hash: Digest::from_bytes([0; 32]),
            rebuilt_through: 9,
        };
        store::set_cursor(&connection, &cursor).expect("moved");
    };
    let names = || to_come(&connection, "all");
    let (one, other) = (opened(1), opened(2));
    channels
        .write_down(&connection, &[one.clone(), other], 9)
        .expect("written");
    follow(2);
    assert!(names().is_empty());
    channels
        .write_down(&connection, &[ended(3, &one)], 9)
        .expect("written");
    follow(9);
    assert_eq!(names(), ["evt_2"]);
}

/// A change of owners that waits is told again, too, and one that is over is not.
#[test]
fn a_change_of_owners_that_waits_is_told_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = hook("all", "http://127.0.0.1:9/", "");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    let scheduled = |number: u8, sequence| {
        let body = EventBody::OwnerChangeScheduled {
            change: waiaas_shared::owner_change::OwnerChange::SetQuorum { quorum: 2 },
            effective: waiaas_shared::time::RunTime::from_millis(9),
            statement: StatementId::from_bytes([number; 16]),
            signers: Vec::new(),
        };
        let clocks = Clocks::default();
        record(sequence, Event { clocks, body })
    };
    let cancelled = EventBody::OwnerChangeCancelled {
        change: StatementId::from_bytes([1; 16]),
        statement: StatementId::from_bytes([7; 16]),
        signers: Vec::new(),
    };
    let clocks = Clocks::default();
    let cancelled = record(
        3,
        Event {
            clocks,
            body: cancelled,
        },
    );
    channels
        .write_down(
            &connection,
            &[scheduled(1, 1), scheduled(2, 2), cancelled],
            9,
        )
        .expect("written");
    assert_eq!(to_come(&connection, "all"), ["evt_2"]);
}

#[test]
fn what_is_urgent_is_told_first_and_what_was_told_long_ago_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = hook("all", "http://127.0.0.1:9/", "")
        + &hook("kills", "http://127.0.0.1:9/", "events = [\"kill.*\"]");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    let events = [stated(1, 5), stated(2, 5), locked(3)];
    channels
        .write_down(&connection, &events, 0)
        .expect("written");
    let count = || {
        connection
            .query_row("SELECT count(*) FROM notice", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("counted")
    };
    let later = WallTime::from_millis(40 * 24 * 3600 * 1000);
    assert!(!outbox::tidy(&connection, later).expect("tidied"));
    assert_eq!(count(), 3, "they are still to be told");
    assert_eq!(to_come(&connection, "all"), ["evt_3", "evt_1", "evt_2"]);
    assert!(!outbox::tidy(&connection, later).expect("tidied"));
    assert_eq!(count(), 0);
}

#[test]
fn quiet_hours_hold_back_what_can_wait_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = hook("all", "http://127.0.0.1:9/", "");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    channels
        .write_down(&connection, &[stated(1, 0), locked(2)], 0)
        .expect("written");
    let next = outbox::next(&connection, "all", true, 0).expect("read");
    let next = next.expect("the lock").notice.expect("readable");
    assert_eq!(next.name, "evt_2");
}

/// A message that its channel refuses lets the others pass and is given up only when they did.
#[test]
fn a_refused_message_stops_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = hook("all", "http://127.0.0.1:9/", "");
    let (channels, connection) = (channels(folder.path(), &text), tables());
    channels
        .write_down(&connection, &[locked(1), locked(2)], 0)
        .expect("written");
    let now = |millis| WallTime::from_millis(millis);
    let next = || {
        outbox::next(&connection, "all", false, 0)
            .expect("read")
            .expect("there")
            .id
    };
    let first = next();
    for time in 1..=4 {
        let hopeless = outbox::refused(&connection, "all", first, now(time)).expect("counted");
        assert!(!hopeless, "nothing else has passed: it may be the channel");
    }
    let second = next();
    assert_ne!(second, first, "the other one's turn has come");
    outbox::end(
        &connection,
        "all",
        second,
        outbox::Outcome::Delivered,
        now(9),
    )
    .expect("ended");
    assert_eq!(next(), first);
    assert!(outbox::refused(&connection, "all", first, now(10)).expect("counted"));
}

#[tokio::test]
async fn nothing_is_lost_while_a_channel_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (receiver, url) = Receiver::start().await;
    receiver.answers(503);
    let app = app(channels(folder.path(), &hook("books", &url, ""))).await;
    let feed = tokio::spawn(projection::follow(Arc::clone(&app)));
    start(&app);
    let events = [locked(1001), opened(1002), locked(1003)];
    let written = Arc::clone(&app.channels);
    app.database
        .run(Durability::Process, move |connection| {
            written.write_down(connection, &events, 0)
        })
        .await
        .expect("written");
    app.channels.wake();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(receiver.took().is_empty());
    receiver.answers(200);
    let took = receiver.has(4).await;
    let in_order: Vec<&String> = took
        .iter()
        .filter(|name| name.starts_with("evt_"))
        .collect();
    assert_eq!(in_order, ["evt_1001", "evt_1002", "evt_1003"]);
    assert!(
        took.iter().any(|name| name.starts_with("gw_begins_")),
        "{took:?}"
    );
    feed.abort();
}

/// A channel that stands in tells what nobody else is meant to tell at once, and the rest when the other is away.
#[tokio::test]
async fn a_channel_that_stands_in_waits_for_the_other_and_not_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let (phone, at_phone) = Receiver::start().await;
    let (mail, at_mail) = Receiver::start().await;
    phone.answers(503);
    let text = hook("phone", &at_phone, "events = [\"payment.*\"]")
        + &hook("mail", &at_mail, "stands-in-for = [\"phone\"]");
    let now = Arc::new(AtomicU64::new(1_800_000_000_000));
    let reading = Arc::clone(&now);
    let clock = Clock::from_fn(move || WallTime::from_millis(reading.load(Ordering::SeqCst)));
    let app = app_at(channels(folder.path(), &text), clock).await;
    start(&app);
    let events = [opened(1001), locked(1002)];
    let written = Arc::clone(&app.channels);
    app.database
        .run(Durability::Process, move |connection| {
            written.write_down(connection, &events, 0)
        })
        .await
        .expect("written");
    app.channels.wake();
    assert_eq!(
        mail.has(1).await,
        ["evt_1002"],
        "the phone does not want it"
    );
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(mail.took().len(), 1, "the phone has just failed");
    now.fetch_add(3 * 60 * 1000, Ordering::SeqCst);
    app.channels.wake();
    assert_eq!(mail.has(2).await, ["evt_1002", "evt_1001"]);
    assert!(phone.took().is_empty());
}

/// A gateway over a scripted signer, with these channels.
async fn app(channels: Channels) -> Arc<App> {
    app_at(channels, Clock::system()).await
}

async fn app_at(channels: Channels, clock: Clock) -> Arc<App> {
    let world = World::new().await;
    let database = Database::in_memory().expect("opens");
    let tokens = Tokens::load(&database, clock.now()).await.expect("loads");
    App::new(Parts {
        signer: Arc::clone(&world.signer) as Arc<dyn SignerPort>,
        chains: Vec::new(),
        clock,
        database,
        tokens,
        login_origin: None,
        guard: Guard::new(Vec::new(), Vec::new()),
        channels,
        log_key: None,
    })
}
