//! A mint of Token-2022 that keeps a part of each transfer, as its owner registered it (X11): what counts is what
//! leaves, whatever arrives; every instruction of an extension, every account of a hook and the other program are
//! refused; and no document names an extension that the signer does not know.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::TokenExtension;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::LIMIT;

use super::registered::{
    DESTINATION, MINT_AT, OTHER_DESTINATION, OTHER_MINT, OTHER_SOURCE, Of, RECIPIENT, SOURCE,
    STOLEN, THIEF, TOKEN_2022_AT, TOKEN_AT, checked, deny_of, message, request,
};
use super::{AMOUNT, TOKEN_2022, instruction};
use crate::bytes::Instruction;
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{ASKED, DELAYED, FEE_MINT, fee_mint};

const RIGHT: [u8; 4] = [SOURCE, MINT_AT, DESTINATION, 0];

pub(super) fn keeping() -> Of {
    Of {
        mint: FEE_MINT,
        asset: fee_mint(),
        kept_by: TOKEN_2022,
        decimals: 6,
        session: None,
    }
}

fn of_2022(accounts: &[u8], data: Vec<u8>) -> Instruction {
    instruction(TOKEN_2022_AT, accounts, data)
}

/// All of it.
pub(super) fn registered(rig: &mut Rig, template: &Template) -> Result<String> {
    let refused = deny_of(rig, keeping(), drafts())?;
    gross(rig)?;
    waits(rig)?;
    let unknown = unknown_kinds(rig)?;
    let conflicts = Template::aside(template.rig()?, registered_otherwise)?;
    Ok(format!(
        "{refused}, counted gross; {unknown} documents of unknown kinds, {conflicts} while two documents differ"
    ))
}

fn drafts() -> Vec<(String, Vec<Instruction>)> {
    let of = keeping();
    let mut drafts = Vec::new();
    let mut add = |name: String, one: Instruction| {
        drafts.push((format!("{name}, alone"), vec![one.clone()]));
        drafts.push((
            format!("{name}, first"),
            vec![one.clone(), of.honest(AMOUNT)],
        ));
        drafts.push((format!("{name}, last"), vec![of.honest(AMOUNT), one]));
    };
    // Extensions of mints and accounts with each of their own instructions, over the right accounts: those of
    // fees, confidential transfers, delegates, hooks, pointers, groups, pauses among them.
    for extension in 22..=60_u8 {
        for inner in 0..8_u8 {
            let amount = AMOUNT.to_le_bytes();
            let data = [&[extension, inner][..], &amount, &[6], &1_u64.to_le_bytes()].concat();
            add(
                format!("extension {extension}, {inner}"),
                of_2022(&RIGHT, data),
            );
        }
    }
    // A checked transfer that says the fee, right or not, which takes as much; and harvests of what was kept.
    for fee in [0, 1, AMOUNT, u64::MAX] {
        let amount = AMOUNT.to_le_bytes();
        let data = [&[26, 1][..], &amount, &[6], &fee.to_le_bytes()].concat();
        add(format!("with a fee of {fee}"), of_2022(&RIGHT, data));
    }
    for accounts in [&[MINT_AT, DESTINATION, 0][..], &[SOURCE, DESTINATION, 0]] {
        for inner in [2, 3, 4] {
            add(
                format!("kept, {inner}"),
                of_2022(accounts, vec![26, inner, 1]),
            );
        }
    }
    // Accounts of a hook, or of several signers, behind.
    for behind in [&[THIEF][..], &[OTHER_MINT], &[OTHER_MINT, THIEF], &[0]] {
        let accounts = [&RIGHT[..], behind].concat();
        add(
            "with accounts behind".to_owned(),
            of_2022(&accounts, checked(AMOUNT, 6)),
        );
    }
    let amounts = [AMOUNT - 1, AMOUNT + 1, u64::MAX];
    for data in amounts.map(|amount| checked(amount, 6)) {
        let name = format!("{data:?}");
        drafts.push((name, vec![of_2022(&RIGHT, data)]));
    }
    for (name, accounts) in [
        ("to the attacker's account", [SOURCE, MINT_AT, STOLEN, 0]),
        ("to a plain key", [SOURCE, MINT_AT, THIEF, 0]),
        ("of another mint", [SOURCE, OTHER_MINT, DESTINATION, 0]),
        ("by the attacker", [SOURCE, MINT_AT, DESTINATION, THIEF]),
        (
            "to an account of SPL Token",
            [SOURCE, MINT_AT, OTHER_DESTINATION, 0],
        ),
        (
            "from an account of SPL Token",
            [OTHER_SOURCE, MINT_AT, DESTINATION, 0],
        ),
    ] {
        let one = of_2022(&accounts, checked(AMOUNT, 6));
        drafts.push((name.to_owned(), vec![one]));
    }
    for accounts in [RIGHT, [OTHER_SOURCE, MINT_AT, OTHER_DESTINATION, 0]] {
        let one = instruction(TOKEN_AT, &accounts, checked(AMOUNT, 6));
        drafts.push(("by SPL Token".to_owned(), vec![one]));
    }
    // The recipient's account, created for the other program, or for somebody else.
    for (place, with) in [
        (1, OTHER_DESTINATION),
        (1, STOLEN),
        (2, THIEF),
        (5, TOKEN_AT),
        (3, OTHER_MINT),
    ] {
        let mut creation = of.creation();
        if let Some(account) = creation.accounts.get_mut(place) {
            *account = with;
        }
        drafts.push((
            format!("created with {with} at {place}"),
            vec![creation, of.honest(AMOUNT)],
        ));
    }
    let twice = vec![of.creation(), of.creation(), of.honest(AMOUNT)];
    drafts.push(("created twice".to_owned(), twice));
    drafts.push(("created for nothing".to_owned(), vec![of.creation()]));
    drafts.push((
        "the recipient's own key".to_owned(),
        vec![of_2022(
            &[SOURCE, MINT_AT, RECIPIENT, 0],
            checked(AMOUNT, 6),
        )],
    ));
    drafts
}

