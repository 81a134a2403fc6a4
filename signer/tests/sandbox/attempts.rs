//! The forbidden things, and a few allowed ones beside them, each as one raw system call. Run inside a sealed probe.
#![expect(
    unsafe_code,
    reason = "an attacker inside the process does not go through safe wrappers"
)]

use std::ffi::CString;
use std::fmt;
use std::hint::black_box;
use std::io::Error;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Above this bit lie the calls of the x32 ABI (arch/x86/include/uapi/asm/unistd.h).
const X32: i64 = 0x4000_0000;

/// What a call answered, if the process lived to see it.
#[derive(Debug)]
pub(crate) struct Outcome {
    result: i64,
    errno: i32,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.result {
            -1 => write!(f, "errno {}", self.errno),
            _ => f.write_str("allowed"),
        }
    }
}

/// What every thread must die of.
pub(crate) const DEADLY: &[&str] = &[
    "socket-inet",
    "socket-inet6",
    "socket-unix",
    "socket-netlink",
    "socket-vsock",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "recvmsg",
    "sendmsg",
    "setsockopt",
    "execve",
    "execveat",
    "fork",
    "clone-thread",
    "clone3",
    "std-thread",
    "std-command",
    "ptrace-me",
    "ptrace-attach",
    "process-vm-readv",
    "pidfd-getfd",
    "mmap-rwx",
    "mmap-exec",
    "mmap-shared",
    "mmap-file",
    "mprotect-exec",
    "mremap-fixed",
    "madvise-dodump",
    "madvise-dofork",
    "madvise-keeponfork",
    "io-uring",
    "bpf",
    "keyctl",
    "perf",
    "userfaultfd",
    "memfd-create",
    "memfd-secret",
    "mlock",
    "munlock",
    "prctl-dumpable",
    "prctl-name",
    "seccomp",
    "landlock",
    "ioctl",
    "dup",
    "fcntl-dupfd",
    "fcntl-setfl",
    "fcntl-setown",
    "kill",
    "tgkill-kill",
    "sigaction-term",
    "unshare",
    "setns",
    "chdir",
    "chroot",
    "mount",
    "setuid",
    "prlimit",
    "mkdir",
    "symlink",
    "link",
    "chmod",
    "mknod",
    "personality",
    "arch-prctl",
    "process-madvise",
    "sleep-absolute",
    "splice",
    "open-by-handle",
];

/// As [`DEADLY`], but only this machine has them.
#[cfg(target_arch = "x86_64")]
pub(crate) const DEADLY_HERE: &[&str] = &[
    "x32-getpid",
    "x32-openat",
    "x32-execve",
    "x32-mmap",
    "int80-getpid",
    "old-open",
    "old-fork",
];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const DEADLY_HERE: &[&str] = &[];

/// A path beside the state directory that holds `inside`, where the test looks for what got out.
pub(crate) fn beside(inside: &Path) -> PathBuf {
    inside
        .parent()
        .expect("a state directory")
        .with_extension("outside")
}

