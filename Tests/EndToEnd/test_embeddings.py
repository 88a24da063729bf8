"""Vectors from an OpenAI-compatible endpoint: hits by meaning, and no text embedded twice."""

import http.server
import json
import threading

import pytest

OWNER = "a0000000-0000-4000-8000-0000000000bb"
MURAL = "I painted a mural with my daughter"
TAXES = "Quarterly tax filing deadline"


@pytest.fixture
def people(psql):
    def make(*names):
        psql("INSERT INTO dots.users (user_id, username, email, password_hash, region) "
             "VALUES (%s, 'meaning', 'meaning@example.org', 'x', 'eu')", (OWNER,))
        for name in names:
            psql("INSERT INTO dots.concepts (user_id, name) VALUES (%s, %s)", (OWNER, name))
    return make


def kept(psql):
    return psql("SELECT key, model, cardinality(embedding) AS width FROM fourfold.entity_vectors "
                "WHERE class = 'UserConcept'")


def search(served, body):
    answer = served.http.post("/v1/dots/search", json=body, headers={"Fourfold-User": OWNER})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("store", ["weaviate", "postgres"])
def test_a_search_finds_by_meaning(gateway, stores, people, psql, wait_until, store):
    options = {"WEAVIATE_URL": stores.weaviate_url} if store == "weaviate" else {}
    served = gateway(EMBEDDINGS_URL=stores.embeddings_url, EMBEDDINGS_MODEL="minilm", **options)
    people(MURAL, TAXES)
    wait_until(lambda: len(kept(psql)) == 2, 60)
    assert {(row["model"], row["width"]) for row in kept(psql)} == {("minilm", 384)}
    question = {"text": "creativity and inspiration", "mode": "vector"}
    # A vector is kept before it is in the store that is searched.
    wait_until(lambda: len(search(served, question)["hits"]) == 2, 60)
    found = search(served, question)
    assert found["meta"]["source"]["vector"] == store and not found["meta"]["degraded"]
    # Not one word in common.
    assert [hit["value"]["name"] for hit in found["hits"]] == [MURAL, TAXES]
    assert found["hits"][0]["score"] > 0.2 > found["hits"][1]["score"]


class CountingEndpoint:
    """An embeddings endpoint that remembers what it was asked."""

    def __init__(self):
        self.texts, self.keys, self.status = [], set(), 200
        self.tail = [0.5]
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.texts += body["input"]
                endpoint.keys.add(self.headers.get("Authorization"))
                answer = json.dumps({"data": [
                    {"index": index, "embedding": [1.0, float(len(text)), *endpoint.tail]}
                    for index, text in enumerate(body["input"])]}).encode()
                self.send_response(endpoint.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def endpoint():
    made = CountingEndpoint()
    yield made
    made.server.shutdown()


def test_an_unchanged_text_is_never_embedded_twice(gateway, endpoint, people, psql, wait_until):
    served = gateway(EMBEDDINGS_URL=endpoint.url, EMBEDDINGS_API_KEY="secret-key")
    people("tides", "moss")
    wait_until(lambda: len(kept(psql)) == 2, 30)
    asked = list(endpoint.texts)
    assert endpoint.keys == {"Bearer secret-key"} and len(asked) == 2
    # Neither a change of something else nor a whole reconciliation pays the endpoint again.
    psql("UPDATE dots.concepts SET status = 'resting'")
    psql("INSERT INTO fourfold.outbox (pack, entity, op) VALUES ('dots', 'concepts', 'r')")
    psql("UPDATE dots.concepts SET description = 'green' WHERE name = 'moss'")
    wait_until(lambda: len(endpoint.texts) == 3, 30)
    wait_until(lambda: served.lanes()["vector"]["pending"] == 0, 30)
    assert len(endpoint.texts) == 3 and "green" in endpoint.texts[2]


def test_another_model_is_told_at_the_start_and_in_the_status(
        gateway, endpoint, people, psql, wait_until):
    served = gateway(EMBEDDINGS_URL=endpoint.url, EMBEDDINGS_MODEL="one")
    people("tides")
    wait_until(lambda: len(kept(psql)) == 1, 30)
    served.stop()
    other = gateway(EMBEDDINGS_URL=endpoint.url, EMBEDDINGS_MODEL="two", migrate=False)
    wait_until(lambda: other.lanes()["vector"]["last_error"] == "embedding_model_changed", 30)
    (line,) = [json.loads(line) for line in other.log().splitlines()
               if "embedding_model_changed" in line]
    assert (line["stored"].split()[0], line["configured"].split()[0]) == ("one", "two")
    assert "OPERATING.md" in line["remedy"]
    assert kept(psql)[0]["model"] == "one"


def test_another_width_under_the_same_name_is_told_too(
        gateway, endpoint, people, psql, wait_until):
    served = gateway(EMBEDDINGS_URL=endpoint.url)
    people("tides")
    wait_until(lambda: len(kept(psql)) == 1, 30)
    served.stop()
    endpoint.tail = [0.5, 0.5]
    other = gateway(EMBEDDINGS_URL=endpoint.url, migrate=False)
    psql("INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'moss')", (OWNER,))
    wait_until(lambda: other.lanes()["vector"]["last_error"] == "embedding_model_changed", 30)
    assert '"stored":"3 numbers each","configured":"4 numbers each"' in other.log()
    assert [row["width"] for row in kept(psql)] == [3]


def test_words_still_find_while_the_endpoint_is_away(
        gateway, endpoint, people, psql, wait_until):
    served = gateway(EMBEDDINGS_URL=endpoint.url)
    people("tides", "moss")
    wait_until(lambda: len(kept(psql)) == 2, 30)
    endpoint.status = 503
    found = search(served, {"text": "moss"})
    assert [hit["value"]["name"] for hit in found["hits"]] == ["moss"]
    assert found["meta"]["degraded"] and found["meta"]["reasons"] == ["embedder_unavailable"]
