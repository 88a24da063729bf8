"""The tools of these tests do what they say: a proxy that does not cut would hide every fault."""

import httpx
import psycopg
import pytest
import redis


def test_a_proxy_passes_bytes_both_ways(fault_proxy, psql):
    proxy = fault_proxy("postgres")
    with psycopg.connect(proxy.url) as link:
        assert link.execute("SELECT repeat('x', 1000000)").fetchone()[0] == "x" * 1_000_000


def test_a_cut_resets_and_the_next_connection_works(fault_proxy):
    proxy = fault_proxy("redis")
    client = redis.Redis.from_url(proxy.url).pubsub()
    client.subscribe("channel")
    assert client.get_message(timeout=5)
    proxy.cut()
    with pytest.raises(redis.ConnectionError):
        client.connection.read_response()
    assert redis.Redis.from_url(proxy.url).ping()


def test_a_pause_holds_the_bytes_back(fault_proxy):
    proxy = fault_proxy("weaviate")
    address = f"{proxy.url}/v1/.well-known/ready"
    proxy.pause()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(address, timeout=0.3)
    proxy.resume()
    assert httpx.get(address, timeout=5).status_code == 200


def test_refuse_and_accept_on_the_same_port(fault_proxy):
    proxy = fault_proxy("neo4j")
    proxy.refuse()
    with pytest.raises(httpx.ConnectError):
        httpx.get(proxy.url, timeout=5)
    proxy.accept()
    assert httpx.get(proxy.url, timeout=5).json()["neo4j_version"]


@pytest.mark.parametrize("name", ["postgres", "redis", "neo4j", "weaviate"])
def test_a_killed_store_comes_back(stores, name):
    before = stores.pid(name)
    stores.kill(name)
    assert stores.pid(name) is None
    stores.start(name)
    assert stores.pid(name) not in (None, before)


def test_readback(cypher, weaviate, redis_client, psql, clean):
    assert cypher("CREATE (n:Harness {id: $id}) RETURN n.id AS id", id="a") == [{"id": "a"}]
    cypher.wipe()
    assert cypher("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]
    id = "00000000-0000-4000-8000-000000000001"
    weaviate.client.post("/v1/schema", json={"class": "Harness", "vectorizer": "none"})
    weaviate.client.post("/v1/objects", json={"class": "Harness", "id": id, "vector": [1, 0]})
    assert list(weaviate.objects("Harness")) == [id]
    assert weaviate.object("Harness", id, vector=True)["vector"] == [1, 0]
    weaviate.wipe()
    assert weaviate.classes() == []
    assert psql("SELECT 1 AS one") == [{"one": 1}]
    assert redis_client.keys() == []