/// Calls one thing by name. `inside` is a path in the state directory. `call-N` is call number N with zeros.
pub(crate) fn run(name: &str, inside: &Path) -> Outcome {
    let path = CString::new(inside.as_os_str().as_bytes()).expect("a path without NUL");
    let path = address(path.as_c_str());
    let beside = CString::new(beside(inside).as_os_str().as_bytes()).expect("a path without NUL");
    let outside = address(beside.as_c_str());
    let (shell, passwd, null) = (address(c"/bin/sh"), address(c"/etc/passwd"), 0);
    let at_cwd = i64::from(libc::AT_FDCWD);
    let page = page();
    let int = |value: i32| i64::from(value);
    if let Some(number) = name.strip_prefix("call-") {
        return call(number.parse().expect("a number"), [0; 6]);
    }
    if let Some(number) = name.strip_prefix("x32-call-") {
        return call(X32 | number.parse::<i64>().expect("a number"), [0; 6]);
    }
    let (number, arguments): (i64, [i64; 6]) = match name {
        "socket-inet" => (
            libc::SYS_socket,
            [int(libc::AF_INET), int(libc::SOCK_STREAM), 0, 0, 0, 0],
        ),
        "socket-inet6" => (
            libc::SYS_socket,
            [int(libc::AF_INET6), int(libc::SOCK_DGRAM), 0, 0, 0, 0],
        ),
        "socket-unix" => (
            libc::SYS_socket,
            [int(libc::AF_UNIX), int(libc::SOCK_STREAM), 0, 0, 0, 0],
        ),
        "socket-netlink" => (
            libc::SYS_socket,
            [int(libc::AF_NETLINK), int(libc::SOCK_RAW), 0, 0, 0, 0],
        ),
        "socket-vsock" => (
            libc::SYS_socket,
            [int(libc::AF_VSOCK), int(libc::SOCK_STREAM), 0, 0, 0, 0],
        ),
        "socketpair" => (
            libc::SYS_socketpair,
            [int(libc::AF_UNIX), int(libc::SOCK_STREAM), 0, page, 0, 0],
        ),
        "connect" => (libc::SYS_connect, [0, page, 16, 0, 0, 0]),
        "bind" => (libc::SYS_bind, [0, page, 16, 0, 0, 0]),
        "listen" => (libc::SYS_listen, [0, 1, 0, 0, 0, 0]),
        "recvmsg" => (libc::SYS_recvmsg, [0, page, 0, 0, 0, 0]),
        "sendmsg" => (libc::SYS_sendmsg, [1, page, 0, 0, 0, 0]),
        "setsockopt" => (
            libc::SYS_setsockopt,
            [0, 1, int(libc::SO_PASSCRED), page, 4, 0],
        ),
        "execve" => (libc::SYS_execve, [shell, null, null, 0, 0, 0]),
        "execveat" => (libc::SYS_execveat, [at_cwd, shell, null, null, 0, 0]),
        "fork" => (libc::SYS_clone, [int(libc::SIGCHLD), 0, 0, 0, 0, 0]),
        "clone-thread" => (
            libc::SYS_clone,
            [
                int(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND),
                page,
                0,
                0,
                0,
                0,
            ],
        ),
        "clone3" => (libc::SYS_clone3, [page, 88, 0, 0, 0, 0]),
        "ptrace-me" => (libc::SYS_ptrace, [0, 0, 0, 0, 0, 0]),
        "ptrace-attach" => (libc::SYS_ptrace, [16, 1, 0, 0, 0, 0]),
        "process-vm-readv" => (libc::SYS_process_vm_readv, [1, page, 1, page, 1, 0]),
        "pidfd-getfd" => (libc::SYS_pidfd_getfd, [0, 0, 0, 0, 0, 0]),
        "mmap-rwx" => (libc::SYS_mmap, [0, 4096, 7, 0x22, -1, 0]),
        "mmap-exec" => (libc::SYS_mmap, [0, 4096, 5, 0x22, -1, 0]),
        "mmap-shared" => (libc::SYS_mmap, [0, 4096, 3, 0x21, -1, 0]),
        "mmap-file" => (libc::SYS_mmap, [0, 4096, 1, 0x02, 0, 0]),
        "mprotect-exec" => (libc::SYS_mprotect, [page, 4096, 5, 0, 0, 0]),
        "mremap-fixed" => (libc::SYS_mremap, [page, 4096, 4096, 3, page, 0]),
        "madvise-dodump" => (
            libc::SYS_madvise,
            [page, 4096, int(libc::MADV_DODUMP), 0, 0, 0],
        ),
        "madvise-dofork" => (
            libc::SYS_madvise,
            [page, 4096, int(libc::MADV_DOFORK), 0, 0, 0],
        ),
        "madvise-keeponfork" => (libc::SYS_madvise, [page, 4096, 19, 0, 0, 0]),
        "io-uring" => (libc::SYS_io_uring_setup, [1, page, 0, 0, 0, 0]),
        "bpf" => (libc::SYS_bpf, [0, page, 64, 0, 0, 0]),
        "keyctl" => (libc::SYS_keyctl, [0, -3, 0, 0, 0, 0]),
        "perf" => (libc::SYS_perf_event_open, [page, 0, -1, -1, 0, 0]),
        "userfaultfd" => (libc::SYS_userfaultfd, [0; 6]),
        "memfd-create" => (libc::SYS_memfd_create, [shell, 0, 0, 0, 0, 0]),
        "memfd-secret" => (libc::SYS_memfd_secret, [0; 6]),
        "mlock" => (libc::SYS_mlock, [page, 4096, 0, 0, 0, 0]),
        "munlock" => (libc::SYS_munlock, [page, 4096, 0, 0, 0, 0]),
        "prctl-dumpable" => (libc::SYS_prctl, [int(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0]),
        "prctl-name" => (libc::SYS_prctl, [int(libc::PR_SET_NAME), shell, 0, 0, 0, 0]),
        "seccomp" => (libc::SYS_seccomp, [1, 0, page, 0, 0, 0]),
        "landlock" => (libc::SYS_landlock_restrict_self, [0; 6]),
        "ioctl" => (libc::SYS_ioctl, [0, 0x5401, page, 0, 0, 0]),
        "dup" => (libc::SYS_dup, [0; 6]),
        "fcntl-dupfd" => (libc::SYS_fcntl, [0, int(libc::F_DUPFD), 0, 0, 0, 0]),
        "fcntl-setfl" => (
            libc::SYS_fcntl,
            [0, int(libc::F_SETFL), int(libc::O_ASYNC), 0, 0, 0],
        ),
        "fcntl-setown" => (libc::SYS_fcntl, [0, int(libc::F_SETOWN), 1, 0, 0, 0]),
        "kill" => (libc::SYS_kill, [0, 0, 0, 0, 0, 0]),
        "tgkill-kill" => (libc::SYS_tgkill, [1, 1, 9, 0, 0, 0]),
        "sigaction-term" => (libc::SYS_rt_sigaction, [15, 0, page, 8, 0, 0]),
        "unshare" => (libc::SYS_unshare, [int(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0]),
        "setns" => (libc::SYS_setns, [0, 0, 0, 0, 0, 0]),
        "chdir" => (libc::SYS_chdir, [address(c"/"), 0, 0, 0, 0, 0]),
        "chroot" => (libc::SYS_chroot, [address(c"/"), 0, 0, 0, 0, 0]),
        "mount" => (libc::SYS_mount, [0; 6]),
        "setuid" => (libc::SYS_setuid, [0; 6]),
        "prlimit" => (libc::SYS_prlimit64, [0, 4, 0, page, 0, 0]),
        "mkdir" => (libc::SYS_mkdirat, [at_cwd, path, 0o700, 0, 0, 0]),
        "symlink" => (libc::SYS_symlinkat, [passwd, at_cwd, path, 0, 0, 0]),
        "link" => (libc::SYS_linkat, [at_cwd, passwd, at_cwd, path, 0, 0]),
        "chmod" => (libc::SYS_fchmodat, [at_cwd, path, 0o777, 0, 0, 0]),
        "mknod" => (libc::SYS_mknodat, [at_cwd, path, 0o100_600, 0, 0, 0]),
        "personality" => (libc::SYS_personality, [-1, 0, 0, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        "arch-prctl" => (libc::SYS_arch_prctl, [0x1001, 0, 0, 0, 0, 0]),
        #[cfg(not(target_arch = "x86_64"))]
        "arch-prctl" => (libc::SYS_prctl, [0; 6]),
        "process-madvise" => (libc::SYS_process_madvise, [0; 6]),
        "sleep-absolute" => (libc::SYS_clock_nanosleep, [1, 1, page, 0, 0, 0]),
        "splice" => (libc::SYS_splice, [0, 0, 1, 0, 1, 0]),
        "open-by-handle" => (libc::SYS_open_by_handle_at, [at_cwd, page, 0, 0, 0, 0]),
        // Only some threads die of these.
        "open-passwd" => (
            libc::SYS_openat,
            [at_cwd, passwd, int(libc::O_RDONLY), 0, 0, 0],
        ),
        "open-own-memory" => (
            libc::SYS_openat,
            [
                at_cwd,
                address(c"/proc/self/mem"),
                int(libc::O_RDWR),
                0,
                0,
                0,
            ],
        ),
        "open-own-status" => (
            libc::SYS_openat,
            [
                at_cwd,
                address(c"/proc/self/status"),
                int(libc::O_RDONLY),
                0,
                0,
                0,
            ],
        ),
        "create-outside" => (
            libc::SYS_openat,
            [
                at_cwd,
                outside,
                int(libc::O_CREAT | libc::O_WRONLY),
                0o600,
                0,
                0,
            ],
        ),
        "open-root" => (
            libc::SYS_openat,
            [
                at_cwd,
                address(c"/"),
                int(libc::O_RDONLY | libc::O_DIRECTORY),
                0,
                0,
                0,
            ],
        ),
        "create-inside" => (
            libc::SYS_openat,
            [
                at_cwd,
                path,
                int(libc::O_CREAT | libc::O_WRONLY),
                0o600,
                0,
                0,
            ],
        ),
        "read-nothing" => (libc::SYS_read, [0, page, 0, 0, 0, 0]),
        "pread-nothing" => (libc::SYS_pread64, [0, page, 0, 0, 0, 0]),
        "fsync" => (libc::SYS_fsync, [0; 6]),
        "accept4" => (libc::SYS_accept4, [0; 6]),
        "recvfrom" => (libc::SYS_recvfrom, [0, page, 0, 0, 0, 0]),
        "sendto-peer" => (libc::SYS_sendto, [0, page, 0, 0, 0, 0]),
        "sendto-address" => (libc::SYS_sendto, [0, page, 0, 0, page, 16]),
        "getsockopt-peercred" => (
            libc::SYS_getsockopt,
            [0, 1, int(libc::SO_PEERCRED), page, page, 0],
        ),
        "getsockopt-peerpidfd" => (libc::SYS_getsockopt, [0, 1, 77, page, page, 0]),
        "getsockopt-error" => (
            libc::SYS_getsockopt,
            [0, 1, int(libc::SO_ERROR), page, page, 0],
        ),
        "getsockopt-other-level" => (
            libc::SYS_getsockopt,
            [0, 6, int(libc::SO_PEERCRED), page, page, 0],
        ),
        _ => return by_other_means(name, inside),
    };
    call(number, arguments)
}

/// Things that are no plain call: through std, through another ABI, or a way to end.
fn by_other_means(name: &str, inside: &Path) -> Outcome {
    match name {
        "rename-out" => {
            let moved =
                std::fs::write(inside, b"x").and_then(|()| std::fs::rename(inside, beside(inside)));
            Outcome {
                result: if moved.is_ok() { 0 } else { -1 },
                errno: moved
                    .map_or_else(|error| error.raw_os_error(), |()| None)
                    .unwrap_or(0),
            }
        }
        "std-thread" => {
            let thread = std::thread::Builder::new()
                .spawn(|| ())
                .map(std::thread::JoinHandle::join);
            Outcome {
                result: if thread.is_ok() { 0 } else { -1 },
                errno: 0,
            }
        }
        "std-command" => {
            let status = std::process::Command::new("/bin/true").status();
            Outcome {
                result: if status.is_ok() { 0 } else { -1 },
                errno: 0,
            }
        }
        "x32-getpid" => call(X32 | 39, [0; 6]),
        "x32-openat" => call(
            X32 | 257,
            [
                i64::from(libc::AT_FDCWD),
                address(c"/etc/passwd"),
                0,
                0,
                0,
                0,
            ],
        ),
        "x32-execve" => call(X32 | 520, [address(c"/bin/sh"), 0, 0, 0, 0, 0]),
        "x32-mmap" => call(X32 | 9, [0, 4096, 3, 0x22, -1, 0]),
        "old-open" => call(2, [address(c"/etc/passwd"), 0, 0, 0, 0, 0]),
        "old-fork" => call(57, [0; 6]),
        #[cfg(target_arch = "x86_64")]
        "int80-getpid" => int80(20),
        "abort" => std::process::abort(),
        "panic" => panic!("with a secret in its message"),
        "overflow" => Outcome {
            result: i64::from(overflow(0)),
            errno: 0,
        },
        other => panic!("unknown attempt {other}"),
    }
}

/// Uses up the stack.
#[expect(unconditional_recursion, reason = "that is the attempt")]
fn overflow(depth: u8) -> u8 {
    let frame = black_box([depth; 4096]);
    overflow(frame.first().copied().unwrap_or(0).wrapping_add(1)).wrapping_add(depth)
}

fn call(number: i64, [a, b, c, d, e, f]: [i64; 6]) -> Outcome {
    // SAFETY: not memory-safe in general, and that is the point: the process is about to be killed for it. Pointers
    // among the arguments are a page of our own, a static string, null, or the path that `run` keeps alive.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    Outcome {
        result,
        errno: Error::last_os_error().raw_os_error().unwrap_or(0),
    }
}

/// The 32-bit way into the kernel, where the numbers mean other calls.
#[cfg(target_arch = "x86_64")]
fn int80(number: i32) -> Outcome {
    let result: i32;
    // SAFETY: getpid takes no argument and touches no memory; the entry may clobber r8 to r11.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("eax") number => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _, options(nostack));
    }
    Outcome {
        result: i64::from(result),
        errno: 0,
    }
}

fn address<T: ?Sized>(of: &T) -> i64 {
    i64::try_from(std::ptr::from_ref(of).addr()).expect("user space is the lower half")
}

/// A page of zeros that lives as long as the process: whatever a call writes there harms nobody.
fn page() -> i64 {
    let page: &'static mut [u8] = Box::leak(vec![0_u8; 3 * 4096].into_boxed_slice());
    (address(page) + 4095) / 4096 * 4096
}
