//! Where words go: data to stdout, talk to stderr, and nothing of a peer's text that could steer a
//! terminal. Used by every command; colours do not exist, so `NO_COLOR` holds by itself.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::failure::{Exit, Failure};

/// How a command answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// For people, or (`--json`) for programs.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it answers for programs.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// The command's data: one of both forms, on stdout.
    pub(crate) fn data(&self, human: impl Display, json: &Value) -> Result<(), Failure> {
        let text = if self.json {
            json.to_string()
        } else {
            human.to_string()
        };
        let mut stdout = io::stdout().lock();
        let written =
            writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush());
        match written {
            // Whoever closed the pipe has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| {
                Failure::new(Exit::Failure, "stdout cannot be written").why(error)
            }),
        }
    }

    /// A remark on stderr.
    pub(crate) fn say(&self, text: impl Display) {
        // Nothing can be done about a closed stderr.
        let _best_effort = writeln!(io::stderr(), "{text}");
    }

    /// A failure, on stderr.
    pub(crate) fn fail(&self, failure: &Failure) {
        if self.json {
            self.say(failure.json());
        } else {
            self.say(printable(&failure.human()));
        }
    }

    /// Whether somebody can be asked: both ends are a terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

/// A peer's text without what would steer a terminal: control characters and the marks that turn the
/// direction of writing (Unicode TR9) become `?`.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if turns || (character.is_control() && character != '\n') {
                '?'
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\r\u{9b}\u{202e}c\nd"),
            "a?[2Jb???c\nd"
        );
        assert_eq!(printable("한국어 – ok"), "한국어 – ok");
    }
}
