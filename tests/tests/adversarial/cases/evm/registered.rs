//! A function that the policy has (E07 to E10): every other call than the one that was asked for, and what
//! policy refuses of calls that are asked for. Beside the refused ones the honest call must pass.

use anyhow::{Context as _, Result};
use serde_json::json;
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::stage::EVM_TO;

use super::{CHAIN, TOKEN, selector, to, word};
use crate::bytes::{fields, typed};
use crate::calculator::account_bytes;
use crate::rig::Rig;
use crate::stand::{CONTRACT, FUNCTION, MOST, VALUE_UP_TO};

const OTHER: [Code; 3] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::ApprovalUnlimited,
];

/// A call as it is asked for.
#[derive(Debug, Clone)]
struct Call {
    contract: String,
    function: &'static str,
    amount: u128,
    whom: String,
    choice: &'static str,
    value: u128,
}

fn honest(rig: &Rig) -> Call {
    Call {
        contract: checksummed(&CONTRACT),
        function: FUNCTION,
        amount: MOST,
        whom: rig.cast.evm.account.to_string(),
        choice: "left",
        value: VALUE_UP_TO,
    }
}

fn checksummed(address: &[u8; 20]) -> String {
    waiaas_shared::address::EvmAddress::from_bytes(*address).to_string()
}

fn data_of(function: &str, amount: u128, whom: &[u8], choice: &str) -> Vec<u8> {
    let chosen = [choice.as_bytes(), &[0; 28]].concat();
    [
        selector(function),
        word(&amount.to_be_bytes()),
        word(whom),
        chosen,
    ]
    .concat()
}

/// What the honest call tells the contract.
fn sound(rig: &Rig) -> Vec<u8> {
    let own = account_bytes(rig.cast.evm.account);
    data_of(FUNCTION, MOST, &own, "left")
}

fn call(to: &[u8], value: u128, data: &[u8]) -> Vec<u8> {
    typed(2, fields(CHAIN, to, value, data))
}

