//! `waiaas audit`: the log is verified from its first event with the pinned key, exported, and shown.

mod heartbeat;

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Event;
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::Head;

use crate::app::App;
use crate::duration::counted;
use crate::event_words::{machine, words};
use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::log_reader::{Follower, Part, follow};
use crate::signer::{Signer, failed, reach};
use crate::table::Table;
use crate::witness::Pin;

/// The longest line of an exported log: an event holds at most a policy of 256 KiB, twice as text.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Verify the whole log: every hash, every signed head, and that it goes on from what was seen
    Verify {
        /// An exported file instead of the running signer
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
        /// Also let the signer fold its whole log once more and compare state and snapshots with it
        #[arg(long, conflicts_with = "from_file")]
        state: bool,
    },
    /// Write the whole log to a new file: one JSON object a line, events and signed heads
    Export {
        /// The new file
        file: PathBuf,
    },
    /// Show events
    Show {
        /// Only events after this one
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
        /// Only the last so many
        #[arg(long, value_name = "N")]
        last: Option<usize>,
    },
    /// Show what the signer says of itself and of what waits, over the pinned key's signature
    Heartbeat(heartbeat::Args),
    /// Pin the log key, where `init` did not: from the keystore of this home, or as given
    Pin {
        /// The key in base58, brought over from where `init` ran
        #[arg(long, value_name = "KEY")]
        log_key: Option<String>,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Verify {
            from_file: None,
            state,
        } => {
            let signer = Signer::connect(app).await?;
            let head = follow(&app.home, &signer, |_| Ok(())).await?;
            let snapshots = match state {
                true => Some(verify_state(&signer).await?),
                false => None,
            };
            verified(app, &head, snapshots)
        }
        Command::Verify {
            from_file: Some(path),
            state: _,
        } => verified(app, &verify_file(app, &path)?, None),
        Command::Export { file } => export(app, &file).await,
        Command::Show { after, last } => show(app, after, last).await,
        Command::Heartbeat(args) => heartbeat::run(app, args).await,
        Command::Pin { log_key } => pin(app, log_key).await,
    }
}

/// The signer's own fold of its whole log: its state is that fold, and so was every snapshot that an event
/// names. How many those are.
async fn verify_state(signer: &Signer) -> Result<u32, Failure> {
    let audited = signer.client.audit().await;
    let audited = audited.map_err(failed("the signer did not fold its log"))?;
    match audited.problems.as_slice() {
        [] => Ok(audited.snapshots),
        problems => Err(
            Failure::new(Exit::Failure, "the signer's state is NOT what its log says")
                .why(problems.join("; "))
                .next("throw the kill switch, and look for who changed ledger.db"),
        ),
    }
}

fn verified(app: &App, head: &Head, snapshots: Option<u32>) -> Result<(), Failure> {
    let mut words = format!(
        "The log verifies: {} events of {}, last hash {}",
        head.sequence, head.signer, head.hash
    );
    if let Some(snapshots) = snapshots {
        words.push_str(&format!(
            "\nThe signer's state is the fold of it, and so was each of {}",
            counted(snapshots.into(), "snapshot")
        ));
    }
    let data = json!({
        "verified": true, "signer": head.signer, "sequence": head.sequence, "hash": head.hash,
        "state": snapshots.is_some(), "snapshots": snapshots,
    });
    app.output.data(words, &data)
}

/// One line of an exported log (docs/log.md): first its name and key, then events and heads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    /// Whose log it is, and the key that its heads verify with.
    Name { signer: SignerId, log_key: String },
    /// An event: its number, its canonical bytes in base64, its hash.
    Event {
        sequence: u64,
        body: String,
        hash: Digest,
    },
    /// The signed note over the event before it.
    Head { head: String },
}

impl Line {
    fn name(pin: &Pin) -> Self {
        Self::Name {
            signer: pin.signer,
            log_key: pin.key_text(),
        }
    }

    fn of(part: &Part) -> Self {
        match part {
            Part::Event(record) => Self::Event {
                sequence: record.sequence,
                body: STANDARD.encode(&record.body),
                hash: record.hash,
            },
            Part::Head(note) => Self::Head { head: note.clone() },
        }
    }

    /// What follows the name; nothing for a second name.
    fn part(self) -> Option<Part> {
        match self {
            Self::Name { .. } => None,
            Self::Event {
                sequence,
                body,
                hash,
            } => {
                let body = STANDARD.decode(body).ok()?;
                Some(Part::Event(EventRecord {
                    sequence,
                    body,
                    hash,
                }))
            }
            Self::Head { head } => Some(Part::Head(head)),
        }
    }
}

async fn export(app: &App, path: &Path) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let failed = |error: std::io::Error| cannot("written", path, &error);
    let mut file = BufWriter::new(create_new(path)?);
    let name = serde_json::to_string(&Line::name(&Pin::require(&app.home)?))
        .map_err(|error| Failure::internal("no line").why(error))?;
    writeln!(file, "{name}").map_err(failed)?;
    let head = follow(&app.home, &signer, |part| {
        let line = serde_json::to_string(&Line::of(part))
            .map_err(|error| Failure::internal("no line").why(error))?;
        writeln!(file, "{line}").map_err(failed)
    })
    .await?;
    file.flush()
        .and_then(|()| file.get_ref().sync_all())
        .map_err(failed)?;
    let words = format!(
        "{} events of {}, verified, in {}",
        head.sequence,
        head.signer,
        path.display()
    );
    app.output.data(
        words,
        &json!({ "file": path, "sequence": head.sequence, "hash": head.hash }),
    )
}

