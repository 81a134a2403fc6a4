//! What an owner may have a text written for, as JSON: one object a kind, whose fields are those of the statement.
//! Reads and passes on; the signer judges the facts and writes the text.

use serde::Deserialize;
use utoipa::ToSchema;
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Charge;
use waiaas_shared::ids::{AgentId, OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::keys::{AgentKey, OwnerKey};
use waiaas_shared::policy::toml_form;
use waiaas_shared::session::{
    Credential, Operation, Renewal, SessionGrant, SessionLimit, SessionRecipients,
};
use waiaas_shared::statement::{GuardianStop, StatementFacts};
use waiaas_shared::time::{Millis, WallTime};

use super::super::error::Problem;

/// What is to be signed. Kinds that an owner's own machine alone may draft or hand in are named in docs/api.md.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schema(example = json!({"kind": "approve-payment", "transaction": "tx_00000000000000000000000001"}))]
pub(super) enum Facts {
    /// Let a payment that waits for its owners be signed, once.
    ApprovePayment {
        #[schema(value_type = String)]
        transaction: TransactionId,
    },
    /// End a waiting payment for good.
    RejectPayment {
        #[schema(value_type = String)]
        transaction: TransactionId,
    },
    /// Adopt a policy, in its form for people.
    AdoptPolicy {
        /// The policy as TOML (docs/policy.md).
        policy: String,
    },
    /// Grant a session to an agent.
    GrantSession {
        /// What it may do.
        grant: Box<Grant>,
    },
    /// Let a suspended session spend again.
    ResumeSession {
        #[schema(value_type = String)]
        session: SessionId,
    },
    /// Register an agent.
    RegisterAgent {
        /// Whether it is active at once.
        active: bool,
    },
    /// Let an agent that is created or suspended spend.
    ActivateAgent {
        #[schema(value_type = String)]
        agent: AgentId,
    },
    /// Resume a wallet, or everything.
    ReleasePause {
        /// Everything if absent.
        #[schema(value_type = Option<String>)]
        wallet: Option<WalletId>,
    },
    /// Release the kill switch. Handed in on the owner's own machine, with the password.
    ReleaseKill {
        /// Which throw of it.
        epoch: u64,
        /// Sessions to restore.
        #[schema(value_type = Vec<String>)]
        sessions: Vec<SessionId>,
    },
    /// Attest the next nonce of a wallet on an EVM chain.
    AttestNonce {
        #[schema(value_type = String)]
        wallet: WalletId,
        #[schema(value_type = String)]
        network: ChainId,
        /// The next one to be issued.
        next: u64,
        /// Of an address that the wallet had before a rotation.
        #[schema(value_type = Option<String>)]
        from: Option<Account>,
    },
    /// State the time, after an unexplained step of the clock.
    StateTime {
        /// Unix time, milliseconds.
        unix_millis: u64,
    },
    /// Close a wallet for good.
    CloseWallet {
        #[schema(value_type = String)]
        wallet: WalletId,
    },
    /// Move a wallet to a new key.
    RotateWallet {
        #[schema(value_type = String)]
        wallet: WalletId,
        /// The new address's first nonce on each EVM network; 0 on Solana.
        first_nonce: u64,
    },
    /// Give back what one payment was charged.
    Credit {
        /// The number of its entry in the log.
        sequence: u64,
        #[schema(value_type = String)]
        transaction: TransactionId,
        #[schema(value_type = String)]
        wallet: WalletId,
        /// How much of each asset.
        amounts: Vec<Credited>,
    },
    /// Suspend another owner's key at once.
    SuspendOwner {
        #[schema(value_type = String)]
        owner: OwnerId,
    },
    /// Let a suspended key sign again. Handed in on the owner's own machine, with the password.
    LiftSuspension {
        #[schema(value_type = String)]
        owner: OwnerId,
    },
    /// Remove an owner after 72 hours. Handed in on the owner's own machine, with the password.
    RemoveOwner {
        #[schema(value_type = String)]
        owner: OwnerId,
    },
    /// Change how many owners must sign, after 72 hours. Handed in with the password.
    SetQuorum {
        /// How many.
        quorum: u32,
    },
    /// Remove a guardian after 72 hours. Handed in with the password.
    RemoveGuardian {
        #[schema(value_type = String)]
        guardian: OwnerId,
    },
    /// Cancel a change of owners that has not taken effect.
    CancelOwnerChange {
        /// The statement that asked for it.
        #[schema(value_type = String)]
        change: StatementId,
    },
    /// Add an owner after 72 hours. Handed in on the owner's own machine, where the new key rehearses.
    AddOwner {
        /// Its address.
        #[schema(value_type = String)]
        key: Account,
    },
    /// Add a guardian after 72 hours. Handed in on the owner's own machine, where the new key rehearses.
    AddGuardian {
        /// Its address.
        #[schema(value_type = String)]
        key: Account,
    },
    /// Let withdrawals go to an address, after 72 hours. Handed in with the password.
    EnrolWithdrawal {
        /// CAIP-10.
        #[schema(value_type = String)]
        account: AccountId,
    },
    /// Let withdrawals no longer go to an address, after 72 hours. Handed in with the password.
    RemoveWithdrawal {
        /// CAIP-10.
        #[schema(value_type = String)]
        account: AccountId,
    },
    /// What a guardian stops.
    GuardianStop {
        /// `pause-all`, `kill` or `cancel-change`.
        stop: Stop,
        /// Of `cancel-change`: the statement that asked for the change.
        #[schema(value_type = Option<String>)]
        change: Option<StatementId>,
    },
    /// An owner is there: the dead-man time begins anew.
    SignOfLife {},
    /// End the signer and its log for good. Handed in with the password.
    Retire {},
}

/// What a guardian stops.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stop {
    PauseAll,
    Kill,
    CancelChange,
}

