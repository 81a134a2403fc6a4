//! A second reader of both wire forms that shares no code with the decoders. It trusts its input to be
//! canonical and only says what the bytes do; anything unexpected is a panic.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::effect::Effect;
use waiaas_shared::transaction::DecodedTransaction;

/// What a transaction does: recipients with amounts, and the worst-case fee.
#[derive(Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) transfers: Vec<(Account, u128)>,
    pub(crate) fee: u128,
}

impl Reference {
    pub(crate) fn of(decoded: &DecodedTransaction) -> Self {
        let (fee, transfers) = decoded.effects().split_last().unwrap();
        let Effect::Fee { max, .. } = fee else {
            panic!("the last effect is the fee")
        };
        assert_eq!(*max, decoded.fee_max());
        Self {
            transfers: transfers
                .iter()
                .map(|effect| match effect {
                    Effect::Transfer { to, amount, asset } => {
                        assert_eq!(*asset, decoded.chain().native_asset());
                        (*to, amount.base_units())
                    }
                    _ => panic!("one fee, and transfers: {effect:?}"),
                })
                .collect(),
            fee: max.base_units(),
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
        let (mut transfers, mut limit, mut price, mut others) = (Vec::new(), None, 0_u128, 0_u128);
        for _ in 0..take(1)[0] {
            let program = accounts[usize::from(take(1)[0])];
            let count = take(1)[0];
            let uses = take(count.into());
            let length = take(1)[0];
            let data = take(length.into());
            if program == [0; 32] {
                others += 1;
                assert_eq!(data[..4], [2, 0, 0, 0]);
                assert_eq!(accounts[usize::from(uses[0])], accounts[0]);
                let to = SolanaAddress::from_bytes(accounts[usize::from(uses[1])]);
                let lamports = u64::from_le_bytes(data[4..].try_into().unwrap());
                transfers.push((Account::Solana(to), u128::from(lamports)));
            } else if data[0] == 2 {
                let units = u32::from_le_bytes(data[1..].try_into().unwrap());
                limit = Some(u128::from(units));
            } else {
                price = u64::from_le_bytes(data[1..].try_into().unwrap()).into();
            }
        }
        if bytes[0] == 0x80 {
            assert_eq!(take(1), [0]);
        }
        assert!(rest.is_empty());
        let units = limit.unwrap_or((others * 200_000).min(1_400_000));
        Self {
            transfers,
            fee: 5000 + (units * price).div_ceil(1_000_000),
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
        let (start, end) = fields[5];
        let to = EvmAddress::from_bytes(bytes[start..end].try_into().unwrap());
        Self {
            transfers: vec![(Account::Evm(to), number(6))],
            fee: number(3) * number(4),
        }
    }
}

/// Where the content of each field lies.
pub(crate) fn evm_fields(bytes: &[u8]) -> Vec<(usize, usize)> {
    assert_eq!(bytes[0], 2);
    let mut at = if bytes[1] == 0xf8 { 3 } else { 2 };
    let mut fields = Vec::new();
    while at < bytes.len() {
        let (skip, length) = match bytes[at] {
            byte if byte < 0x80 => (0, 1),
            byte @ 0x80..=0xb7 => (1, usize::from(byte - 0x80)),
            byte @ 0xc0..=0xf7 => (1, usize::from(byte - 0xc0)),
            byte => panic!("no field of a transfer is that long: {byte:#x}"),
        };
        fields.push((at + skip, at + skip + length));
        at += skip + length;
    }
    assert_eq!((at, fields.len()), (bytes.len(), 9));
    fields
}
