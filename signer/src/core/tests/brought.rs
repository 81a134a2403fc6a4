//! Transactions that an agent brings, before a gateway that is hostile: the agent's own bytes are signed or none,
//! what they do and what the wallet's signature is for follow from them, and they are charged as anything else is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::solana::TokenProgram;
use waiaas_shared::solana::build::{TransferRequest, transfer};
use waiaas_shared::statement::StatementFacts;

use super::tokens_solana::{
    address, asset, bytes, refused, shop, spl, token, token_policy, units, wallet, world,
    world_with,
};
use super::world::{RECIPIENT, World, agent_key, key_bound, sign_request, solana};
use crate::core::command::{Command, Outcome, Release, SigningOrder, SpendRequest};

pub(super) const PATH: &str = "/v1/transactions/sign";

fn stranger() -> SolanaAddress {
    address(0x61)
}

/// The same message with `by` in front, who signs first and pays its fee.
fn sponsored(message: &[u8], by: u8) -> Vec<u8> {
    let count = usize::from(message[3]);
    let keys = &message[4..4 + 32 * count];
    let mut out = vec![message[0] + 1, message[1], message[2], message[3] + 1];
    out.extend([by; 32]);
    out.extend(keys);
    let mut rest = message[4 + 32 * count..].to_vec();
    out.extend(rest.drain(..32));
    let instructions = rest.remove(0);
    out.push(instructions);
    let mut at = 0;
    for _ in 0..instructions {
        out.extend([rest[at] + 1, rest[at + 1]]);
        let uses = usize::from(rest[at + 1]);
        out.extend(rest[at + 2..at + 2 + uses].iter().map(|index| index + 1));
        at += 2 + uses;
        let length = usize::from(rest[at]);
        out.extend(&rest[at..=at + length]);
        at += 1 + length;
    }
    assert_eq!(at, rest.len());
    out
}

/// What x402 brings: a token payment to the shop, its fee paid by a facilitator.
fn facilitated(amount: u64) -> Vec<u8> {
    sponsored(&spl(amount, false), 0xfa)
}

fn lamports(amount: u64, to: SolanaAddress) -> Vec<u8> {
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

fn wire(message: &[u8]) -> String {
    // In version 0 behind the version.
    let count = message[usize::from(message[0] == 0x80)];
    let signatures = vec![0; 64 * usize::from(count)];
    BASE64.encode([&[count][..], &signatures, message].concat())
}

fn request(
    world: &World,
    session: SessionId,
    key: &str,
    message: &[u8],
    more: &str,
) -> SpendRequest {
    let body = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","transaction":"{}"{more}}}"#,
        SignerId::from_bytes([5; 16]),
        world.solana_wallet,
        solana(),
        wire(message),
    );
    SpendRequest {
        path: PATH.to_owned(),
        body: body.into_bytes(),
        unsigned: message.to_vec(),
        ..world.request(session, key, 1, RECIPIENT)
    }
}

pub(super) fn bring(
    (world, session): &mut (World, SessionId),
    key: &str,
    message: &[u8],
) -> Result<Outcome, Vec<Code>> {
    let request = request(world, *session, key, message, "");
    world.run(&Command::Spend(request))
}

pub(super) fn order(outcome: Result<Outcome, Vec<Code>>) -> Box<SigningOrder> {
    match outcome {
        Ok(Outcome::Sign(order)) => order,
        other => panic!("{other:?}"),
    }
}

/// Effects and charges are those of the transfer alone: the facilitator pays the fee.
#[test]
fn invariant_03_what_another_pays_for_is_charged_without_a_fee() {
    let mut stage = world();
    let order = order(bring(&mut stage, "x402", &facilitated(70_000)));
    assert_eq!(order.transaction().bytes(), facilitated(70_000));
    assert!(order.transaction().is_sponsored());
    let spend = stage.0.spends().pop().expect("charged").clone();
    let moved = Effect::Transfer {
        asset: asset(),
        to: Account::Solana(shop()),
        amount: units(70_000),
    };
    assert_eq!(spend.effects, [moved]);
    let charged: Vec<_> = spend.charges.iter().map(|one| one.amount).collect();
    assert_eq!(charged, [units(70_000)]);
    assert!(!spend.submit, "it is nobody's here to send");
    // Paid for by the wallet the same costs its fee.
    let own = bring(&mut stage, "own", &spl(70_000, false));
    assert!(matches!(own, Ok(Outcome::Sign(_))), "{own:?}");
    let spend = stage.0.spends().pop().expect("charged").clone();
    assert!(spend.effects.iter().any(Effect::is_fee));
    assert_eq!(spend.charges.len(), 2);
}