/// What of an asset is given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credited {
    /// CAIP-19.
    #[schema(value_type = String)]
    asset: AssetId,
    /// Base units.
    #[schema(value_type = String)]
    amount_base: Amount,
}

/// A session to be granted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    /// Wallets that it covers.
    #[schema(value_type = Vec<String>)]
    wallets: Vec<WalletId>,
    /// Its limits by asset.
    limits: Vec<GrantLimit>,
    /// Most transactions in its whole life.
    transactions: u32,
    /// Its end: Unix time, seconds.
    expires_unix: u64,
    /// The agent's public key in base58, which signs every request. Exactly one of this and `bearer_digest`.
    agent_key: Option<String>,
    /// Digest of a bearer secret, `hash(SessionSecret, secret)` of docs/encoding.md, in hexadecimal: the secret itself
    /// never comes here.
    #[schema(value_type = Option<String>)]
    bearer_digest: Option<Digest>,
    /// Only these may receive: contacts as `@name`, accounts (CAIP-10). Whom policy lets if absent.
    recipients: Option<Vec<String>>,
    /// Only this may be done; transfers if absent.
    operations: Option<Vec<String>>,
    /// How it may be renewed; not at all if absent.
    renewal: Option<GrantRenewal>,
    /// The agent that it belongs to.
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
}

/// Limits of one asset, fees included, in base units.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantLimit {
    /// CAIP-19.
    #[schema(value_type = String)]
    asset: AssetId,
    /// Most in one transaction.
    #[schema(value_type = String)]
    per_transaction: Amount,
    /// Most in its whole life.
    #[schema(value_type = String)]
    total: Amount,
}

/// How far a session may be renewed without its owner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantRenewal {
    /// Seconds that one renewal lasts.
    extends_seconds: u64,
    /// The end that no renewal moves: Unix time, seconds.
    until_unix: u64,
    /// Most renewals.
    count: u32,
}

