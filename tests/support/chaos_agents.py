"""Agents that run until their standard input ends, and write down every run that was promised.

A line of the file of promises is a run's id and number, written when the run's call has returned:
from then on the journal owes it. What a run does follows from its number alone, so that the log can
be compared with it. A program of its own: `python chaos_agents.py KAFKA PREFIX FILE FIRST`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from contextlib import suppress
from dataclasses import asdict

from tailrace.producers import Tailrace, component, current_run, step

WORKERS = 6
STEPS = 5
_LARGE_EVERY = 7
_PAUSE_S = 0.01


def output_of(number: int, place: int) -> str:
    """Return what a step of a run gives back; now and then more than stands in an event."""
    size = 12_000 if (number + place) % _LARGE_EVERY == 0 else 200
    return f"{number}/{place}:" + f"{number:06d}" * (size // 6)


@step(kind="tool", effect="read")
async def work(number: int, place: int) -> str:
    await asyncio.sleep(0)
    return output_of(number, place)


@component("chaos")
async def run(number: int) -> tuple[int, str]:
    await asyncio.gather(*(work(number, place) for place in range(STEPS)))
    return number, current_run().run_id


async def agents(kafka: str, prefix: str, promises: str, first: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    file = os.open(promises, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    client = Tailrace(kafka, prefix=prefix, ack_timeout_s=60, close_timeout_s=8, spool_after_s=0.5)

    async def worker(mine: int) -> None:
        number = first + mine
        while not ended.is_set():
            before = client.stats.unacknowledged
            done, run_id = await run(number)
            if client.stats.unacknowledged == before:
                os.write(file, f"{run_id} {done}\n".encode())
            number += WORKERS
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _PAUSE_S)

    async with client:
        await asyncio.gather(*(worker(mine) for mine in range(WORKERS)))
    print(json.dumps(asdict(client.stats)), flush=True)  # noqa: T201 - its report


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(relativeCreated)d %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    asyncio.run(agents(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
