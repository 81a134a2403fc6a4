//! `waiaas session`: granting with an owner's signature, showing what is left, revoking.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, WallTime};
use zeroize::Zeroizing;

use crate::app::App;
use crate::commands::owner_change;
use crate::commands::release::now;
use crate::commands::session_bounds::BoundsArgs;
use crate::commands::session_words::{credential, human, machine, state};
use crate::duration;
use crate::failure::{Exit, Failure};
use crate::log_reader::{Part, follow};
use crate::signer::{Signer, decimals, failed, reach};
use crate::statement::SigningArgs;
use crate::table::Table;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Grant a session to an agent: an owner signs it
    Grant(Box<GrantArgs>),
    /// Show every session of the log
    List,
    /// Show one session and what may still be spent
    Show {
        /// Which
        session: SessionId,
    },
    /// Revoke a session at once
    Revoke {
        /// Which
        session: SessionId,
    },
    /// Let a session that an alarm suspended spend again: owners sign it
    Resume {
        /// Which
        session: SessionId,
        #[command(flatten)]
        signing: SigningArgs,
    },
}

/// A grant.
#[derive(Debug, clap::Args)]
pub(crate) struct GrantArgs {
    /// A wallet that it covers (repeat)
    #[arg(long = "wallet", value_name = "WALLET", required = true)]
    wallets: Vec<WalletId>,
    /// An asset, most in one transaction and most in all, fees included, in the asset's unit:
    /// solana:localnet/slip44:501=0.5/5 (repeat)
    #[arg(long = "limit", value_name = "CAIP19=PER_TX/TOTAL", required = true, value_parser = limit)]
    limits: Vec<LimitText>,
    /// Most transactions in all
    #[arg(long, value_name = "N")]
    count: u32,
    /// How long it lasts: 12h, 30d
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires: Millis,
    /// The agent's public key: it signs every request (waiaas agent keygen)
    #[arg(long, value_name = "BASE58", value_parser = agent_key, required_unless_present = "bearer", conflicts_with = "bearer")]
    agent_key: Option<AgentKey>,
    /// A secret instead of a key, shown once: whoever has it, or controls the gateway, can spend the limits
    #[arg(long, conflicts_with = "draft")]
    bearer: bool,
    #[command(flatten)]
    bounds: BoundsArgs,
    #[command(flatten)]
    signing: SigningArgs,
}

/// A limit before its decimals are known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LimitText {
    asset: AssetId,
    per_transaction: String,
    total: String,
}

fn limit(text: &str) -> Result<LimitText, String> {
    let form =
        "an asset, =, most in one transaction, /, most in all: solana:localnet/slip44:501=0.5/5";
    let (asset, amounts) = text.split_once('=').ok_or(form)?;
    let (per_transaction, total) = amounts.split_once('/').ok_or(form)?;
    Ok(LimitText {
        asset: asset.parse().map_err(|error| format!("{error}"))?,
        per_transaction: per_transaction.to_owned(),
        total: total.to_owned(),
    })
}

/// Reads an agent's public key.
pub(crate) fn agent_key(text: &str) -> Result<AgentKey, String> {
    AgentKey::from_base58(text)
        .map_err(|_| "an Ed25519 public key is 32 bytes in base58".to_owned())
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Grant(args) => grant(app, *args).await,
        Command::List => list(app).await,
        Command::Show { session } => show(app, session).await,
        Command::Revoke { session } => {
            let sequence = reach(app)
                .await?
                .revoke_session(session)
                .await
                .map_err(failed("NOT revoked"))?;
            app.output.data(
                format!("{session} is revoked."),
                &json!({ "session": session, "sequence": sequence }),
            )
        }
        Command::Resume { session, signing } => {
            let facts = StatementFacts::ResumeSession { session };
            let done = format!("{session} may spend again.");
            owner_change::at_once(app, &facts, &signing, None, done).await
        }
    }
}

async fn grant(app: &App, args: GrantArgs) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let policy = signer.newest_policy().await?;
    let limits = limits(&args.limits, policy.as_ref())?;
    let mut wallets = args.wallets;
    wallets.sort_unstable();
    wallets.dedup();
    let secret = if args.bearer {
        Some(new_secret()?)
    } else {
        None
    };
    let credential = match (args.agent_key, &secret) {
        (Some(key), _) => Credential::AgentKey(key),
        (None, Some(secret)) => Credential::Bearer(hash(Domain::SessionSecret, &[&secret[..]])),
        (None, None) => return Err(Failure::usage("give --agent-key or --bearer")),
    };
    // Whole seconds, as the owner's text shows them.
    let now = now();
    let expires = now.after(args.expires).millis() / 1000 * 1000;
    let grant = SessionGrant {
        wallets,
        limits,
        count: args.count,
        expires: WallTime::from_millis(expires),
        credential,
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    };
    let grant = args.bounds.narrow(grant, now);
    if !grant.is_well_formed() {
        return Err(Failure::usage("the grant contradicts itself")
            .why("each limit's total must be at least its single amount, --count at least 1, lists have 16 entries at most, --renew-for is at least 1 minute, and --lifetime longer than --expires"));
    }
    let facts = StatementFacts::GrantSession {
        grant: grant.clone(),
    };
    let signed = args.signing.sign(&app.output, &signer, &facts).await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await;
    let sequence = submitted.map_err(failed("not granted"))?.sequence;
    let session = match signer.event(sequence).await? {
        EventBody::SessionGranted {
            session, statement, ..
        } if statement == signed.statement => session,
        _ => {
            return Err(
                Failure::internal("granted, and the log tells another event")
                    .next("waiaas session list"),
            );
        }
    };
    let mut words = format!("{session}\nends {}\n", grant.expires);
    let mut data = json!({
        "session": session,
        "signer": signer.pin.signer,
        "expires_unix_millis": grant.expires.millis(),
        "sequence": sequence,
    });
    if let Some(secret) = &secret {
        let secret = bearer_text(session, secret);
        words.push_str(&format!("secret {secret}\n"));
        if let Value::Object(fields) = &mut data {
            fields.insert("secret".to_owned(), json!(secret));
        }
        app.output.say(
            "The secret is shown this one time. Whoever has it can spend the session's limits.",
        );
    }
    app.output.data(words, &data)
}

