"""What events say beside their place: values, usage, conversations, config, options."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.journal import of_kind, only
from support.shop import shop
from tailrace.producers import (
    RunOptionsError,
    component,
    current_run,
    run_options,
    step,
)
from tailrace.producers.testing import memory_journal
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_values_pass_through_untouched_and_generators_unused() -> None:
    given = (number for number in range(3))
    holder = {"numbers": (number for number in range(3)), "set": {"b", "a"}}

    @step
    def take(numbers: Iterator[int], inside: dict[str, Any]) -> Iterator[int]:
        assert list(inside["numbers"]) == [0, 1, 2]
        return numbers

    @component
    def run() -> Iterator[int]:
        return take(given, holder)

    with memory_journal() as journal:
        result = run()
    assert result is given
    assert list(result) == [0, 1, 2]
    recorded = json.loads(only(journal, "step_completed")["input"])
    assert "generator object" in recorded["numbers"]["$repr"]
    assert recorded["inside"]["set"] == ["a", "b"]


def test_what_was_given_is_recorded_as_it_was_at_the_call() -> None:
    @step
    def grow(items: list[int]) -> int:
        items.append(9)
        return len(items)

    @component
    def run(items: list[int]) -> int:
        return grow(items)

    with memory_journal() as journal:
        assert run([1]) == 2
    for each in journal.events:
        assert json.loads(each.flatten()["input"]) == {"items": [1]}


def test_options_of_the_caller_are_in_every_event() -> None:
    trace_id = new_id()
    with (
        memory_journal() as journal,
        run_options(session="s1", tags=["a"], trace_id=trace_id),
        run_options(tenant="t1", tags=["b", "a"], attempt=2),
    ):
        shop("")
    for event in journal.events:
        run = event.run
        assert (run.session, run.tenant, run.tags, run.attempt) == ("s1", "t1", ("a", "b"), 2)
        assert run.trace_id == trace_id
        assert run.routing_key == hashlib.sha256(b"s1").hexdigest()[:32]


def test_a_trace_id_that_is_none_is_refused() -> None:
    with (
        pytest.raises(RunOptionsError, match="32 lower-case hex digits"),
        run_options(trace_id="x"),
    ):
        pass


def test_usage_is_read_from_a_response_and_summed_up_in_the_run() -> None:
    response = {
        "model": "m-1",
        "choices": [{"finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 6},
        },
    }

    @step(kind="llm")
    def ask(messages: list[dict[str, str]]) -> dict[str, Any]:
        current_run().usage(cost_usd=0.5, provider="ours")
        return response if messages else {}

    @component
    def run() -> None:
        ask([{"role": "user", "content": "hi"}])
        ask([{"role": "user", "content": "hi"}])

    with memory_journal() as journal:
        run()
    done = of_kind(journal, "step_completed")[0]
    assert (done["provider"], done["model"], done["finish_reason"]) == ("ours", "m-1", "stop")
    assert (done["input_tokens"], done["output_tokens"], done["cached_tokens"]) == (10, 4, 6)
    last = only(journal, "run_completed")
    assert (last["run_input_tokens"], last["run_cost_usd"]) == (20, 1.0)


def test_a_conversation_is_recorded_as_a_chain() -> None:
    @step(kind="llm")
    def ask(messages: list[dict[str, str]]) -> str:
        return messages[-1]["content"]

    @component
    def run() -> None:
        messages = [{"role": "system", "content": "s" * 2000}]
        for turn in range(20):
            messages.append({"role": "user", "content": f"turn {turn}"})
            ask(messages)

    with memory_journal() as journal:
        run()
    done = of_kind(journal, "step_completed")
    assert sum(map(len, journal.bodies.values())) < 6000
    for turn, each in enumerate(done):
        value = journal.value(each["input"])
        assert [message["content"] for message in value["messages"]][1:] == [
            f"turn {number}" for number in range(turn + 1)
        ]


def test_the_config_that_a_step_reads_is_part_of_its_definition() -> None:
    def recorded(tone: str) -> dict[str, Any]:
        @step
        def speak() -> str:
            return str(current_run().config["tone"])

        @component("speaker", config={"tone": tone, "other": 1})
        def run() -> str:
            return speak()

        with memory_journal() as journal:
            run()
        return only(journal, "step_completed")

    kind, rude = recorded("kind"), recorded("rude")
    assert kind["config_keys"] == ["tone"]
    assert kind["definition_digest"] != rude["definition_digest"]
    assert recorded("kind")["definition_digest"] == kind["definition_digest"]


def test_the_loaded_code_registers_itself_once_a_component() -> None:
    with memory_journal() as journal:
        shop("")
        shop("")
    registered, moved = journal.control
    assert moved["weights"] == {registered["deployment"]: 10_000}
    manifest = json.loads(registered["manifest"])["components"]["shop"]
    assert manifest["config"] == {"tone": "kind", "unused": 1}
    assert set(manifest["steps"]) == {"find"}
    assert manifest["entry_point"].endswith(":shop")
    for event in journal.events:
        assert event.run.deployment == registered["deployment"]
        assert event.run.code_digest == manifest["code_digest"]
        assert event.run.control_offset == 1
