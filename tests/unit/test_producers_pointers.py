"""Pointers: whoever reads the control topic comes to the same state; a stale move is no move."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.routing.pointers import Control


def move(decided_on: int, move_id: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "component": "c", "environment": "dev", "move_id": move_id or f"m{decided_on}",
        "decided_on": decided_on, "weights": {"d": 10_000}, "intent": "promote",
        "actor_kind": "automaton", "rolled_back": (), "salt": "", **fields,
    }  # fmt: skip


MOVES = st.builds(move, st.integers(-1, 5), st.sampled_from(["a", "b", "c", "d"]))


@given(st.lists(MOVES, max_size=8))
def test_a_move_counts_only_from_the_revision_it_was_decided_on(
    moves: list[dict[str, Any]],
) -> None:
    control, revision = Control(), -1
    seen: set[str] = set()
    for offset, each in enumerate(moves):
        control.apply(offset, "pointer_moved", each)
        if each["decided_on"] == revision and each["move_id"] not in seen:
            revision = offset
        seen.add(each["move_id"])
        assert control.pointer("dev", "c").revision == revision


def test_a_frozen_pointer_takes_a_persons_rollback_alone() -> None:
    control = Control()
    control.apply(0, "pointer_moved", move(-1))
    control.apply(1, "pointer_frozen", {"component": "c", "environment": "dev"})
    control.apply(2, "pointer_moved", move(0, "x"))
    assert control.pointer("dev", "c").revision == 0
    control.apply(3, "pointer_moved", move(0, "y", intent="rollback", actor_kind="person"))
    assert control.pointer("dev", "c").revision == 3
    control.apply(4, "pointer_unfrozen", {"component": "c", "environment": "dev"})
    control.apply(5, "pointer_moved", move(3, "z"))
    assert control.pointer("dev", "c").revision == 5


def test_what_is_registered_is_known_and_other_records_are_ignored() -> None:
    control = Control()
    control.apply(0, "deployment_registered", {"component": "c", "deployment": "d"})
    control.apply(1, "something_newer", {})
    assert control.registered == {("c", "d")}
    assert control.offset == 1
