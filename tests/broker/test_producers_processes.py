"""Runs of several processes as one execution on a real broker."""

from __future__ import annotations

import json
import subprocess
import sys

from support.journal import assert_whole, read_events, runs_of
from tailrace.producers import Tailrace, component, inject, run_options, step

_TIMEOUT_S = 30

_SERVER = """
import json, sys
from tailrace.producers import Tailrace, component, extract, inject, step

@step
def work(number):
    return number

@component
def server(number):
    return work(number)

with Tailrace(sys.argv[1], prefix=sys.argv[2]):
    with extract(json.loads(sys.argv[3])):
        server(1)
"""


def test_an_execution_over_two_processes_says_which_offer_was_claimed_by_which_run(
    kafka: str, topic_prefix: str
) -> None:
    @step
    def call() -> None:
        headers = json.dumps(inject({}))
        subprocess.run(
            [sys.executable, "-W", "error", "-c", _SERVER, kafka, topic_prefix, headers],
            check=True,
            timeout=_TIMEOUT_S,
        )

    @component
    def caller() -> None:
        call()

    with Tailrace(kafka, prefix=topic_prefix), run_options(session="s-1", tags=["a"]):
        caller()
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    caller_run, server_run = sorted(
        runs_of(events).values(), key=lambda run: run[0]["component"] == "server"
    )
    assert caller_run[-1]["offers"] == [server_run[0]["offer"]]
    assert server_run[0]["root_run_id"] == caller_run[0]["run_id"]
    assert server_run[0]["parent_run_id"] == caller_run[0]["run_id"]
    assert server_run[0]["caller_step_id"] == caller_run[1]["step_id"]
    for name in ("trace_id", "session", "tags", "routing_key"):
        assert server_run[0][name] == caller_run[0][name]
