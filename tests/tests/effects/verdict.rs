//! One generated transaction: what both calculators are given, and what the product makes of it in the form
//! that both are compared in.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::{NetworkTerms, Registered};
use waiaas_shared::solana::{LookupTable, ProgramMethod, StakeSeed, Staking, Token};
use waiaas_shared::transaction::{
    DecodedTransaction, Known, SigningPayload, decode, signing_payload,
};

use crate::authorizations;
use crate::brought::Brought;

/// What stands in the place of a rule's code.
pub(crate) const ACCEPTED: &str = "accepted";

/// A transaction before a wallet, and what owners registered.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) chain: ChainId,
    pub(crate) wallet: Account,
    pub(crate) unsigned: Vec<u8>,
    pub(crate) owners: Vec<Account>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) function: Option<Registered>,
    pub(crate) program: Option<ProgramMethod>,
    pub(crate) network: NetworkTerms,
    /// Of the stake account that is meant.
    pub(crate) seed: Option<StakeSeed>,
    /// Somebody else may pay the fee.
    pub(crate) sponsored: bool,
    /// Lookup tables with their content.
    pub(crate) tables: Vec<(SolanaAddress, Vec<SolanaAddress>)>,
    /// The whole of what an agent brings, in place of the unsigned bytes alone.
    pub(crate) brought: Option<Brought>,
    /// Fields, in place of any bytes.
    pub(crate) authorization: Option<TransferAuthorization>,
    /// The second calculator is told of one byte less.
    pub(crate) misreported: bool,
}

impl Case {
    pub(crate) const fn of(chain: ChainId, wallet: Account) -> Self {
        Self {
            chain,
            wallet,
            unsigned: Vec::new(),
            owners: Vec::new(),
            tokens: Vec::new(),
            function: None,
            program: None,
            network: NetworkTerms {
                legacy: false,
                data_fee: None,
            },
            seed: None,
            sponsored: false,
            tables: Vec::new(),
            brought: None,
            authorization: None,
            misreported: false,
        }
    }

    /// As the second calculator reads it.
    pub(crate) fn line(&self) -> String {
        let texts = |accounts: &[Account]| -> Vec<String> {
            accounts.iter().map(ToString::to_string).collect()
        };
        let tokens: Vec<Value> = self
            .tokens
            .iter()
            .map(|token| {
                json!({
                    "mint": token.mint.to_string(),
                    "decimals": token.decimals,
                    "program": token.program.as_str(),
                })
            })
            .collect();
        let function = self.function.as_ref().map(registered);
        let program = self.program.as_ref().map(|known| {
            let fields = known.fields.iter().map(|field| {
                json!({
                    "type": field.kind.to_string(),
                    "spends": field.spends.map(|asset| asset.to_string()),
                })
            });
            let outflow = known.outflow.iter().map(
                |left| json!({ "asset": left.asset.to_string(), "amount": left.up_to.to_string() }),
            );
            json!({
                "program": known.program.to_string(),
                "begins": hex::encode(&known.begins),
                "fields": fields.collect::<Vec<_>>(),
                "tail": known.tail,
                "writable": known.accounts,
                "outflow": outflow.collect::<Vec<_>>(),
            })
        });
        let network = json!({
            "legacy": self.network.legacy,
            "data_fee": self.network.data_fee.map(|fee| fee.to_string()),
        });
        let tables = self.tables.iter().map(|(table, addresses)| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            json!({ "table": table.to_string(), "addresses": addresses })
        });
        let tables: Vec<Value> = tables.collect();
        let seed = self.seed.as_ref().map(ToString::to_string);
        let bytes = &self.unsigned[..self.unsigned.len() - usize::from(self.misreported)];
        json!({
            "chain": self.chain.to_string(),
            "wallet": self.wallet.to_string(),
            "unsigned": hex::encode(bytes),
            "known": { "owners": texts(&self.owners), "tokens": tokens, "function": function, "program": program,
                "seed": seed, "network": network, "sponsored": self.sponsored, "tables": tables },
            "brought": self.brought.as_ref().map(Brought::line),
            "authorization": self.authorization.as_ref().map(authorizations::line),
        })
        .to_string()
    }

    /// The product's verdict, and the rule that refused.
    pub(crate) fn verdict(&self) -> Result<(Value, &'static str)> {
        if let Some(fields) = &self.authorization {
            return authorizations::verdict(fields);
        }
        if let Some(brought) = &self.brought {
            return brought.verdict(self);
        }
        let known = Known {
            owners: &self.owners,
            tokens: &self.tokens,
            ..Known::NOTHING
        };
        let tables = self.tables.iter().map(|(address, addresses)| LookupTable {
            address: *address,
            addresses,
        });
        let tables: Vec<_> = tables.collect();
        let known = known
            .looking_up(&tables)
            .calling(self.function.as_ref())
            .running(self.program.as_ref())
            .staking(self.seed.as_ref())
            .on(self.network)
            .sponsored(self.sponsored);
        let decoded = match decode(self.chain, self.wallet, &self.unsigned, known) {
            Ok(decoded) => decoded,
            Err(error) => return Ok((json!({ "refused": true }), error.code())),
        };
        Ok((accepted(&decoded, &self.unsigned)?, ACCEPTED))
    }
}

