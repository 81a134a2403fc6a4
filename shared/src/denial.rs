//! Why something was refused: stable codes, what to do next, and the observed and allowed values.
//! Every code has a line in this table and a paragraph in docs/policy.md; none can be configured
//! down to a warning.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::amount::Amount;
use crate::caip::{AccountId, AssetId};
use crate::policy::scope::Scope;
use crate::policy::windows::Window;
use crate::time::Millis;

/// What the caller can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// A smaller amount would pass now.
    PayLess,
    /// The same request passes later.
    Wait,
    /// Only the owner can change the outcome.
    AskOwner,
    /// The request itself is wrong; repeating it is of no use.
    Stop,
}

macro_rules! codes {
    ($($variant:ident = $number:literal, $text:literal, $next:ident, $message:literal;)*) => {
        /// A stable reason of refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(index_only)]
        pub enum Code {
            $(#[doc = $message] #[n($number)] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable text form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What the caller can do.
            #[must_use]
            pub const fn next(self) -> Next {
                match self { $(Self::$variant => Next::$next,)* }
            }

            /// One plain sentence.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }

            /// The code with this text form.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
        }
    };
}

codes! {
    // State of the signer.
    NotInitialized = 0, "not_initialized", AskOwner, "The signer has no keystore yet: run `waiaas init`.";
    Locked = 1, "locked", AskOwner, "The signer is locked: the owner unlocks it with `waiaas unlock`.";
    Killed = 2, "killed", AskOwner, "The kill switch was thrown: only the owner's signature and password release it.";
    Frozen = 3, "frozen", AskOwner, "Everything is paused: an owner signature resumes.";
    WalletPaused = 4, "wallet_paused", AskOwner, "This wallet is paused: an owner signature resumes it.";
    ClockClosed = 5, "clock_closed", AskOwner, "The clock stepped without an explanation: signing is closed until the owner states the time.";
    Overloaded = 6, "overloaded", Wait, "Too many requests are waiting.";
    AlreadyInitialized = 7, "already_initialized", Stop, "The signer has a keystore already.";
    NotLocked = 8, "not_locked", Stop, "The signer is unlocked already.";
    PasswordWrong = 9, "password_wrong", Stop, "The password is wrong, or the keystore is damaged.";
    SecretUnknown = 10, "secret_unknown", Stop, "The secret's ticket is unknown, used or older than 60 seconds.";
    EntropyFailed = 11, "entropy_failed", Stop, "The system's random source failed: nothing was made.";
    Unsupported = 12, "unsupported", Stop, "This version does not do that.";
    StorageFull = 13, "storage_full", Wait, "The signer's disk is full: nothing was signed or charged.";
    SigningFault = 14, "signing_fault", Stop, "A signature did not verify and was thrown away: the signer's hardware or memory may be faulty.";

    // The request itself.
    BodyMalformed = 20, "body_malformed", Stop, "The request body is not a known request: unknown, doubled or missing fields, or wrong types.";
    BodyTooLarge = 21, "body_too_large", Stop, "The request body or the proposed transaction is too large.";
    SignerMismatch = 22, "signer_mismatch", Stop, "The request names another signer.";
    BodyMismatch = 23, "body_mismatch", Stop, "The proposed transaction does not do what the request says.";
    AmountInvalid = 24, "amount_invalid", Stop, "Exactly one of amount and amount_base is needed, as plain decimal text above zero.";
    IdempotencyKeyInvalid = 25, "idempotency_key_invalid", Stop, "The idempotency key must be 1 to 128 visible ASCII characters.";
    IdempotencyConflict = 26, "idempotency_conflict", Stop, "This idempotency key was used with another body.";
    RequestSignatureMissing = 27, "request_signature_missing", Stop, "This session is bound to an agent key: the request must carry its HTTP Message Signature.";
    RequestSignatureInvalid = 28, "request_signature_invalid", Stop, "The HTTP Message Signature does not verify over this request.";
    RequestTimeSkew = 29, "request_time_skew", Stop, "The request signature was created too far from the signer's time (120 seconds are allowed).";
    RequestNonceReused = 30, "request_nonce_reused", Stop, "The request signature's nonce was used before.";
    TransactionUndecodable = 31, "transaction_undecodable", Stop, "The proposed transaction has something that this wallet does not understand to the last byte.";
    TransactionUnknown = 32, "transaction_unknown", Stop, "No such transaction.";

    // Sessions.
    SessionUnknown = 40, "session_unknown", AskOwner, "No such session.";
    SessionExpired = 41, "session_expired", AskOwner, "The session has expired.";
    SessionRevoked = 42, "session_revoked", AskOwner, "The session was revoked.";
    SessionWallet = 43, "session_wallet", AskOwner, "The session does not cover this wallet.";
    SessionAsset = 44, "session_asset", AskOwner, "The session does not cover this asset.";
    SessionPerTransaction = 45, "session_per_transaction", PayLess, "More than the session may spend in one transaction.";
    SessionTotal = 46, "session_total", PayLess, "More than the session has left.";
    SessionCount = 47, "session_count", AskOwner, "The session has made all its transactions.";
    SessionSignOnly = 48, "session_sign_only", AskOwner, "Policy does not let EVM transactions be signed without sending.";
    SessionRecipient = 200, "session_recipient", AskOwner, "The session does not let this recipient receive.";
    SessionOperation = 201, "session_operation", AskOwner, "The session does not cover what the transaction does.";
    SessionNotRenewable = 202, "session_not_renewable", AskOwner, "The session's grant allows no renewal.";
    SessionRenewalCount = 203, "session_renewal_count", AskOwner, "The session was renewed as often as its grant allows.";
    SessionRenewalEnd = 204, "session_renewal_end", AskOwner, "The session ends at its absolute end already: no renewal leads beyond it.";
    SessionRenewalEarly = 205, "session_renewal_early", Wait, "The session was renewed a short while ago: half of a renewal's time must pass first.";
    SessionSuspended = 49, "session_suspended", AskOwner, "The session is suspended: an owner signature resumes it.";

    // Wallets.
    WalletUnknown = 60, "wallet_unknown", Stop, "No such wallet.";
    NetworkNotBound = 61, "network_not_bound", AskOwner, "The wallet is not bound to this network.";
    NonceNotAttested = 62, "nonce_not_attested", AskOwner, "The owner has not attested this wallet's first nonce on this chain.";
    NonceNotZero = 63, "nonce_not_zero", Stop, "Unsigned EVM bytes carry nonce 0: the signer issues nonces.";
    KeyKnown = 64, "key_known", Stop, "This public key belongs to a wallet already.";
    WalletClosed = 210, "wallet_closed", Stop, "The wallet, or the key that it had then, is closed: only the owner's withdrawals are signed for it.";

    // Agents.
    AgentUnknown = 211, "agent_unknown", Stop, "No such agent.";
    AgentNotActive = 212, "agent_not_active", AskOwner, "The session's agent is registered and not active yet: an owner signature activates it.";
    AgentSuspended = 213, "agent_suspended", AskOwner, "The session's agent is suspended: an owner signature activates it again.";
    AgentTerminated = 214, "agent_terminated", Stop, "The agent is terminating or terminated: nothing is signed for it any more.";

    // Policy.
    PolicyMissing = 80, "policy_missing", AskOwner, "No policy is adopted: everything is denied.";
    AssetNotListed = 81, "asset_not_listed", AskOwner, "No policy entry for this asset.";
    RecipientNotListed = 82, "recipient_not_listed", AskOwner, "The recipient is not in the policy's list.";
    PerTransactionLimit = 83, "per_transaction_limit", PayLess, "More than policy allows in one transaction.";
    HourLimit = 84, "hour_limit", Wait, "More than policy allows in any hour.";
    DayLimit = 85, "day_limit", Wait, "More than policy allows in any 24 hours.";
    WeekLimit = 86, "week_limit", Wait, "More than policy allows in any 7 days.";
    MonthLimit = 87, "month_limit", Wait, "More than policy allows in any 30 days.";
    DayCount = 88, "day_count", Wait, "More payments than policy allows in any 24 hours.";
    FeeCeiling = 89, "fee_ceiling", AskOwner, "The worst-case fee is above policy's ceiling.";
    TierNotAvailable = 90, "tier_not_available", AskOwner, "The amount is above what policy lets be signed without waiting for the owner.";
    OutstandingCap = 91, "outstanding_cap", AskOwner, "More value signed on this EVM chain since the owner last attested its nonce than policy allows.";
    Overflow = 92, "overflow", Stop, "A sum does not fit into 128 bits.";
    PolicyEpoch = 93, "policy_epoch", Stop, "A policy's epoch must be the current one plus one.";
    PolicyMalformed = 94, "policy_malformed", Stop, "The policy document has unknown, missing, doubled or contradictory entries.";
    PoliciesTooLarge = 325, "policies_too_large", AskOwner, "The documents that bind would together be larger than 384 KiB: adopt a smaller one, or wait until one matures.";
    PolicyTooMany = 95, "policy_too_many", AskOwner, "Eight documents bind already: adopt over admin.sock, or wait until one matures.";
    PoliciesDisagree = 246, "policies_disagree", Wait, "The documents that bind read the request's contact or unit differently: name the address and base units, or wait until the later one has matured.";
    AdminOnly = 96, "admin_only", AskOwner, "This goes over admin.sock alone, most of it with the password.";

    // Owners and their statements.
    OwnerUnknown = 110, "owner_unknown", Stop, "No such owner.";
    OwnerKnown = 111, "owner_known", Stop, "This key is an owner's or a guardian's already, or about to be.";
    StatementUnknown = 112, "statement_unknown", Stop, "No such statement is open: it was never drafted, was used, or has expired.";
    StatementExpired = 113, "statement_expired", Stop, "The statement has expired: draft it again.";
    StatementSignature = 114, "statement_signature", Stop, "The signature does not verify over the statement's exact text.";
    StatementMismatch = 115, "statement_mismatch", Stop, "The statement says something else than what is asked.";
    StatementTooMany = 116, "statement_too_many", Wait, "Too many statements are open.";
    StatementMalformed = 117, "statement_malformed", Stop, "The statement's facts are incomplete, contradictory or too long to show.";
    QuorumMissing = 118, "quorum_missing", AskOwner, "Not enough different owners signed.";
    WithdrawalLast = 336, "withdrawal_last", AskOwner, "The last address for withdrawals on its network stays: another one is enrolled first.";
    WithdrawalAddress = 119, "withdrawal_address", AskOwner, "Withdrawals go only to addresses that were enrolled beforehand.";
    SessionAboveCeiling = 120, "session_above_ceiling", AskOwner, "The grant exceeds the ceilings of the adopted policy.";
    KillNotActive = 121, "kill_not_active", Stop, "The kill switch is not thrown, or its epoch is another.";
    NonceLower = 122, "nonce_lower", Stop, "An attestation never lowers the next nonce.";
    NonceRange = 337, "nonce_range", Stop, "No nonce lies above 4294967295.";
    NonceGaps = 338, "nonce_gaps", AskOwner, "Attestations skipped nonces of this address 64 times: a wallet that is rotated begins afresh.";
    TimeNotClosed = 123, "time_not_closed", Stop, "The stated time is not needed, or lies behind what was already seen.";
    TimeTooFar = 321, "time_too_far", Stop, "The stated time lies more than 366 days beyond the signer's own, or beyond the year 2099.";
    NotPaused = 124, "not_paused", Stop, "Nothing of that name is paused.";

    // Waiting payments.
    IntentUnknown = 130, "intent_unknown", Stop, "No payment of this name waits.";
    IntentClosed = 131, "intent_closed", Stop, "The payment of this idempotency key was cancelled, rejected or expired and will not be made: ask again with another key.";
    IntentNotReady = 132, "intent_not_ready", Wait, "The payment's delay has not passed.";
    IntentNotApproved = 133, "intent_not_approved", AskOwner, "The payment waits for its owners' signatures.";
    IntentExpired = 134, "intent_expired", Stop, "The payment waited too long and has ended: ask again with another key.";
    IntentTooMany = 135, "intent_too_many", Wait, "Too many payments wait, or were opened in the last hour.";
    IntentDuplicate = 136, "intent_duplicate", Wait, "An equal payment of this session waits for the owner already.";
    IntentTooLong = 138, "intent_too_long", Stop, "What an owner would have to read of this payment does not fit in 4,096 characters: ask for fewer transfers, or for a call with less in it.";
    TierRaised = 137, "tier_raised", AskOwner, "Policy now demands more of this payment than it waited for: ask again.";
    // Policy, continued.
    HourCount = 140, "hour_count", Wait, "More payments than policy allows in any hour.";
    WeekCount = 141, "week_count", Wait, "More payments than policy allows in any 7 days.";
    MonthCount = 142, "month_count", Wait, "More payments than policy allows in any 30 days.";
    RecipientLimit = 143, "recipient_limit", Wait, "More than policy allows one wallet to pay to one recipient.";
    RecipientCount = 144, "recipient_count", Wait, "More payments than policy allows one wallet to make to one recipient.";
    RecipientDenied = 145, "recipient_denied", Stop, "Policy names this recipient as one that never receives.";
    NetworkNotAllowed = 146, "network_not_allowed", AskOwner, "Policy does not allow this network here.";
    AssetNotAllowed = 147, "asset_not_allowed", AskOwner, "Policy does not allow this asset here.";
    RecipientNotAllowed = 148, "recipient_not_allowed", AskOwner, "Policy does not allow this recipient here.";
    UsdLimit = 149, "usd_limit", Wait, "Worth more than policy allows, by its ceiling prices.";
    UsdPriceMissing = 150, "usd_price_missing", AskOwner, "Policy limits the worth in USD and has no ceiling price for this asset.";
    PaymentCount = 151, "payment_count", Wait, "More payments than policy allows in this time, whatever the asset.";
    RentCeiling = 152, "rent_ceiling", AskOwner, "The rent for new accounts is above policy's ceiling.";
    CallNotListed = 153, "call_not_listed", AskOwner, "Policy does not name this program or contract with this method.";
    CallValue = 154, "call_value", PayLess, "The call carries more than policy allows it.";
    CallArgumentLimit = 260, "call_argument_limit", PayLess, "An argument of the call is above what policy allows for it.";
    CallArgumentValue = 261, "call_argument_value", AskOwner, "An argument of the call is none of the values that policy allows for it.";
    CallArgumentWallet = 262, "call_argument_wallet", Stop, "An argument of the call must be the wallet's own address.";
    CallConflict = 263, "call_conflict", Wait, "Two binding policies count what this call lets leave differently: it is asked for again once the older one no longer binds.";
    CallTarget = 264, "call_target", Stop, "The call is of one of this signer's own wallets.";
    ValidatorNotListed = 270, "validator_not_listed", AskOwner, "Policy does not name this validator.";
    CallAccount = 271, "call_account", AskOwner, "An account of the call is none that policy allows in its place.";
    CallOwnAccount = 272, "call_own_account", Stop, "The wallet, or its account for a token, stands where policy does not expect it in the call.";
    CallData = 273, "call_data", Stop, "The call's data does not have the form that policy registers for its method.";
    CallAccounts = 274, "call_accounts", Stop, "The call has more or fewer accounts than policy registers for its method.";
    OutsideHours = 155, "outside_hours", Wait, "Policy allows no payment at this time.";
    CoolDown = 156, "cool_down", Wait, "Policy demands more time between two payments.";
    ApprovalUnlimited = 158, "approval_unlimited", Stop, "The approval is without limit: ask for the exact amount.";
    // Changes of owners, suspension, recovery, credit, the end.
    NotFirstOwner = 180, "not_first_owner", Stop, "There is an owner already: more come by `waiaas owner add`.";
    OwnerChangeUnknown = 181, "owner_change_unknown", Stop, "No such change of owners waits: it was never asked for, has taken effect, or was cancelled.";
    OwnerChangeTooMany = 182, "owner_change_too_many", Wait, "Too many keys are registered, or too many changes of owners wait.";
    QuorumRange = 183, "quorum_range", Stop, "At least one owner must sign, and never more than there are owners who are not suspended.";
    OwnerSuspended = 184, "owner_suspended", AskOwner, "The signature is by an owner who is suspended.";
    KeysTooMany = 324, "keys_too_many", Stop, "No more keys: a signer has 512 at most, 2,048 times a key on a network, and a wallet 32 former ones.";
    RemovalOfItself = 322, "removal_of_itself", Stop, "A key does not cancel its own removal: another one does.";
    SuspensionQuorum = 323, "suspension_quorum", AskOwner, "A key that is suspended or about to be removed does not suspend an owner without whom too few stay to sign: another owner does, or the password.";
    OwnerItself = 185, "owner_itself", Stop, "An owner is suspended by another owner, or with the password.";
    NotSuspended = 186, "not_suspended", Stop, "This owner or session is not suspended.";
    GuardianUnknown = 187, "guardian_unknown", Stop, "No such guardian.";
    CreditMismatch = 188, "credit_mismatch", Stop, "The credit does not name a payment of this log, or exceeds what it was charged.";
    CreditUsed = 189, "credit_used", Stop, "This payment was credited already.";
    PaymentCredited = 190, "payment_credited", Stop, "The owner credited this payment as one that never took place: its bytes are not given again.";
    PhraseWrong = 191, "phrase_wrong", Stop, "These are not the 24 words of this signer.";
    RecoveryPending = 192, "recovery_pending", Stop, "A recovery waits already: cancel it first.";
    Retired = 193, "retired", Stop, "The signer was retired: its log has ended and nothing is signed.";
    // Unlocking.
    HeadSignature = 199, "head_signature", Stop, "The presented head is not one that this signer's log key signed.";
    // Tokens.
    TokenConflict = 247, "token_conflict", Wait, "Two binding policies register this token with different decimals or token programs: it is paid again once the older one no longer binds.";
    // What the log has.
    RecordedDiffers = 326, "recorded_differs", AskOwner, "The bytes in the log do not do what their entry says, as this version reads them: they are not given again.";
    // What is signed for nobody.
    TypedDataUnsupported = 356, "typed_data_unsupported", Stop, "Permits, Permit2 and typed data of a caller's own are not signed: ask for an exact approval (`approve`), which the owner confirms, or for a transfer authorization.";
    // Several transfers in one transaction, and memos.
    MemoMalformed = 248, "memo_malformed", Stop, "A memo is 1 to 128 printable ASCII characters without `|`, neither begins nor ends with a space, and has no two in a row.";
    SolanaOnly = 249, "solana_only", Stop, "A memo, several transfers in one transaction, staking, and calls of programs are possible on Solana alone.";
    BatchTooLarge = 250, "batch_too_large", Stop, "One transaction carries eight transfers at most, and no more than fits in 1,232 bytes.";
    // A second try after an unseen end.
    ReplacesUnknown = 230, "replaces_unknown", Stop, "`replaces` names no signed payment of this session or agent from this wallet.";
    ReplacesOther = 231, "replaces_other", Stop, "The payment that `replaces` names did something else: asset, recipient and amount must be the same.";
    ReplacesTaken = 232, "replaces_taken", Stop, "The payment that `replaces` names was replaced already: name the newest try.";
    ReplacesCredited = 233, "replaces_credited", Stop, "The owner credited the payment that `replaces` names as one that never took place: ask again without `replaces`.";
    ReplacesEvm = 234, "replaces_evm", Stop, "An EVM signature never expires and a second nonce would pay twice: ask again with the first idempotency key and send the same bytes.";
    PaymentReplaced = 235, "payment_replaced", Stop, "A later payment replaced this one: its bytes are not given again.";
    // One more transaction for an issued nonce.
    VariantUnsupported = 236, "variant_unsupported", Stop, "Only a payment that was signed for a session on an EVM chain can be sped up or cancelled on its nonce.";
    VariantNonceUsed = 237, "variant_nonce_used", Stop, "The payment's nonce is used up: the owner attested a later one, or an owner's withdrawal took it.";
    VariantFee = 238, "variant_fee", Stop, "Both fees per gas must be at least a tenth above those of the newest transaction of this nonce, and the worst-case fee of a payment above its own.";
    VariantTooMany = 239, "variant_too_many", Stop, "This nonce was signed as often as it may be.";
    VariantCancelled = 240, "variant_cancelled", Stop, "This nonce was cancelled: it is cancelled again with a higher fee, and never paid with again.";
    // Logins at web sites.
    SignInNotListed = 280, "sign_in_not_listed", AskOwner, "Policy does not name this site for sign-ins.";
    SignInNetwork = 281, "sign_in_network", AskOwner, "Policy does not allow signing in at this site on this network.";
    SignInUri = 282, "sign_in_uri", AskOwner, "The message's URI does not lie where policy allows it for this site.";
    SignInResource = 283, "sign_in_resource", AskOwner, "The message names a resource that policy does not allow at this site.";
    SignInValidity = 284, "sign_in_validity", Stop, "The message is to hold for longer than policy allows: ask for fewer seconds.";
    SignInCount = 285, "sign_in_count", Wait, "More logins at this site than policy allows the wallet in this time.";
    SignInMalformed = 286, "sign_in_malformed", Stop, "A field of the sign-in is not of its form: domain, URI, nonce, statement, request id, resources or time.";
    // Transfers by authorization.
    AuthorizationNotListed = 291, "authorization_not_listed", AskOwner, "Policy does not let this token be moved by authorization.";
    AuthorizationConflict = 292, "authorization_conflict", Wait, "Two binding policies give this token another name or version: it is authorized again once the older one no longer binds.";
    AuthorizationValidity = 293, "authorization_validity", Stop, "The authorization is to hold for longer than policy allows: ask for fewer seconds.";
    AuthorizationWaits = 294, "authorization_waits", AskOwner, "Policy asks for a delay or for the owner before this is paid, and an authorization cannot wait: pay by a transaction.";
    AuthorizationExpired = 295, "authorization_expired", Stop, "The authorization of this idempotency key has expired: ask again with another key.";
    AuthorizationRecipient = 296, "authorization_recipient", Stop, "An authorization pays somebody else: not the zero address, a system contract, the token or the wallet itself.";
    // Transactions that an agent brings.
    BroughtMalformed = 301, "brought_malformed", Stop, "What was brought is no transaction of this network: base64 of a whole Solana transaction with a place for each signature and true ones in those that are filled, or `0x` and an unsigned EVM transaction.";
    BroughtRole = 302, "brought_role", Stop, "The wallet must be the only signer of the transaction, or its second one behind somebody else who pays the fee.";
    BroughtRecipient = 303, "brought_recipient", Stop, "A token account in the transaction belongs to nobody who is known: name its owner in `recipients`.";
    BroughtNonce = 304, "brought_nonce", Stop, "The transaction has another nonce than the wallet's next one: build it with the one that is allowed.";
    BroughtWaits = 305, "brought_waits", AskOwner, "Policy lets this payment wait, and a transaction that somebody else signs too cannot be built anew: ask for the payment itself.";
    BroughtSubmit = 306, "brought_submit", Stop, "Somebody else's signature is needed too: it comes back signed and cannot be sent from here.";
    BroughtTable = 346, "brought_table", AskOwner, "The transaction looks addresses up in a table that policy does not have on this network: its owner can pin it.";
    BroughtTableIndex = 347, "brought_table_index", AskOwner, "The transaction looks an address up beyond what policy has of the table: its owner can pin more of it.";
    BroughtTableConflict = 348, "brought_table_conflict", Wait, "Two binding policies have other addresses where the transaction looks one up, or it was charged for others: bring one that lists its accounts.";
    BroughtTableWaits = 349, "brought_table_waits", AskOwner, "Policy lets this payment wait, what waits is built anew with every account listed, and this one would not fit.";
    // Networks.
    DataFeeMissing = 290, "data_fee_missing", AskOwner, "The network takes a fee for data beside gas, and policy does not say how much it may be.";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One rule that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Violation {
    /// Which rule.
    #[n(0)]
    pub code: Code,
    /// The asset that the values are in.
    #[n(1)]
    pub asset: Option<AssetId>,
    /// What was asked for, in base units (or a plain number, for counts).
    #[n(2)]
    pub observed: Option<Amount>,
    /// What the rule allows now.
    #[n(3)]
    pub allowed: Option<Amount>,
    /// How long, on the budget clock, until the same request passes this rule.
    #[n(4)]
    pub retry_after: Option<Millis>,
    /// Which argument of a call it is about, from 1 on.
    #[n(5)]
    pub argument: Option<u8>,
    /// The scope whose rule it is, of a rule about which owners are asked; none: the asset's own, or the
    /// document's.
    #[n(6)]
    pub scope: Option<Scope>,
    /// The window of such a rule; none: one payment by itself.
    #[n(7)]
    pub window: Option<Window>,
    /// Whom such a rule is about, if it is about one.
    #[n(8)]
    pub recipient: Option<AccountId>,
}

impl Violation {
    /// A violation without values.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        Self {
            code,
            asset: None,
            observed: None,
            allowed: None,
            retry_after: None,
            argument: None,
            scope: None,
            window: None,
            recipient: None,
        }
    }

    /// A violation of a limit.
    #[must_use]
    pub fn limit(code: Code, asset: AssetId, observed: Amount, allowed: Amount) -> Self {
        Self {
            asset: Some(asset),
            observed: Some(observed),
            allowed: Some(allowed),
            ..Self::of(code)
        }
    }

    /// As whoever is refused reads it: what to ask for instead, and not whose rule it is.
    #[must_use]
    pub fn refused(self) -> Self {
        Self {
            scope: None,
            window: None,
            recipient: None,
            ..self
        }
    }

    /// Whether owners who read of this one agreed to that one with it: the same rule in the same place, broken
    /// no further.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let same = Self {
            observed: self.observed,
            allowed: self.allowed,
            retry_after: self.retry_after,
            ..other.clone()
        };
        *self == same && other.observed <= self.observed && other.allowed >= self.allowed
    }

    /// The same of what was charged under these very rules: what other payments took of a window since was judged
    /// with this one in it, and breaks nothing further. Its own part of the window is compared.
    #[must_use]
    pub fn covers_charged(&self, other: &Self) -> bool {
        let Some(_) = self.window else {
            return self.covers(other);
        };
        // A count is that of all payments; the payment's own part of it never changes.
        let observed = match self.code {
            Code::HourCount
            | Code::DayCount
            | Code::WeekCount
            | Code::MonthCount
            | Code::RecipientCount
            | Code::PaymentCount => self.observed,
            _ => other.observed,
        };
        self.covers(&Self {
            observed,
            allowed: self.allowed,
            ..other.clone()
        })
    }
}

