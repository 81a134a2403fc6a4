//! Why a signed request is refused. Owns the stable codes.

/// The rule that a request broke. Whose fault: the client's, or somebody's on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestSignatureError {
    /// `Signature-Input` does not hold exactly one signature named `waiaas`.
    #[error("Signature-Input must hold one signature, named waiaas")]
    Label,
    /// Other covered components, or another order.
    #[error(
        "the signature must cover \"@method\" \"@path\" \"@query\" \"content-digest\" \"idempotency-key\", in this order"
    )]
    Components,
    /// `created` is missing, or not a plain integer of at most 15 digits.
    #[error("the first parameter must be created, in seconds")]
    Created,
    /// `nonce` is missing, or not 16 to 64 visible characters.
    #[error(
        "the second parameter must be nonce, 16 to 64 visible ASCII characters without quote and backslash"
    )]
    Nonce,
    /// `keyid` is missing or not a session.
    #[error("the third parameter must be keyid, a session id")]
    KeyId,
    /// `alg` is missing or not `ed25519`.
    #[error("the fourth parameter must be alg=\"ed25519\"")]
    Algorithm,
    /// `tag` is missing or not `waiaas/v1`.
    #[error("the fifth parameter must be tag=\"waiaas/v1\"")]
    Tag,
    /// Something behind the last parameter.
    #[error("nothing may stand behind the five parameters")]
    Trailing,
    /// `Signature` is not one byte sequence of 64 bytes named `waiaas`.
    #[error("Signature must be waiaas=:<base64 of 64 bytes>:")]
    SignatureForm,
    /// The method is not upper-case letters.
    #[error("the method must be upper-case ASCII letters")]
    Method,
    /// The path is not in its one form.
    #[error("the path must begin with a slash, without empty or dot segments and percent encoding")]
    Path,
    /// The query is not `?` and visible characters.
    #[error("the query must be a question mark and visible ASCII characters")]
    Query,
    /// The idempotency key is not 1 to 128 visible characters.
    #[error("the idempotency key must be 1 to 128 visible ASCII characters")]
    IdempotencyKey,
    /// The signature is not this key's over this request.
    #[error("the signature does not verify over this request with the session's key")]
    Invalid,
}

impl RequestSignatureError {
    /// The stable name of the rule.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Label => "signature_label",
            Self::Components => "signature_components",
            Self::Created => "signature_created",
            Self::Nonce => "signature_nonce",
            Self::KeyId => "signature_key_id",
            Self::Algorithm => "signature_algorithm",
            Self::Tag => "signature_tag",
            Self::Trailing => "signature_trailing",
            Self::SignatureForm => "signature_form",
            Self::Method => "signature_method",
            Self::Path => "signature_path",
            Self::Query => "signature_query",
            Self::IdempotencyKey => "signature_idempotency_key",
            Self::Invalid => "signature_invalid",
        }
    }
}
