//! Why bytes are refused as a Solana message. Owns the stable codes; one vector each.

/// The rule that a message broke. Whose fault: the peer's that built it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SolanaError {
    /// With its signature it would not fit a packet of 1232 bytes.
    #[error("the message is longer than a transaction can be")]
    TooLarge,
    /// A message of version 1 (SIMD-0385) asks for memory in its header.
    #[error(
        "only the priority fee and limits of units and accounts are accepted of a message's header"
    )]
    HeaderSetting,
    /// The first byte is neither a signature count nor version 0 or 1.
    #[error("the first byte is neither a signature count nor version 0 or 1")]
    UnknownVersion,
    /// The bytes end early, or a length or tag is impossible.
    #[error("the bytes are not a message")]
    Malformed,
    /// Encoding the message again gives other bytes: trailing or long-form data.
    #[error("the bytes are not the canonical encoding of the message")]
    NotCanonical,
    /// A lookup table whose content no owner pinned, and which the signer cannot see.
    #[error("an address lookup table is named that the policy does not have")]
    LookupTable,
    /// An index beyond what an owner pinned of a table.
    #[error("an address is looked up beyond the content that the policy has of its table")]
    LookupIndex,
    /// A lookup table of which nothing is loaded: the chain refuses such a message.
    #[error("an address lookup table is named and nothing loaded from it")]
    LookupEmpty,
    /// A lookup table is named twice.
    #[error("an address lookup table is named twice")]
    LookupRepeated,
    /// An address is loaded that the message lists itself, or that is loaded already.
    #[error("an address is loaded from a lookup table that the message has already")]
    LookupDuplicate,
    /// A program out of a lookup table: the chain takes none from there.
    #[error("a program is called that the message does not list itself")]
    LookupProgram,
    /// Not the wallet's signature alone is required, nor, where that may be, one before it for the fee.
    #[error(
        "the wallet must sign alone, or second behind who pays the fee of a transaction that was brought"
    )]
    SignerCount,
    /// The fee payer is marked read-only.
    #[error("the fee payer must be writable")]
    PayerReadOnly,
    /// The header counts more accounts than there are.
    #[error("the header counts more accounts than the message has")]
    Header,
    /// The fee payer is not the wallet, or the second signer is not where another pays the fee.
    #[error("the wallet is not the signer that it must be")]
    ForeignPayer,
    /// An account is listed twice.
    #[error("an account is listed twice")]
    DuplicateAccount,
    /// An instruction names an account that is not in the list.
    #[error("an instruction names an account outside of the list")]
    AccountIndex,
    /// An account is listed that no instruction names.
    #[error("an account is listed that no instruction uses")]
    UnusedAccount,
    /// A program is marked as signer or writable.
    #[error("a program is marked as signer or writable")]
    PrivilegedProgram,
    /// Not one of the programs that are understood.
    #[error("a program is called that is not on the allow-list")]
    UnknownProgram,
    /// The instruction's account list has another length than its program demands.
    #[error("an instruction has the wrong number of accounts")]
    InstructionAccounts,
    /// The instruction's data has another length than its program demands.
    #[error("an instruction's data has the wrong length")]
    InstructionData,
    /// A System instruction other than `Transfer`.
    #[error("only Transfer is accepted of the System program")]
    SystemInstruction,
    /// A durable-nonce instruction: such a transaction would never expire.
    #[error("durable nonces are not accepted")]
    DurableNonce,
    /// The transfer takes from an account that is not the wallet.
    #[error("the transfer is not from the wallet")]
    ForeignSource,
    /// The transfer goes back to the wallet.
    #[error("the transfer is to the wallet itself")]
    TransferToSelf,
    /// The recipient is marked read-only: the transfer could only fail, and cost its fee.
    #[error("the recipient is marked read-only")]
    RecipientReadOnly,
    /// A compute-budget instruction other than the unit limit and the unit price.
    #[error("only the unit limit and unit price are accepted of the compute budget program")]
    ComputeBudgetInstruction,
    /// The same compute-budget setting twice.
    #[error("a compute budget setting is given twice")]
    RepeatedComputeBudget,
    /// A unit limit above what the chain grants.
    #[error("the compute unit limit is above the chain's maximum")]
    ComputeUnitLimit,
    /// The fee does not fit 64 bits.
    #[error("the fee is larger than any balance")]
    FeeTooLarge,
    /// No transfer at all: a signature with nothing to show for it.
    #[error("the message transfers nothing")]
    NoTransfer,
    /// A token that no owner registered.
    #[error("a token is named that the policy does not have")]
    UnknownMint,
    /// The token belongs to the other token program.
    #[error("the token is of the other token program")]
    TokenProgram,
    /// Other decimals than the owner registered.
    #[error("the token has other decimals")]
    TokenDecimals,
    /// A mint is marked writable: nothing here writes one.
    #[error("a mint is marked writable")]
    MintWritable,
    /// A token instruction other than `TransferChecked`.
    #[error("only TransferChecked is accepted of the token programs")]
    TokenInstruction,
    /// What pays, the wallet or its token account, is marked read-only: the transfer could only fail, and cost its
    /// fee.
    #[error("what pays is marked read-only")]
    SourceReadOnly,
    /// A token account that is not the associated one of a recipient.
    #[error("a token account is not the associated account of a recipient")]
    TokenDestination,
    /// An instruction of the associated token account program other than `CreateIdempotent`.
    #[error("only CreateIdempotent is accepted of the associated token account program")]
    AssociatedInstruction,
    /// The same token account is created twice.
    #[error("a token account is created twice")]
    RepeatedCreation,
    /// A memo that names an account: it would demand a signature, and not fail without one of ours.
    #[error("a memo must name no account")]
    MemoAccounts,
    /// A memo that could not be shown as it is.
    #[error(
        "a memo must be 1 to 128 printable ASCII characters without a vertical bar, outer spaces or two spaces in a row"
    )]
    MemoText,
    /// More than one memo.
    #[error("a message carries one memo at most")]
    RepeatedMemo,
    /// A token account is created that no later transfer pays into: its rent would be a gift.
    #[error("a token account is created that no later transfer pays into")]
    UnusedCreation,
    /// The stake program beside anything that is not its template.
    #[error("the stake program is called in no sequence that is accepted")]
    StakeSequence,
    /// An instruction of the stake program that hands over control, moves stake elsewhere, or has no use here.
    #[error(
        "only Initialize, DelegateStake, Deactivate and Withdraw are accepted of the stake program"
    )]
    StakeInstruction,
    /// A seed with other characters, or none, or too many.
    #[error("the seed of a stake account is 1 to 32 of a-z, 0-9 and -")]
    StakeSeed,
    /// Made from another base, for another program, of another size; or nobody said of which seed it is.
    #[error("the stake account is not the wallet's own of a known seed")]
    StakeAccount,
    /// Other accounts, in another order, or with other rights, than the template has: another stake account,
    /// somebody else who receives, a custodian.
    #[error("an instruction of the stake program names other accounts than its template")]
    StakeAccounts,
    /// Somebody else may move the stake, or something locks it up.
    #[error("both authorities of a stake account are the wallet, without a lockup")]
    StakeAuthority,
    /// Not more than the account's rent is staked, or nothing is withdrawn.
    #[error("nothing is staked or withdrawn")]
    StakeAmount,
    /// A registered program beside anything but settings of the fee, or called twice.
    #[error("the call of a registered program stands alone")]
    ProgramSequence,
    /// Data that does not begin as the registered method, or is of another length, or has a field that is no
    /// value of its type.
    #[error("the call's data is not of the form that an owner registered")]
    ProgramData,
    /// An account that is writable and should not be, or the other way round.
    #[error("an account of the call is writable, or is not, otherwise than an owner registered")]
    ProgramAccounts,
}

