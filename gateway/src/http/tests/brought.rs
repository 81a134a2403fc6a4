//! Transactions that an agent brings: signed as they are, with the signatures that came with them, and sent by nobody
//! who was not asked.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::AccountId;
use waiaas_shared::policy::document::TableRule;
use waiaas_shared::solana::build::{TransferRequest, transfer};

use std::sync::atomic::Ordering;

use crate::chain::{ChainText, ChainTransactionId, Landing};
use crate::testing::{
    Call, World, bearer, chain_id, code, confirmed, from_account, to_account, wallet,
};
use crate::views::Stale;

const SIGN: &str = "/v1/transactions/sign";

fn sponsor() -> SigningKey {
    SigningKey::from_bytes(&[0x77; 32])
}

fn solana(account: Account) -> SolanaAddress {
    match account {
        Account::Solana(address) => address,
        Account::Evm(_) => panic!("a Solana account"),
    }
}

/// Five lamports to the contact, paid for by the wallet.
fn own() -> Vec<u8> {
    transfer(&TransferRequest {
        from: solana(from_account()),
        to: solana(to_account()),
        lamports: 5,
        blockhash: [9; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 0,
    })
    .expect("built")
}

/// The same with two compute settings less, paid for by somebody else who signs first.
fn sponsored() -> Vec<u8> {
    let (from, to) = (solana(from_account()), solana(to_account()));
    [
        &[2, 0, 1, 4][..],
        &sponsor().verifying_key().to_bytes(),
        from.as_bytes(),
        to.as_bytes(),
        &[0; 32],
        &[9; 32],
        &[1, 3, 2, 1, 2, 12, 2, 0, 0, 0],
        &5_u64.to_le_bytes(),
    ]
    .concat()
}

fn wire(signatures: &[[u8; 64]], message: &[u8]) -> String {
    let count = u8::try_from(signatures.len()).expect("few");
    BASE64.encode([&[count][..], &signatures.concat(), message].concat())
}

fn body(world: &World, transaction: &str, more: &str) -> String {
    format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","transaction":"{transaction}"{more}}}"#,
        world.signer.id(),
        wallet(),
        chain_id()
    )
}

async fn bring(world: &World, key: &str, body: &str) -> (u16, Value) {
    let (status, answer) = world.call(world.payment(SIGN, bearer(), key, body)).await;
    (status.as_u16(), answer)
}

fn signed(answer: &Value) -> Vec<u8> {
    let text = answer["signed_transaction"].as_str().expect("signed bytes");
    BASE64.decode(text).expect("base64")
}

#[tokio::test]
async fn who_pays_the_fee_signs_it_later() {
    let world = World::new().await;
    let brought = body(&world, &wire(&[[0; 64]; 2], &sponsored()), "");
    let (status, answer) = bring(&world, "k", &brought).await;
    assert_eq!(status, 201, "{answer}");
    let payer = SolanaAddress::from_bytes(sponsor().verifying_key().to_bytes());
    assert_eq!(answer["signatures_missing"], json!([payer.to_string()]));
    // Handed out, and no word on what the chain calls it: nobody knows.
    assert_eq!(answer["status"], "SUBMITTED");
    assert_eq!(answer["submit"], false);
    assert_eq!(answer["chain_transaction"], Value::Null);
    assert_eq!(answer["fee_max_base"], "0");
    let raw = signed(&answer);
    assert_eq!(raw[..65], [&[2][..], &[0; 64]].concat());
    assert_ne!(raw[65..129], [0; 64]);
    assert_eq!(raw[129..], sponsored());
    assert!(world.chain.sent().is_empty());
    // The same again is the same.
    let (status, again) = bring(&world, "k", &brought).await;
    assert_eq!((status, &again["replay"]), (200, &json!(true)));
    assert_eq!(signed(&again), raw);
    assert_eq!(again["signatures_missing"], answer["signatures_missing"]);
    let other = body(&world, &wire(&[[0; 64]; 1], &own()), "");
    let (status, conflict) = bring(&world, "k", &other).await;
    assert_eq!((status, code(&conflict)), (409, "idempotency_conflict"));
}

#[tokio::test]
async fn signatures_that_came_with_it_stay() {
    let world = World::new().await;
    let message = sponsored();
    let theirs = sponsor().sign(&message).to_bytes();
    let brought = body(&world, &wire(&[theirs, [0; 64]], &message), "");
    let (status, answer) = bring(&world, "k", &brought).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer.get("signatures_missing"), None);
    let name = bs58::encode(theirs).into_string();
    assert_eq!(answer["chain_transaction"], name);
    assert_eq!(signed(&answer)[1..65], theirs);
    assert!(world.chain.sent().is_empty());
}

