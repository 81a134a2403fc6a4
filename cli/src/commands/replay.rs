//! `waiaas policy replay`: past traffic of the verified log, judged by a proposed policy before an owner
//! signs it. Changes nothing and signs nothing.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use serde_json::json;
use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::log::Head;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::replay::{Replay, Report};

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
    let mut judge = Judge::start(document, limit)?;
    let mut each = |part: &Part| {
        if let Part::Event(record) = part {
            judge.take(record);
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
    let report = judge.finish()?;
    let data =
        json!({ "head": { "sequence": head.sequence, "hash": head.hash }, "replay": report });
    app.output.data(words(&report), &data)
}

/// Events that go to the judge at once.
const TOGETHER: usize = 256;
/// Such heaps that may wait for it.
const HEAPS: usize = 16;

/// Judges on a thread of its own, while the log is read on and verified.
struct Judge {
    heap: Vec<(u64, Event)>,
    heaps: SyncSender<Vec<(u64, Event)>>,
    thread: JoinHandle<Report>,
    /// The first event that is not understood.
    unread: Option<u64>,
}

impl Judge {
    fn start(document: PolicyDocument, limit: usize) -> Result<Self, Failure> {
        let (heaps, taken) = sync_channel::<Vec<(u64, Event)>>(HEAPS);
        let judging = move || {
            let mut replay = Replay::new(document, limit);
            for (sequence, event) in taken.into_iter().flatten() {
                replay.event(sequence, &event);
            }
            replay.finish()
        };
        let thread = thread::Builder::new()
            .name("judge".to_owned())
            .spawn(judging)
            .map_err(|error| Failure::internal("no thread can be started").why(error))?;
        Ok(Self {
            heap: Vec::with_capacity(TOGETHER),
            heaps,
            thread,
            unread: None,
        })
    }

    fn take(&mut self, record: &EventRecord) {
        match from_canonical(&record.body) {
            Ok(event) => self.heap.push((record.sequence, event)),
            Err(_) => self.unread = self.unread.or(Some(record.sequence)),
        }
        if self.heap.len() >= TOGETHER {
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        let heap = std::mem::replace(&mut self.heap, Vec::with_capacity(TOGETHER));
        // A judge that is gone is noticed at the end.
        let _gone = self.heaps.send(heap);
    }

    fn finish(mut self) -> Result<Report, Failure> {
        self.pass_on();
        drop(self.heaps);
        let report = self
            .thread
            .join()
            .map_err(|_| Failure::internal("the judgement failed"))?;
        match self.unread {
            None => Ok(report),
            // What follows from it is not known: no figure is better than a wrong one.
            Some(sequence) => Err(
                Failure::internal(format!("event {sequence} is not understood"))
                    .why("a newer signer wrote it")
                    .next("use the command line of the signer's version"),
            ),
        }
    }
}
