//! Transactions that look addresses up in tables, before a gateway and an agent that are hostile: an index is what
//! every binding document has pinned, and nothing else; what waits or is given again follows the same rules.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::SessionId;
use waiaas_shared::policy::document::{
    AccountAccepts, AccountRule, CallProgram, CallRule, PolicyDocument, TableRule,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_shared::solana::build::{TransferRequest, transfer};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::brought::{bring, order};
use super::people::Hand;
use super::tokens_solana::{
    address, on_main_network, refused, rule, shop, token_policy, units, wallet, world_with,
};
use super::world::{World, solana};
use crate::core::command::{Command, Outcome, Release};

const AMOUNT: u64 = 50_000;

fn table() -> SolanaAddress {
    address(0x7a)
}

fn pinned(chain: ChainId, addresses: &[SolanaAddress]) -> TableRule {
    TableRule {
        account: AccountId::new(chain, Account::Solana(table())).expect("an account"),
        addresses: addresses.to_vec(),
    }
}

/// The tokens' policy, and a table with the shop at its second place.
fn policy(epoch: u64) -> PolicyDocument {
    with(epoch, &[address(0x70), shop()])
}

fn with(epoch: u64, addresses: &[SolanaAddress]) -> PolicyDocument {
    PolicyDocument {
        tables: Some(vec![pinned(solana(), addresses)]),
        ..token_policy(epoch)
    }
}

/// Lamports to the second account of a message of version 0 that lists `keys` behind the wallet, the last of them
/// the program, and loads these indices to be written.
fn message(amount: u64, table: SolanaAddress, indices: &[u8]) -> Vec<u8> {
    let count = u8::try_from(indices.len()).expect("few");
    [
        &[0x80, 1, 0, 1, 2][..],
        wallet().as_bytes(),
        &[0; 32],
        &[9; 32],
        &[1, 1, 2, 0, 2, 12, 2, 0, 0, 0],
        &amount.to_le_bytes(),
        &[1],
        table.as_bytes(),
        &[count],
        indices,
        &[0],
    ]
    .concat()
}

fn to_shop() -> Vec<u8> {
    message(AMOUNT, table(), &[1])
}

fn listed(amount: u64, to: SolanaAddress) -> Vec<u8> {
    transfer(&TransferRequest {
        from: wallet(),
        to,
        lamports: amount,
        blockhash: [9; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built")
}

fn adopt((world, _): &mut (World, SessionId), document: &PolicyDocument) {
    world.adopt(document, true).expect("a later policy");
}

/// Effects, charge and what policy says of the recipient are those of the account that the owner pinned.
#[test]
fn invariant_03_a_looked_up_account_is_the_one_that_an_owner_pinned() {
    let mut stage = world_with(&policy(1));
    let signed = order(bring(&mut stage, "a", &to_shop()));
    assert_eq!(signed.transaction().bytes(), to_shop());
    let spend = stage.0.spends().pop().expect("charged").clone();
    let native = solana().native_asset();
    let moved = Effect::Transfer {
        asset: native,
        to: Account::Solana(shop()),
        amount: units(AMOUNT.into()),
    };
    assert_eq!(spend.effects.first(), Some(&moved));
    let charged: Vec<_> = spend.charges.iter().map(|one| one.amount).collect();
    assert_eq!(charged, [units(u128::from(AMOUNT) + 5000)]);
    // The other address of the table is nobody who may receive.
    let other = bring(&mut stage, "b", &message(AMOUNT, table(), &[0]));
    assert_eq!(refused(other), [Code::RecipientNotListed]);
    assert_eq!(stage.0.spends().len(), 1);
}

#[test]
fn invariant_08_a_table_that_policy_does_not_have_is_refused() {
    let mut stage = world_with(&policy(1));
    let unknown = bring(&mut stage, "a", &message(AMOUNT, address(0x7b), &[1]));
    assert_eq!(refused(unknown), [Code::BroughtTable]);
    // Pinned on another network: the same address may hold anything here.
    let mainnet: ChainId = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
        .parse()
        .expect("a chain");
    let elsewhere = PolicyDocument {
        tables: Some(vec![pinned(mainnet, &[address(0x70), shop()])]),
        ..token_policy(1)
    };
    let mut other = world_with(&elsewhere);
    assert_eq!(
        refused(bring(&mut other, "a", &to_shop())),
        [Code::BroughtTable]
    );
    let mut none = world_with(&token_policy(1));
    assert_eq!(
        refused(bring(&mut none, "a", &to_shop())),
        [Code::BroughtTable]
    );
    order(bring(&mut stage, "b", &to_shop()));
}

/// What the table's authority appends on the chain is not the owner's.
#[test]
fn invariant_08_an_index_beyond_what_is_pinned_is_refused() {
    let mut stage = world_with(&policy(1));
    for index in [2, 3, 255] {
        let beyond = bring(&mut stage, "a", &message(AMOUNT, table(), &[index]));
        assert_eq!(refused(beyond), [Code::BroughtTableIndex], "{index}");
    }
    order(bring(&mut stage, "b", &to_shop()));
}

/// Of the message's own form nothing but the pinned table makes a difference: what is doubled or empty is not read.
#[test]
fn invariant_02_lookups_of_another_form_are_denied() {
    let mut stage = world_with(&policy(1));
    let twice = [&to_shop()[..], table().as_bytes(), &[1, 0, 0]].concat();
    let count = to_shop().len() - 36;
    let mut twice = twice;
    twice[count] = 2;
    for spoilt in [
        message(AMOUNT, table(), &[1, 1]),
        message(AMOUNT, table(), &[]),
        message(AMOUNT, table(), &[1, 0]),
        twice,
        [&to_shop()[..], &[0]].concat(),
    ] {
        let outcome = bring(&mut stage, "a", &spoilt);
        let codes = refused(outcome);
        let known = [Code::TransactionUndecodable, Code::BroughtMalformed];
        assert!(codes.iter().all(|code| known.contains(code)), "{codes:?}");
    }
    assert!(stage.0.spends().is_empty());
    order(bring(&mut stage, "b", &to_shop()));
}

/// A gateway builds nothing that looks an address up: such bytes are brought by an agent or not at all.
#[test]
fn invariant_01_a_gateway_proposes_no_lookup() {
    let (mut world, session) = world_with(&policy(1));
    let body = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","to":"{}","amount_base":"{AMOUNT}"}}"#,
        waiaas_shared::ids::SignerId::from_bytes([5; 16]),
        world.solana_wallet,
        solana(),
        shop(),
    );
    let asks = |world: &World, key: &str, unsigned: Vec<u8>| {
        Command::Spend(crate::core::command::SpendRequest {
            body: body.clone().into_bytes(),
            unsigned,
            ..world.request(session, key, 1, super::world::RECIPIENT)
        })
    };
    let command = asks(&world, "a", to_shop());
    assert_eq!(refused(world.run(&command)), [Code::TransactionUndecodable]);
    let command = asks(&world, "b", listed(AMOUNT, shop()));
    order(world.run(&command));
}

/// INVARIANT 10: false content would make a payment to anybody read as one to a contact. So a table that a document
/// adds, extends or changes is used once no earlier document binds; what it takes away is used no more at once.
#[test]
fn invariant_10_content_is_read_as_every_binding_document_has_it() {
    let mut stage = on_main_network();
    let wait = |stage: &mut (World, SessionId)| stage.0.pass(Millis::from_hours(1));
    adopt(&mut stage, &policy(2));
    assert_eq!(
        refused(bring(&mut stage, "a", &to_shop())),
        [Code::BroughtTable]
    );
    wait(&mut stage);
    order(bring(&mut stage, "b", &to_shop()));
    // One more address: the old ones are used as before.
    adopt(
        &mut stage,
        &with(3, &[address(0x70), shop(), address(0x71)]),
    );
    order(bring(&mut stage, "c", &to_shop()));
    let appended = message(AMOUNT, table(), &[2]);
    assert_eq!(
        refused(bring(&mut stage, "d", &appended)),
        [Code::BroughtTableIndex]
    );
    wait(&mut stage);
    assert_eq!(
        refused(bring(&mut stage, "e", &appended)),
        [Code::RecipientNotListed]
    );
    // The shop at a place where something else was: a false pin, as a stolen key would sign one.
    adopt(&mut stage, &with(4, &[shop(), shop(), address(0x71)]));
    let moved = message(AMOUNT, table(), &[0]);
    assert_eq!(
        refused(bring(&mut stage, "f", &moved)),
        [Code::BroughtTableConflict]
    );
    order(bring(&mut stage, "g", &to_shop()));
    wait(&mut stage);
    order(bring(&mut stage, "h", &moved));
    // Taken away.
    adopt(&mut stage, &token_policy(5));
    assert_eq!(
        refused(bring(&mut stage, "i", &to_shop())),
        [Code::BroughtTable]
    );
}

/// Whoever holds one key suspends the owner who corrected a false table, or took it away: what the false one says
/// stays unread until a later document has matured.
#[test]
fn invariant_17_a_suspension_brings_no_false_table_back() {
    let corrected = |epoch| with(epoch, &[shop(), address(0x70)]);
    for (document, code) in [
        (corrected(3), Code::BroughtTableConflict),
        (token_policy(3), Code::BroughtTable),
    ] {
        let mut stage = on_main_network();
        adopt(&mut stage, &policy(2));
        let one = Hand::first(&stage.0);
        let two = stage.0.add_owner(2, &[&one]);
        order(bring(&mut stage, "a", &to_shop()));
        stage.0.adopt_as(&document, &[&two]).expect("a policy");
        let refused_again = |stage: &mut (World, SessionId), key: &str| {
            let outcome = bring(stage, key, &to_shop());
            assert_eq!(refused(outcome), [code], "{key}");
        };
        refused_again(&mut stage, "b");
        let suspend = StatementFacts::SuspendOwner { owner: two.id };
        let suspended = stage.0.say_as(suspend, &[&one], false);
        suspended.expect("suspended");
        refused_again(&mut stage, "c");
        stage.0.pass(Millis::from_hours(100));
        refused_again(&mut stage, "d");
        // Nor are bytes of before given again by what they were read as.
        refused_again(&mut stage, "a");
        adopt(&mut stage, &corrected(4));
        stage.0.pass(Millis::from_hours(24));
        order(bring(&mut stage, "e", &message(AMOUNT, table(), &[0])));
    }
}

/// What waits is kept as its effect, and what is brought to release it looks nothing up.
#[test]
fn invariant_12_a_looked_up_payment_waits_as_its_effect() {
    let mut document = policy(1);
    let native = rule(&mut document, solana().native_asset());
    native.instant_up_to = units(100_000);
    native.notify_up_to = units(100_000);
    native.delay_up_to = units(100_000);
    let mut stage = world_with(&document);
    let amount = 200_000;
    let view = match bring(&mut stage, "a", &message(amount, table(), &[1])) {
        Ok(Outcome::Waiting(view)) => view,
        other => panic!("{other:?}"),
    };
    assert_eq!(view.intent.tier(), Tier::Approval);
    assert_eq!(view.intent.to, Account::Solana(shop()));
    let transaction = view.intent.transaction;
    let (world, _) = &mut stage;
    let approved = world.say(StatementFacts::ApprovePayment { transaction }, false);
    approved.expect("approved");
    // Without the table it is released all the same: nobody reads it any more.
    let later = PolicyDocument {
        tables: None,
        epoch: 2,
        ..document
    };
    world.adopt(&later, true).expect("a later policy");
    let release = |unsigned| {
        Command::Release(Release {
            transaction,
            unsigned,
            prior: None,
        })
    };
    for unsigned in [
        message(amount, table(), &[1]),
        listed(amount, address(0x70)),
    ] {
        let outcome = world.run(&release(unsigned));
        outcome.map(drop).expect_err("a lookup, or another effect");
    }
    let fresh = listed(amount, shop());
    let signed = order(world.run(&release(fresh.clone())));
    assert_eq!(signed.transaction().bytes(), fresh);
}

/// A call of so many accounts, all of them loaded, that the owner approves each time.
fn calling(count: u8) -> ((World, SessionId), Vec<u8>) {
    let program = address(0xd1);
    let target = AccountId::new(solana(), Account::Solana(program)).expect("an account");
    let place = AccountRule {
        accepts: AccountAccepts::Any,
        writable: false,
    };
    let method = CallProgram {
        accounts: vec![place; count.into()],
        fields: Vec::new(),
        tail: 0,
        outflow: Vec::new(),
    };
    let loaded: Vec<SolanaAddress> = (0..count).map(|number| address(0x80 + number)).collect();
    let mut document = with(1, &loaded);
    document.calls = vec![CallRule::of_program(
        target,
        vec![0xf2],
        method,
        Tier::Approval,
    )];
    let (mut world, _) = world_with(&document);
    let secret =
        waiaas_shared::digest::hash(waiaas_shared::digest::Domain::SessionSecret, &[b"calling"]);
    let grant = SessionGrant {
        limits: vec![SessionLimit {
            asset: solana().native_asset(),
            per_transaction: units(1_000_000),
            total: units(10_000_000),
        }],
        operations: Some(vec![waiaas_shared::session::Operation::Call]),
        ..world.a_grant(Credential::Bearer(secret))
    };
    let session = match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    };
    let places: Vec<u8> = (0..count).collect();
    let uses: Vec<u8> = (2..2 + count).collect();
    let message = [
        &[0x80, 1, 0, 1, 2][..],
        wallet().as_bytes(),
        program.as_bytes(),
        &[9; 32],
        &[1, 1, count],
        &uses,
        &[1, 0xf2, 1],
        table().as_bytes(),
        &[0, count],
        &places,
    ]
    .concat();
    ((world, session), message)
}

/// What cannot be built anew without its tables does not wait for what could never be released.
#[test]
fn invariant_12_what_fits_no_message_without_tables_does_not_wait() {
    let (mut stage, message) = calling(31);
    let outcome = bring(&mut stage, "a", &message);
    assert_eq!(refused(outcome), [Code::BroughtTableWaits]);
    assert!(stage.0.state.intents.is_empty());
    let (mut stage, message) = calling(29);
    let outcome = bring(&mut stage, "a", &message);
    assert!(matches!(outcome, Ok(Outcome::Waiting(_))), "{outcome:?}");
}

/// INVARIANT 19: the same bytes are given again while the documents say that they do what was charged, and no event
/// needs a table to be folded.
#[test]
fn invariant_19_a_looked_up_payment_is_given_again_while_its_tables_stand() {
    let mut stage = world_with(&policy(1));
    let first = order(bring(&mut stage, "a", &to_shop()));
    let again = order(bring(&mut stage, "a", &to_shop()));
    assert_eq!(first.transaction(), again.transaction());
    assert!(again.sealed().replay_of.is_some());
    // On test networks a document holds at once. Without the table nobody knows what the bytes do.
    adopt(&mut stage, &token_policy(2));
    assert_eq!(
        refused(bring(&mut stage, "a", &to_shop())),
        [Code::BroughtTable]
    );
    adopt(&mut stage, &with(3, &[address(0x70)]));
    assert_eq!(
        refused(bring(&mut stage, "a", &to_shop())),
        [Code::BroughtTableIndex]
    );
    // Corrected: they pay somebody else than was charged for.
    adopt(&mut stage, &with(4, &[shop(), address(0x70)]));
    assert_eq!(
        refused(bring(&mut stage, "a", &to_shop())),
        [Code::BroughtTableConflict]
    );
    adopt(&mut stage, &policy(5));
    let again = order(bring(&mut stage, "a", &to_shop()));
    assert_eq!(first.transaction(), again.transaction());
    assert_eq!(stage.0.spends().len(), 1);
    let spends = stage.0.events.iter();
    let spends = spends.filter(|event| matches!(event, EventBody::SpendCommitted(_)));
    assert_eq!(spends.count(), 1);
}
