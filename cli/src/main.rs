//! `waiaas`, the owner's and the agent's command line: which commands there are, and how one ends.
//! Only this file prints failures and chooses the exit code.
#![forbid(unsafe_code)]

mod app;
mod chain_node;
mod commands;
mod config;
mod continuity;
mod daemon;
mod event_kinds;
mod failure;
mod home;
mod http;
mod keystore_v3;
mod log_file;
mod log_reader;
mod output;
mod owner_key;
mod pasted;
mod pen;
mod prompt;
mod proxy;
mod ready_assets;
mod replay_words;
mod rest;
mod secret;
mod signer;
mod signing_key;
mod signing_page;
mod statement;
mod table;
mod witness;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use waiaas_shared::duration;

use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::output::Output;

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 3 signer locked, 5 refused with reasons, 6 waits for a signature, 64 wrong arguments, \
69 not running or not reachable, 70 internal, 77 permission, 78 configuration, 130 interrupted.
Data in ~/.waiaas; WAIAAS_HOME moves it. Passwords are asked for, or read with --password-fd N; \
never from an argument or a variable.";

/// A self-hosted wallet for AI agents: the owner's and the agent's command line.
#[derive(Debug, Parser)]
#[command(name = "waiaas", version, about, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Arguments {
    /// Answer as JSON: data on stdout, everything else on stderr
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new wallet: configuration, keystore, recovery phrase
    Init(commands::init::Args),
    /// Start signer and gateway in the background
    Start(commands::start::Args),
    /// Stop gateway and signer
    Stop(commands::stop::Args),
    /// Show what state everything is in
    Status(commands::status::Args),
    /// Open the keystore with the password
    Unlock(commands::unlock::Args),
    /// Wipe the keys from the signer's memory
    Lock(commands::lock::Args),
    /// Throw the kill switch: wipe the keys, revoke every session
    Kill(commands::kill::Args),
    /// Stop signing, for one wallet or for all, and keep keys and sessions
    Pause(commands::pause::Args),
    /// Undo a kill, a pause, or a closed clock: takes an owner's signature
    #[command(subcommand)]
    Release(commands::release::Command),
    /// Owners' keys
    #[command(subcommand)]
    Owner(commands::owner::Command),
    /// Guardians: keys that may stop and nothing else
    #[command(subcommand)]
    Guardian(commands::guardian::Command),
    /// Statements that were drafted and are signed elsewhere, and the page for browser wallets
    #[command(subcommand)]
    Statement(commands::statement::Command),
    /// Wallets
    #[command(subcommand)]
    Wallet(commands::wallet::Command),
    /// Policies
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// Sessions of agents
    #[command(subcommand)]
    Session(commands::session::Command),
    /// Payments that wait: for their delay, or for owners
    #[command(subcommand)]
    Payment(commands::payment::Command),
    /// For agents: keys and tokens
    #[command(subcommand)]
    Agent(commands::agent::Command),
    /// For agents: payments through the gateway
    #[command(subcommand)]
    Tx(commands::tx::Command),
    /// For agents: logins at web sites
    #[command(subcommand)]
    Message(commands::message::Command),
    /// The owner's way out: pay from a wallet to an enrolled address, outside of limits and delays
    Withdraw(Box<commands::withdraw::Args>),
    /// The signed bytes of a withdrawal once more, after a lost answer
    Resend(commands::resend::Args),
    /// Give back what a payment was charged that never took place: takes owners' signatures
    Credit(commands::credit::Args),
    /// End the signer and its log for good: takes owners' signatures and the password
    Retire(commands::retire::Args),
    /// Verify, export and read the signer's log
    #[command(subcommand)]
    Audit(commands::audit::Command),
}

fn main() -> ExitCode {
    harden();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are data, everything else is a wrong argument.
            let _best_effort = error.print();
            return if error.use_stderr() {
                ExitCode::from(Exit::Usage.code())
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let output = Output::new(arguments.json);
    match run(arguments.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            ExitCode::from(failure.exit().code())
        }
    }
}

/// A password or the recovery phrase may be in this memory for a moment: no core dump takes it, no
/// other process of this user reads it.
fn harden() {
    use nix::sys::resource::{Resource, setrlimit};
    let _best_effort = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _best_effort = nix::sys::prctl::set_dumpable(false);
}

fn run(command: Command, output: Output) -> Result<(), Failure> {
    let app = App::open(output)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime").why(error))?;
    // Connections to the signer live on one thread.
    tokio::task::LocalSet::new().block_on(&runtime, dispatch(command, &app))
}

async fn dispatch(command: Command, app: &App) -> Result<(), Failure> {
    match command {
        Command::Init(args) => commands::init::run(app, args).await,
        Command::Start(args) => commands::start::run(app, args).await,
        Command::Stop(args) => commands::stop::run(app, args).await,
        Command::Status(args) => commands::status::run(app, args).await,
        Command::Unlock(args) => commands::unlock::run(app, args).await,
        Command::Lock(args) => commands::lock::run(app, args).await,
        Command::Kill(args) => commands::kill::run(app, args).await,
        Command::Pause(args) => commands::pause::run(app, args).await,
        Command::Release(command) => commands::release::run(app, command).await,
        Command::Owner(command) => commands::owner::run(app, command).await,
        Command::Guardian(command) => commands::guardian::run(app, command).await,
        Command::Statement(command) => commands::statement::run(app, command).await,
        Command::Wallet(command) => commands::wallet::run(app, command).await,
        Command::Policy(command) => commands::policy::run(app, command).await,
        Command::Session(command) => commands::session::run(app, command).await,
        Command::Payment(command) => commands::payment::run(app, command).await,
        Command::Agent(command) => commands::agent::run(app, command).await,
        Command::Tx(command) => commands::tx::run(app, command).await,
        Command::Message(command) => commands::message::run(app, command).await,
        Command::Withdraw(args) => commands::withdraw::run(app, *args).await,
        Command::Resend(args) => commands::resend::run(app, args).await,
        Command::Credit(args) => commands::credit::run(app, args).await,
        Command::Retire(args) => commands::retire::run(app, args).await,
        Command::Audit(command) => commands::audit::run(app, command).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    /// Passwords never arrive by argument or environment: no flag takes one, no flag reads a variable.
    #[test]
    fn no_argument_takes_a_password() {
        fn look(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(
                    !name.contains("pass") || name.ends_with("password_fd"),
                    "{name}"
                );
                assert!(!name.contains("phrase") || name == "phrase_fd", "{name}");
                assert!(argument.get_env().is_none(), "{name}");
            }
            command.get_subcommands().for_each(look);
        }
        look(&Arguments::command());
    }
}
