"""A browser's EventSource, and calls of pages of other origins."""

import hashlib
import json

import pytest

from api import Api
from browser import Browser, Page
from faults import FaultProxy
from gateway import free_port
from live import live, live_database, publish  # noqa: F401
from waiting import wait_until

ONE, TWO = "user:1:cards", "user:1:insights"

LISTEN = """
const source = new EventSource(%s);
source.onopen = () => tell({open: true});
source.onerror = () => tell({error: source.readyState});
for (const name of %s) {
  source.addEventListener(name, event => tell(
    {event: event.type, id: event.lastEventId, data: event.data}));
}
"""


@pytest.fixture
def open_page(stores):
    """open_page(script, port=0): a page in a browser of its own."""
    opened = []

    def make(script, port=0):
        page = Page(script, port)
        opened.append(page)
        opened.append(Browser(page, stores.run_dir / "log" / "chromium.log"))
        return page

    yield make
    for each in reversed(opened):
        each.close()


def listen_script(port, *channels, names=(), query=""):
    url = f"http://127.0.0.1:{port}/v1/dots/events?channels={','.join(channels)}{query}"
    return LISTEN % (json.dumps(url), json.dumps([*channels, *names]))


def events(page):
    return [each for each in page.told if "event" in each]


def test_event_source_resumes_by_itself(live, open_page):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CORS_ORIGINS="*", FOURFOLD_EVENTS_RETRY="100ms")
    proxy = FaultProxy(("tcp", ("127.0.0.1", gateway.port)))
    try:
        page = open_page(listen_script(proxy.port, ONE, TWO, names=["reset"]))
        page.wait(1)
        assert page.told == [{"open": True}]
        # Cut before the first message: the browser has taken the id that came without an event.
        proxy.refuse()
        ids = [publish(gateway, ONE, {"n": 0})]
        proxy.accept()
        wait_until(lambda: len(events(page)) == 1, 30)
        for n in range(1, 10):
            ids.append(publish(gateway, [ONE, TWO][n % 2], {"n": n}))
        live.redis.publish(ONE, "foreign\nmessage")
        wait_until(lambda: len(events(page)) == 11, 30)
        for round in range(3):
            proxy.refuse()
            ids += [publish(gateway, [ONE, TWO][n % 2], {"n": f"{round} {n}"}) for n in range(5)]
            proxy.accept()
            wait_until(lambda: len(events(page)) == len(ids) + 1, 30)
            ids.append(publish(gateway, TWO, {"n": f"{round} live"}))
        wait_until(lambda: len(events(page)) == len(ids) + 1, 30)
        told = events(page)
        foreign = told.pop(10)
        assert foreign == {"event": ONE, "id": ids[9], "data": "foreign\nmessage"}
        assert [each["id"] for each in told] == ids
        assert [json.loads(each["data"])["n"] for each in told][:3] == [0, 1, 2]
        assert {each["event"] for each in told} == {ONE, TWO}
        assert all(each["error"] == 0 for each in page.told if "error" in each)
    finally:
        proxy.close()


def test_event_source_with_credentials_in_the_query(live, open_page):  # noqa: F811
    key = "key-of-the-page"
    owner = "a0000000-0000-4000-8000-000000000001"
    gateway = live.gateway(
        FOURFOLD_CORS_ORIGINS="*",
        FOURFOLD_SERVICE_KEYS=f"page:{hashlib.sha256(key.encode()).hexdigest()}")
    channel = f"user:{owner}:cards"
    page = open_page(listen_script(gateway.port, channel, query=f"&access_token={key}&user={owner}"))
    page.wait(1)
    publish(gateway, channel, {"n": 1}, headers={"Authorization": f"Bearer {key}"})
    assert page.wait(2)[1]["data"] == '{"n":1}'
    assert key not in gateway.log()


def test_pages_of_other_origins_are_kept_out_by_default(live, open_page):  # noqa: F811
    gateway = live.gateway()
    page = open_page(listen_script(gateway.port, ONE))
    # 2 is CLOSED: the browser does not try again.
    assert page.wait(1)[0] == {"error": 2}


