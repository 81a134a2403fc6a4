//! An exported log as a file (docs/log.md): JSON lines, first its name and key, then events and signed
//! heads. Whatever is read from one was verified like a running signer's. Called by `audit` and `policy
//! replay`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use waiaas_client::EventRecord;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::log::Head;

use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::home::cannot;
use crate::log_reader::{Follower, Heads, Part};
use crate::witness::Pin;

/// The longest line of an exported log: an event holds at most a policy of 256 KiB, twice as text.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

/// One line of an exported log (docs/log.md): first its name and key, then events and heads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Line {
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
    pub(crate) fn name(pin: &Pin) -> Self {
        Self::Name {
            signer: pin.signer,
            log_key: pin.key_text(),
        }
    }

    pub(crate) fn of(part: &Part) -> Self {
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

/// Verifies a file with the pinned key, whole: it must reach as far as what was seen.
pub(crate) fn verify(app: &App, path: &Path) -> Result<Head, Failure> {
    read(app, path, Heads::Every, |_| ())?.finish(&app.home)
}

/// Reads a file. Its parts count only once what comes back was finished.
pub(crate) fn read(
    app: &App,
    path: &Path,
    heads: Heads,
    mut each: impl FnMut(&Part),
) -> Result<Follower, Failure> {
    let failed = |error: std::io::Error| cannot("read", path, &error);
    let pinned = Pin::require(&app.home)?;
    let mut follower = Follower::new(&app.home, pinned, heads)?;
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
        each(&part);
    }
    Ok(follower)
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
        assert_eq!(verify(&app, &path).unwrap().sequence, 4);
        for place in 0..lines.len() {
            let mut missing = lines.clone();
            missing.remove(place);
            std::fs::write(&path, missing.join("\n")).unwrap();
            // A head in the middle may be missing: the next one covers its events.
            let covered = place == 2;
            assert_eq!(verify(&app, &path).is_ok(), covered, "line {place} missing");
            let mut changed = lines.clone();
            changed[place] = changed[place].replacen(['A', 'a', '1'], "B", 1);
            std::fs::write(&path, changed.join("\n")).unwrap();
            assert!(verify(&app, &path).is_err(), "line {place} changed");
        }
        for text in [
            "{}",
            "{\"head\":\"x\"}",
            "{\"event\":{\"sequence\":1}}",
            "x",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(verify(&app, &path).is_err(), "{text}");
        }
    }
}
