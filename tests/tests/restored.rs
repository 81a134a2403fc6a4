//! A signer whose keystore and ledger were put back from an older copy, as a process: with the head that
//! its owner kept it is frozen until the owner resumes; without one nothing shows, which is the limit that
//! docs/threat-model.md names.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::log::SignedHead;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::owner::{Owner, PASSWORD};
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{Stage, codes, gateway, run};

const RELEASE: StatementFacts = StatementFacts::ReleasePause { wallet: None };

/// The state directory's files, as a backup has them.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn put_back(home: &Home, backup: &Path) -> Result<()> {
    for entry in fs::read_dir(home.state())? {
        fs::remove_file(entry?.path())?;
    }
    copy(backup, &home.state())
}

async fn unlock(owner: &Owner, head: Option<&str>) -> Result<Result<(), Vec<Code>>> {
    let ticket = owner.admin.put_secret(PASSWORD).await?;
    let unlocked = owner.admin.unlock(&ticket, false, head).await;
    Ok(unlocked.map_err(|error| codes(&error)))
}

async fn pays(home: &Home, stage: &Stage, key: &str) -> Result<Result<(), Vec<Code>>> {
    let gateway = gateway(&home.gateway_socket()).await?;
    let request = stage.agent.request(&stage.to_evm(1_000), key)?;
    Ok(gateway
        .sign(&request)
        .await
        .map(drop)
        .map_err(|error| codes(&error)))
}

#[test]
fn invariant_16_a_restored_copy_is_frozen_behind_a_kept_head() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        drop(signer);
        let backup = home.path().join("backup");
        copy(&home.state(), &backup)?;
        // The signer goes on, and the owner keeps what it says last.
        let signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        ensure!(unlock(&owner, None).await?.is_ok());
        ensure!(pays(&home, &stage, "lost").await?.is_ok());
        let kept = owner.admin.status().await?.head;
        owner.admin.lock().await?;
        ensure!(unlock(&owner, Some(&kept)).await?.is_ok());
        ensure!(!owner.admin.status().await?.frozen, "its own head");
        drop(signer);

        put_back(&home, &backup)?;
        let signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        // A head that the log key did not sign unlocks nothing.
        let mut forged = kept.clone();
        let place = forged.len() - 12;
        let other = if kept.as_bytes().get(place) == Some(&b'A') {
            "B"
        } else {
            "A"
        };
        forged.replace_range(place..=place, other);
        ensure!(unlock(&owner, Some(&forged)).await? == Err(vec![Code::HeadSignature]));
        ensure!(!owner.admin.status().await?.unlocked);
        ensure!(unlock(&owner, Some(&kept)).await?.is_ok());
        let status = owner.admin.status().await?;
        ensure!(
            status.unlocked && status.frozen && status.frozen_by == ["head_missed"],
            "{status:?}"
        );
        ensure!(pays(&home, &stage, "a").await? == Err(vec![Code::Frozen]));
        // The log holds what was presented, and the whole of it is sound.
        let presented = kept.parse::<SignedHead>()?;
        let head = presented.head_unverified();
        let expected = (head.sequence, head.hash, presented.signature().to_vec());
        ensure!(missed(&owner).await? == Some(expected));
        let audited = owner.admin.audit().await?;
        ensure!(audited.problems.is_empty(), "{audited:?}");
        // A restart without the head does not end it; the owner does.
        drop(signer);
        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        ensure!(unlock(&owner, None).await?.is_ok());
        ensure!(pays(&home, &stage, "a").await? == Err(vec![Code::Frozen]));
        owner.say(&RELEASE).await?;
        ensure!(pays(&home, &stage, "a").await?.is_ok());
        Ok(())
    });
}

/// What the log says of a head that it misses.
async fn missed(owner: &Owner) -> Result<Option<(u64, Digest, Vec<u8>)>> {
    let page = owner
        .admin
        .events(0, 256 * 1024, std::time::Duration::ZERO)
        .await?;
    for record in page.events {
        let event: Event = from_canonical(&record.body)?;
        if let EventBody::HeadMissed {
            sequence,
            hash,
            signature,
        } = event.body
        {
            return Ok(Some((sequence, hash, signature)));
        }
    }
    Ok(None)
}

/// The documented limit: an older copy is genuine, and only a kept head shows that there was more.
#[test]
fn without_a_kept_head_a_restored_copy_is_believed() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        drop(signer);
        let backup = home.path().join("backup");
        copy(&home.state(), &backup)?;
        let signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        ensure!(unlock(&owner, None).await?.is_ok());
        ensure!(pays(&home, &stage, "lost").await?.is_ok());
        let last = owner.admin.status().await?.sequence;
        drop(signer);
        put_back(&home, &backup)?;
        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        ensure!(unlock(&owner, None).await?.is_ok());
        let status = owner.admin.status().await?;
        ensure!(!status.frozen && status.sequence < last);
        ensure!(pays(&home, &stage, "a").await?.is_ok());
        Ok(())
    });
}
