//! Asking: passwords with echo off or from a file descriptor, one byte at a time, and plain questions.
//! Without a terminal nothing is ever asked. A password read here lives in a [`Secret`] and nowhere
//! else: no line editor, no buffered reader.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::secret::Secret;

/// Where the password comes from.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from this open file descriptor, up to a newline or the end, instead of asking
    #[arg(long, value_name = "N")]
    password_fd: Option<u32>,
}

impl PasswordArgs {
    /// The password of a keystore that exists.
    pub(crate) fn read(self, output: &Output) -> Result<Secret, Failure> {
        let password = match self.password_fd {
            Some(number) => from_descriptor(number)?,
            None => ask_hidden(output, "Password: ")?,
        };
        password.check()?;
        Ok(password)
    }

    /// A password for a new keystore: asked twice.
    pub(crate) fn read_new(self, output: &Output) -> Result<Secret, Failure> {
        let Some(number) = self.password_fd else {
            let password = ask_hidden(output, "New password: ")?;
            password.check_new()?;
            let again = ask_hidden(output, "The same again: ")?;
            if password.expose() != again.expose() {
                return Err(
                    Failure::usage("the two passwords differ").next("run the command again")
                );
            }
            return Ok(password);
        };
        let password = from_descriptor(number)?;
        password.check_new()?;
        Ok(password)
    }
}

/// The password of an owner's keystore file. Whoever made the file chose its form: whatever bytes were
/// typed are tried.
pub(crate) fn file_password(
    path: &Path,
    descriptor: Option<u32>,
    output: &Output,
) -> Result<Secret, Failure> {
    match descriptor {
        Some(number) => from_descriptor(number),
        None => ask_hidden(output, &format!("Password of {}: ", path.display())),
    }
}

/// Where the recovery phrase comes from.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct PhraseArgs {
    /// Read the 24 words from this open file descriptor, one line, instead of asking
    #[arg(long, value_name = "N")]
    phrase_fd: Option<u32>,
}

impl PhraseArgs {
    /// The recovery phrase; the signer tells whether it is the right one.
    pub(crate) fn read(self, output: &Output) -> Result<Secret, Failure> {
        match self.phrase_fd {
            Some(number) => from_descriptor(number),
            None => ask_hidden(output, "Recovery phrase, 24 words: "),
        }
    }
}

/// Asks a question that only `yes` answers.
pub(crate) fn confirm(output: &Output, question: &str) -> Result<bool, Failure> {
    if !output.is_interactive() {
        return Err(Failure::usage(format!("nobody can be asked: {question}"))
            .why("stdin or stderr is not a terminal")
            .next("give --yes to answer beforehand"));
    }
    let mut stderr = io::stderr();
    let _best_effort = write!(stderr, "{question} [yes/no] ").and_then(|()| stderr.flush());
    let answer = line_from(io::stdin().as_fd(), 64)?;
    Ok(answer.trim() == "yes")
}

/// Reads a line of plain text: what an owner pastes.
pub(crate) fn line(limit: usize) -> Result<String, Failure> {
    line_from(io::stdin().as_fd(), limit)
}

fn line_from(source: BorrowedFd<'_>, limit: usize) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while let Some(byte) = next_byte(source)? {
        if byte == b'\n' {
            break;
        }
        bytes.push(byte);
        if bytes.len() > limit {
            return Err(Failure::usage(format!(
                "the line is longer than {limit} bytes"
            )));
        }
    }
    String::from_utf8(bytes).map_err(|_| Failure::usage("the line is not UTF-8 text"))
}

/// Opens an inherited descriptor by its number once more. Standard input is read as it is.
fn from_descriptor(number: u32) -> Result<Secret, Failure> {
    if number == 0 {
        return line_of_secret(io::stdin().as_fd());
    }
    // Through /proc, because taking a bare number for a descriptor is an unsafe operation; a pipe
    // opened so is the same pipe (proc(5)).
    let file = File::open(format!("/proc/self/fd/{number}"))
        .map_err(|error| no_descriptor(number, &error))?;
    line_of_secret(file.as_fd())
}

/// The descriptor's writing end, for what goes out to a script.
pub(crate) fn writer(number: u32) -> Result<File, Failure> {
    OpenOptions::new()
        .write(true)
        .open(format!("/proc/self/fd/{number}"))
        .map_err(|error| no_descriptor(number, &error))
}

fn no_descriptor(number: u32, error: &io::Error) -> Failure {
    Failure::usage(format!("file descriptor {number} cannot be used"))
        .why(error)
        .next(format!(
            "open it for this command, as in `waiaas ... {number}<file`"
        ))
}

/// One line, or all there is, into a secret.
fn line_of_secret(source: BorrowedFd<'_>) -> Result<Secret, Failure> {
    let mut secret = Secret::new();
    while let Some(byte) = next_byte(source)? {
        if byte == b'\n' {
            break;
        }
        if !secret.push(byte) {
            return Err(Failure::usage("the password is longer than 1024 bytes"));
        }
    }
    Ok(secret)
}