/// INVARIANT 4: the order to sign is beside the event that charged it.
#[test]
fn invariant_04_what_is_brought_is_charged_before_it_is_signed() {
    let mut stage = world();
    let before = stage.0.events.len();
    let order = order(bring(&mut stage, "x402", &facilitated(70_000)));
    let written = &stage.0.events[before..];
    let [EventBody::SpendCommitted(spend)] = written else {
        panic!("{written:?}")
    };
    assert_eq!(spend.unsigned, order.transaction().bytes());
    assert_eq!(spend.transaction, order.sealed().transaction);
}

/// A gateway that changes a byte, adds an instruction, takes another payer or leaves the memo out brings bytes that
/// are not the agent's.
#[test]
fn invariant_01_a_gateway_signs_no_bytes_of_its_own() {
    let mut stage = world();
    let message = facilitated(70_000);
    let fits = request(&stage.0, stage.1, "k", &message, "");
    let mut others: Vec<Vec<u8>> = (0..message.len())
        .map(|at| {
            let mut changed = message.clone();
            changed[at] ^= 1;
            changed
        })
        .collect();
    others.extend([
        facilitated(70_001),
        sponsored(&spl(70_000, false), 0xfb),
        spl(70_000, false),
        sponsored(&lamports(5, shop()), 0xfa),
        message[..message.len() - 1].to_vec(),
        [&message[..], &[0]].concat(),
        Vec::new(),
    ]);
    for unsigned in others {
        let swapped = SpendRequest {
            unsigned,
            ..fits.clone()
        };
        let outcome = stage.0.run(&Command::Spend(swapped));
        assert_eq!(refused(outcome), [Code::BodyMismatch]);
    }
    assert!(stage.0.spends().is_empty());
    order(stage.0.run(&Command::Spend(fits)));
}

/// Whatever bytes the agent itself brings: one that is changed is not understood, or is charged as what it does.
#[test]
fn invariant_02_brought_bytes_are_understood_or_denied() {
    let (world, session) = world();
    let message = facilitated(70_000);
    let mut signed = 0;
    for at in 0..message.len() {
        for flip in [1, 0x80] {
            let mut changed = message.clone();
            changed[at] ^= flip;
            let mut stage = (world.clone(), session);
            match bring(&mut stage, "k", &changed) {
                Ok(Outcome::Sign(order)) => {
                    signed += 1;
                    assert_eq!(order.transaction().bytes(), changed);
                    let spend = stage.0.spends().pop().expect("charged").clone();
                    assert_eq!(spend.effects, order.transaction().effects());
                    let [
                        Effect::Transfer {
                            asset: moved, to, ..
                        },
                    ] = &spend.effects[..]
                    else {
                        panic!("{:?}", spend.effects)
                    };
                    assert_eq!((*moved, *to), (asset(), Account::Solana(shop())));
                }
                Ok(other) => panic!("{other:?}"),
                Err(_) => assert!(stage.0.spends().is_empty()),
            }
        }
    }
    assert!(signed > 64, "sponsor and blockhash are free: {signed}");
}

/// What the wallet's signature is for is derived: other signers, other orders, a stranger's transfer are denied.
/// Whatever it names is compared with every contact: what asks for too much is refused before.
#[test]
fn invariant_16_a_message_of_many_instructions_costs_the_signer_nothing() {
    let mut stage = world();
    let many = |count: u8| {
        let mut message = lamports(5, shop());
        // Behind header, three or more accounts and blockhash stands how many instructions there are.
        let at = 4 + 32 * usize::from(message[3]) + 32;
        let last = message[message.len() - 17..].to_vec();
        message[at] += count;
        (0..count).for_each(|_| message.extend(&last));
        // And one that nobody understands.
        let end = message.len() - 9;
        message[end] = 0x7f;
        message
    };
    let few = refused(bring(&mut stage, "few", &many(3)));
    assert_eq!(few, [Code::TransactionUndecodable]);
    let much = refused(bring(&mut stage, "many", &many(18)));
    assert_eq!(much, [Code::BatchTooLarge]);
}

