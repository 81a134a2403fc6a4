//! From every thread: what is forbidden ends the process, or is refused where only Landlock can tell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use waiaas_signer::sandbox::Filter;

use crate::Test;
use crate::attempts::{DEADLY, DEADLY_HERE};
use crate::support::{End, Finished, KILLED, NOBODY, THREADS, need_root, run};

pub(crate) const TESTS: &[Test] = &[
    (
        "forbidden::every_thread_dies_of_every_forbidden_thing",
        every_thread_dies_of_every_forbidden_thing,
    ),
    (
        "forbidden::an_unprivileged_signer_dies_just_the_same",
        an_unprivileged_signer_dies_just_the_same,
    ),
    (
        "forbidden::files_outside_the_state_directory",
        files_outside_the_state_directory,
    ),
    (
        "forbidden::each_thread_has_only_its_own_calls",
        each_thread_has_only_its_own_calls,
    ),
    (
        "forbidden::every_unlisted_number_is_death",
        every_unlisted_number_is_death,
    ),
    #[cfg(target_arch = "x86_64")]
    (
        "forbidden::every_x32_number_is_death",
        every_x32_number_is_death,
    ),
];

/// `uretprobe` and `uprobe`: since Linux 6.14 and 6.18 no seccomp filter is asked about them. Outside of a
/// trampoline that the kernel itself placed they do nothing but raise SIGILL or answer ENXIO.
#[cfg(target_arch = "x86_64")]
const PROBES: &[i64] = &[335, 336];
#[cfg(not(target_arch = "x86_64"))]
const PROBES: &[i64] = &[];

/// One probe: thread, attempt, and what must come of it.
type Case = (&'static str, String, Expected);

/// What must come of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Death by SIGSYS, and no answer.
    Death,
    /// The call answers with this error.
    Errno(i32),
    /// The call reaches the kernel: whatever it answers.
    Answer,
    /// The call succeeds.
    Success,
    /// Death, or the answer of a call that the kernel itself keeps out of every filter.
    DeathOrProbe,
}

fn every_thread_dies_of_every_forbidden_thing() {
    let cases = THREADS.into_iter().flat_map(|thread| {
        DEADLY
            .iter()
            .chain(DEADLY_HERE)
            .map(move |attempt| (thread, (*attempt).to_owned(), Expected::Death))
    });
    check_all(0, cases.collect());
}

fn an_unprivileged_signer_dies_just_the_same() {
    need_root();
    let cases = THREADS.into_iter().flat_map(|thread| {
        [
            "socket-inet",
            "connect",
            "execve",
            "std-thread",
            "ptrace-me",
            "mmap-rwx",
            "mprotect-exec",
            "io-uring",
        ]
        .map(move |attempt| (thread, attempt.to_owned(), Expected::Death))
    });
    check_all(NOBODY, cases.collect());
}

fn files_outside_the_state_directory() {
    const OUTSIDE: [&str; 5] = [
        "open-passwd",
        "open-own-memory",
        "open-own-status",
        "create-outside",
        "open-root",
    ];
    let mut cases = Vec::new();
    for attempt in OUTSIDE {
        cases.push((
            "authority",
            attempt.to_owned(),
            Expected::Errno(libc::EACCES),
        ));
        for thread in ["main", "kdf", "rpc"] {
            cases.push((thread, attempt.to_owned(), Expected::Death));
        }
    }
    cases.push((
        "authority",
        "rename-out".to_owned(),
        Expected::Errno(libc::EACCES),
    ));
    // The control: the same call works where it should, and only in the authority.
    cases.push(("authority", "create-inside".to_owned(), Expected::Success));
    for thread in ["main", "kdf", "rpc"] {
        cases.push((thread, "create-inside".to_owned(), Expected::Death));
    }
    check_all(0, cases);
}

fn each_thread_has_only_its_own_calls() {
    const FILES: [&str; 2] = ["pread-nothing", "fsync"];
    const SOCKETS: [&str; 4] = ["accept4", "recvfrom", "sendto-peer", "getsockopt-peercred"];
    let mut cases = Vec::new();
    for thread in THREADS {
        let expect = |allowed: bool| {
            if allowed {
                Expected::Answer
            } else {
                Expected::Death
            }
        };
        cases.extend(
            FILES.map(|attempt| (thread, attempt.to_owned(), expect(thread == "authority"))),
        );
        cases.extend(SOCKETS.map(|attempt| (thread, attempt.to_owned(), expect(thread == "rpc"))));
        cases.push((
            thread,
            "read-nothing".to_owned(),
            expect(thread == "authority" || thread == "rpc"),
        ));
        // Beyond the arguments that the rpc filter names.
        for attempt in [
            "sendto-address",
            "getsockopt-error",
            "getsockopt-peerpidfd",
            "getsockopt-other-level",
        ] {
            cases.push((thread, attempt.to_owned(), Expected::Death));
        }
    }
    check_all(0, cases);
}

fn every_unlisted_number_is_death() {
    let filters = [Filter::Main, Filter::Authority, Filter::Kdf, Filter::Rpc];
    let mut cases = Vec::new();
    for (thread, filter) in THREADS.into_iter().zip(filters) {
        let listed = |number: i64| filter.allowed().iter().any(|call| call.number == number);
        cases.extend((0..=600).filter(|number| !listed(*number)).map(|number| {
            (
                thread,
                format!("call-{number}"),
                if PROBES.contains(&number) {
                    Expected::DeathOrProbe
                } else {
                    Expected::Death
                },
            )
        }));
    }
    assert!(
        cases.len() > 2_000,
        "the filters list too much: only {} numbers are left",
        cases.len()
    );
    check_all(0, cases);
}

#[cfg(target_arch = "x86_64")]
fn every_x32_number_is_death() {
    let cases = THREADS.into_iter().flat_map(|thread| {
        (0..=600).map(move |number| (thread, format!("x32-call-{number}"), Expected::Death))
    });
    check_all(0, cases.collect());
}

/// Runs every case, as many at a time as there are cores, and names all that came out otherwise.
fn check_all(uid: u32, cases: Vec<Case>) {
    need_root();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((thread, attempt, expected)) =
                    cases.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let finished = run(uid, &["try", thread, attempt]);
                    if !came_true(*expected, &finished) {
                        wrong.lock().expect("no worker panics").push(format!(
                            "{thread} {attempt}: expected {expected:?}, got {finished:?}"
                        ));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no worker panics");
    assert!(
        wrong.is_empty(),
        "{} of {} came out otherwise:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

fn came_true(expected: Expected, finished: &Finished) -> bool {
    let lived = finished.end == End::Code(0) && !finished.escaped;
    match expected {
        Expected::Death => finished.end == KILLED && finished.out.is_empty() && !finished.escaped,
        Expected::Errno(errno) => lived && finished.out == format!("errno {errno}\n"),
        Expected::Answer => lived && !finished.out.is_empty(),
        Expected::Success => lived && finished.out == "allowed\n",
        Expected::DeathOrProbe => {
            came_true(Expected::Death, finished)
                || finished.end == End::Signal(libc::SIGILL)
                || came_true(Expected::Errno(libc::ENXIO), finished)
        }
    }
}
