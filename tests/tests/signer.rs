//! The sealed signer as a process, driven over its sockets: from an empty home to signatures on both
//! chains that foreign code verifies, through restarts, a wrong password, a kill and its release.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_shared::address::Account;
use waiaas_shared::caip::Family;
use waiaas_shared::denial::Code;
use waiaas_shared::log::{SignedHead, Verifier};
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::Transfer;
use waiaas_tests::owner::Owner;
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{EVM, Stage, codes, gateway, run, solana};
use xtask::tools;

fn expected(family: &str, transfer: &Transfer, raw: &[u8], nonce: Option<u64>) -> Value {
    let mut value = json!({
        "family": family,
        "raw": hex::encode(raw),
        "from": transfer.from.account,
        "to": transfer.to,
        "amount": transfer.amount.to_string(),
        "chainId": 31_337,
    });
    if let (Some(nonce), Some(object)) = (nonce, value.as_object_mut()) {
        object.insert("nonce".to_owned(), json!(nonce));
    }
    value
}

fn foreign(list: &[Value]) -> Result<()> {
    let argument = serde_json::to_string(list)?;
    let node = tools::node(include_str!("../foreign/verify.mjs"), [&argument])?.output()?;
    ensure!(
        node.status.success(),
        "kit and viem: {}",
        String::from_utf8_lossy(&node.stderr)
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/verify.py");
    let python = tools::python()?.arg(script).arg(&argument).output()?;
    ensure!(
        python.status.success(),
        "solders and eth-account: {}",
        String::from_utf8_lossy(&python.stderr)
    );
    for output in [node, python] {
        let said: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(said == json!({ "checked": list.len() }), "{said}");
    }
    Ok(())
}

/// Must show 6: what leaves the signer is verified by @solana/kit, viem, solders and eth-account.
#[test]
fn signatures_on_both_chains_verify_with_foreign_code() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        let mut list = Vec::new();
        for nonce in 0..3 {
            let transfer = stage.to_evm(1_000 + u128::from(nonce));
            let signed = gateway
                .sign(&stage.agent.request(&transfer, &format!("evm-{nonce}"))?)
                .await?
                .signed()
                .context("nothing waits here")?;
            list.push(expected("evm", &transfer, &signed.raw, Some(nonce)));
            let transfer = stage.to_solana(2_000 + u128::from(nonce));
            let signed = gateway
                .sign(&stage.agent.request(&transfer, &format!("solana-{nonce}"))?)
                .await?
                .signed()
                .context("nothing waits here")?;
            list.push(expected("solana", &transfer, &signed.raw, None));
        }
        foreign(&list)?;
        // The foreign check can fail: one amount changed.
        let mut wrong = list.clone();
        wrong[0]["amount"] = json!("1");
        ensure!(foreign(&wrong).is_err(), "a wrong amount must not pass");
        Ok(())
    });
}

#[test]
fn everything_survives_a_kill_minus_nine_and_replays_give_the_same_bytes() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let transfer = stage.to_evm(5_000);
        let request = stage.agent.request(&transfer, "once")?;
        let first = gateway(&home.gateway_socket())
            .await?
            .sign(&request)
            .await?
            .signed()
            .context("nothing waits here")?;
        let before = stage.owner.admin.status().await?;
        drop(signer);

        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        // Locked: closed, also for replays; the log is readable.
        let again = stage.agent.request(&transfer, "once")?;
        let refused = gateway.sign(&again).await.expect_err("locked");
        ensure!(codes(&refused) == [Code::Locked], "{refused}");
        let status = owner.admin.status().await?;
        ensure!(
            !status.unlocked && status.sequence == before.sequence && status.head == before.head
        );
        // A wrong password is refused and counted.
        let ticket = owner.admin.put_secret(b"wrong").await?;
        let refused = owner
            .admin
            .unlock(&ticket, false, None)
            .await
            .expect_err("a wrong password");
        ensure!(codes(&refused) == [Code::PasswordWrong], "{refused}");
        ensure!(owner.admin.status().await?.unlock_failures == 1);
        owner.unlock().await?;
        let replay = gateway
            .sign(&stage.agent.request(&transfer, "once")?)
            .await?
            .signed()
            .context("nothing waits here")?;
        ensure!(replay.replay && replay.raw == first.raw && replay.sequence == first.sequence);
        let by_name = gateway.signed_transaction(first.transaction).await?;
        ensure!(by_name.raw == first.raw);
        let conflict = stage.agent.request(&stage.to_evm(5_001), "once")?;
        let refused = gateway.sign(&conflict).await.expect_err("another body");
        ensure!(codes(&refused) == [Code::IdempotencyConflict], "{refused}");
        // The next payment takes the next nonce.
        let next = gateway
            .sign(&stage.agent.request(&stage.to_evm(6_000), "next")?)
            .await?
            .signed()
            .context("nothing waits here")?;
        foreign(&[expected("evm", &stage.to_evm(6_000), &next.raw, Some(1))])?;
        Ok(())
    });
}

