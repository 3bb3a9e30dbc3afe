"""Ids that the file's own identities decide, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.trajectories import Message, conversations, small_talk
from tailrace.console.importing.errors import LineRefusedError
from tailrace.console.importing.identity import Grouping, Identity, identify
from tailrace.console.importing.trajectory import Trajectory

PLAIN = Grouping("airline", "support")
GROUPED = replace(PLAIN, trace_by="task_id", attempt_by="trial", deployment_by="trial")


def line(task: int, trial: int) -> Trajectory:
    fields = small_talk(task, trial)
    return Trajectory(fields.pop("traj"), fields)


def test_attempts_at_one_task_share_a_trace_and_nothing_else() -> None:
    found = {(t, n): identify(line(t, n), GROUPED) for t in range(4) for n in range(3)}
    assert len({one.trace_id for one in found.values()}) == 4
    assert len({one.run_id for one in found.values()}) == 12
    for (task, trial), one in found.items():
        assert (one.attempt, one.deployment) == (trial, str(trial))
        assert one.trace_id == found[task, 0].trace_id


@given(conversations(), st.text(st.characters(codec="utf-8"), max_size=10))
def test_ids_are_hex_of_a_trace_and_do_not_depend_on_the_order_of_keys(
    messages: list[Message], own: str
) -> None:
    turned = [dict(reversed(message.items())) for message in messages]
    one = identify(Trajectory(messages, {"id": own}), PLAIN)
    assert one == identify(Trajectory(turned, {"id": own}), PLAIN)
    for text in (one.trace_id, one.run_id):
        assert len(text) == 32
        assert int(text, 16) > 0


def test_another_dataset_component_id_or_content_is_another_run() -> None:
    messages: list[Message] = [{"role": "user", "content": "hello"}]
    runs = {
        identify(Trajectory(messages, {"id": 1}), PLAIN),
        identify(Trajectory(messages, {"id": 2}), PLAIN),
        identify(Trajectory(messages, {}), PLAIN),
        identify(Trajectory([*messages, *messages], {"id": 1}), PLAIN),
        identify(Trajectory(messages, {"id": 1}), replace(PLAIN, dataset="retail")),
        identify(Trajectory(messages, {"id": 1}), replace(PLAIN, component="other")),
    }
    assert len({one.run_id for one in runs}) == 6


def test_ids_stay_what_they_are() -> None:
    # A change here makes every recording that was imported before a new run.
    hello = Trajectory([{"role": "user", "content": "hello"}], {"task_id": 3, "trial": 1})
    assert identify(hello, GROUPED) == Identity(
        trace_id="857bd6e054d7103b45ac04d5b25e3b2f",
        run_id="229e23aa1117c147a086bcab2f151c39",
        attempt=1,
        deployment="1",
    )


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "one", 2**31, "1.0", float("inf"), []])
def test_what_numbers_no_attempt_is_refused(value: Any) -> None:
    with pytest.raises(LineRefusedError, match="trial"):
        identify(Trajectory([{"role": "user"}], {"task_id": 1, "trial": value}), GROUPED)


def test_an_attempt_may_be_written_as_text_and_lie_deeper() -> None:
    grouping = replace(PLAIN, attempt_by="meta.trial")
    assert identify(Trajectory([{"role": "user"}], {"meta": {"trial": "2"}}), grouping).attempt == 2


def test_a_field_that_is_no_name_is_refused() -> None:
    with pytest.raises(LineRefusedError, match="'task_id' has 1,000 characters"):
        identify(Trajectory([{"role": "user"}], {"task_id": "x" * 1000}), GROUPED)


def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(LineRefusedError, match="task_id"):
        identify(Trajectory([{"role": "user"}]), GROUPED)