/// What would arrive is within the limit; what leaves is not.
fn gross(rig: &mut Rig) -> Result<()> {
    let of = keeping();
    for above in [1, 4_000] {
        let amount = u64::try_from(LIMIT + above)?;
        let request = request(rig, of, amount, &[of.honest(amount)])?;
        let codes = [
            Code::SessionPerTransaction,
            Code::PerTransactionLimit,
            Code::TierNotAvailable,
        ];
        rig.refuse("more than the limit leaves", request, &codes)?;
    }
    Ok(())
}

/// After its time, or by the owner, as it was asked for: gross.
fn waits(rig: &mut Rig) -> Result<()> {
    let of = keeping();
    for (amount, tier) in [(DELAYED, Tier::Delay), (ASKED, Tier::Approval)] {
        let amount = u64::try_from(amount)?;
        let asked = request(rig, of, amount, &[of.honest(amount)])?;
        let intent = rig.wait(&asked)?.intent;
        ensure!(intent.tier() == tier, "it waits as {:?}", intent.tier());
        if tier == Tier::Approval {
            rig.approve(intent.transaction)?;
        }
        crate::cases::mature();
        for (what, instructions) in [
            ("less the fee", vec![of.honest(amount - 5_000)]),
            ("and the fee", vec![of.honest(amount + 5_000)]),
            ("twice", vec![of.honest(amount), of.honest(amount)]),
            (
                "by SPL Token",
                vec![instruction(TOKEN_AT, &RIGHT, checked(amount, 6))],
            ),
        ] {
            let bytes = message(rig, of, &instructions)?.bytes();
            let codes = [Code::TransactionUndecodable, Code::BodyMismatch];
            rig.unreleased(what, intent.transaction, &bytes, &codes)?;
        }
        let bytes = message(rig, of, &[of.creation(), of.honest(amount)])?.bytes();
        rig.release(intent.transaction, &bytes)
            .context("what waited, to a new account")?;
    }
    Ok(())
}

/// Extensions are named one by one: a kind that the signer does not know makes the whole document unknown.
fn unknown_kinds(rig: &mut Rig) -> Result<usize> {
    let sound = rig.next_policy(|document| {
        for rule in &mut document.assets {
            if rule.asset == fee_mint() {
                rule.extensions = vec![TokenExtension::MintCloseAuthority];
            }
        }
    })?;
    let sound = sound.to_bytes();
    // A list of one: the kind's number, with nothing in it.
    let known = [0x81, 0x82, 0x04, 0x80];
    let places = sound.windows(known.len()).enumerate();
    let mut fits = places.filter(|(_, bytes)| *bytes == known);
    let (place, _) = fits.next().context("the extension")?;
    ensure!(fits.next().is_none(), "two places");
    let mut tried = 0;
    for number in 6..=0x17_u8 {
        let mut document = sound.clone();
        if let Some(byte) = document.get_mut(place + 2) {
            *byte = number;
        }
        let facts = StatementFacts::AdoptPolicy { document };
        let code = refusal(rig.draft(&facts)).with_context(|| number.to_string())?;
        ensure!(code == Code::PolicyMalformed, "kind {number}: {code}");
        tried += 1;
    }
    // Known kinds that no mint has so.
    let fee = |basis_points| TokenExtension::TransferFee {
        basis_points,
        most: waiaas_shared::amount::Amount::MAX,
    };
    for extensions in [
        vec![fee(10_001)],
        vec![fee(50), fee(60)],
        vec![TokenExtension::Metadata; 2],
        vec![TokenExtension::Metadata, TokenExtension::PermanentDelegate],
    ] {
        let mut document = rig.next_policy(|_| {})?;
        for rule in &mut document.assets {
            if rule.asset == fee_mint() {
                rule.extensions.clone_from(&extensions);
            }
        }
        let document = document.to_bytes();
        let facts = StatementFacts::AdoptPolicy { document };
        let code = refusal(rig.draft(&facts)).with_context(|| format!("{extensions:?}"))?;
        ensure!(code == Code::PolicyMalformed, "{extensions:?}: {code}");
        tried += 1;
    }
    Ok(tried)
}

/// While one document has the mint as one of SPL Token and the earlier one binds still, no bytes are right.
fn registered_otherwise(rig: &mut Rig) -> Result<usize> {
    let otherwise = rig.next_policy(|document| {
        for rule in &mut document.assets {
            if rule.asset == fee_mint() {
                rule.extensions.clear();
            }
        }
    })?;
    rig.adopt(&otherwise)?;
    let of = keeping();
    let mut tried = 0;
    for instructions in [
        vec![of.honest(AMOUNT)],
        vec![of.creation(), of.honest(AMOUNT)],
        vec![instruction(
            TOKEN_AT,
            &[OTHER_SOURCE, MINT_AT, OTHER_DESTINATION, 0],
            checked(AMOUNT, 6),
        )],
    ] {
        let request = request(rig, of, AMOUNT, &instructions)?;
        rig.refuse("registered in two ways", request, &[Code::TokenConflict])?;
        tried += 1;
    }
    Ok(tried)
}
