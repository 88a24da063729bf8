"""The fenced blocks of a Markdown page, and the comparison of an answer with what the page shows.

A `sh` block may be followed by an `http` block (status line and headers) and a `json` block (body).
Both are subsets of the answer: fields, array elements and headers that are not shown are free.
`…` stands for anything: as a whole JSON string for any value, within a header for any text.
"""

import fnmatch
import json
import re
from dataclasses import dataclass, field

ANYTHING = "…"
FENCE = re.compile(r"^```(\w*)$")


@dataclass
class Step:
    """One `sh` block and the answer that the page shows for it."""

    line: int
    script: str
    head: list[str] = field(default_factory=list)
    body: object = None


def parse_steps(page: str) -> list[Step]:
    """The `sh` blocks of a page in order, each with the `http` and `json` blocks that follow it."""
    steps: list[Step] = []
    language, block, start = None, [], 0
    for number, line in enumerate(page.splitlines(), 1):
        fence = FENCE.match(line)
        if language is None and fence:
            language, block, start = fence[1], [], number
        elif language is not None and line == "```":
            add_block(steps, language, block, start)
            language = None
        elif language is not None:
            block.append(line)
    assert language is None, f"the block of line {start} is not closed"
    return steps


def add_block(steps: list[Step], language: str, block: list[str], start: int) -> None:
    if language == "sh":
        steps.append(Step(start, "\n".join(block)))
    elif language in ("http", "json"):
        assert steps, f"line {start}: an answer without a command"
        if language == "http":
            steps[-1].head = block
        else:
            steps[-1].body = json.loads("\n".join(block))


def split_answer(output: str) -> tuple[list[str], object]:
    """Splits what `curl -i` printed into head lines and parsed body; no head without -i."""
    output = output.replace("\r\n", "\n")
    head: list[str] = []
    while output.startswith("HTTP/"):
        text, _, output = output.partition("\n\n")
        head = text.split("\n")
    return head, json.loads(output) if output.strip() else None


def head_mismatches(expected: list[str], actual: list[str]) -> list[str]:
    """The expected head lines that no actual line matches; header names in any case."""
    folded = [fold_name(line) for line in actual]
    return [
        line
        for line in expected
        if not any(fnmatch.fnmatchcase(each, pattern(fold_name(line))) for each in folded)
    ]


def fold_name(line: str) -> str:
    name, colon, value = line.partition(":")
    return name.lower() + ":" + value.strip() if colon else line.rstrip()


def pattern(line: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", line).replace(ANYTHING, "*")


def body_mismatch(expected: object, actual: object, path: str = "$") -> str | None:
    """Where `actual` lacks what `expected` shows, or None where it has it all."""
    if expected == ANYTHING:
        return None
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return f"{path}: expected an object, got {actual!r}"
        for key, value in expected.items():
            if key not in actual:
                return f"{path}.{key}: missing"
            found = body_mismatch(value, actual[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(expected, list):
        return list_mismatch(expected, actual, path)
    if isinstance(expected, bool) != isinstance(actual, bool) or expected != actual:
        return f"{path}: expected {expected!r}, got {actual!r}"
    return None


def list_mismatch(expected: list, actual: object, path: str) -> str | None:
    if not isinstance(actual, list):
        return f"{path}: expected an array, got {actual!r}"
    if not expected and actual:
        return f"{path}: expected an empty array, got {len(actual)} elements"
    for index, element in enumerate(expected):
        if not any(body_mismatch(element, each) is None for each in actual):
            return f"{path}[{index}]: none of {len(actual)} elements matches {element!r}"
    return None
