//! `waiaas init`: a new home with three configurations, a new keystore, and the recovery phrase shown
//! once. May be run again after an interruption: what is there is kept, a keystore is never replaced.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use waiaas_client::AdminClient;
use waiaas_shared::caip::{ChainId, Cluster, Family};
use waiaas_shared::network;
use zeroize::Zeroizing;

use crate::app::App;
use crate::commands::start::start_signer;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::prompt::{PasswordArgs, writer};
use crate::signer::{connect, failed, put};
use crate::witness::Pin;

/// What the owner has to know of them, in words that stay the same everywhere.
const PHRASE_SENTENCE: &str = "These words are your wallets. They work in other wallets and override every rule here. \
They do not restore imported keys, rules or history.";
/// Where the gateway's configuration takes the log key, once there is one.
const LOG_KEY_PLACE: &str = "# log-key = \"\"";
/// Words on a line.
const WORDS_A_LINE: usize = 6;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A network that the gateway serves, such as base, solana:localnet or eip155:31337 (repeat)
    #[arg(long = "network", value_name = "NETWORK", value_parser = network::chain)]
    networks: Vec<ChainId>,
    /// A node of a network, as in base=https://node.example (repeat; two of a network are tried in turn)
    #[arg(long = "rpc", value_name = "NETWORK=URL", value_parser = endpoint)]
    endpoints: Vec<Endpoint>,
    #[command(flatten)]
    password: PasswordArgs,
    /// Write the 24 words to this open file descriptor instead of the terminal
    #[arg(long, value_name = "N")]
    phrase_fd: Option<u32>,
}

/// A network's node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    network: ChainId,
    url: String,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let (network, url) = text
        .split_once('=')
        .ok_or("a network, =, and the node's address")?;
    let network = network::chain(network).map_err(|error| error.to_string())?;
    let sound = reqwest::Url::parse(url)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if sound {
        Ok(Endpoint {
            network,
            url: url.to_owned(),
        })
    } else {
        Err("a node's address begins with http:// or https:// and names a host".to_owned())
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let chains = chains(&args)?;
    // Where the words go is settled before there are any.
    let paper = Paper::find(app, args.phrase_fd)?;
    app.home.create()?;
    keep_or_write(app, &app.home.config(), &app.config.file())?;
    keep_or_write(app, &app.home.signer_config(), &signer_file(&app.home))?;
    keep_or_write(
        app,
        &app.home.gateway_config(),
        &gateway_file(&app.home, &app.config.gateway_url, &chains)?,
    )?;
    start_signer(app).await?;
    let client = connect(&app.config.admin_socket).await?;
    let status = client.status().await.map_err(failed("no status"))?;
    if let Some(signer) = status.signer {
        return Err(Failure::new(
            Exit::Failure,
            format!("this home has a keystore already, of {signer}"),
        )
        .why("a keystore is never replaced")
        .next("waiaas unlock; for another wallet set WAIAAS_HOME to another folder"));
    }
    if !status.claim_holds {
        app.output.say(super::start::CLAIM_VOID);
    }
    let password = args.password.read_new(&app.output)?;
    let ticket = put(&client, &password).await?;
    drop(password);
    app.output
        .say("Deriving the key; this takes a few seconds...");
    let made = client
        .initialize(&ticket)
        .await
        .map_err(failed("no keystore was made"))?;
    let phrase = client.take_secret(&made.phrase).await.map_err(|error| {
        failed("the keystore was made, and its recovery phrase was NOT shown")(error).next(
            "nothing is lost yet: stop, remove the `signer` folder of this home, and run `waiaas init` again",
        )
    })?;
    paper.write(&phrase)?;
    drop(phrase);
    let pinned = pin(app, &client).await;
    let words = format!(
        "{} is ready and unlocked.\nNext: waiaas owner enrol, waiaas wallet create, waiaas start",
        made.signer
    );
    let data = json!({
        "signer": made.signer,
        "home": app.home.root(),
        "log_key": pinned.as_ref().ok().map(Pin::key_text),
        "networks": chains.iter().map(|chain| chain.network).collect::<Vec<_>>(),
    });
    app.output.data(words, &data)?;
    pinned.map(|_| ())
}

