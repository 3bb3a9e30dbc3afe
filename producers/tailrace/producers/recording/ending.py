"""How a run ends: steps still open are waited for, the last event goes out, the caller waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

from tailrace.producers.delivery.outlet import SENDER_THREAD
from tailrace.producers.process.guard import guarded, unacknowledged
from tailrace.producers.tree.forks import continuation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from tailrace.producers.client import Tailrace
    from tailrace.producers.recording.generators import Items
    from tailrace.producers.recording.recording import Recording


def end_blocking(
    begun: Recording,
    *,
    result: Any = None,
    error: BaseException | None = None,
    items: Items | None = None,
) -> None:
    """End a run, and wait until its execution is acknowledged if it is the outermost here.

    In a forked child it ends the run as it went on here; its parent's is the parent's to end.
    """
    recording = continuation(begun)
    if recording is None or not recording.client.is_open:
        return  # closed meanwhile
    client = recording.client
    try:
        waits = _waits(error)
        left = recording.steps_left()
        if left is not None and waits:
            concurrent.futures.wait([left], timeout=client.open_steps_wait_s)
        recording.leave_open_steps()
        recording.end(result=result, error=error, items=items)
        if waits:
            pending = recording.awaited()
            concurrent.futures.wait(pending, timeout=client.ack_timeout_s)
            _judge(client, pending)
    except Exception as defect:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, recording.definition.name, defect)


async def end(
    begun: Recording,
    *,
    result: Any = None,
    error: BaseException | None = None,
    items: Items | None = None,
) -> None:
    """Do what `end_blocking` does without holding the loop up."""
    recording = continuation(begun)
    if recording is None or not recording.client.is_open:
        return  # closed meanwhile
    client = recording.client
    try:
        waits = _waits(error)
        left = recording.steps_left()
        if left is not None and waits:
            await asyncio.wait([asyncio.wrap_future(left)], timeout=client.open_steps_wait_s)
        recording.leave_open_steps()
        recording.end(result=result, error=error, items=items)
        pending = recording.awaited() if waits else []
        if pending:
            waiting = [asyncio.wrap_future(future) for future in pending]
            await asyncio.wait(waiting, timeout=client.ack_timeout_s)
            _judge(client, pending)
    except Exception as defect:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, recording.definition.name, defect)


def _waits(error: BaseException | None) -> bool:
    # Who is being cancelled wants to be gone: the close of the client sees to the rest. And the
    # sender's thread, on which a forgotten generator may be collected, would wait for itself.
    on_sender = threading.current_thread().name == SENDER_THREAD
    return (error is None or isinstance(error, Exception)) and not on_sender


def _judge(client: Tailrace, pending: Iterable[Future[int]]) -> None:
    missing = sum(1 for future in pending if not future.done())
    if missing:
        unacknowledged(client, missing)