FETCH = """
async function ask(path, options) {
  try {
    const answer = await fetch(%s + path, options);
    tell({status: answer.status, etag: answer.headers.get("etag"),
          location: answer.headers.get("location")});
  } catch (error) { tell({refused: true}); }
}
(async () => {
  const headers = {"Content-Type": "application/json", "Fourfold-User": %s};
  await ask("/v1/dots/concepts", {method: "POST", headers, body: JSON.stringify({name: "x"})});
  await ask("/v1/dots/concepts/none", {headers});
})();
"""


def test_a_listed_origin_may_call_and_read_what_it_needs(live, open_page, live_database):  # noqa: F811
    port, other = free_port(), free_port()
    gateway = live.gateway(
        FOURFOLD_CORS_ORIGINS=f"https://app.example.org,http://127.0.0.1:{port}")
    api = Api(gateway, live_database)
    owner = api.user()
    api.close()
    script = FETCH % (json.dumps(gateway.url), json.dumps(owner))
    created, missing = open_page(script, port).wait(2)
    assert created["status"] == 201 and created["etag"] and created["location"]
    assert missing["status"] == 404
    assert open_page(script, other).wait(2) == [{"refused": True}, {"refused": True}]


@pytest.mark.parametrize("settings, origin, allowed", [
    ("", "https://app.example.org", None),
    ("*", "https://app.example.org", "*"),
    ("https://app.example.org", "https://app.example.org", "https://app.example.org"),
    ("https://app.example.org", "https://evil.example.org", None),
    ("https://app.example.org", "null", None),
    ("https://app.example.org,http://localhost:3000", "http://localhost:3000",
     "http://localhost:3000"),
], ids=["off", "all", "listed", "other", "null", "second"])
def test_who_may_read(live, settings, origin, allowed):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CORS_ORIGINS=settings or None)
    asked = {"Origin": origin, "Access-Control-Request-Method": "PATCH",
             "Access-Control-Request-Headers": "fourfold-user,content-type"}
    for path in ("/v1/dots/concepts", "/v1/dots/events", "/v1/dots/nothing", "/health/live"):
        answer = gateway.http.options(path, headers=asked)
        if not settings:
            assert answer.status_code in (404, 405)
        else:
            assert answer.status_code == 204
            assert "PATCH" in answer.headers.get("access-control-allow-methods", "PATCH")
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in answer.headers
    id = "00000000-0000-4000-8000-000000000000"
    for path in ("/v1/dots/concepts?limit=1", f"/v1/dots/concepts/{id}", "/v1/dots/concepts/none",
                 "/v1/nothing", "/health/ready"):
        answer = gateway.http.get(path, headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed, path
        exposed = answer.headers.get("access-control-expose-headers", "")
        for name in ("ETag", "Fourfold-Degraded", "Retry-After"):
            assert (name in exposed) == (allowed is not None), name
        assert ("Origin" in answer.headers.get("vary", "")) == (settings not in ("", "*"))


@pytest.mark.parametrize("status, method, headers, content", [
    (413, "POST", {}, b" " * 2048),
    (431, "GET", {"X-Long": "x" * 70_000}, None),
    (417, "POST", {"Expect": "miracles"}, b"{}"),
], ids=["413", "431", "417"])
def test_what_the_server_refuses_can_be_read_too(  # noqa: F811
        live, status, method, headers, content):
    origin = "https://app.example.org"
    gateway = live.gateway(FOURFOLD_CORS_ORIGINS=origin, FOURFOLD_BODY_MAX="1KiB")
    answer = gateway.http.request(
        method, "/v1/dots/concepts", headers={"Origin": origin} | headers, content=content)
    assert answer.status_code == status
    assert answer.headers.get("access-control-allow-origin") == origin
    assert "Origin" in answer.headers.get("vary", "")


@pytest.mark.parametrize("text", [
    "app.example.org", "https://app.example.org/", "https://app.example.org/x", "*,https://a.b",
    "https://*.example.org", "HTTPS://APP.EXAMPLE.ORG", "ftp://a.b", "https://", ",",
])
def test_origins_that_no_browser_sends(live, live_database, text):  # noqa: F811
    gateway = live.gateway()
    gateway.environment["FOURFOLD_CORS_ORIGINS"] = text
    done = gateway.run("serve", check=False)
    assert done.returncode == 2 and "FOURFOLD_CORS_ORIGINS" in done.stderr
