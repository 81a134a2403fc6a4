//! A token that the policy has: everything but the one transfer that was asked for. Accounts are derived
//! here a second time, by the runtime's rule. Beside the refused ones the honest transfer must pass, with
//! the recipient's account created and without, so that nothing was refused for another reason.

use anyhow::{Context as _, Result};
use serde_json::Value;
use waiaas_client::SpendRequest;
use waiaas_shared::caip::AssetId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::SessionId;
use waiaas_tests::stage::SOLANA_TO;

use super::{AMOUNT, ASSOCIATED, Key, SYSTEM, TOKEN, TOKEN_2022, instruction, named, thief};
use crate::bytes::{Instruction, Message, associated};
use crate::calculator::account_bytes;
use crate::rig::Rig;
use crate::stand::{MINT, mint};

/// Where the accounts stand that every message here has.
pub(super) const SOURCE: u8 = 1;
pub(super) const DESTINATION: u8 = 2;
/// The attacker's associated account, and a plain key of the attacker's.
pub(super) const STOLEN: u8 = 3;
pub(super) const THIEF: u8 = 4;
/// The recipient's and the wallet's accounts as the other token program would have them.
pub(super) const OTHER_DESTINATION: u8 = 5;
pub(super) const OTHER_SOURCE: u8 = 6;
/// Read-only from here on.
pub(super) const MINT_AT: u8 = 7;
pub(super) const OTHER_MINT: u8 = 8;
pub(super) const TOKEN_AT: u8 = 9;
pub(super) const TOKEN_2022_AT: u8 = 10;
const ASSOCIATED_AT: u8 = 11;
pub(super) const SYSTEM_AT: u8 = 12;
pub(super) const RECIPIENT: u8 = 13;

/// Which token is asked for, and by whom: of the bearer session, unless it is another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    pub(super) mint: Key,
    pub(super) asset: AssetId,
    pub(super) kept_by: &'static str,
    pub(super) decimals: u8,
    pub(super) session: Option<SessionId>,
}

/// The token of SPL Token that the policy has from the beginning.
pub(super) fn usdc() -> Of {
    Of {
        mint: named(MINT),
        asset: mint(),
        kept_by: TOKEN,
        decimals: 6,
        session: None,
    }
}

impl Of {
    /// Where its program stands, and where the other one does.
    pub(super) fn programs(&self) -> (u8, u8) {
        if self.kept_by == TOKEN {
            (TOKEN_AT, TOKEN_2022_AT)
        } else {
            (TOKEN_2022_AT, TOKEN_AT)
        }
    }

    pub(super) fn honest(&self, amount: u64) -> Instruction {
        let accounts = [SOURCE, MINT_AT, DESTINATION, 0];
        instruction(self.programs().0, &accounts, checked(amount, self.decimals))
    }

    pub(super) fn creation(&self) -> Instruction {
        let program = self.programs().0;
        let accounts = [0, DESTINATION, RECIPIENT, MINT_AT, SYSTEM_AT, program];
        instruction(ASSOCIATED_AT, &accounts, vec![1])
    }
}

pub(super) fn checked(amount: u64, decimals: u8) -> Vec<u8> {
    [&[12][..], &amount.to_le_bytes(), &[decimals]].concat()
}

fn transfer(program: u8, accounts: &[u8], data: Vec<u8>) -> Instruction {
    instruction(program, accounts, data)
}

fn honest() -> Instruction {
    usdc().honest(AMOUNT)
}

fn creation() -> Instruction {
    usdc().creation()
}

