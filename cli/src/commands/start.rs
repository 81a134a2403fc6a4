//! `waiaas start`: both processes in the background, ready when it returns.

use serde_json::json;

use crate::app::App;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::rest::Gateway;
use crate::signer;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start the signer and leave the gateway
    #[arg(long)]
    signer_only: bool,
}

/// What a claim that is void means, for every place that says so.
pub(crate) const CLAIM_VOID: &str = "\
Gateway, signer and owner run under one user: everything works, and the promise that a compromised
gateway cannot take keys or exceed the policy is VOID. For real value run them under different users
or in containers (docs/operations.md).";

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let signer = start_signer(app).await?;
    let gateway = if args.signer_only {
        None
    } else {
        Some(start_gateway(app).await?)
    };
    let status = signer::reach(app)
        .await?
        .status()
        .await
        .map_err(signer::failed("no status"))?;
    if !status.claim_holds {
        app.output.say(CLAIM_VOID);
    }
    let mut words = format!("signer running, process {signer}\n");
    if let Some(gateway) = gateway {
        words.push_str(&format!(
            "gateway running, process {gateway}, at {}\n",
            app.config.gateway_url
        ));
    }
    if status.signer.is_none() {
        words.push_str("Next: waiaas init\n");
    } else if !status.unlocked {
        words.push_str("The signer is locked. Next: waiaas unlock\n");
    }
    let data = json!({
        "signer": { "pid": signer, "initialized": status.signer.is_some(), "unlocked": status.unlocked },
        "gateway": gateway.map(|pid| json!({ "pid": pid, "url": app.config.gateway_url })),
        "claim_holds": status.claim_holds,
    });
    app.output.data(words, &data)
}

/// Starts the signer unless it runs; its process id.
pub(crate) async fn start_signer(app: &App) -> Result<i32, Failure> {
    let config = app.home.signer_config();
    require(&config)?;
    let daemon = Daemon::new(&app.home, "signer");
    if let Some(pid) = daemon.running()? {
        return Ok(pid);
    }
    let mut child = daemon.start(&app.config.signer_binary, &config)?;
    let answers = || async {
        match signer::connect(&app.config.admin_socket).await {
            Ok(client) => client.status().await.is_ok(),
            Err(_) => false,
        }
    };
    daemon.wait_until_ready(&mut child, answers).await?;
    pid_of(&child)
}

/// Starts the gateway unless it runs; its process id.
pub(crate) async fn start_gateway(app: &App) -> Result<i32, Failure> {
    let config = app.home.gateway_config();
    require(&config)?;
    let daemon = Daemon::new(&app.home, "gateway");
    if let Some(pid) = daemon.running()? {
        return Ok(pid);
    }
    let gateway = Gateway::new(&app.config.gateway_url)?;
    let mut child = daemon.start(&app.config.gateway_binary, &config)?;
    let gateway = &gateway;
    daemon
        .wait_until_ready(&mut child, || async { gateway.is_healthy().await })
        .await?;
    pid_of(&child)
}

fn pid_of(child: &std::process::Child) -> Result<i32, Failure> {
    i32::try_from(child.id()).map_err(|_| Failure::internal("a process id beyond 31 bits"))
}

fn require(config: &std::path::Path) -> Result<(), Failure> {
    if config.exists() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Configuration,
        format!("{} is missing", config.display()),
    )
    .why("this home was not set up")
    .next("waiaas init"))
}
