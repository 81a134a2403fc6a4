//! Stakes where policy names a validator (a part of X17): a stake is the wallet's own, with that validator, of that
//! amount, and comes back to the wallet alone. The signer judges; nothing here is signed.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::policy::document::Validator;
use waiaas_shared::session::{Credential, Operation, SessionGrant};
use waiaas_shared::solana::build::{StakingRequest, staking};
use waiaas_shared::solana::{StakeAccount, Staking};
use waiaas_tests::agent::{grant, key};
use waiaas_tests::stage::{LIMIT, solana};

use super::thief;
use crate::rig::Rig;

const SEED: &str = "june-1";
const LAMPORTS: u64 = 1_000_000;

const REFUSED: [Code; 6] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::BodyMalformed,
    Code::ValidatorNotListed,
    Code::RecipientNotListed,
    Code::SessionOperation,
];

/// The validator that policy names.
fn validator() -> SolanaAddress {
    SolanaAddress::from_bytes(thief(40))
}

fn wallet(rig: &Rig) -> Result<SolanaAddress> {
    match rig.cast.solana.account {
        Account::Solana(wallet) => Ok(wallet),
        Account::Evm(_) => anyhow::bail!("an account of Solana"),
    }
}

fn bytes(wallet: SolanaAddress, seed: &str, of: Staking) -> Result<Vec<u8>> {
    let account = StakeAccount::of(wallet, seed.parse()?);
    Ok(staking(&StakingRequest {
        from: wallet,
        account: &account,
        staking: of,
        blockhash: [7; 32],
        compute_unit_limit: 80_000,
        micro_lamports_per_compute_unit: 0,
    })?)
}

fn delegate(validator: SolanaAddress, lamports: u64) -> Staking {
    Staking::Delegate {
        validator,
        amount: Amount::from_base_units(lamports.into()),
    }
}

/// The same bytes with every place of one string of bytes, or only the last, holding another.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8], last: bool) -> Result<Vec<u8>> {
    let mut changed = bytes.to_vec();
    let mut places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(place, _)| place)
        .collect();
    if last {
        places = places.pop().into_iter().collect();
    }
    anyhow::ensure!(!places.is_empty(), "nothing to replace");
    for place in places {
        let bytes = changed.get_mut(place..place + to.len());
        bytes.context("its place")?.copy_from_slice(to);
    }
    Ok(changed)
}

