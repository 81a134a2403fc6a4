//! What an agent wants, how much of it is at an edge, and the body that asks for it.

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::policy::document::{Accepts, PolicyDocument};

use super::book::{Book, Session};
use super::functions::{self, Call};
use super::programs;
use super::step::{Kind, Pay, Size};
use crate::model::asking::{Does, Part};
use crate::model::calls::{kinds, rule_of};
use crate::model::charges::Charge;
use crate::model::decoder::RENT;
use crate::model::people::{account, recipient, token_on};
use crate::model::policy::{Asking, Numbers};
use crate::model::programs::{misfit, rule_of as programs_of, shape};

/// What an agent wants, before a contact's name is looked up.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) session: SessionId,
    pub(super) wallet: usize,
    pub(super) what: What,
    /// Accounts of recipients that the gateway lets be made, at most.
    pub(super) creates: usize,
    pub(super) fee: u128,
    pub(super) submit: bool,
    /// The payment that it says it replaces.
    pub(super) replaces: Option<TransactionId>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Payments in one transaction, with a memo; written as several or as one.
    Pays {
        items: Vec<Item>,
        several: bool,
        memo: Option<String>,
    },
    LetsTake(Item),
    Calls(Call),
    Runs(programs::Call),
}

/// One payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) to: u8,
    pub(super) by_name: bool,
    pub(super) token: bool,
    pub(super) amount: u128,
}

impl Item {
    fn part(&self, does: Does, chain: ChainId) -> Part {
        let asset = if self.token {
            token_on(chain)
        } else {
            chain.native_asset()
        };
        Part {
            does,
            asset,
            to: account(chain, self.to),
            amount: self.amount,
        }
    }
}

impl What {
    fn items(&self) -> &[Item] {
        match self {
            Self::Pays { items, .. } => items,
            Self::LetsTake(item) => std::slice::from_ref(item),
            Self::Calls(_) | Self::Runs(_) => &[],
        }
    }

    /// The first amount of it.
    fn amount(&mut self) -> &mut u128 {
        match self {
            Self::Pays { items, .. } => &mut items[0].amount,
            Self::LetsTake(item) => &mut item.amount,
            Self::Calls(call) => &mut call.amount,
            Self::Runs(call) => &mut call.amount,
        }
    }
}

/// Who receives tokens, each once.
pub(super) fn token_owners(parts: &[Part]) -> Vec<AccountId> {
    let mut owners = Vec::new();
    for part in parts {
        let token = part.asset != part.asset.chain().native_asset() && part.does != Does::Carries;
        if token && !owners.contains(&part.to) {
            owners.push(part.to);
        }
    }
    owners
}

impl Book {
    /// What a request says, names and functions as the oldest sound document reads them if it can.
    pub(super) fn asked(&self, wanted: &Wanted) -> Asking {
        let wallet = &self.wallets[wanted.wallet];
        let chain = wallet.chain;
        let (mut told, mut ran, mut memo): (_, _, Option<String>) = (None, None, None);
        let parts: Vec<Part> = match &wanted.what {
            What::Pays {
                items, memo: of, ..
            } => {
                memo.clone_from(of);
                let items = items.iter();
                items.map(|item| item.part(Does::Pays, chain)).collect()
            }
            What::LetsTake(item) => vec![item.part(Does::LetsTake, chain)],
            What::Calls(call) => {
                let contract = call.contract;
                let mut sound = self.sound();
                let spends = sound.find_map(|document| {
                    let rule = rule_of(document, contract, call.function())?;
                    let rules = rule.function.iter().flat_map(|it| &it.arguments);
                    Some(rules.map(|rule| rule.spends).collect())
                });
                let said = functions::told(wallet, call, spends);
                let parts = functions::parts(&said, contract, call.value);
                told = Some(said);
                parts
            }
            What::Runs(call) => {
                let (said, parts) = call.ran(wallet, self.sound());
                ran = Some(said);
                parts
            }
        };
        let solana = matches!(chain, ChainId::Solana(_));
        let made = token_owners(&parts).len().min(wanted.creates);
        let made = u128::try_from(if solana { made } else { 0 }).expect("few");
        Asking {
            wallet: wallet.id,
            session: wanted.session,
            bearer: self.session(wanted.session).is_some_and(Session::bearer),
            chain,
            parts,
            told,
            ran,
            memo,
            fee: wanted.fee,
            rent: made * RENT,
            submit: wanted.submit,
            sponsored: false,
        }
    }

    /// Documents that bind and may still mature.
    pub(super) fn sound(&self) -> impl Iterator<Item = &PolicyDocument> {
        let sound = self.binding().iter().filter(|one| one.matures.is_some());
        sound.map(|one| one.document.as_ref())
    }

