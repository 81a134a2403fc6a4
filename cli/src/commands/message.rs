//! `waiaas message`: messages that the signer writes and signs for an agent. Logins at web sites that policy
//! names, and authorizations of a token's transfer; no text and no typed data of the caller's is ever signed.

mod authorization;

use serde_json::{Map, Value, json};
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::{SignerId, WalletId};

use super::tx::told_signer;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::http::PATIENCE;
use crate::output::printable;
use crate::rest::{AgentArgs, Post, broken, random_name};
use crate::witness::Pin;

/// What is signed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sign in at a web site that policy names; shows the message and its signature
    SignIn(Box<SignInArgs>),
    /// Authorize a transfer of a token for somebody else to bring to the chain (EIP-3009); shows it with its signature
    TransferAuthorization(Box<authorization::AuthorizationArgs>),
}

/// A login.
#[derive(Debug, clap::Args)]
pub(crate) struct SignInArgs {
    /// As which wallet
    #[arg(long, value_name = "WALLET")]
    wallet: WalletId,
    /// On which network
    #[arg(long, value_name = "CAIP2")]
    network: ChainId,
    /// At which site: its host, and its port if it is not the usual one
    #[arg(long, value_name = "HOST")]
    domain: String,
    /// What at the site; without it: https:// and the domain
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// The site's nonce
    #[arg(long, value_name = "NONCE")]
    nonce: String,
    /// The site's statement
    #[arg(long, value_name = "TEXT")]
    statement: Option<String>,
    /// For how many seconds the site may take it; without it: as long as policy lets
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    expires_in: Option<u64>,
    /// The site's own name for the login
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// What the site may reach besides, as policy names it; again for each
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

/// How any message is asked for.
#[derive(Debug, clap::Args)]
struct Asking {
    /// Ask what would be decided, and sign nothing
    #[arg(long, conflicts_with = "idempotency_key")]
    dry_run: bool,
    /// Your name for this request: the same one and the same request never sign another message; without it a
    /// random one
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The signer that is meant; without it: the one pinned in this home, else what the gateway tells
    #[arg(long, value_name = "SIGNER")]
    signer: Option<SignerId>,
    #[command(flatten)]
    agent: AgentArgs,
}

/// Where a message is asked for, and judged.
struct Route {
    path: &'static str,
    dry_run: &'static str,
}

const SIGN_IN: Route = Route {
    path: "/v1/messages/sign-in",
    dry_run: "/v1/messages/sign-in/dry-run",
};

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::SignIn(args) => sign_in(app, *args).await,
        Command::TransferAuthorization(args) => authorization::run(app, *args).await,
    }
}

async fn sign_in(app: &App, args: SignInArgs) -> Result<(), Failure> {
    let answer = args
        .asking
        .ask(app, &SIGN_IN, |signer| body(&args, signer))
        .await?;
    match answer {
        Some(signed) => app.output.data(words(&signed), &signed),
        None => Ok(()),
    }
}

impl Asking {
    /// What was signed; none of a dry run, whose judgement is shown.
    async fn ask(
        &self,
        app: &App,
        route: &Route,
        body: impl FnOnce(SignerId) -> Value,
    ) -> Result<Option<Value>, Failure> {
        if let Some(key) = &self.idempotency_key
            && !waiaas_shared::request::is_idempotency_key(key)
        {
            return Err(Failure::usage(
                "--idempotency-key has 1 to 128 visible ASCII characters",
            ));
        }
        let agent = self.agent.agent(&app.config.gateway_url)?;
        let token = agent.token().await?;
        let signer = match self.signer {
            Some(signer) => signer,
            None => match Pin::read(&app.home)? {
                Some(pin) => pin.signer,
                None => told_signer(&agent, &token).await?,
            },
        };
        let body = body(signer).to_string();
        let idempotency_key = match &self.idempotency_key {
            Some(key) => key.clone(),
            None => random_name()?,
        };
        let post = |path| Post {
            path,
            query: "?",
            body: body.as_bytes(),
            idempotency_key: &idempotency_key,
            patience: PATIENCE,
        };
        if self.dry_run {
            let judged = agent.post(&token, &post(route.dry_run)).await?;
            judgement(app, &judged)?;
            return Ok(None);
        }
        let signed = agent.post(&token, &post(route.path)).await;
        signed.map(Some).map_err(|failure| match failure.exit() {
            // What became of it is not known: the same key again signs nothing else.
            Exit::Unavailable => failure.next(format!(
                "ask again with the same name, which signs no other message: --idempotency-key {idempotency_key}"
            )),
            _ => failure,
        })
    }
}

