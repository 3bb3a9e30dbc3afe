"""A fleet: many customers at once, each with a seeded conversation of one to three turns.

`python -m examples.support_agent.fleet --conversations 300` runs it against the log that is
configured, and prints what it did.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.producers import Tailrace, run_options
from tailrace.schemas.errors import TailraceError

from .agent import Message, NoAnswerError, support
from .chat_model import ModelError
from .desk import open_desk
from .model_server import Script
from .questions import conversation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONVERSATIONS = 300
CONCURRENCY = 32
ERROR_RATE = 0.02
"""Share of the questions for which the scripted model's endpoint fails, as real ones do."""


@dataclass
class FleetSummary:
    """What the fleet did."""

    conversations: int = 0
    """Customers served."""

    runs: int = 0
    """Turns: calls of the component `support`. Child runs are not among them."""

    ok: int = 0
    """Turns that were answered."""

    failed: Counter[str] = field(default_factory=Counter[str])
    """Turns that failed, by the exception's name."""

    seconds: float = 0.0
    """From the first question to the last answer."""

    scripted: bool = True
    """Whether our scripted model answered."""


async def run_fleet(
    conversations: int = CONVERSATIONS,
    *,
    concurrency: int = CONCURRENCY,
    seed: int = 7,
    error_rate: float = ERROR_RATE,
    scripted: bool = False,
) -> FleetSummary:
    """Serve that many customers, at most `concurrency` at once.

    Records to the log if a `Tailrace` is open around it. A turn that fails ends its conversation,
    never the fleet.

    Args:
        conversations: how many customers come.
        concurrency: how many are served at once.
        seed: decides what they say.
        error_rate: for the scripted model.
        scripted: use the scripted model even if a key is set.
    """
    summary = FleetSummary()
    waiting = iter(range(conversations))
    async with open_desk(Script(seed, error_rate), scripted=scripted) as desk:
        summary.scripted = desk.scripted
        began = time.monotonic()
        await asyncio.gather(*(_serve(waiting, seed, summary) for _ in range(concurrency)))
        summary.seconds = time.monotonic() - began
    return summary


async def _serve(waiting: Iterator[int], seed: int, summary: FleetSummary) -> None:
    for number in waiting:
        summary.conversations += 1
        with run_options(session=f"customer-{seed}-{number}"):
            await _converse(conversation(seed * 1_000_003 + number), summary)


async def _converse(questions: Sequence[str], summary: FleetSummary) -> None:
    earlier: list[Message] = []
    for question in questions:
        summary.runs += 1
        try:
            answer = await support(question, earlier)
        except (ModelError, NoAnswerError) as error:
            summary.failed[type(error).__name__] += 1
            return
        summary.ok += 1
        earlier += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]


async def _main(conversations: int, concurrency: int) -> None:
    async with Tailrace():
        summary = await run_fleet(conversations, concurrency=concurrency)
    if summary.scripted:
        print("No OPENAI_API_KEY is set: a scripted model answered, not a language model.")
    print(
        f"{summary.conversations} conversations, {summary.runs} runs: {summary.ok} ok, "
        f"{summary.failed.total()} failed, {summary.seconds:.1f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="fleet", description=__doc__)
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY)
    told = parser.parse_args()
    try:
        asyncio.run(_main(told.conversations, told.concurrency))
    except TailraceError as error:
        sys.exit(f"error: {error}")
