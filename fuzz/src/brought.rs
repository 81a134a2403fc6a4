//! Transactions of Solana that an agent brings, before a policy that is as open as one can be: every recipient, tokens
//! of both programs, a method with any account and any argument, a pinned table, somebody else who pays the fee. What
//! is read is what the bytes do, and a policy that knows less reads the same or nothing.

use waiaas_shared::address::Account;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::policy::document::{
    AccountAccepts, AccountRule, AssetRule, CallProgram, CallRule, FieldAccepts, FieldRule,
    PolicyDocument, TableRule,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::Brought;
use waiaas_shared::solana::WireTransaction;

use super::chains::{
    TABLE, WALLET, method, pinned, recipients, solana_seeds, stakes, tokens, whole,
};

fn chain() -> ChainId {
    "solana:localnet".parse().expect("a chain")
}

/// As open as one can be.
fn open() -> PolicyDocument {
    let chain = chain();
    let mut document = PolicyDocument::closed(1);
    document.recipients_open = true;
    let six = Decimals::new(6).expect("in range");
    document.assets = vec![AssetRule::closed(chain.native_asset(), "SOL", six)];
    for token in tokens() {
        let asset = AssetId::new(chain, Token::Mint(token.mint)).expect("one family");
        document.assets.push(AssetRule {
            program: Some(token.program),
            ..AssetRule::closed(asset, "TOKEN", six)
        });
    }
    let method = method();
    let target = AccountId::new(chain, Account::Solana(method.program)).expect("one family");
    let place = |writable: &bool| AccountRule {
        accepts: AccountAccepts::Any,
        writable: *writable,
    };
    let field = |field: &waiaas_shared::solana::Field| FieldRule {
        kind: field.kind,
        accepts: FieldAccepts::Any,
        spends: field.spends,
    };
    let program = CallProgram {
        accounts: method.accounts.iter().map(place).collect(),
        fields: method.fields.iter().map(field).collect(),
        tail: method.tail,
        outflow: method.outflow.clone(),
    };
    document.calls = vec![CallRule::of_program(
        target,
        method.begins,
        program,
        Tier::Instant,
    )];
    let account = AccountId::new(chain, Account::Solana(TABLE)).expect("one family");
    document.tables = Some(vec![TableRule {
        account,
        addresses: pinned(),
    }]);
    document.sort();
    document
}

thread_local! {
    static OPEN: PolicyDocument = open();
    static CLOSED: PolicyDocument = const { PolicyDocument::closed(1) };
}

/// A whole transaction with places for its signatures, as it is brought.
pub fn brought(data: &[u8]) -> bool {
    let Ok(wire) = WireTransaction::parse(data) else {
        return false;
    };
    let message = wire.message().to_vec();
    let brought = Brought {
        unsigned: message.clone(),
        wire: Some(wire),
        recipients: recipients().map(Account::Solana).to_vec(),
    };
    let read = |document: &PolicyDocument| {
        brought.decode(
            chain(),
            Account::Solana(WALLET),
            document,
            NetworkTerms::default(),
        )
    };
    let opened = OPEN.with(read);
    let closed = CLOSED.with(read);
    let Ok((transaction, claim)) = opened else {
        assert!(closed.is_err(), "a policy that knows less reads more");
        return false;
    };
    whole(&transaction, &message);
    assert!(claim.is_done_by(&transaction));
    assert!(claim.more().len() < 8, "more than a batch holds");
    // Who signs besides is the one that pays, and nobody where the wallet does.
    let wire = WireTransaction::unsigned(&message).expect("a message");
    let signers = 1 + usize::from(transaction.is_sponsored());
    assert_eq!(wire.missing().len(), signers);
    // Nothing leaves that is no payment to somebody, no call and no cost.
    for effect in transaction.effects() {
        assert!(
            matches!(effect, Effect::Transfer { amount, .. } if *amount > Amount::ZERO)
                || matches!(
                    effect,
                    Effect::Program { .. } | Effect::Call { told: None, .. }
                )
                || effect.is_cost(),
            "{effect:?}"
        );
    }
    match closed {
        Ok((other, same)) => {
            assert_eq!(other.effects(), transaction.effects());
            assert!(same.is_done_by(&transaction));
        }
        // What it does not know it says: a mint, a table, a program.
        Err(code) => assert!(
            matches!(
                code,
                Code::AssetNotListed
                    | Code::BroughtTable
                    | Code::BroughtRecipient
                    | Code::TransactionUndecodable
            ),
            "{code}"
        ),
    }
    true
}

/// Each sound message, legacy, of version 0 and 1, paid by the wallet or by another, with tables and without; none of
/// the stake program, which is asked for and never brought.
pub fn brought_seeds() -> Vec<Vec<u8>> {
    let stakes = stakes();
    let messages = solana_seeds();
    let brought = messages.iter().filter(|message| !stakes.contains(message));
    brought
        .map(|message| {
            let wire = WireTransaction::unsigned(message).expect("a message");
            wire.encode()
        })
        .collect()
}
