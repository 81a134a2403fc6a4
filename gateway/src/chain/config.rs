//! One chain in the gateway's configuration: `[[chain]]` in `config.toml`, read once into checked
//! values. A network that is ready goes by its name, and what is not said of it is as the table has it.
//! Unknown keys are refused; a key of the other family is refused.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::network;

use super::url::{RpcUrl, SocketUrl};

/// Most nodes that are asked in turn.
const MAX_ENDPOINTS: usize = 8;

/// How one chain is reached and followed.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(try_from = "RawChainConfig")]
pub struct ChainConfig {
    /// The chain (CAIP-2).
    pub id: ChainId,
    /// Its nodes, in the order of preference; one to eight.
    pub rpc: Vec<RpcUrl>,
    /// Websockets that tell when it is worth looking; at most eight, and none is fine.
    pub ws: Vec<SocketUrl>,
    /// What counts as confirmed.
    pub depth: Depth,
    /// The most that one transaction may cost in fees, in lamports or wei, whatever a node asks. A
    /// convenience that protects from lying nodes: the binding ceiling is the owner's policy.
    pub max_fee: Amount,
    /// How often a transaction under way is looked at.
    pub poll_interval: Duration,
    /// Time for one request to one node, everything included.
    pub request_timeout: Duration,
    /// Which transfers into the wallets are looked for.
    pub incoming: Incomings,
    /// How often they are looked for.
    pub incoming_every: Duration,
}

/// Which transfers into the wallets are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incomings {
    /// None.
    Off,
    /// Those of the policy's tokens: on an EVM chain a question for many blocks.
    Tokens,
    /// Those of the chain's coin too: on an EVM chain a question for each block.
    All,
}

/// When a transaction counts as on the chain for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What the chain itself calls so.
    Commitment(Commitment),
    /// EVM: so many blocks, the transaction's own included; at least one.
    Confirmations(u32),
}

impl Depth {
    /// The words by which a family's levels are asked for.
    #[must_use]
    pub const fn words(family: Family) -> &'static [&'static str] {
        match family {
            Family::Solana => &["confirmed", "finalized"],
            Family::Evm => &["latest", "safe", "finalized"],
        }
    }

    /// A level of a chain of this family by its word; none for a word of the other family.
    #[must_use]
    pub fn of_word(family: Family, word: &str) -> Option<Self> {
        match (family, word) {
            (Family::Solana, "confirmed") => Some(Self::Commitment(Commitment::Confirmed)),
            // In the newest block, or below it.
            (Family::Evm, "latest") => Some(Self::Confirmations(1)),
            (Family::Evm, "safe") => Some(Self::Commitment(Commitment::Safe)),
            (_, "finalized") => Some(Self::Commitment(Commitment::Finalized)),
            _ => None,
        }
    }

    /// Whether it is reached only where no fork can undo the block.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Commitment(Commitment::Finalized))
    }
}

/// The chains' own levels that may count as confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commitment {
    /// Solana: two thirds of the stake have voted for the block.
    Confirmed,
    /// EVM: most validators have attested to the block, and it is undone only if many of them break the rules.
    Safe,
    /// No fork can undo the block.
    Finalized,
}

/// What is wrong with a chain's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainConfigError {
    /// No node, or too many.
    #[error("rpc: one to eight node addresses are needed")]
    Endpoints,
    /// A node twice: it would be its own second witness.
    #[error("rpc: each node address once")]
    EndpointTwice,
    /// Too many websockets, or one twice.
    #[error("ws: at most eight websocket addresses, each once")]
    Sockets,
    /// A level of the other family, or two of them.
    #[error(
        "commitment: confirmed or finalized on Solana; on an EVM chain safe or finalized, or confirmations in its place"
    )]
    Depth,
    /// Zero confirmations, or more than anyone waits for.
    #[error("confirmations: 1 to 1000")]
    Confirmations,
    /// Outside of 50 milliseconds to a minute.
    #[error("poll-interval-ms: 50 to 60000")]
    PollInterval,
    /// Outside of 100 milliseconds to a minute.
    #[error("request-timeout-ms: 100 to 60000")]
    RequestTimeout,
    /// Outside of a second to an hour.
    #[error("incoming-seconds: 1 to 3600")]
    Incoming,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawChainConfig {
    #[serde(deserialize_with = "named")]
    id: ChainId,
    #[serde(deserialize_with = "one_or_more")]
    rpc: Vec<RpcUrl>,
    #[serde(default, deserialize_with = "one_or_more")]
    ws: Vec<SocketUrl>,
    commitment: Option<Commitment>,
    confirmations: Option<u32>,
    max_fee: Option<Amount>,
    poll_interval_ms: Option<u64>,
    request_timeout_ms: Option<u64>,
    incoming: Option<Incomings>,
    incoming_seconds: Option<u64>,
}

impl TryFrom<RawChainConfig> for ChainConfig {
    type Error = ChainConfigError;

