//! Reading key memory from outside: another uid, the same uid, root. Each with a control that shows the reading works.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode};

use nix::errno::Errno;
use tempfile::TempDir;

use crate::Test;
use crate::support::{NOBODY, need_root, probe, program, state_directory};

pub(crate) const TESTS: &[Test] = &[
    (
        "key_memory::another_uid_reads_nothing",
        another_uid_reads_nothing,
    ),
    (
        "key_memory::the_same_uid_reads_nothing",
        the_same_uid_reads_nothing,
    ),
    (
        "key_memory::root_reads_the_heap_but_no_secret",
        root_reads_the_heap_but_no_secret,
    ),
    (
        "key_memory::no_descriptor_leads_to_the_secrets",
        no_descriptor_leads_to_the_secrets,
    ),
    (
        "key_memory::the_kernel_confirms_every_thread",
        the_kernel_confirms_every_thread,
    ),
];

/// What the probe keeps, once in secret memory and once on the heap.
pub(crate) const PATTERN: [u8; 32] = *b"canary: 32 bytes nobody may read";

/// A sealed probe that waits, and where its two copies are.
struct Parked {
    child: Child,
    secret: usize,
    heap: usize,
    report: String,
    _state: TempDir,
}

impl Parked {
    fn start(uid: u32) -> Self {
        need_root();
        let state = state_directory(uid);
        let mut command = probe(state.path(), &["park"]);
        if uid != 0 {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().expect("the probe starts");
        let mut report = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut report)
            .expect("the probe says where");
        let mut words = report.splitn(4, ' ');
        let mut number = || {
            words
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or_else(|| panic!("probe said {report:?}"))
        };
        let (secret, heap, variables) = (number(), number(), number());
        assert_eq!(variables, 0, "the environment is not empty");
        Self {
            child,
            secret,
            heap,
            report,
            _state: state,
        }
    }

