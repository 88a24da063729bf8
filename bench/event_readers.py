"""Many streams of events in one process, read by epoll: a thread for each would measure Python."""

import random
import re
import resource
import select
import socket
import time

EVENT = re.compile(rb"id: (\d+)\nevent: [^\n]+\ndata: ([^\n]*)\n\n")
RECEIVE_BYTES = 4_096
END_OF_CHUNK = b"\n\n\r\n"
OPEN_SECONDS_MAX = 60
# Opened at once and not answered yet.
OPENING_MAX = 500


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= count, f"this user may open {hard} files, the measure needs {count}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


class Readers:
    """`channels[n]` is what stream n listens to. Ids and delays are kept for each stream."""

    def __init__(self, port, channels):
        allow_descriptors(len(channels) + 500)
        self.port, self.channels = port, channels
        self.poll = select.epoll()
        self.sockets, self.index = {}, {}
        count = len(channels)
        self.ids = [[] for _ in range(count)]
        self.delays = []
        self.last = [None] * count
        self._rest = [b""] * count
        self._begun = [False] * count

    def open(self, index):
        """Connects, and goes on from the last id if there is one."""
        link = socket.create_connection(("127.0.0.1", self.port))
        resume = f"Last-Event-ID: {self.last[index]}\r\n" if self.last[index] else ""
        link.sendall(f"GET /v1/dots/events?channels={self.channels[index]} HTTP/1.1\r\n"
                     f"Host: localhost\r\nAccept: text/event-stream\r\n{resume}\r\n".encode())
        link.setblocking(False)
        self.sockets[link.fileno()], self.index[link.fileno()] = link, index
        self._rest[index], self._begun[index] = b"", False
        self.poll.register(link.fileno(), select.EPOLLIN)

    def open_all(self):
        """Until every stream has said where it begins."""
        deadline = time.monotonic() + OPEN_SECONDS_MAX
        for index in range(len(self.channels)):
            self.open(index)
            while index - sum(self._begun) > OPENING_MAX:
                self.read(1)
        while not all(self._begun):
            assert time.monotonic() < deadline, f"{sum(self._begun)} streams have begun"
            self.read(1)

    def drop(self, descriptor):
        link = self.sockets.pop(descriptor)
        self.poll.unregister(descriptor)
        link.close()
        return self.index.pop(descriptor)

    def close(self):
        for descriptor in list(self.sockets):
            self.drop(descriptor)

    def read(self, seconds):
        """Takes what has come; returns the streams that were ended by the gateway."""
        ended = []
        ready = self.poll.poll(seconds)
        # All of these have been delivered; what follows is one process reading for a thousand.
        now = time.monotonic_ns()
        for descriptor, _ in ready:
            chunk = self.sockets[descriptor].recv(RECEIVE_BYTES)
            if chunk:
                self._take(self.index[descriptor], chunk, now)
            else:
                ended.append(self.drop(descriptor))
        return ended

    def _take(self, index, chunk, now):
        if self._rest[index] or not self._begun[index]:
            chunk = self._rest[index] + chunk
        if not chunk.endswith(END_OF_CHUNK):
            self._rest[index] = chunk
            return
        self._rest[index] = b""
        if not self._begun[index]:
            assert chunk.startswith(b"HTTP/1.1 200 "), chunk[:300]
            self._begun[index] = True
            if self.last[index] is None:
                self.last[index] = re.search(rb"\nid: (\d+)\n", chunk)[1].decode()
        assert b"event: reset\n" not in chunk, "a stream was reset"
        # A large event may be cut in two chunks by nobody: each is written at once.
        for id, data in EVENT.findall(chunk):
            self.ids[index].append(int(id))
            self.last[index] = id.decode()
            if data.startswith(b'{"t":'):
                self.delays.append(now - int(data[5:-1]))

    def read_and_drop(self, until, seed):
        """Reads until that time; each stream is dropped and resumed about three times a second."""
        chance = random.Random(seed)
        drops, after = 0, time.monotonic()
        while time.monotonic() < until:
            for index in self.read(0.01):
                self.open(index)
            now = time.monotonic()
            for descriptor in list(self.sockets):
                if chance.random() < 3 * (now - after) and self._begun[self.index[descriptor]]:
                    self.open(self.drop(descriptor))
                    drops += 1
            after = now
        return drops