/// The bearer session asks for a call, with these bytes.
fn request(rig: &mut Rig, call: &Call, unsigned: Vec<u8>) -> Result<SpendRequest> {
    let transfer = rig.to_evm(1);
    let request = rig.invented(&transfer)?;
    let choice = format!("0x{}", hex::encode(call.choice));
    let body = json!({
        "type": "call",
        "signer": rig.cast.agent.signer,
        "wallet": transfer.from.wallet,
        "network": transfer.network,
        "contract": call.contract,
        "function": call.function,
        "args": [call.amount.to_string(), call.whom, choice],
        "value": call.value.to_string(),
        "submit": false,
    });
    Ok(SpendRequest {
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}

/// All of these bytes must be refused for the honest call; and its own must pass.
fn deny(rig: &mut Rig, payloads: Vec<(String, Vec<u8>)>) -> Result<String> {
    let asked = honest(rig);
    let mut attempts = Vec::new();
    for (name, bytes) in payloads {
        attempts.push((name, request(rig, &asked, bytes)?));
    }
    let counted = rig.refused(&attempts, &OTHER)?;
    let bytes = call(&CONTRACT, VALUE_UP_TO, &sound(rig));
    let sound = request(rig, &asked, bytes)?;
    rig.send(&sound).context("the honest call")?;
    Ok(format!(
        "{} of a registered one {counted:?}",
        attempts.len()
    ))
}

/// E07: dirty words, short and long data, another value.
pub(super) fn dirty(rig: &mut Rig) -> Result<String> {
    let sound = sound(rig);
    let mut payloads = Vec::new();
    for place in 0..sound.len() {
        let mut changed = sound.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 0x80;
        }
        let bytes = call(&CONTRACT, VALUE_UP_TO, &changed);
        payloads.push((format!("byte {place} changed"), bytes));
    }
    for length in [0, 1, 3, 4, 35, 36, 68, 99] {
        let data = sound.get(..length).unwrap_or_default();
        payloads.push((
            format!("{length} bytes"),
            call(&CONTRACT, VALUE_UP_TO, data),
        ));
    }
    for behind in [&[0][..], &[0; 32], &sound] {
        let data = [&sound, behind].concat();
        payloads.push((
            format!("{} bytes behind", behind.len()),
            call(&CONTRACT, VALUE_UP_TO, &data),
        ));
    }
    for value in [0, VALUE_UP_TO - 1, VALUE_UP_TO + 1, u128::MAX / 2] {
        payloads.push((format!("value {value}"), call(&CONTRACT, value, &sound)));
    }
    deny(rig, payloads)
}

/// E08: leave to take money, in the place of the call.
pub(super) fn allowances(rig: &mut Rig) -> Result<String> {
    let own = account_bytes(rig.cast.evm.account);
    let mut payloads = Vec::new();
    for signature in [
        "approve(address,uint256)",
        "increaseAllowance(address,uint256)",
        "setApprovalForAll(address,bool)",
    ] {
        for contract in [CONTRACT, TOKEN] {
            for (whom, amount) in [(to(), 5_u128), (CONTRACT.to_vec(), MOST), (own.clone(), 1)] {
                let words = [word(&whom), word(&amount.to_be_bytes())].concat();
                let data = [selector(signature), words].concat();
                let bytes = call(&contract, 0, &data);
                payloads.push((format!("{signature} of {amount}"), bytes));
            }
        }
    }
    deny(rig, payloads)
}

/// E09: every other function with the very same arguments, and the same function elsewhere.
pub(super) fn selectors(rig: &mut Rig) -> Result<String> {
    let own = account_bytes(rig.cast.evm.account);
    let mut payloads = Vec::new();
    for function in [
        "order(uint256,address,bytes3)",
        "order(uint256,address)",
        "Order(uint256,address,bytes4)",
        "sweep(uint256,address,bytes4)",
        "transferFrom(address,address,uint256)",
        "transfer(address,uint256)",
    ] {
        let data = data_of(function, MOST, &own, "left");
        payloads.push((function.to_owned(), call(&CONTRACT, VALUE_UP_TO, &data)));
    }
    for bit in 0..32 {
        let mut data = sound(rig);
        if let Some(byte) = data.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        payloads.push((format!("bit {bit}"), call(&CONTRACT, VALUE_UP_TO, &data)));
    }
    let data = sound(rig);
    let mut near = CONTRACT;
    near[19] ^= 1;
    for elsewhere in [near.to_vec(), TOKEN.to_vec(), to(), own] {
        payloads.push(("elsewhere".to_owned(), call(&elsewhere, VALUE_UP_TO, &data)));
    }
    payloads.push(("coins alone".to_owned(), call(&CONTRACT, VALUE_UP_TO, &[])));
    let denied = deny(rig, payloads)?;
    let asked = asked_for(rig)?;
    Ok(format!("{denied}, {asked} by policy"))
}

/// What is asked and done alike, and still must not be.
fn asked_for(rig: &mut Rig) -> Result<usize> {
    let honest = honest(rig);
    let wallet = rig.cast.other_evm.account.to_string();
    let calls: [(&str, Call, Code); 8] = [
        (
            "an argument above its limit",
            Call {
                amount: MOST + 1,
                ..honest.clone()
            },
            Code::CallArgumentLimit,
        ),
        (
            "for a listed recipient",
            Call {
                whom: EVM_TO.to_owned(),
                ..honest.clone()
            },
            Code::CallArgumentWallet,
        ),
        (
            "for another wallet of the signer",
            Call {
                whom: wallet.clone(),
                ..honest.clone()
            },
            Code::CallArgumentWallet,
        ),
        (
            "a value that is not listed",
            Call {
                choice: "down",
                ..honest.clone()
            },
            Code::CallArgumentValue,
        ),
        (
            "more coins than the call may carry",
            Call {
                value: VALUE_UP_TO + 1,
                ..honest.clone()
            },
            Code::CallValue,
        ),
        (
            "another function",
            Call {
                function: "sweep(uint256,address,bytes4)",
                ..honest.clone()
            },
            Code::CallNotListed,
        ),
        (
            "another contract",
            Call {
                contract: checksummed(&TOKEN),
                ..honest.clone()
            },
            Code::CallNotListed,
        ),
        (
            "a wallet of the signer",
            Call {
                contract: wallet,
                ..honest
            },
            Code::CallNotListed,
        ),
    ];
    let count = calls.len();
    for (what, asked, code) in calls {
        let parsed = |text: &str| text.parse().map(account_bytes);
        let whom = parsed(&asked.whom).context("whom")?;
        let data = data_of(asked.function, asked.amount, &whom, asked.choice);
        let contract = parsed(&asked.contract).context("a contract")?;
        let bytes = call(&contract, asked.value, &data);
        let request = request(rig, &asked, bytes)?;
        rig.refuse(what, request, &[code])?;
    }
    // A session that names no calls makes none.
    let asked = self::honest(rig);
    let bytes = call(&CONTRACT, VALUE_UP_TO, &sound(rig));
    let invented = request(rig, &asked, bytes)?;
    let agent = rig.agent();
    let signed = agent.sign(SpendRequest {
        session: agent.session,
        ..invented
    })?;
    let codes = [Code::SessionOperation, Code::SessionAsset];
    rig.refuse("a session without calls", signed, &codes)?;
    Ok(count + 1)
}

/// E10: the honest call inside of others.
pub(super) fn inside(rig: &mut Rig) -> Result<String> {
    let sound = sound(rig);
    let mut payloads = Vec::new();
    for signature in [
        "multicall(bytes[])",
        "execute(address,uint256,bytes)",
        "aggregate((address,bytes)[])",
    ] {
        for wrapped in [
            [selector(signature), sound.clone()].concat(),
            [
                selector(signature),
                word(&[0x20]),
                word(&[1]),
                word(&[0x20]),
                word(&[100]),
                sound.clone(),
            ]
            .concat(),
        ] {
            payloads.push((signature.to_owned(), call(&CONTRACT, VALUE_UP_TO, &wrapped)));
        }
    }
    payloads.push((
        "the call in front of another".to_owned(),
        call(&CONTRACT, VALUE_UP_TO, &[&sound[..], &sound].concat()),
    ));
    deny(rig, payloads)
}
