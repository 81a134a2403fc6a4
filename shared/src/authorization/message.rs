//! What a key signs for a transfer authorization, and the check of what it signed. The only way to typed data that a
//! wallet's key signs: from the fields of one compiled-in type to the digest. No function here takes typed data, bytes
//! or a digest (invariant 1).

use super::TransferAuthorization;
use crate::denial::Code;
use crate::evm::typed_data::{Word, address, bytes, hash_struct, number, signed_bytes};
use crate::evm::{keccak256, recover};
use crate::transaction::{Signature, SignatureError, SigningPayload};

/// The domain of a token that has all four fields, as EIP-3009 asks for.
const DOMAIN_TEXT: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
/// The one type that is signed.
pub const TYPE_TEXT: &str = "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";

/// A transfer authorization as a wallet's key signs it. Only [`AuthorizationMessage::compose`] makes one:
///
/// ```compile_fail,E0451
/// use waiaas_shared::authorization::{AuthorizationMessage, TransferAuthorization};
/// fn free(fields: TransferAuthorization, payload: Vec<u8>) -> AuthorizationMessage {
///     AuthorizationMessage { fields, payload }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationMessage {
    fields: TransferAuthorization,
    payload: Vec<u8>,
}

/// An authorization with its signature, which was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAuthorization {
    /// What is signed.
    pub fields: TransferAuthorization,
    /// 65 bytes r, s and v (27 or 28) of secp256k1.
    pub signature: [u8; 65],
}

impl AuthorizationMessage {
    /// What is signed for these fields, each of them checked.
    ///
    /// # Errors
    /// What [`TransferAuthorization::check`] says.
    pub fn compose(fields: &TransferAuthorization) -> Result<Self, Code> {
        fields.check()?;
        let (chain, contract) = fields.token().ok_or(Code::AuthorizationNotListed)?;
        let domain = [
            bytes(fields.domain.name.as_bytes()),
            bytes(fields.domain.version.as_bytes()),
            number(chain.into()),
            address(contract),
        ];
        let domain = hash_struct(DOMAIN_TEXT, &domain);
        Ok(Self {
            fields: fields.clone(),
            payload: signed_bytes(domain, structure(fields)),
        })
    }

    /// What is signed, field by field.
    #[must_use]
    pub const fn fields(&self) -> &TransferAuthorization {
        &self.fields
    }

    /// The 66 bytes whose hash is signed: `0x19 0x01`, the hash of the domain, the hash of the fields.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the wallet's key signs. The digest is computed here, from the fields.
    #[must_use]
    pub fn signing_payload(&self) -> SigningPayload<'_> {
        SigningPayload::Secp256k1Prehash(keccak256(&self.payload))
    }

    /// The signature in the form that tokens take. INVARIANT 4: it is verified against the wallet's account first, so a
    /// faulty one never leaves.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn assemble(self, signature: &Signature) -> Result<SignedAuthorization, SignatureError> {
        let Signature::Secp256k1 { r_and_s, y_is_odd } = signature else {
            return Err(SignatureError::WrongCurve);
        };
        if recover(&keccak256(&self.payload), r_and_s, *y_is_odd)? != self.fields.from {
            return Err(SignatureError::Invalid);
        }
        let mut whole = [27 + u8::from(*y_is_odd); 65];
        let (both, _) = whole.split_at_mut(r_and_s.len());
        both.copy_from_slice(r_and_s);
        Ok(SignedAuthorization {
            fields: self.fields,
            signature: whole,
        })
    }
}

fn structure(fields: &TransferAuthorization) -> Word {
    let words = [
        address(fields.from),
        address(fields.to),
        number(fields.value.base_units()),
        number(fields.valid_after.into()),
        number(fields.valid_before.into()),
        fields.nonce,
    ];
    hash_struct(TYPE_TEXT, &words)
}