fn judgement(app: &App, judged: &Value) -> Result<(), Failure> {
    let allowed = judged.get("allowed").and_then(Value::as_bool) == Some(true);
    let words = if allowed {
        format!("would be signed, tier {}", text(judged, "tier"))
    } else {
        "would be refused".to_owned()
    };
    app.output.data(printable(&words), judged)?;
    if allowed {
        Ok(())
    } else {
        Err(Failure::new(Exit::Denied, "would be refused").broken(broken(judged)))
    }
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The message as the site reads it, line by line, then its signature.
fn words(signed: &Value) -> String {
    let lines = text(signed, "text").lines().map(printable);
    let mut words: Vec<String> = lines.collect();
    words.push(String::new());
    for field in ["envelope", "signature", "message"] {
        words.push(printable(&format!("{field}: {}", text(signed, field))));
    }
    words.join("\n")
}

/// The body, with nothing that was not asked for.
fn body(args: &SignInArgs, signer: SignerId) -> Value {
    let usual = || format!("https://{}", args.domain);
    let mut body = Map::new();
    let mut set = |field: &str, value: Value| drop(body.insert(field.to_owned(), value));
    set("signer", json!(signer));
    set("wallet", json!(args.wallet));
    set("network", json!(args.network));
    set("domain", json!(args.domain));
    set("uri", json!(args.uri.clone().unwrap_or_else(usual)));
    set("nonce", json!(args.nonce));
    if let Some(statement) = &args.statement {
        set("statement", json!(statement));
    }
    if let Some(seconds) = args.expires_in {
        set("expires_in", json!(seconds));
    }
    if let Some(id) = &args.request_id {
        set("request_id", json!(id));
    }
    if !args.resources.is_empty() {
        set("resources", json!(args.resources));
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use waiaas_shared::request::SignInRequest;
    use waiaas_shared::time::Millis;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: SignInArgs,
    }

    fn parsed(more: &[&str]) -> Result<SignInArgs, clap::Error> {
        let least = [
            "sign-in",
            "--wallet",
            "wallet_00000000000000000000000001",
            "--network",
            "eip155:31337",
            "--domain",
            "app.example.org",
            "--nonce",
            "oBbLoEldZs",
            "--bearer-file",
            "secret",
        ];
        <Line as clap::Parser>::try_parse_from(least.iter().chain(more)).map(|line| line.args)
    }

    /// The body is one that signer and gateway read, strictly.
    #[test]
    fn bodies_are_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let read = |more: &[&str]| {
            let body = body(&parsed(more).unwrap(), signer).to_string();
            SignInRequest::parse(body.as_bytes()).unwrap()
        };
        let least = read(&[]);
        assert_eq!(least.uri, "https://app.example.org");
        assert_eq!((least.valid_for(), least.statement), (None, None));
        let most = read(&[
            "--uri",
            "https://app.example.org/login",
            "--statement",
            "I accept the Terms.",
            "--expires-in",
            "60",
            "--request-id",
            "req-1",
            "--resource",
            "ipfs://a",
            "--resource",
            "ipfs://b",
        ]);
        assert_eq!(most.valid_for(), Some(Millis::from_secs(60)));
        assert_eq!(most.resources, ["ipfs://a", "ipfs://b"]);
        for more in [
            &["--expires-in", "0"][..],
            &["--dry-run", "--idempotency-key", "a"],
        ] {
            assert!(parsed(more).is_err(), "{more:?}");
        }
    }

    #[test]
    fn a_site_steers_no_terminal() {
        let signed = json!({
            "text": "a.example wants\n\u{1b}[2Jb",
            "envelope": "eip191",
            "signature": "0x00",
            "message": "message_00000000000000000000000001",
        });
        let words = words(&signed);
        assert!(!words.contains('\u{1b}'), "{words}");
        assert!(words.starts_with("a.example wants\n"));
        assert!(words.contains("signature: 0x00"));
    }
}
