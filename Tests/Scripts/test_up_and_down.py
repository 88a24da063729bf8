"""Life and death of scripts/up: nothing it starts outlives it, whatever ends it."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from copies import ROOT, STOP_SECONDS_MAX, is_alive, wait_for


def ends_with_all_its_children(copy, stop):
    copy.up()
    assert copy.answers()
    pids = copy.pids()
    assert set(pids) == {"up", "postgres", "redis", "gateway"}
    stop(copy.up_process)
    copy.up_process.wait(STOP_SECONDS_MAX)
    wait_for(lambda: not any(map(is_alive, pids.values())), STOP_SECONDS_MAX,
             f"some of {pids} are still alive")


def test_ctrl_c_stops_everything_in_order(make_copy):
    copy = make_copy()
    # The terminal sends the signal to the whole foreground group.
    ends_with_all_its_children(copy, lambda up: os.killpg(up.pid, signal.SIGINT))
    assert copy.up_process.returncode == 130
    log = (copy.run_dir / "log/postgres.log").read_text()
    # The gateway went before its store: it never saw a lost connection.
    assert "terminating connection due to administrator command" not in log
    assert copy.pids() == {}


def test_kill_9_leaves_no_orphan(make_copy):
    ends_with_all_its_children(make_copy(), lambda up: up.kill())


def test_terminate(make_copy):
    copy = make_copy()
    ends_with_all_its_children(copy, lambda up: up.terminate())
    assert copy.up_process.returncode == 143


def test_a_dead_server_ends_everything_with_an_error(make_copy):
    copy = make_copy()
    ends_with_all_its_children(copy, lambda up: os.kill(copy.pids()["redis"], signal.SIGKILL))
    assert copy.up_process.returncode == 2
    assert "redis ended by itself" in copy.output.read_text()


def test_detached_restarts_what_died_and_keeps_the_data(make_copy):
    copy = make_copy()
    first = copy.run("scripts/up", "--detach")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("  curl ") == 3
    before = copy.pids()
    started = time.monotonic()
    assert copy.run("scripts/up", "--detach").returncode == 0
    assert time.monotonic() - started < 10
    assert copy.pids() == before
    os.kill(before["redis"], signal.SIGKILL)
    assert copy.run("scripts/up", "--detach").returncode == 0
    after = copy.pids()
    assert after["redis"] != before["redis"] and after["postgres"] == before["postgres"]
    marker = copy.run_dir / "postgres/data/PG_VERSION"
    made = marker.stat().st_mtime_ns
    assert copy.run("scripts/down").returncode == 0
    assert not any(map(is_alive, after.values()))
    assert not copy.answers()
    assert copy.run("scripts/up", "--detach").returncode == 0
    assert copy.answers() and marker.stat().st_mtime_ns == made
    assert copy.run("scripts/down", "--wipe").returncode == 0
    assert not copy.run_dir.exists()


def example_counts():
    """{table: rows} of the files, counted without the scripts."""
    entities = json.loads((ROOT / "schemas/dots/pack.json").read_text())["entities"]
    counts = {}
    for line in (ROOT / "examples/dots/manifest").read_text().splitlines():
        entity, file = line.split()
        table = entities[entity].get("table", entity.replace("-", "_"))
        counts[table] = len((ROOT / "examples/dots" / file).read_text().splitlines())
    return counts


def printed_commands(text):
    """What begins with `curl`, with the lines that a backslash continues."""
    return re.findall(r"^  (curl (?:.*\\\n)*.*)$", text, re.MULTILINE)


def test_the_examples_are_loaded_and_the_printed_commands_answer(make_copy, tmp_path):
    copy = make_copy()
    shown = copy.run("scripts/up", "--detach")
    assert shown.returncode == 0, shown.stderr
    counts = example_counts()
    assert len(counts) > 10 and counts["concepts"] > 10
    query = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM dots.{table}" for table in counts)
    found = subprocess.run(
        ["sh", "-c", f'. "{copy.run_dir}/env"; psql -AtF " " -c "{query}" "$DATABASE_URL"'],
        capture_output=True, text=True, check=True)
    assert {table: int(count) for table, count in
            (line.split() for line in found.stdout.splitlines())} == counts
    commands = printed_commands(shown.stdout)
    assert len(commands) == 3
    answers = []
    for number, command in enumerate(commands):
        body = tmp_path / f"{number}.json"
        status = subprocess.run(
            ["bash", "-c", f"{command} --silent --output {body} --write-out '%{{http_code}}'"],
            capture_output=True, text=True, check=True)
        assert status.stdout == "200", (command, body.read_text())
        answers.append(json.loads(body.read_text()))
    concepts, connections, search = answers
    assert len(concepts) == 5 and connections["nodes"] and len(search["hits"]) == 5


def test_two_copies_side_by_side(make_copy):
    one, two = make_copy(), make_copy()
    one.up()
    two.up()
    assert one.answers() and two.answers()
    one.up_process.terminate()
    one.up_process.wait(STOP_SECONDS_MAX)
    assert two.answers() and not one.answers()
    # A second script in the same folder is refused and disturbs nothing.
    refused = two.run("scripts/up")
    assert refused.returncode == 2 and "another scripts/up" in refused.stderr
    assert two.answers()


def test_down_stops_a_copy_in_the_foreground(make_copy):
    copy = make_copy()
    copy.up()
    pids = copy.pids()
    assert copy.run("scripts/down").returncode == 0
    assert not any(map(is_alive, pids.values()))


def test_a_reused_pid_is_not_killed(make_copy):
    copy = make_copy()
    assert copy.run("scripts/up", "--detach").returncode == 0
    assert copy.run("scripts/down").returncode == 0
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        (copy.run_dir / "pids/redis").write_text(f"{innocent.pid} another-boot.1\n")
        assert copy.run("scripts/down").returncode == 0
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_environment_file(make_copy):
    copy = make_copy()
    assert copy.run("scripts/up", "--detach").returncode == 0
    path = copy.run_dir / "env"
    assert path.stat().st_mode & 0o077 == 0
    names = [line.split("=")[0] for line in path.read_text().splitlines()]
    assert names == ["GATEWAY_URL", "DATABASE_URL", "REDIS_URL", "NEO4J_URL", "WEAVIATE_URL",
                     "EMBEDDINGS_URL"]
    shown = subprocess.run(
        ["sh", "-c", f'. "{path}"; psql -Atc "SELECT current_user" "$DATABASE_URL"'],
        capture_output=True, text=True, check=True)
    assert shown.stdout == "fourfold\n"


def test_a_port_that_is_taken_is_named(make_copy):
    copy = make_copy()
    with socket.socket() as blocker:
        blocker.bind(("127.0.0.1", int(copy.url.rsplit(":", 1)[1])))
        blocker.listen()
        refused = copy.run("scripts/up", "--detach")
    assert refused.returncode == 2 and "FOURFOLD_PORT=" in refused.stderr
    assert copy.pids() == {}
