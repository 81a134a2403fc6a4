//! The calls of contracts that are understood, by their ABI: `transfer(address,uint256)` and
//! `approve(address,uint256)` of ERC-20, `safeTransferFrom(address,address,uint256)` of ERC-721, and
//! `safeTransferFrom(address,address,uint256,uint256,bytes)` of ERC-1155 without bytes. Strict: one byte
//! sequence for each call, nothing in front, behind or in the padding. Everything else that a contract
//! can do is refused. Judges no value.

use super::{EvmError, Registered};
use crate::address::EvmAddress;
use crate::caip::TokenId;

/// The first four bytes of Keccak-256 over the method's signature.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
const MOVE_PIECE: [u8; 4] = [0x42, 0x84, 0x2e, 0x0e];
const MOVE_KIND: [u8; 4] = [0xf2, 0x42, 0x43, 0x2a];

/// Where the bytes begin that an ERC-1155 transfer may carry: behind its five words.
const BYTES_AT: u128 = 5 * 32;

type Word = [u8; 32];

/// What a token contract is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// ERC-20: moves the caller's tokens.
    Transfer {
        /// Who receives.
        to: EvmAddress,
        /// Base units.
        amount: u128,
    },
    /// ERC-20: lets somebody take the caller's tokens later, in place of what it was let take before.
    Approve {
        /// Who may take them.
        spender: EvmAddress,
        /// Base units.
        amount: u128,
    },
    /// ERC-721: moves one piece.
    MovePiece {
        /// Whose it is.
        from: EvmAddress,
        /// Who receives.
        to: EvmAddress,
        /// Which.
        id: TokenId,
    },
    /// ERC-1155: moves so many of one kind, without a message to the recipient.
    MoveKind {
        /// Whose they are.
        from: EvmAddress,
        /// Who receives.
        to: EvmAddress,
        /// Which.
        id: TokenId,
        /// How many.
        amount: u128,
    },
}

/// The data of a transaction, empty or of a method's own length: nothing longer is ever copied.
pub(super) fn bounded<'a>(
    data: &'a [u8],
    known: Option<&Registered>,
) -> Result<&'a [u8], EvmError> {
    match known {
        _ if data.is_empty() => {}
        Some(known) if !is_known(data) => {
            let function = &known.function;
            if data.first_chunk() != Some(&function.selector()) {
                return Err(EvmError::UnknownMethod);
            }
            if data.len() != function.data_length() {
                return Err(EvmError::CallDataLength);
            }
        }
        _ => {
            method(data)?;
        }
    }
    Ok(data)
}

/// Whether call data begins as one of the methods that are understood here.
pub(super) fn is_known(data: &[u8]) -> bool {
    let known = [TRANSFER, APPROVE, MOVE_PIECE, MOVE_KIND];
    data.first_chunk()
        .is_some_and(|begins| known.contains(begins))
}

/// The selector of a method that is understood, and its words.
fn method(data: &[u8]) -> Result<([u8; 4], &[Word]), EvmError> {
    let (selector, rest) = data.split_first_chunk().ok_or(EvmError::UnknownMethod)?;
    let count = match *selector {
        TRANSFER | APPROVE => 2,
        MOVE_PIECE => 3,
        MOVE_KIND => 6,
        _ => return Err(EvmError::UnknownMethod),
    };
    let (words, behind) = rest.as_chunks();
    if words.len() == count && behind.is_empty() {
        Ok((*selector, words))
    } else {
        Err(EvmError::CallDataLength)
    }
}

impl Call {
    /// Reads call data, and no other form of it.
    pub(super) fn parse(data: &[u8]) -> Result<Self, EvmError> {
        let call = match method(data)? {
            (TRANSFER, [to, amount]) => Self::Transfer {
                to: address(to)?,
                amount: number(amount).ok_or(EvmError::NumberTooLarge)?,
            },
            (APPROVE, [spender, amount]) => Self::Approve {
                spender: address(spender)?,
                amount: number(amount).ok_or(EvmError::UnlimitedApproval)?,
            },
            (MOVE_PIECE, [from, to, id]) => Self::MovePiece {
                from: address(from)?,
                to: address(to)?,
                id: TokenId::from_bytes(*id),
            },
            (MOVE_KIND, [from, to, id, amount, _, _]) => Self::MoveKind {
                from: address(from)?,
                to: address(to)?,
                id: TokenId::from_bytes(*id),
                amount: number(amount).ok_or(EvmError::NumberTooLarge)?,
            },
            _ => return Err(EvmError::CallDataLength),
        };
        // INVARIANT 2. Where the bytes of an ERC-1155 transfer begin and that there are none is checked
        // by this alone; for the rest, the reading above already accepts one form only.
        if call.encode() == data {
            Ok(call)
        } else {
            Err(EvmError::CallDataPadding)
        }
    }

    /// The only form.
    pub(super) fn encode(self) -> Vec<u8> {
        let (selector, words) = match self {
            Self::Transfer { to, amount } => {
                (TRANSFER, vec![address_word(to), number_word(amount)])
            }
            Self::Approve { spender, amount } => {
                (APPROVE, vec![address_word(spender), number_word(amount)])
            }
            Self::MovePiece { from, to, id } => (
                MOVE_PIECE,
                vec![address_word(from), address_word(to), *id.as_bytes()],
            ),
            Self::MoveKind {
                from,
                to,
                id,
                amount,
            } => (
                MOVE_KIND,
                vec![
                    address_word(from),
                    address_word(to),
                    *id.as_bytes(),
                    number_word(amount),
                    number_word(BYTES_AT),
                    number_word(0),
                ],
            ),
        };
        [&selector[..], words.as_flattened()].concat()
    }
}

/// An address stands in the lower 20 bytes of its word; what stands above is ignored by most contracts
/// and is no address by the ABI.
fn address(word: &Word) -> Result<EvmAddress, EvmError> {
    match word.split_last_chunk::<20>() {
        Some((padding, address)) if padding.iter().all(|byte| *byte == 0) => {
            Ok(EvmAddress::from_bytes(*address))
        }
        _ => Err(EvmError::CallDataPadding),
    }
}

/// A number of at most 128 bits.
fn number(word: &Word) -> Option<u128> {
    let (high, low) = word.split_last_chunk::<16>()?;
    high.iter()
        .all(|byte| *byte == 0)
        .then(|| u128::from_be_bytes(*low))
}

fn address_word(address: EvmAddress) -> Word {
    right(address.as_bytes())
}

fn number_word(number: u128) -> Word {
    right(&number.to_be_bytes())
}

/// Bytes at the end of a word of zeros.
fn right(bytes: &[u8]) -> Word {
    let mut word = [0; 32];
    word.iter_mut()
        .rev()
        .zip(bytes.iter().rev())
        .for_each(|(to, from)| *to = *from);
    word
}

#[cfg(test)]
mod tests {
    use super::super::keccak256;
    use super::*;

    #[test]
    fn selectors_are_those_of_the_signatures() {
        for (selector, signature) in [
            (TRANSFER, "transfer(address,uint256)"),
            (APPROVE, "approve(address,uint256)"),
            (MOVE_PIECE, "safeTransferFrom(address,address,uint256)"),
            (
                MOVE_KIND,
                "safeTransferFrom(address,address,uint256,uint256,bytes)",
            ),
        ] {
            assert_eq!(selector, keccak256(signature.as_bytes())[..4]);
        }
    }
}
