//! What an agent brings: the same transactions as text in a request's body, on Solana with places for signatures,
//! before an owner's document that lists several functions, and assets and contacts. Both sides take the text
//! apart, find what reads it, and hold it to what a request for the same would be held to.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Decimals;
use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::evm::Registered;
use waiaas_shared::policy::call::{Accepts, ArgumentRule, CallFunction, CallRule};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient, TableRule};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::TransferRequest;

use crate::random::{Random, blunt};
use crate::verdict::{ACCEPTED, Case, accepted, registered};
use crate::{evm, solana};

/// Rules that 4,000 of them break.
pub(crate) const RULES: [&str; 8] = [
    "amount_invalid",
    "approval_unlimited",
    "asset_not_listed",
    "brought_malformed",
    "brought_recipient",
    "brought_role",
    "data_fee_missing",
    "transaction_undecodable",
];

/// What is brought, and what stands in the owner's document beside tokens.
#[derive(Clone)]
pub(crate) struct Brought {
    /// As the body has it.
    transaction: String,
    functions: Vec<Registered>,
    /// Of those who may own token accounts, so many are named by the request, and the rest are contacts.
    named: usize,
}

pub(crate) fn case(random: &mut Random) -> Case {
    let mut case = if random.chance(50) {
        evm::case(random)
    } else {
        solana::case(random)
    };
    let (mut functions, mut transaction) = (Vec::new(), String::new());
    if let ChainId::Evm(_) = case.chain {
        // Others stand before and behind the one that is called.
        functions = (0..random.below(3))
            .map(|_| evm::call(random, case.chain).0)
            .collect();
        functions.extend(case.function.take());
        random.shuffle(&mut functions);
        transaction = format!("0x{}", hex::encode(&case.unsigned));
        if random.chance(3) {
            transaction = random.pick(&[
                hex::encode(&case.unsigned),
                transaction.replacen("0x", "0X", 1),
                format!("{transaction}0"),
                format!("{transaction} "),
            ]);
        }
    } else {
        let mut wire = wire(random, &case.unsigned);
        if random.chance(8) {
            blunt(random, &mut wire);
        }
        // Bytes that are signed are the message alone.
        transaction.push_str(&BASE64.encode(&wire));
        if random.chance(2) {
            transaction.push_str(random.pick(&["=", "\n", "A"]));
        }
    }
    // The document says that, and a request that was brought may be somebody else's to pay.
    (case.program, case.seed, case.sponsored) = (None, None, true);
    case.brought = Some(Brought {
        transaction,
        functions,
        named: random.below(case.owners.len() + 1),
    });
    case
}

/// A message with its places for signatures, some of them filled: in front, or behind a message of version 1.
fn wire(random: &mut Random, message: &[u8]) -> Vec<u8> {
    let (one, header) = match message.first() {
        Some(0x81) => (true, 1),
        Some(0x80) => (false, 1),
        _ => (false, 0),
    };
    let mut count = message.get(header).copied().unwrap_or_default();
    if random.chance(4) {
        count = count.wrapping_add(random.pick(&[1, 2, 0xff, 0x80]));
    }
    let mut places = Vec::new();
    for _ in 0..count {
        let signed: [u8; 32] = random.bytes();
        places.push(if random.chance(50) {
            [0; 64]
        } else {
            [signed; 2].concat().try_into().unwrap()
        });
    }
    let places: &[u8] = places.as_flattened();
    // Now and then in the framing of the other versions.
    if one != random.chance(3) {
        [message, places].concat()
    } else {
        [&[count][..], places, message].concat()
    }
}

impl Brought {
    /// As the second calculator reads it.
    pub(crate) fn line(&self) -> Value {
        json!({
            "transaction": self.transaction,
            "functions": self.functions.iter().map(registered).collect::<Vec<_>>(),
        })
    }

    /// The product's verdict: body, document, and the reading that both sides of the socket share.
    pub(crate) fn verdict(&self, case: &Case) -> Result<(Value, &'static str)> {
        let refused = |code| Ok((json!({ "refused": true }), code));
        let named: Vec<String> = case
            .owners
            .iter()
            .take(self.named)
            .map(ToString::to_string)
            .collect();
        let mut body = json!({
            "signer": "signer_00000000000000000000000001",
            "wallet": "wallet_00000000000000000000000001",
            "network": case.chain.to_string(),
            "transaction": self.transaction,
        });
        if !named.is_empty() {
            body["recipients"] = json!(named);
        }
        let request = match TransferRequest::parse(body.to_string().as_bytes()) {
            Ok(request) => request,
            Err(code) => return refused(code.as_str()),
        };
        let brought = request.brought.context("a transaction is brought")?;
        let document = self.document(case)?;
        match brought.decode(case.chain, case.wallet, &document, case.network) {
            Ok((decoded, claim)) => {
                anyhow::ensure!(claim.is_done_by(&decoded), "another claim than its effects");
                Ok((accepted(&decoded, &brought.unsigned)?, ACCEPTED))
            }
            Err(code) => refused(code.as_str()),
        }
    }

    fn document(&self, case: &Case) -> Result<PolicyDocument> {
        let mut document = PolicyDocument::closed(1);
        for token in &case.tokens {
            let asset: AssetId = format!("{}/token:{}", case.chain, token.mint).parse()?;
            let mut rule = AssetRule::closed(asset, "T", Decimals::new(token.decimals)?);
            rule.program = Some(token.program);
            document.assets.push(rule);
        }
        let contacts = case.owners.iter().skip(self.named);
        let contact = |account: &Account| -> Result<Recipient> {
            Ok(Recipient {
                account: AccountId::new(case.chain, *account)?,
                name: "contact".to_owned(),
            })
        };
        document.recipients = contacts.map(contact).collect::<Result<_>>()?;
        for known in &self.functions {
            let argument = |spends: &Option<AssetId>| ArgumentRule {
                accepts: Accepts::Any,
                spends: *spends,
            };
            let function = CallFunction {
                signature: known.function.clone(),
                arguments: known.spends.iter().map(argument).collect(),
            };
            let target = AccountId::new(case.chain, Account::Evm(known.contract))?;
            let rule = CallRule::of_function(target, function, Tier::Instant);
            document.calls.push(rule);
        }
        let table =
            |(address, addresses): &(SolanaAddress, Vec<SolanaAddress>)| -> Result<TableRule> {
                Ok(TableRule {
                    account: AccountId::new(case.chain, Account::Solana(*address))?,
                    addresses: addresses.clone(),
                })
            };
        let tables = case.tables.iter().map(table).collect::<Result<Vec<_>>>()?;
        document.tables = (!tables.is_empty()).then_some(tables);
        Ok(document)
    }
}