    /// What a request asks for now, as every sound document reads it: contacts and functions by name, then
    /// amounts.
    pub(super) fn resolve(&self, wanted: &Wanted) -> Result<Asking, Code> {
        let wallet = &self.wallets[wanted.wallet];
        let solana = matches!(wallet.chain, ChainId::Solana(_));
        let asked = self.asked(wanted);
        let several = matches!(&wanted.what, What::Pays { several: true, .. });
        if (several || asked.memo.is_some()) && !solana {
            return Err(Code::SolanaOnly);
        }
        for document in self.sound() {
            for item in wanted.what.items() {
                let name = format!("contact-{}", item.to);
                let to = account(wallet.chain, item.to);
                let mut contacts = document.recipients.iter();
                let known = contacts.any(|one| one.name == name && one.account == to);
                if item.by_name && !known {
                    return Err(Code::RecipientNotListed);
                }
                match &wanted.what {
                    What::LetsTake(_) if solana => return Err(Code::Unsupported),
                    What::Pays { .. } if item.amount == 0 => return Err(Code::AmountInvalid),
                    _ => {}
                }
            }
            if let (Some(ran), Some(program)) = (&asked.ran, asked.called()) {
                let rule = programs_of(document, program, &ran.data);
                let rule = rule.ok_or(Code::CallNotListed)?;
                if let Some(code) = misfit(rule, &ran.data, ran.places.len()) {
                    return Err(code);
                }
                if ran.shape.as_ref() != Some(&shape(rule)) {
                    return Err(Code::CallConflict);
                }
            }
            if let (Some(told), Some(contract)) = (&asked.told, asked.called()) {
                let rule = rule_of(document, contract, &told.function);
                let rule = rule.ok_or(Code::CallNotListed)?;
                let rules = rule.function.iter().flat_map(|it| &it.arguments);
                if !rules
                    .map(|rule| rule.spends)
                    .eq(told.spends.iter().copied())
                {
                    return Err(Code::CallConflict);
                }
            }
        }
        let own = |called: AccountId| {
            let mut wallets = self.wallets.iter();
            wallets.any(|wallet| {
                let mut former = wallet.former.iter();
                wallet.account == called.account()
                    || former.any(|(account, _)| *account == called.account())
            })
        };
        if asked.called().is_some_and(own) {
            return Err(Code::CallTarget);
        }
        Ok(asked)
    }

    /// A mint is known from documents alone.
    pub(super) fn knows_mints(&self, asking: &Asking) -> bool {
        let mut mints = asking
            .parts
            .iter()
            .filter(|part| matches!(part.asset.token(), waiaas_shared::caip::Token::Mint(_)));
        mints.all(|part| {
            self.sound()
                .any(|document| document.assets.iter().any(|rule| rule.asset == part.asset))
        })
    }

    /// Amounts of the asset, costs included, at which a verdict may change.
    fn edges(&self, asking: &Asking, asset: AssetId) -> Vec<u128> {
        let now = self.now().budget;
        let mut found = Vec::new();
        let spent = |window: usize, of: &dyn Fn(&Charge) -> bool| {
            let sum = self
                .charges
                .sum(window, now, None, of, &|one| one.of(asset));
            [sum.least, sum.most]
        };
        let mut edges_of = |numbers: &Numbers, of: &dyn Fn(&Charge) -> bool| {
            found.extend(numbers.per_transaction);
            found.extend(numbers.up_to.into_iter().flatten());
            let windows = numbers.windows.into_iter().enumerate();
            let limits = windows.filter_map(|(window, most)| Some((window, most?)));
            // Rare among all the others: a few times each.
            let thresholds = numbers
                .cumulative
                .iter()
                .flat_map(|(window, above, _)| [(*window, *above); 4]);
            for (window, most) in limits.chain(thresholds) {
                found.extend(spent(window, of).map(|spent| most.saturating_sub(spent)));
            }
        };
        let first = asking.parts.first().map(|part| part.to);
        for one in self.binding() {
            let document: &PolicyDocument = &one.document;
            for rule in document.assets.iter().filter(|rule| rule.asset == asset) {
                let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
                edges_of(&Numbers::from(rule), &of_wallet);
                if let Some(limits) = &rule.recipient {
                    edges_of(&Numbers::from(limits), &|charge| {
                        first.is_some_and(|to| charge.to(asset, to).1 > 0)
                    });
                }
            }
            for entry in document.scopes.iter().flat_map(|scope| &scope.limits) {
                if entry.asset == asset {
                    edges_of(&Numbers::from(&entry.limits), &|_| true);
                    edges_of(&Numbers::from(&entry.limits), &|charge| {
                        charge.session == asking.session
                    });
                }
            }
        }
        if let Some(session) = self.session(asking.session) {
            for limit in session.grant.limits.iter().filter(|one| one.asset == asset) {
                let spent = session.spent.get(&asset).copied().unwrap_or(0);
                found.push(limit.per_transaction.base_units());
                found.push(limit.total.base_units().saturating_sub(spent));
            }
        }
        found.retain(|edge| *edge < 20_000_000);
        found
    }

    /// The most that arguments of a call may be.
    fn argument_edges(&self, asking: &Asking) -> Vec<u128> {
        let (Some(told), Some(contract)) = (&asking.told, asking.called()) else {
            return Vec::new();
        };
        let documents = self.binding().iter();
        let rules = documents.filter_map(|one| rule_of(&one.document, contract, &told.function));
        let rules = rules.flat_map(|rule| rule.function.iter().flat_map(|it| &it.arguments));
        rules
            .filter_map(|rule| match &rule.accepts {
                Accepts::Max(most) => most.number(),
                _ => None,
            })
            .collect()
    }