#[test]
fn a_role_that_is_not_understood_is_denied() {
    let mut stage = world();
    // The wallet pays, and another signs second.
    let mut paying = facilitated(70_000);
    let (first, second): ([u8; 32], [u8; 32]) = ([0xfa; 32], [2; 32]);
    paying[4..36].copy_from_slice(&second);
    paying[36..68].copy_from_slice(&first);
    assert_eq!(
        refused(bring(&mut stage, "a", &paying)),
        [Code::BroughtRole]
    );
    // A third signer.
    let third = sponsored(&facilitated(70_000), 0xfb);
    assert_eq!(refused(bring(&mut stage, "b", &third)), [Code::BroughtRole]);
    // Another wallet's, which this one does not sign at all.
    let foreign = [
        &facilitated(70_000)[..36],
        &[3; 32],
        &facilitated(70_000)[68..],
    ]
    .concat();
    assert_eq!(
        refused(bring(&mut stage, "c", &foreign)),
        [Code::BroughtRole]
    );
    // The sponsor's own transfer under our signature: nothing of it is ours to judge.
    let mut theirs = sponsored(&lamports(5, shop()), 0xfa);
    let from = theirs.len() - 15;
    assert_eq!(theirs[from..from + 2], [1, 2]);
    theirs[from] = 0;
    assert_eq!(
        refused(bring(&mut stage, "d", &theirs)),
        [Code::TransactionUndecodable]
    );
    assert!(stage.0.spends().is_empty());
}