/// Limits in base units, sorted.
fn limits(
    texts: &[LimitText],
    policy: Option<&PolicyDocument>,
) -> Result<Vec<SessionLimit>, Failure> {
    let mut limits = texts
        .iter()
        .map(|text| {
            let places = decimals(text.asset, policy).ok_or_else(|| {
                Failure::usage(format!("the decimals of {} are not known", text.asset))
                    .why("the adopted policy does not name it")
                    .next("adopt a policy that names the asset first")
            })?;
            let amount = |decimal: &str| {
                Amount::parse_decimal(decimal, places).map_err(|error| {
                    Failure::usage(format!("{}: {decimal:?}", text.asset)).why(error)
                })
            };
            Ok(SessionLimit {
                asset: text.asset,
                per_transaction: amount(&text.per_transaction)?,
                total: amount(&text.total)?,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    limits.sort_by_key(|limit| limit.asset);
    if limits.is_sorted_by(|one, other| one.asset < other.asset) {
        Ok(limits)
    } else {
        Err(Failure::usage("an asset is named twice"))
    }
}

/// 256 random bits.
fn new_secret() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::internal("the system's random source failed").why(error))?;
    Ok(bytes)
}

/// A bearer session's secret as the gateway takes it: session and secret in one text.
fn bearer_text(session: SessionId, secret: &[u8; 32]) -> String {
    format!("waiaas_{session}_{}", bs58::encode(secret).into_string())
}

async fn list(app: &App) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let mut granted = BTreeSet::new();
    follow(
        &app.home,
        &signer,
        crate::log_reader::Heads::Every,
        |part| {
            if let Part::Event(record) = part
                && let Ok(event) = from_canonical::<Event>(&record.body)
                && let EventBody::SessionGranted { session, .. } = event.body
            {
                granted.insert((record.sequence, session));
            }
            Ok(())
        },
    )
    .await?;
    let mut table = Table::new(&["SESSION", "STATE", "CREDENTIAL", "USED", "ENDS"]);
    let mut rows = Vec::new();
    for (_, session) in granted {
        let Some(view) = signer
            .client
            .remaining(session)
            .await
            .map_err(failed("no session"))?
        else {
            continue;
        };
        table.row([
            session.to_string(),
            state(view.state).to_owned(),
            credential(&view.grant.credential),
            format!("{} of {}", view.usage.count, view.grant.count),
            view.ends.to_string(),
        ]);
        rows.push(machine(&view));
    }
    let words = if table.is_empty() {
        "No session yet. Next: waiaas session grant".to_owned()
    } else {
        table.to_string()
    };
    app.output.data(words, &json!({ "sessions": rows }))
}

async fn show(app: &App, session: SessionId) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let view = signer
        .client
        .remaining(session)
        .await
        .map_err(failed("no session"))?;
    let view = view.ok_or_else(|| {
        Failure::new(Exit::Failure, format!("no session {session}")).next("waiaas session list")
    })?;
    let policy = signer.newest_policy().await?;
    app.output
        .data(human(&view, policy.as_ref()), &machine(&view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_in_the_assets_unit() {
        let sol = limit("solana:localnet/slip44:501=0.5/5").unwrap();
        let eth = limit("eip155:31337/slip44:60=0.01/0.1").unwrap();
        let read = limits(&[eth.clone(), sol.clone()], None).unwrap();
        let found = read.iter().find(|limit| limit.asset == sol.asset).unwrap();
        assert_eq!(found.per_transaction, Amount::from_base_units(500_000_000));
        assert_eq!(found.total, Amount::from_base_units(5_000_000_000));
        assert!(read.is_sorted_by(|one, other| one.asset < other.asset));
        assert!(limits(&[sol.clone(), sol], None).is_err(), "twice");
        let token = limit("eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48=1/2").unwrap();
        assert!(
            limits(&[token], None)
                .unwrap_err()
                .human()
                .contains("decimals")
        );
        for wrong in [
            "",
            "x=1/2",
            "eip155:1/slip44:60",
            "eip155:1/slip44:60=1",
            "eip155:1/slip44:60 1/2",
        ] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
        for wrong in ["1e3/2", "-1/2", "1/", ",5/1", "0.0000000000000000001/1"] {
            let text = limit(&format!("eip155:1/slip44:60={wrong}")).unwrap();
            assert!(limits(&[text], None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_long_and_differ() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(*one, *other);
        let session = SessionId::from_bytes([0; 16]);
        let text = bearer_text(session, &[1; 32]);
        assert_eq!(
            text,
            "waiaas_session_00000000000000000000000000_4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
        );
    }
}
