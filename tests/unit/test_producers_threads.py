"""Threads and executors keep their place in the tree, and their keys whatever chance does."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from support.journal import keys, of_kind, only
from tailrace.producers import component, current_run, step
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_S = 10


@step
def work(number: int) -> int:
    return number


@component
def child(number: int) -> int:
    return work(number)


def inputs(journal: Any) -> dict[str, int]:
    return {
        each["step_key"]: json.loads(each["input"])["number"]
        for each in of_kind(journal, "step_completed")
    }


def test_threads_are_numbered_in_the_order_in_which_the_run_starts_them() -> None:
    gates = [threading.Event() for _ in range(3)]

    def opened(number: int) -> None:
        gates[number].wait(_WAIT_S)
        work(number)
        if number:
            gates[number - 1].set()

    class Own(threading.Thread):
        def run(self) -> None:
            opened(1)

    @component
    def run() -> None:
        timer = threading.Timer(0.0, opened, args=(2,))
        started = [threading.Thread(target=opened, args=(0,)), Own(), timer]
        for thread in started:
            thread.start()
        gates[2].set()
        for thread in started:
            thread.join(_WAIT_S)

    with memory_journal() as journal:
        run()
    assert inputs(journal) == {f"@{n}/work#0": n for n in range(3)}
    assert keys(journal) == ["@2/work#0", "@1/work#0", "@0/work#0"]
    assert only(journal, "run_completed")["not_replayable"] == ""


def test_calls_handed_to_an_executor_are_numbered_as_they_are_submitted() -> None:
    @step
    def spread() -> None:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(8))) == list(range(8))

    @component
    def run() -> None:
        spread()

    with memory_journal() as journal:
        run()
    found = inputs_of_work(journal)
    assert found == {f"spread#0/@{n}/work#0": n for n in range(8)}


def inputs_of_work(journal: Any) -> dict[str, int]:
    return {
        each["step_key"]: json.loads(each["input"])["number"]
        for each in of_kind(journal, "step_completed")
        if each["name"] == "work"
    }


def test_a_pool_that_serves_many_runs_keeps_them_apart() -> None:
    with memory_journal() as journal, ThreadPoolExecutor(2) as pool:

        @component
        def run(number: int) -> str:
            assert pool.submit(work, number).result() == number
            assert pool.submit(child, 10 + number).result() == 10 + number
            return pool.submit(lambda: current_run().run_id).result()

        ids = [run(number) for number in range(5)]
        assert pool.submit(child, 99).result() == 99
    for event in of_kind(journal, "step_completed"):
        number = json.loads(event["input"])["number"]
        if number < 10:
            assert event["run_id"] == ids[number]
    children = [each for each in of_kind(journal, "run_started") if each["name"] == "child"]
    assert [each["parent_run_id"] for each in children] == [*ids, ""]


def test_what_brings_a_context_of_its_own_keeps_its_place_and_takes_no_number() -> None:
    @component
    async def run() -> None:
        await asyncio.to_thread(work, 0)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, work, 1)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work, 2))
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.gather(asyncio.to_thread(work, 3))

    with memory_journal() as journal:
        asyncio.run(run())
    assert inputs(journal) == {"work#0": 0, "@0/work#0": 1, "work#1": 2, "@1/work#0": 3}


def test_what_stood_before_stands_again_when_the_last_client_is_closed() -> None:
    before = (threading.Thread.start, ThreadPoolExecutor.submit)
    with memory_journal():
        assert threading.Thread.start is not before[0]
        with memory_journal():
            pass
        assert threading.Thread.start is not before[0]
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before


@pytest.mark.parametrize("said", [True, False])
def test_another_wrapper_around_ours_is_let_stand(
    monkeypatch: pytest.MonkeyPatch, *, said: bool
) -> None:
    def around(inner: Any) -> Callable[..., Future[Any]]:
        def submit(self: ThreadPoolExecutor, /, *args: Any, **kwargs: Any) -> Future[Any]:
            submitted.append(1)
            return inner(self, *args, **kwargs)

        if said:
            submit.__dict__["__wrapped__"] = inner
        return submit

    submitted: list[int] = []

    @component
    def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            for number in range(2):
                pool.submit(work, number).result()

    plain = ThreadPoolExecutor.submit
    for times in (1, 2, 3):
        with memory_journal() as journal:
            if times == 1:
                monkeypatch.setattr(ThreadPoolExecutor, "submit", around(ThreadPoolExecutor.submit))
            run()
        assert inputs(journal) == {"@0/work#0": 0, "@1/work#0": 1}
        assert len(submitted) == 2 * times
    monkeypatch.setattr(ThreadPoolExecutor, "submit", plain)


def test_what_a_thread_raises_and_returns_is_untouched() -> None:
    @component
    def run() -> str:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(divmod, 7, 2).result() == (3, 1)
            with pytest.raises(ZeroDivisionError):
                pool.submit(divmod, 1, 0).result()
            return pool.submit(str, b"x", encoding="ascii").result()

    with memory_journal():
        assert run() == "x"
