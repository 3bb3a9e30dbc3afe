"""The example agent: a plain program that is recorded when a client is open."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from examples.support_agent.agent import support
from examples.support_agent.chat_model import ModelError
from examples.support_agent.desk import open_desk
from examples.support_agent.fleet import run_fleet
from examples.support_agent.model_server import Script

from tailrace.producers.testing import Journal, memory_journal

QUICK = Script(latency_ms=(0, 0))


def answer(question: str, script: Script = QUICK) -> str:
    async def ask() -> str:
        async with open_desk(script, scripted=True):
            return await support(question)

    return asyncio.run(ask())


def recorded(question: str) -> tuple[Journal, str]:
    with memory_journal() as journal:
        said = answer(question)
    return journal, said


def steps(journal: Journal) -> list[tuple[str, str, str]]:
    wide = [event.flatten() for event in journal.events]
    return [(e["component"], e["step_kind"], e["name"]) for e in wide if e["step_id"]]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Where is my parcel? Order A-999.", "cannot find an order A-999"),
        ("Where is my parcel?", "number of your order"),
        ("How do I return an item?", "30 days"),
        ("I am ada@example.com, where is my parcel?", "order A-"),
        ("Hello!", "welcome"),
    ],
)
def test_it_answers_without_a_client(question: str, words: str) -> None:
    assert words in answer(question)


def test_a_recorded_run_has_its_model_calls_with_tokens_and_its_tool_calls() -> None:
    journal, said = recorded("Where are my orders A-1 and A-2?")
    kinds = steps(journal)
    assert kinds[0] == ("support", "llm", "ask_model")
    assert kinds.count(("support", "tool", "find_order")) == 2
    wide = [event.flatten() for event in journal.events]
    calls = [event for event in wide if event["step_kind"] == "llm"]
    assert all(call["input_tokens"] > 0 < call["output_tokens"] for call in calls)
    assert {call["model"] for call in calls} == {"scripted-1"}
    assert journal.value(wide[-1]["output"]) == said
    assert wide[-1]["kind"] == "run_completed"


def test_a_refund_is_decided_in_a_child_run_and_written_once() -> None:
    journal, said = recorded("I want my money back for order A-1, it arrived broken.")
    starts: list[Any] = [event.flatten() for event in journal.events if event.seq == 0]
    parent, child = starts
    assert (parent["component"], child["component"]) == ("support", "refund_desk")
    assert child["parent_run_id"] == parent["run_id"]
    assert child["root_run_id"] == parent["run_id"]
    assert "A-1" in said


def test_a_tool_that_fails_is_a_failed_step_of_a_run_that_completes() -> None:
    journal, _ = recorded("Where is my parcel? Order A-999.")
    wide = [event.flatten() for event in journal.events]
    (failed,) = (event for event in wide if event["kind"] == "step_failed")
    assert failed["error_type"].endswith("UnknownOrderError")
    assert wide[-1]["kind"] == "run_completed"
    assert wide[-1]["run_errors"] == 1


def test_a_failing_endpoint_is_a_failed_run_of_its_type() -> None:
    with memory_journal() as journal, pytest.raises(ModelError):
        answer("Hello!", Script(error_rate=1.0, latency_ms=(0, 0)))
    last = journal.events[-1].flatten()
    assert last["kind"] == "run_failed"
    assert last["error_type"].endswith("ModelError")


def test_a_fleet_counts_what_it_did_and_the_journal_agrees() -> None:
    with memory_journal() as journal:
        summary = asyncio.run(run_fleet(40, concurrency=8, error_rate=0.2, scripted=True))
    ends = [event.flatten() for event in journal.events if event.kind.startswith("run_")]
    roots = [end for end in ends if end["last_seq"] is not None and not end["parent_run_id"]]
    assert summary.conversations == 40
    assert summary.ok + summary.failed.total() == summary.runs == len(roots)
    outcomes = [root["kind"] for root in roots]
    assert outcomes.count("run_completed") == summary.ok
    assert summary.failed["ModelError"] == outcomes.count("run_failed") > 0
    assert len({root["session"] for root in roots}) == 40


def test_a_fleet_with_the_same_seed_does_the_same() -> None:
    one, two = (asyncio.run(run_fleet(25, seed=3, scripted=True)) for _ in range(2))
    assert (one.runs, one.ok, one.failed) == (two.runs, two.ok, two.failed)
