"""Stream workers for tests, each in a process of its own, as in the field: it can be killed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tailrace.schemas.errors import TailraceError
from tailrace.streams.app import StreamOptions, StreamStats, run_stream
from tailrace.streams.assemble import Assembly, Folded
from tailrace.streams.execution import Limits

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from tailrace.streams.run_state import Place

_STOP_S = 20.0
NEVER = -1000
"""Stands for the exit code of a worker that does not stop when it is told to."""

TOLD = 3
"""Exit code of a worker that ended with a sentence."""


def spawn_worker(options: StreamOptions, breaks_at: str = "") -> subprocess.Popen[bytes]:
    """Start a worker; the caller ends it by its pid.

    Args:
        options: its settings.
        breaks_at: a run whose records make its fold raise, as a defect of ours would.
    """
    options.data.mkdir(parents=True, exist_ok=True)
    told = {**asdict(options), "data": str(options.data), "breaks_at": breaks_at}
    with (options.data / "worker.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, __file__, json.dumps(told)], stdout=output, stderr=output
        )


@contextlib.contextmanager
def running_workers(
    options: StreamOptions, count: int = 1, breaks_at: str = ""
) -> Generator[list[subprocess.Popen[bytes]]]:
    """Run workers for the length of the block, each with a folder of its own."""
    workers = [
        spawn_worker(replace(options, data=options.data / str(number)), breaks_at)
        for number in range(count)
    ]
    try:
        yield workers
    finally:
        codes = [end_worker(worker) for worker in workers]
    assert set(codes) <= {0, -signal.SIGKILL}, f"workers ended with {codes}"


def end_worker(worker: subprocess.Popen[bytes]) -> int:
    """Stop a worker as a supervisor does; return its exit code."""
    worker.send_signal(signal.SIGCONT)
    worker.terminate()
    try:
        return worker.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
        return NEVER


def main() -> None:
    """Be the process of `spawn_worker`: 3 for an error with a sentence, 1 for any other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("options")
    told = json.loads(parser.parse_args().options)
    told["limits"] = Limits(**told["limits"])
    told["data"] = Path(told["data"])
    break_at(told.pop("breaks_at"))
    try:
        asyncio.run(serve(StreamOptions(**told)))
    except TailraceError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - its own output
        sys.exit(TOLD)


def break_at(run_id: str) -> None:
    """Have the fold raise at a run's records, half done."""
    whole = Assembly.fold_event

    def fold_event(assembly: Assembly, event: Mapping[str, Any], place: Place) -> Folded:
        folded = whole(assembly, event, place)
        if event["run_id"] == run_id:
            raise ValueError("a defect")
        return folded

    if run_id:
        cast("Any", Assembly).fold_event = fold_event


async def serve(options: StreamOptions) -> None:
    """Run a worker until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_stream(options, stop, stats=StreamStats())


if __name__ == "__main__":
    main()
