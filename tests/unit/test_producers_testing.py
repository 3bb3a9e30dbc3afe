"""The journal in memory as people use it in the tests of their own agents."""

from __future__ import annotations

import pytest

from tailrace.producers import component, step
from tailrace.producers.seen import NothingRecordedError
from tailrace.producers.testing import memory_journal


@step(kind="tool", effect="read")
def find_order(order_id: str) -> dict[str, str]:
    if order_id == "none":
        raise LookupError("no such order")
    return {"order": order_id, "text": "x" * 20_000}


@component("checked")
def checked(answer: str) -> str:
    return answer


@component("support")
def support(question: str) -> str:
    found = find_order("A-17")
    return checked(f"{question} {found['order']}")


def test_runs_and_steps_are_looked_at_as_values() -> None:
    with memory_journal() as journal:
        assert support("where?") == "where? A-17"
    assert [(run.component, run.outcome) for run in journal.runs] == [
        ("support", "completed"),
        ("checked", "completed"),
    ]
    last = journal.last_run
    assert (last.component, last.input, last.output) == (
        "support",
        {"question": "where?"},
        "where? A-17",
    )
    (found,) = journal.steps(name="find_order")
    assert found.input == {"order_id": "A-17"}
    assert found.output == {"order": "A-17", "text": "x" * 20_000}
    assert (found.kind, found.key, found.outcome, found.error) == (
        "tool",
        "find_order#0",
        "completed",
        "",
    )
    assert journal.runs[1].parent_run_id == last.run_id


def test_steps_are_chosen_by_name_kind_and_component() -> None:
    with memory_journal() as journal:
        support("where?")
    assert len(journal.steps()) == len(journal.steps(kind="tool", component="support")) == 1
    assert journal.steps(name="other") == journal.steps(kind="llm") == []
    assert journal.steps(component="checked") == []


def test_a_failure_has_its_type_and_message() -> None:
    @component("failing")
    def failing() -> None:
        find_order("none")

    with memory_journal() as journal, pytest.raises(LookupError):
        failing()
    assert journal.last_run.outcome == "failed"
    assert journal.last_run.error == journal.steps()[0].error == "LookupError: no such order"
    assert journal.last_run.output is None


def test_asking_for_a_run_where_none_was_recorded_is_one_clear_sentence() -> None:
    with memory_journal() as journal, pytest.raises(NothingRecordedError, match="no run was"):
        _ = journal.last_run
