"""What a process that is killed leaves on the log: the run and step it was in, its last sign."""

from __future__ import annotations

import signal
import subprocess
import sys

from support.journal import read_events, read_records
from support.waiting import wait_until
from tailrace.schemas.topics import RUNS, STEPS

_AGENT = """
import sys, threading
from tailrace.producers import Tailrace, component, step

@step
def done():
    return 1

@step(kind="tool")
def hangs(order_id):
    threading.Event().wait()

@step
def plan():
    hangs("A-17")

@component
def agent():
    done()
    plan()

with Tailrace(sys.argv[1], prefix=sys.argv[2], step_started_after_s=0.3, heartbeat_s=0.5):
    agent()
"""


def test_a_killed_process_leaves_the_step_it_was_in_and_its_last_sign_of_life(
    kafka: str, topic_prefix: str
) -> None:
    process = subprocess.Popen([sys.executable, "-c", _AGENT, kafka, topic_prefix])

    def heartbeats() -> list[dict[str, object]]:
        try:
            found = read_records(kafka, topic_prefix, RUNS)
        except KeyError:  # no topic yet
            return []
        return [each for each in found if "open_step_keys" in each]

    try:
        wait_until(
            lambda: any(each["open_step_keys"] for each in heartbeats()), "a heartbeat", poll_s=0.3
        )
        wait_until(
            lambda: len(read_records(kafka, topic_prefix, STEPS)) == 3,
            "the steps to be announced",
            poll_s=0.3,
        )
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    events = read_events(kafka, topic_prefix)
    assert [each["kind"] for each in events] == [
        "run_started",
        "step_completed",
        "step_started",
        "step_started",
    ]
    outer, inner = events[2:]
    assert (outer["step_key"], inner["step_key"]) == ("plan#0", "plan#0/hangs#0")
    assert inner["input"] == '{"order_id":"A-17"}'
    last = heartbeats()[-1]
    assert last["run_id"] == events[0]["run_id"]
    assert last["open_step_ids"] == [outer["step_id"], inner["step_id"]]
    assert str(last["process"]).endswith(f":{process.pid}")
    assert last["interval_ms"] == 500