/// Only the keys that the instructions name, in their order: an unused one would be refused for itself.
pub(super) fn message(rig: &Rig, of: Of, instructions: &[Instruction]) -> Result<Message> {
    let wallet: Key = account_bytes(rig.cast.solana.account)
        .try_into()
        .unwrap_or_default();
    let recipient = named(SOLANA_TO);
    let other = match of.kept_by {
        TOKEN => TOKEN_2022,
        _ => TOKEN,
    };
    let keys = [
        wallet,
        associated(&wallet, &of.mint, of.kept_by)?,
        associated(&recipient, &of.mint, of.kept_by)?,
        associated(&thief(0), &of.mint, of.kept_by)?,
        thief(0),
        associated(&recipient, &of.mint, other)?,
        associated(&wallet, &of.mint, other)?,
        of.mint,
        thief(4),
        named(TOKEN),
        named(TOKEN_2022),
        named(ASSOCIATED),
        named(SYSTEM),
        recipient,
    ];
    let used = |index: u8| {
        index == 0
            || instructions
                .iter()
                .any(|one| one.program == index || one.accounts.contains(&index))
    };
    let kept: Vec<u8> = (0..=RECIPIENT).filter(|index| used(*index)).collect();
    let place = |index: u8| {
        let place = kept.iter().position(|known| *known == index);
        place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or(0)
    };
    let read_only = kept.iter().filter(|index| **index >= MINT_AT).count();
    Ok(Message {
        version: None,
        header: [1, 0, u8::try_from(read_only)?],
        keys: kept
            .iter()
            .filter_map(|index| keys.get(usize::from(*index)).copied())
            .collect(),
        instructions: instructions
            .iter()
            .map(|one| Instruction {
                program: place(one.program),
                accounts: one.accounts.iter().map(|index| place(*index)).collect(),
                data: one.data.clone(),
            })
            .collect(),
        tail: Vec::new(),
    })
}

