"""What a decorated call records, in memory: the same code path as to Kafka, without it."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from support.journal import of_kind, only
from support.shop import find, later, shop
from tailrace.producers import (
    NoRunError,
    UnsupportedFunctionError,
    component,
    current_run,
    step,
)
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Callable


def test_without_a_client_decorated_functions_are_plain_calls() -> None:
    assert shop("be ") == "be kind"
    assert find("A") == {"id": "A", "depth": 1}
    assert asyncio.run(later(1)) == 2


def test_a_run_is_started_stepped_and_completed_in_one_numbering() -> None:
    with memory_journal() as journal:
        assert shop("be ") == "be kind"
    assert [(event.kind, event.seq) for event in journal.events] == [
        ("run_started", 0),
        ("step_completed", 1),
        ("run_completed", 2),
    ]
    last = only(journal, "run_completed")
    assert (last["last_seq"], last["run_steps"], last["run_errors"]) == (2, 1, 0)
    assert json.loads(last["input"]) == {"question": "be "}
    assert json.loads(last["output"]) == "be kind"
    assert last["config_keys"] == ["tone"]
    done = only(journal, "step_completed")
    assert (done["step_key"], done["step_kind"], done["effect"]) == ("find#0", "tool", "read")
    assert json.loads(done["input"]) == {"order_id": "A-17"}
    assert done["ts"] >= done["started_at"]


def test_arguments_are_recorded_by_name_however_they_are_given() -> None:
    @component
    def run() -> None:
        find("A", depth=2)
        find(depth=2, order_id="A")

    with memory_journal() as journal:
        run()
    first, second = of_kind(journal, "step_completed")
    assert (
        json.loads(first["input"]) == json.loads(second["input"]) == {"order_id": "A", "depth": 2}
    )
    assert first["input_digest"] == second["input_digest"]
    canonical = b'{"depth":2,"order_id":"A"}'
    assert first["input_digest"] == hashlib.sha256(canonical).hexdigest()


def test_the_receiver_of_a_method_is_no_argument() -> None:
    class Agent:
        @step
        def ask(self, text: str, *more: int, **named: int) -> int:
            return len(text) + sum(more) + sum(named.values())

        @component("agent")
        def run(self, text: str) -> int:
            return self.ask(text, 1, 2, extra=3)

    with memory_journal() as journal:
        assert Agent().run("ab") == 8
    assert json.loads(only(journal, "run_started")["input"]) == {"text": "ab"}
    given = json.loads(only(journal, "step_completed")["input"])
    assert given == {"text": "ab", "more": [1, 2], "extra": 3}


def test_what_the_agent_raises_is_recorded_and_raised_on() -> None:
    error = ValueError("no such order")

    @step
    def fails() -> None:
        raise error

    @component
    def run() -> None:
        fails()

    with memory_journal() as journal, pytest.raises(ValueError, match="no such order") as caught:
        run()
    assert caught.value is error
    failed = only(journal, "step_failed")
    assert (failed["error_type"], failed["error_message"]) == ("ValueError", "no such order")
    assert "raise error" in failed["error_stack"]
    last = only(journal, "run_failed")
    assert (last["run_errors"], last["last_seq"], last["output"]) == (1, 2, None)


def test_a_defect_of_the_recorder_is_counted_and_never_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    with caplog.at_level(logging.ERROR), memory_journal() as journal:
        monkeypatch.setattr("tailrace.producers.recording.recorded_step.written_digest", broken)
        assert shop("be ") == "be kind"
        assert shop("be ") == "be kind"
        assert journal.client is not None
        assert journal.client.stats.defects == 2
    assert len(caplog.records) == 1


def test_current_run_outside_of_a_component_says_what_to_do() -> None:
    with pytest.raises(NoRunError, match="@component"):
        current_run()


def test_decorated_functions_keep_their_name_doc_and_signature() -> None:
    assert find.__name__ == "find"
    assert str(inspect.signature(find)).startswith("(order_id: 'str', *, depth")
    assert inspect.iscoroutinefunction(later)


def test_a_client_opened_within_another_takes_over_and_hands_back() -> None:
    with memory_journal() as outer:
        with memory_journal() as inner:
            shop("")
        shop("")
    assert len(inner.events) == len(outer.events) == 3


@pytest.mark.parametrize("decorator", [step, component])
def test_what_cannot_be_recorded_is_refused_when_it_is_decorated(
    decorator: Callable[[Any], Any],
) -> None:
    for wrong in (staticmethod(find), int):
        with pytest.raises(UnsupportedFunctionError):
            decorator(wrong)
