//! What owners' routes need of the signer's log and no read of the signer gives: which sessions were granted, which
//! policies adopted, which alarms went off. Read from the log once, page by page, and on from there at each request;
//! kept in memory. Believes nothing that is decided by: every state is asked of the signer itself.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::WallTime;

use super::super::error::{GatewayCode, Problem};
use crate::app::App;

/// Bytes of events asked for at once; the signer's own limit.
const PAGE_BYTES: u32 = 256 * 1024;
/// How long one request reads on; the next goes on where it stopped.
const PATIENCE: Duration = Duration::from_secs(8);
/// Drafts of policies that may still be adopted; the signer keeps fewer open.
const DRAFTS: usize = 64;
/// Alarms kept.
const ALARMS: usize = 50;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Read>);

/// As far as it was read.
#[derive(Debug, Default)]
struct Read {
    sequence: u64,
    sessions: Vec<(u64, SessionId)>,
    drafts: VecDeque<(StatementId, Vec<u8>)>,
    policies: Vec<Adopted>,
    alarms: VecDeque<(EventRecord, Event)>,
}

/// A policy as it was adopted.
#[derive(Debug, Clone)]
pub(super) struct Adopted {
    /// Number of the event.
    pub(super) sequence: u64,
    /// When.
    pub(super) at: WallTime,
    /// Who signed.
    pub(super) signers: Vec<OwnerId>,
    /// What was adopted.
    pub(super) document: PolicyDocument,
}

/// Sessions that were granted before this event, the newest first, with the event of the grant.
pub(super) async fn sessions(
    app: &App,
    before: u64,
    limit: usize,
) -> Result<Vec<(u64, SessionId)>, Problem> {
    let read = caught_up(app).await?;
    let all = read.sessions.iter().rev();
    let older = all.filter(|(sequence, _)| *sequence < before);
    Ok(older.take(limit).copied().collect())
}

/// Every policy that was adopted, the oldest first.
pub(super) async fn policies(app: &App) -> Result<Vec<Adopted>, Problem> {
    Ok(caught_up(app).await?.policies.clone())
}

/// The newest alarms, the newest first.
pub(super) async fn alarms(app: &App, limit: usize) -> Result<Vec<(EventRecord, Event)>, Problem> {
    let read = caught_up(app).await?;
    Ok(read.alarms.iter().rev().take(limit).cloned().collect())
}

/// Reads on to the newest event.
async fn caught_up(app: &App) -> Result<MutexGuard<'_, Read>, Problem> {
    let until = Instant::now() + PATIENCE;
    let mut read = app.owners.log.0.lock().await;
    loop {
        let page = app
            .signer
            .events(read.sequence, PAGE_BYTES, Duration::ZERO)
            .await?;
        // A log that is shorter than what was read is another one.
        if page.last < read.sequence {
            *read = Read::default();
            continue;
        }
        for record in &page.events {
            read.take(record);
        }
        if read.sequence >= page.last || page.events.is_empty() {
            return Ok(read);
        }
        if Instant::now() >= until {
            return Err(GatewayCode::ProjectionBehind.into());
        }
    }
}

impl Read {
    fn take(&mut self, record: &EventRecord) {
        self.sequence = record.sequence;
        let Ok(event) = from_canonical::<Event>(&record.body) else {
            return;
        };
        match &event.body {
            EventBody::SessionGranted { session, .. } => {
                self.sessions.push((record.sequence, *session));
            }
            EventBody::StatementIssued {
                statement,
                facts: StatementFacts::AdoptPolicy { document },
                ..
            } => {
                if self.drafts.len() >= DRAFTS {
                    self.drafts.pop_front();
                }
                self.drafts.push_back((*statement, document.clone()));
            }
            EventBody::PolicyAdopted {
                statement, signers, ..
            } => {
                let draft = self.drafts.iter().find(|(draft, _)| draft == statement);
                let document = draft.and_then(|(_, bytes)| PolicyDocument::adopted(bytes).ok());
                self.policies.extend(document.map(|document| Adopted {
                    sequence: record.sequence,
                    at: event.clocks.wall,
                    signers: signers.clone(),
                    document,
                }));
            }
            EventBody::AlarmRaised { .. } => {
                if self.alarms.len() >= ALARMS {
                    self.alarms.pop_front();
                }
                self.alarms.push_back((record.clone(), event));
            }
            _ => {}
        }
    }
}