fn request(rig: &mut Rig, more: &Value, unsigned: Vec<u8>) -> Result<SpendRequest> {
    let transfer = rig.to_solana(1);
    let request = rig.invented(&transfer)?;
    let mut body = json!({
        "signer": rig.cast.agent.signer,
        "wallet": rig.cast.solana.wallet,
        "network": solana(),
        "submit": false,
    });
    let fields = body.as_object_mut().context("an object")?;
    fields.extend(more.as_object().context("an object")?.clone());
    Ok(SpendRequest {
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}

/// Everything that a stake could be bent to; how many attempts were refused.
pub(super) fn with_a_validator(rig: &mut Rig) -> Result<usize> {
    let account = AccountId::new(solana(), Account::Solana(validator()))?;
    let staking_policy = rig.next_policy(|document| {
        document.validators = Some(vec![Validator {
            account,
            name: "one".to_owned(),
        }]);
    })?;
    rig.adopt(&staking_policy)?;
    let secret = hash(Domain::SessionSecret, &[b"stakes"]);
    rig.cast.bearer = rig.granted(SessionGrant {
        credential: Credential::Bearer(secret),
        operations: Some(vec![Operation::Stake]),
        ..grant(&key(22), &[rig.cast.solana], &[solana()], LIMIT, u128::MAX)
    })?;
    let own = wallet(rig)?;
    let (stranger, stolen) = (SolanaAddress::from_bytes(thief(1)), thief(2));
    let stake = json!({
        "type": "stake", "validator": "@one", "amount_base": LAMPORTS.to_string(), "seed": SEED,
    });
    let unstake = json!({ "type": "unstake", "seed": SEED });
    let back = json!({ "type": "withdraw_stake", "seed": SEED });
    let withdraw = Staking::Withdraw {
        amount: Amount::from_base_units(LAMPORTS.into()),
    };
    let sound = bytes(own, SEED, delegate(validator(), LAMPORTS))?;
    let sound_end = bytes(own, SEED, Staking::Deactivate)?;
    let sound_back = bytes(own, SEED, withdraw)?;
    let account = StakeAccount::of(own, SEED.parse()?);
    let of_thief = StakeAccount::of(stranger, SEED.parse()?);
    let mut attempts = Vec::new();
    let mut add = |rig: &mut Rig, what: &str, body: &Value, unsigned: Vec<u8>| -> Result<()> {
        attempts.push((what.to_owned(), request(rig, body, unsigned)?));
        Ok(())
    };
    // Bytes that do something else than what was asked for.
    for (what, unsigned) in [
        (
            "another validator",
            bytes(own, SEED, delegate(stranger, LAMPORTS))?,
        ),
        (
            "a lamport more",
            bytes(own, SEED, delegate(validator(), LAMPORTS + 1))?,
        ),
        (
            "a lamport less",
            bytes(own, SEED, delegate(validator(), LAMPORTS - 1))?,
        ),
        (
            "another seed",
            bytes(own, "june-2", delegate(validator(), LAMPORTS))?,
        ),
        (
            "another wallet's",
            bytes(stranger, SEED, delegate(validator(), LAMPORTS))?,
        ),
        ("an end in its place", sound_end.clone()),
        ("a withdrawal in its place", sound_back.clone()),
        (
            "a stake account of the attacker's",
            replaced(
                &sound,
                account.address().as_bytes(),
                of_thief.address().as_bytes(),
                false,
            )?,
        ),
        // The authorities stand behind each other in the data of `Initialize`.
        (
            "the attacker may withdraw",
            replaced(&sound, own.as_bytes(), &stolen, true)?,
        ),
        (
            "the attacker may do all",
            replaced(
                &sound,
                &[*own.as_bytes(), *own.as_bytes()].concat(),
                &[stolen, stolen].concat(),
                false,
            )?,
        ),
        (
            "locked up",
            replaced(
                &sound,
                &[own.as_bytes(), &[0; 16][..]].concat(),
                &[own.as_bytes(), &[0xff; 16][..]].concat(),
                true,
            )?,
        ),
        (
            "with a custodian",
            replaced(
                &sound,
                &[own.as_bytes(), &[0; 48][..]].concat(),
                &[own.as_bytes(), &[0; 16][..], &stolen].concat(),
                true,
            )?,
        ),
    ] {
        add(rig, what, &stake, unsigned)?;
    }
    add(rig, "a stake for an end", &unstake, sound.clone())?;
    add(rig, "a withdrawal for an end", &unstake, sound_back.clone())?;
    add(
        rig,
        "the end of another",
        &unstake,
        bytes(own, "june-2", Staking::Deactivate)?,
    )?;
    add(rig, "an end for a withdrawal", &back, sound_end.clone())?;
    add(
        rig,
        "out of another",
        &back,
        bytes(own, "june-2", withdraw)?,
    )?;
    // Every single bit of what comes back: to another, of another, or no template. The blockhash, how much comes
    // back, and limit and price of the fee are not the request's to say.
    let price = [&[9, 3][..], &[0; 8]].concat();
    let limit = [&[5, 2][..], &80_000_u32.to_le_bytes()].concat();
    let free: Vec<usize> = [
        (&[7; 32][..], 0),
        (&LAMPORTS.to_le_bytes(), 0),
        (&limit, 2),
        (&price, 2),
    ]
    .into_iter()
    .flat_map(|(told, skipped): (&[u8], usize)| {
        let windows = sound_back.windows(told.len());
        let at = windows.into_iter().position(|window| window == told);
        at.map(|at| at + skipped..at + told.len())
            .into_iter()
            .flatten()
    })
    .collect();
    anyhow::ensure!(free.len() >= 32 + 8, "{} bytes are free", free.len());
    for bit in 0..sound_back.len() * 8 {
        let mut changed = sound_back.clone();
        if let Some(byte) = changed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        if !free.contains(&(bit / 8)) {
            add(rig, &format!("bit {bit}"), &back, changed)?;
        }
    }
    // Bodies that name what is not theirs.
    for (what, field, value) in [
        (
            "a stranger as validator",
            "validator",
            json!(stranger.to_string()),
        ),
        ("an unknown name", "validator", json!("@two")),
        ("a recipient", "to", json!("@one")),
        ("an authority", "authority", json!(stranger.to_string())),
        ("a lockup", "lockup", json!(1)),
        (
            "a stake account",
            "account",
            json!(of_thief.address().to_string()),
        ),
        ("a seed of another form", "seed", json!("June")),
    ] {
        let mut body = stake.clone();
        body[field] = value;
        add(rig, what, &body, sound.clone())?;
    }
    rig.refused(&attempts, &REFUSED)?;
    // None was refused for the stake itself.
    for (what, body, unsigned) in [
        ("a stake", &stake, sound),
        ("its end", &unstake, sound_end),
        ("what comes back", &back, sound_back),
    ] {
        let asked = request(rig, body, unsigned)?;
        rig.block(rig.gateway().decide(&asked)).context(what)?;
    }
    rig.use_up("another session");
    Ok(attempts.len())
}