    /// What a process under `uid` can read at `address`.
    fn read_as(&self, uid: u32, address: usize) -> String {
        let mut command = Command::new(program());
        command.args([
            "read-memory",
            &self.child.id().to_string(),
            &address.to_string(),
        ]);
        if uid != 0 {
            command.uid(uid).gid(uid);
        }
        let output = command.output().expect("the attacker starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        // Our own child, by its own handle.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The attacker: says what each way of reading `address` of `pid` yields.
pub(crate) fn read_as_attacker(pid: &str, address: &str) -> ExitCode {
    let address: usize = address.parse().expect("an address");
    let from_mem = (|| {
        let mut bytes = [0; PATTERN.len()];
        File::open(format!("/proc/{pid}/mem"))?
            .read_exact_at(&mut bytes, u64::try_from(address).expect("64 bit"))?;
        Ok::<_, std::io::Error>(bytes)
    })();
    let mem = match from_mem {
        Ok(PATTERN) => "read".to_owned(),
        Ok(_) => "other bytes".to_owned(),
        Err(error) => Errno::from_raw(error.raw_os_error().unwrap_or(0)).to_string(),
    };
    let mut bytes = [0; PATTERN.len()];
    let remote = nix::sys::uio::RemoteIoVec {
        base: address,
        len: bytes.len(),
    };
    let pid = nix::unistd::Pid::from_raw(pid.parse().expect("a pid"));
    let vm = match nix::sys::uio::process_vm_readv(
        pid,
        &mut [std::io::IoSliceMut::new(&mut bytes)],
        &[remote],
    ) {
        Ok(_) if bytes == PATTERN => "read".to_owned(),
        Ok(_) => "other bytes".to_owned(),
        Err(error) => error.to_string(),
    };
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "mem {mem}, readv {vm}");
    ExitCode::SUCCESS
}

fn another_uid_reads_nothing() {
    let parked = Parked::start(0);
    for address in [parked.secret, parked.heap] {
        let found = parked.read_as(NOBODY, address);
        assert_eq!(
            found,
            format!("mem {}, readv {}", Errno::EACCES, Errno::EPERM)
        );
    }
}

fn the_same_uid_reads_nothing() {
    let parked = Parked::start(NOBODY);
    assert!(!parked.report.contains("runs as root"), "{}", parked.report);
    for address in [parked.secret, parked.heap] {
        let found = parked.read_as(NOBODY, address);
        assert_eq!(
            found,
            format!("mem {}, readv {}", Errno::EACCES, Errno::EPERM)
        );
    }

    // The control: the same attacker reads a process of the same uid that did not lock itself down.
    let mut open = Command::new("/bin/sleep")
        .arg("60")
        .uid(NOBODY)
        .gid(NOBODY)
        .spawn()
        .expect("sleep starts");
    let maps = wait_for_exec(open.id());
    let mut attack = Command::new(program());
    attack
        .args(["read-memory", &open.id().to_string(), &maps.to_string()])
        .uid(NOBODY)
        .gid(NOBODY);
    let found = attack.output().expect("the attacker starts");
    open.kill().expect("our own child");
    open.wait().expect("our own child");
    assert_eq!(
        String::from_utf8_lossy(&found.stdout).trim(),
        "mem other bytes, readv other bytes"
    );
}

/// Where a process that has become `sleep` keeps its stack.
fn wait_for_exec(pid: u32) -> usize {
    for _ in 0..10_000 {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        if name == "sleep\n"
            && let Some(stack) = maps.lines().find(|line| line.ends_with("[stack]"))
        {
            let end = stack.split(['-', ' ']).nth(1).expect("a range");
            return usize::from_str_radix(end, 16).expect("an address") - 4096;
        }
        std::thread::yield_now();
    }
    panic!("sleep did not start");
}

fn root_reads_the_heap_but_no_secret() {
    for uid in [0, NOBODY] {
        let parked = Parked::start(uid);
        assert!(
            parked.report.contains("secrets in memfd_secret"),
            "this test needs memfd_secret: {}",
            parked.report
        );
        // The control: root finds the very same bytes on the heap.
        assert_eq!(parked.read_as(0, parked.heap), "mem read, readv read");
        assert_eq!(
            parked.read_as(0, parked.secret),
            format!("mem {}, readv {}", Errno::EIO, Errno::EFAULT)
        );
    }
}

fn no_descriptor_leads_to_the_secrets() {
    let parked = Parked::start(0);
    let mut seen = 0;
    for entry in fs::read_dir(format!("/proc/{}/fd", parked.child.id())).expect("root may look") {
        let target = fs::read_link(entry.expect("entry").path()).expect("root may look");
        assert!(
            !target.to_string_lossy().contains("secretmem"),
            "{}",
            target.display()
        );
        seen += 1;
    }
    assert!(
        seen >= 3,
        "the probe has at least its three standard descriptors"
    );
    let maps =
        fs::read_to_string(format!("/proc/{}/maps", parked.child.id())).expect("root may look");
    assert!(
        maps.contains("secretmem"),
        "the control: the mapping itself is there"
    );
}

fn the_kernel_confirms_every_thread() {
    let parked = Parked::start(0);
    let pid = parked.child.id();
    let mut names = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).expect("root may look") {
        let task = task.expect("entry").path();
        let status = fs::read_to_string(task.join("status")).expect("status");
        let line = |name: &str| {
            let found = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found
                .unwrap_or_else(|| panic!("no {name}"))
                .trim()
                .to_owned()
        };
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(line(set), "0000000000000000", "{set}");
        }
        assert_eq!(
            (line("NoNewPrivs"), line("Seccomp"), line("Seccomp_filters")),
            ("1".into(), "2".into(), "2".into())
        );
        assert_eq!(line("Umask"), "0077");
        names.push(line("Name"));
    }
    names.sort_unstable();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(
        names.get(..4),
        Some(
            &[
                "authority".into(),
                "kdf".into(),
                "probe".into(),
                "rpc-admin".into()
            ][..]
        )
    );
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .expect("a line on core files");
    assert_eq!(
        core.split_whitespace().skip(4).collect::<Vec<_>>(),
        ["0", "0", "bytes"]
    );
}
