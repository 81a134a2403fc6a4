//! `waiaas policy assets`: entries of a network's coin and common tokens, to paste into a policy file. Every
//! limit in them is 0: nothing may be spent until the owner writes something else and adopts it. Asks nobody.

use std::fmt::Write as _;

use serde_json::{Value, json};
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::network::{self, DataFee, NETWORKS, Network};

use crate::app::App;
use crate::failure::Failure;
use crate::ready_assets::{READY, ReadyAsset};
use crate::table::Table;

/// Coins that count for data in each transaction: a place to begin, which the owner changes.
const DATA_FEE: &str = "0.0002";

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose entries; without it, what there is
    #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
    network: Option<ChainId>,
    /// Only this asset (repeat)
    #[arg(long = "symbol", value_name = "SYMBOL", requires = "network")]
    symbols: Vec<String>,
}

/// Runs the command.
pub(super) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let Some(chain) = args.network else {
        return app.output.data(overview(), &machine(&entries(None, &[])));
    };
    let known = network::of(chain).ok_or_else(|| {
        Failure::usage(format!("no assets of {chain} are ready"))
            .next("docs/policy.md says how any asset is entered")
    })?;
    let entries = entries(Some(known), &args.symbols);
    for symbol in &args.symbols {
        if !entries.iter().any(|entry| entry.symbol == symbol) {
            return Err(Failure::usage(format!(
                "no {symbol} of {} is ready",
                known.title
            )));
        }
    }
    app.output.data(toml(known, &entries), &machine(&entries))
}

/// One entry: a coin, or a token.
#[derive(Debug, Clone)]
struct Entry {
    network: &'static Network,
    token: Option<&'static ReadyAsset>,
    symbol: &'static str,
    decimals: u8,
}

impl Entry {
    /// CAIP-19.
    fn id(&self) -> String {
        let chain = self.network.chain();
        let family = chain.family();
        match (self.token, family) {
            (None, _) => chain.native_asset().to_string(),
            (Some(token), Family::Evm) => format!("{chain}/erc20:{}", token.address),
            (Some(token), Family::Solana) => format!("{chain}/token:{}", token.address),
        }
    }

    fn source(&self) -> &'static str {
        self.token
            .map_or("the network's own coin", |token| token.source)
    }
}

/// What is ready of one network or of all, as far as it has one of these symbols.
fn entries(of: Option<&'static Network>, symbols: &[String]) -> Vec<Entry> {
    let networks = NETWORKS
        .iter()
        .filter(|network| of.is_none_or(|of| of == *network));
    let wanted = |entry: &Entry| symbols.is_empty() || symbols.iter().any(|it| it == entry.symbol);
    networks
        .flat_map(|network| {
            let coin = Entry {
                network,
                token: None,
                symbol: network.symbol,
                decimals: network.decimals().places(),
            };
            let tokens = READY
                .iter()
                .filter(move |token| token.network == network.name);
            let tokens = tokens.map(move |token| Entry {
                network,
                token: Some(token),
                symbol: token.symbol,
                decimals: token.decimals,
            });
            std::iter::once(coin).chain(tokens)
        })
        .filter(wanted)
        .collect()
}

/// The entries as a policy file has them.
fn toml(network: &Network, entries: &[Entry]) -> String {
    let mut text = format!(
        "# Assets of {}, to paste into a policy file. Every limit is 0: set what may be spent, and read it in\n\
         # words with `waiaas policy check`. Compare each address with its issuer's own page before you adopt it.\n",
        network.title
    );
    for entry in entries {
        let _infallible = write!(
            text,
            "\n[[asset]] # {}\nid = \"{}\"\nsymbol = \"{}\"\ndecimals = {}\n\
             instant-up-to = \"0\"\nnotify-up-to = \"0\"\nper-transaction = \"0\"\n\
             hour = \"0\"\nday = \"0\"\nweek = \"0\"\nmonth = \"0\"\n",
            entry.source(),
            entry.id(),
            entry.symbol,
            entry.decimals
        );
        if entry.network.chain().family() == Family::Evm {
            text.push_str("outstanding = \"0\" # signed between two attestations of the nonce\n");
        }
        if entry.token.is_none() {
            text.push_str("fee-ceiling = \"0\" # the most that one transaction may cost\n");
            if entry.network.data_fee == DataFee::BesideGas {
                let _infallible = writeln!(
                    text,
                    "data-fee-ceiling = \"{DATA_FEE}\" # counted in each transaction, within fee-ceiling"
                );
            }
        }
    }
    text
}

fn overview() -> Table {
    let mut table = Table::new(&["NETWORK", "CHAIN", "ASSETS", ""]);
    for network in &NETWORKS {
        let symbols: Vec<_> = entries(Some(network), &[])
            .iter()
            .map(|entry| entry.symbol)
            .collect();
        let test = if network.chain().is_test_network() {
            "test network"
        } else {
            ""
        };
        table.row([
            network.name.to_owned(),
            network.chain().to_string(),
            symbols.join(" "),
            test.to_owned(),
        ]);
    }
    table
}

fn machine(entries: &[Entry]) -> Value {
    let listed = entries.iter().map(|entry| {
        json!({
            "network": entry.network.name,
            "id": entry.id(),
            "symbol": entry.symbol,
            "decimals": entry.decimals,
            "source": entry.source(),
        })
    });
    json!({ "assets": listed.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use waiaas_shared::amount::Amount;
    use waiaas_shared::policy::toml_form;

    use super::*;

    /// What is printed is a policy under which nothing can be spent, whichever network it is of.
    #[test]
    fn what_is_printed_reads_and_lets_nothing_pass() {
        for network in &NETWORKS {
            let entries = entries(Some(network), &[]);
            let text = format!("version = 1\nepoch = 1\n{}", toml(network, &entries));
            let document =
                toml_form::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(document.assets.len(), entries.len());
            for rule in &document.assets {
                assert_eq!(rule.per_transaction, Amount::ZERO, "{text}");
                assert_eq!(rule.month, Amount::ZERO);
                assert!(
                    rule.fee_ceiling
                        .is_none_or(|ceiling| ceiling == Amount::ZERO)
                );
            }
            assert!(document.recipients.is_empty() && !document.recipients_open);
        }
    }

    /// The text is what an owner pastes: a golden file, so that a change is seen.
    #[test]
    fn the_entries_of_base() {
        let base = network::named("base").expect("it is ready");
        let text = toml(base, &entries(Some(base), &[]));
        let file = format!(
            "{}/tests/golden/policy-assets-base.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        if std::env::var_os("WAIAAS_REGENERATE").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, golden, "WAIAAS_REGENERATE=1");
    }

    #[test]
    fn only_what_is_asked_for() {
        let base = network::named("base").expect("it is ready");
        let only = entries(Some(base), &["USDC".to_owned()]);
        assert_eq!(only.len(), 1);
        assert_eq!(
            only[0].id(),
            "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
        );
        assert!(entries(Some(base), &["usdc".to_owned()]).is_empty());
    }
}
