"""Forked children record on a sender of their own, in their place in the tree, and never hang."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.journal import assert_whole, read_events, runs_of
from tailrace.producers import Tailrace, component, current_run, step
from tailrace.producers.recording import recorded_step
from tailrace.producers.recording.definition import StepDefinition
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkContext

# Python 3.12 warns of a fork beside threads, and the sender is one: it is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

_FORK: ForkContext = multiprocessing.get_context("fork")
_TIMEOUT_S = 30
_OPENS_ITSELF = 200


@step
def work(number: int) -> int:
    return number


@component
def job(number: int) -> int:
    return work(number)


def forked(target: Callable[..., object], *args: object) -> None:
    process = _FORK.Process(target=target, args=args)
    process.start()
    process.join(_TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
    assert process.exitcode == 0


def test_workers_forked_from_an_open_client_record_their_own_runs(
    kafka: str, topic_prefix: str
) -> None:
    def worker(first: int) -> None:
        if first == _OPENS_ITSELF:
            client.open()
        for number in range(first, first + 10):
            assert job(number) == number

    with Tailrace(kafka, prefix=topic_prefix) as client:
        client.open()  # once more, which changes nothing
        job(0)
        workers = [_FORK.Process(target=worker, args=(100 * n,)) for n in range(1, 4)]
        for process in workers:
            process.start()
        job(1)
        for process in workers:
            process.join(_TIMEOUT_S)
        assert [process.exitcode for process in workers] == [0, 0, 0]
        job(2)
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert len(runs_of(events)) == 33
    assert {each["root_run_id"] for each in events} == {each["run_id"] for each in events}


def test_a_component_in_a_forked_child_claims_an_offer_of_the_run_around_the_fork(
    kafka: str, topic_prefix: str
) -> None:
    @step
    def spread() -> None:
        forked(job, 7)

    @component
    def parent() -> None:
        spread()

    with Tailrace(kafka, prefix=topic_prefix):
        parent()
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    root, child = sorted(runs_of(events).values(), key=lambda run: run[0]["component"] == "job")
    assert root[-1]["offers"] == [child[0]["offer"]]
    assert root[-1]["children"] == []
    assert child[0]["trace_id"] == root[0]["trace_id"]
    assert child[0]["root_run_id"] == child[0]["parent_run_id"] == root[0]["run_id"]
    # Where the machine is slow, it was announced before: a child takes a second to start.
    (spreading,) = [each for each in root if each["kind"] == "step_completed"]
    assert child[0]["caller_step_id"] == spreading["step_id"]


def test_steps_in_a_forked_child_are_a_run_that_continues_their_own(
    kafka: str, topic_prefix: str
) -> None:
    def steps() -> None:
        work(1)
        thread = threading.Thread(target=work, args=(2,))
        thread.start()
        thread.join()
        job(3)
        forked(work, 4)

    @component
    def parent() -> None:
        work(0)
        forked(steps)

    with Tailrace(kafka, prefix=topic_prefix):
        parent()
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    runs = list(runs_of(events).values())
    root = next(run for run in runs if not run[0]["parent_run_id"])
    (child,) = [run for run in runs if run[0]["parent_run_id"] == root[0]["run_id"]]
    below = [run for run in runs if run[0]["parent_run_id"] == child[0]["run_id"]]
    assert root[-1]["offers"] == [child[0]["offer"]]
    assert child[-1]["kind"] == "run_completed"
    assert {each["step_key"] for each in child[1:-1]} == {"work#0", "@0/work#0"}
    assert [each["component"] for each in (root[0], child[0])] == ["parent", "parent"]
    job_run, grandchild = sorted(below, key=lambda run: run[0]["component"] == "parent")
    assert child[-1]["children"] == [job_run[0]["run_id"]]
    assert child[-1]["offers"] == [grandchild[0]["offer"]]
    assert {each["root_run_id"] for each in events} == {root[0]["run_id"]}


def test_a_child_that_records_nothing_leaves_no_offer_open(kafka: str, topic_prefix: str) -> None:
    read, write = os.pipe()

    @component
    def parent() -> None:
        forked(os.getpid)
        waiting.start()

    waiting = _FORK.Process(target=os.read, args=(read, 1))
    with Tailrace(kafka, prefix=topic_prefix):
        parent()
        os.write(write, b".")
        waiting.join(_TIMEOUT_S)
    os.close(read)
    os.close(write)
    (last,) = [each for each in read_events(kafka, topic_prefix) if each["last_seq"] is not None]
    assert len(last["offers"]) == 1, "of the child that still ran and might have recorded"


_IN_EVERY_CHILD: dict[str, Callable[[], object]] = {}
os.register_at_fork(after_in_child=lambda: [each() for each in _IN_EVERY_CHILD.values()])


def test_a_thread_that_a_library_starts_in_every_child_takes_no_offer_and_no_number(
    kafka: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_a_thread() -> None:
        thread = threading.Thread(target=work, args=(7,))
        thread.start()
        thread.join()

    @component
    def parent() -> None:
        forked(os.getpid)
        forked(begin_a_thread)

    idle = threading.Event()

    def start_thread() -> None:
        threading.Thread(target=idle.wait, daemon=True).start()

    monkeypatch.setitem(_IN_EVERY_CHILD, "a library", start_thread)
    with Tailrace(kafka, prefix=topic_prefix):
        parent()
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    root, child = sorted(runs_of(events).values(), key=lambda run: bool(run[0]["offer"]))
    assert root[-1]["offers"] == [child[0]["offer"]], "and the other child's is withdrawn"
    assert child[-1]["kind"] == "run_completed"
    assert [each["step_key"] for each in child[1:-1]] == ["@0/work#0"], "no number is taken"


def told(number: int) -> tuple[int, int, str]:
    return os.getpid(), work(number), current_run().run_id


def test_the_calls_of_a_process_pool_are_recorded_in_its_workers(
    kafka: str, topic_prefix: str
) -> None:
    @component
    def parent() -> list[tuple[int, int, str]]:
        with ProcessPoolExecutor(2, mp_context=_FORK) as pool:
            return list(pool.map(told, range(6)))

    with Tailrace(kafka, prefix=topic_prefix):
        found = parent()
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    runs = runs_of(events)
    root = next(run for run in runs.values() if not run[0]["parent_run_id"])
    assert [number for _, number, _ in found] == list(range(6))
    assert os.getpid() not in {pid for pid, _, _ in found}
    assert {run_id for _, _, run_id in found} == runs.keys() - {root[0]["run_id"]}
    assert {run[0]["offer"] for run in runs.values() if run is not root} <= set(root[-1]["offers"])
    assert sum(each["kind"] == "step_completed" for each in events) == 6


_OS_FORK = """
import os, sys
from tailrace.producers import Tailrace, component, step