/// Bytes of a token transfer do not name the owner. Who is named only makes a derivation succeed.
#[test]
fn an_owner_who_is_no_contact_is_named_and_never_believed() {
    let mut document = token_policy(1);
    document.recipients.clear();
    let (mut world, session) = world_with(&document);
    let message = facilitated(70_000);
    let named = |who: SolanaAddress| format!(r#","recipients":["{who}"]"#);
    for more in ["".to_owned(), named(stranger()), named(wallet())] {
        let request = request(&world, session, "k", &message, &more);
        let outcome = world.run(&Command::Spend(request));
        assert_eq!(refused(outcome), [Code::BroughtRecipient], "{more}");
    }
    let request = request(&world, session, "k", &message, &named(shop()));
    match world.run(&Command::Spend(request)) {
        Ok(Outcome::Sign(order)) => assert_eq!(order.transaction().bytes(), message),
        // Whether somebody new is paid is policy's.
        Err(codes) => assert!(!codes.contains(&Code::BroughtRecipient), "{codes:?}"),
        Ok(other) => panic!("{other:?}"),
    }
}

/// A mint that no document registers is no token, whatever the bytes say.
#[test]
fn a_mint_that_is_not_listed_is_refused() {
    let mut stage = world();
    let other = waiaas_shared::solana::Token {
        mint: address(0xc2),
        ..token(TokenProgram::Token)
    };
    let message = sponsored(&bytes(other, shop(), 70_000, false), 0xfa);
    assert_eq!(
        refused(bring(&mut stage, "k", &message)),
        [Code::AssetNotListed]
    );
}

#[test]
fn what_is_no_transaction_is_refused_before_anything_else() {
    let (mut world, session) = world();
    let fits = request(&world, session, "k", &facilitated(70_000), "");
    let text = String::from_utf8(fits.body.clone()).expect("text");
    let right = wire(&facilitated(70_000));
    let mut fewer = BASE64.decode(&right).expect("base64");
    fewer[0] = 1;
    for wrong in [
        String::new(),
        "0x00".to_owned(),
        "~".to_owned(),
        right[..right.len() - 4].to_owned(),
        BASE64.encode(fewer),
        BASE64.encode(facilitated(70_000)),
    ] {
        let body = text.replace(&right, &wrong).into_bytes();
        let outcome = world.run(&Command::Spend(SpendRequest {
            body,
            ..fits.clone()
        }));
        assert_eq!(refused(outcome), [Code::BroughtMalformed], "{wrong}");
    }
}

/// What has to wait is built anew when it is released: what was agreed is its effect. Where somebody else signs too
/// nobody could, and it is refused.
#[test]
fn invariant_12_a_brought_payment_waits_as_its_effect() {
    let mut stage = world();
    let denied = bring(&mut stage, "x402", &facilitated(700_000));
    assert_eq!(refused(denied), [Code::BroughtWaits]);
    let dry = SpendRequest {
        dry_run: true,
        ..request(&stage.0, stage.1, "x402", &facilitated(700_000), "")
    };
    let outcome = stage.0.run(&Command::Spend(dry));
    assert_eq!(refused(outcome), [Code::BroughtWaits]);

    let view = match bring(&mut stage, "own", &spl(700_000, false)) {
        Ok(Outcome::Waiting(view)) => view,
        other => panic!("{other:?}"),
    };
    let transaction = view.intent.transaction;
    assert_eq!(view.intent.tier(), Tier::Approval);
    assert_eq!(
        (view.intent.asset, view.intent.amount),
        (asset(), units(700_000))
    );
    assert_eq!(view.intent.to, Account::Solana(shop()));
    let (world, _) = &mut stage;
    let approved = world.say(StatementFacts::ApprovePayment { transaction }, false);
    approved.expect("approved");
    for other in [spl(700_001, false), facilitated(700_000)] {
        let outcome = world.run(&Command::Release(Release {
            transaction,
            unsigned: other,
            prior: None,
        }));
        outcome
            .map(drop)
            .expect_err("another effect, or another payer");
    }
    let fresh = spl(700_000, true);
    let outcome = world.run(&Command::Release(Release {
        transaction,
        unsigned: fresh.clone(),
        prior: None,
    }));
    assert_eq!(order(outcome).transaction().bytes(), fresh);
}

#[test]
fn what_another_must_sign_too_is_not_sent_from_here() {
    let (mut world, session) = world();
    let send = |message: &[u8], world: &mut World, key: &str| {
        let request = request(world, session, key, message, r#","submit":true"#);
        world.run(&Command::Spend(request))
    };
    let outcome = send(&facilitated(70_000), &mut world, "a");
    assert_eq!(refused(outcome), [Code::BroughtSubmit]);
    order(send(&spl(70_000, false), &mut world, "b"));
    assert!(world.spends().pop().expect("charged").submit);
}

/// Limits hold over what is brought and what is built together.
#[test]
fn invariant_09_what_is_brought_counts_with_everything_else() {
    let mut stage = world();
    for number in 0..2 {
        order(bring(
            &mut stage,
            &format!("k{number}"),
            &facilitated(450_000),
        ));
    }
    let codes = refused(bring(&mut stage, "k2", &facilitated(450_000)));
    assert!(codes.contains(&Code::HourLimit), "{codes:?}");
}

/// INVARIANT 18: the signature for one route serves no other, whichever way round.
#[test]
fn invariant_18_what_an_agent_brings_is_signed_for_its_own_route() {
    let (mut world, _) = world();
    let session = world.grant(key_bound()).expect("a session");
    let message = lamports(50_000, shop());
    let now = world.clocks.wall.millis() / 1000;
    let bare = request(&world, session, "k", &message, "");
    let signed = |request: SpendRequest, nonce| sign_request(request, &agent_key(), nonce, now);
    let missing = world.run(&Command::Spend(bare.clone()));
    assert_eq!(refused(missing), [Code::RequestSignatureMissing]);
    let elsewhere = SpendRequest {
        path: "/v1/transactions".to_owned(),
        ..bare.clone()
    };
    let elsewhere = signed(elsewhere, "nonce-nonce-nonce-1");
    let outcome = world.run(&Command::Spend(elsewhere.clone()));
    assert_eq!(refused(outcome), [Code::RequestSignatureInvalid]);
    let moved = SpendRequest {
        path: PATH.to_owned(),
        ..elsewhere
    };
    let outcome = world.run(&Command::Spend(moved));
    assert_eq!(refused(outcome), [Code::RequestSignatureInvalid]);
    // The body is covered, so the bytes are the agent's own.
    let mut changed = signed(bare.clone(), "nonce-nonce-nonce-2");
    let other = lamports(50_001, shop());
    changed.body = request(&world, session, "k", &other, "").body;
    changed.unsigned = other;
    let outcome = world.run(&Command::Spend(changed));
    assert_eq!(refused(outcome), [Code::RequestSignatureInvalid]);
    order(world.run(&Command::Spend(signed(bare, "nonce-nonce-nonce-3"))));
}

/// INVARIANT 19.
#[test]
fn invariant_19_the_same_bytes_under_the_same_key_are_charged_once() {
    let mut stage = world();
    let first = order(bring(&mut stage, "k", &facilitated(70_000)));
    let again = order(bring(&mut stage, "k", &facilitated(70_000)));
    assert_eq!(first.transaction(), again.transaction());
    assert!(again.sealed().replay_of.is_some());
    assert_eq!(stage.0.spends().len(), 1);
    let other = bring(&mut stage, "k", &facilitated(70_001));
    assert_eq!(refused(other), [Code::IdempotencyConflict]);
    let resent = SpendRequest {
        unsigned: facilitated(70_001),
        ..request(&stage.0, stage.1, "k", &facilitated(70_000), "")
    };
    // The bytes are those of the log, whatever a gateway brings beside the same body.
    let resent = order(stage.0.run(&Command::Spend(resent)));
    assert_eq!(resent.transaction(), first.transaction());
}
