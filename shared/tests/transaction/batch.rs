//! Several transfers in one message, and memos: what is built is read back in full, in order, and no change
//! of a byte goes unseen.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Token as AssetToken};
use waiaas_shared::claim::{BATCH_LIMIT, Claim};
use waiaas_shared::effect::Effect;
use waiaas_shared::memo::{MEMO_LIMIT, Memo};
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::solana::build::{BatchRequest, Part, batch};
use waiaas_shared::solana::{MAX_MESSAGE_BYTES, SolanaError, Token, TokenProgram};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use crate::{solana_chain, solana_wallet};

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

fn token(byte: u8, program: TokenProgram) -> Token {
    Token {
        mint: address(byte),
        decimals: 6,
        program,
    }
}

fn lamports(to: u8, lamports: u64) -> Part {
    Part::Lamports {
        to: address(to),
        lamports,
    }
}

fn tokens(to: u8, token: Token, amount: u64, create: bool) -> Part {
    Part::Tokens {
        to: address(to),
        token,
        amount,
        create,
    }
}

fn build(parts: &[Part], memo: Option<&Memo>) -> Result<Vec<u8>, SolanaError> {
    batch(&BatchRequest {
        from: solana_wallet(),
        parts,
        memo,
        blockhash: [0xb2; 32],
        compute_unit_limit: 300_000,
        micro_lamports_per_compute_unit: 100_000,
    })
}

fn transfer(part: &Part) -> Transfer {
    let native = solana_chain().native_asset();
    let (asset, to, amount, mint) = match *part {
        Part::Lamports { to, lamports } => (native, to, lamports, None),
        Part::Tokens {
            to, token, amount, ..
        } => {
            let mint = AssetToken::Mint(token.mint);
            let asset = AssetId::new(solana_chain(), mint).unwrap();
            (asset, to, amount, Some(token))
        }
    };
    Transfer {
        action: Action::Transfer,
        asset,
        to: Account::Solana(to),
        amount: Amount::from_base_units(amount.into()),
        mint,
        call: None,
        stake: None,
        program: None,
    }
}

fn claim(parts: &[Part], memo: Option<&Memo>) -> Claim {
    let more = parts[1..].iter().map(transfer).collect();
    Claim::new(transfer(&parts[0]), more, memo.cloned())
}

fn read(bytes: &[u8], claim: &Claim) -> Result<DecodedTransaction, DecodeError> {
    let (owners, tokens) = (claim.owners(), claim.tokens());
    let known = Known {
        owners: &owners,
        tokens: &tokens,
        ..Known::NOTHING
    };
    let from = Account::Solana(solana_wallet());
    decode(solana_chain(), from, bytes, known)
}

fn memo(text: &str) -> Memo {
    text.parse().unwrap()
}

fn rents(decoded: &DecodedTransaction) -> Vec<u128> {
    let effects = decoded.effects().iter();
    let rents = effects.filter(|effect| matches!(effect, Effect::Rent { .. }));
    rents.map(|rent| rent.amount().base_units()).collect()
}

/// Lamports and two tokens, one recipient of both, one twice, accounts created or not.
fn mixed() -> Vec<Part> {
    let (first, second) = (
        token(0xc1, TokenProgram::Token),
        token(0xc2, TokenProgram::Token2022),
    );
    vec![
        tokens(0xa1, first, 5, true),
        lamports(0xa2, 7),
        tokens(0xa2, second, 11, true),
        tokens(0xa1, first, 13, true),
        lamports(0xa1, 17),
        tokens(0xa3, first, 19, false),
    ]
}

#[test]
fn what_is_built_is_read_back_whole() {
    let memo = memo("payroll 11");
    for memo in [None, Some(&memo)] {
        let parts = mixed();
        let claim = claim(&parts, memo);
        let decoded = read(&build(&parts, memo).unwrap(), &claim).unwrap();
        assert!(claim.is_done_by(&decoded));
        assert_eq!(decoded.memo(), memo);
        // Each account is created once, whoever is paid into it twice.
        assert_eq!(rents(&decoded), [2_039_280, 2_220_240]);
        assert_eq!(decoded.fee_max(), Amount::from_base_units(35_000));
        let moved = decoded.effects().iter().filter(|effect| !effect.is_cost());
        assert!(moved.cloned().eq(claim.effects()));
    }
    // One with a memo is no batch, and the same in every other way.
    let (parts, text) = ([lamports(0xa1, 5)], "x");
    let text = self::memo(text);
    let claim = claim(&parts, Some(&text));
    let decoded = read(&build(&parts, Some(&text)).unwrap(), &claim).unwrap();
    assert!(claim.is_done_by(&decoded));
}

#[test]
fn a_claim_is_done_by_nothing_that_is_more_or_less_or_elsewhere() {
    let (said, other) = (memo("payroll 11"), memo("payroll 12"));
    let parts = mixed();
    let claimed = claim(&parts, Some(&said));
    let does = |parts: &[Part], memo: Option<&Memo>| {
        let made = build(parts, memo).unwrap();
        // Known to the decoder is what is claimed and, so that it decodes, what was built.
        let built = claim(parts, memo);
        claimed.is_done_by(&read(&made, &built).unwrap())
    };
    assert!(does(&parts, Some(&said)));
    assert!(!does(&parts, Some(&other)), "another memo");
    assert!(!does(&parts, None), "no memo");
    for place in 0..parts.len() {
        let mut less = parts.clone();
        less.remove(place);
        assert!(!does(&less, Some(&said)), "without {place}");
        let mut more = parts.clone();
        more.insert(place, parts[place]);
        assert!(!does(&more, Some(&said)), "{place} twice");
        let mut larger = parts.clone();
        match &mut larger[place] {
            Part::Lamports { lamports, .. } => *lamports += 1,
            Part::Tokens { amount, .. } => *amount += 1,
        }
        assert!(!does(&larger, Some(&said)), "{place} by a unit more");
        let mut aside = parts.clone();
        match &mut aside[place] {
            Part::Lamports { to, .. } | Part::Tokens { to, .. } => *to = address(0xa9),
        }
        assert!(!does(&aside, Some(&said)), "{place} to another");
        if place > 0 {
            let mut moved = parts.clone();
            moved.swap(place - 1, place);
            assert!(!does(&moved, Some(&said)), "{place} one earlier");
        }
    }
}

