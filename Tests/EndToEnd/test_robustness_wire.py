"""HTTP as no client library would send it: bytes on a socket."""

import json
import pathlib
import socket
import threading
import time

import pytest

from api import problem
from gateway import Gateway
from waiting import wait_until

MEBIBYTE = 1024 * 1024


class Wire:
    """A connection to the gateway."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(
            part.encode() if isinstance(part, str) else part for part in parts))
        return self

    def request(self, method, target, body=b"", *headers):
        lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers]
        if body or method in ("POST", "PUT", "PATCH"):
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return self.send("\r\n".join(lines), "\r\n\r\n", body)

    def fill(self):
        part = self.socket.recv(65536)
        self.buffer += part
        return bool(part)

    def answer(self, has_body=True):
        """The next answer: status, headers, body."""
        while b"\r\n\r\n" not in self.buffer:
            assert self.fill(), f"the connection ended: {self.buffer!r}"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        status = int(first.split(" ")[1])
        if status < 200 or status in (204, 304) or not has_body:
            return status, headers, b""
        length = int(headers["content-length"])
        while len(self.buffer) < length:
            assert self.fill(), "the body ended early"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return status, headers, body

    def is_closed(self):
        """The peer ends the connection, in order or by a reset, without another byte."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def wire(api):
    with Wire(api.gateway.port) as opened:
        yield opened


@pytest.fixture(scope="module")
def impatient(api):
    """A gateway whose patience and limits are small."""
    settings = {name: api.gateway.environment[name] for name in ("DATABASE_URL", "REDIS_URL")}
    served = Gateway(api.gateway.root, api.gateway.binary, settings | {
        "FOURFOLD_HEADER_TIMEOUT": "500ms", "FOURFOLD_BODY_TIMEOUT": "500ms",
        "FOURFOLD_IDLE_TIMEOUT": "1s"}).start()
    yield served
    assert served.stop() == 0


LIVE = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"

