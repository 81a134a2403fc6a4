//! `cargo xtask bench`: the product's speed beside its ceilings, both from one run on one machine, as a table and as
//! JSON. Figures are meant as ratios; nothing asserts an absolute time unless it is asked to (`--assert`). `--check` runs each benchmark for a moment
//! and holds it to its line in docs/performance.md; that those which need no chain pass is a test.

mod ceilings;
mod decode;
mod effort;
mod judgement;
mod load;
mod policy;
mod shown;
mod targets;
mod traffic;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use xtask::agent::{Agent, Transfer, fresh};
use xtask::chains::Surfnet;
use xtask::home::{Home, Running};
use xtask::http::Request;
use xtask::interrupt::Interrupt;
use xtask::product::{Product, Profile};
use xtask::progress::Progress;
use xtask::tools::{packages, surfnet};
use xtask::workspace;

use self::ceilings::Ceilings;
use self::effort::Effort;
use self::load::{Latencies, Measured, count, micros, percentile};

const STEPS: usize = 5;
const SOLANA: &str = "solana:localnet";
const TO: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Requests of one measurement, over all its connections.
const REQUESTS: usize = 6_400;
/// Requests at one connection.
const REQUESTS_ALONE: usize = 1_500;
/// Before anything is measured.
const WARM_UP: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Write the figures as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only what policy costs: one judgement and a replay; needs no chain
    #[arg(long)]
    policy: bool,
    /// Only what reading a transaction costs; needs no chain
    #[arg(long, conflicts_with = "policy")]
    decode: bool,
    /// Run each for a moment, as built for tests: whether it works and is listed, not how fast it is
    #[arg(long, conflicts_with_all = ["json", "command"])]
    check: bool,
    /// End with an error if a figure misses its target: judgements, replays and decoders, of the CPU
    #[arg(long, conflicts_with = "check")]
    assert: bool,
    /// With --policy: the `waiaas` whose replay is measured as well
    #[arg(long, value_name = "FILE", requires = "policy")]
    command: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Bench, interrupt: &Interrupt) -> Result<()> {
    let effort = if arguments.check {
        Effort::Check
    } else {
        Effort::Full
    };
    if cfg!(debug_assertions) && effort == Effort::Full {
        return as_shipped(interrupt);
    }
    if arguments.policy || arguments.decode {
        let mut progress = Progress::new(1);
        let figures = if arguments.decode {
            progress.step("decoders");
            json!({ "decode": decode::measure(effort)? })
        } else {
            progress.step("policy");
            json!({ "policy": policy::measure(arguments.command.as_deref(), effort)? })
        };
        if effort == Effort::Check {
            effort::listed(&figures)?;
            progress.done();
            return Ok(());
        }
        progress.note(serde_json::to_string_pretty(&figures)?);
        if let Some(file) = &arguments.json {
            std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
        }
        progress.done();
        return match arguments.assert {
            true => targets::hold(&figures),
            false => Ok(()),
        };
    }
    let mut progress = Progress::new(STEPS);
    progress.step("tools");
    packages::install(interrupt)?;
    let mut chain = surfnet::Background::start()?;
    while !chain.ready()? {
        interrupt.sleep(Duration::from_millis(500))?;
    }
    progress.done();

    progress.step("the programs");
    let profile = match effort {
        Effort::Full => Profile::Release,
        Effort::Check => Profile::TESTS,
    };
    let product = Product::build(profile, interrupt)?;
    progress.done();

    progress.step("ceilings");
    let folder = std::env::temp_dir().join(format!("waiaas-bench-{}", std::process::id()));
    let stage = Stage::set_up(&product, &folder);
    let figures = stage.and_then(|stage| {
        let ceilings = ceilings::measure(&folder, effort)?;
        progress.done();
        progress.step("the product");
        let figures = stage.measure(&ceilings, &progress, effort)?;
        progress.done();
        Ok(figures)
    });
    let removed = std::fs::remove_dir_all(&folder);
    let figures = figures?;
    removed?;

    progress.step("figures");
    if effort == Effort::Check {
        effort::listed(&figures)?;
        progress.done();
        return Ok(());
    }
    progress.note(shown::table(&figures)?);
    if let Some(file) = &arguments.json {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    progress.done();
    if arguments.assert {
        targets::hold(&figures)?;
    }
    Ok(())
}

/// The same command once more, built as the programs are shipped: what it measures by itself, ceilings,
/// judgements and replays, must not be slower than in them.
fn as_shipped(interrupt: &Interrupt) -> Result<()> {
    let mut command = workspace::cargo();
    command
        .args([
            "run",
            "--quiet",
            "--locked",
            "--release",
            "--package",
            "xtask",
            "--",
        ])
        .args(std::env::args_os().skip(1));
    let status = interrupt.run("cargo", &mut command)?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

/// A wallet with one key-bound session and no limit that the benchmark could reach.
struct Stage {
    home: Home,
    running: Running,
    agent: Agent,
    wallet: String,
    locked_memory: (u64, u64),
    _chain: Surfnet,
}

impl Stage {
    fn set_up(product: &Product, folder: &std::path::Path) -> Result<Self> {
        let chain = Surfnet::start(400)?;
        let home = Home::create(product, folder, &[(SOLANA, chain.url())])?;
        home.set_chains(&[(SOLANA, chain.url())])?;
        let running = home.start()?;
        let locked_memory = (
            usage::resident(running.signer.id())?,
            usage::resident(running.gateway.id())?,
        );
        home.cli_with_password(&["unlock"])?;
        let owner = home.owner(&[])?;
        let (wallet, address) = home.wallet("solana", SOLANA)?;
        chain.fund(&address, 100_000_000_000)?;
        home.adopt(&open_policy(), &owner)?;
        let limit = format!("{SOLANA}/slip44:501=1000000/100000000");
        let agent = home.agent(&owner, &[&wallet], &[&limit], false)?;
        // Before the second start nothing was warm: the start-up that counts is of a home with a log.
        drop(running);
        let running = home.start_unlocked()?;
        Ok(Self {
            home,
            running,
            agent,
            wallet,
            locked_memory,
            _chain: chain,
        })
    }

    fn sign_only(&self) -> Result<Request> {
        let transfer = Transfer {
            wallet: self.wallet.clone(),
            network: SOLANA.to_owned(),
            to: TO.to_owned(),
            amount_base: "1000".to_owned(),
            submit: false,
        };
        self.agent.transfer(&transfer, &fresh()?, 0)
    }

    fn dry_run(&self) -> Result<Request> {
        let mut request = self.sign_only()?;
        request.target = "/v1/transactions/dry-run".to_owned();
        Ok(request)
    }

    fn requests(
        &self,
        connections: usize,
        effort: Effort,
        make: impl Fn() -> Result<Request>,
    ) -> Result<Vec<Vec<Request>>> {
        let all = effort.requests(if connections == 1 {
            REQUESTS_ALONE
        } else {
            REQUESTS
        });
        let one = || (0..(all / connections).max(1)).map(|_| make()).collect();
        (0..connections).map(|_| one()).collect()
    }

    fn measure(&self, ceilings: &Ceilings, progress: &Progress, effort: Effort) -> Result<Value> {
        let url = self.home.url();
        let hello = || {
            Ok(Request {
                method: "GET",
                target: "/health".to_owned(),
                headers: vec![],
                body: vec![],
            })
        };
        load::run(
            "warm-up",
            &url,
            vec![
                (0..effort.requests(WARM_UP))
                    .map(|_| self.sign_only())
                    .collect::<Result<_>>()?,
            ],
        )?;
        let rpc = self.rpc_round_trip()?;
        let mut measured: Vec<Measured> = Vec::new();
        let mut cpu: BTreeMap<String, Value> = BTreeMap::new();
        let mut authority_per_command = Duration::ZERO;
        let mut syncs_per_signature = 0.0;
        for connections in CONNECTIONS {
            progress.note(format_args!("{connections} connections"));
            measured.push(load::run(
                "hello (GET /health)",
                &url,
                self.requests(connections, effort, hello)?,
            )?);
            let status = || Ok(self.agent.get("/v1/session"));
            measured.push(load::run(
                "status (GET /v1/session)",
                &url,
                self.requests(connections, effort, status)?,
            )?);
            measured.push(load::run(
                "dry run",
                &url,
                self.requests(connections, effort, || self.dry_run())?,
            )?);
            let lists = self.requests(connections, effort, || self.sign_only())?;
            let heads = self.heads()?;
            let before = (
                usage::cpu(self.running.signer.id())?,
                usage::cpu(self.running.gateway.id())?,
            );
            let signed = load::run("sign-only", &url, lists)?;
            let after = (
                usage::cpu(self.running.signer.id())?,
                usage::cpu(self.running.gateway.id())?,
            );
            let heads = self.heads()? - heads;
            let each = |spent: Duration| micros(spent) / count(signed.requests);
            let authority = thread(&after.0, "authority") - thread(&before.0, "authority");
            cpu.insert(
                format!("sign-only at {connections}"),
                json!({
                    "signer_us": each(usage::total(&after.0) - usage::total(&before.0)),
                    "signer_authority_us": each(authority),
                    "gateway_us": each(usage::total(&after.1) - usage::total(&before.1)),
                    "commits": heads,
                }),
            );
            if Some(&connections) == CONNECTIONS.last() {
                authority_per_command = authority / u32::try_from(signed.requests)?;
                syncs_per_signature = count(heads) / count(signed.requests);
            }
            measured.push(signed);
        }
        let alone = find(&measured, "sign-only", 1)?;
        let hello = find(&measured, "hello (GET /health)", 1)?;
        let parts = hello.p50_us
            + micros(rpc)
            + micros(ceilings.synced_append)
            + micros(ceilings.request_verification)
            + micros(ceilings.ed25519_sign)
            + micros(ceilings.ed25519_verify);
        let crowd = find(&measured, "sign-only", 64)?;
        let authority_ceiling = 1.0 / authority_per_command.as_secs_f64();
        Ok(json!({
            "ceilings_us": {
                "hello": hello.p50_us,
                "rpc_round_trip": micros(rpc),
                "synced_append": micros(ceilings.synced_append),
                "request_verification": micros(ceilings.request_verification),
                "ed25519_sign": micros(ceilings.ed25519_sign),
                "ed25519_verify": micros(ceilings.ed25519_verify),
                "secp256k1_sign": micros(ceilings.secp256k1_sign),
                "secp256k1_verify": micros(ceilings.secp256k1_verify),
            },
            "measured": measured,
            "cpu_per_request": cpu,
            "memory_kib": {
                "signer_locked": self.locked_memory.0,
                "gateway_locked": self.locked_memory.1,
                "signer_unlocked": usage::resident(self.running.signer.id())?,
                "gateway_after_load": usage::resident(self.running.gateway.id())?,
            },
            "start_ms": {
                "signer": micros(self.running.signer_start) / 1000.0,
                "gateway": micros(self.running.gateway_start) / 1000.0,
            },
            "decode": decode::measure(effort)?,
            "policy": policy::measure(Some(self.home.command(&[]).get_program().as_ref()), effort)?,
            "ratios": {
                "sign_only_p50_to_sum_of_parts": { "value": alone.p50_us / parts, "target_at_most": 2.0 },
                "syncs_per_signature_at_64": { "value": syncs_per_signature, "target_at_most": 0.125 },
                "sign_only_per_second_to_authority_ceiling_at_64": {
                    "value": crowd.per_second / authority_ceiling, "target_at_least": 0.6,
                },
            },
        }))
    }

    /// Commits so far: each has one signed head.
    fn heads(&self) -> Result<usize> {
        let socket = self.home.folder().join("run/gateway.sock");
        block_on(async {
            let client = waiaas_client::GatewayClient::connect(&socket).await?;
            let (mut after, mut heads) = (0, 0);
            loop {
                let page = client.events(after, 200_000, Duration::ZERO).await?;
                let Some(last) = page.events.last() else {
                    return Ok(heads);
                };
                after = last.sequence;
                heads += page.heads.len();
            }
        })
    }

    /// The cheapest call over the gateway's own socket.
    fn rpc_round_trip(&self) -> Result<Duration> {
        let socket = self.home.folder().join("run/gateway.sock");
        block_on(async {
            let client = waiaas_client::GatewayClient::connect(&socket).await?;
            let mut times = Latencies::default();
            for _ in 0..REQUESTS_ALONE {
                let from = Instant::now();
                client.status().await?;
                times.0.push(from.elapsed());
            }
            Ok(percentile(&mut times, 50))
        })
    }
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn thread(threads: &BTreeMap<String, Duration>, name: &str) -> Duration {
    threads.get(name).copied().unwrap_or_default()
}

fn find<'a>(measured: &'a [Measured], name: &str, connections: usize) -> Result<&'a Measured> {
    measured
        .iter()
        .find(|one| one.name == name && one.connections == connections)
        .with_context(|| format!("{name} at {connections} was not measured"))
}

fn open_policy() -> String {
    format!(
        "version = 1
epoch = 1

[[asset]]
id = \"{SOLANA}/slip44:501\"
symbol = \"SOL\"
decimals = 9
per-transaction = \"1000000\"
hour = \"100000000\"
day = \"100000000\"
week = \"100000000\"
month = \"100000000\"
instant-up-to = \"1000000\"
notify-up-to = \"1000000\"
fee-ceiling = \"0.01\"

[[recipient]]
name = \"shop\"
account = \"{SOLANA}:{TO}\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What needs no chain: each for a moment, and each with its line in the documentation.
    #[test]
    fn benchmarks_run_and_are_listed() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("waiaas-check-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = ceilings::measure(&folder, Effort::Check);
        std::fs::remove_dir_all(&folder)?;
        measured?;
        let figures = json!({
            "decode": decode::measure(Effort::Check)?,
            "policy": policy::measure(None, Effort::Check)?,
        });
        effort::listed(&figures)?;
        let unlisted = json!({ "decode": { "of_nobody": 1.0 } });
        assert!(effort::listed(&unlisted).is_err());
        Ok(())
    }
}
