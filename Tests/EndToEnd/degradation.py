"""The tables of docs/DEGRADATION.md, which tests try cell by cell."""

import pathlib

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "DEGRADATION.md"


def cells(heading):
    """{(route, column): word} of the table whose first line begins so."""
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = text[text.index(heading):].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    (_, *columns), _, *rest = rows
    return {(route, column): word for route, *words in rest
            for column, word in zip(columns, words, strict=True)}
