"""Steps that yield: recorded when exhausted or closed, their bodies within their own place."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from support.journal import keys, only
from tailrace.producers import component, step
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator


@step
def touch(name: str) -> str:
    return name


@step
def words(text: str) -> Generator[str]:
    for word in text.split():
        touch("within")
        yield word


@step
async def tokens(text: str) -> AsyncGenerator[str]:
    for word in text.split():
        await asyncio.sleep(0)
        touch("within")
        yield word


def test_a_generator_is_one_step_with_its_items_and_the_time_to_the_first() -> None:
    @component
    def run() -> list[str]:
        found: list[str] = []
        for word in words("a b"):
            touch("consumer")
            found.append(word)
        return found

    with memory_journal() as journal:
        assert run() == ["a", "b"]
    assert keys(journal) == ["words#0/touch#0", "touch#0", "words#0/touch#1", "touch#1", "words#0"]
    done = next(each.flatten() for each in journal.events if each.flatten()["name"] == "words")
    assert json.loads(done["output"]) == ["a", "b"]
    assert 0 <= done["first_item_us"] <= done["duration_us"]


def test_what_is_sent_thrown_and_returned_reaches_the_generator() -> None:
    @step
    def echo() -> Generator[str, str, str]:
        try:
            sent = yield "first"
        except KeyError:
            sent = "caught"
        try:
            yield sent
        except ValueError:
            return "thrown"
        return "done"

    def drive() -> list[str]:
        one, two, three = echo(), echo(), echo()
        found = [next(one), one.send("sent"), next(two), two.throw(KeyError())]
        with pytest.raises(StopIteration) as stop:
            one.throw(ValueError())
        next(three)
        with pytest.raises(RuntimeError):
            three.throw(RuntimeError())
        two.close()
        return [*found, stop.value.value]

    plain = drive()
    with memory_journal() as journal:
        assert component(drive)() == plain == ["first", "sent", "first", "caught", "thrown"]
    kinds = [each.kind for each in journal.events if each.flatten()["name"] == "echo"]
    assert kinds == ["step_completed", "step_failed", "step_completed"]


def test_a_generator_that_is_left_early_is_recorded_with_what_it_yielded() -> None:
    @component
    def run() -> str:
        stream = words("a b c")
        first = next(stream)
        stream.close()
        return first

    with memory_journal() as journal:
        assert run() == "a"
    done = next(each.flatten() for each in journal.events if each.flatten()["name"] == "words")
    assert (done["kind"], json.loads(done["output"])) == ("step_completed", ["a"])


def test_an_async_generator_is_one_step_however_it_ends() -> None:
    @step
    async def fails() -> AsyncGenerator[int]:
        yield 1
        raise ValueError("broken stream")

    @component
    async def run() -> list[str]:
        found = [token async for token in tokens("a b")]
        async with aclosing(tokens("c d")) as stream:
            async for token in stream:
                found.append(token)
                break
        with pytest.raises(ValueError, match="broken stream"):
            assert [number async for number in fails()]
        return found

    with memory_journal() as journal:
        assert asyncio.run(run()) == ["a", "b", "c"]
    done = [each.flatten() for each in journal.events if each.flatten()["name"] == "tokens"]
    assert [json.loads(each["output"]) for each in done] == [["a", "b"], ["c"]]
    failed = only(journal, "step_failed")
    assert (failed["error_message"], json.loads(failed["output"])) == ("broken stream", [1])
    assert "tokens#0/touch#1" in keys(journal)


def test_without_a_client_generators_are_plain() -> None:
    async def collect() -> list[str]:
        return [token async for token in tokens("a b")]

    assert list(words("a b")) == ["a", "b"]
    assert asyncio.run(collect()) == ["a", "b"]


def test_what_is_sent_to_an_async_generator_and_thrown_into_it_reaches_it() -> None:
    @step
    async def echo() -> AsyncGenerator[str, str]:
        try:
            sent = yield "first"
        except KeyError:
            sent = "caught"
        yield sent

    async def drive() -> list[str]:
        one, two = echo(), echo()
        found = [await anext(one), await one.asend("sent"), await anext(two)]
        found.append(await two.athrow(KeyError()))
        await two.aclose()
        await one.aclose()
        return found

    plain = asyncio.run(drive())
    with memory_journal() as journal:
        assert asyncio.run(component(drive)()) == plain == ["first", "sent", "first", "caught"]
    outputs = [each.flatten()["output"] for each in journal.events if each.kind == "step_completed"]
    assert sorted(map(json.loads, outputs)) == [["first", "caught"], ["first", "sent"]]