/// What was read of these bytes.
pub(crate) fn accepted(decoded: &DecodedTransaction, unsigned: &[u8]) -> Result<Value> {
    // INVARIANT 2.
    ensure!(decoded.bytes() == unsigned, "other bytes are kept");
    let effects: Vec<Value> = decoded.effects().iter().map(shown).collect();
    let memo = decoded.memo().map(ToString::to_string);
    Ok(match signing_payload(decoded) {
        SigningPayload::Ed25519Message(message) => {
            ensure!(message == unsigned, "other bytes are signed");
            json!({ "effects": effects, "memo": memo })
        }
        SigningPayload::Secp256k1Prehash(digest) => {
            json!({ "effects": effects, "digest": hex::encode(digest) })
        }
    })
}

/// A function as the second calculator reads it.
pub(crate) fn registered(known: &Registered) -> Value {
    let spends = known.spends.iter();
    json!({
        "contract": known.contract.to_string(),
        "signature": known.function.to_string(),
        "spends": spends.map(|asset| asset.map(|asset| asset.to_string())).collect::<Vec<_>>(),
    })
}

pub(crate) fn shown(effect: &Effect) -> Value {
    let asset = effect.asset().to_string();
    let amount = effect.amount().base_units().to_string();
    match effect {
        Effect::Transfer { to, .. } => {
            json!({ "kind": "transfer", "asset": asset, "to": to.to_string(), "amount": amount })
        }
        Effect::Approval { spender, .. } => {
            json!({ "kind": "approval", "asset": asset, "to": spender.to_string(), "amount": amount })
        }
        Effect::Fee { .. } => json!({ "kind": "fee", "asset": asset, "amount": amount }),
        Effect::Rent { .. } => json!({ "kind": "rent", "asset": asset, "amount": amount }),
        Effect::Stake {
            account, staking, ..
        } => {
            let mut shown = json!({
                "kind": "stake", "asset": asset, "seed": account.seed().to_string(),
                "account": account.address().to_string(),
            });
            match staking {
                Staking::Delegate { validator, .. } => {
                    shown["act"] = json!("delegate");
                    shown["validator"] = json!(validator.to_string());
                    shown["amount"] = json!(amount);
                }
                Staking::Deactivate => shown["act"] = json!("deactivate"),
                Staking::Withdraw { amount } => {
                    shown["act"] = json!("withdraw");
                    shown["amount"] = json!(amount.base_units().to_string());
                }
            }
            shown
        }
        Effect::Program { told, .. } => {
            let accounts = told.accounts.iter().map(ToString::to_string);
            json!({
                "kind": "program", "asset": asset, "amount": amount,
                "target": told.method.program.to_string(), "data": hex::encode(&told.data),
                "accounts": accounts.collect::<Vec<_>>(),
            })
        }
        Effect::Call {
            target,
            method,
            told,
            ..
        } => {
            let (target, method) = (target.to_string(), hex::encode(method));
            match told {
                None => json!({
                    "kind": "call", "target": target, "method": method, "asset": asset, "amount": amount,
                }),
                Some(told) => json!({
                    "kind": "call", "target": target, "method": method, "asset": asset, "amount": amount,
                    "function": told.function.to_string(), "arguments": told.shown(),
                }),
            }
        }
    }
}
