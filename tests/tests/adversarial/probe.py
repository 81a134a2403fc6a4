# What a gateway in the attacker's hands tries with system calls, run under its uid. Arguments: the
# signer's process, its state directory, its run directory, its configuration. Prints a line for each
# attempt: name, then what the kernel said. Nothing here may succeed.
import ctypes
import os
import resource
import signal
import socket
import sys

# A session of its own, as two services have: SIGCONT passes within one.
os.setsid()
libc = ctypes.CDLL(None, use_errno=True)
pid, state, run, config = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


def attempt(name, action):
    try:
        action()
        print(name, "SUCCEEDED")
    except OSError as error:
        print(name, error.strerror)


def call(number, *arguments):
    def action():
        ctypes.set_errno(0)
        if libc.syscall(number, *arguments) == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return action


def opened(path, flags=os.O_RDONLY):
    return lambda: os.close(os.open(path, flags))


def read(path):
    def action():
        with open(path, "rb", buffering=0) as file:
            file.read(1)
    return action


buffer = ctypes.create_string_buffer(4096)
vector = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 64)
remote = (ctypes.c_ulong * 2)(0x1000, 64)
attributes = ctypes.create_string_buffer(128)
attributes[0:4] = (1).to_bytes(4, "little")
attributes[4:8] = (128).to_bytes(4, "little")

if sys.argv[5] == "memory":
    attempt("ptrace attach", call(101, 16, pid, 0, 0))
    attempt("ptrace seize", call(101, 0x4206, pid, 0, 0))
    attempt("process_vm_readv", call(310, pid, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0))
    attempt("process_vm_writev", call(311, pid, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0))
    attempt("kcmp", call(312, os.getpid(), pid, 0, 0, 0))
    attempt("perf_event_open", call(298, ctypes.byref(attributes), pid, -1, -1, 0))
    descriptor = libc.syscall(434, pid, 0)
    if descriptor >= 0:
        attempt("pidfd_getfd", call(438, descriptor, 3, 0))
        attempt("pidfd_send_signal", call(424, descriptor, signal.SIGSTOP, 0, 0))
        attempt("process_madvise", call(440, descriptor, ctypes.byref(remote), 1, 4, 0))
    for name in ["mem", "maps", "smaps", "pagemap", "stack", "syscall", "environ", "auxv", "personality", "io"]:
        attempt(f"/proc/{name}", read(f"/proc/{pid}/{name}"))
    attempt("/proc/mem for writing", opened(f"/proc/{pid}/mem", os.O_RDWR))
    attempt("/proc/fd", lambda: os.listdir(f"/proc/{pid}/fd"))
    attempt("/proc/fdinfo", lambda: os.listdir(f"/proc/{pid}/fdinfo"))
    attempt("/proc/map_files", lambda: os.listdir(f"/proc/{pid}/map_files"))
    for name in ["exe", "cwd", "root"]:
        attempt(f"/proc/{name}", lambda: os.readlink(f"/proc/{pid}/{name}"))
    for task in os.listdir(f"/proc/{pid}/task"):
        attempt(f"ptrace thread", call(101, 16, int(task), 0, 0))
        attempt(f"thread's mem", read(f"/proc/{pid}/task/{task}/mem"))
elif sys.argv[5] == "files":
    names = ["keystore", "ledger.db", "ledger.db-wal", "ledger.reserve", "lock"]
    attempt("list state", lambda: os.listdir(state))
    attempt("create in state", opened(f"{state}/new", os.O_CREAT | os.O_WRONLY))
    for name in names:
        path = f"{state}/{name}"
        attempt(f"read {name}", opened(path))
        attempt(f"write {name}", opened(path, os.O_WRONLY))
        attempt(f"link {name}", lambda: os.link(path, f"/tmp/waiaas-link-{os.getpid()}"))
        attempt(f"rename {name}", lambda: os.rename(path, f"{state}/gone"))
        attempt(f"unlink {name}", lambda: os.unlink(path))
        attempt(f"truncate {name}", lambda: os.truncate(path, 0))
        attempt(f"chmod {name}", lambda: os.chmod(path, 0o777))
        attempt(f"through /proc {name}", opened(f"/proc/{pid}/root{path}"))
        attempt(f"by /proc/cwd {name}", opened(f"/proc/{pid}/cwd/{path}"))
    attempt("rename state", lambda: os.rename(state, state + "-gone"))
    attempt("chmod state", lambda: os.chmod(state, 0o777))
    attempt("write the configuration", opened(config, os.O_WRONLY))
    attempt("replace the configuration", lambda: os.rename(config, config + "-gone"))
elif sys.argv[5] == "control":
    for number in [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGHUP, signal.SIGSEGV, 0]:
        attempt(f"signal {int(number)}", lambda: os.kill(pid, number))
    attempt("signal its group", lambda: os.killpg(pid, signal.SIGTERM))
    attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt("affinity", lambda: os.sched_setaffinity(pid, {0}))
    attempt("scheduler", lambda: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)))
    attempt("limits", lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, 0)))
    attempt("ioprio", call(251, 1, pid, 0x6000))
    for name, value in [("oom_score_adj", "1000"), ("coredump_filter", "ff"), ("comm", "x"), ("timens_offsets", "monotonic 9 9")]:
        def write(name=name, value=value):
            with open(f"/proc/{pid}/{name}", "w") as file:
                file.write(value)
        attempt(f"write {name}", write)

    def cgroup():
        with open("/sys/fs/cgroup/cgroup.procs", "w") as file:
            file.write(str(pid))
    attempt("move its group of control", cgroup)
else:
    def bind():
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{run}/new.sock")
    for name in ["gateway.sock", "admin.sock"]:
        attempt(f"unlink {name}", lambda: os.unlink(f"{run}/{name}"))
        attempt(f"rename {name}", lambda: os.rename(f"{run}/{name}", f"{run}/gone"))
        attempt(f"chmod {name}", lambda: os.chmod(f"{run}/{name}", 0))
        attempt(f"symlink over {name}", lambda: os.symlink("/tmp", f"{run}/{name}"))
    attempt("bind beside", bind)
    attempt("rename the directory", lambda: os.rename(run, run + "-gone"))
    attempt("chmod the directory", lambda: os.chmod(run, 0o777))
