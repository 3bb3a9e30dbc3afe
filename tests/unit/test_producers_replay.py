"""A dispatched run that is done again: what is recorded is served, and no write is done twice."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers import component, current_run, step
from tailrace.producers.replay.dispatched import (
    DISPATCHED,
    Dispatched,
    RequestLostError,
    UnknownEffectError,
)
from tailrace.producers.replay.past import PastRun, PastStep, past_run
from tailrace.producers.testing import Journal, memory_journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from tailrace.producers.replay.past import Status

DONE: list[str] = []
"""What steps did to the world."""


@dataclass
class Order:
    order_id: str
    total: int


@step(kind="tool", effect="read")
def find(order_id: str) -> Order:
    DONE.append(f"find {order_id}")
    return Order(order_id, 12)


@step(kind="tool", effect="write")
async def refund(order_id: str, amount: int) -> str:
    DONE.append(f"refund {order_id} {amount}")
    return "refunded"


@step(kind="llm")
def speak(text: str) -> Generator[str, None, None]:
    DONE.append("speak")
    yield from text.split()


@step
async def listen() -> AsyncGenerator[int, None]:
    DONE.append("listen")
    for number in range(3):
        yield number


@step
def outer(order_id: str) -> int:
    return find(order_id).total


@component
async def helper(order_id: str) -> int:
    return outer(order_id)


@component
async def support(order_id: str) -> list[Any]:
    order = find(order_id)
    assert isinstance(order, Order)
    numbers = [current_run().random(), str(current_run().uuid()), str(current_run().now())]
    heard = [number async for number in listen()]
    totals = [await helper(order_id), await helper(f"{order_id}b")]
    done = await refund(order_id, order.total)
    return [*numbers, done, totals, heard, list(speak("all is well"))]


def dispatched(past: PastRun | None = None, **told: Any) -> Dispatched:
    return Dispatched("r1", past or PastRun(), **told)


def play(journal: Journal, how: Dispatched, call: Callable[[], Any]) -> Any:
    """Run something as a dispatched run; return what it gave, and what steps did."""
    del journal
    DONE.clear()
    token = DISPATCHED.set(how)
    try:
        return call()
    finally:
        DISPATCHED.reset(token)


def past_of(journal: Journal, root: int = 0) -> PastRun:
    roots = [run for run in journal.runs if not run.parent_run_id]
    events = [event.flatten() for event in journal.events]
    found = past_run(events, journal.value, roots[root].run_id)
    assert found is not None
    return found


def test_the_same_code_with_the_same_record_runs_nothing_again() -> None:
    with memory_journal() as journal:
        first = play(journal, dispatched(), lambda: asyncio.run(support("A-1")))
        assert "refund A-1 12" in DONE
        again = play(journal, dispatched(past_of(journal)), lambda: asyncio.run(support("A-1")))
        assert (again, DONE) == (first, [])
        one, other = (run for run in journal.runs if not run.parent_run_id)
        assert [each.name for each in one.steps] == [each.name for each in other.steps]
        started, ended = (other.events[place].flatten()["attributes"] for place in (0, -1))
        assert started["request_id"] == ended["request_id"] == "r1"
        served = [each.flatten()["attributes"] for each in other.events[1:-1]]
        assert all("served_from" in each for each in served)
        children = [run for run in journal.runs if run.parent_run_id]
        assert all("request_id" not in run.events[-1].flatten()["attributes"] for run in children)


def test_a_write_is_announced_before_its_body_runs() -> None:
    kinds: list[str] = []

    @step(effect="write")
    def send() -> None:
        kinds.extend(event.kind for event in journal.events)

    @component
    def agent() -> None:
        find("A-1")
        send()

    with memory_journal() as journal:
        play(journal, dispatched(), agent)
    assert kinds == ["run_started", "step_completed", "step_started"]


def died_at(journal: Journal, name: str) -> PastRun:
    """Return what is recorded if the process had died within a step."""
    events: list[dict[str, Any]] = []
    root = journal.runs[0].run_id
    for event in (each.flatten() for each in journal.events):
        events.append(event)
        if event["kind"] == "step_started" and event["name"] == name:
            break
    found = past_run(events, journal.value, root)
    assert found is not None
    return found


def test_a_write_that_began_and_did_not_end_follows_the_policy() -> None:
    with memory_journal() as journal:
        play(journal, dispatched(), lambda: asyncio.run(support("A-1")))
        past = died_at(journal, "refund")
        with pytest.raises(UnknownEffectError, match="refund#0 began before the worker died"):
            play(journal, dispatched(past), lambda: asyncio.run(support("A-1")))
        assert DONE == []
        play(journal, dispatched(past, on_unknown="retry"), lambda: asyncio.run(support("A-1")))
        assert DONE == ["refund A-1 12", "speak"]
        asking = dispatched(past, on_unknown="ask")
        with pytest.raises(UnknownEffectError):
            play(journal, asking, lambda: asyncio.run(support("A-1")))
        assert "refund#0 began before the worker died" in asking.fate.parked
        last = journal.last_run.events[-1].flatten()
        assert (last["kind"], "request_id" in last["attributes"]) == ("run_failed", False)


STATUSES = st.sampled_from(["failed", "started", "completed"])


@given(st.lists(STATUSES, min_size=1, max_size=5))
def test_of_several_attempts_the_one_that_tells_most_stands(statuses: list[Status]) -> None:
    past = PastRun()
    for number, status in enumerate(statuses):
        step = PastStep("s#0", status, "write", "i", "d", (), number, f"{number}", is_leaf=True)
        past.take(PastRun(f"run {number}", {"s#0": step}))
    highest = max(statuses, key=["failed", "started", "completed"].index)
    assert past.steps["s#0"].status == highest
    assert past.run_id == f"run {len(statuses) - 1}"


def test_a_child_that_is_another_workers_by_now_makes_its_root_no_answer() -> None:
    @component
    async def delegating() -> None:
        await child()

    @component
    async def child() -> None:
        await refund("A-1", 1)

    how = dispatched(is_ours=lambda: False)
    with memory_journal() as journal:
        with pytest.raises(RequestLostError):
            play(journal, how, lambda: asyncio.run(delegating()))
        assert how.fate.lost
        ends = [run.events[-1].flatten() for run in journal.runs]
        assert all("request_id" not in end["attributes"] for end in ends)


def test_a_write_that_is_another_workers_by_now_is_not_done() -> None:
    how = dispatched(is_ours=lambda: False)
    with memory_journal() as journal:
        with pytest.raises(RequestLostError):
            play(journal, how, lambda: asyncio.run(support("A-1")))
        assert "refund A-1 12" not in DONE
        last = journal.runs[0].events[-1].flatten()
        assert last["kind"] != "run_completed"
        assert "request_id" not in last["attributes"]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), st.integers(0, 6), st.data())
def test_what_is_served_is_what_was_recorded_with_the_same_input(
    ids: list[str], kept: int, data: st.DataObject
) -> None:
    changed = [data.draw(st.sampled_from([each, "z"])) for each in ids]

    @component
    def agent(orders: list[str]) -> None:
        for order in orders:
            find(order)

    with memory_journal() as journal:
        play(journal, dispatched(), lambda: agent(ids))
        past = past_of(journal)
        for key in list(past.steps)[kept:]:
            del past.steps[key]
        play(journal, dispatched(past), lambda: agent(changed))
    live = [
        f"find {after}"
        for place, (before, after) in enumerate(zip(ids, changed, strict=True))
        if place >= kept or before != after
    ]
    assert live == DONE


def test_a_step_whose_code_or_config_is_another_runs_again() -> None:
    def agent_with(version: str, tone: str) -> Callable[[], str]:
        @step(name="greet", effect="read", version=version)
        def greet() -> str:
            DONE.append("greet")
            return current_run().config["tone"]

        @component("agent", config={"tone": tone})
        def agent() -> str:
            return greet()

        return agent

    with memory_journal() as journal:
        play(journal, dispatched(), agent_with("1", "calm"))
        past = past_of(journal)
        assert play(journal, dispatched(past), agent_with("1", "calm")) == "calm"
        assert DONE == []
        play(journal, dispatched(past), agent_with("2", "calm"))
        assert DONE == ["greet"]
        assert play(journal, dispatched(past), agent_with("1", "brisk")) == "brisk"
        assert DONE == ["greet"]


def test_without_dispatch_nothing_is_served_or_announced() -> None:
    with memory_journal() as journal:
        asyncio.run(support("A-1"))
        assert {event.kind for event in journal.events} == {
            "run_started", "step_completed", "run_completed"
        }  # fmt: skip
