"""The block form of a step: recorded like a call, in its place, whatever ends it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from support.journal import keys, of_kind, only
from tailrace.producers import component, current_run, step
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Generator


@step
def find(query: str) -> str:
    return query.upper()


def test_a_block_is_a_step_with_what_it_was_given_and_what_came_out() -> None:
    @component
    def run() -> None:
        for query in ("a", "b"):
            with step("rank", kind="retrieval", input={"query": query}) as block:
                block.output = [find(query)]
            find("outside")

    with memory_journal() as journal:
        run()
    assert keys(journal) == [
        "rank#0/find#0",
        "rank#0",
        "find#0",
        "rank#1/find#0",
        "rank#1",
        "find#1",
    ]
    first = next(each for each in of_kind(journal, "step_completed") if each["name"] == "rank")
    assert (json.loads(first["input"]), json.loads(first["output"])) == ({"query": "a"}, ["A"])
    assert (first["step_kind"], first["effect"]) == ("retrieval", "read")
    assert len(first["definition_digest"]) == 64


def test_a_block_that_raises_is_recorded_so_and_lets_it_through() -> None:
    @component
    def run() -> None:
        with pytest.raises(LookupError), step("rank"):
            raise LookupError("nothing")
        assert find("on") == "ON"

    with memory_journal() as journal:
        run()
    failed = only(journal, "step_failed")
    assert (failed["name"], failed["error_message"], failed["output"]) == ("rank", "nothing", None)
    assert keys(journal) == ["find#0"]


def test_blocks_stand_in_async_code_too() -> None:
    @component
    async def run() -> None:
        async def branch(number: int) -> None:
            async with step("part", input={"number": number}) as block:
                await asyncio.sleep(0)
                block.output = find(str(number))
                current_run().usage(model="m", input_tokens=number)

        await asyncio.gather(*(branch(number) for number in range(2)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001), step("slow"):
                await asyncio.Event().wait()

    with memory_journal() as journal:
        asyncio.run(run())
    assert sorted(keys(journal)) == [
        "@0/part#0",
        "@0/part#0/find#0",
        "@1/part#0",
        "@1/part#0/find#0",
    ]
    assert only(journal, "step_cancelled")["name"] == "slow"
    parts = [each for each in of_kind(journal, "step_completed") if each["name"] == "part"]
    assert sorted(each["input_tokens"] for each in parts) == [0, 1]


def test_a_block_in_a_generator_that_is_closed_has_not_failed() -> None:
    def numbers() -> Generator[int]:
        with step("yielding"):
            yield 1
            yield 2

    @component
    def run() -> None:
        stream = numbers()
        next(stream)
        stream.close()
        find("after")

    with memory_journal() as journal:
        run()
    assert keys(journal) == ["yielding#0", "find#0"]


def test_one_block_can_be_entered_again_and_again_and_decorate() -> None:
    block = step("part", version="2")

    @block
    def part() -> int:
        return 1

    @component
    def run() -> None:
        with block, block:
            part()
        with block:
            pass

    with memory_journal() as journal:
        run()
    assert keys(journal) == ["part#0/part#0/part#0", "part#0/part#0", "part#0", "part#1"]


def test_outside_of_a_run_a_block_only_runs_its_code() -> None:
    with step("plain", input={"x": 1}) as block:
        block.output = 2
    assert block.output == 2

    @component
    def run() -> str:
        with step("plain"):
            return current_run().run_id

    assert run() == ""
