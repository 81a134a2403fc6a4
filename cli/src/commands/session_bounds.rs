//! What `session grant` may demand beside limits: recipients, operations, renewal, and the agent that
//! the session belongs to. Reads arguments; the grant itself judges whether they fit together.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use waiaas_shared::caip::AccountId;
use waiaas_shared::ids::AgentId;
use waiaas_shared::session::{Operation, Renewal, SessionGrant, SessionRecipients};
use waiaas_shared::time::{Millis, WallTime};

use crate::duration;

/// Arguments.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BoundsArgs {
    /// Only this recipient: a contact of the policy as @name, or an account such as
    /// eip155:1:0x... (repeat)
    #[arg(long = "recipient", value_name = "@NAME|CAIP10", value_parser = recipient)]
    recipients: Vec<Recipient>,
    /// Only this operation (repeat). Without it: transfers
    #[arg(long = "operation", value_name = "NAME", value_parser = operation())]
    operations: Vec<Operation>,
    /// How long one renewal lasts, from its request on: the agent renews without asking you
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "lifetime")]
    renew_for: Option<Millis>,
    /// How long the session lasts at most, renewals included
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "renew_for")]
    lifetime: Option<Millis>,
    /// Most renewals in its whole life; without it: as many as fit
    #[arg(long, value_name = "N", requires = "renew_for")]
    renewals: Option<u32>,
    /// The agent that it belongs to (waiaas agent register)
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentId>,
}

/// Who may receive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Recipient {
    Contact(String),
    Account(AccountId),
}

fn recipient(text: &str) -> Result<Recipient, String> {
    match text.strip_prefix('@') {
        Some(name) => Ok(Recipient::Contact(name.to_owned())),
        None => text
            .parse()
            .map(Recipient::Account)
            .map_err(|_| "a contact as @name, or an account as eip155:1:0x...".to_owned()),
    }
}

/// Any operation by its name; the help lists them.
fn operation() -> impl TypedValueParser<Value = Operation> {
    PossibleValuesParser::new(Operation::ALL.map(Operation::as_str))
        .try_map(|name| Operation::from_text(&name).ok_or("no operation"))
}

impl BoundsArgs {
    /// Puts them into a grant that is made now.
    pub(crate) fn narrow(&self, grant: SessionGrant, now: WallTime) -> SessionGrant {
        SessionGrant {
            recipients: self.recipients(),
            operations: self.operations(),
            renewal: self.renewal(now),
            agent: self.agent,
            ..grant
        }
    }

    fn recipients(&self) -> Option<SessionRecipients> {
        if self.recipients.is_empty() {
            return None;
        }
        let (mut contacts, mut accounts) = (Vec::new(), Vec::new());
        for recipient in &self.recipients {
            match recipient {
                Recipient::Contact(name) => contacts.push(name.clone()),
                Recipient::Account(account) => accounts.push(*account),
            }
        }
        contacts.sort_unstable();
        contacts.dedup();
        accounts.sort_unstable();
        accounts.dedup();
        Some(SessionRecipients { contacts, accounts })
    }

    fn operations(&self) -> Option<Vec<Operation>> {
        let mut operations = self.operations.clone();
        operations.sort_unstable();
        operations.dedup();
        (!operations.is_empty()).then_some(operations)
    }

    fn renewal(&self, now: WallTime) -> Option<Renewal> {
        let (extends, lifetime) = (self.renew_for?, self.lifetime?);
        // Half of a renewal passes between two of them at least.
        let fit = lifetime.millis() / (extends.millis() / 2).max(1) + 1;
        let fit = u32::try_from(fit).unwrap_or(u32::MAX);
        let most = fit.min(waiaas_shared::session::RENEWALS_LIMIT);
        Some(Renewal {
            extends,
            // Whole seconds, as the owner's text shows them.
            until: WallTime::from_millis(now.after(lifetime).millis() / 1000 * 1000),
            count: self.renewals.unwrap_or(most),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        bounds: BoundsArgs,
    }

    fn read(line: &str) -> Result<BoundsArgs, clap::Error> {
        let words = std::iter::once("grant").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.bounds)
    }

    #[test]
    fn recipients_are_contacts_or_accounts() {
        let account = "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let line = format!("--recipient @b --recipient {account} --recipient @a --recipient @b");
        let named = read(&line).unwrap().recipients().unwrap();
        assert_eq!(named.contacts, ["a", "b"]);
        assert_eq!(named.accounts, [account.parse().unwrap()]);
        assert_eq!(read("").unwrap().recipients(), None);
        assert!(read("--recipient hosting").is_err());
        assert!(read("--operation everything").is_err());
        let operations = read("--operation native-transfer").unwrap().operations();
        assert_eq!(operations, Some(vec![Operation::NativeTransfer]));
    }

    #[test]
    fn a_renewal_is_bounded_by_the_lifetime() {
        let now = WallTime::from_millis(1_000_500);
        let bounds = read("--renew-for 12h --lifetime 30d").unwrap();
        let renewal = bounds.renewal(now).unwrap();
        assert_eq!(renewal.extends, Millis::from_hours(12));
        assert_eq!(renewal.until.millis(), 1_000_000 + 30 * 24 * 3_600_000);
        assert_eq!(renewal.count, 121);
        let few = read("--renew-for 12h --lifetime 30d --renewals 4").unwrap();
        assert_eq!(few.renewal(now).unwrap().count, 4);
        for wrong in ["--renew-for 12h", "--lifetime 30d", "--renewals 4"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
