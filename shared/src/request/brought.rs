//! A transaction that the agent brings: read from the request's text, and decoded by what a policy document
//! registers and by whom the request names as recipients. Both can only make a comparison succeed: what it
//! does, and what the wallet's signature is for, follow from its bytes (invariants 2 and 3). Called by gateway and
//! signer alike.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, ChainId};
use crate::claim::{BATCH_LIMIT, Claim};
use crate::denial::Code;
use crate::evm::{EvmError, NetworkTerms, Registered};
use crate::policy::document::{AssetRule, PolicyDocument};
use crate::request::Action;
use crate::solana::{self, ProgramMethod, SolanaError, Token, WireTransaction};
use crate::transaction::{DecodeError, DecodedTransaction, Known, decode};

/// Recipients that a request names, at most.
pub const RECIPIENT_LIMIT: usize = BATCH_LIMIT;

/// Instructions of a message, at most: eight transfers, an account created for each, a memo, and two settings of
/// the fee. Each of them may be compared with every contact.
const INSTRUCTION_LIMIT: usize = 2 * BATCH_LIMIT + 3;

/// What was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The exact unsigned bytes: a Solana message, or an EVM transaction.
    pub unsigned: Vec<u8>,
    /// On Solana: the message with the signatures that came with it.
    pub wire: Option<WireTransaction>,
    /// Whom Solana token accounts may belong to, beside the policy's contacts. Bytes of a token transfer do not
    /// name the owner; one that is wrong fits nothing.
    pub recipients: Vec<Account>,
}

impl Brought {
    /// Reads the text of a transaction of this network.
    pub(super) fn read(
        network: ChainId,
        text: &str,
        recipients: Vec<Account>,
    ) -> Result<Self, Code> {
        let of_network = |account: &Account| AccountId::new(network, *account).is_ok();
        if recipients.len() > RECIPIENT_LIMIT || !recipients.iter().all(of_network) {
            return Err(Code::BodyMalformed);
        }
        match network {
            ChainId::Solana(_) => {
                let bytes = BASE64.decode(text).map_err(|_| Code::BroughtMalformed)?;
                let wire = WireTransaction::parse(&bytes).map_err(|_| Code::BroughtMalformed)?;
                Ok(Self {
                    unsigned: wire.message().to_vec(),
                    wire: Some(wire),
                    recipients,
                })
            }
            // An EVM transaction names whoever receives.
            ChainId::Evm(_) if recipients.is_empty() => {
                let digits = text.strip_prefix("0x").ok_or(Code::BroughtMalformed)?;
                Ok(Self {
                    unsigned: hex::decode(digits).map_err(|_| Code::BroughtMalformed)?,
                    wire: None,
                    recipients,
                })
            }
            ChainId::Evm(_) => Err(Code::BodyMalformed),
        }
    }

    /// What it does, as this document reads it: by its mints, contacts, functions and lookup tables.
    ///
    /// # Errors
    /// [`Code::TransactionUndecodable`], or the code of what is missing for it to be understood.
    pub fn decode(
        &self,
        network: ChainId,
        wallet: Account,
        document: &PolicyDocument,
        terms: NetworkTerms,
    ) -> Result<(DecodedTransaction, Claim), Code> {
        let called = match network {
            ChainId::Solana(_) => solana::called(&self.unsigned),
            ChainId::Evm(_) => Ok(Vec::new()),
        };
        let called = called.map_err(|error| code_of(&error.into()))?;
        if called.len() > INSTRUCTION_LIMIT {
            return Err(Code::BatchTooLarge);
        }
        let contacts = document.recipients.iter().map(|contact| contact.account);
        let contacts = contacts.filter(|account| account.chain() == network);
        let mut owners = self.recipients.clone();
        owners.extend(contacts.map(|account| account.account()));
        let tables = document.lookup_tables(network);
        let assets = document.assets.iter();
        let assets = assets.filter(|rule| rule.asset.chain() == network);
        let tokens: Vec<Token> = assets.filter_map(AssetRule::mint).collect();
        let read = |function: Option<&Registered>, method: Option<&ProgramMethod>| {
            let known = Known {
                owners: &owners,
                tokens: &tokens,
                ..Known::NOTHING
            };
            let known = known.on(terms).sponsored(true).looking_up(&tables);
            let known = known.calling(function).running(method);
            decode(network, wallet, &self.unsigned, known)
        };
        let transaction = read(None, None).or_else(|error| {
            let rules = document.calls.iter();
            let rules = rules.filter(|rule| rule.target.chain() == network);
            let mut readings = rules.filter_map(|rule| match rule.target.account() {
                // No two functions of a contract begin alike: one reads it, or none.
                Account::Evm(contract) => {
                    let function = Registered {
                        contract,
                        function: rule.function.as_ref()?.signature.clone(),
                        spends: rule.function.as_ref()?.spends(),
                    };
                    read(Some(&function), None).ok()
                }
                // Of methods that begin alike the longest reads it, as it would be asked for.
                Account::Solana(program) if !called.contains(&program) => None,
                Account::Solana(_) => {
                    let decoded = read(None, Some(&rule.program_method()?)).ok()?;
                    let claim = Claim::done_by(&decoded)?;
                    let told = claim.first().program.as_ref()?;
                    (document.call(rule.target, &told.data) == Some(rule)).then_some(decoded)
                }
            });
            readings.next().ok_or(error)
        });
        let transaction = transaction.map_err(|error| code_of(&error))?;
        let claim = Claim::done_by(&transaction).ok_or(Code::TransactionUndecodable)?;
        if claim.more().len() >= BATCH_LIMIT {
            return Err(Code::BatchTooLarge);
        }
        // As a request would be: it costs its fee and moves nothing.
        let moves = |action| matches!(action, Action::Transfer | Action::Stake);
        if claim
            .transfers()
            .any(|one| moves(one.action) && one.amount == Amount::ZERO)
        {
            return Err(Code::AmountInvalid);
        }
        // How mints are registered says how bytes of the same effect are built, should it have to wait.
        let claim = claim.registered(|asset| document.asset(asset).and_then(AssetRule::mint));
        Ok((transaction, claim))
    }
}

