"""Death of scripts/test: nothing it starts outlives it, and little of what it wrote."""

import os
import pathlib
import signal
import subprocess

import pytest

from copies import ROOT, START_SECONDS_MAX, STOP_SECONDS_MAX, free_base, is_alive, wait_for


class Run:
    """`scripts/test sql`, with its run folder in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.output = folder, folder / "output"
        keep = {name: value for name, value in os.environ.items()
                if not name.startswith("FOURFOLD_")}
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [ROOT / "scripts/test", "sql"], stdout=output, stderr=subprocess.STDOUT,
                env=keep | {"TMPDIR": str(folder), "FOURFOLD_PORT_BASE": str(free_base())},
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    @property
    def run_dir(self):
        (found,) = self.folder.glob("fourfold-test.*")
        return found

    def wait_until_it_tests(self):
        """Its servers run, and so does pytest."""
        def tests():
            assert self.process.poll() is None, self.output.read_text()
            return "==> sql" in self.output.read_text() and any(
                "pytest" in command for command in self.commands().values())

        wait_for(tests, START_SECONDS_MAX, "it does not test")

    def commands(self):
        """{pid: command line} of its session, which servers are not part of."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                session = (entry / "stat").read_text().rsplit(") ", 1)[1].split()[3]
                if int(session) == self.process.pid and is_alive(entry.name):
                    found[int(entry.name)] = (entry / "cmdline").read_text()
            except (OSError, ValueError, IndexError):
                continue
        return found

    def pids(self):
        return {path.name: int(path.read_text().split()[0])
                for path in (self.run_dir / "pids").iterdir()}


@pytest.fixture
def run(tmp_path_factory):
    # The parents of pytest's folders are private, and PostgreSQL's user must get in.
    folder = tmp_path_factory.mktemp("run")
    for parent in [folder, *folder.parents][:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    made = Run(folder)
    yield made
    made.process.kill()
    made.process.wait()


# The terminal sends its signal to the whole foreground group.
ENDS = {
    "SIGTERM": (lambda process: process.terminate(), 143),
    "SIGINT": (lambda process: os.killpg(process.pid, signal.SIGINT), 130),
    "SIGKILL": (lambda process: process.kill(), -signal.SIGKILL),
}


@pytest.mark.parametrize("name", ENDS)
def test_all_that_it_started_ends_with_it(run, name):
    end, code = ENDS[name]
    run.wait_until_it_tests()
    servers, run_dir = run.pids(), run.run_dir
    assert set(servers) == {"postgres", "redis"} and all(map(is_alive, servers.values()))
    # Those of a server's own, too: PostgreSQL has a process for each connection.
    workers = [int(pid) for server in servers.values() for pid in pathlib.Path(
        f"/proc/{server}/task/{server}/children").read_text().split()]
    assert workers
    end(run.process)
    assert run.process.wait(STOP_SECONDS_MAX) == code
    wait_for(lambda: not any(map(is_alive, [*servers.values(), *workers])), STOP_SECONDS_MAX,
             f"some of {servers} or {workers} are still alive")
    wait_for(lambda: not run.commands(), STOP_SECONDS_MAX, "a part of it is still alive")
    if name != "SIGKILL":
        assert run.pids() == {}
        # The logs stay, and no data.
        assert (run_dir / "log/postgres.log").exists() and not (run_dir / "postgres").exists()
        assert f"logs: {run_dir}/log" in run.output.read_text()