/// Pins the log key and tells it the gateway, whose configuration is new.
async fn pin(app: &App, client: &AdminClient) -> Result<Pin, Failure> {
    let status = client
        .status()
        .await
        .map_err(failed("the log key was not pinned"))?;
    let pin = Pin::of_keystore(&app.home.signer_state().join("keystore"))?;
    pin.verify(&status.head)?;
    pin.write(&app.home)?;
    // A head of an earlier signer in this home says nothing about this one.
    let _none_is_fine = std::fs::remove_file(app.home.head());
    pin.keep(&app.home, &status.head)?;
    let path = app.home.gateway_config();
    let file = app.home.read(&path)?.unwrap_or_default();
    let line = format!("log-key = \"{}\"", pin.key_text());
    if file.contains(LOG_KEY_PLACE) {
        app.home
            .write(&path, file.replacen(LOG_KEY_PLACE, &line, 1).as_bytes())?;
    } else if !file.contains(&line) {
        app.output
            .say(format!("Put this into {}: {line}", path.display()));
    }
    Ok(pin)
}

/// A network with its nodes.
#[derive(Debug, PartialEq, Eq)]
struct Chain {
    network: ChainId,
    rpc: Vec<String>,
}

/// Every network named, each once, with its nodes.
fn chains(args: &Args) -> Result<Vec<Chain>, Failure> {
    let mut networks: Vec<_> = args.networks.clone();
    networks.extend(args.endpoints.iter().map(|endpoint| endpoint.network));
    networks.sort_unstable();
    networks.dedup();
    networks
        .into_iter()
        .map(|network| {
            let named = args
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.network == network);
            let mut rpc: Vec<_> = named.map(|endpoint| endpoint.url.clone()).collect();
            if rpc.is_empty() {
                rpc.push(local_node(network).ok_or_else(|| {
                    Failure::usage(format!("no node for {network}"))
                        .next(format!("give --rpc {network}=URL"))
                })?);
            }
            Ok(Chain { network, rpc })
        })
        .collect()
}

/// Where a chain on this machine listens by custom.
fn local_node(network: ChainId) -> Option<String> {
    match network {
        ChainId::Solana(cluster) if cluster.reference() == Cluster::LOCALNET => {
            Some("http://127.0.0.1:8899".to_owned())
        }
        ChainId::Evm(31_337 | 1337) => Some("http://127.0.0.1:8545".to_owned()),
        _ => None,
    }
}

/// A configuration that is there is the owner's.
fn keep_or_write(app: &App, path: &Path, text: &str) -> Result<(), Failure> {
    if path.exists() {
        app.output.say(format!(
            "{} is there already and stays as it is.",
            path.display()
        ));
        return Ok(());
    }
    app.home.write(path, text.as_bytes())
}

fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

/// `signer.toml`: state and sockets of this home, for this user alone.
fn signer_file(home: &Home) -> String {
    format!(
        "# The signer (docs/operations.md). Unknown keys are refused.\n\
         state-directory = {}\ngateway-socket = {}\nadmin-socket = {}\n",
        quoted(&home.signer_state()),
        quoted(&home.gateway_socket()),
        quoted(&home.admin_socket()),
    )
}

/// `gateway.toml`: where it listens, its way to the signer, the chains.
fn gateway_file(home: &Home, url: &str, chains: &[Chain]) -> Result<String, Failure> {
    let url =
        reqwest::Url::parse(url).map_err(|error| Failure::internal("gateway-url").why(error))?;
    let host = url.host_str().unwrap_or("127.0.0.1");
    let host = if host == "localhost" {
        "127.0.0.1"
    } else {
        host
    };
    let port = url.port_or_known_default().unwrap_or(3100);
    let mut text = format!(
        "# The gateway (docs/operations.md). Unknown keys are refused.\n\
         listen = \"{host}:{port}\"\nsigner-socket = {}\ndatabase = {}\n{LOG_KEY_PLACE}\n",
        quoted(&home.gateway_socket()),
        quoted(&home.gateway_state().join("gateway.db")),
    );
    for chain in chains {
        let rpc: Vec<_> = chain
            .rpc
            .iter()
            .map(|url| toml::Value::String(url.clone()))
            .collect();
        text.push_str(&format!(
            "\n[[chain]]\nid = \"{}\"\nrpc = {}\n",
            chain.network,
            toml::Value::Array(rpc)
        ));
        let ready = network::of(chain.network).is_some();
        if chain.network.family() == Family::Evm && chain.network.is_test_network() && !ready {
            // A local chain makes a block only when something happens.
            text.push_str("confirmations = 1\n");
        }
    }
    Ok(text)
}

/// Where the words are written.
enum Paper {
    /// Where standard error goes, which is not buffered.
    Terminal,
    Descriptor(File),
}

