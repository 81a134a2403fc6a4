//! Generated EVM transactions: the chain's coin, calls of tokens, and calls of functions that an owner
//! registered, written by hand in RLP.

use alloy_primitives::{U256, keccak256};
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::evm::abi::{Function, Kind};
use waiaas_shared::evm::{NetworkTerms, Registered};

use crate::changes_evm;
use crate::random::{Random, blunt};
use crate::verdict::Case;

/// Rules that 4,000 of them break.
pub(crate) const RULES: [&str; 29] = [
    "evm_access_list",
    "evm_blob",
    "evm_call_data_length",
    "evm_call_data_padding",
    "evm_chain_id",
    "evm_contract_creation",
    "evm_cost_overflow",
    "evm_data_fee",
    "evm_field_count",
    "evm_foreign_owner",
    "evm_gas_limit",
    "evm_legacy",
    "evm_malformed",
    "evm_nonce_limit",
    "evm_not_canonical",
    "evm_number_too_large",
    "evm_recipient_is_token",
    "evm_recipient_length",
    "evm_set_code",
    "evm_system_recipient",
    "evm_tip_above_fee",
    "evm_trailing_bytes",
    "evm_transfer_to_self",
    "evm_type_one",
    "evm_unknown_method",
    "evm_unknown_type",
    "evm_unlimited_approval",
    "evm_unprotected",
    "evm_value_with_call",
];

/// An item of RLP.
#[derive(Clone)]
pub(crate) enum Item {
    /// In its canonical form.
    Bytes(Vec<u8>),
    List(Vec<Item>),
    /// As it stands here.
    Raw(Vec<u8>),
}

/// A length in front of a string (0x80) or a list (0xc0).
pub(crate) fn prefix(base: u8, length: usize) -> Vec<u8> {
    if length < 56 {
        return vec![base + u8::try_from(length).unwrap()];
    }
    let digits = trimmed(&length.to_be_bytes());
    let mut bytes = vec![base + 55 + u8::try_from(digits.len()).unwrap()];
    bytes.extend(digits);
    bytes
}

pub(crate) fn trimmed(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect()
}

impl Item {
    pub(crate) fn number(number: u128) -> Self {
        Self::Bytes(trimmed(&number.to_be_bytes()))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Bytes(bytes) if bytes.len() == 1 && bytes[0] < 0x80 => bytes.clone(),
            Self::Bytes(bytes) => [prefix(0x80, bytes.len()), bytes.clone()].concat(),
            Self::List(items) => {
                let payload: Vec<u8> = items.iter().flat_map(Self::encode).collect();
                [prefix(0xc0, payload.len()), payload].concat()
            }
        }
    }
}

/// A transaction before it is bytes.
pub(crate) struct Draft {
    pub(crate) case: Case,
    pub(crate) wallet: [u8; 20],
    /// Type byte; none in the form from before there were types.
    pub(crate) kind: Option<u8>,
    /// Chain, nonce, tip, fee, gas, recipient, value, data, access list.
    pub(crate) fields: Vec<Item>,
    /// These nine are written as a transaction from before there were types, with its chain id (EIP-155).
    pub(crate) legacy: bool,
    /// The length of the list as it is written, if otherwise than it should be.
    pub(crate) long: bool,
    pub(crate) tail: Vec<u8>,
}

