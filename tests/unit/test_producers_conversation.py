"""A conversation takes bytes with its turns, not their square; nobody refers to it too early."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tailrace.producers import component, run_options, step
from tailrace.producers.testing import Journal, memory_journal
from tailrace.schemas.payloads import ListChain
from tailrace.schemas.topics import BODIES, RUNS, STEPS


def text(number: int, size: int) -> str:
    """Return what cannot be told shorter."""
    digests = [hashlib.sha256(f"{number} {part}".encode()).hexdigest() for part in range(size)]
    return "".join(digests)[:size]


def held(turns: int, size: int, *, kind: str, run_a_turn: bool) -> Journal:
    history: list[dict[str, str]] = []

    @step(kind=kind, effect="read")
    def answer(messages: list[dict[str, str]]) -> str:
        return text(len(messages), size)

    def exchange(question: str) -> str:
        history.append({"role": "user", "content": question})
        history.append({"role": "assistant", "content": answer(history)})
        return history[-1]["content"]

    @component
    def turn(question: str) -> str:
        return exchange(question)

    @component
    def conversation() -> None:
        for number in range(turns):
            exchange(text(-number, size))

    with memory_journal() as journal, run_options(session="s"):
        if run_a_turn:
            for number in range(turns):
                turn(text(-number, size))
        else:
            conversation()
    return journal


def size_of(journal: Journal) -> int:
    return sum(len(record.value) for record in journal.log if record.topic in {RUNS, STEPS, BODIES})


@pytest.mark.parametrize("run_a_turn", [False, True])
@pytest.mark.parametrize("size", [100, 1000])
def test_bytes_grow_with_the_turns(size: int, *, run_a_turn: bool) -> None:
    sizes = [
        size_of(held(turns, size, kind="llm", run_a_turn=run_a_turn)) for turns in (20, 40, 60)
    ]
    first, second = sizes[1] - sizes[0], sizes[2] - sizes[1]
    assert second == pytest.approx(first, rel=0.05)


def test_a_long_conversation_in_a_run_takes_a_twentieth_of_its_history_told_each_turn() -> None:
    chained, whole = (
        size_of(held(100, 1000, kind=kind, run_a_turn=False)) for kind in ("llm", "tool")
    )
    assert whole / chained > 20


def test_every_turn_still_gives_its_whole_history_back() -> None:
    journal = held(12, 300, kind="llm", run_a_turn=True)
    answers = [event for event in journal.events if event.kind == "step_completed"]
    for number, event in enumerate(answers):
        given: dict[str, Any] = journal.value(event.flatten()["input"])
        assert len(given["messages"]) == 2 * number + 1


def test_a_list_is_built_on_only_once_its_bodies_are_on_their_way() -> None:
    chain = ListChain()
    first = [b'"%d %s"' % (number, b"x" * 600) for number in range(2)]
    planned = chain.plan(first)
    again = chain.plan([*first, b'"more"'])
    # Nobody was told of the first list, so the second says everything itself.
    assert (again.reused, again.bodies[0].previous) == ((), "")
    chain.learn(planned)
    built = chain.plan([*first, b'"more"'])
    assert [body.previous for body in built.bodies] == [planned.bodies[-1].sha256]
