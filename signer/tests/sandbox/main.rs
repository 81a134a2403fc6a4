//! The lockdown, proven by attempting the forbidden thing (invariants 20 and 21).
//!
//! This program is two things. Run by cargo, it is the test: it starts itself again as a *probe*, which goes
//! through the signer's real start-up with the real filters and then tries one thing from the thread it was told;
//! the test looks at how the probe ended. It has its own `main` because a probe must begin with a single thread,
//! which the usual test harness never has.
//!
//! Needs Linux with seccomp, Landlock and `memfd_secret`, and root (to read the probe's memory as root and as other
//! uids). A missing need fails the run; nothing is skipped.

mod attempts;
mod forbidden;
mod key_memory;
mod permitted;
mod probe;
mod refusals;
mod support;

use std::env;
use std::io::Write as _;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// One test: name and body; it fails by panicking.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["probe", rest @ ..] => probe::run(rest),
        ["read-memory", pid, address] => key_memory::read_as_attacker(pid, address),
        _ => run_tests(&arguments),
    }
}

fn run_tests(arguments: &[String]) -> ExitCode {
    let tests: Vec<Test> = [
        forbidden::TESTS,
        permitted::TESTS,
        refusals::TESTS,
        key_memory::TESTS,
    ]
    .concat();
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let chosen = tests.iter().filter(|(name, _)| {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    });
    let mut out = std::io::stdout();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in chosen {
            let _ = writeln!(out, "{name}: test");
        }
        return ExitCode::SUCCESS;
    }

    let (mut passed, mut failed) = (0, Vec::new());
    for (name, body) in chosen {
        let start = Instant::now();
        let verdict = match catch_unwind(body) {
            Ok(()) => {
                passed += 1;
                "ok"
            }
            Err(_) => {
                failed.push(*name);
                "FAILED"
            }
        };
        let _ = writeln!(
            out,
            "test {name} ... {verdict} ({} ms)",
            start.elapsed().as_millis()
        );
    }
    let _ = writeln!(
        out,
        "\nsandbox: {passed} passed; {} failed {failed:?}",
        failed.len()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
