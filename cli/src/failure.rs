//! How a command fails: what happened, why, and what to do next, with the exit code that scripts see.
//! Every command returns it; only `main` prints it.

use std::fmt::Display;

use serde_json::{Value, json};
use waiaas_shared::denial::{Code, Next, Violation};

/// Exit codes. The numbers of sysexits.h where it has one; documented in docs/cli.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did not work.
    Failure = 1,
    /// The signer is locked.
    Locked = 3,
    /// The signer or the gateway refused, with its reasons.
    Denied = 5,
    /// Not carried out: it waits for a signature that is made elsewhere.
    Pending = 6,
    /// Wrong arguments.
    Usage = 64,
    /// Signer, gateway or chain node cannot be reached.
    Unavailable = 69,
    /// An answer or a state that should not exist.
    Internal = 70,
    /// A file or socket is not ours, or open to others.
    Permission = 77,
    /// A configuration or policy file is wrong.
    Configuration = 78,
    /// Ctrl-C at a prompt, as shells number it.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    why: String,
    next: String,
    broken: Vec<Broken>,
}

/// One broken rule, as people and as programs read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// One line.
    pub(crate) words: String,
    /// Code and values.
    pub(crate) json: Value,
}

impl From<&Violation> for Broken {
    fn from(violation: &Violation) -> Self {
        Self {
            words: violation_words(violation),
            json: violation_json(violation),
        }
    }
}

impl Failure {
    /// Something failed; `why` and `next` follow.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            why: String::new(),
            next: String::new(),
            broken: Vec::new(),
        }
    }

    /// Wrong arguments.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// A peer broke the interface.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::new(Exit::Internal, what)
    }

    /// The reason.
    pub(crate) fn why(mut self, why: impl Display) -> Self {
        self.why = why.to_string();
        self
    }

    /// The next step.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// Everything that was violated.
    pub(crate) fn broken(mut self, broken: Vec<Broken>) -> Self {
        self.broken = broken;
        self
    }

    /// A refusal by the signer, with everything that was violated.
    pub(crate) fn denied(what: impl Into<String>, violations: &[Violation]) -> Self {
        let first = violations.first().map(|violation| violation.code);
        let exit = match first {
            Some(Code::Locked) => Exit::Locked,
            Some(Code::Overloaded | Code::StorageFull) => Exit::Unavailable,
            Some(Code::EntropyFailed | Code::SigningFault) => Exit::Internal,
            _ => Exit::Denied,
        };
        let next = first.map(advice).unwrap_or_default();
        Self {
            exit,
            what: what.into(),
            why: String::new(),
            next: next.to_owned(),
            broken: violations.iter().map(Broken::from).collect(),
        }
    }

    /// The exit code.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// As people read it, without a newline at the end.
    pub(crate) fn human(&self) -> String {
        let mut text = format!("waiaas: {}", self.what);
        if !self.why.is_empty() {
            text.push_str(": ");
            text.push_str(&self.why);
        }
        for broken in &self.broken {
            text.push_str("\n  ");
            text.push_str(&broken.words);
        }
        if !self.next.is_empty() {
            text.push_str("\nNext: ");
            text.push_str(&self.next);
        }
        text
    }

    /// As programs read it.
    pub(crate) fn json(&self) -> Value {
        json!({ "error": {
            "exit_code": self.exit.code(),
            "what": self.what,
            "why": self.why,
            "next": self.next,
            "violations": self.broken.iter().map(|broken| &broken.json).collect::<Vec<_>>(),
        }})
    }
}

/// One broken rule in a line.
fn violation_words(violation: &Violation) -> String {
    let mut line = format!("{}: {}", violation.code, violation.code.message());
    if let Some(place) = violation.argument {
        line.push_str(&format!(" Argument: {place}."));
    }
    if let Some(observed) = violation.observed {
        line.push_str(&format!(" Asked: {observed}."));
    }
    if let Some(allowed) = violation.allowed {
        line.push_str(&format!(" Allowed: {allowed}."));
    }
    if let Some(asset) = violation.asset {
        line.push_str(&format!(" Asset: {asset}."));
    }
    if let Some(wait) = violation.retry_after {
        line.push_str(&format!(
            " Passes in {}.",
            crate::duration::words(wait.millis())
        ));
    }
    line
}

