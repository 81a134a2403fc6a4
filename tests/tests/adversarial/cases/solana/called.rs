//! Methods of a program that the policy has (X02): every other call than the one that was asked for, and what policy
//! refuses of calls that are asked for. Beside the refused ones the honest call must pass, so that none of them was
//! refused for the program.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use waiaas_client::SpendRequest;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_tests::stage::{SOLANA_TO, solana};

use super::{
    AMOUNT, COMPUTE_BUDGET, Key, MEMO, STAKE, SYSTEM, TOKEN_2022, instruction, named, thief,
};
use crate::bytes::{Instruction, Message, TOKEN, associated, lamports};
use crate::calculator::account_bytes;
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{CHEAP, DEPOSIT, LEAVES, MINT, MIXED, MOST, PROGRAM, SHORT, VAULT};

const OTHER: [Code; 4] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::BodyMalformed,
    Code::BodyTooLarge,
];

/// Some account of the caller's choice.
const CHOSEN: u8 = 50;

fn wallet(rig: &Rig) -> Key {
    let bytes = account_bytes(rig.cast.solana.account);
    bytes.try_into().unwrap_or_default()
}

fn own_tokens(rig: &Rig) -> Result<Key> {
    associated(&wallet(rig), &named(MINT), TOKEN)
}

/// A call as it is asked for: accounts, and what the program is told.
#[derive(Debug, Clone)]
struct Call {
    program: Key,
    accounts: Vec<Key>,
    data: Vec<u8>,
}

fn deposit(rig: &Rig, amount: u128) -> Result<Call> {
    let amount = u64::try_from(amount)?.to_le_bytes();
    Ok(Call {
        program: PROGRAM,
        accounts: vec![wallet(rig), own_tokens(rig)?, VAULT, thief(CHOSEN)],
        data: [&DEPOSIT[..], &amount, &wallet(rig)].concat(),
    })
}

/// The message of a call: rights of each account behind the wallet, and what else is in it.
fn message(
    rig: &Rig,
    call: &Call,
    writable: impl Fn(usize, &Key) -> bool,
    more: &[(Key, Vec<Key>, Vec<u8>)],
) -> Result<Message> {
    let mut rights: Vec<(Key, bool)> = vec![(wallet(rig), true)];
    let mut add = |key: Key, is: bool| match rights.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known |= is,
        None => rights.push((key, is)),
    };
    for (place, key) in call.accounts.iter().enumerate() {
        add(*key, writable(place, key));
    }
    for (program, accounts, _) in more {
        accounts.iter().for_each(|key| add(*key, true));
        add(*program, false);
    }
    add(call.program, false);
    let (first, last): (Vec<_>, Vec<_>) = rights.into_iter().partition(|(_, is)| *is);
    let read_only = u8::try_from(last.len())?;
    let keys: Vec<Key> = first.into_iter().chain(last).map(|(key, _)| key).collect();
    let at = |key: &Key| {
        let place = keys.iter().position(|known| known == key);
        u8::try_from(place.unwrap_or(200)).unwrap_or(200)
    };
    let of = |program: &Key, accounts: &[Key], data: &[u8]| {
        let accounts: Vec<u8> = accounts.iter().map(at).collect();
        instruction(at(program), &accounts, data.to_vec())
    };
    let mut instructions: Vec<Instruction> = vec![of(&call.program, &call.accounts, &call.data)];
    let others = more.iter();
    instructions.extend(others.map(|(program, accounts, data)| of(program, accounts, data)));
    Ok(Message {
        version: None,
        header: [1, 0, read_only],
        keys,
        instructions,
        tail: Vec::new(),
    })
}

/// As the rules of the first method have them.
fn sound(place: usize, _: &Key) -> bool {
    place < 3
}

fn honest(rig: &Rig, call: &Call) -> Result<Vec<u8>> {
    Ok(message(rig, call, sound, &[])?.bytes())
}