impl Facts {
    /// As the signer takes them.
    pub(super) fn read(self) -> Result<StatementFacts, Problem> {
        Ok(match self {
            Self::ApprovePayment { transaction } => StatementFacts::ApprovePayment { transaction },
            Self::RejectPayment { transaction } => StatementFacts::RejectPayment { transaction },
            Self::AdoptPolicy { policy } => {
                let document = toml_form::parse(&policy).map_err(super::policies::malformed)?;
                StatementFacts::AdoptPolicy {
                    document: document.to_bytes(),
                }
            }
            Self::GrantSession { grant } => StatementFacts::GrantSession {
                grant: grant.read().ok_or(Code::BodyMalformed)?,
            },
            Self::ResumeSession { session } => StatementFacts::ResumeSession { session },
            Self::RegisterAgent { active } => StatementFacts::RegisterAgent { active },
            Self::ActivateAgent { agent } => StatementFacts::ActivateAgent { agent },
            Self::ReleasePause { wallet } => StatementFacts::ReleasePause { wallet },
            Self::ReleaseKill {
                epoch,
                mut sessions,
            } => {
                sessions.sort_unstable();
                StatementFacts::ReleaseKill { epoch, sessions }
            }
            Self::AttestNonce {
                wallet,
                network,
                next,
                from,
            } => StatementFacts::AttestNonce {
                wallet,
                chain: network,
                next,
                from,
            },
            Self::StateTime { unix_millis } => StatementFacts::StateTime {
                wall: WallTime::from_millis(unix_millis),
            },
            Self::CloseWallet { wallet } => StatementFacts::CloseWallet { wallet },
            Self::RotateWallet {
                wallet,
                first_nonce,
            } => StatementFacts::RotateWallet {
                wallet,
                first_nonce,
            },
            Self::Credit {
                sequence,
                transaction,
                wallet,
                amounts,
            } => {
                let mut amounts: Vec<Charge> = amounts.iter().map(Charge::from).collect();
                amounts.sort_by_key(|given| given.asset);
                StatementFacts::Credit {
                    sequence,
                    transaction,
                    wallet,
                    amounts,
                }
            }
            Self::SuspendOwner { owner } => StatementFacts::SuspendOwner { owner },
            Self::LiftSuspension { owner } => StatementFacts::LiftSuspension { owner },
            Self::RemoveOwner { owner } => StatementFacts::RemoveOwner { owner },
            Self::SetQuorum { quorum } => StatementFacts::SetQuorum { quorum },
            Self::RemoveGuardian { guardian } => StatementFacts::RemoveGuardian { guardian },
            Self::CancelOwnerChange { change } => StatementFacts::CancelOwnerChange { change },
            Self::AddOwner { key } => StatementFacts::AddOwner {
                key: owner_key(key),
            },
            Self::AddGuardian { key } => StatementFacts::AddGuardian {
                key: owner_key(key),
            },
            Self::EnrolWithdrawal { account } => StatementFacts::EnrolWithdrawal { account },
            Self::RemoveWithdrawal { account } => StatementFacts::RemoveWithdrawal { account },
            Self::GuardianStop { stop, change } => StatementFacts::GuardianStop {
                stop: match (stop, change) {
                    (Stop::PauseAll, None) => GuardianStop::PauseAll,
                    (Stop::Kill, None) => GuardianStop::Kill,
                    (Stop::CancelChange, Some(change)) => GuardianStop::CancelChange { change },
                    _ => return Err(Code::BodyMalformed.into()),
                },
            },
            Self::SignOfLife {} => StatementFacts::SignOfLife,
            Self::Retire {} => StatementFacts::Retire,
        })
    }
}

const fn owner_key(account: Account) -> OwnerKey {
    match account {
        Account::Solana(address) => ed25519(address),
        Account::Evm(address) => secp256k1(address),
    }
}

const fn ed25519(address: SolanaAddress) -> OwnerKey {
    OwnerKey::Ed25519(address)
}

const fn secp256k1(address: EvmAddress) -> OwnerKey {
    OwnerKey::Secp256k1(address)
}

impl From<&Credited> for Charge {
    fn from(given: &Credited) -> Self {
        Self {
            asset: given.asset,
            amount: given.amount_base,
        }
    }
}