impl Draft {
    pub(crate) fn data(&mut self) -> Option<&mut Vec<u8>> {
        match self.fields.get_mut(7) {
            Some(Item::Bytes(data)) => Some(data),
            _ => None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (kind, fields) = match self.fields.as_slice() {
            [chain, nonce, _, fee, gas, to, value, data, _] if self.legacy => {
                let none = Item::Bytes(vec![]);
                let fields = [nonce, fee, gas, to, value, data, chain, &none, &none];
                (None, fields.map(Clone::clone).to_vec())
            }
            fields => (self.kind, fields.to_vec()),
        };
        let payload: Vec<u8> = fields.iter().flat_map(Item::encode).collect();
        let before = if self.long {
            // Its length in two bytes, whatever it is.
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            [&[0xf9][..], &length].concat()
        } else {
            prefix(0xc0, payload.len())
        };
        let kind = kind.map_or(vec![], |kind| vec![kind]);
        [kind, before, payload, self.tail.clone()].concat()
    }
}

/// One that must pass.
pub(crate) fn legal(random: &mut Random) -> Case {
    let draft = draft(random);
    Case {
        unsigned: draft.encode(),
        ..draft.case
    }
}

/// One case: a part as it is, the others changed in what they say, or in their bytes.
pub(crate) fn case(random: &mut Random) -> Case {
    let mut draft = draft(random);
    let way = random.below(100);
    if (35..88).contains(&way) {
        for _ in 0..1 + random.below(2) {
            changes_evm::draft(random, &mut draft);
        }
    }
    let mut bytes = draft.encode();
    if way >= 88 {
        blunt(random, &mut bytes);
    }
    Case {
        unsigned: bytes,
        ..draft.case
    }
}

fn draft(random: &mut Random) -> Draft {
    let wallet: [u8; 20] = random.bytes();
    let id = random.pick(&[1, 10, 137, 8453, 31_337, 42_161, 11_155_111, u64::MAX]);
    let chain = ChainId::Evm(id);
    let mut case = Case::of(chain, Account::Evm(EvmAddress::from_bytes(wallet)));
    // Networks that take a fee for data have one nearly always, others now and then.
    let takes = if matches!(id, 10 | 8453) { 90 } else { 20 };
    case.network = NetworkTerms {
        legacy: random.chance(40),
        data_fee: random
            .chance(takes)
            .then(|| Amount::from_base_units(random.number() >> random.pick(&[60, 90, 120]))),
    };
    let other: [u8; 20] = random.bytes();
    let (to, value, data) = match random.below(6) {
        0 => (
            other,
            random.number() >> random.pick(&[10, 40, 64, 127]),
            vec![],
        ),
        1..=3 => (random.bytes(), 0, token(random, wallet, other)),
        _ => {
            let (known, data) = call(random, chain);
            let to = *known.contract.as_bytes();
            case.function = Some(known);
            let value = random.pick(&[0, 0, 1, 1 << 60]);
            (to, value, data)
        }
    };
    // Something registered also stands beside what does not call it.
    if case.function.is_none() && random.chance(20) {
        case.function = Some(call(random, chain).0);
    }
    let most = if data.is_empty() { 100_000 } else { 500_000 };
    let gas = random.pick(&[21_000, 21_001, 65_000, most]);
    let fee = random.number() >> random.pick(&[24, 64, 90, 127]);
    let tip = random.pick(&[0, fee.min(1), fee / 2, fee]);
    let nonce = if random.chance(2) {
        (1 << 64) - 1
    } else {
        random.pick(&[0, 0, 1, 127, 128, 255, 256, 1 << 32, (1 << 64) - 2])
    };
    Draft {
        // Mostly where the form is registered.
        legacy: random.chance(if case.network.legacy { 50 } else { 4 }),
        case,
        wallet,
        kind: Some(2),
        fields: vec![
            Item::number(id.into()),
            Item::number(nonce),
            Item::number(tip),
            Item::number(fee),
            Item::number(gas),
            Item::Bytes(to.to_vec()),
            Item::number(value),
            Item::Bytes(data),
            Item::List(vec![]),
        ],
        long: false,
        tail: vec![],
    }
}

pub(crate) fn selector(signature: &str) -> [u8; 4] {
    keccak256(signature.as_bytes())[..4].try_into().unwrap()
}

pub(crate) fn right(bytes: &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    word[32 - bytes.len()..].copy_from_slice(bytes);
    word
}

fn data_of(signature: &str, words: &[[u8; 32]]) -> Vec<u8> {
    [&selector(signature)[..], words.as_flattened()].concat()
}

/// A call of a token: a transfer, an approval, a piece, or some of a kind.
fn token(random: &mut Random, wallet: [u8; 20], other: [u8; 20]) -> Vec<u8> {
    let amount = random.number() >> random.pick(&[0, 32, 64, 120]);
    // Two amounts are leave without limit.
    let amount = right(&random.pick(&[0, 1, amount, (1 << 96) - 2]).to_be_bytes());
    let (own, other) = (right(&wallet), right(&other));
    let id: [u8; 32] = random.bytes();
    let id = random.pick(&[id, [0; 32], [0xff; 32], right(&[7])]);
    match random.below(5) {
        0 | 1 => data_of("transfer(address,uint256)", &[other, amount]),
        2 => data_of("approve(address,uint256)", &[other, amount]),
        3 => data_of(
            "safeTransferFrom(address,address,uint256)",
            &[own, other, id],
        ),
        _ => data_of(
            "safeTransferFrom(address,address,uint256,uint256,bytes)",
            &[own, other, id, amount, right(&[160]), right(&[])],
        ),
    }
}

/// A registered function, and a call of it.
pub(crate) fn call(random: &mut Random, chain: ChainId) -> (Registered, Vec<u8>) {
    const KINDS: [&str; 14] = [
        "uint8", "uint96", "uint128", "uint256", "uint256", "int8", "int128", "int256", "address",
        "address", "bool", "bytes1", "bytes4", "bytes32",
    ];
    let kinds: Vec<&str> = (0..random.below(7)).map(|_| random.pick(&KINDS)).collect();
    let name = random.pick(&["deposit", "stake", "f", "_x9"]);
    let function: Function = format!("{name}({})", kinds.join(",")).parse().unwrap();
    let (mut words, mut spends) = (Vec::new(), Vec::new());
    for kind in function.parameters() {
        let asset = AssetId::new(chain, Token::Erc20(EvmAddress::from_bytes(random.bytes())));
        let counted = matches!(kind, Kind::Uint(_)) && random.chance(40);
        spends.push(counted.then(|| asset.unwrap()));
        let bits = if counted { 128 } else { 256 };
        words.push(word(random, *kind, bits));
    }
    let known = Registered {
        contract: EvmAddress::from_bytes(random.bytes()),
        spends,
        function,
    };
    let data = data_of(&known.function.to_string(), &words);
    (known, data)
}

/// A value of a type, often at its edge; of so many bits at most.
fn word(random: &mut Random, kind: Kind, most: usize) -> [u8; 32] {
    let any = U256::from_be_bytes(random.bytes::<32>());
    let below = |bits: usize| U256::MAX >> (256 - bits);
    let numbers =
        |bits: usize, any: U256| [U256::ZERO, U256::from(1), any & below(bits), below(bits)];
    match kind {
        Kind::Uint(bits) => random.pick(&numbers(usize::from(bits).min(most), any)),
        Kind::Int(bits) => {
            let positive = random.pick(&numbers(usize::from(bits) - 1, any));
            // Two's complement: the opposite, less one.
            if random.chance(50) {
                !positive
            } else {
                positive
            }
        }
        Kind::Address => any & below(160),
        Kind::Bool => U256::from(random.byte() % 2),
        Kind::Bytes(32) => any,
        Kind::Bytes(bytes) => any & !(U256::MAX >> (8 * usize::from(bytes))),
    }
    .to_be_bytes()
}
