"""What a call waits for before it returns: its run's last event, each step's event, or nothing.

Stored means acknowledged by all in-sync replicas, or written to the spool and flushed to the disk.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Literal

from tailrace.producers.delivery.outlet import SENDER_THREAD
from tailrace.producers.process.guard import guarded, unacknowledged

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tailrace.producers.recording.recorded_step import RecordedStep

Durability = Literal["run", "step", "async"]
"""`run`: the call of a root run returns when the last events of its execution are stored. `step`:
each step's call, too, returns when its event is. `async`: no call waits."""


def wait_blocking(begun: RecordedStep | None, error: BaseException | None = None) -> None:
    """Wait until a finished step's event is stored, where steps are to wait, or the limit is up.

    Args:
        begun: the step; nothing is waited for when None.
        error: what it raised; who is being cancelled does not wait.
    """
    stored = _awaited(begun, error)
    if begun is not None and stored is not None:
        concurrent.futures.wait([stored], timeout=begun.recording.client.ack_timeout_s)
        _judge(begun, stored)


async def wait(begun: RecordedStep | None, error: BaseException | None = None) -> None:
    """Do what `wait_blocking` does without holding the loop up."""
    stored = _awaited(begun, error)
    if begun is not None and stored is not None:
        limit_s = begun.recording.client.ack_timeout_s
        await asyncio.wait([asyncio.wrap_future(stored)], timeout=limit_s)
        _judge(begun, stored)


def _awaited(begun: RecordedStep | None, error: BaseException | None) -> Future[int] | None:
    if begun is None or begun.recording.client.durability != "step":
        return None
    if error is not None and not isinstance(error, Exception):
        return None
    # On the sender's thread, where a forgotten generator may be collected, it would wait for itself
    if threading.current_thread().name == SENDER_THREAD:
        return None
    recording = begun.recording
    try:
        return recording.client.outlet.stored(recording.lane)
    except Exception as defect:  # noqa: BLE001 - recording never breaks the agent
        guarded(recording.client, begun.key, defect)
        return None


def _judge(begun: RecordedStep, stored: Future[int]) -> None:
    if not stored.done():
        unacknowledged(begun.recording.client, 1)