#[test]
fn a_kill_wipes_the_keys_and_only_owner_and_password_release_it() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let gateway_client = gateway(&home.gateway_socket()).await?;
        gateway_client.kill().await?;
        let status = gateway_client.status().await?;
        ensure!(status.kill == "ACTIVATED" && !status.unlocked && status.kill_epoch == 1);
        drop(signer);

        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        ensure!(
            owner.admin.status().await?.kill == "ACTIVATED",
            "a restart releases nothing"
        );
        owner.unlock().await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        let refused = gateway
            .sign(&stage.agent.request(&stage.to_evm(1), "after")?)
            .await
            .expect_err("killed");
        ensure!(codes(&refused) == [Code::SessionRevoked], "{refused}");
        owner
            .say(&StatementFacts::ReleaseKill {
                epoch: 1,
                sessions: vec![stage.agent.session],
            })
            .await?;
        let refused = gateway
            .sign(&stage.agent.request(&stage.to_evm(1), "after")?)
            .await
            .expect_err("recovering");
        ensure!(codes(&refused) == [Code::Frozen], "{refused}");
        owner
            .say(&StatementFacts::ReleasePause { wallet: None })
            .await?;
        gateway
            .sign(&stage.agent.request(&stage.to_evm(1), "after")?)
            .await?;
        Ok(())
    });
}

#[test]
fn a_kill_thrown_while_locked_is_durable_and_holds_after_unlock() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        stage.owner.admin.lock().await?;
        gateway(&home.gateway_socket()).await?.kill().await?;
        drop(signer);
        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        ensure!(owner.admin.status().await?.kill == "ACTIVATED");
        owner.unlock().await?;
        ensure!(owner.admin.status().await?.kill == "ACTIVATED");
        let gateway = gateway(&home.gateway_socket()).await?;
        ensure!(
            gateway
                .sign(&stage.agent.request(&stage.to_evm(1), "a")?)
                .await
                .is_err()
        );
        Ok(())
    });
}

/// The whole log, as anybody at a socket reads it, verifies with the log's public key.
#[test]
fn the_log_verifies_from_outside() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        for number in 0..20 {
            gateway
                .sign(
                    &stage
                        .agent
                        .request(&stage.to_solana(1_000), &format!("k{number}"))?,
                )
                .await?;
        }
        let keystore = std::fs::read(home.state().join("keystore"))?;
        let identity = waiaas_keystore_identity(&keystore)?;
        let mut verifier = Verifier::new(stage.agent.signer, identity);
        loop {
            let page = gateway
                .events(verifier.head().sequence, 10_000, Duration::ZERO)
                .await?;
            if page.events.is_empty() {
                break;
            }
            let heads: BTreeMap<u64, SignedHead> = page
                .heads
                .iter()
                .map(|note| {
                    note.parse::<SignedHead>()
                        .map(|head| (head.head_unverified().sequence, head))
                })
                .collect::<Result<_, _>>()?;
            for event in page.events {
                verifier.event(event.sequence, &event.body, event.hash)?;
                if let Some(head) = heads.get(&event.sequence) {
                    verifier.signed_head(head)?;
                }
            }
        }
        let head = verifier.finish()?;
        ensure!(head.sequence == gateway.status().await?.sequence);
        Ok(())
    });
}

/// T13: what a gateway brings of the signer's word verifies elsewhere, and it can change none of it.
#[test]
fn a_heartbeat_verifies_from_outside() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        let note = gateway.heartbeat().await?;
        let keystore = std::fs::read(home.state().join("keystore"))?;
        let log_key = hex::encode(waiaas_keystore_identity(&keystore)?);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/verify_log.py");
        let file = home.state().with_file_name("heartbeat");
        let verifies = |note: &str| -> Result<bool> {
            std::fs::write(&file, note)?;
            let output = std::process::Command::new("python3")
                .args(["-B".as_ref(), script.as_os_str(), "--heartbeat".as_ref()])
                .arg(&file)
                .args(["--log-key", &log_key])
                .args(["--signer", &stage.agent.signer.to_string()])
                .output()?;
            Ok(output.status.success())
        };
        ensure!(verifies(&note)?, "{note}");
        for (said, other) in [
            ("waiting 0", "waiting 1"),
            ("frozen no", "frozen yes"),
            ("heartbeat/v1", "log/v1"),
        ] {
            let changed = note.replacen(said, other, 1);
            ensure!(changed != note && !verifies(&changed)?, "{other}");
        }
        // What the owner says is heard, over either socket.
        stage.owner.say(&StatementFacts::SignOfLife).await?;
        ensure!(gateway.heartbeat().await? != note, "it is signed afresh");
        stage.owner.admin.lock().await?;
        let refused = gateway.heartbeat().await.err().context("it is locked")?;
        ensure!(codes(&refused) == [Code::Locked]);
        Ok(())
    });
}

/// The log's public key stands in the keystore's header (docs/keystore-format.md): read here by offset,
/// not with the signer's code.
fn waiaas_keystore_identity(keystore: &[u8]) -> Result<[u8; 32]> {
    let key = keystore.get(64..96).context("a header")?;
    Ok(key.try_into()?)
}

#[test]
fn a_second_signer_on_the_same_state_refuses_to_start() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        let output = home.command().output()?;
        ensure!(output.status.code() == Some(75), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains("another signer is running"), "{said}");
        Ok(())
    });
}

#[test]
fn accounts_are_of_the_wallets_family() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        let mut owner = Owner::connect(&home.admin_socket()).await?;
        owner.initialize().await?;
        owner.enrol(vec![]).await?;
        ensure!(matches!(
            owner.wallet(Family::Evm, EVM).await?.account,
            Account::Evm(_)
        ));
        ensure!(matches!(
            owner.wallet(Family::Solana, solana()).await?.account,
            Account::Solana(_)
        ));
        ensure!(owner.wallet(Family::Solana, EVM).await.is_err());
        Ok(())
    });
}
