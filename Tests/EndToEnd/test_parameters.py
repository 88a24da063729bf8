"""Query parameters that a request would have to ignore are refused: nothing is done then."""

import uuid

import pytest

from api import done, problem

CHANGES = [("PATCH", {"name": "changed"}), ("PUT", {"name": "changed"}), ("DELETE", None)]
PARAMETERS = ["status=eq.archived", "concept_id=eq.1", "or=(status.eq.archived)", "limit=1",
              "select=name", "columns=name", "on_conflict=name", "erase=true", "token=1.1", "zzz="]


def refused(answer, field):
    problem(answer, 400, "invalid_parameter", field)


class TestOneRow:
    @pytest.mark.parametrize("method, body", CHANGES, ids=[each[0] for each in CHANGES])
    @pytest.mark.parametrize("query", PARAMETERS)
    def test_a_write_takes_none(self, api, owner, method, body, query):
        row = api.concept(owner, name="as it was")
        body = body and body | {"user_id": owner}
        refused(api(method, f"concepts/{row}?{query}", body), query.split("=")[0])
        assert api.sql("SELECT name, status FROM dots.concepts WHERE concept_id = %s", [row]) == [
            {"name": "as it was", "status": "active"}]

    def test_a_put_creates_nothing(self, api, owner):
        row = uuid.uuid4()
        body = {"name": "new", "user_id": owner}
        refused(api("PUT", f"concepts/{row}?select=name", body), "select")
        assert api.count("concepts", "concept_id = %s", [row]) == 0

    def test_a_user_is_not_deleted_by_a_wish_to_erase(self, api, owner):
        refused(api("DELETE", f"users/{owner}?erase=true"), "erase")
        assert api.count("users", "user_id = %s", [owner]) == 1

    def test_a_question_mark_alone_is_none(self, api, owner):
        assert api("DELETE", f"concepts/{api.concept(owner)}?").status_code == 204

    def test_a_create_takes_no_filter(self, api, owner):
        body = {"user_id": owner, "name": "new"}
        for query in ("status=eq.active", "order=name", "limit=1", "offset=1", "cursor=a"):
            refused(api("POST", f"concepts?{query}", body), query.split("=")[0])
        assert api.count("concepts", "user_id = %s", [owner]) == 0


class TestLive:
    def test_states(self, api, owner):
        path = f"users/{owner}/state/scene"
        refused(api("PUT", f"{path}?channel=no", {"scene": "graph"}), "channel")
        problem(api("GET", path), 404, "not_found")
        done(api("PUT", path, {"scene": "graph"}), 200)
        refused(api("GET", f"{path}?select=scene"), "select")
        refused(api("DELETE", f"{path}?scene=eq.list"), "scene")
        refused(api("PUT", f"{path}?token=1.1", {"scene": "list"}), "token")
        refused(api("POST", f"users/{owner}/state/unread-insights?add=2", {"add": 1}), "add")
        assert done(api("GET", f"{path}?token=1.1"), 200) == {"scene": "graph"}
        refused(api("GET", f"{path}?token=1.1&token=1.1"), "token")

    def test_caches(self, api, owner):
        path = f"cards/{api.concept(owner)}/cache/growth"
        refused(api("GET", f"{path}?fresh=1"), "fresh")
        done(api("GET", f"{path}?token=1.1"), 200)

    def test_sessions(self, api, owner):
        refused(api("POST", "sessions?ttl=9", {"user_id": owner}), "ttl")
        assert api.count("user_sessions", "user_id = %s", [owner]) == 0
        opened = api("POST", "sessions", {"user_id": owner, "device_info": {}})
        session = done(opened, 201)["session_id"]
        refused(api("GET", f"sessions/{session}?select=user_id"), "select")
        refused(api("DELETE", f"sessions/{session}?user_id=eq.1"), "user_id")
        refused(api("GET", f"users/{owner}/sessions?limit=1"), "limit")
        refused(api("DELETE", f"users/{owner}/sessions?except={session}&except={session}"),
                "except")
        assert api.count("user_sessions", "user_id = %s", [owner]) == 1
        done(api("GET", f"sessions/{session}?token=1.1"), 200)

    def test_configuration(self, api):
        refused(api("GET", "configuration?name=eq.evolution-rules"), "name")
        refused(api("GET", "configuration/evolution-rules?select=state"), "select")
        done(api("GET", "configuration/evolution-rules?token=1.1"), 200)

    def test_publishing(self, api, owner, redis_client):
        with redis_client.pubsub() as listener:
            listener.subscribe(f"user:{owner}:insights")
            assert listener.get_message(timeout=5)["type"] == "subscribe"
            refused(api("POST", f"channels/user:{owner}:insights?retain=1", {"n": 1}), "retain")
            done(api("POST", f"channels/user:{owner}:insights", {"n": 2}), 200)
            assert listener.get_message(timeout=5)["data"] == '{"n":2}'

    @pytest.mark.parametrize("query, field", [
        ("last_event_id=1&last_event_id=2", "last_event_id"), ("user={0}&user={0}", "user"),
        ("access_token=a&access_token=b", "access_token"), ("token=1.1&token=1.1", "token")])
    def test_a_stream_is_told_each_thing_once(self, api, owner, query, field):
        path = f"events?channels=user:{owner}:insights&{query.format(owner)}"
        # A stream that opened all the same would never end.
        with api.http.stream("GET", f"/v1/dots/{path}") as answer:
            assert answer.status_code == 400
            answer.read()
        refused(answer, field)


def test_the_rest(api, owner):
    refused(api("POST", "batch?dry_run=1", {"operations": []}), "dry_run")
    refused(api("POST", "search?limit=1", {"text": "a", "user_id": owner}), "limit")
    refused(api("GET", "/v1/sync/status?pack=dots"), "pack")
    refused(api("GET", "/v1/sync/parked?limit=1"), "limit")
    refused(api("POST", "/v1/sync/parked/1/retry?all=1"), "all")
    refused(api("DELETE", "/v1/sync/parked/1?reason=x", {"reason": "x"}), "reason")
    row = api.concept(owner)
    refused(api("GET", f"concepts/{row}/sync?lane=graph"), "lane")
    done(api("GET", f"concepts/{row}/sync?token=1.1"), 200)