    pub(super) fn size(&self, pay: &Pay, wanted: &mut Wanted) {
        *wanted.what.amount() = match pay.size {
            Size::Plain(amount) => amount.into(),
            Size::Edge { which, beside } => {
                *wanted.what.amount() = 1;
                let asking = self.asked(wanted);
                let asset = asking.asset();
                let others = asking.total(asset).saturating_sub(1);
                let mut edges = self.edges(&asking, asset);
                // Of arguments as often as of everything else.
                let arguments = self.argument_edges(&asking);
                let times = edges.len().div_ceil(arguments.len().max(1));
                edges.extend(arguments.iter().flat_map(|edge| vec![edge + others; times]));
                let edge = edges.get(which % edges.len().max(1)).copied().unwrap_or(0);
                edge.saturating_add_signed(beside.into())
                    .saturating_sub(others)
            }
        };
    }

    /// What a step asks for from this wallet.
    pub(super) fn what(&self, pay: &Pay, wallet: usize) -> What {
        let evm = !matches!(self.wallets[wallet].chain, ChainId::Solana(_));
        let item = |token| Item {
            to: pay.to,
            by_name: pay.by_name,
            token,
            amount: 0,
        };
        let memo = pay.memo.map(|which| format!("order {which}"));
        match &pay.kind {
            Kind::Coins => What::Pays {
                items: vec![item(false)],
                several: false,
                memo,
            },
            Kind::Allowance if evm || pay.to == 3 => What::LetsTake(item(true)),
            Kind::Run(runs) if !evm => What::Runs(programs::Call::of(*runs)),
            Kind::Call(calls) if evm => What::Calls(Call::of(self, &self.wallets[wallet], *calls)),
            // A batch is Solana's: on another chain it is seldom asked for.
            Kind::Batch { more, first } if !evm || pay.to == 3 => {
                let more = more.iter().map(|(to, token, amount)| Item {
                    to: *to,
                    by_name: false,
                    token: *token,
                    amount: (*amount).into(),
                });
                What::Pays {
                    items: [item(*first)].into_iter().chain(more).collect(),
                    several: true,
                    memo,
                }
            }
            Kind::Tokens | Kind::Allowance | Kind::Call(_) | Kind::Run(_) | Kind::Batch { .. } => {
                What::Pays {
                    items: vec![item(true)],
                    several: false,
                    memo: memo.filter(|_| !evm),
                }
            }
        }
    }
}

impl Wanted {
    /// The part of a request's body that says what it wants.
    pub(super) fn fields(&self, book: &Book) -> String {
        let chain = book.wallets[self.wallet].chain;
        let memo = |memo: &Option<String>| {
            memo.as_ref()
                .map_or_else(String::new, |memo| format!(r#","memo":"{memo}""#))
        };
        match &self.what {
            What::Pays {
                items,
                several: false,
                memo: text,
            } => format!("{}{}", item(&items[0], "to", chain), memo(text)),
            What::Pays {
                items, memo: text, ..
            } => {
                let items = items.iter();
                let items: Vec<String> = items
                    .map(|one| format!("{{{}}}", item(one, "to", chain)))
                    .collect();
                format!(r#""transfers":[{}]{}"#, items.join(","), memo(text))
            }
            What::LetsTake(one) => {
                format!(r#""type":"approve",{}"#, item(one, "spender", chain))
            }
            What::Runs(_) => programs::fields(&book.asked(self)),
            What::Calls(call) => {
                let asked = book.asked(self);
                let told = asked.told.as_ref().expect("a call");
                let words = kinds(&told.function).zip(&told.words);
                let words: Vec<String> = words
                    .map(|(kind, word)| format!(r#""{}""#, functions::shown(kind, word)))
                    .collect();
                let contract = call.contract.account();
                format!(
                    r#""type":"call","contract":"{contract}","function":"{}","args":[{}],"value":"{}""#,
                    told.function,
                    words.join(","),
                    call.value,
                )
            }
        }
    }
}

fn item(item: &Item, whom: &str, chain: ChainId) -> String {
    let to = if item.by_name {
        format!("@contact-{}", item.to)
    } else {
        recipient(chain, item.to).to_string()
    };
    let asset = if item.token {
        format!(r#""asset":"{}","#, token_on(chain))
    } else {
        String::new()
    };
    format!(r#"{asset}"{whom}":"{to}","amount_base":"{}""#, item.amount)
}

/// What was asked for before, to be asked for again.
pub(super) fn again(asking: &Asking) -> What {
    let native = asking.native();
    let items = asking.parts.iter().map(|part| Item {
        to: to_of(&part.to.account()),
        by_name: false,
        token: part.asset != native,
        amount: part.amount,
    });
    let items: Vec<Item> = items.collect();
    What::Pays {
        several: items.len() > 1,
        items,
        memo: asking.memo.clone(),
    }
}

fn to_of(account: &Account) -> u8 {
    crate::model::people::bytes(account)[0].saturating_sub(40)
}
