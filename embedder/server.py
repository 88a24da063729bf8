"""A small embedding server for development: POST /v1/embeddings as OpenAI's, GET /health."""

import argparse
import base64
import concurrent.futures
import http.server
import json
import signal
import threading

from model import Model

BODY_BYTES_MAX = 4 * 1024 * 1024
INPUT_COUNT_MAX = 512
BATCH_TEXTS_MAX = 8  # Bounds how long a small request waits behind a large one.
READ_SECONDS_MAX = 30


class BadRequest(Exception):
    """What the caller did wrong; becomes 400."""


def parse(body):
    """Returns (texts, encoding_format) of a request body, or raises BadRequest."""
    try:
        request = json.loads(body)
    except ValueError:
        raise BadRequest("the body is not JSON") from None
    if not isinstance(request, dict):
        raise BadRequest("the body must be an object")
    texts = request.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise BadRequest("input must be a string or a non-empty array of strings")
    if len(texts) > INPUT_COUNT_MAX:
        raise BadRequest(f"input holds more than {INPUT_COUNT_MAX} texts")
    if any(not text.strip() for text in texts):
        raise BadRequest("input must not hold an empty text")
    encoding_format = request.get("encoding_format") or "float"
    if encoding_format not in ("float", "base64"):
        raise BadRequest("encoding_format must be float or base64")
    if request.get("dimensions") not in (None, Handler.model.width):
        raise BadRequest(f"this model has {Handler.model.width} dimensions")
    return texts, encoding_format


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = READ_SECONDS_MAX
    model = None
    # One batch at a time, in the order in which they came: a lock would let a large request take
    # its next turn before one that waits.
    worker = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"status": "ok", "model": self.model.name,
                              "dimensions": self.model.width})
        elif self.path == "/v1/models":
            self.answer(200, {"object": "list",
                              "data": [{"id": self.model.name, "object": "model"}]})
        else:
            self.refuse(404, "no such path")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            return self.refuse(411, "Content-Length is required", close=True)
        if int(length) > BODY_BYTES_MAX:
            return self.refuse(413, f"the body is over {BODY_BYTES_MAX} bytes", close=True)
        body = self.rfile.read(int(length))
        if self.path != "/v1/embeddings":
            return self.refuse(404, "no such path")
        try:
            texts, encoding_format = parse(body)
        except BadRequest as error:
            return self.refuse(400, str(error))
        self.answer(200, self.embed(texts, encoding_format))

    def embed(self, texts, encoding_format):
        # Texts of like length together, because a batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        data, token_count = [None] * len(texts), 0
        for start in range(0, len(texts), BATCH_TEXTS_MAX):
            indexes = order[start:start + BATCH_TEXTS_MAX]
            batch = self.worker.submit(self.model.embed, [texts[index] for index in indexes])
            vectors, tokens = batch.result()
            token_count += tokens
            for index, vector in zip(indexes, vectors, strict=True):
                value = (vector.tolist() if encoding_format == "float"
                         else base64.b64encode(vector.astype("<f4").tobytes()).decode())
                data[index] = {"object": "embedding", "index": index, "embedding": value}
        return {"object": "list", "data": data, "model": self.model.name,
                "usage": {"prompt_tokens": token_count, "total_tokens": token_count}}

    def refuse(self, status, message, close=False):
        self.close_connection = self.close_connection or close
        self.answer(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Says nothing: the texts are somebody's journal."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=8090)
    options = arguments.parse_args()
    Handler.model = Model()
    server = Server((options.host, options.port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"{Handler.model.name} on http://{options.host}:{server.server_port}/v1", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
