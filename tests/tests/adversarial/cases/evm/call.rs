//! Calls of contracts (E07 to E10).

use anyhow::Result;

use super::{
    CHAIN, TOKEN, allowances, calls, calls_of, deny_calls, registered, selector, sound_call, to,
    word,
};
use crate::bytes::{fields, typed};
use crate::cases::{Case, case};
use crate::long::Rounds;
use crate::raw::Random;
use crate::rig::Rig;
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("E07", dirty_calls),
    case("E08", leave),
    case("E09", selectors),
    case("E10", calls_in_calls),
];

fn dirty_calls(rig: &mut Rig, _: &Template) -> Result<String> {
    let sound = sound_call();
    let mut payloads = calls("a sound one to a token", &TOKEN, &sound);
    for place in 0..sound.len() {
        let mut changed = sound.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 0x80;
        }
        payloads.extend(calls(&format!("byte {place} changed"), &TOKEN, &changed));
    }
    for length in [1, 3, 4, 35, 36, 67] {
        payloads.extend(calls(
            &format!("{length} bytes"),
            &TOKEN,
            sound.get(..length).unwrap_or_default(),
        ));
    }
    payloads.extend(calls("a byte behind", &TOKEN, &[&sound[..], &[0]].concat()));
    payloads.extend(calls("to the recipient", &to(), &sound));
    let of_token = deny_calls(rig, payloads)?;
    Ok(format!("{of_token}; {}", registered::dirty(rig)?))
}

fn leave(rig: &mut Rig, template: &Template) -> Result<String> {
    // In their exact form: what is asked for is a transfer.
    let mut payloads = Vec::new();
    for amount in [
        vec![5],
        vec![],
        vec![0xff; 12],
        vec![0xff; 16],
        vec![0xff; 32],
    ] {
        for whom in [to(), vec![0xbb; 20]] {
            let data = [
                selector("approve(address,uint256)"),
                word(&whom),
                word(&amount),
            ]
            .concat();
            payloads.extend(calls(&format!("approve {amount:?}"), &TOKEN, &data));
        }
    }
    payloads.extend(calls_of(&[
        "approve(address,uint256)",
        "increaseAllowance(address,uint256)",
        "increaseApproval(address,uint256)",
        "setApprovalForAll(address,bool)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
        "approve(address,address,uint160,uint48)",
        "approveAndCall(address,uint256,bytes)",
        "authorizeOperator(address)",
        "setOperator(address,bool)",
    ]));
    let of_token = deny_calls(rig, payloads)?;
    let of_call = registered::allowances(rig)?;
    let asked = allowances::asked_for(template)?;
    Ok(format!("{of_token}; {of_call}; {asked}"))
}

/// Selectors of chance in one round.
const OF_CHANCE: u64 = 2_000;

fn selectors(rig: &mut Rig, _: &Template) -> Result<String> {
    let known = calls_of(&[
        "transferFrom(address,address,uint256)",
        "safeTransferFrom(address,address,uint256)",
        "burnFrom(address,uint256)",
        "burn(uint256)",
        "sweep(address,uint256)",
        "withdraw(uint256)",
        "delegate(address)",
        "transferOwnership(address)",
        "upgradeTo(address)",
        "selfdestruct(address)",
    ]);
    let known = deny_calls(rig, known)?;
    let mut random = Random(9);
    let mut tried = 0;
    // The whole is a million.
    for _ in Rounds::new("E09", 1, 1_000_000 / OF_CHANCE) {
        let mut payloads = Vec::new();
        for _ in 0..OF_CHANCE {
            let number = u32::try_from(random.next() >> 32)
                .unwrap_or(0)
                .to_be_bytes();
            let data = [&number[..], &word(&[0xbb; 20]), &word(&[5])].concat();
            payloads.push((
                hex::encode(number),
                typed(2, fields(CHAIN, &TOKEN, 0, &data)),
            ));
        }
        deny_calls(rig, payloads)?;
        tried += OF_CHANCE;
    }
    Ok(format!(
        "{known}; {tried} of chance, each twice; {}",
        registered::selectors(rig)?
    ))
}

fn calls_in_calls(rig: &mut Rig, _: &Template) -> Result<String> {
    let of_token = deny_calls(
        rig,
        calls_of(&[
            "multicall(bytes[])",
            "multicall(uint256,bytes[])",
            "execute(bytes,bytes[],uint256)",
            "execute(address,uint256,bytes)",
            "executeBatch(address[],uint256[],bytes[])",
            "aggregate((address,bytes)[])",
            "aggregate3((address,bool,bytes)[])",
            "tryAggregate(bool,(address,bytes)[])",
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            "handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address)",
            "exec(address,uint256,bytes)",
            "functionCallWithValue(address,bytes,uint256)",
        ]),
    )?;
    Ok(format!("{of_token}; {}", registered::inside(rig)?))
}
