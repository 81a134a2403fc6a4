//! `waiaas payment speed-up`, and `payment cancel` of what was signed: one more transaction for the nonce
//! of an EVM payment, over `admin.sock`. Fees are a tenth above those of the newest transaction, unless
//! told otherwise; the signer judges them. A gateway that follows the log sends it; the bytes are printed
//! for whoever sends them otherwise. Asks no node.

use std::time::Duration;

use serde_json::json;
use waiaas_client::SignedPayment;
use waiaas_shared::address::Account;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::{Code, Violation};
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::evm::{NetworkTerms, Registered};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::transaction::{DecodedTransaction, EvmFees, Known, decode, read_cancellation};

use crate::app::App;
use crate::failure::Failure;
use crate::signer::{Signer, failed};
use crate::table::pairs;

/// A page of events, in bytes.
const PAGE_BYTES: u32 = 256 * 1024;

/// Which transaction of the log, and what it pays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The number of the payment's event, as `waiaas audit show` lists it: a long log is read from there
    #[arg(long, value_name = "N")]
    event: Option<u64>,
    /// Wei per gas in all, at most
    #[arg(long, value_name = "WEI", requires = "priority_fee_per_gas")]
    max_fee_per_gas: Option<u128>,
    /// Wei per gas for the block's producer, at most
    #[arg(long, value_name = "WEI", requires = "max_fee_per_gas")]
    priority_fee_per_gas: Option<u128>,
    /// Units of gas of a cancellation (21000 to 100000): more only on chains that count their data
    #[arg(long, value_name = "N")]
    gas: Option<u64>,
}

/// The newest transaction of a payment's nonce.
struct Newest {
    spend: Spend,
    cancels: bool,
}

impl Newest {
    fn read(&self, from: Account) -> Result<DecodedTransaction, Failure> {
        let Spend {
            chain, unsigned, ..
        } = &self.spend;
        let read = if self.cancels {
            read_cancellation(*chain, from, unsigned)
        } else {
            let function = Registered::of_effects(&self.spend.effects);
            let known = Known::NOTHING
                .calling(function.as_ref())
                .on(NetworkTerms::RECORDED);
            decode(*chain, from, unsigned, known)
        };
        read.map_err(|error| {
            Failure::usage(
                "only a payment of the wallet's present key on an EVM chain is signed once more",
            )
            .why(error)
        })
    }
}

/// Signs a payment's nonce once more with a higher fee.
pub(super) async fn speed_up(
    app: &App,
    transaction: TransactionId,
    args: &Args,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let newest = newest(&signer, transaction, args.event).await?;
    let (read, fees) = known(&signer, &newest, args).await?;
    let name = newest.spend.transaction;
    if newest.cancels {
        let signed = signer.client.cancel_transaction(name, fees).await;
        return told(
            app,
            name,
            fees,
            true,
            &signed.map_err(failed("NOT sped up"))?,
        );
    }
    let unsigned = read
        .with_evm_fees(fees)
        .and_then(|raised| raised.with_nonce(0))
        .map_err(|error| Failure::usage("no transaction has such fees").why(error))?;
    let signed = signer
        .client
        .replace_transaction(name, unsigned.bytes())
        .await
        .map_err(failed("NOT sped up"))?;
    told(app, name, fees, false, &signed)
}

/// Has the signer cancel a payment on its nonce.
pub(super) async fn cancel(
    app: &App,
    transaction: TransactionId,
    args: &Args,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let newest = newest(&signer, transaction, args.event).await?;
    let (_, fees) = known(&signer, &newest, args).await?;
    let fees = EvmFees {
        gas_limit: args.gas.unwrap_or(waiaas_shared::evm::MIN_GAS_LIMIT),
        ..fees
    };
    let name = newest.spend.transaction;
    let signed = signer
        .client
        .cancel_transaction(name, fees)
        .await
        .map_err(failed("NOT cancelled"))?;
    told(app, name, fees, true, &signed)
}