/// Five lamports to an account at this place of a table.
fn looked_up(index: u8) -> Vec<u8> {
    [
        &[0x80, 1, 0, 1, 2][..],
        solana(from_account()).as_bytes(),
        &[0; 32],
        &[9; 32],
        &[1, 1, 2, 0, 2, 12, 2, 0, 0, 0],
        &5_u64.to_le_bytes(),
        &[1],
        &[0x7a; 32],
        &[1, index, 0],
    ]
    .concat()
}

/// What the policy does not have of a table is refused before the signer is asked; what it has is handed on.
#[tokio::test]
async fn what_is_looked_up_is_read_by_the_policy() {
    let world = World::new().await;
    let brought = |index| body(&world, &wire(&[[0; 64]], &looked_up(index)), "");
    let (status, answer) = bring(&world, "a", &brought(0)).await;
    assert_eq!((status, code(&answer)), (403, "brought_table"));
    let pinned = TableRule {
        account: AccountId::new(
            chain_id(),
            Account::Solana(SolanaAddress::from_bytes([0x7a; 32])),
        )
        .expect("an account"),
        addresses: vec![solana(to_account())],
    };
    let other = World::new().await;
    other.signer.with(|inside| {
        let document = inside.documents.last_mut().expect("a policy");
        document.tables = Some(vec![pinned]);
    });
    let brought = |index| body(&other, &wire(&[[0; 64]], &looked_up(index)), "");
    let (status, answer) = bring(&other, "b", &brought(1)).await;
    assert_eq!((status, code(&answer)), (403, "brought_table_index"));
    assert!(other.signer.with(|inside| inside.signed.is_empty()));
    let (status, answer) = bring(&other, "c", &brought(0)).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["to"], solana(to_account()).to_string());
    assert_eq!(signed(&answer)[65..], looked_up(0));
}

/// One that is false would make a whole transaction of what never lands.
#[tokio::test]
async fn a_signature_that_is_not_its_signers_is_refused() {
    let world = World::new().await;
    let message = sponsored();
    let mut theirs = sponsor().sign(&message).to_bytes();
    theirs[0] ^= 1;
    let brought = body(&world, &wire(&[theirs, [0; 64]], &message), "");
    let (status, answer) = bring(&world, "k", &brought).await;
    assert_eq!((status, code(&answer)), (400, "brought_malformed"));
    assert!(world.signer.with(|inside| inside.signed.is_empty()));
}

