"""The built gateway as a child process."""

import contextlib
import os
import signal
import socket
import subprocess
import uuid

import httpx
import psycopg
import psycopg.conninfo

import processes
from waiting import wait_until

READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def new_database(admin_url):
    """A database of its own, owned by a role that is no superuser; dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'fourfold'").fetchone()
        if not exists:
            admin.execute("CREATE ROLE fourfold LOGIN")
        admin.execute(f"CREATE DATABASE {name} OWNER fourfold")
    admin_inside = psycopg.conninfo.make_conninfo(admin_url, dbname=name)
    with psycopg.connect(admin_inside, autocommit=True) as inside:
        inside.execute("CREATE EXTENSION IF NOT EXISTS vector")
    parts = psycopg.conninfo.conninfo_to_dict(admin_url)
    try:
        yield f"postgresql:///{name}?host={parts['host']}&port={parts['port']}&user=fourfold"
    finally:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Gateway:
    """One `fourfold serve` on a free port, without users' credentials."""

    def __init__(self, root, binary, settings, arguments=()):
        self.root, self.binary, self.arguments = root, binary, list(arguments)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {name: value for name, value in os.environ.items()
                     if not name.startswith("FOURFOLD_") and not name.endswith("_URL")}
        self.environment = inherited | {
            "FOURFOLD_LISTEN": f"127.0.0.1:{self.port}", "FOURFOLD_AUTH": "none"} | {
                name: str(value) for name, value in settings.items() if value is not None}
        run_dir = os.environ["FOURFOLD_TEST_RUN_DIR"]
        self.log_path = f"{run_dir}/log/gateway-{self.port}.log"
        self.process = None
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def run(self, *arguments, input=None, check=True):
        """Runs a subcommand (`migrate`, `export-connections`…) with this gateway's settings."""
        done = subprocess.run(
            [self.binary, *arguments], cwd=self.root, env=self.environment, input=input,
            capture_output=True, text=True, timeout=300)
        if check:
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done

    def migrate(self):
        self.run("migrate")

    def start(self, wait=True):
        """Starts it, again with the same settings if it ran before."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        self.process = processes.start(
            [self.binary, "serve", *self.arguments], self.log_path, cwd=self.root,
            env=self.environment)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ended():
            return self.process.poll() is not None

        def ready():
            return self.http.get("/health/ready").status_code == 200

        wait_until(lambda: ended() or ready(), READY_SECONDS_MAX, message="the gateway is not ready")
        assert not ended(), f"the gateway ended:\n{self.log()[-4000:]}"

    def lanes(self):
        """{lane: its line of /v1/sync/status}, of a gateway with one pack."""
        return {line["lane"]: line for line in self.http.get("/v1/sync/status").json()["lanes"]}

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS_MAX)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """SIGTERM and waits; returns the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
