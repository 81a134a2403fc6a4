//! `waiaas agent proxy`: what it is told, and how it says that it serves. The serving itself stands in `proxy`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::proxy::{Door, Forwarder, Proxy};
use crate::rest::AgentArgs;

/// Where it listens and for whom it signs.
#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArgs {
    /// The Unix socket to listen on, which this user alone can open; without it: run/agent.sock in the home
    #[arg(long, value_name = "FILE", conflicts_with = "listen")]
    socket: Option<PathBuf>,
    /// Listen on this loopback address instead, behind a local token; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The file of the local token, which callers send as `Authorization: Bearer`; made if there is none.
    /// Without it: run/agent-proxy.token in the home
    #[arg(long, value_name = "FILE", requires = "listen")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    agent: AgentArgs,
}

/// Runs the command: until the process is told to end.
pub(super) async fn run(app: &App, args: ProxyArgs) -> Result<(), Failure> {
    let url = args.agent.url(&app.config.gateway_url);
    let agent = args.agent.agent(&app.config.gateway_url)?;
    let forwarder = Forwarder::new(agent, url)?;
    match forwarder.log_in().await {
        // It may come: until then every request is told so.
        Err(failure) if failure.exit() == Exit::Unavailable => app.output.say(failure.human()),
        other => other?,
    }
    let session = forwarder.session().to_owned();
    if args.socket.is_none() && args.token_file.is_none() {
        app.home.create()?;
    }
    let (door, place, data) = match args.listen {
        None => {
            let path = args.socket.unwrap_or_else(|| app.home.agent_socket());
            let place = path.display().to_string();
            let data = json!({ "socket": path, "session": session });
            (Door::socket(&path)?, place, data)
        }
        Some(address) => {
            let file = args.token_file.unwrap_or_else(|| app.home.proxy_token());
            let door = Door::loopback(address, &file)?;
            let url = format!("http://{}", door.address().unwrap_or(address));
            let data = json!({ "url": url, "token_file": file, "session": session });
            (door, url, data)
        }
    };
    app.output.data(place, &data)?;
    Proxy::new(door, forwarder, app.output).serve().await
}
