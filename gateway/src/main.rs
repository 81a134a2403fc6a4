//! `waiaas-gateway`: the process that faces the world. Everything it does stands in `start`.

use std::process::ExitCode;

fn main() -> ExitCode {
    waiaas_gateway::start::run()
}
