"""What decorated functions record, in memory: the same code path as to Kafka, without it."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import inspect
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tailrace.producers import (
    NoPointerError,
    NoRunError,
    RunOptionsError,
    Tailrace,
    UnsupportedFunctionError,
    component,
    current_run,
    run_options,
    step,
)
from tailrace.producers.testing import memory_journal
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tailrace.producers.testing import Journal


@step(kind="tool", effect="read")
def find(order_id: str, *, depth: int = 1) -> dict[str, Any]:
    return {"id": order_id, "depth": depth}


@step
async def later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


@component("shop", config={"tone": "kind", "unused": 1})
def shop(question: str) -> str:
    find("A-17")
    return question + current_run().config["tone"]


def of_kind(journal: Journal, kind: str) -> list[dict[str, Any]]:
    return [event.flatten() for event in journal.events if event.kind == kind]


def only(journal: Journal, kind: str) -> dict[str, Any]:
    (event,) = of_kind(journal, kind)
    return event


def keys(journal: Journal) -> list[str]:
    return [each["step_key"] for each in of_kind(journal, "step_completed")]


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


def test_cancellation_is_recorded_as_such_and_goes_on() -> None:
    begun = asyncio.Event()

    @step
    async def hangs() -> None:
        begun.set()
        await asyncio.Event().wait()

    @component
    async def run() -> None:
        await hangs()

    async def cancel() -> None:
        task = asyncio.create_task(run())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with memory_journal() as journal:
        asyncio.run(cancel())
    assert [event.kind for event in journal.events] == [
        "run_started",
        "step_cancelled",
        "run_cancelled",
    ]


def test_children_name_their_parent_and_the_parent_names_them() -> None:
    @component
    def child(number: int) -> int:
        return number

    @step
    def delegate(number: int) -> int:
        return child(number)

    @component
    def parent() -> int:
        return delegate(1) + child(2)

    with memory_journal() as journal:
        assert parent() == 3
    started = of_kind(journal, "run_started")
    root, first, second = started
    last = next(each for each in of_kind(journal, "run_completed") if each["name"] == "parent")
    assert last["children"] == [first["run_id"], second["run_id"]]
    delegated = only(journal, "step_completed")
    assert (first["caller_step_id"], second["caller_step_id"]) == (delegated["step_id"], "")
    for each in started:
        assert each["trace_id"] == root["trace_id"]
        assert each["root_run_id"] == root["run_id"]
    assert {first["parent_run_id"], second["parent_run_id"]} == {root["run_id"]}


def test_nested_steps_have_the_path_of_names_as_their_key() -> None:
    @step
    def plan() -> None:
        find("a")
        find("b")

    @component
    def run() -> None:
        plan()
        plan()

    with memory_journal() as journal:
        run()
    paths = ["plan#0/find#0", "plan#0/find#1", "plan#0"]
    assert keys(journal) == [*paths, *(path.replace("plan#0", "plan#1") for path in paths)]
    inner, _, outer = of_kind(journal, "step_completed")[:3]
    assert inner["parent_step_id"] == outer["step_id"]


def test_tasks_are_numbered_in_the_order_in_which_they_are_made() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    @step
    async def work(number: int) -> int:
        return number

    async def branch(number: int) -> None:
        await gates[number].wait()
        await work(number)

    async def opened() -> None:
        for gate in reversed(gates):
            gate.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    @component
    async def run() -> None:
        await asyncio.gather(*(branch(number) for number in range(3)), opened())

    with memory_journal() as journal:
        asyncio.run(run())
    found = {
        each["step_key"]: json.loads(each["input"]) for each in of_kind(journal, "step_completed")
    }
    assert found == {f"@{number}/work#0": {"number": number} for number in range(3)}
    assert list(found) == ["@2/work#0", "@1/work#0", "@0/work#0"]
    assert only(journal, "run_completed")["not_replayable"] == ""


def test_the_loops_own_task_factory_stands_again_after_the_run() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        made: list[str] = []

        def factory(
            loop: asyncio.AbstractEventLoop, coro: Any, **options: Any
        ) -> asyncio.Task[Any]:
            made.append(coro.__name__)
            return asyncio.Task(coro, loop=loop, **options)

        @component
        async def inner() -> None:
            await asyncio.gather(later(1))

        loop.set_task_factory(factory)
        await inner()
        assert loop.get_task_factory() is factory
        assert made == ["later"]

    with memory_journal():
        asyncio.run(run())


def test_same_named_steps_at_once_in_raw_threads_make_a_run_not_replayable() -> None:
    both = threading.Barrier(2, timeout=10)

    @step
    def meet() -> None:
        both.wait()

    @component
    def run() -> None:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(meet,)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with memory_journal() as journal:
        run()
    assert sorted(keys(journal)) == ["meet#0", "meet#1"]
    assert "two steps meet ran at once" in only(journal, "run_completed")["not_replayable"]


def test_an_explicit_key_keeps_a_run_of_raw_threads_replayable() -> None:
    both = threading.Barrier(2, timeout=10)

    def key(number: int) -> str:
        return f"n/{number}"

    @step(key=key)
    def meet(number: int) -> int:
        both.wait()
        return number

    @component
    def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            for number in range(2):
                pool.submit(contextvars.copy_context().run, meet, number)

    with memory_journal() as journal:
        run()
    assert sorted(keys(journal)) == ["meet:n%2F0#0", "meet:n%2F1#0"]
    assert only(journal, "run_completed")["not_replayable"] == ""


def test_numbering_has_no_gap_when_many_threads_record_one_run() -> None:
    @component
    def run() -> None:
        with ThreadPoolExecutor(8) as pool:
            for number in range(400):
                pool.submit(contextvars.copy_context().run, find, str(number))

    with memory_journal() as journal:
        run()
    assert sorted(event.seq for event in journal.events) == list(range(402))
    assert [event.seq for event in journal.events] == list(range(402))
    assert len({each["step_key"] for each in of_kind(journal, "step_completed")}) == 400
    assert len({each["step_id"] for each in of_kind(journal, "step_completed")}) == 400


def test_a_step_that_runs_long_is_announced_once() -> None:
    with memory_journal(step_started_after_s=0.0001) as journal:
        client = journal.client
        assert client is not None

        @step
        def slow() -> None:
            begun = time.perf_counter()
            while time.perf_counter() - begun < 0.001:
                pass
            client.announce_open_steps()
            client.announce_open_steps()

        @component
        def run() -> None:
            slow()

        run()
    assert [event.kind for event in journal.events] == [
        "run_started",
        "step_started",
        "step_completed",
        "run_completed",
    ]
    started, done = only(journal, "step_started"), only(journal, "step_completed")
    assert (started["step_id"], started["input"]) == (done["step_id"], done["input"])


def test_every_step_is_announced_at_once_when_asked() -> None:
    with memory_journal(step_started_after_s=0) as journal:
        shop("")
    assert [event.kind for event in journal.events][1:3] == ["step_started", "step_completed"]


def test_a_run_waits_for_steps_that_are_still_open() -> None:
    @component
    async def run() -> asyncio.Task[int]:
        task = asyncio.create_task(later(1))
        await asyncio.sleep(0)
        return task

    with memory_journal() as journal:
        asyncio.run(run())
    assert [event.kind for event in journal.events][1:] == ["step_completed", "run_completed"]


def test_a_step_that_outlives_its_run_is_counted_and_said() -> None:
    release = threading.Event()
    begun = threading.Event()
    threads: list[threading.Thread] = []

    @step
    def hangs() -> None:
        begun.set()
        release.wait(10)

    @component
    def run() -> None:
        threads.append(threading.Thread(target=contextvars.copy_context().run, args=(hangs,)))
        threads[0].start()
        begun.wait(10)

    with memory_journal(open_steps_wait_s=0.01) as journal:
        run()
        release.set()
        threads[0].join(10)
        client = journal.client
    assert client is not None
    assert client.stats.late == 1
    assert "hangs#0" in only(journal, "run_completed")["not_replayable"]
    assert [event.kind for event in journal.events] == ["run_started", "run_completed"]


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


def test_a_defect_of_the_recorder_is_counted_and_never_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    with caplog.at_level(logging.ERROR), memory_journal() as journal:
        monkeypatch.setattr("tailrace.producers.recorded_step.input_digest", broken)
        assert shop("be ") == "be kind"
        assert shop("be ") == "be kind"
        assert journal.client is not None
        assert journal.client.stats.defects == 2
    assert len(caplog.records) == 1


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


def test_every_environment_but_dev_needs_a_pointer() -> None:
    with pytest.raises(NoPointerError, match="needs a pointer"):
        Tailrace(environment="prod")


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


def test_a_run_that_outlives_its_client_goes_on_unrecorded() -> None:
    journals: list[Journal] = []

    @component
    def run() -> dict[str, Any]:
        context.__exit__(None, None, None)
        return find("A")

    context = memory_journal()
    journals.append(context.__enter__())
    assert run() == {"id": "A", "depth": 1}


@pytest.mark.parametrize("decorator", [step, component])
def test_what_cannot_be_recorded_is_refused_when_it_is_decorated(
    decorator: Callable[[Any], Any],
) -> None:
    def generator() -> Generator[int]:
        yield 1

    for wrong in (generator, staticmethod(find), int):
        with pytest.raises(UnsupportedFunctionError):
            decorator(wrong)
