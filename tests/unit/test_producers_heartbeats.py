"""A run in progress for long gives signs of life that name its open steps."""

from __future__ import annotations

import asyncio

from support.journal import of_kind, only
from tailrace.producers import Tailrace, component, step
from tailrace.producers.testing import memory_journal

NEVER = 0.0


def beat(client: Tailrace | None) -> None:
    assert client is not None
    client.give_signs_of_life()


def test_a_heartbeat_names_the_run_and_its_open_steps_outermost_first() -> None:
    with memory_journal(heartbeat_s=1e-9) as journal:

        @step
        def inner() -> None:
            beat(journal.client)

        @step
        def outer() -> None:
            inner()

        @component("parent")
        def parent() -> None:
            child()

        @component("child")
        def child() -> None:
            outer()

        parent()
    first, second = journal.heartbeats
    started = {each["run_id"]: each for each in of_kind(journal, "run_started")}
    ids = {each["step_key"]: each["step_id"] for each in of_kind(journal, "step_completed")}
    assert [each["component"] for each in (first, second)] == ["parent", "child"]
    assert (first["open_step_keys"], first["events"]) == ([], 1)
    assert second["open_step_keys"] == ["outer#0", "outer#0/inner#0"]
    assert second["open_step_ids"] == [ids["outer#0"], ids["outer#0/inner#0"]]
    assert second["root_run_id"] == second["parent_run_id"] == first["run_id"]
    for each in (first, second):
        assert each["started_at"] == started[each["run_id"]]["started_at"]
        assert ":" in each["process"]
    assert [each.seq for each in journal.events if each.run.run_id == second["run_id"]] == [
        *range(4),
    ]


def test_a_heartbeat_comes_only_when_it_is_due_and_not_at_all_when_not_wanted() -> None:
    for interval_s, expected in ((1e-9, 2), (3600.0, 0), (NEVER, 0)):
        with memory_journal(heartbeat_s=interval_s) as journal:

            @component
            def run(client: Tailrace | None) -> None:
                beat(client)
                beat(client)

            run(journal.client)
            beat(journal.client)
        assert len(journal.heartbeats) == expected
        assert only(journal, "run_completed")["last_seq"] == 1


def test_many_open_steps_make_no_large_heartbeat() -> None:
    with memory_journal(heartbeat_s=1e-9) as journal:
        gate = asyncio.Event()

        @step
        async def waits() -> None:
            await gate.wait()

        @component
        async def run() -> None:
            tasks = [asyncio.create_task(waits()) for _ in range(300)]
            await asyncio.sleep(0)
            beat(journal.client)
            gate.set()
            await asyncio.gather(*tasks)

        asyncio.run(run())
    (heartbeat,) = journal.heartbeats
    assert len(heartbeat["open_step_keys"]) == 100
