"""A gateway whose every store can be taken away, and what is asked of it meanwhile."""

import time

import redis

from stub_embedder import StubEmbedder
from world import Writer

REQUEST_SECONDS_MAX = 2
# A statement's cancel may take a second on top of the deadline; and room for a busy machine.
GRACE_SECONDS = 2


class System:
    """A gateway whose every store stands behind a proxy, and a row of each kind to ask for."""

    def __init__(self, world, **settings):
        self.world = world
        # Behind the gateway's back, and never through a proxy.
        self.redis = redis.Redis.from_url(world.stores.redis_url, decode_responses=True)
        self.embedder = StubEmbedder()
        self.proxies = {name: world.proxy(name)
                        for name in ("postgres", "redis", "neo4j", "weaviate")}
        self.gateway = world.gateway(
            DATABASE_URL=self.proxies["postgres"].url, REDIS_URL=self.proxies["redis"].url,
            NEO4J_URL=self.proxies["neo4j"].url, WEAVIATE_URL=self.proxies["weaviate"].url,
            EMBEDDINGS_URL=self.embedder.url, FOURFOLD_REQUEST_TIMEOUT=f"{REQUEST_SECONDS_MAX}s",
            **settings)
        writer = Writer(self.gateway.http, world.user(self.gateway.http))
        self.user = writer.user
        self.concept = writer.concept("harbour", description="ships and gulls")
        self.other = writer.concept("anchor", description="iron")
        self.session = self.gateway.http.post("/v1/dots/sessions", json={
            "user_id": self.user, "device_info": {}}).json()["session_id"]
        writer.relate("RELATED_TO", ("concepts", self.concept), ("concepts", self.other))
        world.assert_converged()
        self.vector = world.psql("SELECT embedding FROM fourfold.entity_vectors WHERE key = %s",
                                 (self.concept,))[0]["embedding"]

    def break_(self, store, how):
        if store == "embedder":
            if how == "down":
                self.embedder.status = 503
            else:
                self.embedder.hang()
        elif how == "down":
            self.proxies[store].refuse()
        else:
            self.proxies[store].pause()

    def mend(self, store):
        if store == "embedder":
            self.embedder.status = 200
            self.embedder.answer()
        else:
            self.proxies[store].accept()
            self.proxies[store].resume()
            self.proxies[store].cut()

    # The routes.

    def request(self, method, path, **options):
        """The answer, which must come within the deadline."""
        started = time.monotonic()
        answer = self.gateway.http.request(method, path, **options)
        took = time.monotonic() - started
        assert took < REQUEST_SECONDS_MAX + GRACE_SECONDS, f"{path} took {took:.1f} s"
        return answer

    def search(self, **body):
        return self.request("POST", "/v1/dots/search", json={"user_id": self.user} | body)

    def ask(self, route):
        path = f"/v1/dots/concepts/{self.concept}"
        return {
            "read": lambda: self.request("GET", path),
            "list": lambda: self.request("GET", f"/v1/dots/concepts?user_id=eq.{self.user}"),
            "write": lambda: self.request("PATCH", path, json={"description": str(time.time())}),
            "batch": lambda: self.request("POST", "/v1/dots/batch", json={"operations": [
                {"op": "update", "entity": "concepts", "id": self.concept,
                 "value": {"description": f"batch {time.time()}"}}]}),
            "session": lambda: self.request("GET", f"/v1/dots/sessions/{self.session}"),
            "sessions": lambda: self.request("GET", f"/v1/dots/users/{self.user}/sessions"),
            "connections": lambda: self.request("GET", f"{path}/connections?types=RELATED_TO"),
            "hybrid": lambda: self.search(text="harbour"),
            "keyword": lambda: self.search(text="harbour", mode="keyword"),
            "vector by text": lambda: self.search(text="harbour", mode="vector"),
            "vector": lambda: self.search(vector=self.vector),
            "like": lambda: self.search(like={"entity": "concepts", "id": self.concept}),
            "expand": lambda: self.search(text="harbour", mode="keyword", expand={
                "depth": 1, "types": ["RELATED_TO"]}),
            "sync": lambda: self.request("GET", f"{path}/sync"),
            "status": lambda: self.request("GET", "/v1/sync/status"),
            "parked": lambda: self.request("GET", "/v1/sync/parked"),
            "live": lambda: self.request("GET", "/health/live"),
            "ready": lambda: self.request("GET", "/health/ready"),
        }[route]()

    def end(self):
        self.embedder.close()
        self.redis.close()