    fn try_from(raw: RawChainConfig) -> Result<Self, ChainConfigError> {
        if raw.rpc.is_empty() || raw.rpc.len() > MAX_ENDPOINTS {
            return Err(ChainConfigError::Endpoints);
        }
        if any_twice(&raw.rpc) {
            return Err(ChainConfigError::EndpointTwice);
        }
        if raw.ws.len() > MAX_ENDPOINTS || any_twice(&raw.ws) {
            return Err(ChainConfigError::Sockets);
        }
        let ready = network::of(raw.id);
        let confirmations = ready.and_then(|network| network.confirmations);
        let (depth, max_fee, poll_interval_ms) = match raw.id.family() {
            Family::Solana
                if raw.confirmations.is_none() && raw.commitment != Some(Commitment::Safe) =>
            {
                (
                    Depth::Commitment(raw.commitment.unwrap_or(Commitment::Confirmed)),
                    // 0.0001 SOL: twenty times the fee of one signature.
                    100_000,
                    500,
                )
            }
            Family::Evm if is_evm_depth(&raw) => (
                match raw.commitment {
                    Some(commitment) => Depth::Commitment(commitment),
                    None => Depth::Confirmations(raw.confirmations.or(confirmations).unwrap_or(3)),
                },
                // 0.005 of the chain's coin: a plain transfer at 238 gwei.
                ready.map_or(5_000_000_000_000_000, |network| network.max_fee),
                1000,
            ),
            _ => return Err(ChainConfigError::Depth),
        };
        if matches!(depth, Depth::Confirmations(blocks) if !(1..=1000).contains(&blocks)) {
            return Err(ChainConfigError::Confirmations);
        }
        let poll_interval_ms = raw.poll_interval_ms.unwrap_or(poll_interval_ms);
        if !(50..=60_000).contains(&poll_interval_ms) {
            return Err(ChainConfigError::PollInterval);
        }
        let request_timeout_ms = raw.request_timeout_ms.unwrap_or(10_000);
        if !(100..=60_000).contains(&request_timeout_ms) {
            return Err(ChainConfigError::RequestTimeout);
        }
        let incoming_seconds = raw.incoming_seconds.unwrap_or(30);
        if !(1..=3600).contains(&incoming_seconds) {
            return Err(ChainConfigError::Incoming);
        }
        // On Solana the coin costs no more than a token; on an EVM chain a question for each block.
        let incoming = raw.incoming.unwrap_or(match raw.id.family() {
            Family::Solana => Incomings::All,
            Family::Evm => Incomings::Tokens,
        });
        Ok(Self {
            id: raw.id,
            rpc: raw.rpc,
            ws: raw.ws,
            depth,
            max_fee: raw.max_fee.unwrap_or(Amount::from_base_units(max_fee)),
            poll_interval: Duration::from_millis(poll_interval_ms),
            request_timeout: Duration::from_millis(request_timeout_ms),
            incoming,
            incoming_every: Duration::from_secs(incoming_seconds),
        })
    }
}

fn any_twice<U: PartialEq>(urls: &[U]) -> bool {
    let mut places = urls.iter().enumerate();
    places.any(|(place, url)| urls.iter().take(place).any(|earlier| earlier == url))
}

/// A level of EVM chains, or a number of blocks, or neither.
fn is_evm_depth(raw: &RawChainConfig) -> bool {
    match raw.commitment {
        None => true,
        Some(Commitment::Safe | Commitment::Finalized) => raw.confirmations.is_none(),
        Some(Commitment::Confirmed) => false,
    }
}

/// `id = "base"` or `id = "eip155:8453"`.
fn named<'de, D: Deserializer<'de>>(from: D) -> Result<ChainId, D::Error> {
    let text = String::deserialize(from)?;
    network::chain(&text).map_err(D::Error::custom)
}

