"""The tree of runs and steps: children, keys, branches, threads, and what ends late."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from support.journal import keys, of_kind, only
from support.shop import find, later, shop
from tailrace.producers import (
    component,
    step,
)
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from tailrace.producers.testing import Journal


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


def test_steps_of_one_name_and_input_at_once_in_raw_threads_make_a_run_not_replayable() -> None:
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
    last = only(journal, "run_completed")
    assert "two steps meet ran at once" in last["not_replayable"]
    assert "with the same input" in last["not_replayable"]


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


def test_a_run_that_outlives_its_client_goes_on_unrecorded() -> None:
    journals: list[Journal] = []

    @component
    def run() -> dict[str, Any]:
        context.__exit__(None, None, None)
        return find("A")

    context = memory_journal()
    journals.append(context.__enter__())
    assert run() == {"id": "A", "depth": 1}
    assert [event.kind for event in journals[0].events] == ["run_started"]


# Python 3.12 warns of a fork beside threads, which other tests of the session may have left.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_neither_records_nor_ends_its_parents_run() -> None:
    @component
    def run() -> int:
        child = os.fork()
        if child == 0:
            return -1
        find("parent")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with memory_journal() as journal:
        parent = os.getpid()
        result = run()
        if os.getpid() != parent:
            os._exit(len(journal.events))  # of the child: only what its parent had before
    assert result == 1
    assert [event.kind for event in journal.events] == [
        "run_started",
        "step_completed",
        "run_completed",
    ]
