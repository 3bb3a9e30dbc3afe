"""Feedback on a real broker: on the log when the call returns, of the execution that it names."""

from __future__ import annotations

import asyncio

from support.journal import read_events, read_records
from tailrace.producers import Tailrace, component, current_run, feedback
from tailrace.schemas.topics import SCORES


@component("shop")
def shop() -> tuple[str, str]:
    feedback("quick", value=True)
    return current_run().trace_id, current_run().root_run_id


def test_feedback_lies_on_the_log_when_it_returns(kafka: str, topic_prefix: str) -> None:
    with Tailrace(kafka, prefix=topic_prefix):
        trace_id, root_run_id = shop()
        given = feedback("stars", 5, trace_id=trace_id, root_run_id=root_run_id)
        assert given.acknowledged
        found = {each["scorer"]: each for each in read_records(kafka, topic_prefix, SCORES)}
    assert sorted(found) == ["quick", "stars"]
    event = read_events(kafka, topic_prefix)[0]
    for score in found.values():
        for name in ("trace_id", "root_run_id", "component", "deployment", "code_digest"):
            assert score[name] == event[name], name


def test_feedback_on_a_loop_is_on_the_log_when_awaited(kafka: str, topic_prefix: str) -> None:
    @component("loop")
    async def run() -> tuple[str, str]:
        return current_run().trace_id, current_run().root_run_id

    async def main() -> None:
        async with Tailrace(kafka, prefix=topic_prefix):
            trace_id, root_run_id = await run()
            await feedback("stars", 4, trace_id=trace_id, root_run_id=root_run_id)
            assert len(await asyncio.to_thread(read_records, kafka, topic_prefix, SCORES)) == 1

    asyncio.run(main())
