//! Programs of Solana that the runs call: two methods of one, of which one begins as the other does, that documents
//! register in one way or another, and one that nobody registers.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AccountId;
use waiaas_shared::policy::document::{
    AccountAccepts, AccountRule, CallProgram, CallRule, FieldAccepts, FieldRule,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::solana::Leaving;

use super::book::Wallet;
use crate::model::asking::{Does, Part, Ran};
use crate::model::decoder::{mint, token_account};
use crate::model::people::{bytes, recipient, solana, token_on};
use crate::model::policy::Asking;
use crate::model::programs::{leaves, misfit, rule_of, shape};
use crate::model::random::Random;
use waiaas_shared::policy::document::PolicyDocument;

/// How the data begins: an amount behind the first, anything behind the second, and one that nobody registers.
const METHODS: [&[u8]; 3] = [&[0x11], &[0x11, 0x22], &[0x99]];
/// So many of them a document may register.
pub(super) const REGISTERED: usize = 2;

/// A call as a step says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) which: usize,
    /// Another program.
    pub(super) elsewhere: bool,
    /// Who stands at each place: what is right there, or something else.
    pub(super) places: [u8; 3],
    /// One account fewer, as many as there are, one more.
    pub(super) more: i8,
    /// So many bytes behind.
    pub(super) behind: usize,
}

/// A call as an agent wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    runs: Runs,
    pub(super) amount: u128,
}

impl Call {
    pub(super) const fn of(runs: Runs) -> Self {
        Self { runs, amount: 0 }
    }

    pub(super) fn program(&self) -> AccountId {
        program(self.runs.elsewhere)
    }

    fn data(&self) -> Vec<u8> {
        let which = self.runs.which % METHODS.len();
        let amount = u64::try_from(self.amount).unwrap_or(u64::MAX).to_le_bytes();
        let said: &[u8] = if which == 1 { &[] } else { &amount };
        [METHODS[which], said, &vec![0x33; self.runs.behind]].concat()
    }

    fn accounts(&self, wallet: &Wallet) -> Vec<[u8; 32]> {
        let own = own(wallet);
        let tokens: [u8; 32] = token_account(&own, &mint()).try_into().expect("an address");
        let [first, second, third] = self.runs.places;
        let vaults = [VAULTS[0], VAULTS[1], [0x73; 32], tokens, own];
        let whom: [u8; 32] = bytes(&recipient(solana(), 1)).try_into().expect("one");
        let vault = vaults[usize::from(second) % vaults.len()];
        let mut accounts = match self.runs.which % METHODS.len() {
            1 => vec![vault],
            _ => vec![
                if first == 0 { own } else { [0x74; 32] },
                vault,
                [[0x61; 32], whom, own, tokens, [0; 32]][usize::from(third) % 5],
            ],
        };
        match self.runs.more {
            -1 => drop(accounts.pop()),
            1 => accounts.push([0x62; 32]),
            _ => {}
        }
        accounts
    }

    /// What the program is told, as the oldest sound document reads it if it can.
    pub(super) fn ran(
        &self,
        wallet: &Wallet,
        mut sound: impl Iterator<Item = impl std::ops::Deref<Target = PolicyDocument>>,
    ) -> (Ran, Vec<Part>) {
        let (data, accounts) = (self.data(), self.accounts(wallet));
        let carries = |asset, amount| Part {
            does: Does::Carries,
            asset,
            to: self.program(),
            amount,
        };
        let native = solana().native_asset();
        let mut parts = vec![carries(native, 0)];
        let mut found = None;
        if let Some(document) = sound.next()
            && let Some(rule) = rule_of(&document, self.program(), &data)
            && misfit(rule, &data, accounts.len()).is_none()
        {
            for (asset, amount) in leaves(rule, &data) {
                if asset == native {
                    parts[0].amount += amount;
                } else {
                    parts.push(carries(asset, amount));
                }
            }
            found = Some(shape(rule));
        }
        // What nobody registered is proposed with the rights of the first method.
        let usual = vec![true, true, false];
        let rights = found.as_ref().map_or(usual, |shape| shape.rights.clone());
        let rights = rights.into_iter().chain(std::iter::repeat(false));
        let ran = Ran {
            from: own(wallet),
            places: accounts.into_iter().zip(rights).collect(),
            data,
            shape: found,
        };
        (ran, parts)
    }
}

const VAULTS: [[u8; 32]; 2] = [[0x71; 32], [0x72; 32]];

fn own(wallet: &Wallet) -> [u8; 32] {
    bytes(&wallet.account)
        .try_into()
        .expect("a wallet of Solana")
}

fn program(elsewhere: bool) -> AccountId {
    let address = if elsewhere { [0xd8; 32] } else { [0xd7; 32] };
    let account = Account::Solana(SolanaAddress::from_bytes(address));
    AccountId::new(solana(), account).expect("of the family")
}

/// The part of a body that says it.
pub(super) fn fields(asking: &Asking) -> String {
    let ran = asking.ran.as_ref().expect("a call");
    let called = asking.called().expect("a program");
    let accounts = ran.places.iter();
    let accounts: Vec<String> = accounts
        .map(|(key, _)| format!(r#""{}""#, SolanaAddress::from_bytes(*key)))
        .collect();
    format!(
        r#""type":"call","program":"{}","data":"0x{}","accounts":[{}]"#,
        called.account(),
        hex::encode(&ran.data),
        accounts.join(","),
    )
}

/// A method as a document may register it.
pub(super) fn rule(random: &mut Random, which: usize, token: bool) -> CallRule {
    let place = |accepts, writable| AccountRule { accepts, writable };
    let key = SolanaAddress::from_bytes;
    let mut vaults = VAULTS.map(key).to_vec();
    if random.once_in(3) {
        vaults.truncate(1);
    }
    let vault = AccountAccepts::OneOf(vaults);
    let writable = !random.once_in(5);
    let program = if which.is_multiple_of(REGISTERED) {
        let most = random.pick(&[3_000, 50_000, 200_000]).unwrap_or(1);
        CallProgram {
            accounts: vec![
                place(AccountAccepts::Wallet, true),
                place(vault, writable),
                place(AccountAccepts::Any, false),
            ],
            fields: vec![FieldRule {
                kind: "u64".parse().expect("a type"),
                accepts: if random.once_in(4) {
                    FieldAccepts::Any
                } else {
                    FieldAccepts::Max(Amount::from_base_units(most))
                },
                spends: (token && !random.once_in(3)).then(|| token_on(solana())),
            }],
            tail: 1,
            outflow: vec![Leaving {
                asset: solana().native_asset(),
                up_to: Amount::from_base_units(random.pick(&[500, 500, 40_000]).unwrap_or(1)),
            }],
        }
    } else {
        CallProgram {
            accounts: vec![place(vault, writable)],
            fields: Vec::new(),
            tail: 4,
            outflow: Vec::new(),
        }
    };
    let tiers = [Tier::Instant, Tier::Instant, Tier::Notify, Tier::Delay];
    let tier = random.pick(&tiers).unwrap_or(Tier::Approval);
    let method = METHODS[which % REGISTERED].to_vec();
    CallRule::of_program(self::program(false), method, program, tier)
}
