"""Feedback: a score of the current execution, or of one that is named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.journal import of_kind
from tailrace.producers import (
    Feedback,
    FeedbackError,
    component,
    current_run,
    feedback,
    run_options,
)
from tailrace.producers.testing import memory_journal
from tailrace.schemas.ids import new_id
from tailrace.schemas.records import Score


@component("shop")
def shop() -> tuple[str, str]:
    run = current_run()
    return run.trace_id, run.root_run_id


def test_feedback_in_a_run_is_of_its_execution() -> None:
    @component("inner")
    def inner() -> None:
        feedback("helpful", True, "quick")  # noqa: FBT003 - a yes

    @component("outer")
    def outer() -> None:
        inner()

    with memory_journal() as journal, run_options(session="s", attempt=1):
        outer()
    (score,) = journal.scores
    root = of_kind(journal, "run_started")[0]
    assert (score["scorer"], score["flag"], score["comment"]) == ("helpful", True, "quick")
    for name in ("trace_id", "root_run_id", "component", "deployment", "routing_key", "attempt"):
        assert score[name] == root[name], name
    assert (score["source"], score["environment"]) == ("person", "dev")
    assert Score.model_validate(score).number is None
    (record,) = [each for each in journal.log if each.topic.suffix == "scores"]
    assert record.key == b"dev:outer"


@pytest.mark.parametrize(
    ("value", "field"), [(3, "number"), (0.5, "number"), (False, "flag"), ("good", "label")]
)
def test_a_value_is_a_number_a_yes_or_no_or_a_word(value: Any, field: str) -> None:
    with memory_journal() as journal:
        trace_id, root_run_id = shop()
        given = feedback("kind", value, trace_id=trace_id, root_run_id=root_run_id, source="system")
    (score,) = journal.scores
    assert {name: score[name] for name in ("number", "flag", "label")} == {
        "number": None,
        "flag": None,
        "label": None,
        field: value,
    }
    assert score["score_id"] == given.score_id
    assert given.acknowledged


def test_the_same_feedback_again_is_the_same_score_and_another_is_another() -> None:
    with memory_journal() as journal:
        trace_id, root_run_id = shop()
        ids = [
            feedback(
                "stars", stars, trace_id=trace_id, root_run_id=root_run_id, actor=actor
            ).score_id
            for stars, actor in ((5, "a"), (5, "a"), (4, "a"), (5, "b"))
        ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert {score["component"] for score in journal.scores} == {"shop"}


def test_feedback_on_a_run_of_another_process_needs_its_ids_alone() -> None:
    with memory_journal() as journal:
        feedback("stars", 1, trace_id=new_id(), root_run_id=new_id(), component="shop")
        feedback("stars", 1, trace_id=new_id(), root_run_id=new_id())
    assert [score["component"] for score in journal.scores] == ["shop", ""]


def test_on_a_loop_feedback_is_awaited_or_covered_by_its_run() -> None:
    @component
    async def run() -> bool:
        given = feedback("stars", 5)
        assert isinstance(given, Feedback)
        return (await given).acknowledged

    with memory_journal() as journal:
        assert asyncio.run(run())
    assert len(journal.scores) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"value": float("nan")},
        {"value": None},
        {"value": ""},
        {"value": "x" * 300},
        {"name": " "},
        {"name": 5},
        {"trace_id": None},
        {"root_run_id": "short"},
        {"trace_id": None, "root_run_id": None},
    ],
)
def test_what_says_nothing_is_refused(options: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "name": "n",
        "value": 1,
        "trace_id": new_id(),
        "root_run_id": new_id(),
        **options,
    }
    with memory_journal() as journal:
        with pytest.raises(FeedbackError):
            feedback(**given)
        assert journal.scores == []


def test_without_a_client_feedback_in_a_component_is_nothing_and_by_ids_an_error() -> None:
    @component
    def run() -> Feedback:
        return feedback("stars", 5)

    assert run().score_id == ""
    assert not run().acknowledged
    with pytest.raises(FeedbackError, match="no client is open"):
        feedback("stars", 5, trace_id=new_id(), root_run_id=new_id())
    with pytest.raises(FeedbackError, match="outside of a run"):
        feedback("stars", 5)