fn told(
    app: &App,
    of: TransactionId,
    fees: EvmFees,
    cancels: bool,
    signed: &SignedPayment,
) -> Result<(), Failure> {
    let raw = format!("0x{}", hex::encode(&signed.raw));
    let end = if cancels {
        "once it lands, the payment never can; until then it may"
    } else {
        "one of the two lands, and the other never can"
    };
    let words = pairs(&[
        ("transaction", signed.transaction.to_string()),
        (
            if cancels { "cancels" } else { "speeds up" },
            of.to_string(),
        ),
        ("wei per gas", fees.max_fee_per_gas.to_string()),
        ("on the chain", signed.chain_transaction.clone()),
        ("sent by", "a gateway that follows the log".to_owned()),
        ("signed bytes", raw.clone()),
        ("end", end.to_owned()),
    ]);
    let data = json!({
        "transaction": signed.transaction,
        "of": of,
        "cancels": cancels,
        "sequence": signed.sequence,
        "max_fee_per_gas": fees.max_fee_per_gas.to_string(),
        "priority_fee_per_gas": fees.max_priority_fee_per_gas.to_string(),
        "chain_transaction": signed.chain_transaction,
        "raw": raw,
    });
    app.output.data(words, &data)
}

/// The newest transaction as it reads, and what the next one pays.
async fn known(
    signer: &Signer,
    newest: &Newest,
    args: &Args,
) -> Result<(DecodedTransaction, EvmFees), Failure> {
    let wallets = signer.client.wallets().await;
    let wallets = wallets.map_err(failed("no list of wallets"))?;
    let wallet = wallets
        .iter()
        .find(|view| view.wallet == newest.spend.wallet)
        .ok_or_else(|| Failure::denied("not signed", &[Violation::of(Code::WalletUnknown)]))?;
    let read = newest.read(wallet.account)?;
    let before = read
        .evm_fees()
        .ok_or_else(|| Failure::denied("not signed", &[Violation::of(Code::VariantUnsupported)]))?;
    Ok((read, next(before, args)))
}

fn next(before: EvmFees, args: &Args) -> EvmFees {
    let least = before.least_above();
    EvmFees {
        gas_limit: before.gas_limit,
        max_fee_per_gas: args.max_fee_per_gas.unwrap_or(least.max_fee_per_gas),
        max_priority_fee_per_gas: args
            .priority_fee_per_gas
            .unwrap_or(least.max_priority_fee_per_gas),
    }
}

/// Reads the log for the payment and whatever took its place since.
async fn newest(
    signer: &Signer,
    transaction: TransactionId,
    event: Option<u64>,
) -> Result<Newest, Failure> {
    let mut found: Option<Newest> = None;
    let mut after = event.unwrap_or(1).saturating_sub(1);
    loop {
        let page = signer
            .client
            .events(after, PAGE_BYTES, Duration::ZERO)
            .await;
        let page = page.map_err(failed("the log is not read"))?;
        let Some(last) = page.events.last() else {
            break;
        };
        after = last.sequence;
        for record in &page.events {
            let event: Event = from_canonical(&record.body)
                .map_err(|error| Failure::internal("an event is not understood").why(error))?;
            take(event.body, transaction, &mut found);
        }
    }
    found.ok_or_else(|| {
        Failure::denied("not signed", &[Violation::of(Code::TransactionUnknown)])
            .next("waiaas audit show, for the payment's event")
    })
}

fn take(body: EventBody, transaction: TransactionId, found: &mut Option<Newest>) {
    match body {
        EventBody::SpendCommitted(spend) if spend.transaction == transaction => {
            *found = Some(Newest {
                spend,
                cancels: false,
            });
        }
        EventBody::SpendReplaced { spend, variant } => {
            let follows = found
                .as_ref()
                .is_some_and(|newest| newest.spend.transaction == variant.of);
            if follows || spend.transaction == transaction {
                *found = Some(Newest {
                    spend,
                    cancels: variant.cancels,
                });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(fees: Option<(u128, u128)>) -> Args {
        Args {
            event: None,
            max_fee_per_gas: fees.map(|(max, _)| max),
            priority_fee_per_gas: fees.map(|(_, tip)| tip),
            gas: None,
        }
    }

    #[test]
    fn the_next_fee_is_a_tenth_more_unless_told_otherwise() {
        let before = EvmFees {
            gas_limit: 21_000,
            max_fee_per_gas: 1000,
            max_priority_fee_per_gas: 11,
        };
        let usual = next(before, &args(None));
        assert_eq!(
            (usual.max_fee_per_gas, usual.max_priority_fee_per_gas),
            (1100, 13)
        );
        assert!(usual.outbid(&before));
        let told = next(before, &args(Some((5000, 700))));
        assert_eq!(
            (told.max_fee_per_gas, told.max_priority_fee_per_gas),
            (5000, 700)
        );
    }
}
