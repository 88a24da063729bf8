"""Copies of the system, as scripts/up starts them."""

import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(") ", 1)[1][0] != "Z"


def wait_for(predicate, seconds, what):
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def free_base():
    """A base of ports below the range that the kernel hands out, so that nobody takes them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return 10000 + probe.getsockname()[1] % 9000


class Copy:
    """One copy of the system: a run folder and ports of its own."""

    def __init__(self, folder):
        folder.chmod(0o755)
        self.run_dir = folder / "run"
        self.output = folder / "output"
        base = free_base()
        self.url = f"http://127.0.0.1:{base}"
        keep = {name: value for name, value in os.environ.items()
                if not name.startswith("FOURFOLD_")}
        self.environment = keep | {
            "FOURFOLD_RUN_DIR": str(self.run_dir), "FOURFOLD_PORT_BASE": str(base),
            "FOURFOLD_BINARY": os.environ["FOURFOLD_TEST_BINARY"]}
        self.up_process = None

    def run(self, *command, seconds=START_SECONDS_MAX):
        return subprocess.run(
            [ROOT / command[0], *command[1:]], env=self.environment, capture_output=True,
            text=True, timeout=seconds)

    def up(self):
        """scripts/up in the foreground, until it says that it is up."""
        with open(self.output, "wb") as output:
            self.up_process = subprocess.Popen(
                [ROOT / "scripts/up"], env=self.environment, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
                # A suite that runs in the background ignores it, and children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        wait_for(lambda: "Ctrl-C stops it" in self.output.read_text()
                 or self.up_process.poll() is not None, START_SECONDS_MAX, "up is not up")
        assert self.up_process.poll() is None, self.output.read_text()

    def pids(self):
        return {path.name: int(path.read_text().split()[0])
                for path in (self.run_dir / "pids").iterdir()}

    def addresses(self):
        """{name: value} of the file of addresses."""
        lines = (self.run_dir / "env").read_text().splitlines()
        return {name: shlex.split(value)[0] for name, value in
                (line.split("=", 1) for line in lines)}

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False
