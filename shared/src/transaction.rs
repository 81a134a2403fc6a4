//! The one way from unsigned bytes to a signed transaction, for both chain families:
//! [`decode`] -> [`signing_payload`] -> [`assemble`]. Effects come out of the bytes and from nowhere
//! else (invariants 1, 2, 3); no function here takes a digest. It never judges whether the wallet
//! may do what the bytes say: that is policy. Called by the signer (authority), by the gateway (early
//! refusal) and by the command line.

mod cancellation;

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId, Token};
use crate::effect::Effect;
use crate::evm::{self, EvmError, NetworkTerms, Registered, UnsignedTransaction};
use crate::memo::Memo;
use crate::solana::{self, Outflow, Role, SolanaError};

/// What the decoder may compare bytes with, besides the wallet. It can only make a comparison succeed:
/// without it the same bytes are refused, with it they never do more.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Whom a Solana token account may belong to: its address is derived from each of them, so a claim
    /// that is wrong fits nothing. Bytes of a token transfer do not name the owner.
    pub owners: &'a [Account],
    /// Solana mints as owners registered them, each once. Never what a node says.
    pub tokens: &'a [solana::Token],
    /// The function of an EVM contract that is called, as owners registered it.
    pub function: Option<&'a Registered>,
    /// The seed of the Solana stake account that is meant: its address is derived from wallet and seed.
    pub seed: Option<&'a solana::StakeSeed>,
    /// The method of a Solana program that is called, as owners registered it.
    pub program: Option<&'a solana::ProgramMethod>,
    /// What owners say of the EVM network: forms beside EIP-1559, and the fee for data, which makes the worst
    /// case worse and never better.
    pub network: NetworkTerms,
    /// Whether somebody else may sign first and pay the fee of a Solana transaction: of one that an agent brought.
    pub sponsored: bool,
}

impl<'a> Known<'a> {
    /// Of a payment to one recipient, in one token if it is one of Solana's.
    #[must_use]
    pub const fn of(to: &'a Account, token: &'a Option<solana::Token>) -> Self {
        Self {
            owners: std::slice::from_ref(to),
            tokens: token.as_slice(),
            function: None,
            seed: None,
            program: None,
            network: NetworkTerms {
                legacy: false,
                data_fee: None,
            },
            sponsored: false,
        }
    }

    /// The same, and this function of a contract.
    #[must_use]
    pub const fn calling(self, function: Option<&'a Registered>) -> Self {
        Self { function, ..self }
    }

    /// The same, and the stake account of this seed.
    #[must_use]
    pub const fn staking(self, seed: Option<&'a solana::StakeSeed>) -> Self {
        Self { seed, ..self }
    }

    /// The same, and this method of a program.
    #[must_use]
    pub const fn running(self, program: Option<&'a solana::ProgramMethod>) -> Self {
        Self { program, ..self }
    }

    /// The same, on these terms of the network.
    #[must_use]
    pub const fn on(self, network: NetworkTerms) -> Self {
        Self { network, ..self }
    }

    /// The same, of a transaction whose fee somebody else may pay.
    #[must_use]
    pub const fn sponsored(self, sponsored: bool) -> Self {
        Self { sponsored, ..self }
    }
}

impl Known<'static> {
    /// Nothing: enough for native coins.
    pub const NOTHING: Self = Self {
        owners: &[],
        tokens: &[],
        function: None,
        seed: None,
        program: None,
        network: NetworkTerms {
            legacy: false,
            data_fee: None,
        },
        sponsored: false,
    };
}

pub use cancellation::{EvmFees, cancellation, read_cancellation};

/// Why bytes are not a transaction that this wallet could sign. Whose fault: the peer's that sent
/// them. Each code is stable and has a vector in `tests/vectors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The account is not of the chain's family.
    #[error("the account is not of the chain's family")]
    FamilyMismatch,
    /// A nonce was given for a chain whose transactions have none.
    #[error("transactions of this chain carry no account nonce")]
    NonceNotUsed,
    /// Refused by the Solana decoder.
    #[error(transparent)]
    Solana(#[from] SolanaError),
    /// Refused by the EVM decoder.
    #[error(transparent)]
    Evm(#[from] EvmError),
}

impl DecodeError {
    /// The stable name of the rule that was broken.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FamilyMismatch => "family_mismatch",
            Self::NonceNotUsed => "nonce_not_used",
            Self::Solana(error) => error.code(),
            Self::Evm(error) => error.code(),
        }
    }
}

/// A transaction that was understood to the last byte. Only [`decode`] and [`cancellation`] make one, so
/// holding one means: effects and memo describe everything these bytes can do with the wallet's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedTransaction {
    chain: ChainId,
    from: Account,
    effects: Vec<Effect>,
    memo: Option<Memo>,
    fee_max: Amount,
    bytes: Vec<u8>,
    wire: Wire,
}

/// What the signer may still have to re-encode.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wire {
    Solana(Role),
    Evm(Box<EvmWire>),
}

