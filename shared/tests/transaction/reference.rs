//! A second reader of both wire forms that shares no code with the decoders. It trusts its input to be
//! canonical and only says what the bytes do; anything unexpected is a panic.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::{Token, TokenId};
use waiaas_shared::effect::Effect;
use waiaas_shared::transaction::DecodedTransaction;

/// What a transaction does: recipients with amounts, and the worst-case fee.
#[derive(Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) transfers: Vec<(Account, u128)>,
    pub(crate) fee: u128,
    /// What moves in place of the chain's coin, or may be taken.
    pub(crate) token: Option<Called>,
}

/// A token's contract as it is called.
#[derive(Debug, PartialEq)]
pub(crate) struct Called {
    pub(crate) contract: EvmAddress,
    /// `erc20`, `approve`, `erc721` or `erc1155`.
    pub(crate) what: &'static str,
    /// Which piece, as 64 hexadecimal digits.
    pub(crate) id: Option<String>,
}

impl Reference {
    pub(crate) fn of(decoded: &DecodedTransaction) -> Self {
        let (fee, transfers) = decoded.effects().split_last().unwrap();
        let Effect::Fee { max, .. } = fee else {
            panic!("the last effect is the fee")
        };
        assert_eq!(*max, decoded.fee_max());
        let mut token = None;
        let transfers = transfers
            .iter()
            .map(|effect| {
                let (asset, to, amount, approval) = match effect {
                    Effect::Transfer { asset, to, amount } => (asset, to, amount, false),
                    Effect::Approval {
                        asset,
                        spender,
                        amount,
                    } => (asset, spender, amount, true),
                    _ => panic!("one fee, transfers and approvals: {effect:?}"),
                };
                assert_eq!(asset.chain(), decoded.chain());
                let called = |contract, what, id: Option<TokenId>| Called {
                    contract,
                    what,
                    id: id.map(|id| hex::encode(id.as_bytes())),
                };
                token = match (asset.token(), approval) {
                    (Token::Native, false) => None,
                    (Token::Erc20(contract), false) => Some(called(contract, "erc20", None)),
                    (Token::Erc20(contract), true) => Some(called(contract, "approve", None)),
                    (Token::Erc721(contract, id), false) => {
                        Some(called(contract, "erc721", Some(id)))
                    }
                    (Token::Erc1155(contract, id), false) => {
                        Some(called(contract, "erc1155", Some(id)))
                    }
                    _ => panic!("not understood: {effect:?}"),
                };
                (*to, amount.base_units())
            })
            .collect();
        Self {
            transfers,
            fee: max.base_units(),
            token,
        }
    }