#[tokio::test]
async fn what_the_wallet_signs_alone_is_sent_if_that_is_asked_for() {
    let world = World::new().await;
    world.chain.land(confirmed());
    let kept = body(&world, &wire(&[[0; 64]], &own()), "");
    let (status, answer) = bring(&world, "kept", &kept).await;
    assert_eq!((status, &answer["status"]), (201, &json!("SUBMITTED")));
    assert_eq!(signed(&answer)[65..], own());
    assert_eq!(answer["fee_max_base"], "5000");
    assert!(world.chain.sent().is_empty());
    let send = body(&world, &wire(&[[0; 64]], &own()), r#","submit":true"#);
    let request = world.payment("/v1/transactions/sign?wait=30", bearer(), "sent", &send);
    let (status, answer) = world.call(request).await;
    assert_eq!(
        (status.as_u16(), &answer["status"]),
        (201, &json!("CONFIRMED")),
        "{answer}"
    );
    assert_eq!(world.chain.sent().len(), 1);
    // Somebody else's signature is missing: nobody could send it.
    let two = body(
        &world,
        &wire(&[[0; 64]; 2], &sponsored()),
        r#","submit":true"#,
    );
    let (status, answer) = bring(&world, "two", &two).await;
    assert_eq!((status, code(&answer)), (422, "brought_submit"));
}

#[tokio::test]
async fn each_route_takes_its_own_bodies() {
    let world = World::new().await;
    let brought = body(&world, &wire(&[[0; 64]], &own()), "");
    let (status, answer) = world.pay("k", &brought).await;
    assert_eq!((status.as_u16(), code(&answer)), (400, "body_malformed"));
    let (status, answer) = bring(&world, "k", &world.body()).await;
    assert_eq!((status, code(&answer)), (400, "body_malformed"));
    for more in [
        r#","to":"@hosting""#,
        r#","amount_base":"5""#,
        r#","memo":"1""#,
        r#","type":"call""#,
        r#","transfers":[]"#,
        r#","recipients":["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]"#,
        r#","role":"payer""#,
    ] {
        let (status, answer) =
            bring(&world, "k", &body(&world, &wire(&[[0; 64]], &own()), more)).await;
        assert_eq!((status, code(&answer)), (400, "body_malformed"), "{more}");
    }
    let call = Call::new(Method::POST, SIGN).json(&brought);
    assert_eq!(world.call(call).await.0.as_u16(), 401);
}

#[tokio::test]
async fn a_dry_run_judges_what_is_brought() {
    let world = World::new().await;
    let brought = body(&world, &wire(&[[0; 64]; 2], &sponsored()), "");
    let request = world.payment("/v1/transactions/dry-run", bearer(), "k", &brought);
    let (status, judged) = world.call(request).await;
    assert_eq!((status.as_u16(), &judged["allowed"]), (200, &json!(true)));
    assert_eq!(judged["fee_max_base"], "0");
    assert!(world.chain.sent().is_empty());
}

/// What the agent has of such a payment after asking for it.
async fn asked(world: &World, made: &Value) -> Value {
    let id = made["transaction"].as_str().expect("named");
    world
        .get(&format!("/v1/transactions/{id}"), bearer())
        .await
        .1
}

/// It is looked for by the wallet's own signature, whatever the sponsor's was: that one may sign again.
#[tokio::test]
async fn what_somebody_else_pays_for_ends_by_evidence_of_the_wallets_own_signature() {
    let message = sponsored();
    let theirs = sponsor().sign(&message).to_bytes();
    let later = ChainTransactionId::Solana([0x55; 64]);
    for first in [[0; 64], theirs] {
        let world = World::new().await;
        let brought = body(&world, &wire(&[first, [0; 64]], &message), "");
        let (_, made) = bring(&world, "k", &brought).await;
        let own = <[u8; 64]>::try_from(&signed(&made)[65..129]).expect("a signature");
        world.until(|world| world.app.feed().is_caught_up()).await;
        // Nobody knows anything: nothing is said.
        world.chain.land(Landing::Unknown);
        let open = asked(&world, &made).await;
        assert_eq!(
            (&open["status"], open.get("detail")),
            (&json!("SUBMITTED"), None)
        );
        let sought = world
            .chain
            .sought
            .lock()
            .expect("no panic under it")
            .clone();
        assert!(!sought.is_empty());
        for sought in sought {
            assert_eq!(sought.id, ChainTransactionId::Solana(own));
            assert_eq!(sought.signer, Some(solana(from_account())));
        }
        // It landed under a name that nobody here has seen.
        *world.chain.name.lock().expect("no panic under it") = Some(later);
        world.chain.land(confirmed());
        let ended = asked(&world, &made).await;
        assert_eq!(ended["status"], "CONFIRMED");
        assert_eq!(ended["chain_transaction"], later.to_string());
        assert_eq!(
            asked(&world, &made).await["chain_transaction"],
            later.to_string()
        );
    }
}

/// The wallet has another account by then.
#[tokio::test]
async fn what_was_signed_before_a_rotation_is_looked_for_by_the_account_that_signed() {
    let world = World::new().await;
    let brought = body(&world, &wire(&[[0; 64]; 2], &sponsored()), "");
    let (_, made) = bring(&world, "k", &brought).await;
    world.until(|world| world.app.feed().is_caught_up()).await;
    world
        .signer
        .with(|inside| inside.rotated = Some(to_account()));
    world.app.views.forget(&Stale::everything());
    let wallets = world.app.views.wallet(&*world.app.signer, wallet()).await;
    let now = wallets.expect("told").expect("there");
    assert_eq!(now.account, to_account());
    world.chain.land(confirmed());
    assert_eq!(asked(&world, &made).await["status"], "CONFIRMED");
    let sought = world.chain.sought.lock().expect("no panic under it");
    assert!(!sought.is_empty());
    for sought in &*sought {
        assert_eq!(sought.signer, Some(solana(from_account())));
    }
}

#[tokio::test]
async fn what_somebody_else_pays_for_expires_or_fails_on_evidence_only() {
    let failed = Landing::Failed {
        position: 9,
        reason: ChainText::new("no"),
    };
    for (landing, status) in [
        (Landing::Pending, "SUBMITTED"),
        (Landing::Disputed, "SUBMITTED"),
        (Landing::Expired, "EXPIRED"),
        (failed, "FAILED"),
    ] {
        let world = World::new().await;
        let brought = body(&world, &wire(&[[0; 64]; 2], &sponsored()), "");
        let (_, made) = bring(&world, "k", &brought).await;
        // No node answers: nothing is known.
        world.chain.down.store(true, Ordering::SeqCst);
        assert_eq!(asked(&world, &made).await["status"], "SUBMITTED");
        world.chain.down.store(false, Ordering::SeqCst);
        world.chain.land(landing);
        assert_eq!(asked(&world, &made).await["status"], status);
    }
}
