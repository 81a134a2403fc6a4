//! Wrapped SOL where policy names it (X16): the wallet's own account for it is a token account like any other, out of
//! which checked transfers go to whom policy lists. It is never closed, to nobody, not even to the wallet, and never
//! synchronised: what closing pays out is in no byte of a transaction, so nothing here reads it. Lamports that are
//! sent to it are a payment to an account that no policy lists.

use anyhow::{Context as _, Result};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AssetId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::policy::document::AssetRule;
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{LIMIT, solana};

use super::registered::{
    DESTINATION, MINT_AT, Of, RECIPIENT, SOURCE, STOLEN, SYSTEM_AT, THIEF, TOKEN_2022_AT, TOKEN_AT,
    deny_of, message,
};
use super::{AMOUNT, TOKEN, brought, instruction, named};
use crate::bytes::{Instruction, lamports};
use crate::rig::Rig;
use crate::stand::{WINDOW, mint};

const WRAPPED: &str = "So11111111111111111111111111111111111111112";

/// The wallet itself.
const WALLET: u8 = 0;

/// A policy that names it, and a session that may move it.
fn prepared(rig: &mut Rig) -> Result<Of> {
    let token = Token::Mint(WRAPPED.parse()?);
    let asset = AssetId::new(solana(), token)?;
    let decimals = Decimals::new(9).context("nine places")?;
    let document = rig.next_policy(|document| {
        let known = document.assets.iter().find(|rule| rule.asset == mint());
        let rule = known.cloned().map(|rule| AssetRule {
            asset,
            symbol: "WSOL".to_owned(),
            decimals,
            ..rule
        });
        document.assets.extend(rule);
    })?;
    rig.adopt(&document)?;
    let secret = hash(Domain::SessionSecret, &[b"wrapped"]);
    let mut granted = SessionGrant {
        credential: Credential::Bearer(secret),
        ..grant(&key(22), &[rig.cast.solana], &[solana()], LIMIT, u128::MAX)
    };
    granted.limits.push(SessionLimit {
        asset,
        per_transaction: Amount::from_base_units(LIMIT),
        total: Amount::from_base_units(WINDOW),
    });
    granted.limits.sort_by_key(|limit| limit.asset);
    Ok(Of {
        mint: named(WRAPPED),
        asset,
        kept_by: TOKEN,
        decimals: 9,
        session: Some(rig.granted(granted)?),
    })
}

/// Everything but a transfer that can be done with the wallet's own account.
fn games() -> Vec<(String, Instruction)> {
    let mut games = Vec::new();
    for program in [TOKEN_AT, TOKEN_2022_AT] {
        let mut add = |name: &str, accounts: &[u8], data: &[u8]| {
            let one = instruction(program, accounts, data.to_vec());
            games.push((name.to_owned(), one));
        };
        for (name, whom) in [
            ("closed to the attacker", THIEF),
            ("closed to the attacker's account", STOLEN),
            ("closed to the wallet", WALLET),
            ("closed to the recipient", RECIPIENT),
            ("closed to the recipient's account", DESTINATION),
            ("closed to itself", SOURCE),
        ] {
            add(name, &[SOURCE, whom, WALLET], &[9]);
            add(name, &[SOURCE, whom, WALLET, THIEF], &[9]);
            add(name, &[SOURCE, whom, THIEF], &[9]);
            add(name, &[SOURCE, whom, WALLET], &[9, 0]);
            // What lies there beyond the rent; and unwrapped without being closed, all of it or a part.
            add("lamports withdrawn", &[SOURCE, whom, WALLET], &[38]);
            add("unwrapped", &[SOURCE, whom, WALLET], &[45, 0]);
            let part = [&[45, 1][..], &AMOUNT.to_le_bytes()].concat();
            add("unwrapped in part", &[SOURCE, whom, WALLET], &part);
            // Several instructions in one, the closing one of them.
            let batch = [255, 3, 1, 9];
            add("closed in a batch", &[SOURCE, whom, WALLET], &batch);
        }
        for account in [SOURCE, DESTINATION, STOLEN] {
            add("synchronised", &[account], &[17]);
            add("synchronised", &[account, WALLET], &[17]);
            add("synchronised with a byte more", &[account], &[17, 0]);
        }
        for authority in 0..4_u8 {
            let data = [&[6, authority, 1][..], &[0xbb; 32]].concat();
            add("another authority", &[SOURCE, WALLET], &data);
            add("no authority", &[SOURCE, WALLET], &[6, authority, 0]);
        }
        let amount = AMOUNT.to_le_bytes();
        add(
            "a delegate",
            &[SOURCE, THIEF, WALLET],
            &[&[4][..], &amount].concat(),
        );
        add(
            "burnt",
            &[SOURCE, MINT_AT, WALLET],
            &[&[8][..], &amount].concat(),
        );
        add("frozen", &[SOURCE, MINT_AT, WALLET], &[10]);
        add(
            "begun anew",
            &[SOURCE, MINT_AT],
            &[&[18][..], &[0xbb; 32]].concat(),
        );
    }
    for to in [SOURCE, STOLEN, DESTINATION] {
        let one = instruction(SYSTEM_AT, &[WALLET, to], lamports(AMOUNT));
        games.push(("lamports to wrap".to_owned(), one));
    }
    games
}

/// All of them alone, before and behind the honest transfer, proposed for it and brought; the honest one is signed.
pub(super) fn closed(rig: &mut Rig) -> Result<String> {
    let of = prepared(rig)?;
    let honest = of.honest(AMOUNT);
    let mut drafts = Vec::new();
    let mut attempts = Vec::new();
    for (name, one) in games() {
        let alone = vec![one.clone()];
        let bytes = message(rig, of, &alone)?.bytes();
        let mut request = brought::bring(rig, &bytes)?;
        request.session = of.session.context("a session")?;
        attempts.push((format!("{name}, brought"), request));
        drafts.push((format!("{name}, first"), vec![one.clone(), honest.clone()]));
        drafts.push((format!("{name}, last"), vec![honest.clone(), one.clone()]));
        drafts.push((format!("{name}, alone"), alone));
    }
    // Wrapped and synchronised, or paid and closed, in one.
    let wraps = instruction(SYSTEM_AT, &[WALLET, SOURCE], lamports(AMOUNT));
    let synchronises = instruction(TOKEN_AT, &[SOURCE], vec![17]);
    let closes = instruction(TOKEN_AT, &[SOURCE, WALLET, WALLET], vec![9]);
    for (name, instructions) in [
        ("wrapped", vec![wraps.clone(), synchronises.clone()]),
        (
            "wrapped and paid",
            vec![wraps.clone(), synchronises.clone(), honest.clone()],
        ),
        ("paid and unwrapped", vec![honest.clone(), closes.clone()]),
        ("all of it", vec![wraps, synchronises, honest, closes]),
    ] {
        drafts.push((name.to_owned(), instructions));
    }
    let codes = [Code::TransactionUndecodable, Code::RecipientNotListed];
    rig.refused(&attempts, &codes)?;
    let said = deny_of(rig, of, drafts)?;
    rig.use_up("another policy");
    Ok(format!("{said}, {} brought", attempts.len()))
}
