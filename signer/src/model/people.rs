//! Owner, agents and recipients of the simulated world: their keys, what they sign, what they ask for.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Token};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::ids::SessionId;
use waiaas_shared::keys::{AgentKey, OwnerKey};
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::session::Credential;
use waiaas_shared::solana::{self, ProgramCall, ProgramMethod, TokenProgram, build};
use waiaas_shared::statement::verify::{Envelope, payload};

use super::asking::Asking;
use super::decoder::{self, Done, RENT};
use super::programs;
use crate::core::command::SpendRequest;

pub(crate) const EVM: ChainId = ChainId::Evm(31_337);
/// A main network: documents of a world that has a wallet on it wait before they mature.
pub(crate) const MAIN: ChainId = ChainId::Evm(1);
/// Fee of every EVM payment: 21,000 gas at 1 wei.
pub(crate) const FEE: u128 = 21_000;

pub(crate) fn solana() -> ChainId {
    "solana:localnet".parse().expect("a chain")
}

pub(crate) fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

pub(crate) fn agent_key() -> SigningKey {
    SigningKey::from_bytes(&[22; 32])
}

pub(crate) fn stranger_key() -> SigningKey {
    SigningKey::from_bytes(&[99; 32])
}

pub(crate) fn key_bound() -> Credential {
    Credential::AgentKey(AgentKey::from_bytes(agent_key().verifying_key().to_bytes()))
}

pub(crate) fn bearer(number: u64) -> Credential {
    Credential::Bearer(hash(Domain::SessionSecret, &[&number.to_be_bytes()]))
}

/// The token of the chain.
pub(crate) fn token_on(chain: ChainId) -> AssetId {
    let token = match chain {
        ChainId::Solana(_) => Token::Mint(SolanaAddress::from_bytes(decoder::mint())),
        ChainId::Evm(_) => Token::Erc20(EvmAddress::from_bytes([0x5e; 20])),
    };
    AssetId::new(chain, token).expect("of the family")
}

/// A recipient on the chain's family: 0 and 1 are what policies list, 2 nobody lists.
pub(crate) fn recipient(chain: ChainId, which: u8) -> Account {
    match chain {
        ChainId::Solana(_) => Account::Solana(SolanaAddress::from_bytes([40 + which; 32])),
        ChainId::Evm(_) => Account::Evm(EvmAddress::from_bytes([40 + which; 20])),
    }
}

pub(crate) fn account(chain: ChainId, which: u8) -> AccountId {
    AccountId::new(chain, recipient(chain, which)).expect("of the family")
}

pub(crate) fn bytes(account: &Account) -> Vec<u8> {
    match account {
        Account::Solana(address) => address.as_bytes().to_vec(),
        Account::Evm(address) => address.as_bytes().to_vec(),
    }
}

pub(crate) fn owner_public(key: &SigningKey) -> OwnerKey {
    OwnerKey::Ed25519(SolanaAddress::from_bytes(key.verifying_key().to_bytes()))
}

pub(crate) fn sign_text(key: &SigningKey, text: &str) -> Vec<u8> {
    let bytes = payload(text, Envelope::Ed25519Plain, &owner_public(key)).expect("a statement");
    key.sign(&bytes).to_bytes().to_vec()
}

/// What a gateway chooses of a transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Wei for each gas, or steps of the compute price.
    pub(crate) price: u64,
    pub(crate) salt: u64,
    pub(crate) nonce: u64,
}

/// One step of the compute price, micro-lamports.
const STEP: u64 = 100_000_000;

/// The worst fee at a price: 21,000 gas, or 450 compute units beside the signature.
pub(crate) fn fee(chain: ChainId, price: u64) -> u128 {
    match chain {
        ChainId::Evm(_) => FEE * u128::from(price),
        ChainId::Solana(_) => {
            5000 + (450 * u128::from(STEP) * u128::from(price - 1)).div_ceil(1_000_000)
        }
    }
}

/// An unsigned transfer at a price, as a gateway proposes it; the fee second.
pub(crate) fn transfer(
    chain: ChainId,
    from: &Account,
    to: &Account,
    amount: u128,
    terms: Terms,
) -> (Vec<u8>, u128) {
    let micro_lamports = STEP * (terms.price - 1);
    (
        unsigned_at(chain, from, to, amount, terms, micro_lamports),
        fee(chain, terms.price),
    )
}

/// An unsigned transfer from `from`, as a gateway proposes it; the fee second.
pub(crate) fn unsigned(
    chain: ChainId,
    from: &Account,
    to: &Account,
    amount: u128,
    salt: u64,
) -> (Vec<u8>, u128) {
    let price = salt % 3 * 10_000;
    let terms = Terms {
        price: 1,
        salt,
        nonce: 0,
    };
    let fee = match chain {
        ChainId::Evm(_) => FEE,
        ChainId::Solana(_) => 5000 + (450 * u128::from(price)).div_ceil(1_000_000),
    };
    (unsigned_at(chain, from, to, amount, terms, price), fee)
}

fn unsigned_at(
    chain: ChainId,
    from: &Account,
    to: &Account,
    amount: u128,
    terms: Terms,
    micro_lamports: u64,
) -> Vec<u8> {
    match (chain, from, to) {
        (ChainId::Evm(chain_id), _, Account::Evm(to)) => waiaas_shared::evm::UnsignedTransaction {
            chain_id,
            nonce: terms.nonce,
            max_priority_fee_per_gas: 1,
            max_fee_per_gas: terms.price.into(),
            gas_limit: 21_000,
            to: *to,
            value: amount,
            data: Vec::new(),
        }
        .encode(),
        (ChainId::Solana(_), Account::Solana(from), Account::Solana(to)) => {
            let request = build::TransferRequest {
                from: *from,
                to: *to,
                lamports: u64::try_from(amount).expect("script amounts are small"),
                blockhash: blockhash(terms.salt),
                compute_unit_limit: 450,
                micro_lamports_per_compute_unit: micro_lamports,
            };
            build::transfer(&request).expect("can be signed")
        }
        _ => panic!("of one family"),
    }
}