/// `rpc = "https://..."` or a list of them.
fn one_or_more<'de, D, U>(from: D) -> Result<Vec<U>, D::Error>
where
    D: Deserializer<'de>,
    U: Deserialize<'de> + TryFrom<String, Error: fmt::Display>,
{
    struct OneOrMore<U>(PhantomData<U>);

    impl<'de, U> Visitor<'de> for OneOrMore<U>
    where
        U: Deserialize<'de> + TryFrom<String, Error: fmt::Display>,
    {
        type Value = Vec<U>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a node's address, or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<U>, E> {
            let url = U::try_from(text.to_owned()).map_err(E::custom)?;
            Ok(vec![url])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<U>, A::Error> {
            let mut urls = Vec::new();
            while let Some(url) = list.next_element()? {
                urls.push(url);
            }
            Ok(urls)
        }
    }

    from.deserialize_any(OneOrMore(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ChainConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_form_is_enough() {
        let solana = read(
            r#"id = "solana:localnet"
               rpc = "http://127.0.0.1:8899""#,
        )
        .expect("valid");
        assert_eq!(solana.rpc.len(), 1);
        assert_eq!(solana.depth, Depth::Commitment(Commitment::Confirmed));
        let evm = read(
            r#"id = "eip155:1"
               rpc = ["https://node.example/key", "https://other.example"]
               confirmations = 12
               max-fee = "1000"
               poll-interval-ms = 2000
               request-timeout-ms = 5000"#,
        )
        .expect("valid");
        assert_eq!(evm.depth, Depth::Confirmations(12));
        assert_eq!(evm.max_fee, Amount::from_base_units(1000));
        assert_eq!(evm.request_timeout, Duration::from_secs(5));
    }

    #[test]
    fn a_network_goes_by_its_name() {
        let chain = |id: &str, more: &str| {
            read(&format!(
                "id = \"{id}\"\nrpc = \"http://127.0.0.1:1\"\n{more}"
            ))
        };
        for network in network::NETWORKS {
            let config = chain(network.name, "").expect(network.name);
            assert_eq!(config.id, network.chain());
            assert_eq!(config.max_fee, Amount::from_base_units(network.max_fee));
            if let Some(blocks) = network.confirmations {
                assert_eq!(
                    config.depth,
                    Depth::Confirmations(blocks),
                    "{}",
                    network.name
                );
            }
            let same = chain(&network.chain().to_string(), "").expect(network.name);
            assert_eq!(format!("{same:?}"), format!("{config:?}"));
        }
        let base = chain("base", "confirmations = 64\nmax-fee = \"7\"").expect("valid");
        assert_eq!(base.depth, Depth::Confirmations(64));
        assert_eq!(base.max_fee, Amount::from_base_units(7));
        for (said, level) in [
            ("safe", Commitment::Safe),
            ("finalized", Commitment::Finalized),
        ] {
            let config = chain("base", &format!("commitment = \"{said}\"")).expect("valid");
            assert_eq!(config.depth, Depth::Commitment(level));
        }
        let other = chain("eip155:4242", "").expect("valid");
        assert_eq!(other.depth, Depth::Confirmations(3));
        let unknown = chain("Base", "").expect_err("a name is written small");
        assert!(unknown.contains("base-sepolia"), "{unknown}");
    }

    #[test]
    fn an_access_key_is_never_shown() {
        let config = read(
            r#"id = "eip155:1"
               rpc = ["https://user:secret@node.example:8443/secret?key=secret"]
               ws = "wss://node.example/secret?key=secret""#,
        )
        .expect("valid");
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("https://node.example:8443"), "{shown}");
    }

    #[test]
    fn other_forms_are_refused() {
        let chain = |lines: &str| format!("id = \"eip155:1\"\nrpc = [\"http://h\"]\n{lines}");
        for (text, says) in [
            (chain("confirmation = 1"), "unknown field"),
            (
                chain("commitment = \"confirmed\""),
                "confirmed or finalized on Solana",
            ),
            (
                chain("commitment = \"finalized\"\nconfirmations = 3"),
                "confirmations in its place",
            ),
            (chain("commitment = \"latest\""), "unknown variant"),
            (
                "id = \"solana:localnet\"\nrpc = [\"http://h\"]\ncommitment = \"safe\"".into(),
                "safe or finalized",
            ),
            (chain("confirmations = 0"), "1 to 1000"),
            (chain("confirmations = -1"), "invalid value"),
            (chain("max-fee = 1000"), "invalid type"),
            (chain("max-fee = \"1e3\""), "plain decimal digits"),
            (chain("poll-interval-ms = 1"), "50 to 60000"),
            (chain("request-timeout-ms = 1"), "100 to 60000"),
            (chain("incoming-seconds = 0"), "1 to 3600"),
            (chain("incoming = \"some\""), "unknown variant"),
            (chain("rpc = []"), "duplicate key"),
            (chain("ws = \"https://h\""), "ws:// or wss://"),
            (chain("ws = \"wss://user@h\""), "ws:// or wss://"),
            (
                chain("ws = [\"wss://h/key\", \"wss://h/key\"]"),
                "each once",
            ),
            (
                chain(&format!(
                    "ws = {:?}",
                    (0..9).map(|n| format!("ws://h/{n}")).collect::<Vec<_>>()
                )),
                "at most eight",
            ),
            ("id = \"eip155:1\"\nrpc = []".into(), "one to eight"),
            (
                "id = \"eip155:1\"\nrpc = [\"http://h\", \"http://h/\"]".into(),
                "each node address once",
            ),
            ("id = \"eip155:1\"\nrpc = 5".into(), "or a list of them"),
            (
                "id = \"eip155:1\"\nrpc = \"ws://h\"".into(),
                "http:// or https://",
            ),
            ("id = \"eip155:1\"".into(), "missing field"),
            (
                "id = \"eip155:1\"\nrpc = [\"ws://h\"]".into(),
                "http:// or https://",
            ),
            (
                "id = \"eip155:1\"\nrpc = [\"file:///etc/passwd\"]".into(),
                "http:// or https://",
            ),
            (
                "id = \"solana:localnet\"\nrpc = [\"http://h\"]\nconfirmations = 1".into(),
                "confirmed or finalized on Solana",
            ),
            (
                "id = \"solana:localnet\"\nrpc = [\"http://h\"]\ncommitment = \"processed\"".into(),
                "unknown variant",
            ),
        ] {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
