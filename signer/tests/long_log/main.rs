//! A start on a log of 20,000 events, made by the code that `examples/long_log` measures with a million:
//! through a snapshot and from the first event on it leads to the same state. Asserts no time.

#[path = "../../examples/long_log/maker.rs"]
mod maker;
#[path = "../../examples/long_log/opened.rs"]
mod opened;

use std::error::Error;
use std::path::Path;

use waiaas_signer::ledger::Ledger as _;
use waiaas_signer::ledger::sqlite::{FILE_NAME, SqliteLedger};
use waiaas_signer::sys::memory::SecretArena;

use maker::Maker;
use opened::open;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const EVENTS: u64 = 20_000;
/// Events after the snapshot.
const TAIL: u64 = 8_000;

/// Where the newest snapshot ends; 0 without one.
fn snapshot(folder: &Path) -> Result<u64> {
    let newest = SqliteLedger::open(folder)?.snapshot_before(u64::MAX)?;
    Ok(newest.map_or(0, |snapshot| snapshot.sequence))
}

#[test]
fn a_long_log_gives_the_same_state_with_and_without_a_snapshot() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let arena = SecretArena::new(256 * 1024)?;
    let mut maker = Maker::new(folder, &arena)?;
    maker.pay_until(EVENTS - TAIL)?;
    assert_eq!(snapshot(folder)?, 0);
    // The signer itself unlocks, and takes the snapshot that is due.
    open(folder, &arena, maker.wall())?.unlock_and_settle(&arena)?;
    let kept = snapshot(folder)?;
    assert!(kept >= EVENTS - TAIL, "{kept}");
    maker.follow()?;
    maker.pay_until(EVENTS)?;
    let (wall, last) = (maker.wall(), maker.sequence());
    assert!(last >= EVENTS && last - kept >= TAIL / 2, "{last} {kept}");

    // The audit folds the whole log once more, and compares the state with it.
    let through = open(folder, &arena, wall)?.audit()?;
    assert_eq!(through.problems, Vec::<String>::new());
    assert_eq!((through.sequence, through.snapshots), (last, 1));
    rusqlite::Connection::open(folder.join(FILE_NAME))?.execute("DELETE FROM snapshot", ())?;
    assert_eq!(snapshot(folder)?, 0);
    let without = open(folder, &arena, wall)?.audit()?;
    assert_eq!(without.problems, Vec::<String>::new());
    // The snapshot is gone; what its event says of it is still compared with the fold.
    assert_eq!(
        (without.sequence, without.hash, without.snapshots),
        (last, through.hash, 1)
    );
    Ok(())
}
