"""What no event can be is found, and what any event can be is let pass."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tailrace.schemas.events import RunCompleted, RunFields, RunStarted, StepCompleted, check

RUN = RunFields(
    trace_id="0af7651916cd43dd8448eb211c80319c", run_id="r1", root_run_id="r1", component="support"
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = RunStarted(run=RUN, seq=0, ts=NOW)
STEP = StepCompleted(run=RUN, seq=1, ts=NOW, step_id="s1", effect="read", duration_us=9)
ENDED = RunCompleted(run=RUN, seq=2, ts=NOW, last_seq=2, children=("r2",))


@pytest.mark.parametrize("event", [STARTED, STEP, ENDED], ids=lambda event: event.kind)
def test_a_possible_event_passes(event: Any) -> None:
    assert check(event) == ()


@pytest.mark.parametrize(
    ("event", "change", "sentence"),
    [
        (STARTED, {"seq": 1}, "seq 0 and run_started belong together"),
        (STEP, {"seq": 0}, "seq 0 and run_started belong together"),
        (STEP, {"seq": -1}, "seq is negative"),
        (STEP, {"step_id": ""}, "step_id is empty in a step event"),
        (STEP, {"parent_step_id": "s1"}, "the step is its own parent"),
        (STEP, {"effect": "delete"}, "effect is none of pure, read, write"),
        (STEP, {"duration_us": -1}, "duration_us is negative"),
        (STEP, {"first_item_us": 10}, "the first item came after the end"),
        (STEP, {"bodies": ("abc",)}, "bodies names something that is no SHA-256"),
        (ENDED, {"last_seq": 3}, "last_seq of a terminal event is not its own seq"),
        (ENDED, {"last_seq": None}, "last_seq of a terminal event is not its own seq"),
        (ENDED, {"children": ("r1",)}, "the run is its own child"),
    ],
)
def test_an_impossible_event_is_named(event: Any, change: dict[str, Any], sentence: str) -> None:
    assert check(event.model_copy(update=change)) == (sentence,)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trace_id": "0" * 32}, "trace_id is no W3C trace id"),
        ({"trace_id": "0AF7651916CD43DD8448EB211C80319C"}, "trace_id is no W3C trace id"),
        ({"root_run_id": ""}, "root_run_id is empty"),
        ({"parent_run_id": "r0"}, "a root run names a parent"),
        ({"root_run_id": "r0", "parent_run_id": "r1"}, "the run is its own parent"),
        ({"attempt": -1}, "attempt is negative"),
        ({"control_offset": -2}, "control_offset is below -1"),
    ],
)
def test_an_impossible_run_is_named(change: dict[str, Any], sentence: str) -> None:
    event = STEP.model_copy(update={"run": RUN.model_copy(update=change)})
    assert check(event) == (sentence,)
