//! What one request asks for, whole: a transfer, an approval, a call or a stake, or several transfers in one
//! transaction, and a memo. A claim is only ever compared with what bytes do (invariant 3): every effect in order, the
//! memo exactly, and nothing besides but what sending costs.

use crate::address::Account;
use crate::caip::{AssetId, ChainId, Token};
use crate::effect::Effect;
use crate::evm::Registered;
use crate::memo::Memo;
use crate::request::{Action, Transfer};
use crate::solana;
use crate::transaction::DecodedTransaction;

/// Transfers in one request, at most.
pub const BATCH_LIMIT: usize = 8;

/// One transfer, approval, call or stake, or several transfers on one chain, with a memo or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    first: Transfer,
    more: Vec<Transfer>,
    memo: Option<Memo>,
}

impl Claim {
    /// Of one transfer or approval, and nothing else.
    #[must_use]
    pub const fn of(transfer: Transfer) -> Self {
        Self {
            first: transfer,
            more: Vec::new(),
            memo: None,
        }
    }

    /// Of this one, those behind it in order, and a memo.
    #[must_use]
    pub const fn new(first: Transfer, more: Vec<Transfer>, memo: Option<Memo>) -> Self {
        Self { first, more, memo }
    }

    /// What a transaction does, as a request would ask for it: of one that an agent brought. How mints are
    /// registered, no bytes tell. None where no request asks for such a thing.
    #[must_use]
    pub fn done_by(transaction: &DecodedTransaction) -> Option<Self> {
        let mut done = transaction.effects().iter().filter_map(Transfer::done_by);
        let first = done.next()?;
        let claim = Self::new(first, done.collect(), transaction.memo().cloned());
        claim.is_done_by(transaction).then_some(claim)
    }

    /// The only transfer or approval, without a memo; nothing of any other claim.
    #[must_use]
    pub const fn single(&self) -> Option<&Transfer> {
        if self.more.is_empty() && self.memo.is_none() {
            Some(&self.first)
        } else {
            None
        }
    }

    /// The first one.
    #[must_use]
    pub const fn first(&self) -> &Transfer {
        &self.first
    }

    /// Those behind the first, in order.
    #[must_use]
    pub fn more(&self) -> &[Transfer] {
        &self.more
    }

    /// All of them, in order.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> + Clone {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The memo.
    #[must_use]
    pub const fn memo(&self) -> Option<&Memo> {
        self.memo.as_ref()
    }

    /// The chain of all of them.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.first.asset.chain()
    }

    /// The effects that a transaction must have, in order, beside what sending it costs.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.transfers().flat_map(Transfer::effects).collect()
    }

    /// Whether both do the same, in the same order and with the same memo, however mints are registered.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.effects() == other.effects() && self.memo == other.memo
    }

    /// The function of a contract that is called.
    #[must_use]
    pub fn function(&self) -> Option<Registered> {
        self.first.function()
    }

    /// The method of a program that is called.
    #[must_use]
    pub fn program(&self) -> Option<&solana::ProgramMethod> {
        self.first.program.as_deref().map(|told| &told.method)
    }

    /// The seed of the stake account that is meant.
    #[must_use]
    pub fn seed(&self) -> Option<&solana::StakeSeed> {
        self.first.seed()
    }

    /// Who receives, may take, or is called.
    #[must_use]
    pub fn owners(&self) -> Vec<Account> {
        self.transfers().map(|transfer| transfer.to).collect()
    }

    /// The Solana mints that move, each once, as the request was resolved.
    #[must_use]
    pub fn tokens(&self) -> Vec<solana::Token> {
        let mut tokens: Vec<solana::Token> = Vec::new();
        for token in self.transfers().filter_map(|transfer| transfer.mint) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        tokens
    }

    /// The same, with each mint registered as `known` has it; says how bytes are built, and nothing else.
    #[must_use]
    pub fn registered(mut self, known: impl Fn(AssetId) -> Option<solana::Token>) -> Self {
        self.first.mint = known(self.first.asset);
        for transfer in &mut self.more {
            transfer.mint = known(transfer.asset);
        }
        self
    }

    /// Whether a transaction does what is claimed, and pays a fee, and nothing else. Of a call every argument
    /// and everything that it lets leave is compared. Rent is for accounts of recipients of Solana tokens, and for
    /// a new stake account: the decoder lets nothing else be created, and each account once.
    #[must_use]
    pub fn is_done_by(&self, transaction: &DecodedTransaction) -> bool {
        let effects = transaction.effects().iter();
        let rents = effects.filter(|effect| matches!(effect, Effect::Rent { .. }));
        let creating = self.transfers().filter(|transfer| {
            matches!(transfer.asset.token(), Token::Mint(_)) || transfer.action == Action::Stake
        });
        self.is_moved_by(transaction.effects(), transaction.memo())
            && rents.count() <= creating.count()
    }

    /// Whether these effects, the costs of sending aside, and this memo are what is asked for: each in its
    /// place, and nothing besides.
    #[must_use]
    pub fn is_moved_by(&self, effects: &[Effect], memo: Option<&Memo>) -> bool {
        let moved = effects.iter().filter(|effect| !effect.is_cost());
        let wanted = self.effects();
        !wanted.is_empty()
            && moved.clone().count() == wanted.len()
            && moved
                .zip(&wanted)
                .all(|(effect, asked)| effect.fulfils(asked))
            && memo == self.memo.as_ref()
    }
}
