"""The embedding server, asked over HTTP as the gateway asks it."""

import base64
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

PYTHON = os.environ.get("FOURFOLD_TEST_EMBEDDER_PYTHON", sys.executable)
SERVER = pathlib.Path(__file__).parents[1] / "server.py"


@pytest.fixture(scope="session")
def url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([PYTHON, SERVER, "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=2)
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
    yield address
    process.terminate()
    assert process.wait(10) == 0


def post(url, body, path="/v1/embeddings"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def vectors(url, texts):
    status, answer = post(url, {"input": texts, "model": "any"})
    assert status == 200
    return [each["embedding"] for each in answer["data"]]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_meaning_not_words(url):
    question, near, far = vectors(url, [
        "creativity and inspiration", "I painted a mural with my daughter",
        "quarterly tax filing deadline"])
    assert cosine(question, near) == pytest.approx(0.35, abs=0.02)
    assert cosine(question, far) == pytest.approx(-0.04, abs=0.02)


def test_shape(url):
    status, answer = post(url, {"input": ["one", "two words here"], "model": "x"})
    assert status == 200
    assert [each["index"] for each in answer["data"]] == [0, 1]
    assert {each["object"] for each in answer["data"]} == {"embedding"}
    assert all(len(each["embedding"]) == 384 for each in answer["data"])
    assert all(cosine(v, v) == pytest.approx(1, abs=1e-4)
               for v in (each["embedding"] for each in answer["data"]))
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] == 8


def test_a_text_has_the_same_vector_alone_and_beside_longer_ones(url):
    texts = ["a short text", "a much longer text " * 40] + ["filler"] * 40
    together, alone = vectors(url, texts)[0], vectors(url, "a short text")[0]
    assert together == pytest.approx(alone, abs=1e-5)


def test_base64_holds_the_same_floats(url):
    _, answer = post(url, {"input": "gardens", "encoding_format": "base64"})
    raw = base64.b64decode(answer["data"][0]["embedding"])
    assert list(struct.unpack("<384f", raw)) == pytest.approx(vectors(url, "gardens")[0], abs=1e-6)


@pytest.mark.parametrize("body, status", [
    (b"{", 400), (b"[]", 400), ({}, 400), ({"input": []}, 400), ({"input": ""}, 400),
    ({"input": [1]}, 400), ({"input": ["x"] * 513}, 400),
    ({"input": "x", "encoding_format": "hex"}, 400), ({"input": "x", "dimensions": 3}, 400),
    (b"\xff\xfe", 400),
])
def test_errors(url, body, status):
    got, answer = post(url, body)
    assert (got, answer["error"]["type"]) == (status, "invalid_request_error")


def test_bounds(url):
    host, port = url.removeprefix("http://").split(":")
    for head, status in [("Content-Length: 5000000", b"413"), ("X: y", b"411")]:
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(
                f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
            assert connection.recv(100).split()[1] == status


def test_unknown_path(url):
    assert post(url, {"input": "x"}, "/v2")[0] == 404


def test_health(url):
    with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
        assert json.load(answer)["dimensions"] == 384