/// Why it is not understood, where something can be done about it.
fn code_of(error: &DecodeError) -> Code {
    match error {
        DecodeError::Solana(SolanaError::SignerCount | SolanaError::ForeignPayer) => {
            Code::BroughtRole
        }
        DecodeError::Solana(SolanaError::TokenDestination) => Code::BroughtRecipient,
        DecodeError::Solana(SolanaError::UnknownMint) => Code::AssetNotListed,
        DecodeError::Solana(SolanaError::LookupTable) => Code::BroughtTable,
        DecodeError::Solana(SolanaError::LookupIndex) => Code::BroughtTableIndex,
        DecodeError::Evm(EvmError::UnlimitedApproval) => Code::ApprovalUnlimited,
        DecodeError::Evm(EvmError::DataFee) => Code::DataFeeMissing,
        _ => Code::TransactionUndecodable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOLANA: &str = "solana:localnet";
    const EVM: &str = "eip155:31337";

    fn read(network: &str, text: &str, recipients: &[&str]) -> Result<Brought, Code> {
        let recipients = recipients
            .iter()
            .map(|one| one.parse().expect("an address"));
        let network = network.parse().expect("a network");
        Brought::read(network, text, recipients.collect())
    }

    /// A transfer of 1,000 lamports, and a place for its signature.
    fn wire() -> Vec<u8> {
        [
            &[1][..],
            &[0; 64],
            &[1, 0, 1, 3],
            &[7; 32],
            &[9; 32],
            &[0; 32],
            &[5; 32],
            &[1, 2, 2, 0, 1, 12, 2, 0, 0, 0],
            &1000_u64.to_le_bytes(),
        ]
        .concat()
    }

    #[test]
    fn each_network_has_one_form() {
        let text = BASE64.encode(wire());
        let brought = read(SOLANA, &text, &[]).expect("a transaction");
        assert_eq!(brought.unsigned, wire()[65..]);
        let owner = "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA";
        assert!(read(SOLANA, &text, &[owner; RECIPIENT_LIMIT]).is_ok());
        let brought = read(EVM, "0x02c0", &[]).expect("bytes");
        assert_eq!((brought.unsigned, brought.wire), (vec![2, 0xc0], None));
        for (network, text) in [
            (SOLANA, "0x02c0"),
            (EVM, text.as_str()),
            (EVM, "02c0"),
            (EVM, "0x02c"),
            (EVM, "0X02c0"),
            (
                SOLANA,
                text.trim_end_matches('=').get(1..).unwrap_or_default(),
            ),
            (SOLANA, &BASE64.encode(&wire()[65..])),
            (SOLANA, &BASE64.encode([&wire()[..], &[0]].concat())),
            (SOLANA, &format!("{text}\n")),
        ] {
            assert_eq!(
                read(network, text, &[]),
                Err(Code::BroughtMalformed),
                "{text}"
            );
        }
        let of_evm = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        for (network, text, recipients) in [
            (SOLANA, text.as_str(), vec![owner; RECIPIENT_LIMIT + 1]),
            (SOLANA, &text, vec![of_evm]),
            (EVM, "0x02c0", vec![of_evm]),
        ] {
            assert_eq!(read(network, text, &recipients), Err(Code::BodyMalformed));
        }
    }
}
