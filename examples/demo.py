"""What `make demo` runs: the whole way of an event, from an agent to a table, and back to a person.

A local stack in a temporary folder, a fleet of the example agent, their traces listed and one shown
by the real commands, and every event counted in each place that it passed. With
DEMO_TRAJECTORIES=FILE recorded runs go the same way. The exit code is not 0 if a count differs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo_counts import Counts, count
from support_agent.fleet import CONVERSATIONS, FleetSummary, run_fleet

from tailrace.console.importing.lines import read_lines
from tailrace.producers import Tailrace
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.sink import SinkOptions, wait_until_stored

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

TAILRACE = Path(sys.executable).parent / "tailrace"
COMMAND_S = 120
INTERRUPTED = 130
WIDTH = "80"
"""Cells in a line, wherever the output goes: a person reads it."""
_WITH_CHILD = """
SELECT trace_id FROM events WHERE parent_run_id != '' AND kind = 'run_completed'
ORDER BY ts LIMIT 1
"""


class DemoError(Exception):
    """A part of the demo did not do what it should."""


def main() -> int:
    """Run the demo; 0 if every count agrees."""
    began = time.monotonic()
    # A container that is stopped must not leave servers behind.
    signal.signal(signal.SIGTERM, _stop)
    try:
        with ExitStack() as held:
            counts = _demo(held)
            with _part("Stopping everything, removing the folder"):
                held.close()
    except (DemoError, TailraceError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is left behind", file=sys.stderr)
        return INTERRUPTED
    verdict = "all counts agree" if counts.agree() else "THE COUNTS DIFFER"
    print(f"\n{verdict}; nothing is left behind; {time.monotonic() - began:.1f} s in all")
    return 0 if counts.agree() else 1


def _stop(_number: int, _frame: FrameType | None) -> None:
    # As Ctrl-C, which asyncio knows how to end a task by.
    signal.raise_signal(signal.SIGINT)


def _demo(held: ExitStack) -> Counts:
    folder = held.enter_context(tempfile.TemporaryDirectory(prefix="tailrace-demo-"))
    for variable in ("TAILRACE_KAFKA", "TAILRACE_CLICKHOUSE", "TAILRACE_PREFIX"):
        os.environ.pop(variable, None)
    os.environ["TAILRACE_DATA"] = folder
    with _part("Starting Kafka, ClickHouse and the sink in a temporary folder"):
        held.callback(_down)
        _quiet("up", "--detach")
    with _part(f"A fleet: {CONVERSATIONS} customers talk to the example agent, 32 at once"):
        fleet = asyncio.run(_fleet())
        _say_fleet(fleet)
    recorded = os.environ.get("DEMO_TRAJECTORIES", "")
    if recorded:
        with _part("Recorded runs go the same way"):
            _show("import", recorded, "--component", "recorded", *_grouping(Path(recorded)))
    with _part("Waiting until the archive sink has stored all of it"):
        asyncio.run(wait_until_stored(SinkOptions(), COMMAND_S))
    with _part("What a person sees"):
        _show("traces", "ls", "--limit", "8", "--width", WIDTH)
        if recorded:
            _show("traces", "ls", "--component", "recorded", "--limit", "4", "--width", WIDTH)
        _show("traces", "show", _trace_with_a_child(), "--width", WIDTH)
    with _part("Counting every event, everywhere"):
        counts = asyncio.run(count(fleet.runs))
        print("\n".join(counts.lines()))
    return counts


async def _fleet() -> FleetSummary:
    async with Tailrace():
        # Never a model that costs money, whatever key is set.
        return await run_fleet(scripted=True)


def _say_fleet(fleet: FleetSummary) -> None:
    print("  A scripted model answers, not a language model: no key is needed, none is used.")
    failed = ", ".join(f"{count} {name}" for name, count in fleet.failed.items())
    print(
        f"  {fleet.conversations} conversations, {fleet.runs} runs: {fleet.ok} ok, "
        f"{fleet.failed.total()} failed ({failed or 'none'})"
    )
    print(
        f"  {fleet.runs / fleet.seconds:,.0f} runs/s; a call returns once its run is acknowledged"
    )


@contextmanager
def _part(title: str) -> Generator[None]:
    print(f"\n== {title}", flush=True)
    began = time.monotonic()
    yield
    print(f"   {time.monotonic() - began:.1f} s", flush=True)


def _quiet(*words: str) -> str:
    """Run a command and return its output; show it only if it fails."""
    done = subprocess.run(
        [str(TAILRACE), *words], capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    if done.returncode:
        raise DemoError(
            f"`tailrace {' '.join(words)}` said: {(done.stderr or done.stdout).strip()}"
        )
    return done.stdout


def _show(*words: str) -> None:
    """Run a command as a person would, its output on the screen."""
    lines = textwrap.wrap(shlex.join(("tailrace", *words)), 74, break_on_hyphens=False)
    print("\n$ " + " \\\n    ".join(lines), flush=True)
    done = subprocess.run([str(TAILRACE), *words], timeout=COMMAND_S, check=False)
    if done.returncode:
        raise DemoError(f"`tailrace {words[0]}` ended with exit code {done.returncode}")


def _down() -> None:
    subprocess.run([str(TAILRACE), "down"], capture_output=True, timeout=COMMAND_S, check=False)


def _grouping(file: Path) -> list[str]:
    """Return the options for a file whose lines name a task and a trial, as τ-bench's do."""
    first = next((line.text for line in read_lines(file)), b"")
    fields: Any = json.loads(first) if isinstance(first, bytes) and first else {}
    if isinstance(fields, dict) and {"task_id", "trial"} <= fields.keys():
        named = {"--trace-by": "task_id", "--attempt-by": "trial", "--deployment-by": "trial"}
        return [word for option in named.items() for word in option]
    return []


def _trace_with_a_child() -> str:
    client = connect()
    try:
        found = ask(client, _WITH_CHILD)
    finally:
        client.close()
    if not found:
        raise DemoError("no stored trace has a child run")
    return str(found[0]["trace_id"])


if __name__ == "__main__":
    sys.exit(main())