    /// Reads a message by position.
    pub(crate) fn solana(bytes: &[u8]) -> Self {
        let mut rest = bytes.strip_prefix(&[0x80]).unwrap_or(bytes);
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at(count);
            rest = left;
            taken.to_vec()
        };
        assert_eq!(take(1), [1]);
        take(2);
        let accounts: Vec<[u8; 32]> = (0..take(1)[0])
            .map(|_| take(32).try_into().unwrap())
            .collect();
        take(32);
        let (mut transfers, mut limit, mut price, mut units) = (Vec::new(), None, 0_u128, 0_u128);
        for _ in 0..take(1)[0] {
            let program = accounts[usize::from(take(1)[0])];
            let count = take(1)[0];
            let uses = take(count.into());
            let length = take(1)[0];
            let data = take(length.into());
            if program == [0; 32] {
                units += 200_000;
                assert_eq!(data[..4], [2, 0, 0, 0]);
                assert_eq!(accounts[usize::from(uses[0])], accounts[0]);
                let to = SolanaAddress::from_bytes(accounts[usize::from(uses[1])]);
                let lamports = u64::from_le_bytes(data[4..].try_into().unwrap());
                transfers.push((Account::Solana(to), u128::from(lamports)));
            } else if data[0] == 2 {
                let units = u32::from_le_bytes(data[1..].try_into().unwrap());
                limit = Some(u128::from(units));
            } else {
                units += 3_000;
                price = u64::from_le_bytes(data[1..].try_into().unwrap()).into();
            }
        }
        if bytes[0] == 0x80 {
            assert_eq!(take(1), [0]);
        }
        assert!(rest.is_empty());
        let units = limit.unwrap_or(units.min(1_400_000));
        Self {
            transfers,
            fee: 5000 + (units * price).div_ceil(1_000_000),
            token: None,
        }
    }

    /// Reads the nine fields by position.
    pub(crate) fn evm(bytes: &[u8]) -> Self {
        let fields = evm_fields(bytes);
        let number = |index: usize| {
            let (start, end): (usize, usize) = fields[index];
            bytes[start..end]
                .iter()
                .fold(0_u128, |number, byte| (number << 8) + u128::from(*byte))
        };
        let address = |bytes: &[u8]| EvmAddress::from_bytes(bytes.try_into().unwrap());
        let (start, end) = fields[5];
        let to = address(&bytes[start..end]);
        let fee = number(3) * number(4);
        let (start, end) = fields[7];
        let data = hex::encode(&bytes[start..end]);
        if data.is_empty() {
            return Self {
                transfers: vec![(Account::Evm(to), number(6))],
                fee,
                token: None,
            };
        }
        // A word is 64 digits; an address its last 40, a number of 128 bits its last 32.
        assert_eq!(number(6), 0);
        let (selector, words) = data.split_at(8);
        let words: Vec<&str> = (0..words.len() / 64)
            .map(|at| &words[at * 64..][..64])
            .collect();
        let account = |word: &str| {
            assert_eq!(word[..24], "0".repeat(24));
            address(&hex::decode(&word[24..]).unwrap())
        };
        let amount = |word: &str| {
            assert_eq!(word[..32], "0".repeat(32));
            u128::from_str_radix(&word[32..], 16).unwrap()
        };
        let own = |word: &str| assert_eq!(account(word), crate::evm_wallet());
        let (what, other, id, amount) = match (selector, &words[..]) {
            ("a9059cbb", [other, units]) => ("erc20", other, None, amount(units)),
            ("095ea7b3", [other, units]) => ("approve", other, None, amount(units)),
            ("42842e0e", [from, other, id]) => {
                own(from);
                ("erc721", other, Some(id), 1)
            }
            ("f242432a", [from, other, id, units, begins, length]) => {
                own(from);
                assert_eq!((amount(begins), amount(length)), (160, 0));
                ("erc1155", other, Some(id), amount(units))
            }
            _ => panic!("no method {data}"),
        };
        assert_eq!(data.len(), 8 + 64 * words.len());
        Self {
            transfers: vec![(Account::Evm(account(other)), amount)],
            fee,
            token: Some(Called {
                contract: to,
                what,
                id: id.map(ToString::to_string),
            }),
        }
    }
}

/// Where the content of each field lies.
pub(crate) fn evm_fields(bytes: &[u8]) -> Vec<(usize, usize)> {
    assert_eq!(bytes[0], 2);
    let mut at = match bytes[1] {
        0xf9 => 4,
        0xf8 => 3,
        _ => 2,
    };
    let mut fields = Vec::new();
    while at < bytes.len() {
        let (skip, length) = match bytes[at] {
            byte if byte < 0x80 => (0, 1),
            byte @ 0x80..=0xb7 => (1, usize::from(byte - 0x80)),
            0xb8 => (2, usize::from(bytes[at + 1])),
            byte @ 0xc0..=0xf7 => (1, usize::from(byte - 0xc0)),
            byte => panic!("no field of a transfer is that long: {byte:#x}"),
        };
        fields.push((at + skip, at + skip + length));
        at += skip + length;
    }
    assert_eq!((at, fields.len()), (bytes.len(), 9));
    fields
}
