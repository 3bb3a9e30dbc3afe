"""How what ends badly is recorded: timeouts, cancellation, attempts, failures in groups."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any

import pytest

from support.journal import of_kind, only
from tailrace.producers import component, current_run, run_options, step
from tailrace.producers.testing import memory_journal


@step
async def hangs() -> None:
    await asyncio.Event().wait()


def test_a_timeout_cancels_the_step_and_fails_the_run_with_its_name() -> None:
    @component
    async def by_block() -> None:
        async with asyncio.timeout(0.001):
            await hangs()

    @component
    async def by_wait() -> None:
        await asyncio.wait_for(hangs(), 0.001)

    for run in (by_block, by_wait):
        with memory_journal() as journal, pytest.raises(TimeoutError):
            asyncio.run(run())
        assert only(journal, "step_cancelled")["error_type"] == "asyncio.exceptions.CancelledError"
        failed = only(journal, "run_failed")
        assert failed["error_type"] == "TimeoutError"
        assert "by_" in failed["error_stack"]


def test_a_step_that_times_out_by_itself_has_failed_with_a_timeout() -> None:
    @step
    async def limited() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    @step
    def waits() -> None:
        concurrent.futures.Future[None]().result(0.001)

    @component
    async def run() -> None:
        with pytest.raises(TimeoutError):
            await limited()
        with pytest.raises(TimeoutError):
            waits()

    with memory_journal() as journal:
        asyncio.run(run())
    assert [each["error_type"] for each in of_kind(journal, "step_failed")] == ["TimeoutError"] * 2
    assert only(journal, "run_completed")["run_errors"] == 2


def test_a_task_group_records_the_failure_and_the_siblings_it_cancelled() -> None:
    @step
    async def breaks() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    @component
    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hangs())
            group.create_task(breaks())

    with memory_journal() as journal, pytest.raises(ExceptionGroup):
        asyncio.run(run())
    assert only(journal, "step_failed")["step_key"] == "@1/breaks#0"
    assert only(journal, "step_cancelled")["step_key"] == "@0/hangs#0"
    failed = only(journal, "run_failed")
    assert failed["error_type"] == "ExceptionGroup"
    assert "ValueError: broken" in failed["error_stack"]


def test_retried_steps_have_ordinals_and_retried_runs_an_attempt() -> None:
    left = [0, 1]

    @step
    def flaky() -> str:
        if left.pop():
            raise OSError("away")
        return "done"

    @component
    def run() -> str:
        with pytest.raises(OSError, match="away"):
            flaky()
        return flaky()

    with memory_journal() as journal, run_options(attempt=3):
        run()
    assert only(journal, "step_failed")["step_key"] == "flaky#0"
    assert only(journal, "step_completed")["step_key"] == "flaky#1"
    assert {each.run.attempt for each in journal.events} == {3}


@pytest.mark.parametrize("wrong", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_recorded_and_goes_on(wrong: type[BaseException]) -> None:
    @component
    def run() -> None:
        raise wrong

    with memory_journal() as journal, pytest.raises(wrong):
        run()
    assert only(journal, "run_failed")["error_type"] == wrong.__name__


def test_options_reach_child_runs_in_tasks_and_threads() -> None:
    seen: list[tuple[Any, ...]] = []

    @component
    def child() -> None:
        run = current_run()
        seen.append((run.session, run.tenant, run.tags))

    @component
    async def parent() -> None:
        child()
        await asyncio.gather(asyncio.to_thread(child))
        thread = threading.Thread(target=child)
        thread.start()
        await asyncio.to_thread(thread.join)

    with memory_journal() as journal, run_options(session="s", tenant="t", tags=["a", "b"]):
        asyncio.run(parent())
    assert seen == [("s", "t", ("a", "b"))] * 3
    started = of_kind(journal, "run_started")
    assert {(each["session"], each["tenant"], tuple(each["tags"])) for each in started} == {
        ("s", "t", ("a", "b"))
    }
    last = next(each for each in of_kind(journal, "run_completed") if each["name"] == "parent")
    assert len(last["children"]) == 3


def test_one_loop_after_another_records_alike() -> None:
    @step
    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @component
    async def run(number: int) -> int:
        return sum(await asyncio.gather(work(number), work(number)))

    with memory_journal() as journal:
        assert [asyncio.run(run(number)) for number in range(3)] == [0, 2, 4]
    found = [each["step_key"] for each in of_kind(journal, "step_completed")]
    assert found == ["@0/work#0", "@1/work#0"] * 3
