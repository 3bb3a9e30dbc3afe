"""Components that yield, and methods: one run each, recorded when exhausted or closed."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from support.journal import keys, of_kind, only
from tailrace.producers import component, current_run, step
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator


@step
def touch(name: str) -> str:
    return name


@component(config={"tone": "kind"})
def words(text: str) -> Generator[str, str, int]:
    for word in text.split():
        touch("within")
        yield word
    return len(current_run().config["tone"])


@component
async def tokens(text: str) -> AsyncGenerator[str, str]:
    for word in text.split():
        await asyncio.gather(asyncio.to_thread(touch, "within"))
        yield word


def test_a_generator_is_one_run_with_its_items_and_the_time_to_the_first() -> None:
    with memory_journal() as journal:
        stream = words("a b")
        assert journal.events == []
        assert list(stream) == ["a", "b"]
        assert journal.events[-1].kind == "run_completed"
    done = only(journal, "run_completed")
    assert json.loads(done["output"]) == ["a", "b"]
    assert 0 <= done["first_item_us"] <= done["duration_us"]
    assert done["config_keys"] == ["tone"]
    assert keys(journal) == ["touch#0", "touch#1"]


def test_between_two_items_the_consumers_own_run_stands() -> None:
    @component
    def consumer() -> int:
        for _ in words("a b"):
            touch("without")
        return 0

    with memory_journal() as journal:
        consumer()
    runs = {each["run_id"]: each["name"] for each in of_kind(journal, "run_started")}
    found = [
        (runs[each["run_id"]], json.loads(each["input"])["name"])
        for each in of_kind(journal, "step_completed")
    ]
    assert found == [("words", "within"), ("consumer", "without")] * 2
    outer = next(
        each for each in of_kind(journal, "run_completed") if runs[each["run_id"]] == "consumer"
    )
    assert len(outer["children"]) == 1


def test_a_generator_returns_and_is_closed_and_fails_as_if_it_were_plain() -> None:
    @component
    def failing() -> Generator[int]:
        yield 1
        raise ValueError("broken stream")

    with memory_journal() as journal:
        closed = words("a b")
        assert next(closed) == "a"
        closed.close()
        with pytest.raises(ValueError, match="broken stream"):
            list(failing())
        stream = words("a")
        next(stream)
        with pytest.raises(StopIteration) as stop:
            next(stream)
    assert stop.value.value == len("kind")
    first, _ = of_kind(journal, "run_completed")
    assert json.loads(first["output"]) == ["a"]
    failed = only(journal, "run_failed")
    assert (failed["error_message"], json.loads(failed["output"])) == ("broken stream", [1])


def test_an_async_generator_is_one_run_however_it_ends() -> None:
    async def consume() -> list[str]:
        found = [token async for token in tokens("a b")]
        async with aclosing(tokens("c d")) as stream:
            async for token in stream:
                found.append(token)
                break
        task = asyncio.create_task(anext(endless()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return found

    @component
    async def endless() -> AsyncGenerator[int]:
        await asyncio.Event().wait()
        yield 1

    with memory_journal() as journal:
        assert asyncio.run(consume()) == ["a", "b", "c"]
        assert journal.client is not None
        assert journal.client.recordings == {}
    outputs = [json.loads(each["output"]) for each in of_kind(journal, "run_completed")]
    assert outputs == [["a", "b"], ["c"]]
    assert only(journal, "run_cancelled")["name"] == "endless"
    assert keys(journal) == ["@0/touch#0", "@1/touch#0", "@0/touch#0"]


def test_without_a_client_a_generator_is_plain_and_has_its_config() -> None:
    async def collect() -> list[str]:
        return [token async for token in tokens("a b")]

    stream = words("a")
    assert next(stream) == "a"
    with pytest.raises(StopIteration) as stop:
        next(stream)
    assert stop.value.value == len("kind")
    assert asyncio.run(collect()) == ["a", "b"]


def test_methods_are_components_without_their_receiver() -> None:
    class Agent:
        def __init__(self, name: str) -> None:
            self.name = name

        @component("agent")
        def answer(self, question: str) -> str:
            return f"{self.name}: {question}"

        @classmethod
        @component("made")
        def make(cls, name: str) -> str:
            return f"{cls.__name__} {name}"

        @staticmethod
        @component("said")
        def say(word: str) -> str:
            return word

    with memory_journal() as journal:
        assert Agent("A").answer("why") == "A: why"
        assert Agent.make("B") == "Agent B"
        assert Agent.say("yes") == "yes"
    found = {each["name"]: json.loads(each["input"]) for each in of_kind(journal, "run_started")}
    assert found == {
        "agent": {"question": "why"},
        "made": {"name": "B"},
        "said": {"word": "yes"},
    }
