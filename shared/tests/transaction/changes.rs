//! Every small change of a valid transaction: each byte, each length, each first byte, each
//! discriminator.

use waiaas_shared::evm::EvmError;
use waiaas_shared::solana::SolanaError;
use waiaas_shared::transaction::DecodeError;

use crate::reference::{Reference, evm_fields};
use crate::{evm_bytes, read_evm, read_solana, solana_bytes, token_bytes, version_zero_bytes};

/// Every change of one byte is refused, or falls into a field whose every value is described.
#[test]
fn single_byte_changes_solana() {
    for (original, shift) in [(solana_bytes(), 0), (version_zero_bytes(), 1)] {
        let before = Reference::of(&read_solana(&original).unwrap());
        let field = |from: usize, to: usize| from + shift..to + shift;
        let (recipient, blockhash) = (field(36, 68), field(132, 164));
        let (limit, price) = (field(169, 173), field(177, 185));
        let lamports = field(194, 202);
        let mut accepted = 0;
        for position in 0..original.len() {
            for value in 0..=255_u8 {
                let mut changed = original.clone();
                changed[position] = value;
                let (Ok(decoded), true) = (read_solana(&changed), changed != original) else {
                    continue;
                };
                accepted += 1;
                let after = Reference::of(&decoded);
                assert_eq!(after, Reference::solana(&changed), "{position} {value}");
                let (to_before, to_after) = (before.transfers[0], after.transfers[0]);
                if recipient.contains(&position) {
                    assert_ne!(to_before.0, to_after.0);
                } else if lamports.contains(&position) {
                    assert_ne!(to_before.1, to_after.1);
                } else if blockhash.contains(&position) {
                    assert_eq!(before, after);
                } else {
                    assert!(
                        limit.contains(&position) || price.contains(&position),
                        "byte {position} became {value} and was accepted"
                    );
                    assert_eq!(before.transfers, after.transfers);
                }
            }
        }
        assert!(accepted > 72 * 200, "the free fields are free: {accepted}");
    }
}

#[test]
fn single_byte_changes_evm() {
    let original = evm_bytes();
    let before = Reference::of(&read_evm(&original).unwrap());
    let fields = evm_fields(&original);
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            let (Ok(decoded), true) = (read_evm(&changed), changed != original) else {
                continue;
            };
            accepted += 1;
            let after = Reference::of(&decoded);
            assert_eq!(after, Reference::evm(&changed), "{position} {value}");
            // The nonce is zero, 0x80, one byte of its own: a changed one is another number.
            let nonce = fields[1].0 - 1;
            if position == nonce {
                assert_eq!(decoded.account_nonce(), Some(value.into()));
                assert_eq!(
                    decoded.require_zero_nonce(),
                    Err(EvmError::NonceNotZero.into())
                );
                continue;
            }
            let index = fields
                .iter()
                .position(|(start, end)| (*start..*end).contains(&position))
                .unwrap_or_else(|| panic!("byte {position} became {value} and was accepted"));
            match index {
                2 => assert_eq!(before, after, "the tip is inside of the fee"),
                3 | 4 => {
                    assert_ne!(before.fee, after.fee);
                    assert_eq!(before.transfers, after.transfers);
                }
                5 => assert_ne!(before.transfers[0].0, after.transfers[0].0),
                6 => assert_ne!(before.transfers[0].1, after.transfers[0].1),
                _ => panic!("field {index} became {value} and was accepted"),
            }
        }
    }
    assert!(accepted > 27 * 200, "the free fields are free: {accepted}");
}

/// Of a token call only fee, contract, recipient, number and amount can change, and each change is
/// described.
#[test]
fn single_byte_changes_token_calls() {
    for original in token_bytes() {
        let before = Reference::of(&read_evm(&original).unwrap());
        let fields = evm_fields(&original);
        let data = fields[7].0;
        let word = |number: usize| data + 4 + 32 * number..data + 36 + 32 * number;
        let what = before.token.as_ref().unwrap().what;
        // Which words say who receives, which piece, and how much.
        let (to, id, amount) = match what {
            "erc721" => (1, Some(2), None),
            "erc1155" => (1, Some(2), Some(3)),
            _ => (0, None, Some(1)),
        };
        let (to, id, amount) = (word(to), id.map(word), amount.map(word));
        let mut accepted = 0;
        for position in 0..original.len() {
            for value in 0..=255_u8 {
                let mut changed = original.clone();
                changed[position] = value;
                let (Ok(decoded), true) = (read_evm(&changed), changed != original) else {
                    continue;
                };
                accepted += 1;
                let after = Reference::of(&decoded);
                assert_eq!(after, Reference::evm(&changed), "{position} {value}");
                if position == fields[1].0 - 1 {
                    assert_eq!(decoded.account_nonce(), Some(value.into()));
                    continue;
                }
                let inside = |word: &Option<std::ops::Range<usize>>| {
                    word.as_ref().is_some_and(|word| word.contains(&position))
                };
                let (to_before, to_after) = (before.transfers[0], after.transfers[0]);
                if to.contains(&position) {
                    assert_ne!(to_before.0, to_after.0);
                } else if inside(&amount) {
                    assert_ne!(to_before.1, to_after.1);
                } else if inside(&id) || (fields[5].0..fields[5].1).contains(&position) {
                    assert_ne!(before.token, after.token);
                } else {
                    let fees = fields[2].0..fields[4].1;
                    assert!(
                        fees.contains(&position),
                        "byte {position} became {value} and was accepted"
                    );
                    assert_eq!(before.transfers, after.transfers);
                    assert_eq!(before.token, after.token);
                }
            }
        }
        assert!(accepted > 55 * 200, "the free fields are free: {accepted}");
    }
}

