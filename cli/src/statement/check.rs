//! Whether a text that the signer wrote is the one that was asked for: everything that can be recomputed
//! from what was asked is. Called before a text is shown to an owner; decides nothing else.

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{SignerId, StatementId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::text::digest;
use waiaas_shared::statement::{StatementFacts, StatementHeader};
use waiaas_shared::time::WallTime;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// Another kind of statement.
    #[error("its first line names another kind of statement")]
    Heading,
    /// The last five lines are not those of every statement.
    #[error("its last five lines are not policy epoch, signer, statement, time and digest")]
    Form,
    /// Another signer's.
    #[error("it names another signer than the pinned one")]
    Signer,
    /// Another statement's.
    #[error("it names another statement")]
    Statement,
    /// The digest is not that of header and facts.
    #[error("its digest is not that of what was asked")]
    Digest,
    /// Another policy document.
    #[error("it names another policy document than the file's")]
    Document,
    /// Another payment.
    #[error("it names another payment")]
    Payment,
}

/// The kind, the signer, the statement, the digest over header and facts, the document's digest of a
/// policy, and which payment: all computed here from what was asked. Gives the digest as computed.
pub(super) fn check(
    text: &str,
    statement: StatementId,
    signer: SignerId,
    facts: &StatementFacts,
) -> Result<Digest, Flaw> {
    if text.lines().next() != Some(format!("WAIaaS {}", facts.heading()).as_str()) {
        return Err(Flaw::Heading);
    }
    let mut last: Vec<_> = text.lines().rev().take(5).collect();
    last.reverse();
    let [epoch, by, which, before, stated] = last.try_into().map_err(|_| Flaw::Form)?;
    let policy_epoch = value(epoch, "Policy epoch: ")?
        .parse()
        .map_err(|_| Flaw::Form)?;
    if value(by, "Signer: ")? != signer.to_string() {
        return Err(Flaw::Signer);
    }
    if value(which, "Statement: ")? != statement.to_string() {
        return Err(Flaw::Statement);
    }
    let second = seconds(value(before, "Sign before: ")?).ok_or(Flaw::Form)?;
    let stated = Digest::from_hex(value(stated, "Digest: ")?).map_err(|_| Flaw::Form)?;
    // The text states the second, the digest covers the millisecond: one of a thousand must fit.
    let fits = (0..1000).any(|part| {
        let header = StatementHeader {
            signer,
            statement,
            policy_epoch,
            expires: WallTime::from_millis(second.saturating_mul(1000).saturating_add(part)),
        };
        digest(&header, facts) == stated
    });
    if !fits {
        return Err(Flaw::Digest);
    }
    if let StatementFacts::AdoptPolicy { document } = facts {
        let own = PolicyDocument::from_bytes(document)
            .map_err(|_| Flaw::Document)?
            .digest();
        let named = text
            .lines()
            .find_map(|line| line.strip_prefix("Document: "));
        if named != Some(own.to_string().as_str()) {
            return Err(Flaw::Document);
        }
    }
    if let StatementFacts::ApprovePayment { transaction }
    | StatementFacts::RejectPayment { transaction } = facts
    {
        let mut named = text
            .lines()
            .filter_map(|line| line.strip_prefix("Payment request: "));
        if (named.next(), named.next()) != (Some(transaction.to_string().as_str()), None) {
            return Err(Flaw::Payment);
        }
    }
    Ok(stated)
}

fn value<'a>(line: &'a str, name: &str) -> Result<&'a str, Flaw> {
    line.strip_prefix(name).ok_or(Flaw::Form)
}

