"""Executions are listed a row each, whole in a pipe and within the width on a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from support.traces import NOON
from tailrace.console.report.listing import Listing, input_text, listed_record, prefix_length
from tailrace.sinks.queries.list_traces import ListedTrace

if TYPE_CHECKING:
    from collections.abc import Sequence


ROW = ListedTrace(
    trace_id="0195a1b2c3d4" + "0" * 20,
    root_run_id="1" * 32,
    component="support",
    environment="dev",
    deployment="",
    session="",
    tags=("vip",),
    attempt=0,
    replay_of="",
    retry_of="",
    started_at=NOON,
    updated_at=NOON,
    duration_us=3_400_000,
    status="complete",
    outcome="ok",
    runs=1,
    steps=6,
    errors=0,
    input_tokens=1200,
    output_tokens=300,
    cached_tokens=None,
    cost_usd=0.0041,
    input='{"question": "Where is my parcel? It should have been here by now."}',
    error_message="",
    events_missing=0,
    bodies_missing=0,
)


ROWS = (
    ROW,
    replace(
        ROW,
        trace_id="0195a1b2c3d9" + "0" * 20,
        started_at=NOON - timedelta(minutes=5),
        status="open",
        outcome="",
        duration_us=None,
        cost_usd=None,
        input_tokens=None,
        output_tokens=None,
    ),
    replace(ROW, trace_id="0195a1b2ffff" + "0" * 20, outcome="failed", status="ended", attempt=2),
    replace(ROW, trace_id="0195a1b2ffff" + "0" * 20, outcome="cancelled", replay_of="1" * 32),
)


def listed(rows: Sequence[ListedTrace], width: int | None) -> str:
    now = NOON + timedelta(seconds=12)
    listing = Listing(rows, now, width)
    return "\n".join(
        line.plain for line in [listing.heading(), *(listing.row(r, now) for r in rows)]
    )


def test_a_wide_terminal_shows_everything() -> None:
    assert (
        listed(ROWS, 97)
        == """\
id            component   age  outcome            took  steps  tokens     cost  input
0195a1b2c3d4  support     12s  ✓ ok               3.4s      6    1.5k  $0.0041  Where is my parc…
0195a1b2c3d9  support      5m  ▸ open           5m12s+      6                   Where is my parc…
0195a1b2ffff  support #2  12s  ✗ failed, ended    3.4s      6    1.5k  $0.0041  Where is my parc…
0195a1b2ffff  support ↻   12s  ⊘ cancelled        3.4s      6    1.5k  $0.0041  Where is my parc…"""
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_rows_fit_the_terminal(width: int) -> None:
    hostile = replace(
        ROWS[0], component="\x1b[31m日本" * 9, input='"\\u0000\\u202e' + "x" * 999 + '"'
    )
    text = listed([*ROWS, hostile], width)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(cell_len, text.splitlines())) <= width


def test_a_pipe_gets_full_ids_and_nothing_clipped() -> None:
    lines = listed(ROWS, None).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [row.trace_id for row in ROWS]
    assert "…" not in "".join(lines)


def test_ids_are_as_short_as_they_can_be_told_apart() -> None:
    assert prefix_length([]) == 8
    assert prefix_length(["a" * 32, "b" * 32, "b" * 32]) == 8
    assert prefix_length(["a" * 10 + "b" * 22, "a" * 32]) == 11


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        (None, ""),
        ('{"question": "Hi"}', "Hi"),
        ('{"earlier": [{"role": "user", "content": "U"}], "question": "Hi", "by": "x"}', "Hi"),
        ('{"model": "m", "messages": [{"role": "user", "content": "U"}]}', "U"),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ('[{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]', "U"),
        ('{"$body": "' + "ab" * 32 + '"}', "<large>"),
        ("cut off {", "cut off {"),
    ],
)
def test_an_input_is_shown_by_its_words(recorded: str | None, shown: str) -> None:
    assert input_text(recorded) == shown


def test_a_row_as_json_has_times_and_the_input_as_a_value() -> None:
    record = json.loads(json.dumps(listed_record(ROW)))
    assert record["started_at"] == "2026-11-22T12:00:00Z"
    assert record["input"] == {"question": "Where is my parcel? It should have been here by now."}
    assert record["tags"] == ["vip"]