/// The bytes that do what is asked, as a gateway proposes them; `tip`: wei of the price for the block's
/// producer.
pub(crate) fn proposed(from: &Account, asking: &Asking, terms: Terms, tip: u128) -> Vec<u8> {
    match (asking.chain, from) {
        (ChainId::Evm(chain_id), _) => {
            let (to, value, data) = match decoder::wanted(asking).pop() {
                Some(Done::Coins { to, amount }) => (to, amount, Vec::new()),
                Some(Done::Told { to, value, data }) => (to, value, data),
                other => panic!("{other:?} on an EVM chain"),
            };
            waiaas_shared::evm::UnsignedTransaction {
                chain_id,
                nonce: terms.nonce,
                max_priority_fee_per_gas: tip,
                max_fee_per_gas: terms.price.into(),
                gas_limit: 21_000,
                to: EvmAddress::from_bytes(to.try_into().expect("an address")),
                value,
                data,
            }
            .encode()
        }
        (ChainId::Solana(_), Account::Solana(from)) => {
            let micro_lamports = STEP * (terms.price - 1);
            if let (Some(ran), Some(first)) = (&asking.ran, asking.parts.first()) {
                let told = ProgramCall {
                    from: *from,
                    method: ProgramMethod {
                        program: SolanaAddress::from_bytes(programs::key(first.to)),
                        begins: Vec::new(),
                        fields: Vec::new(),
                        tail: u16::MAX,
                        accounts: ran.places.iter().map(|(_, is)| *is).collect(),
                        outflow: Vec::new(),
                    },
                    accounts: ran
                        .places
                        .iter()
                        .map(|(key, _)| SolanaAddress::from_bytes(*key))
                        .collect(),
                    data: ran.data.clone(),
                };
                return build::call(&build::CallRequest {
                    told: &told,
                    blockhash: blockhash(terms.salt),
                    compute_unit_limit: 450,
                    micro_lamports_per_compute_unit: micro_lamports,
                })
                .unwrap_or_default();
            }
            if let ([part], None) = (asking.parts.as_slice(), &asking.memo)
                && part.asset == asking.native()
            {
                let (from, to) = (Account::Solana(*from), part.to.account());
                let amount = part.amount;
                return unsigned_at(asking.chain, &from, &to, amount, terms, micro_lamports);
            }
            let memo = asking.memo.as_ref().map(|text| text.parse());
            let memo = memo.transpose().expect("a memo");
            build::batch(&build::BatchRequest {
                from: *from,
                parts: &parts(asking),
                memo: memo.as_ref(),
                blockhash: blockhash(terms.salt),
                compute_unit_limit: 450,
                micro_lamports_per_compute_unit: micro_lamports,
            })
            .expect("can be signed")
        }
        _ => panic!("of one family"),
    }
}

/// As the gateway's builder takes them: the first accounts are made, as many as rent is asked for.
fn parts(asking: &Asking) -> Vec<build::Part> {
    let mut made = Vec::new();
    let most = usize::try_from(asking.rent / RENT).expect("few");
    let parts = asking.parts.iter().map(|part| {
        let Account::Solana(to) = part.to.account() else {
            panic!("of one family")
        };
        let amount = u64::try_from(part.amount).expect("script amounts are small");
        if part.asset == asking.native() {
            return build::Part::Lamports {
                to,
                lamports: amount,
            };
        }
        if made.len() < most && !made.contains(&to) {
            made.push(to);
        }
        build::Part::Tokens {
            to,
            token: solana::Token {
                mint: SolanaAddress::from_bytes(decoder::mint()),
                decimals: decoder::DECIMALS,
                program: TokenProgram::Token,
            },
            amount,
            create: made.contains(&to),
        }
    });
    parts.collect()
}

fn blockhash(salt: u64) -> [u8; 32] {
    let mut blockhash = [5; 32];
    blockhash[..8].copy_from_slice(&salt.to_be_bytes());
    blockhash
}

/// Who owns the idempotency key, and the key, as events name it.
pub(crate) fn idempotency(credential: &Credential, session: SessionId, key: &str) -> Digest {
    let owner: &[u8] = match credential {
        Credential::AgentKey(agent) => agent.as_bytes(),
        Credential::Bearer(_) => session.as_bytes(),
    };
    hash(Domain::Idempotency, &[owner, key.as_bytes()])
}

pub(crate) fn body_digest(body: &[u8]) -> Digest {
    hash(Domain::RequestBody, &[body])
}

/// The request with the HTTP Message Signature of `key`.
pub(crate) fn sign_request(
    request: SpendRequest,
    key: &SigningKey,
    nonce: &str,
    created_seconds: u64,
) -> SpendRequest {
    let nonce = nonce.parse().expect("a nonce");
    let parameters = Parameters::new(created_seconds, nonce, request.session).expect("parameters");
    let parts = request_signature::Request {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        body: &request.body,
        idempotency_key: &request.idempotency_key,
    };
    let sign = |base: &[u8]| key.sign(base).to_bytes();
    let fields = request_signature::sign_request(&parts, &parameters, sign).expect("signable");
    SpendRequest {
        signature_input: fields.signature_input,
        signature: fields.signature,
        ..request
    }
}
