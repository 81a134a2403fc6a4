//! Walks `tests/vectors/solana` and `tests/vectors/evm`: one case a file, named after the rule it
//! breaks, the expected outcome inside. Where a file holds a key and a signed form, signing must give
//! exactly that form, which other code made.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ed25519_dalek::Signer as _;
use serde::Deserialize;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::solana::{
    Field, Leaving, LookupTable, ProgramMethod, StakeSeed, Staking, Token, TokenProgram,
};
use waiaas_shared::transaction::{
    DecodedTransaction, Known, Signature, SigningPayload, assemble, decode, signing_payload,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    /// For readers.
    #[serde(rename = "rule")]
    _rule: String,
    #[serde(rename = "source")]
    _source: Option<String>,
    secret: Option<String>,
    signed: Option<String>,
    id: Option<String>,
    chain: ChainId,
    from: Account,
    unsigned: String,
    #[serde(default)]
    known: Facts,
    #[serde(default)]
    network: Network,
    expect: Expect,
}

/// What owners say of the network.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    #[serde(default)]
    legacy: bool,
    data_fee: Option<Amount>,
}

/// What the decoder is told besides.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    owners: Vec<Account>,
    tokens: Vec<Mint>,
    seed: Option<String>,
    /// Whether somebody else may pay the fee.
    #[serde(default)]
    sponsored: bool,
    program: Option<Method>,
    #[serde(default)]
    tables: Vec<Pinned>,
}

/// A lookup table as its owner pinned it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pinned {
    table: SolanaAddress,
    addresses: Vec<SolanaAddress>,
}

/// A method of a program as its owner registered it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    program: SolanaAddress,
    begins: String,
    fields: Vec<Typed>,
    tail: u16,
    writable: Vec<bool>,
    outflow: Vec<Left>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
    spends: Option<AssetId>,
}

/// What leaves with a call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    asset: AssetId,
    amount: Amount,
}

impl Method {
    fn method(&self) -> ProgramMethod {
        let fields = self.fields.iter().map(|field| Field {
            kind: field.kind.parse().unwrap(),
            spends: field.spends,
        });
        let outflow = self.outflow.iter().map(|left| Leaving {
            asset: left.asset,
            up_to: left.amount,
        });
        ProgramMethod {
            program: self.program,
            begins: hex::decode(&self.begins).unwrap(),
            fields: fields.collect(),
            tail: self.tail,
            accounts: self.writable.clone(),
            outflow: outflow.collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    mint: SolanaAddress,
    decimals: u8,
    program: TokenProgram,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Expect {
    Refused {
        code: String,
    },
    Accepted {
        transfers: Vec<Transfer>,
        #[serde(default)]
        stakes: Vec<Stake>,
        /// The call of a program: what leaves of the coin, then of tokens.
        #[serde(default)]
        calls: Vec<Left>,
        #[serde(default)]
        rents: Vec<Amount>,
        memo: Option<String>,
        #[serde(default)]
        fee_max: Amount,
        /// Somebody else pays the fee.
        #[serde(default)]
        sponsored: bool,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    /// The chain's native asset if absent.
    asset: Option<AssetId>,
    to: Account,
    amount: Amount,
    /// Not moved, but let be taken.
    #[serde(default)]
    approval: bool,
}

/// A stake that is made (with a validator), deactivated (with nothing), or comes back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stake {
    seed: String,
    account: SolanaAddress,
    validator: Option<SolanaAddress>,
    amount: Option<Amount>,
    back: Option<Amount>,
}

impl Stake {
    fn staking(&self) -> Staking {
        match (self.validator, self.amount, self.back) {
            (Some(validator), Some(amount), None) => Staking::Delegate { validator, amount },
            (None, None, None) => Staking::Deactivate,
            (None, None, Some(amount)) => Staking::Withdraw { amount },
            _ => panic!("no stake"),
        }
    }
}

fn vectors(family: &str) -> Vec<(String, Vector)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(family);
    let mut vectors: Vec<(String, Vector)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let vector = serde_json::from_slice(&fs::read(&path).unwrap())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, vector)
        })
        .collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    vectors
}

