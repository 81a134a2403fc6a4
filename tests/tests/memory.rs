//! Invariant 20 at the process level: after unlock and signatures, root finds neither password nor
//! recovery phrase, seed or wallet key in any byte of the signer's memory that can be read, and after a
//! lock the same holds. What root cannot read is the secret pages themselves.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_tests::agent::key;
use waiaas_tests::owner::Owner;
use waiaas_tests::secrets::{Secrets, first_addresses};
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{Stage, gateway, run};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;
/// What is kept of a chunk for the next: longer than anything that is searched.
const OVERLAP: usize = 1 << 10;

fn as_root() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "this test reads another process's memory: run it as root"
    );
    Ok(())
}

/// Shows every stretch of a process's memory that root can read; stretches overlap.
fn read(process: u32, mut see: impl FnMut(&[u8])) -> Result<()> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut read_any = false;
    for line in maps
        .lines()
        .filter(|line| !line.contains("[vvar") && !line.contains("[vsyscall]"))
    {
        let (range, rest) = line.split_once(' ').context("a range")?;
        if !rest.starts_with('r') {
            continue;
        }
        let (from, to) = range.split_once('-').context("a range")?;
        let (mut at, end) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut kept: Vec<u8> = Vec::new();
        while at < end {
            let length = CHUNK.min(usize::try_from(end - at)?);
            let mut bytes = vec![0; length];
            // Secret pages answer EIO: exactly what is wanted.
            if memory.read_exact_at(&mut bytes, at).is_err() {
                break;
            }
            read_any = true;
            kept.extend_from_slice(&bytes);
            see(&kept);
            kept.drain(..kept.len().saturating_sub(OVERLAP));
            at += u64::try_from(length)?;
        }
    }
    ensure!(read_any, "nothing could be read");
    Ok(())
}

/// Nothing secret can be read, in any form; and the search sees what is there.
fn is_clean(process: u32, secrets: &Secrets, there: &[u8]) -> Result<()> {
    let (mut found, mut seen) = (Vec::new(), false);
    read(process, |bytes| {
        found.extend(secrets.within(bytes));
        seen |= bytes.windows(there.len()).any(|window| window == there);
    })?;
    ensure!(found.is_empty(), "it can be read: {found:?}");
    ensure!(seen, "the search finds nothing at all");
    Ok(())
}

#[test]
fn invariant_20_no_secret_stands_in_readable_memory() {
    run(async {
        as_root()?;
        let home = Home::new()?;
        let signer = home.start()?;
        let mut owner = Owner::connect(&home.admin_socket()).await?;
        let phrase = owner.initialize().await?;
        owner.enrol(vec![]).await?;
        drop(owner);
        drop(signer);

        let signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        owner.unlock().await?;
        let id = owner.admin.status().await?.signer.context("a signer")?;
        let secrets = Secrets::of(&phrase)?;
        is_clean(signer.id(), &secrets, id.as_bytes())?;
        owner.admin.lock().await?;
        is_clean(signer.id(), &secrets, id.as_bytes())
    });
}

#[test]
fn invariant_20_no_key_material_after_a_thousand_signatures() {
    run(async {
        as_root()?;
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        // The keys that are searched are those that sign.
        let (solana, evm) = first_addresses(&stage.phrase)?;
        let bytes = |account| match account {
            Account::Solana(address) => address.as_bytes().to_vec(),
            Account::Evm(address) => address.as_bytes().to_vec(),
        };
        ensure!(
            bytes(stage.solana.account) == solana,
            "another Solana key signs"
        );
        ensure!(bytes(stage.evm.account) == evm, "another EVM key signs");
        for number in 0..500 {
            for (transfer, key) in [
                (stage.to_evm(1), format!("e{number}")),
                (stage.to_solana(1), format!("s{number}")),
            ] {
                let request = stage.agent.request(&transfer, &key)?;
                let paid = gateway.sign(&request).await?;
                paid.signed().context("nothing waits here")?;
            }
        }
        let secrets = Secrets::of(&stage.phrase)?;
        // The agent's public key is ordinary data.
        let there = *key(22).verifying_key().as_bytes();
        is_clean(signer.id(), &secrets, &there)?;
        stage.owner.admin.lock().await?;
        is_clean(signer.id(), &secrets, &there)
    });
}
