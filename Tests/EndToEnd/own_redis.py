"""A Redis of a test's own, to be killed, emptied, filled up and made a replica."""

import os
import shutil

import redis

import processes
from gateway import free_port
from waiting import wait_until


class OwnRedis:
    """A redis-server on a free port that keeps a log of its writes."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.client = redis.Redis(port=self.port, decode_responses=True)
        self._server = None
        self.start()

    def start(self):
        """Starts it with what it had, and waits until it answers."""
        program = os.environ.get("FOURFOLD_TEST_REDIS_SERVER", "redis-server")
        self._server = processes.start(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "yes", "--dir", self.folder], self.folder / "redis.log")
        wait_until(self.client.ping)

    def kill(self):
        """SIGKILL, as a crash would."""
        self._server.kill()
        self._server.wait()

    def lose_everything(self):
        """For one that is down: it will start without data."""
        shutil.rmtree(self.folder / "appendonlydir")

    def end(self):
        self.client.close()
        self.kill()
