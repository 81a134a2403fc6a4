//! What the parts of a payment cost alone, measured in the same run as the product: the ceilings that its figures
//! are compared with.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
use waiaas_shared::ids::SessionId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::request_signature::{self, Parameters, SignedRequest};

use super::effort::Effort;
use super::load::{Latencies, percentile};

/// Repetitions of what takes microseconds.
const ROUNDS: usize = 2_000;
/// Repetitions of what waits for the disk.
const SYNCS: usize = 300;
/// Bytes of one event with its frame in the log.
const APPEND_BYTES: usize = 600;
/// Bytes of a Solana transfer's message.
const MESSAGE_BYTES: usize = 200;

/// Medians.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ceilings {
    pub(super) synced_append: Duration,
    pub(super) ed25519_sign: Duration,
    pub(super) ed25519_verify: Duration,
    pub(super) secp256k1_sign: Duration,
    pub(super) secp256k1_verify: Duration,
    pub(super) request_verification: Duration,
}

pub(super) fn measure(folder: &Path, effort: Effort) -> Result<Ceilings> {
    let rounds = effort.requests(ROUNDS);
    let key = SigningKey::from_bytes(&[3; 32]);
    let message = [7; MESSAGE_BYTES];
    let signature = key.sign(&message);
    let public: VerifyingKey = key.verifying_key();
    let secret = k256::ecdsa::SigningKey::from_slice(&[3; 32]).context("a scalar")?;
    let prehash = [7; 32];
    let (recoverable, _) = secret.sign_prehash_recoverable(&prehash);
    let point = *secret.verifying_key();
    Ok(Ceilings {
        synced_append: synced_append(folder, effort.requests(SYNCS))?,
        ed25519_sign: median(rounds, || key.sign(&message)),
        ed25519_verify: median(rounds, || public.verify_strict(&message, &signature)),
        secp256k1_sign: median(rounds, || secret.sign_prehash_recoverable(&prehash)),
        secp256k1_verify: median(rounds, || point.verify_prehash(&prehash, &recoverable)),
        request_verification: request_verification(rounds)?,
    })
}

/// A record appended to a file and synced: what the disk takes for one commit.
fn synced_append(folder: &Path, syncs: usize) -> Result<Duration> {
    let path = folder.join("append");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let record = [0x5a; APPEND_BYTES];
    let mut times = Vec::with_capacity(syncs);
    for _ in 0..syncs {
        let from = Instant::now();
        file.write_all(&record)?;
        file.sync_data()?;
        times.push(from.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(percentile(&mut Latencies(times), 50))
}

/// The check of an agent's HTTP Message Signature, parsing included.
fn request_verification(rounds: usize) -> Result<Duration> {
    let key = SigningKey::from_bytes(&[4; 32]);
    let body = [b'x'; 300];
    let request = request_signature::Request {
        method: "POST",
        path: "/v1/transactions",
        query: "?",
        body: &body,
        idempotency_key: "an-idempotency-key",
    };
    let nonce = "0123456789abcdef0123456789abcdef".parse()?;
    let parameters = Parameters::new(1_800_000_000, nonce, SessionId::from_bytes([1; 16]))?;
    let fields =
        request_signature::sign_request(&request, &parameters, |base| key.sign(base).to_bytes())?;
    let signed = SignedRequest {
        request,
        signature_input: &fields.signature_input,
        signature: &fields.signature,
    };
    let agent = AgentKey::from_bytes(key.verifying_key().to_bytes());
    request_signature::verify(&signed, &agent).context("an own signature")?;
    Ok(median(rounds, || {
        request_signature::verify(&signed, &agent).is_ok()
    }))
}

fn median<T>(rounds: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let from = Instant::now();
        std::hint::black_box(work());
        times.push(from.elapsed());
    }
    percentile(&mut Latencies(times), 50)
}