impl Grant {
    /// Sorted, as the signer takes it; nothing if it contradicts itself.
    fn read(self) -> Option<SessionGrant> {
        let credential = match (self.agent_key, self.bearer_digest) {
            (Some(key), None) => Credential::AgentKey(AgentKey::from_base58(&key).ok()?),
            (None, Some(digest)) => Credential::Bearer(digest),
            _ => return None,
        };
        let mut wallets = self.wallets;
        wallets.sort_unstable();
        let mut limits: Vec<SessionLimit> = self
            .limits
            .iter()
            .map(|limit| SessionLimit {
                asset: limit.asset,
                per_transaction: limit.per_transaction,
                total: limit.total,
            })
            .collect();
        limits.sort_by_key(|limit| limit.asset);
        let operations = match self.operations {
            None => None,
            Some(names) => {
                let known = names.iter().map(|name| Operation::from_text(name));
                let mut known = known.collect::<Option<Vec<_>>>()?;
                known.sort_unstable();
                Some(known)
            }
        };
        let recipients = match self.recipients {
            None => None,
            Some(named) => Some(recipients(&named)?),
        };
        let seconds = |seconds: u64| WallTime::from_millis(seconds.saturating_mul(1000));
        let grant = SessionGrant {
            wallets,
            limits,
            count: self.transactions,
            expires: seconds(self.expires_unix),
            credential,
            recipients,
            operations,
            renewal: self.renewal.map(|renewal| Renewal {
                extends: Millis::from_secs(renewal.extends_seconds),
                until: seconds(renewal.until_unix),
                count: renewal.count,
            }),
            agent: self.agent,
        };
        grant.is_well_formed().then_some(grant)
    }
}

