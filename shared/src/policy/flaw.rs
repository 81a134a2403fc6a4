//! Why a policy document is refused: what is wrong, and with which of its entries. Made by `check`.

use std::fmt;

use super::scope::Scope;
use crate::caip::{AccountId, AssetId};
use crate::codec::CodecError;
use crate::denial::Code;

/// Why a document is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The bytes are not a canonical document of version 1.
    #[error("not a policy document of version 1: {0}")]
    Encoding(#[from] CodecError),
    /// Larger than 256 KiB.
    #[error("the document is larger than 256 KiB")]
    TooLarge,
    /// An entry is wrong.
    #[error("{entry}: {flaw}")]
    Flawed {
        /// Which entry.
        entry: Entry,
        /// What is wrong with it.
        flaw: Flaw,
    },
}

/// An entry of a document, as its form for people names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// What stands above all entries.
    Document,
    /// `[[asset]]`.
    Asset(AssetId),
    /// `[[recipient]]`.
    Recipient(AccountId),
    /// `denied`.
    Denied(AccountId),
    /// `[[pool]]`.
    Pool(Box<str>),
    /// `[[call]]`.
    Call(AccountId),
    /// `[[validator]]`.
    Validator(AccountId),
    /// `[[table]]`.
    Table(AccountId),
    /// `[[scope]]`.
    Scope(Scope),
    /// `[[alarm]]`, by its kind.
    Alarm(&'static str),
    /// `[[escalation]]`.
    Escalation(Code),
    /// `[[sign-in]]`.
    SignIn(Box<str>),
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => formatter.write_str("the document"),
            Self::Asset(asset) => write!(formatter, "[[asset]] {asset}"),
            Self::Recipient(account) => write!(formatter, "[[recipient]] {account}"),
            Self::Denied(account) => write!(formatter, "denied {account}"),
            Self::Pool(name) => write!(formatter, "[[pool]] {name}"),
            Self::Call(target) => write!(formatter, "[[call]] {target}"),
            Self::Validator(account) => write!(formatter, "[[validator]] {account}"),
            Self::Table(account) => write!(formatter, "[[table]] {account}"),
            Self::Scope(scope) => write!(formatter, "[[scope]] {scope}"),
            Self::Alarm(kind) => write!(formatter, "[[alarm]] {kind}"),
            Self::Escalation(code) => write!(formatter, "[[escalation]] {code}"),
            Self::SignIn(domain) => write!(formatter, "[[sign-in]] {domain}"),
        }
    }
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Another version.
    #[error("only version 1 is known")]
    Version,
    /// Epoch zero.
    #[error("the first epoch is 1")]
    Epoch,
    /// A maturity or delay above 30 days.
    #[error("maturity and delays are at most 30 days")]
    Wait,
    /// A duration of zero, or above a year.
    #[error("a duration must be above zero and at most 366 days")]
    Duration,
    /// Quorum zero or above sixteen.
    #[error("an approval asks for 1 to 16 owners")]
    Quorum,
    /// Out of order, or twice.
    #[error("entries must be sorted and each named once")]
    Order,
    /// More than a document may hold.
    #[error("too many entries")]
    TooMany,
    /// A symbol or name with other characters.
    #[error(
        "a symbol has 1 to 12 letters or digits, a contact, pool or validator 1 to 32 of a-z, 0-9 and -"
    )]
    Name,
    /// Limits that contradict each other.
    #[error(
        "limits must rise: instant-up-to, notify-up-to, delay-up-to, approve-up-to, per-transaction, hour, day, week, month; and counts likewise"
    )]
    LimitOrder,
    /// A count of zero.
    #[error("a count must be above zero: to refuse all, leave the asset out")]
    ZeroCount,
    /// Cumulative tiers that contradict each other.
    #[error(
        "cumulative tiers must be sorted by window and tier, each once, above INSTANT, with amounts that do not fall"
    )]
    Cumulative,
    /// A first payment's tier that asks for nothing.
    #[error("a first payment's tier must be above INSTANT")]
    FirstPayment,
    /// What belongs to a native asset elsewhere, or an EVM native asset without its cap.
    #[error(
        "fee-ceiling belongs to native assets, rent-ceiling to Solana's, sign-only to an EVM chain's; outstanding is required for, and reserved to, the assets of EVM chains"
    )]
    NativeOnly,
    /// What is said of a whole network elsewhere than with its coin.
    #[error("data-fee-ceiling and transactions belong to the native asset of an EVM chain")]
    Network,
    /// A coin under another name, or with other decimals, than its network has.
    #[error(
        "the network's coin has another symbol or other decimals: `waiaas policy assets --network NAME` prints its entry"
    )]
    NativeCoin,
    /// A network that takes a fee for data, without the most that it may be.
    #[error(
        "this network takes a fee for data beside gas: its native asset needs data-fee-ceiling, above zero"
    )]
    DataFee,
    /// An authorization of what is no ERC-20 token.
    #[error("authorization belongs to an ERC-20 token")]
    AuthorizationToken,
    /// A domain that nobody could read.
    #[error("the name and version of a token are 1 to 64 printable ASCII characters each")]
    AuthorizationDomain,
    /// An authorization without end, or of more than minutes.
    #[error("an authorization holds for 1 second to 15 minutes")]
    AuthorizationValidity,
    /// Extensions of what is no mint, or twice the same, or above a whole.
    #[error("extensions belong to a Solana mint, each kind once, with at most 10000 basis points")]
    Extensions,
    /// A token program of what is no mint, or SPL Token with extensions.
    #[error("a token program belongs to a Solana mint, and only token-2022 has extensions")]
    TokenProgram,
    /// A price of zero.
    #[error("a ceiling price must be above zero")]
    Price,
    /// A list without an entry: it would be read as "all" or as "nothing".
    #[error("an empty list or rule says nothing: leave it out")]
    Empty,
    /// A name that no other entry of the document bears.
    #[error("it names an asset, contact or pool that the document does not have")]
    Unknown,
    /// A wallet in two pools.
    #[error("a wallet is in one pool at most")]
    TwoPools,
    /// A method without bytes, or longer than 16, or not the function's.
    #[error("a method is 1 to 16 bytes; a function's is its selector")]
    Method,
    /// A contract's call without its function, or a function of what is no contract.
    #[error(
        "a contract of an EVM chain is called by its function, a Solana program by its method with accounts and arguments"
    )]
    Function,
    /// A function of tokens, or one whose calls hide others.
    #[error(
        "this function begins as one of tokens or wrappers of calls: a transfer or an approval is asked for as such, the others are denied"
    )]
    Reserved,
    /// A program with a decoder of its own, one of the runtime, or one whose instructions hide others.
    #[error(
        "this program is never called by rule: those of the runtime and of tokens, memos and stakes have their own ways or none, and wallets of others hide what they do"
    )]
    ReservedProgram,
    /// A program's rule with a value beside its outflow.
    #[error(
        "value-up-to belongs to contracts: what leaves with a program's call stands in outflow"
    )]
    ProgramValue,
    /// A rule of an account that contradicts itself.
    #[error(
        "each account is the wallet, which is writable, its token-account for a token of this network, one-of 1 to 64 sorted addresses, or any"
    )]
    Places,
    /// A rule that does not fit the type of a program's argument.
    #[error(
        "max belongs to u types and their range, wallet to address; one-of has 1 to 64 sorted values of the argument's type"
    )]
    Field,
    /// What leaves that cannot, or in no number of the chain.
    #[error(
        "outflow and spends name the coin or a token of the program's network, each once, in at most 64 bits; spends belongs to u8, u16, u32, u64"
    )]
    Outflow,
    /// Something within the program's reach of which nothing is said.
    #[error(
        "with the wallet among its accounts a program may take all of the coin, and all of a token whose account it may write: outflow or spends must name each, and no writable account may be any"
    )]
    Exposed,
    /// Two functions of a contract that begin alike.
    #[error(
        "two functions of one contract have the same selector: the contract cannot tell them apart"
    )]
    Collision,
    /// The zero address, a precompile or a system contract.
    #[error("the zero address, precompiles and system contracts are not called")]
    Target,
    /// Too few or too many rules of arguments.
    #[error("each argument needs a rule: where it may be anything, any = true")]
    Arguments,
    /// A rule that does not fit the argument's type.
    #[error(
        "max belongs to uint types, wallet to addresses; one-of has 1 to 64 sorted values of the argument's type"
    )]
    Argument,
    /// An amount that is none.
    #[error("spends belongs to uint types and names an ERC-20 token of the contract's chain")]
    Spends,
    /// A validator of a chain that has no vote accounts.
    #[error("a validator is the vote account of a Solana network")]
    Validator,
    /// A lookup table of a chain that has none, or of no content, or of more than an index reaches.
    #[error("a lookup table is an account of a Solana network, with 1 to 256 addresses")]
    Table,
    /// Hours outside of a day, of no day, or too far from UTC.
    #[error("hours need days, from before to, within one day, at most 14 hours from UTC")]
    Hours,
    /// An alarm over denials that does more than suspend a session, or one without a session that would.
    #[error("denials may suspend a session at most, and no session is to blame for an idle wallet")]
    Remedy,
    /// More refusals in a row than are remembered.
    #[error("at most 256 refusals in a row")]
    Row,
    /// An escalation of what no agent's request brings about.
    #[error(
        "this refusal does not follow from what an agent asked: it brings nothing, or a gateway could bring it about"
    )]
    Escalation,
    /// A site that is no host.
    #[error("a site is a host in lower-case ASCII, with its port or without")]
    SiteDomain,
    /// A site without networks.
    #[error("a site names its networks: sorted, each once, at least one")]
    SiteNetworks,
    /// Another address than one of the web.
    #[error("a site's uri begins with https:// or http:// and has no step up")]
    SiteUri,
    /// A login that waits.
    #[error("a sign-in is INSTANT or NOTIFY: it cannot wait")]
    SiteTier,
    /// Logins without number.
    #[error("a site has a count for the day at least")]
    SiteCount,
    /// A message without end.
    #[error("a sign-in message holds for 1 second to 24 hours")]
    SiteValidity,
    /// Resources that are no URIs.
    #[error("resources are at most 8 URIs, sorted, each once")]
    SiteResources,
    /// A violation about which an owner cannot be asked.
    #[error("only limits on amounts, counts and recipients may ask instead of refuse")]
    Ask,
}
