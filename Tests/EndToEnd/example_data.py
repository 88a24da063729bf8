"""The example journal in examples/dots, and how to load it through the API."""

import json
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "dots"
OWNER = "a0000000-0000-4000-8000-000000000001"
ROWS_PER_REQUEST = 100


def read_manifest():
    """(entity, file) in the order in which they are loaded."""
    lines = (EXAMPLES / "manifest").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]


def read_rows(file):
    """The rows of one file; a key that stands twice in an object is an error."""
    text = (EXAMPLES / file).read_text(encoding="utf-8")
    assert text.endswith("\n"), file
    return [json.loads(line, object_pairs_hook=unique_keys) for line in text.splitlines()]


def unique_keys(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice in one object: {keys}"
    return dict(pairs)


def read_journal():
    return {entity: read_rows(file) for entity, file in read_manifest()}


def load_examples(http):
    """Writes the whole journal through an HTTP client of a gateway; returns the last token."""
    token = None
    for entity, rows in read_journal().items():
        for start in range(0, len(rows), ROWS_PER_REQUEST):
            answer = http.post(
                f"/v1/dots/{entity}",
                json=rows[start : start + ROWS_PER_REQUEST],
                headers={"Prefer": "missing=default"},
            )
            assert answer.status_code == 201, f"{entity} from row {start}: {answer.text}"
            token = answer.headers["Fourfold-Token"]
    return token