impl SolanaError {
    /// The stable name of the rule.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "solana_too_large",
            Self::HeaderSetting => "solana_header_setting",
            Self::UnknownVersion => "solana_unknown_version",
            Self::Malformed => "solana_malformed",
            Self::NotCanonical => "solana_not_canonical",
            Self::LookupTable => "solana_lookup_table",
            Self::LookupIndex => "solana_lookup_index",
            Self::LookupEmpty => "solana_lookup_empty",
            Self::LookupRepeated => "solana_lookup_repeated",
            Self::LookupDuplicate => "solana_lookup_duplicate",
            Self::LookupProgram => "solana_lookup_program",
            Self::SignerCount => "solana_signer_count",
            Self::PayerReadOnly => "solana_payer_read_only",
            Self::Header => "solana_header",
            Self::ForeignPayer => "solana_foreign_payer",
            Self::DuplicateAccount => "solana_duplicate_account",
            Self::AccountIndex => "solana_account_index",
            Self::UnusedAccount => "solana_unused_account",
            Self::PrivilegedProgram => "solana_privileged_program",
            Self::UnknownProgram => "solana_unknown_program",
            Self::InstructionAccounts => "solana_instruction_accounts",
            Self::InstructionData => "solana_instruction_data",
            Self::SystemInstruction => "solana_system_instruction",
            Self::DurableNonce => "solana_durable_nonce",
            Self::ForeignSource => "solana_foreign_source",
            Self::TransferToSelf => "solana_transfer_to_self",
            Self::RecipientReadOnly => "solana_recipient_read_only",
            Self::ComputeBudgetInstruction => "solana_compute_budget_instruction",
            Self::RepeatedComputeBudget => "solana_repeated_compute_budget",
            Self::ComputeUnitLimit => "solana_compute_unit_limit",
            Self::FeeTooLarge => "solana_fee_too_large",
            Self::NoTransfer => "solana_no_transfer",
            Self::UnknownMint => "solana_unknown_mint",
            Self::TokenProgram => "solana_token_program",
            Self::TokenDecimals => "solana_token_decimals",
            Self::MintWritable => "solana_mint_writable",
            Self::TokenInstruction => "solana_token_instruction",
            Self::SourceReadOnly => "solana_source_read_only",
            Self::TokenDestination => "solana_token_destination",
            Self::AssociatedInstruction => "solana_associated_instruction",
            Self::MemoAccounts => "solana_memo_accounts",
            Self::MemoText => "solana_memo_text",
            Self::RepeatedMemo => "solana_repeated_memo",
            Self::RepeatedCreation => "solana_repeated_creation",
            Self::UnusedCreation => "solana_unused_creation",
            Self::StakeSequence => "solana_stake_sequence",
            Self::StakeInstruction => "solana_stake_instruction",
            Self::StakeSeed => "solana_stake_seed",
            Self::StakeAccount => "solana_stake_account",
            Self::StakeAccounts => "solana_stake_accounts",
            Self::StakeAuthority => "solana_stake_authority",
            Self::StakeAmount => "solana_stake_amount",
            Self::ProgramSequence => "solana_program_sequence",
            Self::ProgramData => "solana_program_data",
            Self::ProgramAccounts => "solana_program_accounts",
        }
    }
}
