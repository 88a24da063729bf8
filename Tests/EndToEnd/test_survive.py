"""Kills and restarts under writes: nothing acknowledged is lost, all stores agree afterwards."""

import random
import time

import pytest

from storm import Storm
from waiting import wait_until
from world import Writer, world  # noqa: F401

SEED = 20260101
ROUNDS = 10


def settle(world, storm, deadline=60):
    """What was acknowledged is kept, and every store holds what the views give."""
    storm.assert_kept()
    assert storm.acknowledged_count > 50, "too few writes to prove anything"
    world.assert_converged(deadline)
    # Where a request's outcome was unknown, Weaviate gets its keys again after a while.
    world.psql("UPDATE fourfold.lanes SET repeat_at = clock_timestamp()"
               " WHERE repeat_at IS NOT NULL")
    wait_until(lambda: not world.psql(
        "SELECT 1 FROM fourfold.lanes WHERE repeat_at IS NOT NULL"), 20)
    world.assert_converged(deadline)


def write_on(storm, count=40):
    """Returns when so many more writes were acknowledged."""
    before = storm.acknowledged_count
    wait_until(lambda: storm.acknowledged_count > before + count or storm.errors, 60,
               message="writes do not go on")


def test_kill_the_gateway_at_any_moment(world):
    moments = random.Random(SEED)
    gateway = world.gateway()
    with Storm(world, [gateway], seed=SEED) as storm:
        for _ in range(ROUNDS):
            write_on(storm, 1)
            time.sleep(moments.uniform(0.05, 0.6))
            gateway.kill()
            gateway.start()
        write_on(storm)
    assert storm.unknown_count, "no kill met a write"
    settle(world, storm)
    world.stop(gateway)


def test_two_gateways_and_kills_of_either(world):
    moments = random.Random(SEED + 1)
    pair = [world.gateway(), world.gateway()]
    with Storm(world, pair, seed=SEED + 1) as storm:
        for _ in range(ROUNDS // 2):
            time.sleep(moments.uniform(0.1, 0.5))
            victim = moments.choice(pair)
            victim.kill()
            # Take over at a random moment, too: the lease is over whoever leads.
            world.expire_lease(moments.choice([None, "graph", "vector"]))
            time.sleep(moments.uniform(0, 0.3))
            victim.start()
        write_on(storm)
    settle(world, storm)
    for each in pair:
        world.stop(each)


def test_leases_that_run_out_under_two_living_leaders(world):
    """Both believe they lead, again and again; only one may be right."""
    pair = [world.gateway(), world.gateway()]
    with Storm(world, pair, seed=SEED + 2) as storm:
        for _ in range(8):
            write_on(storm, 15)
            epochs = world.lane("graph")["epoch"]
            world.psql("UPDATE fourfold.lanes SET holder = 'nobody',"
                       " expires_at = clock_timestamp() - interval '1 s'")
            wait_until(lambda: world.lane("graph")["epoch"] > epochs, 20)
    settle(world, storm)
    for each in pair:
        world.stop(each)


@pytest.mark.parametrize("store, how", [
    ("postgres", "kill"), ("postgres", "stop"), ("neo4j", "kill"), ("weaviate", "kill"),
    ("redis", "kill")])
def test_restart_of_a_store_under_writes(world, store, how):
    gateway = world.gateway()
    with Storm(world, [gateway], seed=f"{SEED}/{store}/{how}") as storm:
        write_on(storm)
        getattr(world.stores, how)(store)
        if store != "postgres":
            # Writes need PostgreSQL alone.
            write_on(storm)
        world.stores.start(store)
        write_on(storm)
    settle(world, storm)
    world.stop(gateway)


def test_connections_to_every_store_are_cut_under_writes(world):
    moments = random.Random(SEED + 3)
    proxies = {name: world.proxy(name) for name in ("postgres", "neo4j", "weaviate", "redis")}
    gateway = world.gateway(
        DATABASE_URL=proxies["postgres"].url, NEO4J_URL=proxies["neo4j"].url,
        WEAVIATE_URL=proxies["weaviate"].url, REDIS_URL=proxies["redis"].url)
    with Storm(world, [gateway], seed=SEED + 3) as storm:
        for _ in range(20):
            write_on(storm, 5)
            proxies[moments.choice(list(proxies))].cut()
        write_on(storm)
    settle(world, storm)
    world.stop(gateway)


@pytest.mark.parametrize("store, lane, is_given_back", [
    ("neo4j", "graph", True), ("weaviate", "vector", False)])
def test_a_stop_does_not_wait_for_a_store_that_is_silent(world, store, lane, is_given_back):
    """The lease is given back only if no request can run late and do harm."""
    proxy = world.proxy(store)
    gateway = world.gateway(**{f"{store.upper()}_URL": proxy.url})
    writer = Writer(gateway.http, world.user(gateway.http))
    writer.concept("before")
    world.assert_converged()
    proxy.pause_before(b"behind a silent store")
    writer.concept("behind a silent store")
    wait_until(lambda: b"behind a silent store" in proxy.held, 20)
    begun = time.monotonic()
    assert world.stop(gateway) == 0
    assert time.monotonic() - begun < 15
    holder = world.psql("SELECT holder FROM fourfold.lanes WHERE lane = %s", (lane,))[0]["holder"]
    assert (holder is None) == is_given_back
    proxy.resume()
    successor = world.gateway()
    world.assert_converged(60)
    world.stop(successor)
