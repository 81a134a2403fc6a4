//! The process under test: the signer's start-up, stage by stage, with work that misbehaves on request.
//! Arguments: state directory, then what to do: `try THREAD ATTEMPT`, `work`, `park`, or `start WITHOUT`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use waiaas_signer::sandbox::{self, Role, SandboxError, Sandboxed};
use waiaas_signer::sys::memory::SecretArena;

use crate::attempts;
use crate::permitted;

/// Size of the arena, in bytes.
const ARENA: usize = 256 * 1024;
/// A probe that hangs ends by SIGALRM, in seconds.
const PATIENCE: u32 = 60;
/// The exit code of a probe that refused to start (sysexits `EX_NOPERM`).
pub(crate) const REFUSED: u8 = 77;
/// The exit code of a probe whose work ended in a panic (sysexits `EX_SOFTWARE`).
pub(crate) const PANICKED: u8 = 70;

pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    nix::unistd::alarm::set(PATIENCE);
    let result = match arguments {
        [state, "try", thread, attempt] => attempt_from(Path::new(state), thread, attempt),
        [state, "park"] => park(Path::new(state)),
        [state, "work"] => permitted::serve(Path::new(state)),
        [state, "start", without] => start_without(Path::new(state), without),
        _ => return ExitCode::from(64),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "refused: {error}");
            ExitCode::from(REFUSED)
        }
    }
}

/// Goes through the whole start-up and runs `work` in the thread of that name, with `sandboxed` in hand.
fn seal_and_run(
    state: &Path,
    thread: &'static str,
    work: impl FnOnce(Sandboxed) -> ExitCode + Send + 'static,
) -> Result<ExitCode, SandboxError> {
    let prepared = sandbox::prepare()?;
    let arena = SecretArena::new(ARENA).expect("locked memory");
    let mut confined = prepared.confine(state, &arena)?;
    let mut threads = Vec::new();
    let work = Cell::new(Some(work));
    let roles = [
        ("authority", Role::Authority),
        ("kdf", Role::Kdf),
        ("rpc", Role::Rpc),
        ("rpc-admin", Role::Rpc),
    ];
    for (name, role) in roles {
        let mine = if name == thread { work.take() } else { None };
        threads.push(confined.spawn(
            role,
            name,
            || Ok(()),
            move |(), sandboxed| mine.map(|work| work(sandboxed)),
        )?);
    }
    let sandboxed = confined.seal()?;
    let mut end = work.take().map(|work| work(sandboxed));
    for thread in threads {
        match thread.join() {
            Ok(result) => end = end.or(result),
            Err(_) => end = Some(ExitCode::from(PANICKED)),
        }
    }
    Ok(end.expect("one of the threads did the work"))
}

fn attempt_from(state: &Path, thread: &str, attempt: &str) -> Result<ExitCode, SandboxError> {
    let thread = crate::support::THREADS
        .into_iter()
        .find(|name| *name == thread)
        .expect("a thread of the probe");
    let (inside, attempt) = (state.join("inside"), attempt.to_owned());
    seal_and_run(state, thread, move |_| {
        let outcome = attempts::run(&attempt, &inside);
        // No more than `write`: what the attempt did may have been the last thing allowed.
        let _ = writeln!(io::stdout(), "{outcome}");
        ExitCode::SUCCESS
    })
}

