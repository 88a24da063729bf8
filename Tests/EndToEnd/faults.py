"""A TCP proxy that misbehaves on request, to stand between the gateway and a store."""

import contextlib
import socket
import threading
import time

CHUNK_BYTES = 64 * 1024


class FaultProxy:
    """Forwards a loopback port to `target`: ("tcp", (host, port)) or ("unix", path)."""

    def __init__(self, target):
        self._target = target
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs = set()
        self._half_closed = set()
        self._held = b""
        self._trigger = None
        self._closed = False
        self._bytes_left = None
        self._delay_seconds = 0
        self._listener = None
        self.port = None
        self._listen()

    # What a test does with it.

    def pause(self):
        """Connections stay open and new ones are accepted, but no byte moves."""
        self._held = b""
        self._flowing.clear()

    def resume(self):
        self._flowing.set()

    def pause_before(self, text):
        """Pauses when these bytes are about to pass."""
        self._trigger = text

    @property
    def held(self):
        """The bytes that arrived since the last pause began, and that it holds back or held."""
        return self._held

    def cut(self):
        """Resets every open connection; new ones work."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._drop(pair)

    def refuse(self):
        """Cuts, and refuses new connections until `accept`."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            # A thread in accept() keeps the port open until it is woken.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def delay(self, seconds):
        """Holds every answer of the target up for this long, or twice that under load."""
        self._delay_seconds = seconds

    def refuse_after(self, byte_count):
        """Refuses once this many more bytes have come from the target."""
        self._bytes_left = byte_count

    def accept(self):
        if self._listener is None:
            self._listen()

    def close(self):
        self._closed = True
        self.refuse()
        self._flowing.set()

    @property
    def connection_count(self):
        with self._lock:
            return len(self._pairs)

    # How it does it: one thread accepts, two threads move the bytes of each connection.

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port or 0))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept_all, args=(listener,), daemon=True).start()

    def _accept_all(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        kind, address = self._target
        server = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        pair = (client, server)
        try:
            server.connect(address)
        except OSError:
            self._drop(pair)
            return
        if kind == "tcp":
            for end in pair:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._pairs.add(pair)
        for source, sink in (pair, (server, client)):
            threading.Thread(target=self._move, args=(source, sink, pair), daemon=True).start()

    def _move(self, source, sink, pair):
        try:
            while chunk := source.recv(CHUNK_BYTES):
                if self._trigger is not None and self._trigger in chunk:
                    self._trigger = None
                    self.pause()
                if not self._flowing.is_set():
                    with self._lock:
                        self._held += chunk
                self._flowing.wait()
                if self._bytes_left is not None and source is pair[1]:
                    self._bytes_left -= len(chunk)
                    if self._bytes_left < 0:
                        self.refuse()
                        return
                if source is pair[1] and self._delay_seconds:
                    time.sleep(self._delay_seconds)
                sink.sendall(chunk)
            self._flowing.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(pair)
            return
        with self._lock:
            done = pair in self._half_closed
            self._half_closed ^= {pair}
        if done:
            self._drop(pair)

    def _drop(self, pair):
        with self._lock:
            self._pairs.discard(pair)
            self._half_closed.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                # Linger zero turns close into a reset, as a crash of the peer's machine looks.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                end.close()
