"""Entries are drawn as a tree that fits the width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tailrace.console.report.outline import Detail, Entry, draw
from tailrace.console.report.signs import sign_of

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTILE = "\x1b[2J[bold]x[/bold]\x00 \u202eevil " + "word" * 50 + " 日本 👨\u200d👩\u200d👧 שלום"


def entry(name: str, *children: Entry, details: Sequence[Detail] = (), facts: str = "") -> Entry:
    return Entry(
        sign_of("ok"),
        "step",
        "blue",
        name,
        tuple(facts.split("|")) if facts else (),
        tuple(details),
        list(children),
    )


def drawn(root: Entry, width: int = 60, *, full: bool = False) -> str:
    return "\n".join(line.plain for line in draw([root], width, full=full))


def test_children_hang_below_the_details_of_their_parent() -> None:
    tree = entry(
        "plan",
        entry("search", entry("rank"), details=[Detail("in", "one\ntwo"), Detail("out", "three")]),
        entry("answer", details=[Detail("in", "four")]),
        details=[Detail("in", "Where is my parcel?")],
        facts="12ms|1.2k tokens",
    )
    assert drawn(tree) == (
        "✓ step plan  12ms  1.2k tokens\n"
        "│  in  Where is my parcel?\n"
        "├─ ✓ step search\n"
        "│  │  in   one\n"
        "│  │       two\n"
        "│  │  out  three\n"
        "│  └─ ✓ step rank\n"
        "└─ ✓ step answer\n"
        "      in  four"
    )


def test_what_is_folded_away_is_counted_and_full_shows_it() -> None:
    tree = entry("plan", details=[Detail("in", "word " * 40, max_lines=1)])
    assert (
        drawn(tree, 40)
        == "✓ step plan\n   in  word word word word word word\n       … +170 characters"
    )
    assert "…" not in drawn(tree, 40, full=True)


def test_facts_that_do_not_fit_go_to_a_line_of_their_own() -> None:
    tree = entry("plan", facts="412ms|a-model-with-a-long-name|plan#0")
    assert drawn(tree, 40) == ("✓ step plan  412ms\n   a-model-with-a-long-name  plan#0")


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("full", [False, True])
def test_hostile_text_anywhere_stays_within_the_width(width: int, *, full: bool) -> None:
    deep = entry("leaf", details=[Detail(HOSTILE, HOSTILE)], facts=HOSTILE)
    for _ in range(60):
        deep = entry(HOSTILE, deep, details=[Detail("in", HOSTILE)])
    lines = list(draw([deep], width, full=full))
    assert max(line.cell_len for line in lines) <= width
    text = "".join(line.plain for line in lines)
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]" in text


def test_a_tree_of_any_depth_is_drawn() -> None:
    deep = entry("leaf")
    for _ in range(5000):
        deep = entry("node", deep)
    assert sum(1 for _ in draw([deep], 80, full=False)) == 5001
