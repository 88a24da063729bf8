"""A headless Chromium on a page of a test's own, which tells what happens to it."""

import http.server
import json
import shutil
import tempfile
import threading

import processes
from waiting import wait_until

# Nothing but the page: no update, no sync, no first-run, no proxy of the machine.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--no-first-run", "--no-default-browser-check", "--no-proxy-server",
    "--mute-audio",
]
# `tell` sends to the test what the page sees, in order.
PAGE = """<!doctype html><meta charset="utf-8"><title>test</title><script>
let telling = Promise.resolve();
function tell(what) {
  telling = telling.then(() => fetch("/tell", {method: "POST", body: JSON.stringify(what)}));
}
%s
</script>"""


class Page:
    """Serves one page on an origin of its own; `told` grows as the page tells."""

    def __init__(self, script, port=0):
        self.told = []
        told, page = self.told, (PAGE % script).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(200 if self.path == "/" else 404, page if self.path == "/" else b"")

            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(204, b"")

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, count, deadline=30):
        wait_until(lambda: len(self.told) >= count, deadline,
                   message=f"the page has told only {self.told}")
        return self.told

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Browser:
    """Chromium with a profile of its own, on one page."""

    def __init__(self, page, log_path):
        program = shutil.which("chromium")
        assert program, "chromium is not installed: scripts/test e2e installs it"
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = processes.start(
            [program, *FLAGS, f"--user-data-dir={self._profile.name}", page.origin], log_path)

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except Exception:
            self._process.kill()
            self._process.wait(10)
        self._profile.cleanup()
