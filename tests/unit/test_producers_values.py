"""Recorded non-determinism: the time, random numbers and ids are steps that a replay can serve."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from support.journal import keys, of_kind
from tailrace.producers import component, current_run, step
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Callable


@component
def drawn() -> tuple[datetime, float, float, UUID]:
    run = current_run()
    return run.now(), run.random(), run.random(), run.uuid()


def test_each_value_is_a_step_whose_output_gives_it_back_exactly() -> None:
    with memory_journal() as journal:
        now, first, second, identity = drawn()
    assert keys(journal) == ["now#0", "random#0", "random#1", "uuid#0"]
    steps = of_kind(journal, "step_completed")
    outputs = [json.loads(each["output"]) for each in steps]
    assert datetime.fromisoformat(outputs[0]) == now
    assert outputs[1:3] == [first, second]
    assert UUID(outputs[3]) == identity
    assert {(each["step_kind"], each["effect"]) for each in steps} == {("value", "read")}


def test_without_a_client_they_are_plain_values() -> None:
    now, first, second, identity = drawn()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
    assert 0 <= first < 1
    assert first != second
    assert identity.version == 4


def test_a_seed_of_the_agents_own_neither_decides_them_nor_is_used_up() -> None:
    def numbers(draw: Callable[[], object]) -> tuple[float, object]:
        random.seed(7)
        drawn_value = draw()
        return random.random(), drawn_value  # noqa: S311 - it is what is looked at

    (one, first), (other, second) = numbers(drawn), numbers(drawn)
    assert one == other
    assert first != second


def test_in_a_step_they_belong_to_the_step() -> None:
    @step
    def stamped() -> str:
        return str(current_run().uuid())

    @component
    def run() -> str:
        return stamped()

    with memory_journal() as journal:
        run()
    assert keys(journal) == ["stamped#0/uuid#0", "stamped#0"]
