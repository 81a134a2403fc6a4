//! What an agent reads of its bounds: words and figures of its own, and nothing of what another one has.

use serde_json::{Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::policy::evaluate::{Tier, WindowLeft};
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::scope::{AssetLimits, Hours, Pool, Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::session::SessionRecipients;
use waiaas_shared::time::Millis;
use waiaas_shared::view::Remaining;

use crate::http::openapi;
use crate::testing::{
    World, bearer, bound, chain_id, code, from_account, other, policy, to_account, wallet,
};

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn foreign() -> WalletId {
    WalletId::from_bytes([6; 16])
}

fn remaining(wallet: WalletId) -> Remaining {
    Remaining {
        wallet,
        asset: chain_id().native_asset(),
        per_transaction: units(1_000_000),
        window: units(700_000),
        session: units(4_000_000),
        windows: vec![WindowLeft {
            window: Window::Hour,
            limit: units(2_000_000),
            left: units(700_000),
            more_in: Some(Millis::from_millis(90_500)),
            whole_in: Some(Millis::from_secs(3600)),
        }],
    }
}

/// Two sessions, each with a wallet of its own, under rules of which each knows its own.
async fn two_agents() -> World {
    let world = World::new().await;
    let native = chain_id().native_asset();
    let narrow = |scope, most| ScopeRule {
        limits: vec![AssetLimits {
            asset: native,
            limits: Limits {
                instant_up_to: Some(units(most)),
                ..Limits::default()
            },
        }],
        ..ScopeRule::new(scope)
    };
    let mut document = PolicyDocument {
        delay: Millis::from_secs(300),
        pools: vec![Pool {
            name: "ops".to_owned(),
            wallets: vec![wallet(), foreign()],
        }],
        scopes: vec![
            narrow(Scope::Pool("ops".to_owned()), 90_000),
            narrow(Scope::Wallet(wallet()), 80_000),
            narrow(Scope::Wallet(foreign()), 70_000),
            narrow(Scope::Session(other()), 60_000),
            narrow(Scope::BearerSessions, 75_000),
            ScopeRule {
                delay: Some(Millis::from_secs(900)),
                cool_down: Some(Millis::from_secs(5)),
                first_payment: Some(Tier::Notify),
                hours: Some(vec![Hours {
                    utc_offset: 540,
                    days: 0b001_1111,
                    from: 9 * 60,
                    to: 18 * 60 + 30,
                }]),
                ..ScopeRule::new(Scope::EverySession)
            },
        ],
        ..policy()
    };
    // A coin that no session here may spend, and a contact on its network.
    let elsewhere = ChainId::Evm(1);
    let decimals = policy().assets[0].decimals;
    document
        .assets
        .push(AssetRule::closed(elsewhere.native_asset(), "ETH", decimals));
    document.recipients.push(Recipient {
        account: AccountId::new(
            elsewhere,
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
                .parse()
                .expect("an address"),
        )
        .expect("an account"),
        name: "elsewhere".to_owned(),
    });
    document.sort();
    world.signer.with(|inside| {
        inside.documents = vec![document];
        for (id, own) in [
            (bearer(), wallet()),
            (bound(), wallet()),
            (other(), foreign()),
        ] {
            let view = inside.sessions.get_mut(&id).expect("there");
            view.grant.wallets = vec![own];
            view.remaining = vec![remaining(own)];
        }
    });
    world
}

#[tokio::test]
async fn the_policy_is_told_in_words_and_figures() {
    let world = two_agents().await;
    let (status, told) = world.get("/v1/policy", bearer()).await;
    assert_eq!(status.as_u16(), 200, "{told}");
    let asset = &told["assets"][0];
    let network = chain_id().to_string();
    for (field, value) in [
        ("wallet", wallet().to_string()),
        ("network", network.clone()),
        ("symbol", "SOL".to_owned()),
        // The least of per transaction, windows and session.
        ("spendable_base", "700000".to_owned()),
        ("per_transaction_base", "1000000".to_owned()),
        // The strictest of asset, pool, wallet and bearer sessions.
        ("instant_up_to_base", "75000".to_owned()),
        ("notify_up_to_base", "1000000".to_owned()),
        ("fee_ceiling_base", "20000".to_owned()),
        ("session_left_base", "4000000".to_owned()),
    ] {
        assert_eq!(asset[field], json!(value), "{field} in {told}");
    }
    // Noon and 90.5 seconds, up to the second.
    assert_eq!(
        asset["windows"],
        json!([{ "window": "hour", "limit_base": "2000000", "left_base": "700000",
            "more_at": "2026-11-21T00:01:31Z", "whole_at": "2026-11-21T01:00:00Z" }])
    );
    let contacts =
        json!([{ "name": "@hosting", "network": network, "address": to_account().to_string() }]);
    assert_eq!(told["contacts"], contacts);
    for (field, value) in [
        ("recipients_open", json!(false)),
        ("first_payment", json!("NOTIFY")),
        ("delay_seconds", json!(900)),
        ("cool_down_seconds", json!(5)),
        ("approvals_needed", json!(1)),
    ] {
        assert_eq!(told[field], value, "{field} in {told}");
    }
    // 00:00 UTC on a Saturday.
    assert_eq!(told["hours"][0]["open_now"], json!(false));
    assert_eq!(
        told["hours"][0]["any_of"],
        json!([{ "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "18:30",
            "utc_offset_minutes": 540 }])
    );
    let summary = told["summary"][0].as_str().expect("a sentence");
    for words in [
        "at most 0.0007 SOL in one transaction now",
        "in any hour, more at 2026-11-21T00:01:31Z",
    ] {
        assert!(summary.contains(words), "{summary}");
    }
    let words = told["policies"][0]["words"].to_string();
    assert!(
        words.contains("hosting") && words.contains("SOL"),
        "{words}"
    );
    // The session's own view says the same of its windows.
    let (_, own) = world.get("/v1/session", bearer()).await;
    assert_eq!(own["remaining"][0]["windows"], asset["windows"]);
    assert_eq!(own["remaining"][0]["network"], json!(network));
}

/// G17: neither agent reads anything of the other's wallet, session or limits, in whatever answer.
#[tokio::test]
async fn no_agent_reads_what_another_one_has() {
    let world = two_agents().await;
    let routes = [
        "/v1/policy",
        "/v1/session",
        "/v1/wallets",
        "/v1/transactions",
    ];
    let (_, all) = world.get("/v1/wallets", other()).await;
    let foreign_account = all["wallets"][0]["account"]
        .as_str()
        .expect("an account")
        .to_owned();
    let mine = [
        wallet().to_string(),
        from_account().to_string(),
        bearer().to_string(),
        "80000".to_owned(),
    ];
    let theirs = [
        foreign().to_string(),
        foreign_account,
        other().to_string(),
        "70000".to_owned(),
    ];
    for route in routes {
        for (reader, own, hidden) in [(bearer(), &mine, &theirs), (other(), &theirs, &mine)] {
            let (status, told) = world.get(route, reader).await;
            assert_eq!(status.as_u16(), 200, "{route} {told}");
            let told = told.to_string();
            for secret in hidden.iter().take(3) {
                assert!(!told.contains(secret), "{route} tells {secret}: {told}");
            }
            if route == "/v1/policy" {
                // Thresholds by wallet stand in its words.
                let threshold = |units: &str| format!("({units} base units)");
                assert!(told.contains(&threshold(&own[3])), "{told}");
                assert!(!told.contains(&threshold(&hidden[3])), "{told}");
            }
            assert!(
                route == "/v1/transactions" || told.contains(&own[0]),
                "{route}: {told}"
            );
            assert!(
                !told.contains("elsewhere") && !told.contains("eip155:1"),
                "{route}: {told}"
            );
        }
    }
    for target in [
        format!("/v1/wallets/{}/nonce", foreign()),
        format!("/v1/wallets/{}/balances", foreign()),
        format!("/v1/wallets/{}/history", foreign()),
    ] {
        let (status, problem) = world.get(&target, bearer()).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (404, "wallet_unknown"),
            "{target}"
        );
    }
}

/// Who is named by the grant alone, by a policy that does not bind alone, or refused by one, is no contact now.
#[tokio::test]
async fn contacts_are_those_that_every_document_and_the_grant_let_receive() {
    let world = two_agents().await;
    let contacts = async |world: &World| {
        let (_, told) = world.get("/v1/policy", bearer()).await;
        told["contacts"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(contacts(&world).await, 1);
    let account = AccountId::new(chain_id(), to_account()).expect("an account");
    let change = |change: &dyn Fn(&mut PolicyDocument)| {
        world.signer.with(|inside| {
            let mut later = inside.documents[0].clone();
            change(&mut later);
            inside.documents.insert(0, later);
        });
        world.app.views.forget(&crate::views::Stale::everything());
    };
    // The earlier document that still binds does not have it.
    change(&|document| document.recipients.clear());
    assert_eq!(contacts(&world).await, 0);
    world.signer.with(|inside| drop(inside.documents.remove(0)));
    change(&|document| document.denied = vec![account]);
    assert_eq!(contacts(&world).await, 0);
    world.signer.with(|inside| drop(inside.documents.remove(0)));
    // A grant that names somebody else.
    world.signer.with(|inside| {
        let view = inside.sessions.get_mut(&bearer()).expect("there");
        view.grant.recipients = Some(SessionRecipients {
            contacts: vec!["nobody".to_owned()],
            accounts: Vec::new(),
        });
    });
    world.app.views.forget(&crate::views::Stale::everything());
    assert_eq!(contacts(&world).await, 0);
}

#[tokio::test]
async fn a_nonce_is_told_on_evm_networks_alone() {
    let world = World::new().await;
    for (query, status, expected) in [
        ("", 422, "no_nonce"),
        ("?network=solana:localnet", 422, "no_nonce"),
        ("?network=eip155:1", 403, "network_not_bound"),
        ("?network=nowhere", 400, "query_malformed"),
        ("?more=1", 400, "query_malformed"),
    ] {
        let target = format!("/v1/wallets/{}/nonce{query}", wallet());
        let (told, problem) = world.get(&target, bearer()).await;
        assert_eq!(
            (told.as_u16(), code(&problem)),
            (status, expected),
            "{query}"
        );
    }
}

/// A refusal says in one place what to do, how much would pass, in what, and when.
#[tokio::test]
async fn a_refusal_says_what_to_do_in_one_place() {
    use crate::testing::Mood;
    use waiaas_shared::denial::{Code, Denial, Violation};
    let world = World::new().await;
    let native = chain_id().native_asset();
    let limit = |allowed, wait: Option<u64>| Violation {
        retry_after: wait.map(Millis::from_secs),
        ..Violation::limit(Code::HourLimit, native, units(9), units(allowed))
    };
    let cases = [
        (
            limit(7, Some(60)),
            json!("pay_less"),
            json!("7"),
            json!(native.to_string()),
        ),
        (limit(0, Some(60)), json!("wait"), Value::Null, Value::Null),
        (
            Violation::of(Code::RecipientNotListed),
            json!("ask_owner"),
            Value::Null,
            Value::Null,
        ),
    ];
    for (place, (violation, next, allowed, asset)) in cases.into_iter().enumerate() {
        world.signer.set(Mood::Denies(Denial::from(violation)));
        let (status, told) = world.pay(&format!("key-{place}"), &world.body()).await;
        assert_eq!(status.as_u16(), 403, "{told}");
        assert_eq!(
            (&told["next"], &told["allowed_now"], &told["asset"]),
            (&next, &allowed, &asset),
            "{told}"
        );
        assert_eq!(
            told["retry_at"].is_string(),
            told["retry_after_seconds"].is_u64(),
            "{told}"
        );
    }
}

/// What a model reads is described: every field of these answers stands in the description.
#[tokio::test]
async fn what_is_told_is_described() {
    let world = two_agents().await;
    let document: Value = serde_json::from_str(openapi::text()).expect("JSON");
    for (route, schema) in [("/v1/policy", "PolicyJson"), ("/v1/session", "SessionJson")] {
        let (_, told) = world.get(route, bearer()).await;
        let described = &document["components"]["schemas"][schema]["properties"];
        for field in told.as_object().expect("an object").keys() {
            assert!(described[field].is_object(), "{schema} lacks {field}");
        }
    }
}