@step
def work(number):
    return number

@component
def parent():
    work(0)
    child = os.fork()
    work(1 if child else 2)
    return child

with Tailrace(sys.argv[1], prefix=sys.argv[2]):
    child = parent()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_of_a_plain_fork_ends_its_run_when_the_component_returns_in_it(
    kafka: str, topic_prefix: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OS_FORK, kafka, topic_prefix],
        check=False,
        timeout=_TIMEOUT_S,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    root, child = sorted(runs_of(events).values(), key=lambda run: bool(run[0]["offer"]))
    assert root[-1]["offers"] == [child[0]["offer"]]
    assert [each["kind"] for each in child] == ["run_started", "step_completed", "run_completed"]
    assert child[-1]["output"] == "0"


def test_a_fork_while_other_threads_record_neither_hangs_nor_repeats(
    kafka: str, topic_prefix: str
) -> None:
    done = threading.Event()

    @component
    def busy() -> None:
        while not done.wait(0.001):
            work(0)

    with Tailrace(kafka, prefix=topic_prefix):
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(8):
                forked(job, number)
        finally:
            done.set()
            for thread in threads:
                thread.join(_TIMEOUT_S)
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    jobs = [run for run in runs_of(events).values() if run[0]["component"] == "job"]
    assert len(jobs) == 8


def test_a_forked_child_that_cannot_reach_kafka_goes_on(
    kafka: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()

    def child() -> None:
        os.write(write, b"%d" % job(5))

    with Tailrace(kafka, prefix=topic_prefix, open_timeout_s=1.0, close_timeout_s=1.0) as client:
        job(0)
        nowhere = replace(vars(client)["_connection"], kafka="127.0.0.1:1")
        monkeypatch.setattr(client, "_connection", nowhere)
        forked(child)
    assert os.read(read, 10) == b"5"
    os.close(read)
    os.close(write)
    assert len(runs_of(read_events(kafka, topic_prefix))) == 1


def test_locks_that_other_threads_hold_at_the_fork_do_not_hang_the_child(
    kafka: str, topic_prefix: str
) -> None:
    held, release = threading.Event(), threading.Event()

    @component
    def holder() -> None:
        place = PLACE.get()
        assert place is not None
        recording = place.recording
        locks: list[Any] = [
            vars(recorded_step)["_branching"],
            getattr(vars(StepDefinition)["digest"], "lock", threading.Lock()),
            vars(recording.client.chain)["_lock"],
            vars(recording.client.routes)["_lock"],
            recording.lock,
        ]
        for lock in locks:
            assert lock.acquire(timeout=_TIMEOUT_S)
        held.set()
        release.wait(_TIMEOUT_S)
        for lock in reversed(locks):
            lock.release()

    @step
    def outer(messages: list[dict[str, str]]) -> int:
        return work(len(messages))

    @component
    def nested() -> int:
        return outer([{"role": "user", "content": "x" * 2000}])

    def child() -> None:
        assert nested() == 1

    with Tailrace(kafka, prefix=topic_prefix):
        thread = threading.Thread(target=holder)
        thread.start()
        held.wait(_TIMEOUT_S)
        process = _FORK.Process(target=child)
        process.start()
        process.join(_TIMEOUT_S)
        ended = process.exitcode
        if ended is None:
            process.kill()
            process.join()
        release.set()
        thread.join(_TIMEOUT_S)
        assert ended == 0
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    components = sorted(run[0]["component"] for run in runs_of(events).values())
    assert components == ["holder", "nested"]