/// Unix time of `2026-11-21 10:30:00 UTC`, in seconds.
fn seconds(text: &str) -> Option<u64> {
    let civil: jiff::civil::DateTime = text.strip_suffix(" UTC")?.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden file ends with a line feed, the text does not.
    const TEXT: &str =
        include_str!("../../../shared/tests/golden/statements/release-pause.txt").trim_ascii_end();

    fn facts() -> StatementFacts {
        StatementFacts::ReleasePause { wallet: None }
    }

    fn ids(text: &str) -> (StatementId, SignerId) {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap()
        };
        (
            field("Statement: ").parse().unwrap(),
            field("Signer: ").parse().unwrap(),
        )
    }

    #[test]
    fn the_signers_text_for_what_was_asked_passes() {
        let (statement, signer) = ids(TEXT);
        let stated = TEXT
            .lines()
            .last()
            .unwrap()
            .strip_prefix("Digest: ")
            .unwrap();
        let digest = check(TEXT, statement, signer, &facts()).unwrap();
        assert_eq!(digest.to_string(), stated);
    }

    #[test]
    fn every_other_text_is_refused() {
        let (statement, signer) = ids(TEXT);
        let other_signer = SignerId::from_bytes([9; 16]);
        let other_statement = StatementId::from_bytes([9; 16]);
        assert_eq!(
            check(TEXT, statement, other_signer, &facts()),
            Err(Flaw::Signer)
        );
        assert_eq!(
            check(TEXT, other_statement, signer, &facts()),
            Err(Flaw::Statement)
        );
        let another = StatementFacts::ReleaseKill {
            epoch: 1,
            sessions: Vec::new(),
        };
        assert_eq!(check(TEXT, statement, signer, &another), Err(Flaw::Heading));
        let wallet = waiaas_shared::ids::WalletId::from_bytes([3; 16]);
        let narrower = StatementFacts::ReleasePause {
            wallet: Some(wallet),
        };
        assert_eq!(check(TEXT, statement, signer, &narrower), Err(Flaw::Digest));
        let later = TEXT.replace("Sign before: 2026", "Sign before: 2027");
        assert_eq!(
            check(&later, statement, signer, &facts()),
            Err(Flaw::Digest)
        );
        let epoch = TEXT.replace("Policy epoch: 1", "Policy epoch: 2");
        assert_eq!(
            check(&epoch, statement, signer, &facts()),
            Err(Flaw::Digest)
        );
        let longer = format!("{TEXT}\nmore: 1");
        assert_eq!(check(&longer, statement, signer, &facts()), Err(Flaw::Form));
        assert_eq!(check("", statement, signer, &facts()), Err(Flaw::Heading));
    }

    /// The digest fits, and the text shows another payment than it covers.
    #[test]
    fn a_text_about_another_payment_is_refused() {
        let signer = SignerId::from_bytes([1; 16]);
        let statement = StatementId::from_bytes([2; 16]);
        let transaction = waiaas_shared::ids::TransactionId::from_bytes([3; 16]);
        let other = waiaas_shared::ids::TransactionId::from_bytes([4; 16]);
        let header = StatementHeader {
            signer,
            statement,
            policy_epoch: 1,
            expires: WallTime::from_millis(1_795_219_200_000),
        };
        for facts in [
            StatementFacts::ApprovePayment { transaction },
            StatementFacts::RejectPayment { transaction },
        ] {
            let text = |shown: &str| {
                format!(
                    "WAIaaS {}\nSigning this does it.\n{shown}\nPolicy epoch: 1\nSigner: {signer}\n\
                     Statement: {statement}\nSign before: {}\nDigest: {}",
                    facts.heading(),
                    header.expires,
                    digest(&header, &facts)
                )
            };
            let judged = |shown: &str| check(&text(shown), statement, signer, &facts).map(drop);
            assert_eq!(judged(&format!("Payment request: {transaction}")), Ok(()));
            for shown in [
                format!("Payment request: {other}"),
                "Amount: 1".to_owned(),
                format!("Payment request: {transaction}\nPayment request: {other}"),
            ] {
                assert_eq!(judged(&shown), Err(Flaw::Payment), "{shown}");
            }
        }
    }
}
