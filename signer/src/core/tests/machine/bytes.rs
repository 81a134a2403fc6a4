//! Bytes that a gateway proposes for what was asked, spoilt in one way or another, and what must come of it.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::{AccountId, ChainId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::evm::UnsignedTransaction;

use super::expect::Expect;
use super::step::Spoilt;
use crate::model::asking::{Asking, Does, Part};
use crate::model::decoder::{Done, wanted};
use crate::model::people::{Terms, account, bytes, proposed};

/// How these bytes can be spoilt: what means nothing for them is a byte too many.
pub(super) fn spoilt_as(spoilt: Spoilt, asking: &Asking) -> Spoilt {
    let evm = matches!(asking.chain, ChainId::Evm(_));
    let coins = asking.told.is_none() && asking.asset() == asking.native();
    match spoilt {
        Spoilt::NonceOne | Spoilt::OtherNetwork if !evm => Spoilt::TrailingByte,
        Spoilt::OtherMemo if evm || asking.ran.is_some() => Spoilt::TrailingByte,
        Spoilt::Dirty if !evm || coins => Spoilt::TrailingByte,
        _ => spoilt,
    }
}

/// Only what is wrong with bytes.
pub(super) fn of_bytes(spoilt: Spoilt, asking: &Asking) -> Spoilt {
    match spoilt_as(spoilt, asking) {
        kept @ (Spoilt::OtherRecipient
        | Spoilt::OtherAmount
        | Spoilt::TrailingByte
        | Spoilt::NonceOne
        | Spoilt::OtherNetwork
        | Spoilt::Hidden
        | Spoilt::OtherMemo
        | Spoilt::Dirty) => kept,
        _ => Spoilt::Not,
    }
}

/// What is done instead of what was asked.
fn instead(asking: &Asking, spoilt: Spoilt) -> Asking {
    let mut other = asking.clone();
    let chain = asking.chain;
    let evm = matches!(chain, ChainId::Evm(_));
    if let Some(ran) = &mut other.ran {
        match spoilt {
            Spoilt::OtherRecipient => {
                // Behind the wallet stand others; alone it is another program's call.
                match ran.places.last_mut() {
                    Some((key, _)) => key[31] ^= 1,
                    None => ran.data.push(1),
                }
            }
            Spoilt::OtherAmount => {
                if let Some(last) = ran.data.last_mut() {
                    *last ^= 1;
                }
            }
            Spoilt::Hidden => {
                if let Some((_, writable)) = ran.places.last_mut() {
                    *writable ^= true;
                }
            }
            _ => {}
        }
        return other;
    }
    match spoilt {
        Spoilt::OtherRecipient => {
            if let Some(part) = other.parts.last_mut() {
                part.to = next(&part.to);
            }
            if other.told.is_some()
                && let Some(part) = other.parts.first_mut()
            {
                part.to = next(&part.to);
            }
        }
        Spoilt::OtherAmount => match (&mut other.told, other.parts.last_mut()) {
            (Some(told), _) => {
                // The lowest bit of whatever stands last.
                if let Some(last) = told.words.last_mut() {
                    last[if told.function.ends_with("bytes4)") {
                        3
                    } else {
                        31
                    }] ^= 1;
                }
            }
            (None, Some(part)) => part.amount += 1,
            (None, None) => {}
        },
        Spoilt::Hidden if evm => {
            if let Some(part) = other
                .parts
                .first_mut()
                .filter(|part| part.does != Does::LetsTake)
            {
                part.amount += u128::from(part.asset == chain.native_asset());
            }
        }
        Spoilt::Hidden => other.parts.push(Part {
            does: Does::Pays,
            asset: chain.native_asset(),
            to: account(chain, 2),
            amount: 1,
        }),
        Spoilt::OtherMemo => {
            other.memo = match &asking.memo {
                None => Some("added".to_owned()),
                Some(text) if text.ends_with('1') => None,
                Some(text) => Some(format!("{text}0")),
            };
        }
        _ => {}
    }
    other
}

/// Whoever has the address behind.
fn next(to: &AccountId) -> AccountId {
    let mut changed = bytes(&to.account());
    changed.iter_mut().for_each(|byte| *byte += 1);
    let account = match to.account() {
        Account::Evm(_) => Account::Evm(EvmAddress::from_bytes(
            changed.try_into().expect("an address"),
        )),
        Account::Solana(_) => {
            let changed = changed.try_into().expect("an address");
            Account::Solana(waiaas_shared::address::SolanaAddress::from_bytes(changed))
        }
    };
    AccountId::new(to.chain(), account).expect("of the family")
}

/// Bytes at a price, of which `tip` wei are for the block's producer.
pub(super) fn propose(
    from: &Account,
    asking: &Asking,
    (price, tip): (u64, u128),
    salt: u64,
    spoilt: Spoilt,
) -> Vec<u8> {
    let other = instead(asking, spoilt);
    if let (Spoilt::OtherNetwork, ChainId::Evm(id)) = (spoilt, other.chain) {
        // The bytes name the number; the parts stay what they are.
        return on_another(&other, id + 1, (price, tip));
    }
    let evm = matches!(other.chain, ChainId::Evm(_));
    let is_token = |part: &Part| matches!(part.asset.token(), Token::Erc20(_));
    let token = other.told.is_none() && other.parts.first().is_some_and(is_token);
    if evm && ((spoilt == Spoilt::Hidden && token) || spoilt == Spoilt::Dirty) {
        return told(&other, spoilt, (price, tip));
    }
    let terms = Terms {
        price,
        salt,
        nonce: u64::from(spoilt == Spoilt::NonceOne),
    };
    let mut bytes = proposed(from, &other, terms, tip);
    if spoilt == Spoilt::TrailingByte {
        bytes.push(0);
    }
    bytes
}

