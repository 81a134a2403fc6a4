//! `waiaas policy replay`: past traffic of the verified log, judged by a proposed policy before an owner
//! signs it. Changes nothing and signs nothing.

use std::path::Path;

use serde_json::json;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::log::Head;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::replay::Replay;

use crate::app::App;
use crate::failure::Failure;
use crate::log_file;
use crate::log_reader::{Heads, Part, follow};
use crate::replay_words::words;
use crate::signer::Signer;

/// Runs the command.
pub(crate) async fn run(
    app: &App,
    document: PolicyDocument,
    log: Option<&Path>,
    limit: usize,
) -> Result<(), Failure> {
    let mut replay = Replay::new(document, limit);
    let mut unread = None;
    let mut each = |part: &Part| {
        let Part::Event(record) = part else { return };
        match from_canonical::<Event>(&record.body) {
            Ok(event) => replay.event(record.sequence, &event),
            Err(_) => unread = unread.or(Some(record.sequence)),
        }
    };
    let head: Head = match log {
        // It may end before what was seen: past traffic is past.
        Some(path) => log_file::read(app, path, Heads::Last, &mut each)?.finish_part()?,
        None => {
            let signer = Signer::connect(app).await?;
            follow(&app.home, &signer, Heads::Last, |part| {
                each(part);
                Ok(())
            })
            .await?
        }
    };
    if let Some(sequence) = unread {
        // What follows from it is not known: no figure is better than a wrong one.
        return Err(
            Failure::internal(format!("event {sequence} is not understood"))
                .why("a newer signer wrote it")
                .next("use the command line of the signer's version"),
        );
    }
    let report = replay.finish();
    let data =
        json!({ "head": { "sequence": head.sequence, "hash": head.hash }, "replay": report });
    app.output.data(words(&report), &data)
}