fn run(family: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (name, vector) in vectors(family) {
        let unsigned = hex::decode(&vector.unsigned).unwrap();
        let tokens = vector.known.tokens.iter().map(|mint| Token {
            mint: mint.mint,
            decimals: mint.decimals,
            program: mint.program,
        });
        let seed = vector.known.seed.as_ref();
        let seed: Option<StakeSeed> = seed.map(|seed| seed.parse().unwrap());
        let program = vector.known.program.as_ref().map(Method::method);
        let tables = vector.known.tables.iter().map(|pinned| LookupTable {
            address: pinned.table,
            addresses: &pinned.addresses,
        });
        let known = Known {
            owners: &vector.known.owners,
            tokens: &tokens.collect::<Vec<_>>(),
            network: NetworkTerms {
                legacy: vector.network.legacy,
                data_fee: vector.network.data_fee,
            },
            function: None,
            seed: seed.as_ref(),
            sponsored: vector.known.sponsored,
            program: program.as_ref(),
            tables: &tables.collect::<Vec<_>>(),
        };
        let decoded = decode(vector.chain, vector.from, &unsigned, known);
        match &vector.expect {
            Expect::Refused { code } => {
                let error = decoded.expect_err(&name);
                assert_eq!(error.code(), code, "{name}");
                codes.insert(code.clone());
            }
            Expect::Accepted {
                transfers,
                stakes,
                calls,
                rents,
                memo,
                fee_max,
                sponsored,
            } => {
                let decoded = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
                let native = vector.chain.native_asset();
                let rents = rents.iter().map(|amount| Effect::Rent {
                    asset: native,
                    amount: *amount,
                });
                // Wherever an account is created, before the transfers or between them.
                let (found, others): (Vec<Effect>, Vec<Effect>) = decoded
                    .effects()
                    .iter()
                    .cloned()
                    .partition(|effect| matches!(effect, Effect::Rent { .. }));
                assert_eq!(found, rents.collect::<Vec<_>>(), "{name}");
                let (found, others): (Vec<Effect>, Vec<Effect>) = others
                    .into_iter()
                    .partition(|effect| matches!(effect, Effect::Stake { .. }));
                assert_eq!(found.len(), stakes.len(), "{name}");
                for (effect, told) in found.iter().zip(stakes) {
                    let Effect::Stake {
                        asset,
                        account,
                        staking,
                    } = effect
                    else {
                        panic!("{name}: {effect:?}")
                    };
                    assert_eq!(*asset, native, "{name}");
                    assert_eq!(account.seed().as_str(), told.seed, "{name}");
                    assert_eq!(account.address(), told.account, "{name}");
                    assert_eq!(*staking, told.staking(), "{name}");
                }
                let (found, others): (Vec<Effect>, Vec<Effect>) =
                    others.into_iter().partition(|effect| {
                        matches!(effect, Effect::Program { .. } | Effect::Call { .. })
                    });
                let found = found.iter().map(|effect| (effect.asset(), effect.amount()));
                let calls = calls.iter().map(|left| (left.asset, left.amount));
                let calls: Vec<_> = calls.collect();
                assert_eq!(found.collect::<Vec<_>>(), calls, "{name}");
                let mut effects: Vec<Effect> = transfers
                    .iter()
                    .map(|told| {
                        let asset = told.asset.unwrap_or(native);
                        let (to, amount) = (told.to, told.amount);
                        if told.approval {
                            Effect::Approval {
                                asset,
                                spender: to,
                                amount,
                            }
                        } else {
                            Effect::Transfer { asset, to, amount }
                        }
                    })
                    .collect();
                if !sponsored {
                    effects.push(Effect::Fee {
                        asset: native,
                        max: *fee_max,
                    });
                }
                assert_eq!(decoded.is_sponsored(), *sponsored, "{name}");
                assert_eq!(others, effects, "{name}");
                assert_eq!(decoded.fee_max(), *fee_max, "{name}");
                let told = decoded.memo().map(ToString::to_string);
                assert_eq!(told, *memo, "{name}");
                assert_eq!(decoded.bytes(), unsigned, "{name}");
                check_signing(&name, &vector, &decoded);
            }
        }
    }
    codes
}