/// Of one lamport transfer, nothing that a batch adds passes.
#[test]
fn a_claim_of_one_is_not_done_by_two() {
    let one = claim(&[lamports(0xa1, 5)], None);
    let two = [lamports(0xa1, 5), lamports(0xa2, 5)];
    let decoded = read(&build(&two, None).unwrap(), &claim(&two, None)).unwrap();
    assert!(!one.is_done_by(&decoded));
    let text = memo("x");
    let noted = build(&two[..1], Some(&text)).unwrap();
    assert!(!one.is_done_by(&read(&noted, &one).unwrap()));
    let split = [lamports(0xa1, 2), lamports(0xa1, 3)];
    let decoded = read(&build(&split, None).unwrap(), &one).unwrap();
    assert!(!one.is_done_by(&decoded), "the same sum in two parts");
}

#[test]
fn no_change_of_a_byte_goes_unseen() {
    let (parts, text) = (mixed(), memo("payroll 11"));
    let claim = claim(&parts, Some(&text));
    let bytes = build(&parts, Some(&text)).unwrap();
    let accounts = usize::from(bytes[3]);
    let blockhash = 4 + 32 * accounts..4 + 32 * accounts + 32;
    let original = read(&bytes, &claim).unwrap();
    let mut passed = 0;
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            let Ok(decoded) = read(&changed, &claim) else {
                continue;
            };
            assert_eq!(decoded.bytes(), changed);
            if claim.is_done_by(&decoded) {
                // What is left to change is the blockhash and the fee.
                let fee = decoded.fee_max() != original.fee_max();
                assert!(fee || blockhash.contains(&place), "byte {place}");
                passed += 1;
            }
        }
    }
    assert!(passed >= 96, "{passed}");
}

#[test]
fn as_many_fit_as_a_request_may_name() {
    let usdc = token(0xc1, TokenProgram::Token2022);
    let each = (0..BATCH_LIMIT).map(|place| {
        let to = 0xa0 + u8::try_from(place).unwrap();
        tokens(to, usdc, 1, true)
    });
    let parts: Vec<Part> = each.collect();
    let bytes = build(&parts, None).unwrap();
    let decoded = read(&bytes, &claim(&parts, None)).unwrap();
    assert_eq!(rents(&decoded), [2_220_240; BATCH_LIMIT]);
    let longest = memo(&"m".repeat(MEMO_LIMIT));
    let lamports: Vec<Part> = (0..8).map(|to| lamports(0xa0 + to, 1)).collect();
    assert!(build(&lamports, Some(&longest)).is_ok());
    // Accounts of many tokens fill a message sooner.
    let many: Vec<Part> = (0..8)
        .map(|to| tokens(0xa0 + to, token(0xc0 + to, TokenProgram::Token), 1, true))
        .collect();
    assert_eq!(build(&many, None), Err(SolanaError::TooLarge));
    assert!(bytes.len() <= MAX_MESSAGE_BYTES);
}

#[test]
fn what_the_decoder_would_refuse_is_not_built() {
    assert_eq!(build(&[], None), Err(SolanaError::NoTransfer));
    let wallet = Part::Lamports {
        to: solana_wallet(),
        lamports: 1,
    };
    assert_eq!(
        build(&[lamports(0xa1, 1), wallet], None),
        Err(SolanaError::TransferToSelf)
    );
}

/// Version 0 without tables is the same message; with a table, or with a byte more, it is none.
#[test]
fn a_batch_of_version_zero_is_the_same_and_takes_no_table() {
    let (parts, text) = (mixed(), memo("payroll 11"));
    let claim = claim(&parts, Some(&text));
    let legacy = build(&parts, Some(&text)).unwrap();
    let version_zero = |tail: &[u8]| [&[0x80][..], &legacy, tail].concat();
    let decoded = read(&version_zero(&[0]), &claim).unwrap();
    assert!(claim.is_done_by(&decoded));
    assert_eq!(decoded.bytes(), version_zero(&[0]));
    assert_eq!(
        decoded.effects(),
        read(&legacy, &claim).unwrap().effects(),
        "the same effects, the same fee"
    );
    let table = [&[1][..], &[7; 32], &[1, 0], &[0]].concat();
    let refused = |bytes: &[u8]| read(bytes, &claim).map(drop).unwrap_err();
    let solana = DecodeError::Solana;
    assert_eq!(
        refused(&version_zero(&table)),
        solana(SolanaError::LookupTable)
    );
    // Also a table of which nothing is taken, one behind it, a list in its long form, and none at all.
    let empty = [&[1][..], &[7; 32], &[0], &[0]].concat();
    assert_eq!(
        refused(&version_zero(&empty)),
        solana(SolanaError::LookupTable)
    );
    for tail in [&[0, 0][..], &[0x80, 0], &[1], &[]] {
        let error = refused(&version_zero(tail));
        let known = [SolanaError::Malformed, SolanaError::NotCanonical].map(solana);
        assert!(known.contains(&error), "{tail:?} {error:?}");
    }
    for version in 0x81..=0xff_u8 {
        let other = [&[version][..], &legacy, &[0]].concat();
        assert!(read(&other, &claim).is_err(), "{version:#x}");
    }
}
