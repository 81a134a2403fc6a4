//! Invariant 20 at the process level: after unlock and signatures, root finds neither password nor
//! recovery phrase nor seed in any byte of the signer's memory that can be read, and after a lock the
//! same holds. What root cannot read is the secret pages themselves.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, ensure};
use waiaas_tests::agent::key;
use waiaas_tests::owner::{Owner, PASSWORD};
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{Stage, gateway, run};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// How often a needle stands in the memory of a process that root can read.
fn count(process: u32, needle: &[u8]) -> Result<usize> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut found = 0;
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
            found += kept
                .windows(needle.len())
                .filter(|window| *window == needle)
                .count();
            kept.drain(..kept.len().saturating_sub(needle.len() - 1));
            at += u64::try_from(length)?;
        }
    }
    ensure!(read_any, "nothing could be read: this test runs as root");
    Ok(found)
}

#[test]
fn invariant_20_no_secret_stands_in_readable_memory() {
    run(async {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "this test reads another process's memory: run it as root"
        );
        let home = Home::new()?;
        let signer = home.start()?;
        let mut owner = Owner::connect(&home.admin_socket()).await?;
        let phrase = owner.initialize().await?;
        owner.enrol(vec![]).await?;
        drop(owner);
        drop(signer);
        let entropy = bip39::Mnemonic::parse(std::str::from_utf8(&phrase)?)?.to_entropy();
        ensure!(entropy.len() == 32);

        let signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        owner.unlock().await?;
        let status = owner.admin.status().await?;
        let words: Vec<&[u8]> = phrase.split(|byte| *byte == b' ').collect();
        let four_words = words.get(..4).context("24 words")?.join(&b' ');
        let needles = [
            ("password", PASSWORD),
            ("phrase", &four_words),
            ("seed", entropy.as_slice()),
        ];
        for (name, needle) in needles {
            let found = count(signer.id(), needle)?;
            ensure!(found == 0, "{found} copies of the {name} after unlock");
        }
        owner.admin.lock().await?;
        for (name, needle) in needles {
            ensure!(
                count(signer.id(), needle)? == 0,
                "copies of the {name} after lock"
            );
        }
        // The search can find: the signer's id is in its memory as ordinary data.
        let id = status.signer.context("a signer")?;
        ensure!(
            count(signer.id(), id.as_bytes())? > 0,
            "the search finds nothing at all"
        );
        Ok(())
    });
}

#[test]
fn invariant_20_no_key_material_after_a_thousand_signatures() {
    run(async {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "this test reads another process's memory: run it as root"
        );
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let gateway = gateway(&home.gateway_socket()).await?;
        for number in 0..500 {
            gateway
                .sign(
                    &stage
                        .agent
                        .request(&stage.to_evm(1), &format!("e{number}"))?,
                )
                .await?;
            gateway
                .sign(
                    &stage
                        .agent
                        .request(&stage.to_solana(1), &format!("s{number}"))?,
                )
                .await?;
        }
        ensure!(count(signer.id(), PASSWORD)? == 0, "the password");
        // The agent's private key was never there either; its public half was.
        ensure!(count(signer.id(), &key(22).to_bytes())? == 0);
        ensure!(
            count(signer.id(), key(22).verifying_key().as_bytes())? > 0,
            "the search can find"
        );
        Ok(())
    });
}
