"""Child processes that cannot outlive the test run."""

import ctypes
import pathlib
import signal
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def end_with_parent(signal_number):
    """For preexec_fn: the kernel sends this signal when the test run is gone, however it went."""
    return lambda: _libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def start(command, log_path, preexec_fn=end_with_parent(signal.SIGTERM), **options):
    log_path = pathlib.Path(log_path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=preexec_fn, **options)


def birth(pid):
    """What tells this process from a later one with its pid; None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except (OSError, IndexError):
        return None
    if fields[0] == "Z":
        return None
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}.{fields[19]}"
