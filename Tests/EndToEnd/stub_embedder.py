"""An embeddings endpoint that a test can make refuse, fail or hang."""

import hashlib
import http.server
import json
import threading


class StubEmbedder:
    """Each word moves the vector in a direction of its own; `poison` in a text is refused."""

    WIDTH = 16

    def __init__(self):
        self.status, self.is_poison_refused = 200, True
        self.hanging = threading.Event()
        self.hanging.set()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
                stub.hanging.wait()
                status = stub.status
                if stub.is_poison_refused and any("poison" in text for text in texts):
                    status = 400
                body = json.dumps({"data": [
                    {"index": index, "embedding": stub.vector(text)}
                    for index, text in enumerate(texts)]}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def vector(self, text):
        vector = [0.01] * self.WIDTH
        for word in text.lower().split():
            vector[hashlib.sha256(word.encode()).digest()[0] % self.WIDTH] += 1.0
        return vector

    def hang(self):
        self.hanging.clear()

    def answer(self):
        self.hanging.set()

    def close(self):
        self.answer()
        self.server.shutdown()
        self.server.server_close()
