//! What the signer does on a machine that lacks something: refuse where it must, say so where it may go on.

use crate::Test;
use crate::probe::{PANICKED, REFUSED};
use crate::support::{End, Finished, NOBODY, THREADS, need_root, run};

pub(crate) const TESTS: &[Test] = &[
    ("refusals::a_whole_machine_starts", a_whole_machine_starts),
    (
        "refusals::without_seccomp_landlock_or_locked_memory",
        without_seccomp_landlock_or_locked_memory,
    ),
    (
        "refusals::what_may_be_missing_is_said",
        what_may_be_missing_is_said,
    ),
    (
        "refusals::settings_that_do_not_take",
        settings_that_do_not_take,
    ),
    (
        "refusals::a_thread_before_its_time",
        a_thread_before_its_time,
    ),
    (
        "refusals::panics_say_nothing_and_open_nothing",
        panics_say_nothing_and_open_nothing,
    ),
    ("refusals::aborts_stay_aborts", aborts_stay_aborts),
];

fn refused(finished: &Finished, because: &str) {
    assert_eq!(finished.end, End::Code(i32::from(REFUSED)), "{finished:?}");
    assert!(finished.err.contains(because), "{because}: {finished:?}");
    assert!(finished.out.is_empty(), "{finished:?}");
}

fn started(finished: &Finished) -> &str {
    assert_eq!(finished.end, End::Code(0), "{finished:?}");
    &finished.out
}

fn a_whole_machine_starts() {
    need_root();
    let root = run(0, &["start", "nothing"]);
    assert!(
        started(&root).contains("memfd_secret; 2 threads filtered"),
        "{root:?}"
    );
    assert!(root.out.contains("MDWE on; bounding set empty"), "{root:?}");
    assert!(root.out.contains("runs as root"), "{root:?}");
    let nobody = run(NOBODY, &["start", "nothing"]);
    assert!(
        started(&nobody).contains("memfd_secret; 2 threads filtered"),
        "{nobody:?}"
    );
    assert!(!nobody.out.contains("runs as root"), "{nobody:?}");
}

fn without_seccomp_landlock_or_locked_memory() {
    for uid in [0, NOBODY] {
        refused(&run(uid, &["start", "seccomp"]), "seccomp");
        refused(&run(uid, &["start", "landlock"]), "andlock");
        refused(&run(uid, &["start", "any-locked-memory"]), "locked");
    }
}

fn what_may_be_missing_is_said() {
    for uid in [0, NOBODY] {
        let finished = run(uid, &["start", "memfd-secret"]);
        assert!(
            started(&finished).contains("mlock (this kernel has no memfd_secret"),
            "{finished:?}"
        );
        let finished = run(uid, &["start", "mdwe"]);
        assert!(
            started(&finished).contains("MDWE not in this kernel"),
            "{finished:?}"
        );
    }
}

fn settings_that_do_not_take() {
    for uid in [0, NOBODY] {
        refused(&run(uid, &["start", "no-new-privs"]), "no-new-privs");
        refused(&run(uid, &["start", "dumpable"]), "dumpable");
        refused(&run(uid, &["start", "dumpable-for-show"]), "still dumpable");
    }
    need_root();
    refused(&run(0, &["start", "capset"]), "capabilities");
    refused(
        &run(0, &["start", "capset-for-show"]),
        "does not confirm: capabilities",
    );
}

fn a_thread_before_its_time() {
    for when in ["early-thread", "late-thread"] {
        refused(
            &run(0, &["start", when]),
            "2 threads exist where 1 were expected",
        );
    }
    refused(
        &run(0, &["start", "later-thread"]),
        "3 threads exist where 2 were expected",
    );
}

fn panics_say_nothing_and_open_nothing() {
    for thread in ["authority", "kdf", "rpc"] {
        let finished = run(0, &["try", thread, "panic"]);
        // Not SIGSYS: unwinding works under the filters, though the test asked for a full backtrace.
        assert_eq!(
            finished.end,
            End::Code(i32::from(PANICKED)),
            "{thread}: {finished:?}"
        );
        assert_eq!(
            finished.err, "waiaas-signer: a thread stopped on a broken assumption\n",
            "{thread}"
        );
    }
    let finished = run(0, &["try", "main", "panic"]);
    assert_eq!(finished.end, End::Code(101), "{finished:?}");
    assert_eq!(
        finished.err,
        "waiaas-signer: a thread stopped on a broken assumption\n"
    );
}

fn aborts_stay_aborts() {
    for thread in THREADS {
        assert_eq!(
            run(0, &["try", thread, "abort"]).end,
            End::Signal(libc::SIGABRT),
            "{thread}"
        );
        let overflow = run(0, &["try", thread, "overflow"]);
        assert_eq!(
            overflow.end,
            End::Signal(libc::SIGABRT),
            "{thread}: {overflow:?}"
        );
    }
}