/// A refusal: every rule that was broken, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial(Vec<Violation>);

impl Denial {
    /// The refusal for these violations, if there are any.
    #[must_use]
    pub fn from_violations(violations: Vec<Violation>) -> Option<Self> {
        if violations.is_empty() {
            None
        } else {
            Some(Self(violations))
        }
    }

    /// Every rule that was broken; at least one.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0
    }
}

impl From<Code> for Denial {
    fn from(code: Code) -> Self {
        Self(vec![Violation::of(code)])
    }
}

impl From<Violation> for Denial {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WalletId;

    /// What an owner read is agreed to in its place, and as far as it was read.
    #[test]
    fn what_was_read_covers_itself_and_less() {
        let asset = |text: &str| text.parse().expect("an asset");
        let account = |text: &str| text.parse().ok();
        let units = Amount::from_base_units;
        let coin = asset("eip155:31337/slip44:60");
        let read = Violation {
            scope: Some(Scope::Pool("ops".to_owned())),
            window: Some(Window::Day),
            recipient: account("eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            ..Violation::limit(Code::UsdLimit, coin, units(12), units(10))
        };
        let with = |change: &dyn Fn(&mut Violation)| {
            let mut other = read.clone();
            change(&mut other);
            other
        };
        assert!(read.covers(&read));
        assert!(read.covers(&with(&|one| one.observed = Some(units(11)))));
        assert!(read.covers(&with(&|one| one.allowed = Some(units(11)))));
        assert!(read.covers(&with(&|one| one.retry_after = Some(Millis::from_secs(1)))));
        let others: [&dyn Fn(&mut Violation); 12] = [
            &|one| one.observed = Some(units(13)),
            &|one| one.allowed = Some(units(9)),
            &|one| one.code = Code::DayLimit,
            &|one| one.asset = Some(asset("eip155:1/slip44:60")),
            &|one| one.asset = None,
            &|one| one.argument = Some(1),
            &|one| one.scope = None,
            &|one| one.scope = Some(Scope::Pool("hub".to_owned())),
            &|one| one.scope = Some(Scope::Wallet(WalletId::from_bytes([1; 16]))),
            &|one| one.window = Some(Window::Month),
            &|one| one.window = None,
            &|one| one.recipient = None,
        ];
        for (place, change) in others.into_iter().enumerate() {
            assert!(!read.covers(&with(change)), "{place}");
        }
        // What says nothing of how far is covered by no more than itself.
        let bare = Violation::of(Code::RecipientNotListed);
        assert!(bare.covers(&bare));
        assert!(!bare.covers(&Violation {
            observed: Some(units(1)),
            ..bare.clone()
        }));
        assert!(!read.covers(&read.clone().refused()));
    }

    /// What others took of a window since breaks it no further; more of its own does, and so does another place.
    #[test]
    fn what_was_charged_is_compared_by_its_own_part() {
        let units = Amount::from_base_units;
        let coin: AssetId = "eip155:31337/slip44:60".parse().expect("an asset");
        let of = |code, window, observed, allowed| Violation {
            window,
            ..Violation::limit(code, coin, units(observed), units(allowed))
        };
        let day = Some(Window::Day);
        let limit = |observed, allowed| of(Code::DayLimit, day, observed, allowed);
        assert!(limit(12, 10).covers_charged(&limit(12, 0)));
        assert!(!limit(12, 10).covers_charged(&limit(13, 10)));
        assert!(!limit(12, 10).covers_charged(&of(Code::WeekLimit, day, 12, 10)));
        assert!(!limit(12, 10).covers_charged(&of(Code::DayLimit, Some(Window::Week), 12, 10)));
        assert!(!limit(12, 10).covers_charged(&of(Code::DayLimit, None, 12, 10)));
        let count = |observed| of(Code::DayCount, day, observed, 3);
        assert!(count(4).covers_charged(&count(9)));
        // Without a window nobody else's payment counts.
        let single = |observed, allowed| of(Code::PerTransactionLimit, None, observed, allowed);
        assert!(single(12, 10).covers_charged(&single(12, 10)));
        assert!(!single(12, 10).covers_charged(&single(12, 9)));
    }

    #[test]
    fn codes_are_distinct_and_readable() {
        for (place, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert!(code.message().ends_with('.'), "{code}");
            assert!(
                Code::ALL
                    .iter()
                    .skip(place + 1)
                    .all(|other| other.as_str() != code.as_str()),
                "{code}"
            );
        }
    }
}
