//! `waiaas status`: what state the signer, its log and the gateway are in.

use serde_json::{Value, json};
use waiaas_client::{AdminClient, SignerStatus};
use waiaas_shared::time::Millis;

use crate::app::App;
use crate::commands::start::CLAIM_VOID;
use crate::continuity;
use crate::daemon::Daemon;
use crate::duration::{self, counted};
use crate::failure::{Exit, Failure};
use crate::rest::Gateway;
use crate::signer;
use crate::table::pairs;
use crate::witness::Pin;

/// How long before the dead-man pause `status` asks for a word.
const WORD_WANTED: Millis = Millis::from_hours(7 * 24);

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) async fn run(app: &App, _: Args) -> Result<(), Failure> {
    let client = signer::reach(app).await?;
    let status = client.status().await.map_err(signer::failed("no status"))?;
    let log = log_words(app, &client, &status).await;
    let gateway = match Gateway::new(&app.config.gateway_url) {
        Ok(gateway) => gateway.is_healthy().await,
        Err(_) => false,
    };
    let gateway_words = if gateway {
        format!("answers at {}", app.config.gateway_url)
    } else {
        format!("does not answer at {}", app.config.gateway_url)
    };
    let mut words = human(&status);
    words.push_str(&pairs(&[
        (
            "log              ",
            match &log {
                Ok(words) => (*words).to_owned(),
                Err(_) => "NOT the one that was seen before, see below".to_owned(),
            },
        ),
        ("gateway          ", gateway_words),
    ]));
    for line in &status.sandbox {
        words.push_str(&pairs(&[("lockdown         ", line.clone())]));
    }
    let mut data = machine(&status);
    if let Value::Object(fields) = &mut data {
        let pid = |name| Daemon::new(&app.home, name).running().ok().flatten();
        fields.insert(
            "log".to_owned(),
            json!(log.as_ref().map_or("mismatch", |_| "ok")),
        );
        fields.insert("gateway_healthy".to_owned(), json!(gateway));
        fields.insert("signer_pid".to_owned(), json!(pid("signer")));
        fields.insert("gateway_pid".to_owned(), json!(pid("gateway")));
    }
    app.output.data(words, &data)?;
    if !status.claim_holds {
        app.output.say(format!("\n{CLAIM_VOID}"));
    }
    if let Some(next) = next_step(&status) {
        app.output.say(format!("\nNext: {next}"));
    }
    log.map(|_| ())
}

/// Compares the log's head with what this home keeps.
async fn log_words(
    app: &App,
    client: &AdminClient,
    status: &SignerStatus,
) -> Result<&'static str, Failure> {
    let Some(signer) = status.signer else {
        return Ok("none yet");
    };
    let Some(pin) = Pin::read(&app.home)? else {
        return Ok("its key is not pinned here: waiaas audit pin");
    };
    if pin.signer != signer {
        return Err(Failure::new(Exit::Failure, "another signer answers")
            .why(format!(
                "this home is pinned to {}, the socket leads to {signer}",
                pin.signer
            ))
            .next("check `admin-socket` in config.toml"));
    }
    continuity::witness(app, client, &pin, &status.head)
        .await
        .map(|_| "head signed by the pinned key, and goes on from the last one seen")
}

fn human(status: &SignerStatus) -> String {
    let yes = |value: bool, yes: &str, no: &str| if value { yes.to_owned() } else { no.to_owned() };
    let signer = status
        .signer
        .map_or_else(|| "not initialized".to_owned(), |signer| signer.to_string());
    let keys = match (status.signer, status.unlocked) {
        (None, _) => "none".to_owned(),
        _ if status.retired => "RETIRED: the log has ended, nothing is signed any more".to_owned(),
        (_, true) => "unlocked".to_owned(),
        (_, false) => "locked".to_owned(),
    };
    let policy = match status.policy_epoch {
        0 => "none adopted: every payment is refused".to_owned(),
        epoch => format!("epoch {epoch}"),
    };
    pairs(&[
        ("signer           ", signer),
        ("version          ", status.version.clone()),
        ("keys             ", keys),
        (
            "kill switch      ",
            format!(
                "{}, thrown {}",
                status.kill,
                counted(status.kill_epoch, "time")
            ),
        ),
        (
            "paused           ",
            yes(
                status.frozen,
                &format!("EVERYTHING: {}", why_paused(status)),
                "no (single wallets: waiaas wallet list)",
            ),
        ),
        (
            "suspended        ",
            match status.suspended_sessions {
                0 => "no session".to_owned(),
                many => format!(
                    "{}: waiaas session list",
                    counted(many.into(), "session").to_uppercase()
                ),
            },
        ),
        ("word from owners ", dead_man(status)),
        (
            "clock            ",
            yes(
                status.clock_closed,
                "CLOSED: it stepped without an explanation",
                "sound",
            ),
        ),
        ("policy           ", policy),
        (
            "owner changes    ",
            match status.owner_changes {
                0 => "none waits".to_owned(),
                many => format!("{many} WAIT: waiaas owner list"),
            },
        ),
        ("last event       ", status.sequence.to_string()),
        (
            "failed unlocks   ",
            format!("{} since the last unlock", status.unlock_failures),
        ),
        ("different users  ", yes(status.claim_holds, "yes", "NO")),
    ])
}

/// When everything pauses if no owner is heard of until then.
fn dead_man(status: &SignerStatus) -> String {
    match status.dead_man_left {
        None => "no policy asks for one".to_owned(),
        _ if status.dead_man_paused => "MISSING: everything is paused".to_owned(),
        Some(left) => {
            let left = duration::words(left.millis());
            format!("needed within {left} of running time, or everything pauses")
        }
    }
}

