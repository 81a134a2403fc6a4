//! Why a cluster would refuse a transaction, in words: the error that it names, what a program's number means, and
//! the last line that a program wrote. All of it a node's word: bounded, printable, shown and never interpreted.

use serde_json::Value;

use super::super::rpc_error::ChainText;
use super::tokens::explained;

/// Characters of a program's own line.
const LINE_LIMIT: usize = 80;
/// How a program's own line begins in a log.
const PROGRAM_LINE: &str = "Program log: ";

/// The words for an error of a message of ours, and what the logs say last.
pub(super) fn told(reason: &ChainText, logs: &[String], unsigned: &[u8]) -> ChainText {
    let explained = explained(reason, unsigned);
    let words = match plain(reason.as_str()) {
        Some(words) if explained == *reason => format!("{words} ({reason})"),
        _ => explained.to_string(),
    };
    match last_line(logs) {
        None => ChainText::new(&words),
        Some(line) => ChainText::new(&format!("{words}; the program says: {line}")),
    }
}

/// Errors that a wallet can bring about, by their names.
fn plain(reason: &str) -> Option<&'static str> {
    let named = match serde_json::from_str::<Value>(reason) {
        Ok(Value::Object(nested)) => {
            let (name, content) = nested.into_iter().next()?;
            match content.get(1).and_then(Value::as_str) {
                Some(inner) if name == "InstructionError" => inner.to_owned(),
                _ => name,
            }
        }
        _ => reason.to_owned(),
    };
    Some(match named.as_str() {
        "AccountNotFound" => "the wallet holds nothing on this network, so nobody pays the fee",
        "InsufficientFundsForFee" => "the wallet does not hold the fee",
        "InsufficientFundsForRent" => "an account would be left with less than its rent",
        "InvalidAccountForFee" => "the wallet's account cannot pay a fee",
        "ProgramAccountNotFound" => "a program is not there on this network",
        "AccountInUse" | "AccountLoadedTwice" => "an account is in use",
        "WouldExceedMaxBlockCostLimit" | "WouldExceedMaxAccountCostLimit" => {
            "the network is full at this moment"
        }
        "InsufficientFunds" => "an account does not hold the amount",
        "AccountNotExecutable" | "UnsupportedProgramId" => "a program cannot be run",
        "ComputationalBudgetExceeded" => "it takes more compute units than it was given",
        "UninitializedAccount" => "an account is not there yet",
        "InvalidAccountData" | "InvalidAccountOwner" => {
            "an account is not of the kind that is needed"
        }
        "ExternalAccountLamportSpend" | "MissingRequiredSignature" => {
            "an account is not the wallet's to spend from"
        }
        _ => return None,
    })
}

/// What a program wrote last.
fn last_line(logs: &[String]) -> Option<String> {
    let mut lines = logs.iter().rev();
    let line = lines.find_map(|line| line.strip_prefix(PROGRAM_LINE))?;
    let line = line.chars().take(LINE_LIMIT).collect::<String>();
    (!line.trim().is_empty()).then(|| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(reason: &str, logs: &[&str]) -> String {
        let logs: Vec<String> = logs.iter().map(ToString::to_string).collect();
        told(&ChainText::new(reason), &logs, &[]).to_string()
    }

    #[test]
    fn errors_are_told_in_words_and_keep_their_names() {
        assert_eq!(
            words("InsufficientFundsForFee", &[]),
            "the wallet does not hold the fee (InsufficientFundsForFee)"
        );
        let rent = r#"{"InsufficientFundsForRent":{"account_index":1}}"#;
        assert!(words(rent, &[]).starts_with("an account would be left with less than its rent ("));
        let inner = r#"{"InstructionError":[2,"InsufficientFunds"]}"#;
        assert!(words(inner, &[]).starts_with("an account does not hold the amount ("));
        for unknown in [
            "SomethingNew",
            r#"{"InstructionError":[2,{"Custom":6001}]}"#,
            r#"{"InstructionError":[]}"#,
            "{}",
            "[]",
            "",
        ] {
            assert_eq!(words(unknown, &[]), unknown);
        }
    }

    #[test]
    fn the_last_line_of_a_program_is_added() {
        let logs = [
            "Program 11111111111111111111111111111111 invoke [1]",
            "Program log: first",
            "Program log: Error: insufficient funds\u{1b}[2J",
            "Program 11111111111111111111111111111111 failed: custom program error: 0x1",
        ];
        assert_eq!(
            words("SomethingNew", &logs),
            "SomethingNew; the program says: Error: insufficient funds?[2J"
        );
        assert_eq!(words("SomethingNew", &["Program log:  "]), "SomethingNew");
        let long = format!("Program log: {}", "x".repeat(100_000));
        assert_eq!(
            words("SomethingNew", &[&long]).len(),
            "SomethingNew; the program says: ".len() + LINE_LIMIT
        );
    }
}
