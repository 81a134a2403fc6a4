//! What it costs to read a transaction: bytes to effects, of a typical transfer on either chain, beside what nobody
//! could do without in the same run, one hash of the same bytes and one verified signature. Means of the CPU's
//! time on one core. A token's account is derived once for each owner and mint and then remembered, so that is
//! measured apart.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::ChainId;
use waiaas_shared::evm;
use waiaas_shared::solana::{self, Token, TokenProgram, derive_associated_account};
use waiaas_shared::transaction::{Known, decode, signing_payload};

use super::effort::Effort;
use super::load::micros;
use super::usage;

const ROUNDS: u32 = 100_000;
/// Of what takes tens of microseconds.
const FEWER: u32 = 5_000;
const EVM_CHAIN: u64 = 31_337;
const EVM_WALLET: EvmAddress = EvmAddress::from_bytes([7; 20]);
const EVM_TO: EvmAddress = EvmAddress::from_bytes([0xa1; 20]);
const WALLET: SolanaAddress = SolanaAddress::from_bytes([7; 32]);
const TO: SolanaAddress = SolanaAddress::from_bytes([0xa1; 32]);

/// Most microseconds of a transfer.
const EVM_TARGET: f64 = 2.0;
const SOLANA_TARGET: f64 = 3.0;

/// One transfer as it stands before the signer.
struct Case<'a> {
    chain: ChainId,
    wallet: Account,
    bytes: Vec<u8>,
    known: Known<'a>,
    target: f64,
}

pub(super) fn measure(effort: Effort) -> Result<Value> {
    let (many, fewer) = (effort.rounds(ROUNDS), effort.rounds(FEWER));
    let local: ChainId = "solana:localnet".parse()?;
    let token = Token {
        mint: SolanaAddress::from_bytes([0xc1; 32]),
        decimals: 6,
        program: TokenProgram::Token,
    };
    let to = [Account::Solana(TO)];
    let tokens = [token];
    let known = Known {
        owners: &to,
        tokens: &tokens,
        ..Known::NOTHING
    };
    let of_evm = |bytes| Case {
        chain: ChainId::Evm(EVM_CHAIN),
        wallet: Account::Evm(EVM_WALLET),
        bytes,
        known: Known::NOTHING,
        target: EVM_TARGET,
    };
    let of_solana = |bytes, known| Case {
        chain: local,
        wallet: Account::Solana(WALLET),
        bytes,
        known,
        target: SOLANA_TARGET,
    };
    let cases = [
        ("evm_native", of_evm(evm_native()?)),
        ("evm_erc20", of_evm(evm_erc20()?)),
        ("solana_native", of_solana(solana_native()?, Known::NOTHING)),
        ("solana_spl", of_solana(solana_spl(token, false)?, known)),
        (
            "solana_spl_new_account",
            of_solana(solana_spl(token, true)?, known),
        ),
    ];
    let verification = verification(fewer)?;
    let mut figures = serde_json::Map::new();
    for (name, case) in &cases {
        let read = each(many, || {
            decode(case.chain, case.wallet, black_box(&case.bytes), case.known)
        })?;
        let decoded = decode(case.chain, case.wallet, &case.bytes, case.known)?;
        ensure!(decoded.effects().len() >= 2, "{name} does nothing");
        let hash = each(many, || Ok::<_, anyhow::Error>(hash(black_box(case))))?;
        figures.insert(
            (*name).to_owned(),
            json!({
                "value_us": micros(read), "target_below": case.target, "bytes": case.bytes.len(),
                "to_one_sha256_of_them": read.as_secs_f64() / hash.as_secs_f64(),
                "to_one_verified_signature": read.as_secs_f64() / verification.as_secs_f64(),
            }),
        );
    }
    let mut owner = [0xa1; 32];
    let mut count = 0_u32;
    let derivation = each(fewer, || {
        // Another owner each time; how many tries an address takes differs.
        count += 1;
        owner[..4].copy_from_slice(&count.to_le_bytes());
        let owner = SolanaAddress::from_bytes(owner);
        Ok::<_, anyhow::Error>(derive_associated_account(owner, token.mint, token.program))
    })?;
    // EVM: what is signed is a hash of what was read.
    let case = &cases.first().context("a case")?.1;
    let decoded = decode(case.chain, case.wallet, &case.bytes, case.known)?;
    let payload = each(many, || {
        Ok::<_, anyhow::Error>(matches!(
            signing_payload(black_box(&decoded)),
            waiaas_shared::transaction::SigningPayload::Secp256k1Prehash(_)
        ))
    })?;
    figures.insert(
        "token_account_derived_us".to_owned(),
        json!(micros(derivation)),
    );
    figures.insert("evm_digest_us".to_owned(), json!(micros(payload)));
    figures.insert(
        "ed25519_verification_us".to_owned(),
        json!(micros(verification)),
    );
    Ok(Value::Object(figures))
}

fn hash(case: &Case<'_>) -> [u8; 32] {
    Sha256::digest(&case.bytes).into()
}

/// The mean of one.
fn each<T, E: Into<anyhow::Error>>(
    rounds: u32,
    mut work: impl FnMut() -> Result<T, E>,
) -> Result<Duration> {
    // Nothing is measured cold.
    for _ in 0..rounds / 10 {
        black_box(work().map_err(Into::into)?);
    }
    let begun = usage::own()?;
    for _ in 0..rounds {
        black_box(work().map_err(Into::into)?);
    }
    usage::own()?
        .saturating_sub(begun)
        .checked_div(rounds)
        .context("at least one")
}

fn verification(rounds: u32) -> Result<Duration> {
    let key = SigningKey::from_bytes(&[3; 32]);
    let message = [7; 200];
    let signature = key.sign(&message);
    let public = key.verifying_key();
    each(rounds, || {
        public.verify_strict(black_box(&message), &signature)
    })
}

fn evm_native() -> Result<Vec<u8>> {
    Ok(evm::build::transfer(&evm::build::TransferRequest {
        chain_id: EVM_CHAIN,
        from: EVM_WALLET,
        to: EVM_TO,
        value: 12_500_000_000_000_000,
        gas_limit: 21_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    })?)
}

fn evm_erc20() -> Result<Vec<u8>> {
    Ok(evm::build::token_transfer(&evm::build::TokenRequest {
        chain_id: EVM_CHAIN,
        from: EVM_WALLET,
        token: EvmAddress::from_bytes([0xc3; 20]),
        to: EVM_TO,
        amount: 12_500_000,
        gas_limit: 65_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    })?)
}

fn solana_native() -> Result<Vec<u8>> {
    Ok(solana::build::transfer(&solana::build::TransferRequest {
        from: WALLET,
        to: TO,
        lamports: 12_500_000,
        blockhash: [0xb2; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 100_000,
    })?)
}

fn solana_spl(token: Token, create: bool) -> Result<Vec<u8>> {
    Ok(solana::build::token_transfer(
        &solana::build::TokenTransferRequest {
            from: WALLET,
            to: TO,
            token,
            amount: 12_500_000,
            create,
            blockhash: [0xb2; 32],
            compute_unit_limit: 40_000,
            micro_lamports_per_compute_unit: 100_000,
        },
    )?)
}