/// Every reason for the pause of everything, in words.
fn why_paused(status: &SignerStatus) -> String {
    let words = status.frozen_by.iter().map(|cause| match cause.as_str() {
        "asked" if status.dead_man_paused => "no owner was heard of for too long",
        "asked" => "it was asked for",
        "journal_lost" => "the journal of what happened while locked was missing or changed",
        "head_missed" => {
            "the log does not go through a head that an owner kept (a restored backup?)"
        }
        "recovered" => "the owners were recovered",
        "kill_released" => "the kill switch was released",
        other => other,
    });
    words.collect::<Vec<_>>().join("; ")
}

fn machine(status: &SignerStatus) -> Value {
    json!({
        "signer": status.signer,
        "version": status.version,
        "initialized": status.signer.is_some(),
        "unlocked": status.unlocked,
        "kill": status.kill,
        "kill_epoch": status.kill_epoch,
        "frozen": status.frozen,
        "dead_man_millis_left": status.dead_man_left.map(Millis::millis),
        "dead_man_paused": status.dead_man_paused,
        "suspended_sessions": status.suspended_sessions,
        "frozen_by": status.frozen_by,
        "clock_closed": status.clock_closed,
        "policy_epoch": status.policy_epoch,
        "owner_changes": status.owner_changes,
        "retired": status.retired,
        "sequence": status.sequence,
        "head": status.head,
        "unlock_failures": status.unlock_failures,
        "claim_holds": status.claim_holds,
        "sandbox": status.sandbox,
    })
}

/// What the owner would do next.
fn next_step(status: &SignerStatus) -> Option<&'static str> {
    if status.retired {
        None
    } else if status.signer.is_none() {
        Some("waiaas init")
    } else if !status.unlocked {
        Some("waiaas unlock")
    } else if status.kill == "ACTIVATED" {
        Some("waiaas release kill --owner-key FILE")
    } else if status.clock_closed {
        Some("set the machine's clock right, then: waiaas release clock --owner-key FILE")
    } else if status.frozen {
        Some("waiaas release pause --owner-key FILE")
    } else if status.policy_epoch == 0 {
        Some(
            "waiaas owner enrol, waiaas wallet create, then waiaas policy adopt FILE --owner-key FILE",
        )
    } else if status.dead_man_left.is_some_and(|left| left <= WORD_WANTED) {
        Some("waiaas owner alive --owner-key FILE, before everything pauses")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> SignerStatus {
        SignerStatus {
            signer: "signer_00000000000000000000000001".parse().ok(),
            unlocked: true,
            kill: "NORMAL".to_owned(),
            kill_epoch: 0,
            frozen: false,
            clock_closed: false,
            policy_epoch: 1,
            sequence: 7,
            head: String::new(),
            sandbox: Vec::new(),
            claim_holds: true,
            unlock_failures: 2,
            version: "0.1.0".to_owned(),
            retired: false,
            owner_changes: 0,
            dead_man_left: None,
            dead_man_paused: false,
            suspended_sessions: 0,
            frozen_by: Vec::new(),
        }
    }

    #[test]
    fn a_pause_of_everything_says_why() {
        let frozen = SignerStatus {
            frozen: true,
            frozen_by: vec!["asked".to_owned(), "head_missed".to_owned()],
            ..status()
        };
        let said = human(&frozen);
        assert!(
            said.contains("EVERYTHING: it was asked for; the log does not"),
            "{said}"
        );
    }

    #[test]
    fn the_table_is_plain() {
        assert_eq!(
            human(&status()),
            "signer             signer_00000000000000000000000001\n\
             version            0.1.0\n\
             keys               unlocked\n\
             kill switch        NORMAL, thrown 0 times\n\
             paused             no (single wallets: waiaas wallet list)\n\
             suspended          no session\n\
             word from owners   no policy asks for one\n\
             clock              sound\n\
             policy             epoch 1\n\
             owner changes      none waits\n\
             last event         7\n\
             failed unlocks     2 since the last unlock\n\
             different users    yes\n"
        );
    }

    #[test]
    fn the_most_urgent_step_comes_first() {
        assert_eq!(next_step(&status()), None);
        let locked = SignerStatus {
            unlocked: false,
            kill: "ACTIVATED".to_owned(),
            ..status()
        };
        assert_eq!(next_step(&locked), Some("waiaas unlock"));
        let killed = SignerStatus {
            kill: "ACTIVATED".to_owned(),
            frozen: true,
            ..status()
        };
        assert_eq!(
            next_step(&killed),
            Some("waiaas release kill --owner-key FILE")
        );
        let retired = SignerStatus {
            retired: true,
            ..locked.clone()
        };
        assert_eq!(next_step(&retired), None, "no unlock ever works again");
        let quiet = SignerStatus {
            dead_man_left: Some(Millis::from_hours(24)),
            suspended_sessions: 2,
            ..status()
        };
        assert_eq!(
            next_step(&quiet),
            Some("waiaas owner alive --owner-key FILE, before everything pauses")
        );
        let shown = human(&quiet);
        assert!(
            shown.contains("needed within 1 day of running time"),
            "{shown}"
        );
        assert!(shown.contains("2 SESSIONS: waiaas session list"), "{shown}");
        let silent = SignerStatus {
            frozen: true,
            frozen_by: vec!["asked".to_owned()],
            dead_man_left: Some(Millis::default()),
            dead_man_paused: true,
            ..status()
        };
        assert_eq!(
            next_step(&silent),
            Some("waiaas release pause --owner-key FILE")
        );
        assert!(human(&silent).contains("no owner was heard of for too long"));
        let new = SignerStatus {
            signer: None,
            ..status()
        };
        assert_eq!(next_step(&new), Some("waiaas init"));
    }
}
