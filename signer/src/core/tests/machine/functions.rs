//! Functions of contracts that the runs call: some that documents register in one way or another, some that
//! none does, and at whom.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, AssetId};
use waiaas_shared::evm::abi::Word;
use waiaas_shared::policy::document::{Accepts, ArgumentRule, CallFunction, CallRule};
use waiaas_shared::policy::evaluate::Tier;

use super::book::{Book, Wallet};
use crate::model::asking::{Does, Part, Told};
use crate::model::calls::{kinds, word_of};
use crate::model::people::{EVM, recipient, token_on};
use crate::model::random::Random;

/// As Solidity names them: an amount and for whom; an amount and a choice; to whom and how much; and one
/// that nobody registers.
const FUNCTIONS: [&str; 4] = [
    "deposit(uint256,address)",
    "choose(uint256,bytes4)",
    "lend(address,uint128)",
    "sweep(uint256,address)",
];

/// So many of them a document may register.
pub(super) const REGISTERED: usize = 3;

/// Choices that rules list: these two of four.
const LISTED: [[u8; 4]; 2] = [*b"left", *b"upon"];

/// A call as an agent wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    which: usize,
    pub(super) contract: AccountId,
    /// Where it names somebody.
    whom: EvmAddress,
    /// Where it chooses.
    choice: u8,
    pub(super) amount: u128,
    pub(super) value: u128,
}

/// A call as a step says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) which: usize,
    pub(super) at: At,
    /// It names itself, or one of the recipients.
    pub(super) own: bool,
    pub(super) names: u8,
    pub(super) value: u64,
}

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Vault,
    /// A contract that no document names.
    Elsewhere,
    /// A wallet of the signer itself.
    Wallet(usize),
}

impl Call {
    /// As the wallet asks for it now.
    pub(super) fn of(book: &Book, wallet: &Wallet, calls: Calls) -> Self {
        let named = match recipient(EVM, calls.names) {
            Account::Evm(address) => address,
            Account::Solana(_) => panic!("a recipient of the chain"),
        };
        Self {
            which: calls.which,
            contract: contract(book, calls.at),
            whom: if calls.own { address(wallet) } else { named },
            choice: calls.names,
            amount: 0,
            value: calls.value.into(),
        }
    }

    pub(super) fn function(&self) -> &'static str {
        FUNCTIONS[self.which % FUNCTIONS.len()]
    }
}

pub(super) fn vault() -> AccountId {
    at_evm(EvmAddress::from_bytes([0x77; 20]))
}

fn at_evm(address: EvmAddress) -> AccountId {
    AccountId::new(EVM, Account::Evm(address)).expect("of the family")
}

fn address(wallet: &Wallet) -> EvmAddress {
    match wallet.account {
        Account::Evm(address) => address,
        Account::Solana(_) => panic!("contracts are called on EVM chains"),
    }
}

fn contract(book: &Book, at: At) -> AccountId {
    match at {
        At::Vault => vault(),
        At::Elsewhere => at_evm(EvmAddress::from_bytes([0x79; 20])),
        At::Wallet(place) => {
            let evm = book.wallets.iter().map(|wallet| wallet.account);
            let evm: Vec<EvmAddress> = evm
                .filter_map(|account| match account {
                    Account::Evm(address) => Some(address),
                    Account::Solana(_) => None,
                })
                .collect();
            at_evm(evm[place % evm.len()])
        }
    }
}

/// What the contract is told; of what arguments are amounts, if any document says so.
pub(super) fn told(wallet: &Wallet, call: &Call, spends: Option<Vec<Option<AssetId>>>) -> Told {
    let function = call.function();
    let words = kinds(function).map(|kind| match kind {
        "address" => word_of(call.whom.as_bytes()),
        "bytes4" => {
            let choices = [LISTED[0], LISTED[1], *b"none", *b"righ"];
            let mut word = [0; 32];
            word[..4].copy_from_slice(&choices[usize::from(call.choice) % 4]);
            word
        }
        _ => word_of(&call.amount.to_be_bytes()),
    });
    let words: Vec<[u8; 32]> = words.collect();
    Told {
        from: address(wallet),
        function: function.to_owned(),
        spends: spends.unwrap_or_else(|| vec![None; words.len()]),
        words,
    }
}

/// What the call takes: what it carries, and every argument that is an amount.
pub(super) fn parts(told: &Told, contract: AccountId, value: u128) -> Vec<Part> {
    let carries = |asset, amount| Part {
        does: Does::Carries,
        asset,
        to: contract,
        amount,
    };
    let spent = told.words.iter().zip(&told.spends);
    let spent = spent.filter_map(|(word, asset)| {
        let (_, low) = word.split_last_chunk::<16>()?;
        Some(carries((*asset)?, u128::from_be_bytes(*low)))
    });
    let first = carries(contract.chain().native_asset(), value);
    [first].into_iter().chain(spent).collect()
}

/// A word as an agent writes it.
pub(super) fn shown(kind: &str, word: &[u8; 32]) -> String {
    match kind {
        "address" => {
            let mut address = [0; 20];
            address.copy_from_slice(&word[12..]);
            EvmAddress::from_bytes(address).to_string()
        }
        "bytes4" => format!("0x{}", hex::encode(&word[..4])),
        _ => {
            let (_, low) = word.split_last_chunk::<16>().expect("a word");
            u128::from_be_bytes(*low).to_string()
        }
    }
}

/// A function as a document may register it.
pub(super) fn rule(
    random: &mut Random,
    which: usize,
    wallet: Option<EvmAddress>,
    token: bool,
) -> CallRule {
    let function = FUNCTIONS[which % REGISTERED];
    // A wallet must never be called, whoever registered it.
    let target = wallet.map_or_else(vault, at_evm);
    let spends = token_on(EVM);
    let arguments = kinds(function).map(|kind| {
        let accepts = match kind {
            "address" if random.once_in(2) => Accepts::Wallet,
            "bytes4" => {
                let listed = LISTED.map(|choice| {
                    let mut word = [0; 32];
                    word[..4].copy_from_slice(&choice);
                    Word::from_bytes(word)
                });
                Accepts::OneOf(listed.to_vec())
            }
            "uint256" | "uint128" if !random.once_in(4) => {
                let most = random.pick(&[3_000, 50_000, 200_000]).unwrap_or(1);
                Accepts::Max(Word::from_number(most))
            }
            _ => Accepts::Any,
        };
        let amount = kind.starts_with("uint");
        ArgumentRule {
            accepts,
            spends: (amount && token && !random.once_in(3)).then_some(spends),
        }
    });
    let function = CallFunction {
        arguments: arguments.collect(),
        signature: function.parse().expect(function),
    };
    let tier = random.pick(&[Tier::Instant, Tier::Instant, Tier::Notify, Tier::Delay]);
    CallRule {
        value_up_to: Amount::from_base_units(random.pick(&[0, 8, 8]).unwrap_or(0)),
        ..CallRule::of_function(target, function, tier.unwrap_or(Tier::Approval))
    }
}
