//! Transfers of tokens: every small change of a valid one, every discriminator of both programs, and what
//! the decoder is told besides the bytes, which never makes them do more.

use proptest::prelude::*;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::effect::Effect;
use waiaas_shared::solana::build::{TokenTransferRequest, token_transfer};
use waiaas_shared::solana::{SolanaError, Token, TokenProgram};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use crate::{solana_chain, solana_wallet};

const AMOUNT: u64 = 0x0102_0304_0506_0708;

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

fn token(program: TokenProgram) -> Token {
    let byte = match program {
        TokenProgram::Token => 0xc1,
        TokenProgram::Token2022 => 0xc2,
    };
    Token {
        mint: address(byte),
        decimals: 6,
        program,
    }
}

fn asset(token: &Token) -> AssetId {
    let mint = waiaas_shared::caip::Token::Mint(token.mint);
    AssetId::new(solana_chain(), mint).unwrap()
}

fn request(program: TokenProgram, create: bool) -> TokenTransferRequest {
    TokenTransferRequest {
        from: solana_wallet(),
        to: address(0xa1),
        token: token(program),
        amount: AMOUNT,
        create,
        blockhash: [0xb2; 32],
        compute_unit_limit: 40_000,
        micro_lamports_per_compute_unit: 100_000,
    }
}

/// Both programs, with the recipient's account and without it.
fn requests() -> impl Iterator<Item = TokenTransferRequest> {
    let programs = TokenProgram::ALL.into_iter();
    programs.flat_map(|program| [false, true].map(|create| request(program, create)))
}

fn tokens() -> [Token; 2] {
    TokenProgram::ALL.map(token)
}

fn read(
    bytes: &[u8],
    owners: &[Account],
    tokens: &[Token],
) -> Result<DecodedTransaction, DecodeError> {
    let known = Known {
        owners,
        tokens,
        ..Known::NOTHING
    };
    decode(
        solana_chain(),
        Account::Solana(solana_wallet()),
        bytes,
        known,
    )
}

/// With two who may receive, and both tokens.
fn read_known(bytes: &[u8]) -> Result<DecodedTransaction, DecodeError> {
    let owners = [0xa1, 0xa2].map(|byte| Account::Solana(address(byte)));
    read(bytes, &owners, &tokens())
}

fn lamports(units: u64) -> Amount {
    Amount::from_base_units(units.into())
}

/// The effects that a request stands for.
fn expected(request: &TokenTransferRequest) -> Vec<Effect> {
    let native = solana_chain().native_asset();
    let price = u128::from(request.micro_lamports_per_compute_unit);
    let priority = (u128::from(request.compute_unit_limit) * price).div_ceil(1_000_000);
    let rent = request.create.then(|| Effect::Rent {
        asset: native,
        amount: lamports(match request.token.program {
            TokenProgram::Token => 2_039_280,
            TokenProgram::Token2022 => 2_220_240,
        }),
    });
    let transfer = Effect::Transfer {
        asset: asset(&request.token),
        to: Account::Solana(request.to),
        amount: lamports(request.amount),
    };
    let fee = Effect::Fee {
        asset: native,
        max: Amount::from_base_units(5000 + priority),
    };
    rent.into_iter().chain([transfer, fee]).collect()
}

/// Where the fields lie whose every value is described: blockhash, unit limit, unit price, amount.
fn free(bytes: &[u8]) -> [std::ops::Range<usize>; 4] {
    let blockhash = 4 + 32 * usize::from(bytes[3]);
    let settings = blockhash + 33;
    let length = bytes.len();
    [
        blockhash..blockhash + 32,
        settings + 4..settings + 8,
        settings + 12..settings + 20,
        // The transfer stands last: amount, then decimals.
        length - 9..length - 1,
    ]
}

#[test]
fn what_is_built_is_read_back() {
    for request in requests() {
        let bytes = token_transfer(&request).unwrap();
        let decoded = read_known(&bytes).unwrap();
        assert_eq!(decoded.effects(), expected(&request), "{request:?}");
        assert_eq!(decoded.bytes(), bytes);
    }
}

/// Every change of one byte is refused, or falls into a field whose every value is described.
#[test]
fn single_byte_changes_tokens() {
    for request in requests() {
        let original = token_transfer(&request).unwrap();
        let [blockhash, limit, price, amount] = free(&original);
        let mut accepted = 0;
        for position in 0..original.len() {
            for value in 0..=255_u8 {
                let mut changed = original.clone();
                changed[position] = value;
                let (Ok(decoded), true) = (read_known(&changed), changed != original) else {
                    continue;
                };
                accepted += 1;
                let number = |field: &std::ops::Range<usize>| {
                    let bytes = changed[field.clone()].iter().rev();
                    bytes.fold(0_u64, |number, byte| (number << 8) + u64::from(*byte))
                };
                assert!(
                    [&blockhash, &limit, &price, &amount]
                        .iter()
                        .any(|field| field.contains(&position)),
                    "byte {position} became {value} and was accepted"
                );
                let described = TokenTransferRequest {
                    amount: number(&amount),
                    compute_unit_limit: u32::try_from(number(&limit)).unwrap(),
                    micro_lamports_per_compute_unit: number(&price),
                    ..request
                };
                assert_eq!(
                    decoded.effects(),
                    expected(&described),
                    "{position} {value}"
                );
            }
        }
        assert!(accepted > 40 * 200, "the free fields are free: {accepted}");
    }
}