/// An EVM transaction with what it was understood by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EvmWire {
    transaction: evm::Transaction,
    /// The registered function, if it calls one.
    function: Option<Registered>,
    network: NetworkTerms,
}

impl EvmWire {
    /// What the same transaction is understood by again. What else is known only concerns Solana.
    fn known(&self) -> Known<'_> {
        Known::NOTHING
            .calling(self.function.as_ref())
            .on(self.network)
    }
}

impl DecodedTransaction {
    /// The chain it is for.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// The wallet's account: sole signer and payer of the fee, unless it is [`Self::is_sponsored`].
    #[must_use]
    pub const fn from(&self) -> Account {
        self.from
    }

    /// Everything it does, in order, the fee last. At least one transfer, approval, call or stake, and exactly one
    /// fee; none if somebody else pays it.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The text that it writes to the chain's log.
    #[must_use]
    pub const fn memo(&self) -> Option<&Memo> {
        self.memo.as_ref()
    }

    /// Whether somebody else signs too, and pays the fee. Derived from the bytes.
    #[must_use]
    pub const fn is_sponsored(&self) -> bool {
        matches!(self.wire, Wire::Solana(Role::Sponsored))
    }

    /// The most that the chain can take from the wallet as its fee, in lamports or wei.
    #[must_use]
    pub const fn fee_max(&self) -> Amount {
        self.fee_max
    }

    /// The exact unsigned bytes: a Solana message, an EIP-2718 typed transaction, or an EIP-155 one.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The account nonce that the bytes carry; nothing on Solana.
    #[must_use]
    pub fn account_nonce(&self) -> Option<u64> {
        match &self.wire {
            Wire::Solana(_) => None,
            Wire::Evm(evm) => Some(evm.transaction.fields.nonce),
        }
    }

    /// INVARIANT 6: bytes from outside carry nonce 0, because only the signer issues nonces. To be
    /// called on everything that a gateway sent. Solana bytes pass.
    ///
    /// # Errors
    /// [`EvmError::NonceNotZero`].
    pub fn require_zero_nonce(&self) -> Result<(), DecodeError> {
        match self.account_nonce() {
            None | Some(0) => Ok(()),
            Some(_) => Err(EvmError::NonceNotZero.into()),
        }
    }

    /// The same transaction with the nonce that the signer issued: written, encoded again, and those
    /// bytes judged from the start (invariant 6).
    ///
    /// # Errors
    /// [`DecodeError::NonceNotUsed`] on Solana; [`EvmError::NonceLimit`] for 2^64 - 1 (EIP-2681).
    pub fn with_nonce(&self, nonce: u64) -> Result<Self, DecodeError> {
        let Wire::Evm(evm) = &self.wire else {
            return Err(DecodeError::NonceNotUsed);
        };
        let numbered = evm::Transaction {
            fields: UnsignedTransaction {
                nonce,
                ..evm.transaction.fields.clone()
            },
            form: evm.transaction.form,
        };
        decode(self.chain, self.from, &numbered.encode(), evm.known())
    }
}

/// Reads unsigned bytes as a transaction of `from` on `chain`, by exact allow-list and to the last
/// byte.
///
/// # Errors
/// [`DecodeError`] for everything that is not wholly understood.
pub fn decode(
    chain: ChainId,
    from: Account,
    unsigned: &[u8],
    known: Known<'_>,
) -> Result<DecodedTransaction, DecodeError> {
    let native = chain.native_asset();
    let (mut effects, memo, fee_max, wire) = match (chain, from) {
        (ChainId::Solana(_), Account::Solana(wallet)) => {
            let understood = solana::decode(wallet, unsigned, known)?;
            let mut effects = Vec::with_capacity(understood.outflows.len().saturating_add(1));
            for outflow in understood.outflows {
                add_effects(&mut effects, chain, outflow)?;
            }
            let fee_max = match understood.role {
                Role::Payer => understood.fee_max,
                Role::Sponsored => Amount::ZERO,
            };
            let wire = Wire::Solana(understood.role);
            (effects, understood.memo, fee_max, wire)
        }
        (ChainId::Evm(chain_id), Account::Evm(wallet)) => {
            let network = known.network;
            let understood = evm::decode(chain_id, wallet, unsigned, known.function, network)?;
            let wire = Wire::Evm(Box::new(EvmWire {
                transaction: understood.transaction,
                function: known.function.cloned(),
                network,
            }));
            (understood.effects, None, understood.fee_max, wire)
        }
        _ => return Err(DecodeError::FamilyMismatch),
    };
    if wire != Wire::Solana(Role::Sponsored) {
        effects.push(Effect::Fee {
            asset: native,
            max: fee_max,
        });
    }
    Ok(DecodedTransaction {
        chain,
        from,
        effects,
        memo,
        fee_max,
        bytes: unsigned.to_vec(),
        wire,
    })
}

