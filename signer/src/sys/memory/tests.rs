//! Tests of locked memory. Both backings are tried; memory is looked at from outside the slots through
//! `/proc/self/mem`, which sees locked pages and must not see secret ones.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::*;

const SIZE: usize = 256 * 1024;

fn arenas() -> [SecretArena; 2] {
    [
        SecretArena::with_memfd_secret(SIZE).expect("this test needs a kernel with memfd_secret"),
        SecretArena::with_mlock(SIZE).expect("this test needs RLIMIT_MEMLOCK of at least 256 KiB"),
    ]
}

fn address(slot: &LockedBytes) -> usize {
    slot.expose(|bytes| bytes.as_ptr().addr())
}

/// Reads this process's memory past all Rust borrows.
fn peek(address: usize, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open("/proc/self/mem")?.read_exact_at(&mut bytes, u64::try_from(address).unwrap())?;
    Ok(bytes)
}

#[test]
fn the_best_backing_is_taken() {
    let [secret, locked] = arenas();
    assert_eq!(
        SecretArena::new(SIZE).unwrap().backing(),
        Backing::MemfdSecret
    );
    assert_eq!(secret.backing(), Backing::MemfdSecret);
    assert_eq!(locked.backing(), Backing::Mlocked);
}

#[test]
fn a_slot_keeps_what_is_written_and_starts_as_zeros() {
    for arena in arenas() {
        let mut slot = arena.take(100).unwrap();
        assert_eq!((slot.len(), slot.is_empty()), (100, false));
        slot.expose(|bytes| assert_eq!(bytes, [0; 100]));
        slot.fill(|bytes| bytes.fill(7));
        slot.expose(|bytes| assert_eq!(bytes, [7; 100]));
        assert!(slot.matches(&[7; 100]));
        assert!(!slot.matches(&[7; 99]));
        assert!(!slot.matches(&[8; 100]));
    }
}

#[test]
fn slots_do_not_overlap_and_gaps_are_used_again() {
    for arena in arenas() {
        let mut first = arena.take(65).unwrap();
        let mut second = arena.take(1).unwrap();
        first.fill(|bytes| bytes.fill(1));
        second.fill(|bytes| bytes.fill(2));
        first.expose(|bytes| assert_eq!(bytes, [1; 65]));
        let freed = address(&first);
        drop(first);
        let too_long = arena.take(129).unwrap();
        assert_ne!(address(&too_long), freed);
        let fits = arena.take(128).unwrap();
        assert_eq!(address(&fits), freed);
        fits.expose(|bytes| assert_eq!(bytes, [0; 128], "wiped when it was dropped"));
        second.expose(|bytes| assert_eq!(bytes, [2]));
    }
}

#[test]
fn a_dropped_slot_is_wiped_at_once() {
    let arena = SecretArena::with_mlock(SIZE).unwrap();
    let mut slot = arena.take(64).unwrap();
    let at = address(&slot);
    slot.fill(|bytes| bytes.fill(0xa5));
    assert_eq!(
        peek(at, 64).unwrap(),
        [0xa5; 64],
        "the control: locked memory can be looked at"
    );
    drop(slot);
    assert_eq!(peek(at, 64).unwrap(), [0; 64]);
}

#[test]
fn secret_pages_cannot_be_looked_at() {
    let arena = SecretArena::with_memfd_secret(SIZE).unwrap();
    let slot = arena.take(64).unwrap();
    assert_eq!(
        peek(address(&slot), 64).unwrap_err().raw_os_error(),
        Some(libc::EIO)
    );
}

#[test]
fn no_descriptor_of_the_secret_pages_stays_open() {
    let _arena = SecretArena::with_memfd_secret(SIZE).unwrap();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        // Other tests open and close descriptors meanwhile: one that is gone is not the one looked for.
        let Ok(target) = std::fs::read_link(entry.unwrap().path()) else {
            continue;
        };
        assert!(
            !target.to_string_lossy().contains("secretmem"),
            "{}",
            target.display()
        );
    }
}

