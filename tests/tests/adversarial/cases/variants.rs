//! One nonce signed again, in a hostile gateway's hands: a part of T09. It may choose a fee under the
//! ceiling and may keep a payment from landing; it gains nothing else.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use waiaas_client::{ClientError, SignedPayment};
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::denial::Code;
use waiaas_shared::evm::UnsignedTransaction;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::transaction::EvmFees;
use waiaas_tests::stage::EVM_TO;

use crate::rig::{Rig, refusal};

const GWEI: u128 = 1_000_000_000;
const AMOUNT: u128 = 77;

fn bytes(to: EvmAddress, value: u128, price: u128, nonce: u64) -> Vec<u8> {
    UnsignedTransaction {
        chain_id: 31_337,
        nonce,
        max_priority_fee_per_gas: price,
        max_fee_per_gas: price,
        gas_limit: 21_000,
        to,
        value,
        data: Vec::new(),
    }
    .encode()
}

const fn fees(price: u128) -> EvmFees {
    EvmFees {
        gas_limit: 21_000,
        max_fee_per_gas: price,
        max_priority_fee_per_gas: price,
    }
}

/// The recipient that the policy knows, the wallet itself, and nobody's address.
fn addresses(rig: &Rig) -> Result<[EvmAddress; 3]> {
    let Account::Evm(shop) = EVM_TO.parse()? else {
        anyhow::bail!("an EVM address")
    };
    let Account::Evm(own) = rig.cast.evm.account else {
        anyhow::bail!("an EVM wallet")
    };
    Ok([shop, own, EvmAddress::from_bytes([0x66; 20])])
}

fn replace(
    rig: &mut Rig,
    of: TransactionId,
    unsigned: &[u8],
) -> Result<SignedPayment, ClientError> {
    let (requested, gateway) = (Instant::now(), rig.gateway());
    let answer = rig.block(gateway.replace_transaction(of, unsigned));
    rig.note_release(unsigned, requested, &answer);
    answer
}

fn cancel(rig: &mut Rig, of: TransactionId, price: u128) -> Result<SignedPayment, ClientError> {
    let (requested, gateway) = (Instant::now(), rig.gateway());
    let Account::Evm(own) = rig.cast.evm.account else {
        return Err(ClientError::Protocol);
    };
    let answer = rig.block(gateway.cancel_transaction(of, fees(price)));
    rig.note_release(&bytes(own, 0, price, 0), requested, &answer);
    answer
}

/// Everything that a gateway might have the signer sign at a nonce that was issued; how much was refused.
pub(super) fn at_an_issued_nonce(rig: &mut Rig) -> Result<usize> {
    let [shop, own, thief] = addresses(rig)?;
    let transfer = rig.to_evm(AMOUNT);
    let first = rig.pay(&transfer)?;
    let mut refused = 0;
    let name = first.transaction;
    for (what, unsigned, code) in [
        (
            "another recipient",
            bytes(thief, AMOUNT, 3 * GWEI, 0),
            Code::BodyMismatch,
        ),
        (
            "more",
            bytes(shop, AMOUNT + 1, 3 * GWEI, 0),
            Code::BodyMismatch,
        ),
        (
            "less",
            bytes(shop, AMOUNT - 1, 3 * GWEI, 0),
            Code::BodyMismatch,
        ),
        (
            "itself",
            bytes(own, 0, 3 * GWEI, 0),
            Code::TransactionUndecodable,
        ),
        (
            "a nonce of its own",
            bytes(shop, AMOUNT, 3 * GWEI, 1),
            Code::NonceNotZero,
        ),
        (
            "the same fee",
            bytes(shop, AMOUNT, GWEI, 0),
            Code::VariantFee,
        ),
        (
            "a fee without end",
            bytes(shop, AMOUNT, 1 << 80, 0),
            Code::FeeCeiling,
        ),
        ("no bytes", Vec::new(), Code::TransactionUndecodable),
    ] {
        let answer = replace(rig, name, &unsigned);
        let codes = denied(answer).with_context(|| what.to_owned())?;
        ensure!(codes.contains(&code), "{what}: {codes:?}");
        refused += 1;
    }
    for (what, price, code) in [
        ("a cancellation for less", GWEI, Code::VariantFee),
        ("a cancellation without end", 1 << 80, Code::FeeCeiling),
    ] {
        let codes = denied(cancel(rig, name, price)).with_context(|| what.to_owned())?;
        ensure!(codes.contains(&code), "{what}: {codes:?}");
        refused += 1;
    }
    // Payments that have no nonce of the signer, and names of nothing.
    let transfer = rig.to_solana(5);
    let solana = rig.pay(&transfer)?;
    for (name, code) in [
        (solana.transaction, Code::VariantUnsupported),
        (TransactionId::from_bytes([9; 16]), Code::TransactionUnknown),
    ] {
        let answer = replace(rig, name, &bytes(shop, 5, 3 * GWEI, 0));
        ensure!(refusal(answer)? == code, "{code}");
        ensure!(refusal(cancel(rig, name, 3 * GWEI))? == code, "{code}");
        refused += 2;
    }
    // What it may do: another fee, once for each transaction, and the same answer to the same call.
    let faster = bytes(shop, AMOUNT, 2 * GWEI, 0);
    let second = replace(rig, name, &faster)?;
    let sequence = rig.status()?.sequence;
    for _ in 0..10 {
        let again = replace(rig, name, &faster)?;
        ensure!(again.replay && again.raw == second.raw, "other bytes");
    }
    ensure!(rig.status()?.sequence == sequence, "charged again");
    let late = replace(rig, name, &bytes(shop, AMOUNT, 4 * GWEI, 0));
    ensure!(refusal(late)? == Code::PaymentReplaced, "two in one place");
    let gateway = rig.gateway();
    let old = rig.block(gateway.signed_transaction(name));
    ensure!(
        refusal(old)? == Code::PaymentReplaced,
        "the old bytes again"
    );
    let cancelled = cancel(rig, second.transaction, 3 * GWEI)?;
    let paid = replace(
        rig,
        cancelled.transaction,
        &bytes(shop, AMOUNT, 4 * GWEI, 0),
    );
    ensure!(
        refusal(paid)? == Code::VariantCancelled,
        "paid after its cancellation"
    );
    Ok(refused + 3)
}

fn denied(answer: Result<SignedPayment, ClientError>) -> Result<Vec<Code>> {
    match answer {
        Err(ClientError::Denied(denial)) => {
            Ok(denial.violations().iter().map(|one| one.code).collect())
        }
        Ok(_) => anyhow::bail!("it was signed"),
        Err(other) => Err(other.into()),
    }
}