fn recipients(named: &[String]) -> Option<SessionRecipients> {
    let mut contacts = Vec::new();
    let mut accounts = Vec::new();
    for name in named {
        match name.strip_prefix('@') {
            Some(contact) => contacts.push(contact.to_owned()),
            None => accounts.push(name.parse::<AccountId>().ok()?),
        }
    }
    contacts.sort_unstable();
    accounts.sort_unstable();
    Some(SessionRecipients { contacts, accounts })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value) -> Option<StatementFacts> {
        let facts: Facts = serde_json::from_value(value.clone()).ok()?;
        facts.read().ok()
    }

    fn grant() -> Value {
        json!({"wallets": [WalletId::from_bytes([2; 16]), WalletId::from_bytes([1; 16])],
            "limits": [{"asset": "solana:localnet/slip44:501", "per_transaction": "5", "total": "50"}],
            "transactions": 4, "expires_unix": 1_795_219_200_u64,
            "agent_key": "US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx",
            "recipients": ["@shop", "eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
            "operations": ["token-transfer", "native-transfer"]})
    }

    /// Every kind that may be drafted over a gateway, and none of the two that may not.
    #[test]
    fn every_kind_is_read_into_its_own_statement() {
        let wallet = WalletId::from_bytes([3; 16]);
        let owner = OwnerId::from_bytes([4; 16]);
        let change = StatementId::from_bytes([5; 16]);
        let transaction = TransactionId::from_bytes([6; 16]);
        let key = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let account = format!("eip155:31337:{key}");
        let policy = include_str!("../../../../docs/examples/policy.toml");
        let kinds = [
            (
                json!({"kind": "approve-payment", "transaction": transaction}),
                "APPROVE PAYMENT",
            ),
            (
                json!({"kind": "reject-payment", "transaction": transaction}),
                "REJECT PAYMENT",
            ),
            (
                json!({"kind": "adopt-policy", "policy": policy}),
                "ADOPT POLICY",
            ),
            (
                json!({"kind": "grant-session", "grant": grant()}),
                "GRANT SESSION",
            ),
            (
                json!({"kind": "resume-session", "session": SessionId::from_bytes([1; 16])}),
                "RESUME SESSION",
            ),
            (
                json!({"kind": "register-agent", "active": true}),
                "REGISTER AGENT",
            ),
            (
                json!({"kind": "activate-agent", "agent": AgentId::from_bytes([1; 16])}),
                "ACTIVATE AGENT",
            ),
            (json!({"kind": "release-pause"}), "RELEASE PAUSE"),
            (
                json!({"kind": "release-pause", "wallet": wallet}),
                "RELEASE PAUSE",
            ),
            (
                json!({"kind": "release-kill", "epoch": 1, "sessions": []}),
                "RELEASE KILL SWITCH",
            ),
            (
                json!({"kind": "attest-nonce", "wallet": wallet, "network": "eip155:31337", "next": 7}),
                "ATTEST NONCE",
            ),
            (
                json!({"kind": "state-time", "unix_millis": 7}),
                "STATE TIME",
            ),
            (
                json!({"kind": "close-wallet", "wallet": wallet}),
                "CLOSE WALLET",
            ),
            (
                json!({"kind": "rotate-wallet", "wallet": wallet, "first_nonce": 0}),
                "ROTATE WALLET",
            ),
            (
                json!({"kind": "credit", "sequence": 7, "transaction": transaction, "wallet": wallet,
                "amounts": [{"asset": "eip155:31337/slip44:60", "amount_base": "5"}]}),
                "CREDIT",
            ),
            (
                json!({"kind": "suspend-owner", "owner": owner}),
                "SUSPEND OWNER",
            ),
            (
                json!({"kind": "lift-suspension", "owner": owner}),
                "LIFT SUSPENSION",
            ),
            (
                json!({"kind": "remove-owner", "owner": owner}),
                "REMOVE OWNER",
            ),
            (json!({"kind": "set-quorum", "quorum": 2}), "SET QUORUM"),
            (
                json!({"kind": "remove-guardian", "guardian": owner}),
                "REMOVE GUARDIAN",
            ),
            (
                json!({"kind": "cancel-owner-change", "change": change}),
                "CANCEL OWNER CHANGE",
            ),
            (json!({"kind": "add-owner", "key": key}), "ADD OWNER"),
            (json!({"kind": "add-guardian", "key": key}), "ADD GUARDIAN"),
            (
                json!({"kind": "enrol-withdrawal", "account": account}),
                "ENROL WITHDRAWAL ADDRESS",
            ),
            (
                json!({"kind": "remove-withdrawal", "account": account}),
                "REMOVE WITHDRAWAL ADDRESS",
            ),
            (
                json!({"kind": "guardian-stop", "stop": "kill"}),
                "GUARDIAN STOP",
            ),
            (
                json!({"kind": "guardian-stop", "stop": "cancel-change", "change": change}),
                "GUARDIAN STOP",
            ),
            (json!({"kind": "sign-of-life"}), "SIGN OF LIFE"),
            (json!({"kind": "retire"}), "RETIRE SIGNER"),
        ];
        for (body, heading) in &kinds {
            let facts = read(body).unwrap_or_else(|| panic!("{body}"));
            assert_eq!(facts.heading(), *heading, "{body}");
            let mut more = body.clone();
            more["more"] = json!(1);
            assert_eq!(read(&more), None, "{more}");
        }
        for kind in ["enrol-owner", "recover-owners", "withdraw", "Retire", ""] {
            assert_eq!(read(&json!({ "kind": kind })), None, "{kind}");
        }
        assert_eq!(
            read(&json!({"kind": "guardian-stop", "stop": "kill", "change": change})),
            None
        );
        assert_eq!(
            read(&json!({"kind": "guardian-stop", "stop": "cancel-change"})),
            None
        );
    }

    #[test]
    fn a_grant_is_sorted_and_has_one_credential() {
        let body = |grant: Value| json!({"kind": "grant-session", "grant": grant});
        let Some(StatementFacts::GrantSession { grant: read_grant }) = read(&body(grant())) else {
            panic!("a grant");
        };
        assert!(read_grant.is_well_formed());
        assert_eq!(read_grant.wallets.len(), 2);
        let changed = |change: fn(&mut Value)| {
            let mut grant = grant();
            change(&mut grant);
            read(&body(grant))
        };
        assert_eq!(
            changed(|grant| grant["bearer_digest"] = json!("00".repeat(32))),
            None
        );
        assert_eq!(changed(|grant| grant["agent_key"] = json!(null)), None);
        assert_eq!(
            changed(|grant| grant["operations"] = json!(["anything"])),
            None
        );
        assert_eq!(changed(|grant| grant["recipients"] = json!(["shop"])), None);
        assert_eq!(changed(|grant| grant["transactions"] = json!(0)), None);
        assert_eq!(
            changed(|grant| grant["limits"][0]["total"] = json!(50)),
            None
        );
        assert_eq!(changed(|grant| grant["secret"] = json!("abc")), None);
        assert!(
            changed(|grant| {
                grant["agent_key"] = json!(null);
                grant["bearer_digest"] = json!("00".repeat(32));
            })
            .is_some()
        );
    }
}