fn next_byte(source: BorrowedFd<'_>) -> Result<Option<u8>, Failure> {
    let mut byte = [0];
    loop {
        match nix::unistd::read(source, &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => {
                let [read] = byte;
                return Ok(Some(read));
            }
            Err(Errno::EINTR) => {}
            Err(error) => {
                return Err(Failure::new(Exit::Failure, "the input cannot be read").why(error));
            }
        }
    }
}

/// Asks on the terminal, with echo off.
fn ask_hidden(output: &Output, question: &str) -> Result<Secret, Failure> {
    if !output.is_interactive() {
        return Err(
            Failure::usage(format!("nobody can be asked: {}", question.trim_end()))
                .why("stdin or stderr is not a terminal")
                .next("give it by descriptor, as in `waiaas ... --password-fd 3 3<file`; --owner-password-fd, --key-password-fd and --guardian-password-fd for keystore files"),
        );
    }
    let stdin = io::stdin();
    let quiet = Quiet::begin(stdin.as_fd())?;
    let mut stderr = io::stderr();
    let _best_effort = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let typed = type_secret(|| next_byte(stdin.as_fd()));
    drop(quiet);
    output.say("");
    typed
}

/// What the keys mean while the terminal interprets none of them.
fn type_secret(mut next: impl FnMut() -> Result<Option<u8>, Failure>) -> Result<Secret, Failure> {
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const CTRL_U: u8 = 0x15;
    const DELETE: u8 = 0x7f;

    let mut secret = Secret::new();
    let mut full = false;
    loop {
        match next()? {
            None | Some(CTRL_C | CTRL_D) => {
                return Err(Failure::new(
                    Exit::Interrupted,
                    "interrupted: nothing was done",
                ));
            }
            Some(b'\n' | b'\r') if full => {
                return Err(Failure::usage("the password is longer than 1024 bytes"));
            }
            Some(b'\n' | b'\r') => return Ok(secret),
            Some(BACKSPACE | DELETE) => secret.pop_character(),
            Some(CTRL_U) => secret.clear(),
            // Arrow keys and other control characters are no part of a password that can be repeated.
            Some(byte) if byte < 0x20 => {
                return Err(Failure::usage("the password has a control character")
                    .why("arrow and function keys cannot be used here"));
            }
            Some(byte) => full |= !secret.push(byte),
        }
    }
}

/// Echo and line editing are off as long as this lives.
struct Quiet<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn begin(terminal: BorrowedFd<'a>) -> Result<Self, Failure> {
        let failed = |error: Errno| {
            Failure::new(Exit::Failure, "the terminal's echo cannot be turned off").why(error)
        };
        let before = tcgetattr(terminal).map_err(failed)?;
        let mut quiet = before.clone();
        // Without line editing the terminal keeps no copy of the line; without signals a Ctrl-C
        // arrives here and cannot leave the echo off.
        quiet.local_flags &= !(LocalFlags::ECHO
            | LocalFlags::ECHONL
            | LocalFlags::ICANON
            | LocalFlags::ISIG
            | LocalFlags::IEXTEN);
        for (index, value) in [
            (SpecialCharacterIndices::VMIN, 1),
            (SpecialCharacterIndices::VTIME, 0),
        ] {
            if let Some(place) = quiet.control_chars.get_mut(index as usize) {
                *place = value;
            }
        }
        // What was typed before the question is thrown away: it was not meant for it.
        tcsetattr(terminal, SetArg::TCSAFLUSH, &quiet).map_err(failed)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _best_effort = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;

    fn typed(keys: &[u8]) -> Result<Secret, Failure> {
        let mut keys = keys.iter().copied();
        type_secret(|| Ok(keys.next()))
    }

    #[test]
    fn keys_edit_the_password() {
        for (keys, password) in [
            (&b"secret\n"[..], &b"secret"[..]),
            (b"secres\x7ft\r", b"secret"),
            (b"wrong\x15right\n", b"right"),
            ("né\x08e\n".as_bytes(), b"ne"),
            (b"\x7f\x7fa\n", b"a"),
            (b"  two  \n", b"  two  "),
        ] {
            assert_eq!(typed(keys).unwrap().expose(), password);
        }
    }

    #[test]
    fn interruption_and_control_keys_end_the_question() {
        for keys in [&b"abc\x03"[..], b"\x04", b"abc"] {
            assert_eq!(typed(keys).unwrap_err().exit(), Exit::Interrupted);
        }
        assert_eq!(typed(b"ab\x1b[A\n").unwrap_err().exit(), Exit::Usage);
        let mut long = vec![b'x'; 2000];
        long.push(b'\n');
        assert_eq!(
            typed(&long).unwrap_err().exit(),
            Exit::Usage,
            "never cut silently"
        );
    }

    #[test]
    fn a_descriptor_gives_one_line_and_leaves_the_next() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"pass word \nsecond\n").unwrap();
        file.rewind().unwrap();
        assert_eq!(
            line_of_secret(file.as_fd()).unwrap().expose(),
            b"pass word "
        );
        assert_eq!(line_of_secret(file.as_fd()).unwrap().expose(), b"second");
        assert_eq!(line_of_secret(file.as_fd()).unwrap().expose(), b"");
        assert_eq!(from_descriptor(9999).unwrap_err().exit(), Exit::Usage);
    }
}
