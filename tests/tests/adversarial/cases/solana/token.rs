//! The token programs and their accounts (X07 to X11, X16).

use anyhow::Result;

use super::{
    AMOUNT, ASSOCIATED, Draft, SYSTEM, TOKEN, TOKEN_2022, deny, extended, instruction, registered,
    thief, wrapped,
};
use crate::cases::{Case, case};
use crate::rig::Rig;
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("X07", unchecked_tokens),
    case("X08", token_numbers),
    case("X10", token_accounts),
    case("X11", mints),
    case("X16", wrapped_coins),
];

/// A token program's instruction over four accounts, alone and beside the honest transfer.
fn token_instruction(rig: &Rig, program: &str, name: &str, data: Vec<u8>) -> [Draft; 2] {
    let accounts = [thief(0), thief(1)];
    [
        Draft::new(
            rig,
            name,
            &accounts,
            &[program],
            vec![instruction(4, &[2, 3, 1, 0], data.clone())],
        ),
        Draft::new(
            rig,
            name,
            &accounts,
            &[SYSTEM, program],
            vec![instruction(5, &[2, 3, 1, 0], data)],
        ),
    ]
}

fn unchecked_tokens(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        for (name, data) in [
            (
                "an unchecked transfer",
                [&[3][..], &AMOUNT.to_le_bytes()].concat(),
            ),
            (
                "six decimals",
                [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat(),
            ),
            (
                "255 decimals",
                [&[12][..], &AMOUNT.to_le_bytes(), &[255]].concat(),
            ),
            ("no decimals", [&[12][..], &AMOUNT.to_le_bytes()].concat()),
            (
                "a byte too many",
                [&[12][..], &AMOUNT.to_le_bytes(), &[6, 0]].concat(),
            ),
            ("nothing", vec![]),
        ] {
            drafts.extend(token_instruction(rig, program, name, data));
        }
    }
    // Of a mint that policy does not know; then of one that it knows, over the right accounts.
    let unknown = deny(rig, drafts)?;
    Ok(format!("{unknown}, {}", registered::unchecked(rig)?))
}

fn token_numbers(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        for number in 0..=255_u8 {
            // With what most of them take: an amount, an authority, another instruction inside.
            let [alone, beside] = token_instruction(
                rig,
                program,
                &format!("{number}"),
                [&[number][..], &AMOUNT.to_le_bytes(), &[6]].concat(),
            );
            drafts.push(alone);
            drafts.push(beside);
            let inner = [
                &[number, 1, 1][..],
                &thief(3),
                &[12],
                &u64::MAX.to_le_bytes(),
                &[6],
            ]
            .concat();
            let [nested, _] = token_instruction(rig, program, &format!("{number} nested"), inner);
            drafts.push(nested);
        }
    }
    let unknown = deny(rig, drafts)?;
    Ok(format!("{unknown}, {}", registered::numbers(rig)?))
}

fn token_accounts(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        let mint = bs58::encode(thief(4)).into_string();
        for data in [vec![], vec![0], vec![1], vec![2]] {
            // Payer, new account, its owner, mint, System, the token program: for the attacker.
            let read_only = [SYSTEM, program, ASSOCIATED, mint.as_str()];
            let create = instruction(6, &[0, 2, 3, 7, 4, 5], data.clone());
            drafts.push(Draft::new(
                rig,
                &format!("an account for the attacker, {data:?}"),
                &[thief(0), thief(1)],
                &read_only,
                vec![create],
            ));
            let own = instruction(6, &[0, 2, 1, 7, 4, 5], data);
            drafts.push(Draft::new(
                rig,
                "an account that is not the recipient's",
                &[thief(0), thief(1)],
                &read_only,
                vec![own],
            ));
        }
        let data = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
        for accounts in [[2, 7, 3, 0], [3, 7, 2, 0], [2, 7, 1, 0], [0, 7, 2, 0]] {
            let transfer = instruction(5, &accounts, data.clone());
            drafts.push(Draft::new(
                rig,
                "to an account of somebody else",
                &[thief(0), thief(1)],
                &[SYSTEM, program, ASSOCIATED, mint.as_str()],
                vec![transfer],
            ));
        }
    }
    let unknown = deny(rig, drafts)?;
    Ok(format!("{unknown}, {}", registered::accounts(rig)?))
}

fn mints(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    // Extensions of mints and accounts, with each of their own sub-instructions.
    for extension in 22..=48_u8 {
        for inner in 0..6_u8 {
            let data = [
                &[extension, inner][..],
                &AMOUNT.to_le_bytes(),
                &[6],
                &1_u64.to_le_bytes(),
            ]
            .concat();
            let [alone, beside] = token_instruction(
                rig,
                TOKEN_2022,
                &format!("extension {extension}, {inner}"),
                data,
            );
            drafts.extend([alone, beside]);
        }
    }
    // A checked transfer of a mint that nobody registered, with a hook's accounts behind.
    let data = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
    let hooked = instruction(5, &[2, 3, 1, 0, 4], data);
    drafts.push(Draft::new(
        rig,
        "a transfer with a hook",
        &[thief(0), thief(1), thief(2)],
        &[TOKEN_2022],
        vec![hooked],
    ));
    let unknown = deny(rig, drafts)?;
    Ok(format!(
        "{unknown}; {}",
        extended::registered(rig, template)?
    ))
}

fn wrapped_coins(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        for number in [9, 17, 38] {
            for accounts in [&[2, 3, 0][..], &[2, 0, 0], &[2], &[2, 1, 0]] {
                let one = instruction(5, accounts, vec![number]);
                drafts.push(Draft::new(
                    rig,
                    &format!("{number} over {accounts:?}"),
                    &[thief(0), thief(1)],
                    &[SYSTEM, program],
                    vec![one],
                ));
            }
        }
    }
    let unknown = deny(rig, drafts)?;
    let ground = template.on_test_networks()?;
    let own = Template::aside(ground.rig()?, wrapped::closed)?;
    Ok(format!("{unknown}; {own}"))
}
