//! What every command is given: the home, its configuration, and where words go.

use crate::config::Config;
use crate::failure::Failure;
use crate::home::Home;
use crate::output::Output;

/// The surroundings of a command.
#[derive(Debug)]
pub(crate) struct App {
    /// The owner's folder.
    pub(crate) home: Home,
    /// Its `config.toml`.
    pub(crate) config: Config,
    /// Where words go.
    pub(crate) output: Output,
}

impl App {
    /// Finds home and configuration.
    pub(crate) fn open(output: Output) -> Result<Self, Failure> {
        let home = Home::locate()?;
        home.check()?;
        let config = Config::read(&home)?;
        Ok(Self {
            home,
            config,
            output,
        })
    }
}