#[test]
fn every_truncation_and_extension_of_tokens_is_refused() {
    for request in requests() {
        let bytes = token_transfer(&request).unwrap();
        for length in 0..bytes.len() {
            assert!(read_known(&bytes[..length]).is_err(), "{length}");
            assert!(read_known(&bytes[length + 1..]).is_err(), "{length}");
        }
        for value in 0..=255 {
            assert!(read_known(&[&bytes[..], &[value]].concat()).is_err());
            assert!(read_known(&[&[value], &bytes[..]].concat()).is_err());
        }
    }
}

/// All discriminators of the three programs, each with every data length up to 40: `TransferChecked` and
/// `CreateIdempotent` alone pass, at their own length.
#[test]
fn all_discriminators_of_tokens() {
    for request in requests() {
        let original = token_transfer(&request).unwrap();
        // The transfer's data stands last, and its length before it.
        let transfer = original.len() - 11;
        for discriminator in 0..=255_u8 {
            for length in 0..=40_u8 {
                let mut data = [0_u8; 40];
                data[0] = discriminator;
                data[9] = 6;
                let mut changed = original[..transfer].to_vec();
                changed.push(length);
                changed.extend(&data[..usize::from(length)]);
                assert_eq!(
                    read_known(&changed).is_ok(),
                    (discriminator, length) == (12, 10),
                    "{discriminator} with {length} bytes"
                );
                if request.create {
                    // Before it: program, four accounts with their count; before those, the creation.
                    let creation = transfer - 6 - 2;
                    let mut changed = original[..creation].to_vec();
                    changed.push(length);
                    changed.extend(&data[..usize::from(length)]);
                    changed.extend(&original[creation + 2..]);
                    assert_eq!(
                        read_known(&changed).is_ok(),
                        (discriminator, length) == (1, 1),
                        "{discriminator} with {length} bytes"
                    );
                }
            }
        }
    }
}

/// Program ids, accounts and mints that differ in one bit from the known ones.
#[test]
fn near_accounts_are_refused() {
    for request in requests() {
        let original = token_transfer(&request).unwrap();
        for account in 0..usize::from(original[3]) {
            for bit in 0..256 {
                let mut bytes = original.clone();
                bytes[4 + account * 32 + bit / 8] ^= 1 << (bit % 8);
                assert!(read_known(&bytes).is_err(), "account {account}, bit {bit}");
            }
        }
    }
}

#[test]
fn builders_refuse_what_decoders_refuse_of_tokens() {
    let build = |change: &dyn Fn(&mut TokenTransferRequest)| {
        let mut request = request(TokenProgram::Token, true);
        change(&mut request);
        token_transfer(&request).err()
    };
    assert_eq!(build(&|_| ()), None);
    assert_eq!(
        build(&|request| request.to = request.from),
        Some(SolanaError::DuplicateAccount)
    );
    assert_eq!(
        build(&|request| request.to = request.token.mint),
        Some(SolanaError::DuplicateAccount)
    );
    assert_eq!(
        build(&|request| request.compute_unit_limit = u32::MAX),
        Some(SolanaError::ComputeUnitLimit)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_token_transfer_is_read_back(
        to: [u8; 32], mint: [u8; 32], decimals: u8, amount: u64, blockhash: [u8; 32],
        second: bool, create: bool, compute_unit_limit in 0..=1_400_000_u32, price in 0..1_u64 << 40,
    ) {
        let program = if second { TokenProgram::Token2022 } else { TokenProgram::Token };
        let token = Token { mint: SolanaAddress::from_bytes(mint), decimals, program };
        let request = TokenTransferRequest {
            from: solana_wallet(),
            to: SolanaAddress::from_bytes(to),
            token, amount, create, blockhash, compute_unit_limit,
            micro_lamports_per_compute_unit: price,
        };
        let bytes = token_transfer(&request).unwrap();
        let owner = [Account::Solana(request.to)];
        let decoded = read(&bytes, &owner, &[token]).unwrap();
        prop_assert_eq!(decoded.effects(), expected(&request));
        // Other decimals, the other program, another mint, another owner: nothing passes.
        let other_program = if second { TokenProgram::Token } else { TokenProgram::Token2022 };
        for wrong in [
            Token { decimals: decimals.wrapping_add(1), ..token },
            Token { program: other_program, ..token },
            Token { mint: address(1), ..token },
        ] {
            prop_assert!(read(&bytes, &owner, &[wrong]).is_err());
        }
        prop_assert!(read(&bytes, &[Account::Solana(address(1))], &[token]).is_err());
    }

    /// What the decoder is told makes a comparison succeed or fail. It never changes what bytes do.
    #[test]
    fn claims_add_no_effect(
        change in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        owners in prop::collection::vec(any::<[u8; 32]>(), 0..4),
        place in 0..5_usize, second: bool, create: bool,
    ) {
        let program = if second { TokenProgram::Token2022 } else { TokenProgram::Token };
        let mut bytes = token_transfer(&request(program, create)).unwrap();
        let fields = free(&bytes);
        for (index, value) in change {
            // In the free fields, so that most are accepted.
            let positions: Vec<usize> = fields.iter().flat_map(Clone::clone).collect();
            bytes[*index.get(&positions)] = value;
        }
        let mut claimed: Vec<Account> = owners
            .into_iter()
            .map(|owner| Account::Solana(SolanaAddress::from_bytes(owner)))
            .collect();
        let without = read(&bytes, &claimed, &tokens());
        prop_assert!(without.is_err());
        let place = place.min(claimed.len());
        claimed.insert(place, Account::Solana(address(0xa1)));
        let with = read(&bytes, &claimed, &tokens());
        prop_assert_eq!(&with, &read_known(&bytes));
        if let Ok(decoded) = with {
            let shop = Account::Solana(address(0xa1));
            let mut receivers = decoded.effects().iter().filter_map(Effect::recipient);
            prop_assert!(receivers.all(|to| to == shop));
        }
    }
}
