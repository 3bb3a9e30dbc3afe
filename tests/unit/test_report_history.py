"""The history of pointers: what was, what came of it, and nothing that could steer a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from tailrace.console.report.history import History, history_lines, history_record
from tailrace.producers.routing.control import Applied
from tailrace.producers.routing.pointers import Control

NOW = datetime(2026, 11, 26, 15, 23, 10, tzinfo=UTC)


def happened(*records: dict[str, Any]) -> History:
    history, control = History(), Control()
    for offset, told in enumerate(records):
        name = told.pop("name", "pointer_moved")
        record = {
            "component": "support", "environment": "prod", "actor": "ada", "reason": "",
            "actor_kind": "person", "ts": NOW, "move_id": f"m{offset}", "decided_on": offset - 1,
            "weights": {"a" * 64: 10_000}, "intent": "promote", "rolled_back": (), **told,
        }  # fmt: skip
        if name != "pointer_moved":
            del record["weights"], record["decided_on"], record["intent"], record["rolled_back"]
        ruling = control.apply(offset, name, record)
        history.take(Applied(offset, name, record, ruling))
    return history


HALVES = {"a" * 64: 5000, "b" * 64: 5000}


def test_it_says_from_what_to_what_by_whom_and_why() -> None:
    history = happened({}, {"weights": HALVES, "intent": "canary", "reason": "kinder"})
    lines = [line.plain for line in history_lines(history.entries, 80)]
    assert lines == [
        "     1  canary    prod:support  2026-11-26 15:23:10 UTC  by ada",
        "        aaaaaaaaaaaa 100% -> aaaaaaaaaaaa 50%, bbbbbbbbbbbb 50%",
        "        kinder",
        "     0  promote   prod:support  2026-11-26 15:23:10 UTC  by ada",
        "        nothing -> aaaaaaaaaaaa 100%",
    ]
    told = history_record(history.entries[1])
    assert (told["before"], told["revision_before"]) == ({"a" * 64: 1.0}, 0)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"decided_on": -1}, "does not count: decided on revision -1, and 0 stood"),
        ({"move_id": "m0"}, "does not count: it is a repetition"),
        ({"weights": {"a": 1}}, "does not count: its weights are not 100% together"),
        ({"name": "pointer_frozen"}, "1  freeze    prod:support"),
    ],
)
def test_what_did_not_count_says_so(told: dict[str, Any], says: str) -> None:
    history = happened({}, told)
    assert says in "\n".join(line.plain for line in history_lines(history.entries, 80))
    assert history.entries[-1].before == {"a" * 64: 10_000}


def test_what_came_too_late_for_a_freeze_says_so() -> None:
    history = happened({}, {"name": "pointer_frozen"}, {"decided_on": 0})
    assert history.entries[-1].ignored == "the pointer was frozen"


def test_an_automaton_is_told_apart_with_its_verdict() -> None:
    history = happened({}, {"actor_kind": "automaton", "verdict": "v1", "weights": HALVES,
                            "rolled_back": ("c",)}, {"actor_kind": "automaton", "weights":
                            {"c": 10_000}})  # fmt: skip
    text = "\n".join(line.plain for line in history_lines(history.entries, None))
    assert "by ada (automaton)" in text
    assert "verdict v1" in text
    assert "only a person may bring back what was rolled back" in text


def test_nothing_of_it_leaves_the_width_or_steers_a_terminal() -> None:
    odd = "\x1b[31mred\n" + "w" * 300
    history = happened({"reason": odd, "actor": odd, "intent": odd, "component": odd,
                        "weights": {odd: 10_000}})  # fmt: skip
    for line in history_lines(history.entries, 80):
        assert "\x1b" not in line.plain
        assert "\n" not in line.plain
        assert cell_len(line.plain) <= 80
