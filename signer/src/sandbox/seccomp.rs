//! The system call filters: which exist, what each allows, how one is put on.
//! The tables come from `seccomp/*.json` by way of build.rs; nothing is parsed here. Called by `sandbox`, and by
//! the sandbox test, which tries every call that a filter does not list.

/// One system call that a filter lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedCall {
    /// Its name, as in the JSON file.
    pub name: &'static str,
    /// Its number on this machine.
    pub number: i64,
    /// Whether only some arguments pass.
    pub restricted: bool,
}

/// A filter, named like its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The union of the others and of what sealing needs; put on all threads first.
    Common,
    /// The main thread once start-up is over.
    Main,
    /// The thread that owns ledger and keystore.
    Authority,
    /// The thread that hashes passwords.
    Kdf,
    /// A thread that serves one socket.
    Rpc,
}

impl Filter {
    /// What the filter lets pass, sorted by name.
    #[must_use]
    pub fn allowed(self) -> &'static [AllowedCall] {
        match self {
            Self::Common => &tables::COMMON_CALLS,
            Self::Main => &tables::MAIN_CALLS,
            Self::Authority => &tables::AUTHORITY_CALLS,
            Self::Kdf => &tables::KDF_CALLS,
            Self::Rpc => &tables::RPC_CALLS,
        }
    }

    /// Puts the filter on the calling thread, on top of those it has.
    pub(super) fn put_on(self) -> Result<(), seccompiler::Error> {
        seccompiler::apply_filter(self.program())
    }

    /// Puts the filter on every thread of the process. Fails if one of them already has a filter of its own.
    pub(super) fn put_on_all_threads(self) -> Result<(), seccompiler::Error> {
        seccompiler::apply_filter_all_threads(self.program())
    }

    fn program(self) -> &'static [seccompiler::sock_filter] {
        match self {
            Self::Common => &tables::COMMON,
            Self::Main => &tables::MAIN,
            Self::Authority => &tables::AUTHORITY,
            Self::Kdf => &tables::KDF,
            Self::Rpc => &tables::RPC,
        }
    }
}

/// Written by build.rs.
mod tables {
    use super::AllowedCall;

    include!(concat!(env!("OUT_DIR"), "/filters.rs"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: [Filter; 4] = [Filter::Main, Filter::Authority, Filter::Kdf, Filter::Rpc];

    fn names(filter: Filter) -> Vec<&'static str> {
        filter.allowed().iter().map(|call| call.name).collect()
    }

    #[test]
    fn no_thread_may_reach_out_or_start_anything() {
        // Not even the union: whatever is added to a thread's file by mistake is caught here.
        for call in [
            "socket",
            "socketpair",
            "connect",
            "bind",
            "listen",
            "recvmsg",
            "recvmmsg",
            "sendmsg",
            "sendmmsg",
            "execve",
            "execveat",
            "clone",
            "clone3",
            "fork",
            "vfork",
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "process_madvise",
            "pidfd_open",
            "pidfd_getfd",
            "ioctl",
            "dup",
            "dup2",
            "dup3",
            "splice",
            "tee",
            "vmsplice",
            "sendfile",
            "copy_file_range",
            "memfd_create",
            "memfd_secret",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "io_submit",
            "bpf",
            "perf_event_open",
            "userfaultfd",
            "keyctl",
            "add_key",
            "request_key",
            "mount",
            "unshare",
            "setns",
            "chroot",
            "chmod",
            "link",
            "symlink",
            "setsockopt",
            "kill",
            "tkill",
            "rt_sigqueueinfo",
            "setuid",
            "capset",
            "personality",
            "modify_ldt",
            "arch_prctl",
            "pkey_mprotect",
            "remap_file_pages",
            "open_by_handle_at",
            "munlock",
            "process_mrelease",
            "setrlimit",
            "prlimit64",
            "landlock_add_rule",
            "set_mempolicy",
            "ptrace",
        ] {
            for filter in THREADS.into_iter().chain([Filter::Common]) {
                assert!(!names(filter).contains(&call), "{filter:?} allows {call}");
            }
        }
    }

    #[test]
    fn only_the_authority_touches_files_and_only_rpc_touches_sockets() {
        let files = [
            "openat",
            "open",
            "creat",
            "rename",
            "unlink",
            "pread64",
            "pwrite64",
            "fsync",
            "fdatasync",
            "ftruncate",
        ];
        let sockets = [
            "accept",
            "accept4",
            "recvfrom",
            "sendto",
            "getsockopt",
            "shutdown",
            "epoll_ctl",
        ];
        for filter in [Filter::Main, Filter::Kdf, Filter::Rpc] {
            assert!(
                !files.iter().any(|call| names(filter).contains(call)),
                "{filter:?}"
            );
        }
        for filter in [Filter::Main, Filter::Kdf, Filter::Authority] {
            assert!(
                !sockets.iter().any(|call| names(filter).contains(call)),
                "{filter:?}"
            );
        }
        assert!(names(Filter::Authority).contains(&"openat"));
        assert!(names(Filter::Rpc).contains(&"accept4"));
    }

    #[test]
    fn wide_calls_are_restricted_wherever_they_appear() {
        for call in THREADS
            .into_iter()
            .chain([Filter::Common])
            .flat_map(|filter| filter.allowed())
        {
            let wide = [
                "mmap",
                "mprotect",
                "mremap",
                "madvise",
                "fcntl",
                "prctl",
                "seccomp",
                "tgkill",
                "getsockopt",
                "rt_sigaction",
                "sendto",
            ];
            assert!(
                !wide.contains(&call.name) || call.restricted,
                "{}",
                call.name
            );
        }
    }

    #[test]
    fn sealing_ends_with_the_common_filter() {
        for filter in THREADS {
            for call in [
                "seccomp",
                "prctl",
                "landlock_create_ruleset",
                "landlock_restrict_self",
            ] {
                assert!(!names(filter).contains(&call), "{filter:?} allows {call}");
            }
        }
    }

    #[test]
    fn the_common_filter_covers_every_other() {
        for filter in THREADS {
            for call in filter.allowed() {
                let common = Filter::Common
                    .allowed()
                    .iter()
                    .find(|other| other.name == call.name);
                assert!(
                    common.is_some_and(|common| call.restricted || !common.restricted),
                    "{}",
                    call.name
                );
            }
        }
    }
}