impl Paper {
    fn find(app: &App, descriptor: Option<u32>) -> Result<Self, Failure> {
        if let Some(number) = descriptor {
            return writer(number).map(Self::Descriptor);
        }
        let nowhere = || {
            Failure::usage("the recovery phrase can be shown nowhere")
                .why("there is no terminal")
                .next("give --phrase-fd N, as in `waiaas init ... --phrase-fd 4 4>file`")
        };
        if app.output.is_interactive() {
            Ok(Self::Terminal)
        } else {
            Err(nowhere())
        }
    }

    /// Writes the words, unbuffered: no copy of them is made here.
    fn write(self, phrase: &Zeroizing<Vec<u8>>) -> Result<(), Failure> {
        let written = match self {
            Self::Descriptor(mut file) => {
                file.write_all(phrase).and_then(|()| file.write_all(b"\n"))
            }
            Self::Terminal => write_numbered(&mut std::io::stderr(), phrase),
        };
        written.map_err(|error| {
            Failure::new(Exit::Failure, "the recovery phrase was NOT written")
                .why(error)
                .next("nothing is lost yet: stop, remove the `signer` folder of this home, and run `waiaas init` again")
        })
    }
}

fn write_numbered(to: &mut impl std::io::Write, phrase: &[u8]) -> std::io::Result<()> {
    writeln!(
        to,
        "\nYour recovery phrase, shown this one time. Write it on paper, now.\n"
    )?;
    for (place, word) in phrase.split(|byte| *byte == b' ').enumerate() {
        write!(to, "{:>2} ", place + 1)?;
        to.write_all(word)?;
        // The longest word of BIP-39 has eight letters.
        let blanks = 10_usize.saturating_sub(word.len());
        if (place + 1) % WORDS_A_LINE == 0 {
            writeln!(to)?;
        } else {
            write!(to, "{:blanks$}", "")?;
        }
    }
    writeln!(to, "\n{PHRASE_SENTENCE}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(networks: &[&str], endpoints: &[&str]) -> Args {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let mut line = vec!["init".to_owned()];
        networks
            .iter()
            .for_each(|network| line.extend(["--network".to_owned(), (*network).to_owned()]));
        endpoints
            .iter()
            .for_each(|node| line.extend(["--rpc".to_owned(), (*node).to_owned()]));
        <Line as clap::Parser>::parse_from(line).args
    }

    #[test]
    fn networks_have_nodes() {
        let local = chains(&args(
            &["solana:localnet", "eip155:31337", "solana:localnet"],
            &[],
        ))
        .unwrap();
        assert_eq!(local.len(), 2);
        let named = chains(&args(
            &["eip155:1"],
            &[
                "eip155:1=https://a.example/key",
                "eip155:1=https://b.example",
            ],
        ))
        .unwrap();
        assert_eq!(named[0].rpc, ["https://a.example/key", "https://b.example"]);
        let none = chains(&args(&["eip155:1"], &[])).unwrap_err();
        assert!(
            none.human().contains("--rpc eip155:1=URL"),
            "{}",
            none.human()
        );
        for wrong in [
            "eip155:1",
            "eip155:1=",
            "eip155:1=ftp://x",
            "evm:1=http://x",
        ] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_toml() {
        let home = Home::at("/home/an \"owner\"/.waiaas".into()).unwrap();
        let signer: toml::Table = toml::from_str(&signer_file(&home)).unwrap();
        assert_eq!(
            signer["admin-socket"].as_str().unwrap(),
            home.admin_socket().to_str().unwrap()
        );
        let chains = chains(&args(&["solana:localnet", "eip155:31337"], &[])).unwrap();
        let gateway = gateway_file(&home, "http://localhost:3100", &chains).unwrap();
        let table: toml::Table = toml::from_str(&gateway).unwrap();
        assert_eq!(table["listen"].as_str(), Some("127.0.0.1:3100"));
        assert_eq!(table["chain"].as_array().unwrap().len(), 2);
        let pinned = gateway.replacen(LOG_KEY_PLACE, "log-key = \"x\"", 1);
        assert_eq!(
            toml::from_str::<toml::Table>(&pinned).unwrap()["log-key"].as_str(),
            Some("x")
        );
    }

    #[test]
    fn the_words_are_numbered_and_the_warning_follows() {
        let phrase = ["abandon"; 24].join(" ");
        let mut shown = Vec::new();
        write_numbered(&mut shown, phrase.as_bytes()).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("\n 7 abandon    8 abandon"), "{shown}");
        assert!(shown.contains("24 abandon\n"), "{shown}");
        assert!(shown.contains(PHRASE_SENTENCE));
    }
}