fn verify_file(app: &App, path: &Path) -> Result<Head, Failure> {
    let failed = |error: std::io::Error| cannot("read", path, &error);
    let pinned = Pin::require(&app.home)?;
    let mut follower = Follower::new(&app.home, Pin::require(&app.home)?)?;
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    for number in 1_u64.. {
        let mut text = String::new();
        let read = (&mut reader)
            .take(LINE_LIMIT)
            .read_line(&mut text)
            .map_err(failed)?;
        if read == 0 {
            break;
        }
        let line = serde_json::from_str::<Line>(&text).ok();
        // The first line names the log: it must be the pinned one, whose key decides, not the file's.
        if number == 1
            && let Some(Line::Name { signer, log_key }) = &line
        {
            if (*signer, log_key) != (pinned.signer, &pinned.key_text()) {
                return Err(Failure::new(
                    Exit::Failure,
                    format!("{} is the log of {signer}", path.display()),
                )
                .why(format!("the pinned log is of {}", pinned.signer)));
            }
            continue;
        }
        let part = line.and_then(Line::part).ok_or_else(|| {
            Failure::new(
                Exit::Failure,
                format!("{} is not an exported log", path.display()),
            )
            .why(format!(
                "line {number} is neither an event nor a signed head"
            ))
        })?;
        follower.take(&app.home, &part)?;
    }
    follower.finish(&app.home)
}

async fn show(app: &App, after: u64, last: Option<usize>) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let mut shown = std::collections::VecDeque::new();
    follow(&app.home, &signer, |part| {
        if let Part::Event(record) = part
            && record.sequence > after
        {
            shown.push_back(record.clone());
            if last.is_some_and(|last| shown.len() > last) {
                shown.pop_front();
            }
        }
        Ok(())
    })
    .await?;
    let mut table = Table::new(&["EVENT", "TIME", "KIND", "WHAT"]);
    let mut rows = Vec::new();
    for record in shown {
        match from_canonical::<Event>(&record.body) {
            Ok(event) => {
                let (kind, text) = words(&event.body);
                let wall = event.clocks.wall;
                table.row([
                    record.sequence.to_string(),
                    wall.to_string(),
                    kind.to_owned(),
                    text,
                ]);
                rows.push(machine(record.sequence, wall.millis(), &event.body));
            }
            Err(error) => {
                table.row([
                    record.sequence.to_string(),
                    String::new(),
                    "?".to_owned(),
                    error.to_string(),
                ]);
                rows.push(json!({ "sequence": record.sequence, "kind": null }));
            }
        }
    }
    app.output.data(table, &json!({ "events": rows }))
}

async fn pin(app: &App, given: Option<String>) -> Result<(), Failure> {
    let client = reach(app).await?;
    let status = client.status().await.map_err(failed("no status"))?;
    let Some(signer) = status.signer else {
        return Err(Failure::new(Exit::Failure, "this signer is new").next("waiaas init"));
    };
    if let Some(pinned) = Pin::read(&app.home)?
        && pinned.signer != signer
    {
        return Err(Failure::new(Exit::Failure, "another signer is pinned here")
            .why(format!("{} is pinned, {signer} answers", pinned.signer))
            .next(format!(
                "if that is what you want, remove {} first",
                app.home.log_key().display()
            )));
    }
    let pin = match given {
        Some(text) => {
            let key = AgentKey::from_base58(text.trim())
                .map_err(|_| Failure::usage("the log key is 32 bytes in base58"))?;
            Pin {
                signer,
                log_key: *key.as_bytes(),
            }
        }
        None => Pin::of_keystore(&app.home.signer_state().join("keystore")).map_err(|failure| {
            failure.next("bring the key over from where `init` ran: waiaas audit pin --log-key KEY")
        })?,
    };
    if pin.signer != signer {
        return Err(Failure::new(
            Exit::Failure,
            "the keystore of this home is of another signer",
        ));
    }
    pin.verify(&status.head)?;
    app.home.create()?;
    pin.write(&app.home)?;
    let head = pin.witness(&app.home, &status.head)?;
    let words = format!(
        "Pinned {} with log key {}, at event {}",
        pin.signer,
        pin.key_text(),
        head.sequence
    );
    app.output.data(
        words,
        &json!({ "signer": pin.signer, "log_key": pin.key_text(), "sequence": head.sequence }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::log_reader::tests::{log, pin};
    use crate::output::Output;

    fn app(folder: &tempfile::TempDir) -> App {
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        pin().write(&home).unwrap();
        let config = crate::config::Config::read(&home).unwrap();
        App {
            home,
            config,
            output: Output::new(false),
        }
    }

    /// Every way to change an exported log is seen.
    #[test]
    fn an_exported_log_verifies_and_a_changed_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        let path = folder.path().join("log");
        let lines: Vec<_> = log(4, 0)
            .iter()
            .map(|part| serde_json::to_string(&Line::of(part)).unwrap())
            .collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        assert_eq!(verify_file(&app, &path).unwrap().sequence, 4);
        for place in 0..lines.len() {
            let mut missing = lines.clone();
            missing.remove(place);
            std::fs::write(&path, missing.join("\n")).unwrap();
            // A head in the middle may be missing: the next one covers its events.
            let covered = place == 2;
            assert_eq!(
                verify_file(&app, &path).is_ok(),
                covered,
                "line {place} missing"
            );
            let mut changed = lines.clone();
            changed[place] = changed[place].replacen(['A', 'a', '1'], "B", 1);
            std::fs::write(&path, changed.join("\n")).unwrap();
            assert!(verify_file(&app, &path).is_err(), "line {place} changed");
        }
        for text in [
            "{}",
            "{\"head\":\"x\"}",
            "{\"event\":{\"sequence\":1}}",
            "x",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(verify_file(&app, &path).is_err(), "{text}");
        }
    }
}