/// Every selector that differs from a known one in one or two bytes, but for the known ones.
#[test]
fn near_selectors_are_unknown() {
    for original in token_bytes() {
        let start = evm_fields(&original)[7].0;
        let known: Vec<Vec<u8>> = token_bytes()
            .iter()
            .map(|bytes| bytes[start..start + 4].to_vec())
            .collect();
        for one in 0..4 {
            for other in 0..4 {
                for flip in 1..=255_u8 {
                    let mut changed = original.clone();
                    changed[start + one] ^= flip;
                    changed[start + other] ^= flip.rotate_left(3);
                    let error = read_evm(&changed).err();
                    if known.contains(&changed[start..start + 4].to_vec()) {
                        // Itself, or the other method of the same form, or one of another length.
                        assert_ne!(error, Some(EvmError::UnknownMethod.into()));
                    } else {
                        assert_eq!(error, Some(EvmError::UnknownMethod.into()));
                    }
                }
            }
        }
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let native = [solana_bytes(), version_zero_bytes(), evm_bytes()];
    for bytes in native.into_iter().chain(token_bytes()) {
        let read = |bytes: &[u8]| (read_solana(bytes).is_ok(), read_evm(bytes).is_ok());
        assert_ne!(read(&bytes), (false, false));
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), (false, false), "{length}");
            assert_eq!(read(&bytes[length + 1..]), (false, false), "{length}");
        }
        for value in 0..=255 {
            assert_eq!(read(&[&bytes[..], &[value]].concat()), (false, false));
            assert_eq!(read(&[&[value], &bytes[..]].concat()), (false, false));
        }
    }
}

#[test]
fn all_first_bytes() {
    for first in 0..=255_u8 {
        let mut bytes = solana_bytes();
        bytes[0] = first;
        let expected = match first {
            1 => None,
            0 | 0x82..=0xff => Some(SolanaError::UnknownVersion),
            2..=0x7f => Some(SolanaError::SignerCount),
            0x80 => Some(SolanaError::Malformed),
            // The header of another form.
            0x81 => Some(SolanaError::Malformed),
        };
        assert_eq!(
            read_solana(&bytes).err(),
            expected.map(DecodeError::Solana),
            "{first:#x}"
        );

        let mut bytes = evm_bytes();
        bytes[0] = first;
        let expected = match first {
            2 => None,
            1 => Some(EvmError::TypeOne),
            3 => Some(EvmError::Blob),
            4 => Some(EvmError::SetCode),
            0xc0..=0xfe => Some(EvmError::Legacy),
            _ => Some(EvmError::UnknownType),
        };
        assert_eq!(
            read_evm(&bytes).err(),
            expected.map(DecodeError::Evm),
            "{first:#x}"
        );
    }
}

/// All discriminators of both programs, each with every data length up to 40.
#[test]
fn all_discriminators() {
    let original = solana_bytes();
    for discriminator in 0..=255_u8 {
        for length in 0..=40_u8 {
            // The System instruction stands last: 189 is its data length, 190 its data.
            let mut system = original[..190].to_vec();
            system[189] = length;
            let mut data = [0_u8; 40];
            data[0] = discriminator;
            system.extend(&data[..usize::from(length)]);
            assert_eq!(
                read_solana(&system).is_ok(),
                (discriminator, length) == (2, 12),
                "System {discriminator} with {length} bytes"
            );

            // The unit limit: 167 is its data length, 168 to 173 its data. The unit price follows.
            let mut budget = original[..168].to_vec();
            budget[167] = length;
            budget.extend(&data[..usize::from(length)]);
            budget.extend(&original[173..]);
            assert_eq!(
                read_solana(&budget).is_ok(),
                (discriminator, length) == (2, 5),
                "ComputeBudget {discriminator} with {length} bytes"
            );
        }
    }
}

/// Program ids that differ in one bit from the two that are known.
#[test]
fn near_programs_are_unknown() {
    for program in [68, 100] {
        for bit in 0..256 {
            let mut bytes = solana_bytes();
            bytes[program + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                read_solana(&bytes),
                Err(SolanaError::UnknownProgram.into()),
                "{program} {bit}"
            );
        }
    }
}
