"""Asks both servers now and then whether they are there, also while there is nothing to store."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tailrace.sinks.archive.health import Health

_log = logging.getLogger(__name__)

PAUSE_S = 5.0
ANSWER_WITHIN_S = 5.0


async def watch(health: Health, ask: Mapping[str, Callable[[], Awaitable[bool]]]) -> None:
    """Tell `health` of each server that answers, until cancelled.

    Args:
        health: is told.
        ask: by the server's name, what asks it once; it returns whether it is well, or raises.
    """
    for server in ask:
        health.answered(server)
    await asyncio.gather(*(_watch_one(health, server, once) for server, once in ask.items()))


async def _watch_one(health: Health, server: str, once: Callable[[], Awaitable[bool]]) -> None:
    pause_s = min(PAUSE_S, health.stuck_after_s / 4)
    while True:
        try:
            if await asyncio.wait_for(once(), ANSWER_WITHIN_S):
                health.answered(server)
        except Exception as error:  # noqa: BLE001 - any failure is the same finding: no answer
            _log.info("%s does not answer: %s", server, type(error).__name__)
        await asyncio.sleep(pause_s)