fn request(rig: &mut Rig, call: &Call, unsigned: Vec<u8>) -> Result<SpendRequest> {
    let transfer = rig.to_solana(1);
    let request = rig.invented(&transfer)?;
    let text = |key: &Key| bs58::encode(key).into_string();
    let body = json!({
        "type": "call",
        "signer": rig.cast.agent.signer,
        "wallet": transfer.from.wallet,
        "network": solana(),
        "program": text(&call.program),
        "data": format!("0x{}", hex::encode(&call.data)),
        "accounts": call.accounts.iter().map(text).collect::<Vec<_>>(),
        "submit": false,
    });
    Ok(SpendRequest {
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}

/// Bytes that do something else than the call that is asked for.
fn other_bytes(rig: &Rig, asked: &Call) -> Result<Vec<(String, Vec<u8>)>> {
    let bytes = honest(rig, asked)?;
    let mut attempts = Vec::new();
    // Every byte of the call, and of the accounts; the blockhash is free.
    let hash = bytes.windows(32).position(|window| window == [7; 32]);
    let hash = hash.context("a blockhash")?;
    for place in (0..bytes.len()).filter(|place| !(hash..hash + 32).contains(place)) {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[place] ^= bit;
            attempts.push((format!("byte {place}"), changed));
        }
    }
    // Data shorter and longer than the rule.
    for length in [0, 1, 2, 9, 41] {
        let data = asked.data.get(..length).unwrap_or_default().to_vec();
        let call = Call {
            data,
            ..asked.clone()
        };
        attempts.push((format!("{length} bytes of data"), honest(rig, &call)?));
    }
    for behind in [vec![0], vec![0; 2], vec![0; 3], vec![0; 32]] {
        let data = [&asked.data[..], &behind].concat();
        let call = Call {
            data,
            ..asked.clone()
        };
        let what = format!("{} bytes behind", behind.len());
        attempts.push((what, honest(rig, &call)?));
    }
    // Rights: what is read-only writable, what is writable read-only.
    for turned in 1..4 {
        let turn = |place: usize, key: &Key| sound(place, key) != (place == turned);
        let bytes = message(rig, asked, turn, &[])?.bytes();
        attempts.push((format!("other rights at {turned}"), bytes));
    }
    // Fewer accounts, more, in another order, one at two places.
    let accounts = &asked.accounts;
    for (what, changed) in [
        ("no account", vec![]),
        ("one fewer", accounts[..3].to_vec()),
        ("one more", [&accounts[..], &[thief(1)]].concat()),
        ("turned", accounts.iter().rev().copied().collect()),
        (
            "the vault twice",
            vec![accounts[0], accounts[1], VAULT, VAULT],
        ),
        (
            "the wallet twice",
            vec![accounts[0], accounts[1], VAULT, accounts[0]],
        ),
        (
            "the wallet's tokens twice",
            vec![accounts[0], accounts[1], VAULT, accounts[1]],
        ),
        (
            "the vault in our place",
            vec![VAULT, accounts[1], VAULT, accounts[3]],
        ),
    ] {
        let call = Call {
            accounts: changed,
            ..asked.clone()
        };
        attempts.push((what.to_owned(), honest(rig, &call)?));
    }
    // Beside it: a payment, the call once more, a memo, unknown programs, a delegate.
    let (me, to) = (wallet(rig), named(SOLANA_TO));
    let checked = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
    let delegate = [&[4][..], &AMOUNT.to_le_bytes()].concat();
    let theirs = associated(&to, &named(MINT), TOKEN)?;
    let mine = own_tokens(rig)?;
    for (what, program, accounts, data) in [
        ("a transfer", named(SYSTEM), vec![me, to], lamports(AMOUNT)),
        (
            "to the thief",
            named(SYSTEM),
            vec![me, thief(1)],
            lamports(1),
        ),
        (
            "itself",
            PROGRAM,
            asked.accounts.clone(),
            asked.data.clone(),
        ),
        ("a smaller method", PROGRAM, vec![VAULT], SHORT.to_vec()),
        ("a memo", named(MEMO), vec![], b"hello".to_vec()),
        ("an unknown program", thief(2), vec![me], vec![1]),
        (
            "tokens",
            named(TOKEN),
            vec![mine, named(MINT), theirs, me],
            checked,
        ),
        (
            "a delegate",
            named(TOKEN),
            vec![mine, thief(1), me],
            delegate,
        ),
    ] {
        let beside = [(program, accounts, data)];
        let mut both = message(rig, asked, sound, &beside)?;
        attempts.push((format!("{what} behind"), both.bytes()));
        both.instructions.reverse();
        attempts.push((format!("{what} in front"), both.bytes()));
    }
    let limit = [&[2][..], &450_u32.to_le_bytes()].concat();
    let twice = [
        (named(COMPUTE_BUDGET), vec![], limit.clone()),
        (named(COMPUTE_BUDGET), vec![], limit),
    ];
    attempts.push((
        "a setting twice".to_owned(),
        message(rig, asked, sound, &twice)?.bytes(),
    ));
    attempts.push((
        "no call".to_owned(),
        super::Draft::honest(rig).message.bytes(),
    ));
    Ok(attempts)
}

/// What is asked and done alike, and still must not be.
fn asked_for(rig: &mut Rig) -> Result<usize> {
    let honest_call = deposit(rig, AMOUNT.into())?;
    let at = |place: usize, key: Key| {
        let mut changed = honest_call.clone();
        changed.accounts[place] = key;
        changed
    };
    let told = |data: Vec<u8>| Call {
        data,
        ..honest_call.clone()
    };
    let amount = AMOUNT.to_le_bytes();
    let to_thief = [&DEPOSIT[..], &amount, &thief(0)].concat();
    let mine_2022 = associated(&wallet(rig), &named(MINT), TOKEN_2022)?;
    let theirs = associated(&thief(0), &named(MINT), TOKEN)?;
    let other: Key = account_bytes(rig.cast.other_solana.account)
        .try_into()
        .unwrap_or_default();
    let place = [
        Code::CallAccount,
        Code::CallOwnAccount,
        Code::TransactionUndecodable,
    ];
    let not_listed = [Code::CallNotListed, Code::TransactionUndecodable];
    let data = [Code::CallData, Code::TransactionUndecodable];
    let elsewhere = |program: Key| Call {
        program,
        ..honest_call.clone()
    };
    let mut near = PROGRAM;
    near[31] ^= 1;
    let most = u64::try_from(MOST + 1)?.to_le_bytes();
    let cases: Vec<(&str, Call, Vec<Code>)> = vec![
        (
            "more than the field may be",
            told([&DEPOSIT[..], &most, &wallet(rig)].concat()),
            vec![Code::CallArgumentLimit],
        ),
        (
            "for the thief",
            told(to_thief),
            vec![Code::CallArgumentWallet],
        ),
        ("the thief pays", at(0, thief(0)), place.to_vec()),
        ("another wallet pays", at(0, other), place.to_vec()),
        ("the thief's tokens", at(1, theirs), place.to_vec()),
        ("a plain account as tokens", at(1, thief(1)), place.to_vec()),
        (
            "the other program's account",
            at(1, mine_2022),
            place.to_vec(),
        ),
        ("an unlisted vault", at(2, thief(1)), place.to_vec()),
        (
            "our tokens as the vault",
            at(2, own_tokens(rig)?),
            place.to_vec(),
        ),
        (
            "the wallet where the caller chooses",
            at(3, wallet(rig)),
            place.to_vec(),
        ),
        ("our tokens there", at(3, own_tokens(rig)?), place.to_vec()),
        ("System there", at(3, named(SYSTEM)), place.to_vec()),
        (
            "the stake program there",
            at(3, named(STAKE)),
            place.to_vec(),
        ),
        (
            "the token program there",
            at(3, named(TOKEN)),
            place.to_vec(),
        ),
        ("another program", elsewhere(thief(3)), not_listed.to_vec()),
        ("almost the program", elsewhere(near), not_listed.to_vec()),
        (
            "System as the program",
            elsewhere(named(SYSTEM)),
            [&not_listed[..], &[Code::BodyMalformed, Code::BodyMismatch]].concat(),
        ),
        ("no such method", told(vec![0x09]), not_listed.to_vec()),
        (
            "no data",
            told(vec![]),
            [&not_listed[..], &[Code::BodyMalformed]].concat(),
        ),
        (
            "a beginning of the beginning",
            told(vec![0xf2, 0x22, 0, 0]),
            [&data[..], &[Code::CallAccounts]].concat(),
        ),
        (
            "data that is short",
            told(honest_call.data[..41].to_vec()),
            data.to_vec(),
        ),
        (
            "data that is long",
            told([&honest_call.data[..], &[0; 3]].concat()),
            data.to_vec(),
        ),
    ];
    let count = cases.len();
    for (what, call, codes) in cases {
        let bytes = honest(rig, &call)?;
        let asked = request(rig, &call, bytes)?;
        rig.refuse(what, asked, &codes)?;
    }
    // Data that begins as a longer method does is that method's or nobody's, not the shorter one's, which would
    // take what follows as it comes.
    let confused = Call {
        accounts: vec![VAULT],
        data: [&DEPOSIT[..], &[0; 8]].concat(),
        ..honest_call.clone()
    };
    let bytes = message(rig, &confused, |_, _| true, &[])?.bytes();
    let asked = request(rig, &confused, bytes)?;
    let codes = [
        Code::CallData,
        Code::CallAccounts,
        Code::TransactionUndecodable,
    ];
    rig.refuse(
        "a longer method under a shorter one's places",
        asked,
        &codes,
    )?;
    // One account at two places has one right at both: the rules ask for two.
    for rights in [true, false] {
        let doubled = Call {
            accounts: vec![VAULT, VAULT],
            data: MIXED.to_vec(),
            ..honest_call.clone()
        };
        let bytes = message(rig, &doubled, |_, _| rights, &[])?.bytes();
        let asked = request(rig, &doubled, bytes)?;
        let codes = [
            Code::TransactionUndecodable,
            Code::CallAccount,
            Code::CallAccounts,
        ];
        rig.refuse("one account with two rights", asked, &codes)?;
    }
    // A session that names no calls makes none.
    let bytes = honest(rig, &honest_call)?;
    let invented = request(rig, &honest_call, bytes)?;
    let agent = rig.agent();
    let signed = agent.sign(SpendRequest {
        session: agent.session,
        ..invented
    })?;
    let codes = [Code::SessionOperation, Code::SessionAsset];
    rig.refuse("a session without calls", signed, &codes)?;
    Ok(count + 4)
}

/// Every way; how many were refused.
pub(super) fn registered(rig: &mut Rig, template: &Template) -> Result<String> {
    let asked = deposit(rig, AMOUNT.into())?;
    let mut attempts = Vec::new();
    for (what, bytes) in other_bytes(rig, &asked)? {
        attempts.push((what, request(rig, &asked, bytes)?));
    }
    let counted = rig.refused(&attempts, &OTHER)?;
    let by_policy = asked_for(rig)?;
    honest_ones(rig)?;
    let conflicts = Template::aside(template.rig()?, counted_otherwise)?;
    Ok(format!(
        "{} of a registered program {counted:?}, {by_policy} by policy, {conflicts} where a later document counts it otherwise",
        attempts.len()
    ))
}

/// The honest ones: with the most that a field may say, with what the caller chose behind, and of the method that begins
/// like another.
pub(super) fn honest_ones(rig: &mut Rig) -> Result<()> {
    for amount in [1, AMOUNT.into(), MOST] {
        let call = deposit(rig, amount)?;
        let bytes = honest(rig, &call)?;
        let asked = request(rig, &call, bytes)?;
        let signed = rig.send(&asked).context("the honest call")?;
        ensure!(signed.tier == Tier::Instant, "{:?}", signed.tier);
    }
    let mut behind = deposit(rig, 1)?;
    behind.data.extend([0xaa, 0xbb]);
    let bytes = honest(rig, &behind)?;
    let asked = request(rig, &behind, bytes)?;
    rig.send(&asked).context("with two bytes behind")?;
    let short = Call {
        program: PROGRAM,
        accounts: vec![VAULT],
        data: [&SHORT[..], &[0x24; 9]].concat(),
    };
    let bytes = message(rig, &short, |_, _| true, &[])?.bytes();
    let asked = request(rig, &short, bytes)?;
    let signed = rig.send(&asked).context("the shorter method")?;
    ensure!(signed.tier == CHEAP, "{:?}", signed.tier);
    Ok(())
}

/// A later document says that less leaves, or that another place may be written: as long as both bind, neither count
/// is believed.
fn counted_otherwise(rig: &mut Rig) -> Result<usize> {
    let call = deposit(rig, 1)?;
    let bytes = honest(rig, &call)?;
    let asked = request(rig, &call, bytes.clone())?;
    rig.send(&asked).context("before")?;
    let cheaper = rig.next_policy(|document| {
        for rule in &mut document.calls {
            let program = rule.program.iter_mut();
            for one in program.flat_map(|program| &mut program.outflow) {
                one.up_to = Amount::from_base_units(LEAVES / 2);
            }
        }
    })?;
    rig.adopt(&cheaper)?;
    let fresh = request(rig, &call, bytes)?;
    let mut count = 0;
    for asked in [fresh, asked] {
        let gateway = rig.gateway();
        let code = refusal(rig.block(gateway.sign(&asked)))?;
        let codes = [Code::CallConflict, Code::PoliciesDisagree];
        ensure!(codes.contains(&code), "{code}");
        count += 1;
    }
    rig.use_up("two documents count a call otherwise");
    Ok(count)
}