/// Seals itself, says where its secrets are, and waits until its standard input ends.
fn park(state: &Path) -> Result<ExitCode, SandboxError> {
    let prepared = sandbox::prepare()?;
    let variables = std::env::vars_os().count();
    let arena = SecretArena::new(ARENA).expect("locked memory");
    let mut secret = arena.take(32).expect("room");
    secret.fill(|bytes| bytes.copy_from_slice(&crate::key_memory::PATTERN));
    let heap = crate::key_memory::PATTERN.to_vec();
    let mut confined = prepared.confine(state, &arena)?;
    let mut threads = Vec::new();
    for (name, role) in [
        ("kdf", Role::Kdf),
        ("rpc-gateway", Role::Rpc),
        ("rpc-admin", Role::Rpc),
    ] {
        threads.push(confined.spawn(role, name, || Ok(()), |(), _| std::thread::park())?);
    }
    let authority = confined.spawn(
        Role::Authority,
        "authority",
        || Ok(()),
        move |(), sandboxed| {
            let at = secret.expose(|bytes| bytes.as_ptr().addr());
            let _ = writeln!(
                io::stdout(),
                "{at} {} {variables} {}",
                heap.as_ptr().addr(),
                sandboxed.report()
            );
            // The test closes our standard input when it has seen enough.
            let _ = io::stdin().read(&mut [0]);
        },
    )?;
    confined.seal()?;
    authority.join().expect("the authority only waits");
    // The parked threads end with the process.
    Ok(ExitCode::SUCCESS)
}

/// Starts on a machine that lacks something, or with a thread that should not be there.
fn start_without(state: &Path, without: &str) -> Result<ExitCode, SandboxError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that should not be there"
    )]
    let linger = || std::thread::spawn(std::thread::park);
    match without {
        "nothing" | "late-thread" | "later-thread" => {}
        "early-thread" => drop(linger()),
        "seccomp" => refuse(libc::SYS_seccomp, None, libc::ENOSYS),
        "landlock" => refuse(libc::SYS_landlock_create_ruleset, None, libc::EOPNOTSUPP),
        "memfd-secret" | "any-locked-memory" => refuse(libc::SYS_memfd_secret, None, libc::ENOSYS),
        "mdwe" => refuse(libc::SYS_prctl, Some(65), libc::EINVAL),
        "no-new-privs" => refuse(libc::SYS_prctl, Some(38), libc::EINVAL),
        "dumpable" => refuse(libc::SYS_prctl, Some(4), libc::EINVAL),
        "capset" => refuse(libc::SYS_capset, None, libc::EPERM),
        // A kernel that says yes and does nothing.
        "capset-for-show" => refuse(libc::SYS_capset, None, 0),
        "dumpable-for-show" => refuse(libc::SYS_prctl, Some(4), 0),
        other => panic!("unknown machine {other}"),
    }
    if without == "any-locked-memory" {
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_MEMLOCK, 0, 0)
            .expect("lower the limit");
    }
    let prepared = sandbox::prepare()?;
    let arena = match SecretArena::new(ARENA) {
        Ok(arena) => arena,
        Err(error) => {
            let _ = writeln!(io::stderr(), "refused: {error}");
            return Ok(ExitCode::from(REFUSED));
        }
    };
    if without == "late-thread" {
        drop(linger());
    }
    let mut confined = prepared.confine(state, &arena)?;
    let thread = confined.spawn(
        Role::Rpc,
        "rpc",
        || Ok(()),
        |(), sandboxed| *sandboxed.report(),
    )?;
    if without == "later-thread" {
        drop(linger());
    }
    confined.seal()?;
    let _ = writeln!(io::stdout(), "{}", thread.join().expect("sealed"));
    Ok(ExitCode::SUCCESS)
}

/// Makes one call (or one use of it, told by its first argument) fail from now on, as on a lesser kernel.
fn refuse(call: i64, first: Option<u64>, errno: i32) {
    let rules = first
        .map(|value| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
                .expect("condition")
        })
        .map(|condition| SeccompRule::new(vec![condition]).expect("rule"))
        .into_iter()
        .collect();
    let filter = SeccompFilter::new(
        BTreeMap::from([(call, rules)]),
        SeccompAction::Allow,
        SeccompAction::Errno(u32::try_from(errno).expect("small")),
        std::env::consts::ARCH.try_into().expect("a known machine"),
    );
    let program: seccompiler::BpfProgram = filter.expect("filter").try_into().expect("program");
    seccompiler::apply_filter(&program).expect("this test needs seccomp");
}
