//! A hostile peer costs only its own connection: the signer's real rpc threads, sealed as in service,
//! with an authority made for the test. Each behaviour is tried while an honest client is served, and
//! the process's memory is read before, during and after (the peak counts).
//!
//! This program is two things: run by cargo, the test; started by itself with `serve`, the process
//! under test, which must begin with a single thread, as the usual harness never does. A panic in a
//! method cannot be provoked from outside; `rpc::connection`'s own tests provoke it inside.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, which clippy does not see without the usual harness; its threads are not the signer's"
)]

mod hostile;
mod peer;
mod server;

use std::io::Write as _;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// One test: name and body; it fails by panicking.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["serve", state] => server::run(std::path::Path::new(state)),
        _ => run_tests(&arguments),
    }
}

fn run_tests(arguments: &[String]) -> ExitCode {
    let wanted: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let chosen = hostile::TESTS.iter().filter(|(name, _)| {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    });
    let mut out = std::io::stdout();
    if arguments.iter().any(|argument| argument == "--list") {
        // Nothing here is an ignored test.
        if !arguments.iter().any(|argument| argument == "--ignored") {
            for (name, _) in chosen {
                let _ = writeln!(out, "{name}: test");
            }
        }
        return ExitCode::SUCCESS;
    }
    let mut failed = Vec::new();
    let mut passed = 0;
    for (name, body) in chosen {
        let start = Instant::now();
        let verdict = if catch_unwind(body).is_ok() {
            passed += 1;
            "ok"
        } else {
            failed.push(*name);
            "FAILED"
        };
        let _ = writeln!(
            out,
            "test {name} ... {verdict} ({} ms)",
            start.elapsed().as_millis()
        );
    }
    let _ = writeln!(
        out,
        "\nrpc: {passed} passed; {} failed {failed:?}",
        failed.len()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