fn on_another(asking: &Asking, chain_id: u64, (price, tip): (u64, u128)) -> Vec<u8> {
    let (to, value, data) = message(asking);
    encoded(chain_id, to, (value, data), (price, tip))
}

/// A call with coins attached that it must not have, or with a bit set where an address has none.
fn told(asking: &Asking, spoilt: Spoilt, prices: (u64, u128)) -> Vec<u8> {
    let ChainId::Evm(chain_id) = asking.chain else {
        panic!("a call on an EVM chain")
    };
    let (to, value, mut data) = message(asking);
    if spoilt == Spoilt::Hidden {
        return encoded(chain_id, to, (1, data), prices);
    }
    let function = asking
        .told
        .as_ref()
        .map_or("", |told| told.function.as_str());
    // Tokens are told whom first.
    let place = match function {
        "deposit(uint256,address)" | "sweep(uint256,address)" => 1,
        _ => 0,
    };
    let first = 4 + 32 * place;
    // Of a choice what stands behind it is no part of it.
    let behind = if function.ends_with("bytes4)") {
        32 + 4
    } else {
        0
    };
    if let Some(byte) = data.get_mut(first + behind) {
        *byte |= 0x80;
    }
    encoded(chain_id, to, (value, data), prices)
}

fn message(asking: &Asking) -> (EvmAddress, u128, Vec<u8>) {
    let (to, value, data) = match wanted(asking).pop() {
        Some(Done::Coins { to, amount }) => (to, amount, Vec::new()),
        Some(Done::Told { to, value, data }) => (to, value, data),
        other => panic!("{other:?} on an EVM chain"),
    };
    let to = EvmAddress::from_bytes(to.try_into().expect("an address"));
    (to, value, data)
}

fn encoded(
    chain_id: u64,
    to: EvmAddress,
    (value, data): (u128, Vec<u8>),
    (price, tip): (u64, u128),
) -> Vec<u8> {
    UnsignedTransaction {
        chain_id,
        nonce: 0,
        max_priority_fee_per_gas: tip,
        max_fee_per_gas: price.into(),
        gas_limit: 21_000,
        to,
        value,
        data,
    }
    .encode()
}

/// What must come of bytes that are spoilt like this.
///
/// `written`: the accounts that bytes of a program's call were built with, each with its right, where another document
/// may say otherwise since.
pub(super) fn spoilt_bytes(
    spoilt: Spoilt,
    asking: &Asking,
    written: Option<&[([u8; 32], bool)]>,
    expect: &mut Expect,
) {
    if let Some(ran) = &asking.ran {
        // One account has one right wherever it stands, and who pays the fee is written.
        let written = written.unwrap_or(&ran.places);
        let has = |key: &[u8; 32]| {
            let mut places = written.iter();
            *key == ran.from || places.any(|(other, right)| other == key && *right)
        };
        let uneven = ran.places.iter().any(|(key, right)| has(key) != *right);
        expect.when(uneven, Code::TransactionUndecodable);
        return match spoilt {
            Spoilt::OtherRecipient | Spoilt::OtherAmount | Spoilt::Hidden => {
                // Which of the two is the method's form to say.
                expect.when(true, Code::BodyMismatch);
                expect.when(true, Code::TransactionUndecodable);
            }
            Spoilt::TrailingByte => expect.when(true, Code::TransactionUndecodable),
            _ => {}
        };
    }
    let evm = matches!(asking.chain, ChainId::Evm(_));
    let coins = asking.told.is_none() && asking.asset() == asking.native();
    let code = match spoilt {
        // Another contract's function is nobody's.
        Spoilt::OtherRecipient if asking.told.is_some() => Code::TransactionUndecodable,
        // Whose a Solana token account is, is known of those who were named.
        Spoilt::OtherRecipient if !evm && !known_after(asking) => Code::TransactionUndecodable,
        Spoilt::Hidden if evm && asking.told.is_none() && !coins => Code::TransactionUndecodable,
        Spoilt::OtherRecipient | Spoilt::OtherAmount | Spoilt::Hidden | Spoilt::OtherMemo => {
            Code::BodyMismatch
        }
        Spoilt::TrailingByte | Spoilt::OtherNetwork | Spoilt::Dirty => Code::TransactionUndecodable,
        Spoilt::NonceOne => Code::NonceNotZero,
        _ => return,
    };
    expect.when(true, code);
}

/// Whether the next one after the last recipient was named too, or is paid in coins.
fn known_after(asking: &Asking) -> bool {
    asking.parts.last().is_none_or(|part| {
        let other = next(&part.to);
        part.asset == asking.native() || asking.parts.iter().any(|part| part.to == other)
    })
}