MALFORMED = {
    "no request": ("hello\r\n\r\n", (400, 501)),
    "lower-case method": ("get / HTTP/1.1\r\nHost: x\r\n\r\n", (400, 501)),
    "unknown method": ("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", (400, 501)),
    "no version": ("GET /\r\n\r\n", (400, 505)),
    "version 0.9": ("GET / HTTP/0.9\r\nHost: x\r\n\r\n", (400, 505)),
    "version 2.0": ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", (400, 505)),
    "version 1.2": ("GET / HTTP/1.2\r\nHost: x\r\n\r\n", (400, 505)),
    "no host": ("GET / HTTP/1.1\r\n\r\n", (400,)),
    "two hosts": ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", (400,)),
    "no colon": ("GET / HTTP/1.1\r\nHost: x\r\nfoo\r\n\r\n", (400,)),
    "space before colon": ("GET / HTTP/1.1\r\nHost: x\r\nfoo : 1\r\n\r\n", (400,)),
    "folded header": ("GET / HTTP/1.1\r\nHost: x\r\nfoo: 1\r\n 2\r\n\r\n", (400,)),
    "NUL in a header": ("GET / HTTP/1.1\r\nHost: x\r\nfoo: a\0b\r\n\r\n", (400,)),
    "NUL in the target": ("GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "encoded NUL in the path": ("GET /v1/dots/a%00b HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "encoded NUL in the query":
        ("GET /v1/dots/concepts?name=eq.%00 HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "encoded bytes that are no UTF-8":
        ("GET /v1/dots/concepts?name=eq.%FF%FE HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "encoded bytes that are no UTF-8 in the path":
        ("GET /v1/dots/%C0%AF HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "raw bytes that are no UTF-8":
        (b"GET /v1/dots/concepts?name=eq.\xff HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "bad percent": ("GET /v1/dots/%zz HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "cut percent": ("GET /v1/dots/concepts?name=eq.% HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "fragment": ("GET /v1/dots#x HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "relative target": ("GET v1/dots HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "two lengths":
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", (400,)),
    "length and chunks": (
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n", (400,)),
    "negative length": ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (400,)),
    "length with a plus": ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", (400,)),
    "length of 2^64": (
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551617\r\n\r\n", (400, 413)),
    "unknown encoding":
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", (400, 501)),
    "broken chunk": (
        "POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        (400,)),
    "unknown expectation":
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: x\r\n\r\na", (417,)),
    "connect": ("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", (400, 405, 501)),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, (400, 501)),
    "HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 501, 505)),
}


@pytest.mark.parametrize("sent, statuses", MALFORMED.values(), ids=list(MALFORMED))
def test_malformed_requests(wire, sent, statuses):
    status, headers, body = wire.send(sent).answer()
    assert status in statuses, body
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == status
    assert headers["connection"] == "close" and wire.is_closed()


@pytest.mark.parametrize("sent", [
    "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET http://any.host/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /health/live HTTP/1.0\r\n\r\n",
    "GET /health/live?a=%F0%9F%98%80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /health/%6Cive HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_unusual_requests_that_are_right(wire, sent):
    assert wire.send(sent).answer()[0] == 200


# Size.


@pytest.mark.parametrize("length", [2 * MEBIBYTE, 10 * MEBIBYTE, 10**18])
def test_a_body_over_the_limit_is_refused_before_it_is_sent(wire, length):
    wire.send(f"POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              f"Content-Length: {length}\r\n\r\n")
    status, headers, body = wire.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(body)["code"] == "body_too_large"
    assert wire.is_closed()


def test_a_client_that_sends_ten_megabytes_at_once_reads_the_answer(wire):
    wire.send(f"POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\n"
              f"Content-Length: {10 * MEBIBYTE}\r\n\r\n")

    def push():
        try:
            for _ in range(160):
                wire.socket.sendall(b"x" * 65536)
        except OSError:
            pass

    pushing = threading.Thread(target=push)
    pushing.start()
    status, _, body = wire.answer()
    assert status == 413 and json.loads(body)["code"] == "body_too_large"
    pushing.join(10)
    assert not pushing.is_alive()


def test_chunks_over_the_limit(wire):
    wire.send("POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        for _ in range(40):
            wire.send("10000\r\n", b"x" * 65536, "\r\n")
    except OSError:
        pass
    assert wire.answer()[0] == 413


def test_a_body_at_the_limit(api, wire, owner):
    head = json.dumps({"user_id": owner, "name": "big", "description": ""}).encode()
    body = head[:-2] + b"d" * (MEBIBYTE - len(head)) + b'"}'
    assert len(body) == MEBIBYTE
    status, _, answer = wire.request("POST", "/v1/dots/concepts", body).answer()
    assert status == 201
    assert len(json.loads(answer)["description"]) == MEBIBYTE - len(head)
    assert wire.request("POST", "/v1/dots/concepts", body + b" ").answer()[0] == 413


@pytest.mark.parametrize("target", ["/v1/dots/concepts?name=eq." + "x" * 100_000,
                                    "/" + "a" * 100_000, "/" + "a/" * 50_000])
def test_a_long_url(wire, target):
    status, headers, body = wire.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").answer()
    assert (status, headers["connection"]) == (414, "close")
    assert json.loads(body)["code"] == "url_too_long"


def test_a_url_at_the_limit(wire):
    target = "/health/live?" + "x" * (8192 - len("/health/live?"))
    assert wire.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").answer()[0] == 200
    assert wire.send(f"GET {target}x HTTP/1.1\r\nHost: x\r\n\r\n").answer()[0] == 414


@pytest.mark.parametrize("headers", [
    "".join(f"X-{n}: 1\r\n" for n in range(200)), "X: " + "y" * 40_000 + "\r\n",
    "X" * 40_000 + ": y\r\n", "".join(f"X-{n}: {'y' * 500}\r\n" for n in range(90))],
    ids=["many", "long-value", "long-name", "all-together"])
def test_header_floods(wire, headers):
    status, answered, body = wire.send(
        f"GET /health/live HTTP/1.1\r\nHost: x\r\n{headers}\r\n").answer()
    assert (status, answered["connection"]) == (431, "close")
    assert json.loads(body)["code"] == "headers_too_large"


def test_an_endless_header(wire):
    wire.send("GET /health/live HTTP/1.1\r\nHost: x\r\n")
    try:
        for number in range(100_000):
            wire.send(f"X-{number}: {'y' * 100}\r\n")
    except OSError:
        pass
    assert wire.answer()[0] == 431


# Slow and strange clients.


def test_a_slow_header(impatient):
    with Wire(impatient.port) as wire:
        begin = time.monotonic()
        wire.send("GET /health/live HTTP/1.1\r\n")

        def drip():
            try:
                for _ in range(40):
                    wire.send("X: y\r\n")
                    time.sleep(0.1)
            except OSError:
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        status, headers, body = wire.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body)["code"] == "request_timed_out"
        assert time.monotonic() - begin < 3
        dripping.join()


def test_a_slow_body(impatient):
    with Wire(impatient.port) as wire:
        wire.send("POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert wire.answer()[0] == 408


def test_a_silent_connection_is_closed_without_a_word(impatient):
    with Wire(impatient.port) as wire:
        assert wire.is_closed()


def test_a_kept_connection_may_pause_between_requests(impatient):
    with Wire(impatient.port) as wire:
        for _ in range(3):
            assert wire.send(LIVE).answer()[0] == 200
            time.sleep(0.4)
        assert wire.is_closed()


def test_a_half_closed_socket_gets_its_answer(api, wire, owner):
    body = json.dumps({"user_id": owner, "name": "half"}).encode()
    wire.request("POST", "/v1/dots/concepts", body)
    wire.socket.shutdown(socket.SHUT_WR)
    status, _, answer = wire.answer()
    assert status == 201 and wire.is_closed()
    assert api.count("concepts", "concept_id = %s", [json.loads(answer)["concept_id"]]) == 1


def test_half_closed_with_several_requests(wire):
    wire.send(LIVE * 5)
    wire.socket.shutdown(socket.SHUT_WR)
    assert [wire.answer()[0] for _ in range(5)] == [200] * 5
    assert wire.is_closed()


def test_a_request_cut_in_the_middle_changes_nothing(api, owner):
    body = json.dumps({"user_id": owner, "name": "cut"}).encode()
    for keep in (1, 10, len(body) - 1):
        with Wire(api.gateway.port) as wire:
            wire.send(f"POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n", body[:keep])
            wire.socket.shutdown(socket.SHUT_WR)
            assert wire.answer()[0] == 400
    assert api.count("concepts", "user_id = %s", [owner]) == 0


def test_pipelined_requests_are_answered_in_order(api, wire, owner):
    keys = [api.concept(owner, name=f"p{number}") for number in range(30)]
    for key in keys:
        wire.request("GET", f"/v1/dots/concepts/{key}?select=concept_id")
    for key in keys:
        status, _, body = wire.answer()
        assert status == 200 and json.loads(body) == {"concept_id": key}


def test_pipelined_writes_reads_and_errors(api, wire, owner):
    concept = api.concept(owner)
    path = f"/v1/dots/concepts/{concept}"
    for number in range(10):
        wire.request("PATCH", path, json.dumps({"status": str(number)}).encode())
        wire.request("GET", path)
        wire.request("GET", "/v1/dots/nothing")
        wire.request("HEAD", path)
    for number in range(10):
        assert json.loads(wire.answer()[2])["status"] == str(number)
        assert json.loads(wire.answer()[2])["status"] == str(number)
        assert wire.answer()[0] == 404
        assert wire.answer(has_body=False)[0] == 200


def test_a_pipelining_client_that_never_reads_holds_up_nobody(api):
    with Wire(api.gateway.port) as greedy:
        greedy.socket.settimeout(0.5)
        try:
            for _ in range(20_000):
                greedy.send(LIVE * 10)
        except OSError:
            pass
        for _ in range(20):
            assert api.http.get("/health/live").status_code == 200
        assert api.gateway.resident_bytes() < 300 * MEBIBYTE


def test_bytes_one_by_one(api, wire, owner):
    body = json.dumps({"user_id": owner, "name": "slow é"}, ensure_ascii=False).encode()
    request = (f"POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in request:
        wire.send(bytes([byte]))
    status, _, answer = wire.answer()
    assert status == 201 and json.loads(answer)["name"] == "slow é"


def test_chunked_body(api, wire, owner):
    body = json.dumps({"user_id": owner, "name": "chunks"}).encode()
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in body)
    wire.send("POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              "Transfer-Encoding: chunked\r\n\r\n", chunks, "0\r\n\r\n")
    assert wire.answer()[0] == 201
    assert wire.send(LIVE).answer()[0] == 200


def test_expect_continue(api, wire, owner):
    body = json.dumps({"user_id": owner, "name": "expected"}).encode()
    wire.send(f"POST /v1/dots/concepts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n")
    assert wire.answer()[0] == 100
    assert wire.send(body).answer()[0] == 201


def test_many_connections_that_do_nothing(api):
    opened = [socket.create_connection(("127.0.0.1", api.gateway.port)) for _ in range(500)]
    try:
        assert api.http.get("/health/live").status_code == 200
    finally:
        for each in opened:
            each.close()


def test_clients_that_leave_are_forgotten(api):
    def held():
        """Sockets of clients that the gateway has not closed: established, or left by them."""
        lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
        ends = [line.split()[1:4] for line in lines]
        port = f":{api.gateway.port:04X}"
        return sum(local.endswith(port) and state in ("01", "08") for local, _, state in ends)

    before = held()
    for _ in range(200):
        with Wire(api.gateway.port) as wire:
            wire.request("GET", "/v1/dots/concepts?limit=1")
    wait_until(lambda: held() <= before)


def test_a_problem_of_the_gateway_keeps_the_connection(wire):
    assert wire.request("GET", "/v1/dots/nothing").answer()[0] == 404
    assert wire.request("POST", "/v1/dots/concepts", b"{").answer()[0] == 400
    assert wire.send(LIVE).answer()[0] == 200


def test_a_head_of_a_problem_has_no_body(api):
    answer = api("HEAD", "nothing")
    assert (answer.status_code, answer.content) == (404, b"")
    problem(api("GET", "nothing"), 404)