/// Reads bytes out of the signer's own log, which were judged before they were signed: what they say of mints
/// stands, whatever documents have them registered as since. The caller compares the effects with those that the
/// log has beside the bytes.
///
/// # Errors
/// [`DecodeError`] for what is understood no more.
pub fn decode_recorded(
    chain: ChainId,
    from: Account,
    unsigned: &[u8],
    known: Known<'_>,
) -> Result<DecodedTransaction, DecodeError> {
    let tokens = match from {
        Account::Solana(wallet) => solana::tokens(wallet, unsigned, known),
        Account::Evm(_) => Vec::new(),
    };
    let tokens = &tokens;
    decode(chain, from, unsigned, Known { tokens, ..known })
}

/// What leaves a Solana wallet, in the terms of policy: the owner receives, never a token account.
fn add_effects(
    effects: &mut Vec<Effect>,
    chain: ChainId,
    outflow: Outflow,
) -> Result<(), DecodeError> {
    let native = chain.native_asset();
    effects.push(match outflow {
        Outflow::Lamports(transfer) => Effect::Transfer {
            asset: native,
            to: Account::Solana(transfer.to),
            amount: Amount::from_base_units(transfer.lamports.into()),
        },
        Outflow::Tokens { mint, to, amount } => Effect::Transfer {
            asset: AssetId::new(chain, Token::Mint(mint))
                .map_err(|_| DecodeError::FamilyMismatch)?,
            to: Account::Solana(to),
            amount: Amount::from_base_units(amount.into()),
        },
        Outflow::Rent(lamports) => Effect::Rent {
            asset: native,
            amount: Amount::from_base_units(lamports.into()),
        },
        Outflow::Stake(account, staking) => Effect::Stake {
            asset: native,
            account,
            staking,
        },
        Outflow::Program(told) => {
            effects.extend(solana::program_effects(chain, &told));
            return Ok(());
        }
    });
    Ok(())
}

/// What the wallet's key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningPayload<'transaction> {
    /// Ed25519 over the message itself (RFC 8032, not pre-hashed).
    Ed25519Message(&'transaction [u8]),
    /// ECDSA over this Keccak-256 digest of the bytes.
    Secp256k1Prehash([u8; 32]),
}

/// What to sign for `transaction`. The digest is computed here, from what was decoded.
#[must_use]
pub fn signing_payload(transaction: &DecodedTransaction) -> SigningPayload<'_> {
    match transaction.wire {
        Wire::Solana(_) => SigningPayload::Ed25519Message(&transaction.bytes),
        Wire::Evm(_) => SigningPayload::Secp256k1Prehash(evm::keccak256(&transaction.bytes)),
    }
}

/// A signature as the key store makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// 64 bytes of RFC 8032.
    Ed25519([u8; 64]),
    /// ECDSA on secp256k1.
    Secp256k1 {
        /// `r` and `s`, 32 bytes each, big endian; `s` in the lower half (EIP-2).
        r_and_s: [u8; 64],
        /// Whether the nonce point's `y` is odd.
        y_is_odd: bool,
    },
}

/// Why a signature may not leave. Whose fault: our own (a wrong key, a computing fault).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is of the other curve.
    #[error("the signature is of another curve than the transaction's")]
    WrongCurve,
    /// It does not verify against the wallet's account over these bytes.
    #[error("the signature does not verify against the wallet's account")]
    Invalid,
    /// ECDSA with `s` in the upper half (EIP-2): a second valid form of the same signature.
    #[error("the signature is not in its low-s form")]
    HighS,
}

/// A transaction with the wallet's signature, which was verified: ready to be sent, unless somebody else signs too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    bytes: Vec<u8>,
    id: String,
}

impl SignedTransaction {
    /// The bytes for `sendTransaction` or `eth_sendRawTransaction`.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The chain's own name for it: base58 of the first signature, or `0x` and the hash in hex. Empty while the
    /// first signature, somebody else's, is missing.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Bytes and id.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, String) {
        (self.bytes, self.id)
    }
}

/// Joins transaction and signature. INVARIANT 4: the signature is verified against the wallet's
/// account first, so a faulty one never leaves.
///
/// # Errors
/// [`SignatureError`].
pub fn assemble(
    transaction: &DecodedTransaction,
    signature: &Signature,
) -> Result<SignedTransaction, SignatureError> {
    match (&transaction.wire, transaction.from, signature) {
        (Wire::Solana(role), Account::Solana(wallet), Signature::Ed25519(signature)) => {
            let bytes = solana::assemble(wallet, &transaction.bytes, *role, signature)?;
            let id = match role {
                Role::Payer => bs58::encode(signature).into_string(),
                Role::Sponsored => String::new(),
            };
            Ok(SignedTransaction { bytes, id })
        }
        (Wire::Evm(evm), Account::Evm(wallet), Signature::Secp256k1 { r_and_s, y_is_odd }) => {
            let bytes = evm::assemble(wallet, &evm.transaction, r_and_s, *y_is_odd)?;
            let id = format!("0x{}", hex::encode(evm::keccak256(&bytes)));
            Ok(SignedTransaction { bytes, id })
        }
        _ => Err(SignatureError::WrongCurve),
    }
}
