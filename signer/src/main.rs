//! `waiaas-signer`: the start-up list, read aloud. Each step returns what the next one takes; nothing
//! is served before the process is sealed.

mod start;

use std::process::ExitCode;

fn main() -> ExitCode {
    match start::run() {
        Ok(never_or_done) => never_or_done,
        Err(error) => error.report(),
    }
}
