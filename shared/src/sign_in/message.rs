//! The template of a sign-in message, the bytes that a key signs for it, and the check of what it signed.
//! The only way to a message that a wallet's key signs: from fields to text, from the text to bytes behind
//! a prefix that no transaction begins with. No function here takes text or bytes to sign (invariant 1).

use std::fmt::Write as _;

use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey};

use super::SignIn;
use crate::address::Account;
use crate::caip::{ChainId, Cluster};
use crate::denial::Code;
use crate::evm;
use crate::keys::OwnerKey;
use crate::statement::verify::{Envelope, holds, offchain_v1, personal, wrapped};
use crate::transaction::{Signature, SignatureError, SigningPayload};

/// A sign-in message as a wallet's key signs it. Only [`SignInMessage::compose`] makes one:
///
/// ```compile_fail,E0451
/// # let text = String::from("anything");
/// # let account = waiaas_shared::address::Account::Evm(
/// #     waiaas_shared::address::EvmAddress::from_bytes([0; 20]));
/// let free = waiaas_shared::sign_in::SignInMessage { account, text, payload: Vec::new() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInMessage {
    account: Account,
    text: String,
    payload: Vec<u8>,
}

/// A sign-in message with its signature, which was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage {
    /// What the site reads.
    pub text: String,
    /// What the signature is over.
    pub payload: Vec<u8>,
    /// 65 bytes r, s and v (27 or 28) of secp256k1, or 64 bytes of Ed25519.
    pub signature: Vec<u8>,
}

impl SignInMessage {
    /// Writes the text of these fields, each of them checked.
    ///
    /// # Errors
    /// [`Code::SignInMalformed`].
    pub fn compose(fields: &SignIn) -> Result<Self, Code> {
        fields.check()?;
        let text = text(fields).ok_or(Code::SignInMalformed)?;
        let payload = match &fields.account {
            Account::Solana(address) => offchain_v1(&text, address.as_bytes()),
            Account::Evm(_) => personal(&text),
        };
        Ok(Self {
            account: fields.account,
            text,
            payload,
        })
    }

    /// What the site reads.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Exactly the bytes that are signed: the text behind the prefix of EIP-191, or in a Solana off-chain
    /// message of version 1.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the wallet's key signs. The digest is computed here, from what was written.
    #[must_use]
    pub fn signing_payload(&self) -> SigningPayload<'_> {
        match self.account {
            Account::Solana(_) => SigningPayload::Ed25519Message(&self.payload),
            Account::Evm(_) => SigningPayload::Secp256k1Prehash(evm::keccak256(&self.payload)),
        }
    }

    /// Joins message and signature. INVARIANT 4: the signature is verified against the wallet's account
    /// first, so a faulty one never leaves.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn assemble(self, signature: &Signature) -> Result<SignedMessage, SignatureError> {
        let signature = match (self.account, signature) {
            (Account::Solana(address), Signature::Ed25519(signature)) => {
                VerifyingKey::from_bytes(address.as_bytes())
                    .and_then(|key| {
                        let signature = Ed25519Signature::from_bytes(signature);
                        key.verify_strict(&self.payload, &signature)
                    })
                    .map_err(|_| SignatureError::Invalid)?;
                signature.to_vec()
            }
            (Account::Evm(address), Signature::Secp256k1 { r_and_s, y_is_odd }) => {
                let prehash = evm::keccak256(&self.payload);
                if evm::recover(&prehash, r_and_s, *y_is_odd)? != address {
                    return Err(SignatureError::Invalid);
                }
                // The form of `personal_sign`: 27 or 28 (Yellow Paper).
                [&r_and_s[..], &[27 + u8::from(*y_is_odd)]].concat()
            }
            _ => return Err(SignatureError::WrongCurve),
        };
        Ok(SignedMessage {
            text: self.text,
            payload: self.payload,
            signature,
        })
    }
}

impl SignInMessage {
    /// Whether an owner's wallet signed this very message: the key is the account that the message names, and the
    /// signature holds over its text in this envelope, as strictly as over a statement. For the gateway's own
    /// login of owners; no statement's text is a sign-in message, nor the reverse.
    #[must_use]
    pub fn is_signed_by(&self, key: &OwnerKey, envelope: Envelope, signature: &[u8]) -> bool {
        let named = match (self.account, key) {
            (Account::Solana(account), OwnerKey::Ed25519(key)) => account == *key,
            (Account::Evm(account), OwnerKey::Secp256k1(key)) => account == *key,
            _ => false,
        };
        named
            && wrapped(&self.text, envelope, key)
                .is_ok_and(|payload| holds(&payload, key, signature))
    }
}

/// The text, as EIP-4361 and the Wallet Standard write it; they differ in the empty lines around a
/// statement. Every line is one field, and no field holds a line feed.
fn text(fields: &SignIn) -> Option<String> {
    let SignIn {
        chain,
        account,
        domain,
        uri,
        nonce,
        statement,
        issued,
        expires,
        request_id,
        resources,
    } = fields;
    let (kind, gap) = match account {
        Account::Solana(_) => ("Solana", "\n\n"),
        Account::Evm(_) => ("Ethereum", "\n\n\n"),
    };
    let mut text = format!("{domain} wants you to sign in with your {kind} account:\n{account}");
    match statement {
        Some(statement) => write!(text, "\n\n{statement}\n\n"),
        None => write!(text, "{gap}"),
    }
    .ok()?;
    write!(
        text,
        "URI: {uri}\nVersion: 1\nChain ID: {}\nNonce: {nonce}\nIssued At: {}\nExpiration Time: {}",
        chain_name(chain),
        issued.rfc3339(),
        expires.rfc3339(),
    )
    .ok()?;
    if let Some(id) = request_id {
        write!(text, "\nRequest ID: {id}").ok()?;
    }
    if !resources.is_empty() {
        write!(text, "\nResources:").ok()?;
        for resource in resources {
            write!(text, "\n- {resource}").ok()?;
        }
    }
    Some(text)
}

/// The chain as sites name it: a number, or a cluster's name in the Wallet Standard.
fn chain_name(chain: &ChainId) -> String {
    match chain {
        ChainId::Evm(id) => id.to_string(),
        ChainId::Solana(cluster) => match cluster.reference() {
            Cluster::MAINNET => "solana:mainnet".to_owned(),
            Cluster::DEVNET => "solana:devnet".to_owned(),
            Cluster::TESTNET => "solana:testnet".to_owned(),
            other => format!("solana:{other}"),
        },
    }
}
