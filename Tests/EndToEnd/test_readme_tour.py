"""The tour of the README, run block by block in one shell against a gateway with the examples."""

import subprocess
from pathlib import Path

import pytest

from example_data import load_examples
from readme_blocks import body_mismatch, head_mismatches, parse_steps, split_answer

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PRINTED_URL = "http://127.0.0.1:8080"
TOUR_SECONDS_MAX = 60
BETWEEN_STEPS = "\x1e"


def run_tour(steps, gateway_url):
    """Runs all scripts in one shell, so that variables last, and returns the output of each."""
    separator = f"\nprintf '%s' '{BETWEEN_STEPS}'\n"
    script = separator.join(step.script for step in steps).replace(PRINTED_URL, gateway_url)
    done = subprocess.run(
        ["bash", "-u"],
        input=script,
        capture_output=True,
        text=True,
        timeout=TOUR_SECONDS_MAX,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split(BETWEEN_STEPS)


def test_the_tour_answers_as_the_readme_says(gateway):
    started = gateway()
    load_examples(started.http)
    steps = parse_steps(README.read_text(encoding="utf-8"))
    outputs = run_tour(steps, started.url)
    assert len(outputs) == len(steps)
    mismatches = []
    for step, output in zip(steps, outputs):
        head, body = split_answer(output)
        missing = head_mismatches(step.head, head)
        mismatches += [f"line {step.line}: no {line!r}" for line in missing]
        found = body_mismatch(step.body, body) if step.body is not None else None
        if found:
            mismatches.append(f"line {step.line}: {found}")
    assert mismatches == []


MATCHING = [
    ("a field that is not shown", {"a": 1}, {"a": 1, "b": 2}),
    ("any value", {"a": "…"}, {"a": [1, 2]}),
    ("elements in any order", [{"id": 2}, {"id": 1}], [{"id": 1}, {"id": 2}, {"id": 3}]),
    ("an empty array", {"lagging": []}, {"lagging": []}),
]
DIFFERING = [
    ("another value", {"a": 1}, {"a": 2}),
    ("a missing field", {"a": "…"}, {"b": 1}),
    ("a missing element", [{"id": 4}], [{"id": 1}]),
    ("an array that is not empty", {"lagging": []}, {"lagging": ["graph"]}),
    ("one for true", {"a": True}, {"a": 1}),
    ("null for an object", {"a": {"b": 1}}, {"a": None}),
]


def cases(table):
    return [pytest.param(expected, actual, id=name) for name, expected, actual in table]


@pytest.mark.parametrize("expected, actual", cases(MATCHING))
def test_a_shown_answer_matches(expected, actual):
    assert body_mismatch(expected, actual) is None


@pytest.mark.parametrize("expected, actual", cases(DIFFERING))
def test_a_shown_answer_differs(expected, actual):
    assert body_mismatch(expected, actual) is not None


def test_head_lines_match_by_name_and_wildcard():
    actual = ["HTTP/1.1 201 Created", 'etag: "a1"', "Fourfold-Token: 77"]
    assert head_mismatches(["HTTP/1.1 20…", "ETag: …"], actual) == []
    absent = ["HTTP/1.1 404…", "Location: …"]
    assert head_mismatches(absent, actual) == absent


def test_the_readme_has_a_step_for_each_promise():
    steps = parse_steps(README.read_text(encoding="utf-8"))
    assert len(steps) >= 6
    assert all(step.body is not None for step in steps)
    assert all(step.script.count("curl") for step in steps)
