"""A client of text/event-stream as a browser is one: it keeps the last id, and says it again."""

import socket
import threading
import time
import urllib.parse

from waiting import wait_until

CONNECT_SECONDS_MAX = 10


class EventParser:
    """The lines of a stream as events (WHATWG HTML, "Interpreting an event stream")."""

    def __init__(self):
        self.last_id = ""
        self.retry = None
        self.comment_count = 0
        self._rest = b""
        self._data, self._event, self._id = [], "", ""

    def feed(self, chunk):
        """The events that are whole now, as (id, event, data)."""
        found = []
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take(line.decode(), found)
        return found

    def _take(self, line, found):
        if not line:
            self.last_id = self._id
            if self._data:
                found.append((self._id, self._event or "message", "\n".join(self._data)))
            self._data, self._event = [], ""
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comment_count += 1
        elif name == "id":
            self._id = value
        elif name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "retry":
            self.retry = int(value)


class Connection:
    """One HTTP/1.1 response that is read as it comes."""

    def __init__(self, port, path, headers=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(CONNECT_SECONDS_MAX)
        self.socket.connect(("127.0.0.1", port))
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: text/event-stream"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._buffer = b""
        head = self._until(b"\r\n\r\n").decode()
        first, *rest = head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in rest)}
        self.socket.settimeout(None)

    def body(self):
        """The body of an answer that is no stream."""
        self.socket.settimeout(CONNECT_SECONDS_MAX)
        while len(self._buffer) < int(self.headers["content-length"]):
            self._receive()
        return self._buffer

    def chunks(self):
        """The pieces of a chunked body; ends where it ends."""
        while True:
            length = int(self._until(b"\r\n"), 16)
            while len(self._buffer) < length + 2:
                self._receive()
            piece, self._buffer = self._buffer[:length], self._buffer[length + 2:]
            if not length:
                return
            yield piece

    def _until(self, mark):
        while mark not in self._buffer:
            self._receive()
        found, self._buffer = self._buffer.split(mark, 1)
        return found

    def _receive(self):
        more = self.socket.recv(64 * 1024)
        if not more:
            raise ConnectionError("the server has closed")
        self._buffer += more

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class EventStream:
    """Listens in a thread; `events` grows as they come."""

    def __init__(self, gateway, channels, *, pack="dots", after=None, port=None, headers=None,
                 **query):
        parameters = {"channels": ",".join(channels)} | query
        path = f"/v1/{pack}/events?{urllib.parse.urlencode(parameters)}"
        sent = dict(headers or {})
        if after is not None:
            sent["Last-Event-ID"] = after
        self.parser = EventParser()
        self.events = []
        self.ended = threading.Event()
        self._connection = Connection(port or gateway.port, path, sent)
        self.headers = self._connection.headers
        assert self._connection.status == 200, self._connection.body()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for piece in self._connection.chunks():
                self.events += self.parser.feed(piece)
        except (OSError, ValueError):
            pass
        self.ended.set()

    @property
    def last_id(self):
        return self.parser.last_id

    @property
    def data(self):
        return [data for _, _, data in self.events]

    def wait_begun(self):
        """Until it says from where on it tells everything."""
        wait_until(lambda: self.parser.last_id, message="the stream does not begin")
        return self

    def wait(self, count, deadline=10):
        """The events, once there are this many."""
        wait_until(lambda: len(self.events) >= count, deadline,
                   message=f"not {count} events: {self.events[-3:]}")
        return self.events

    def wait_for(self, name, deadline=10):
        """The first event of this name."""
        def found():
            return [each for each in self.events if each[1] == name]

        wait_until(found, deadline, message=f"no event {name}: {self.events[-3:]}")
        return found()[0]

    def close(self):
        self._connection.close()
        self.ended.wait(CONNECT_SECONDS_MAX)
        return self.last_id


def get(gateway, path, headers=None):
    """A stream that is refused: status, headers and body."""
    connection = Connection(gateway.port, path, headers)
    try:
        return connection.status, connection.headers, connection.body()
    finally:
        connection.close()