#[test]
fn the_mapping_is_locked_kept_out_of_dumps_and_of_children() {
    for (arena, flags) in arenas()
        .into_iter()
        .zip([&["lo", "dc", "dd"][..], &["lo", "wf", "dd"][..]])
    {
        let slot = arena.take(1).unwrap();
        let found = vm_flags(address(&slot));
        for flag in flags {
            assert!(
                found.split_whitespace().any(|one| one == *flag),
                "{:?}: {flag} not in {found}",
                arena.backing()
            );
        }
    }
}

/// The `VmFlags` line of the mapping at `address` (proc(5)).
fn vm_flags(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        let head = line.split_whitespace().next().unwrap_or_default();
        if let Some((from, to)) = head.split_once('-')
            && let (Ok(from), Ok(to)) = (
                usize::from_str_radix(from, 16),
                usize::from_str_radix(to, 16),
            )
        {
            inside = (from..to).contains(&address);
        } else if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
            return flags.to_owned();
        }
    }
    String::new()
}

#[test]
fn guard_pages_stand_on_both_sides() {
    for arena in arenas() {
        let first = arena.take(SIZE).unwrap();
        let base = address(&first);
        for outside in [base - 1, base + SIZE] {
            assert!(
                !vm_flags(outside)
                    .split_whitespace()
                    .any(|flag| flag == "rd" || flag == "wr")
            );
        }
    }
}

#[test]
fn a_full_arena_says_so() {
    for arena in arenas() {
        assert!(
            matches!(arena.take(SIZE + 1), Err(MemoryError::Full { bytes }) if bytes == SIZE + 1)
        );
        assert!(matches!(
            arena.take(usize::MAX),
            Err(MemoryError::Full { .. })
        ));
        let all = arena.take(SIZE).unwrap();
        assert!(matches!(arena.take(1), Err(MemoryError::Full { bytes: 1 })));
        drop(all);
        assert!(arena.take(SIZE).is_ok());
    }
}

#[test]
fn impossible_sizes_are_refused() {
    for bytes in [0, usize::MAX, usize::MAX - 4096, usize::MAX / 2] {
        assert!(SecretArena::with_mlock(bytes).is_err());
        assert!(SecretArena::with_memfd_secret(bytes).is_err());
        assert!(SecretArena::new(bytes).is_err());
    }
}

#[test]
fn nothing_is_printed() {
    for arena in arenas() {
        let mut slot = arena.take(4).unwrap();
        slot.fill(|bytes| bytes.copy_from_slice(b"abcd"));
        assert_eq!(format!("{slot:?}"), "LockedBytes(secret)");
        assert!(!format!("{arena:?}").contains("abcd"));
    }
}

#[test]
fn slots_cross_threads() {
    let arena = SecretArena::new(SIZE).unwrap();
    std::thread::scope(|scope| {
        for mark in 0..8_u8 {
            let arena = arena.clone();
            scope.spawn(move || {
                for length in 1..200 {
                    let mut slot = arena.take(length).unwrap();
                    slot.expose(|bytes| assert!(bytes.iter().all(|byte| *byte == 0)));
                    slot.fill(|bytes| bytes.fill(mark));
                    slot.expose(|bytes| assert!(bytes.iter().all(|byte| *byte == mark)));
                }
            });
        }
    });
}

#[test]
fn the_stack_is_scrubbed() {
    /// Leaves a pattern on the stack, as a cryptographic routine would, and says where.
    #[inline(never)]
    fn spill() -> usize {
        let mut frame = [0_u8; 1024];
        frame.fill(0xc3);
        black_box(&mut frame).as_ptr().addr()
    }
    let at = spill();
    scrub_stack();
    let left = peek(at, 1024).unwrap();
    assert!(!left.windows(8).any(|bytes| bytes == [0xc3; 8]));
}

#[test]
fn an_unscrubbed_stack_keeps_what_was_spilled() {
    #[inline(never)]
    fn spill(file: &File, look: &mut [u8]) {
        let mut frame = [0_u8; 32 * 1024];
        frame.fill(0xc3);
        let at = black_box(&mut frame).as_ptr().addr();
        file.read_exact_at(look, u64::try_from(at).unwrap())
            .unwrap();
    }
    // The control: the pattern is really there to be found, in the frame that `scrub_stack` covers.
    let file = File::open("/proc/self/mem").unwrap();
    let mut look = [0; 1024];
    spill(&file, &mut look);
    assert_eq!(look, [0xc3; 1024]);
}
