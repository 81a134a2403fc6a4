//! `waiaas audit heartbeat`: what the signer says of itself and of what waits, believed only over the
//! pinned key's signature, and only if it goes on from what was seen. Whoever brings one can keep it back,
//! never change it: one that is missing or old is itself the warning.

use std::path::PathBuf;

use serde_json::{Value, json};
use waiaas_shared::heartbeat::{Heartbeat, WaitingPayment};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::time::Millis;

use crate::app::App;
use crate::commands::release::now;
use crate::commands::session_words::shown;
use crate::duration::{counted, parse, words};
use crate::failure::{Exit, Failure};
use crate::home::cannot;
use crate::signer::{Signer, failed};
use crate::table::pairs;
use crate::witness::Pin;

/// The largest heartbeat, far above what a signer writes.
const NOTE_LIMIT: u64 = 1024 * 1024;

/// What is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A heartbeat that somebody brought, instead of a fresh one of the running signer
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Fail if it is older than this, by this machine's clock: 10m, 1h
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    max_age: Option<Millis>,
    /// Only the note itself, to be kept or sent
    #[arg(long)]
    raw: bool,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let (note, policy) = match &args.from_file {
        Some(path) => (read(path)?, None),
        None => {
            let signer = Signer::connect(app).await?;
            let note = signer.client.heartbeat().await;
            let note = note.map_err(failed("no heartbeat"))?;
            (note, signer.newest_policy().await?)
        }
    };
    let fresh = args.from_file.is_none();
    let heartbeat = Pin::require(&app.home)?.heartbeat(&app.home, &note, fresh)?;
    let age = now().since(heartbeat.clocks.wall);
    if let Some(most) = args.max_age
        && age > most
    {
        return Err(
            Failure::new(Exit::Failure, "the newest heartbeat is too old")
                .why(format!(
                    "it was signed {} ago, at {}",
                    words(age.millis()),
                    heartbeat.clocks.wall
                ))
                .next("ask the signer itself: waiaas status, waiaas audit heartbeat"),
        );
    }
    let text = if args.raw {
        note.trim_end().to_owned()
    } else {
        human(&heartbeat, age, policy.as_ref())
    };
    app.output.data(text, &machine(&heartbeat, &note))
}

fn read(path: &std::path::Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| cannot("read", path, &error);
    let mut note = String::new();
    std::fs::File::open(path)
        .map_err(failed)?
        .take(NOTE_LIMIT)
        .read_to_string(&mut note)
        .map_err(failed)?;
    Ok(note)
}

fn human(heartbeat: &Heartbeat, age: Millis, policy: Option<&PolicyDocument>) -> String {
    let binding: Vec<_> = heartbeat
        .policies
        .iter()
        .map(|(epoch, digest)| format!("epoch {epoch}, digest {digest}"))
        .collect();
    let stops = [
        (heartbeat.frozen, "EVERYTHING is paused"),
        (heartbeat.clock_closed, "the clock CLOSED signing"),
    ];
    let stops: Vec<_> = stops
        .iter()
        .filter_map(|(holds, words)| holds.then_some(*words))
        .collect();
    let mut rows = vec![
        ("signer           ", heartbeat.signer.to_string()),
        (
            "signed           ",
            format!("{}, {} ago", heartbeat.clocks.wall, words(age.millis())),
        ),
        (
            "log              ",
            format!("event {}, hash {}", heartbeat.sequence, heartbeat.hash),
        ),
        (
            "policy           ",
            if binding.is_empty() {
                "none: every payment is refused".to_owned()
            } else {
                binding.join("; ")
            },
        ),
        (
            "kill switch      ",
            format!(
                "{}, thrown {}",
                heartbeat.kill.as_str(),
                counted(heartbeat.kill_epoch, "time")
            ),
        ),
        (
            "stopped          ",
            if stops.is_empty() {
                "no".to_owned()
            } else {
                stops.join(", ")
            },
        ),
        (
            "word from owners ",
            heartbeat.dead_man.map_or_else(
                || "no policy asks for one".to_owned(),
                |left| format!("needed within {} of running time", words(left.millis())),
            ),
        ),
        ("wallets          ", heartbeat.wallets.to_string()),
        (
            "sessions         ",
            format!("{}, suspended: {}", heartbeat.sessions, heartbeat.suspended),
        ),
        ("denials          ", heartbeat.denials.to_string()),
        ("payments waiting ", heartbeat.waiting.to_string()),
    ];
    rows.extend(
        heartbeat
            .payments
            .iter()
            .map(|payment| ("                 ", waits(payment, policy))),
    );
    pairs(&rows)
}

fn waits(payment: &WaitingPayment, policy: Option<&PolicyDocument>) -> String {
    let moves = |amount, asset, to| {
        let shown = shown(asset, amount, policy);
        format!("{shown} ({asset}) to {to}")
    };
    let first = moves(payment.amount, payment.asset, payment.to);
    let more = payment.more.iter();
    let more = more.map(|one| moves(one.amount, one.asset, one.to));
    let all: Vec<_> = std::iter::once(first).chain(more).collect();
    format!(
        "{}, {}, {}, from {}, until {}",
        payment.transaction,
        payment.tier.as_str(),
        all.join(" and "),
        payment.wallet,
        payment.expires
    )
}

fn machine(heartbeat: &Heartbeat, note: &str) -> Value {
    let payments = heartbeat.payments.iter().map(|payment| {
        json!({
            "transaction": payment.transaction,
            "wallet": payment.wallet,
            "tier": payment.tier,
            "amount": payment.amount,
            "asset": payment.asset,
            "to": payment.to,
            "more": payment.more.iter().map(|one| json!({
                "amount": one.amount,
                "asset": one.asset,
                "to": one.to,
            })).collect::<Vec<_>>(),
            "expires_unix_millis": payment.expires.millis(),
        })
    });
    let policies = heartbeat
        .policies
        .iter()
        .map(|(epoch, digest)| json!({ "epoch": epoch, "digest": digest }));
    json!({
        "verified": true,
        "signer": heartbeat.signer,
        "unix_millis": heartbeat.clocks.wall.millis(),
        "sequence": heartbeat.sequence,
        "hash": heartbeat.hash,
        "policy_epoch": heartbeat.policy_epoch,
        "policies": policies.collect::<Vec<_>>(),
        "kill": heartbeat.kill.as_str(),
        "kill_epoch": heartbeat.kill_epoch,
        "frozen": heartbeat.frozen,
        "clock_closed": heartbeat.clock_closed,
        "dead_man_millis_left": heartbeat.dead_man.map(Millis::millis),
        "wallets": heartbeat.wallets,
        "sessions": heartbeat.sessions,
        "suspended_sessions": heartbeat.suspended,
        "denials": heartbeat.denials,
        "waiting": heartbeat.waiting,
        "payments": payments.collect::<Vec<_>>(),
        "note": note,
    })
}