/// One broken rule for programs.
fn violation_json(violation: &Violation) -> Value {
    json!({
        "code": violation.code,
        "message": violation.code.message(),
        "next": violation.code.next(),
        "asset": violation.asset,
        "argument": violation.argument,
        "observed": violation.observed,
        "allowed": violation.allowed,
        "retry_after_millis": violation.retry_after.map(|wait| wait.millis()),
    })
}

/// The command that answers a refusal, where there is one.
const fn advice(code: Code) -> &'static str {
    match code {
        Code::NotInitialized => "waiaas init",
        Code::Locked => "waiaas unlock",
        Code::Killed => "waiaas release kill --owner-key FILE",
        Code::Frozen => "waiaas release pause --owner-key FILE",
        Code::WalletPaused => "waiaas release pause --wallet WALLET --owner-key FILE",
        Code::PasswordWrong => "try again; each failure is counted and shown by `waiaas status`",
        Code::PolicyMissing => "waiaas policy adopt FILE --owner-key FILE",
        Code::PolicyEpoch => {
            "set `epoch` in the file to one more than `waiaas policy show` tells, and adopt it again"
        }
        Code::NonceNotAttested => "waiaas wallet attest-nonce",
        Code::WithdrawalLast => "waiaas owner enrol-withdrawal, then owner remove-withdrawal",
        Code::WithdrawalAddress => {
            "waiaas owner list shows where withdrawals may go; later addresses: waiaas owner enrol-withdrawal"
        }
        Code::StatementUnknown | Code::StatementExpired | Code::SecretUnknown => {
            "run the command again: it drafts a new statement"
        }
        Code::OwnerUnknown | Code::OwnerChangeUnknown | Code::GuardianUnknown => {
            "waiaas owner list"
        }
        Code::NotFirstOwner => "waiaas owner add",
        Code::QuorumMissing => {
            "have as many owners sign as must: `waiaas owner list`, and --owner-key once for each"
        }
        Code::OwnerSuspended => "waiaas owner lift OWNER, or have another owner sign",
        Code::PaymentCredited => "make a new payment, with an idempotency key of its own",
        Code::RecoveryPending => "waiaas owner list, then waiaas owner cancel CHANGE",
        Code::IntentUnknown | Code::IntentExpired => "waiaas payment list",
        Code::SessionUnknown => "waiaas session list",
        Code::WalletUnknown | Code::NetworkNotBound => "waiaas wallet list",
        Code::ClockClosed => {
            "set the machine's clock right, then state the time: waiaas release clock --owner-key FILE"
        }
        Code::AlreadyInitialized | Code::NotLocked => "waiaas status",
        other => match other.next() {
            Next::PayLess => "ask for less",
            Next::Wait => "try again later",
            Next::AskOwner | Next::Stop => "",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waiaas_shared::amount::Amount;
    use waiaas_shared::time::Millis;

    #[test]
    fn a_refusal_tells_what_why_and_next() {
        let violation = Violation {
            argument: Some(2),
            allowed: Some(Amount::from_base_units(7)),
            observed: Some(Amount::from_base_units(9)),
            asset: "eip155:1/slip44:60".parse().ok(),
            retry_after: Some(Millis::from_secs(5400)),
            ..Violation::of(Code::HourLimit)
        };
        let failure = Failure::denied("not signed", &[violation]);
        assert_eq!(
            failure.human(),
            "waiaas: not signed\n  hour_limit: More than policy allows in any hour. Argument: 2. Asked: 9. \
             Allowed: 7. \
             Asset: eip155:1/slip44:60. Passes in 1 hour 30 minutes.\nNext: try again later"
        );
        assert_eq!(failure.exit().code(), 5);
        assert_eq!(
            failure.json()["error"]["violations"][0]["code"],
            "hour_limit"
        );
    }

    #[test]
    fn exit_codes_follow_the_first_reason() {
        for (code, exit) in [
            (Code::Locked, 3),
            (Code::Killed, 5),
            (Code::Overloaded, 69),
            (Code::SigningFault, 70),
            (Code::PasswordWrong, 5),
        ] {
            let failure = Failure::denied("x", &[Violation::of(code)]);
            assert_eq!(failure.exit().code(), exit, "{code}");
        }
    }

    #[test]
    fn whatever_only_the_signer_can_say_has_a_next_step() {
        for code in Code::ALL {
            let failure = Failure::denied("x", &[Violation::of(*code)]);
            if matches!(code.next(), Next::PayLess | Next::Wait) {
                assert!(failure.human().contains("Next: "), "{code}");
            }
        }
    }
}
