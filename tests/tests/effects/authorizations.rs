//! Generated EIP-3009 authorizations: fields as a signer fills them in, legal, and each of them wrong. Both sides
//! are given fields, for no bytes and no typed data come in; they must refuse the same, and hash the rest alike.

use anyhow::Result;
use serde_json::{Value, json};
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::{AuthorizationMessage, TokenDomain, TransferAuthorization};
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::transaction::SigningPayload;

use crate::random::Random;
use crate::verdict::{ACCEPTED, Case, shown};

/// Rules that 4,000 of them break.
pub(crate) const RULES: [&str; 4] = [
    "amount_invalid",
    "authorization_not_listed",
    "authorization_recipient",
    "body_malformed",
];

/// Names and versions: those of tokens, at the edges of their form, and beyond.
const TEXTS: [&str; 16] = [
    "USD Coin",
    "USDC",
    "1",
    "2",
    "~",
    "a  b",
    "",
    " a",
    "a ",
    "a|b",
    "a\nb",
    "a\u{7f}",
    "caf\u{e9}",
    "\u{2003}a",
    "0123456789012345678901234567890123456789012345678901234567890123",
    "01234567890123456789012345678901234567890123456789012345678901234",
];
/// Of them, those that may be.
const SOUND: usize = 6;

pub(crate) fn case(random: &mut Random) -> Case {
    let chain = ChainId::Evm(random.pick(&[1, 10, 137, 8453, 84_532, 31_337, u64::MAX]));
    let [from, to, contract] = [(); 3].map(|()| EvmAddress::from_bytes(random.bytes()));
    let amount = random.number() >> random.pick(&[0, 64, 100, 127]);
    let text = |random: &mut Random| TEXTS[random.below(SOUND)].to_owned();
    let before = random.next() >> random.pick(&[0, 20, 33]);
    let mut fields = TransferAuthorization {
        asset: AssetId::new(chain, Token::Erc20(contract)).unwrap(),
        domain: TokenDomain {
            name: text(random),
            version: text(random),
        },
        from,
        to,
        value: Amount::from_base_units(amount.max(1)),
        valid_after: 0,
        valid_before: before.max(1),
        nonce: random.bytes(),
    };
    if random.chance(55) {
        change(random, &mut fields);
    }
    let mut case = Case::of(chain, Account::Evm(fields.from));
    case.authorization = Some(fields);
    case
}

fn change(random: &mut Random, fields: &mut TransferAuthorization) {
    let system = |number: u32| {
        let mut address = [0; 20];
        address[16..].copy_from_slice(&number.to_be_bytes());
        EvmAddress::from_bytes(address)
    };
    match random.below(8) {
        0 => fields.value = Amount::from_base_units(random.pick(&[0, 0, 1, u128::MAX])),
        1 => fields.to = fields.from,
        2 => {
            let contract = fields.token().map(|(_, contract)| contract);
            fields.to = contract.unwrap_or(fields.from);
        }
        3 => fields.to = system(random.pick(&[0, 1, 9, 0x100, 0xffff, 0x1_0000])),
        4 => fields.domain.name = random.pick(&TEXTS).to_owned(),
        5 => fields.domain.version = random.pick(&TEXTS).to_owned(),
        6 => {
            let after = random.pick(&[0, 1, fields.valid_before]);
            fields.valid_after = after;
            fields.valid_before = random.pick(&[0, 1, 2, fields.valid_before, u64::MAX]);
        }
        _ => {
            let chain = fields.asset.chain();
            let Token::Erc20(contract) = fields.asset.token() else {
                return;
            };
            fields.asset = random.pick(&[
                chain.native_asset(),
                format!("{chain}/erc721:{contract}/7").parse().unwrap(),
                format!("{chain}/erc1155:{contract}/7").parse().unwrap(),
                "solana:localnet/token:4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA"
                    .parse()
                    .unwrap(),
            ]);
        }
    }
}

/// As the second calculator reads it.
pub(crate) fn line(fields: &TransferAuthorization) -> Value {
    json!({
        "asset": fields.asset.to_string(),
        "name": fields.domain.name,
        "version": fields.domain.version,
        "from": fields.from.to_string(),
        "to": fields.to.to_string(),
        "value": fields.value.to_string(),
        "after": fields.valid_after.to_string(),
        "before": fields.valid_before.to_string(),
        "nonce": hex::encode(fields.nonce),
    })
}

/// The product's verdict.
pub(crate) fn verdict(fields: &TransferAuthorization) -> Result<(Value, &'static str)> {
    let message = match AuthorizationMessage::compose(fields) {
        Ok(message) => message,
        Err(code) => return Ok((json!({ "refused": true }), code.as_str())),
    };
    let SigningPayload::Secp256k1Prehash(digest) = message.signing_payload() else {
        anyhow::bail!("another curve");
    };
    let effects = [shown(&message.fields().effect())];
    let verdict = json!({ "effects": effects, "digest": hex::encode(digest) });
    Ok((verdict, ACCEPTED))
}