fn check_signing(name: &str, vector: &Vector, decoded: &DecodedTransaction) {
    let Some(secret) = &vector.secret else {
        return;
    };
    let secret: [u8; 32] = hex::decode(secret).unwrap().try_into().unwrap();
    let signature = match signing_payload(decoded) {
        SigningPayload::Ed25519Message(message) => {
            let key = ed25519_dalek::SigningKey::from_bytes(&secret);
            Signature::Ed25519(key.sign(message).to_bytes())
        }
        SigningPayload::Secp256k1Prehash(prehash) => {
            let key = k256::ecdsa::SigningKey::from_slice(&secret).unwrap();
            let (signature, recovery) = key.sign_prehash_recoverable(&prehash);
            Signature::Secp256k1 {
                r_and_s: signature.to_bytes().into(),
                y_is_odd: recovery.is_y_odd(),
            }
        }
    };
    let signed = assemble(decoded, &signature).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(
        Some(hex::encode(signed.bytes())),
        vector.signed.clone(),
        "{name}"
    );
    assert_eq!(Some(signed.id()), vector.id.as_deref(), "{name}");
}

#[test]
fn solana() {
    let codes = run("solana");
    // Every rule has a vector that breaks it.
    let expected = [
        "family_mismatch",
        "solana_account_index",
        "solana_associated_instruction",
        "solana_compute_budget_instruction",
        "solana_compute_unit_limit",
        "solana_duplicate_account",
        "solana_durable_nonce",
        "solana_fee_too_large",
        "solana_foreign_payer",
        "solana_foreign_source",
        "solana_header",
        "solana_header_setting",
        "solana_instruction_accounts",
        "solana_instruction_data",
        "solana_lookup_duplicate",
        "solana_lookup_empty",
        "solana_lookup_index",
        "solana_lookup_program",
        "solana_lookup_repeated",
        "solana_lookup_table",
        "solana_malformed",
        "solana_memo_accounts",
        "solana_memo_text",
        "solana_mint_writable",
        "solana_no_transfer",
        "solana_not_canonical",
        "solana_payer_read_only",
        "solana_privileged_program",
        "solana_program_accounts",
        "solana_program_data",
        "solana_program_sequence",
        "solana_recipient_read_only",
        "solana_repeated_compute_budget",
        "solana_repeated_creation",
        "solana_repeated_memo",
        "solana_signer_count",
        "solana_source_read_only",
        "solana_stake_account",
        "solana_stake_accounts",
        "solana_stake_amount",
        "solana_stake_authority",
        "solana_stake_instruction",
        "solana_stake_seed",
        "solana_stake_sequence",
        "solana_system_instruction",
        "solana_token_decimals",
        "solana_token_destination",
        "solana_token_instruction",
        "solana_token_program",
        "solana_too_large",
        "solana_transfer_to_self",
        "solana_unknown_mint",
        "solana_unknown_program",
        "solana_unknown_version",
        "solana_unused_account",
        "solana_unused_creation",
    ];
    assert_eq!(codes, expected.map(str::to_owned).into());
}

#[test]
fn evm() {
    let codes = run("evm");
    // Every rule has a vector that breaks it, but for evm_nonce_not_zero, which is asked apart, and
    // evm_gas_price, which is of what is built.
    let expected = [
        "evm_access_list",
        "evm_blob",
        "evm_call_data_length",
        "evm_call_data_padding",
        "evm_chain_id",
        "evm_contract_creation",
        "evm_cost_overflow",
        "evm_data_fee",
        "evm_empty",
        "evm_field_count",
        "evm_foreign_owner",
        "evm_gas_limit",
        "evm_legacy",
        "evm_malformed",
        "evm_nonce_limit",
        "evm_not_canonical",
        "evm_number_too_large",
        "evm_recipient_is_token",
        "evm_recipient_length",
        "evm_set_code",
        "evm_system_recipient",
        "evm_tip_above_fee",
        "evm_trailing_bytes",
        "evm_transfer_to_self",
        "evm_type_one",
        "evm_unknown_method",
        "evm_unknown_type",
        "evm_unlimited_approval",
        "evm_unprotected",
        "evm_value_with_call",
        "family_mismatch",
    ];
    assert_eq!(codes, expected.map(str::to_owned).into());
}