/// So many base units of the token are asked for, to the listed recipient, with these bytes.
pub(super) fn request(
    rig: &mut Rig,
    of: Of,
    amount: u64,
    instructions: &[Instruction],
) -> Result<SpendRequest> {
    let unsigned = message(rig, of, instructions)?.bytes();
    let honest = rig.to_solana(amount.into());
    let request = rig.invented(&honest)?;
    let mut body: Value = serde_json::from_slice(&request.body)?;
    let fields = body.as_object_mut().context("an object")?;
    fields.insert("asset".to_owned(), Value::String(of.asset.to_string()));
    Ok(SpendRequest {
        session: of.session.unwrap_or(request.session),
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}

fn deny(rig: &mut Rig, drafts: Vec<(String, Vec<Instruction>)>) -> Result<String> {
    deny_of(rig, usdc(), drafts)
}

/// All of these must be refused; and the honest transfers of the token are signed, to an account that is there and to
/// one that is created, so that nothing was refused for the token, and the checks count both.
pub(super) fn deny_of(
    rig: &mut Rig,
    of: Of,
    drafts: Vec<(String, Vec<Instruction>)>,
) -> Result<String> {
    let mut attempts = Vec::new();
    for (name, instructions) in drafts {
        attempts.push((name, request(rig, of, AMOUNT, &instructions)?));
    }
    let codes = [Code::TransactionUndecodable, Code::BodyMismatch];
    let counted = rig.refused(&attempts, &codes)?;
    honest_ones(rig, of)?;
    Ok(format!("{} of a known token {counted:?}", attempts.len()))
}

/// Signed, to an account that is there and to one that is created.
pub(super) fn honest_ones(rig: &mut Rig, of: Of) -> Result<()> {
    for instructions in [
        vec![of.honest(AMOUNT)],
        vec![of.creation(), of.honest(AMOUNT)],
    ] {
        let request = request(rig, of, AMOUNT, &instructions)?;
        rig.send(&request).context("the honest transfer")?;
    }
    Ok(())
}

/// X10: accounts that are not the recipient's own, and accounts for others.
pub(super) fn accounts(rig: &mut Rig) -> Result<String> {
    let of = |accounts: &[u8]| transfer(TOKEN_AT, accounts, checked(AMOUNT, 6));
    let create = |account, owner, mint| {
        let accounts = [0, account, owner, mint, SYSTEM_AT, TOKEN_AT];
        instruction(ASSOCIATED_AT, &accounts, vec![1])
    };
    let mut drafts = Vec::new();
    for (name, accounts) in [
        ("to the attacker's account", [SOURCE, MINT_AT, STOLEN, 0]),
        ("to a plain key", [SOURCE, MINT_AT, THIEF, 0]),
        ("to the wallet's own account", [SOURCE, MINT_AT, SOURCE, 0]),
        (
            "from the attacker's account",
            [STOLEN, MINT_AT, DESTINATION, 0],
        ),
        ("by the attacker", [SOURCE, MINT_AT, DESTINATION, THIEF]),
        ("of another mint", [SOURCE, OTHER_MINT, DESTINATION, 0]),
    ] {
        drafts.push((name.to_owned(), vec![of(&accounts)]));
    }
    for (name, more) in [
        ("a second transfer", of(&[SOURCE, MINT_AT, STOLEN, 0])),
        ("the transfer twice", honest()),
        ("the attacker's account", create(STOLEN, THIEF, MINT_AT)),
        (
            "the attacker as its owner",
            create(DESTINATION, THIEF, MINT_AT),
        ),
        (
            "the recipient as its owner",
            create(STOLEN, RECIPIENT, MINT_AT),
        ),
        (
            "for another mint",
            create(DESTINATION, RECIPIENT, OTHER_MINT),
        ),
        (
            "lamports beside",
            instruction(SYSTEM_AT, &[0, THIEF], crate::bytes::lamports(1)),
        ),
    ] {
        drafts.push((format!("{name}, first"), vec![more.clone(), honest()]));
        drafts.push((format!("{name}, last"), vec![honest(), more]));
    }
    drafts.push((
        "created twice".to_owned(),
        vec![creation(), creation(), honest()],
    ));
    drafts.push(("created too late".to_owned(), vec![honest(), creation()]));
    drafts.push(("created for nothing".to_owned(), vec![creation()]));
    for number in [0, 2, 3, 255] {
        let mut other = creation();
        other.data = vec![number];
        drafts.push((format!("creation {number}"), vec![other, honest()]));
    }
    deny(rig, drafts)
}

/// X07: what is unchecked, with other decimals, of another mint, or of the other program; accounts and token are the
/// right ones.
pub(super) fn unchecked(rig: &mut Rig) -> Result<String> {
    let right = [SOURCE, MINT_AT, DESTINATION, 0];
    let mut drafts = Vec::new();
    let plain = [&[3][..], &AMOUNT.to_le_bytes()].concat();
    for program in [TOKEN_AT, TOKEN_2022_AT] {
        let other = [OTHER_SOURCE, OTHER_DESTINATION];
        for [from, to] in [[SOURCE, DESTINATION], other, [SOURCE, OTHER_DESTINATION]] {
            let alone = transfer(program, &[from, to, 0], plain.clone());
            drafts.push(("unchecked".to_owned(), vec![alone.clone()]));
            drafts.push(("unchecked beside".to_owned(), vec![honest(), alone]));
            if (program, from, to) != (TOKEN_AT, SOURCE, DESTINATION) {
                let accounts = [from, MINT_AT, to, 0];
                let one = transfer(program, &accounts, checked(AMOUNT, 6));
                drafts.push(("accounts of another program".to_owned(), vec![one]));
            }
        }
        for decimals in 0..=255_u8 {
            if (program, decimals) != (TOKEN_AT, 6) {
                let one = transfer(program, &right, checked(AMOUNT, decimals));
                drafts.push((format!("{decimals} decimals"), vec![one]));
            }
        }
        let mixed = [SOURCE, OTHER_MINT, DESTINATION, 0];
        let mint = transfer(program, &mixed, checked(AMOUNT, 6));
        drafts.push(("another mint".to_owned(), vec![mint]));
    }
    deny(rig, drafts)
}

/// X08: every number of both programs over the right accounts, and another amount.
pub(super) fn numbers(rig: &mut Rig) -> Result<String> {
    let accounts = [SOURCE, MINT_AT, DESTINATION, 0];
    let mut drafts = Vec::new();
    for program in [TOKEN_AT, TOKEN_2022_AT] {
        for number in 0..=255_u8 {
            let mut data = checked(AMOUNT, 6);
            if let Some(first) = data.first_mut() {
                *first = number;
            }
            if (program, number) != (TOKEN_AT, 12) {
                let one = transfer(program, &accounts, data.clone());
                drafts.push((format!("{number} alone"), vec![one]));
            }
            let beside = transfer(program, &accounts, data);
            drafts.push((format!("{number} beside"), vec![honest(), beside]));
        }
    }
    for (name, data) in [
        ("another amount", checked(AMOUNT + 1, 6)),
        ("the highest amount", checked(u64::MAX, 6)),
        ("a byte too many", [checked(AMOUNT, 6), vec![0]].concat()),
    ] {
        drafts.push((name.to_owned(), vec![transfer(TOKEN_AT, &accounts, data)]));
    }
    deny(rig, drafts)
}
