"""A topic that a sender follows on its own loop, from when the broker answers until it closes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from tailrace.producers.delivery.outlet import Following
from tailrace.schemas.topic_follower import TopicFollower, TopicUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger("tailrace.producers")

_READ_S = 10.0
_AGAIN_S = 1.0
_END_S = 3.0


class Followed:
    """One followed topic. Everything but the constructor belongs to the sender's loop.

    Args:
        topic: its full name.
        take: called with offset and value of each record.
        options: the connection arguments of an aiokafka client.
        connected: set once the sender has reached the broker.
    """

    def __init__(
        self,
        topic: str,
        take: Callable[[int, bytes | None], None],
        options: Mapping[str, Any],
        connected: asyncio.Event,
    ) -> None:
        self._follower = TopicFollower(
            topic, lambda record: take(record.offset, record.value), options=options
        )
        self._connected = connected
        self._task: asyncio.Task[None] | None = None
        self.following = Following(lambda: self._follower.heard_at)

    def begin(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._read(), name=f"begin {self._follower.topic}")

    async def end(self) -> None:
        """Stop reading, within a few seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.wait({asyncio.ensure_future(self._follower.stop())}, timeout=_END_S)

    async def _read(self) -> None:
        await self._connected.wait()
        while True:
            try:
                await self._follower.start(_READ_S)
            except TopicUnreachableError as error:
                _log.warning("tailrace: %s", error)
                await asyncio.sleep(_AGAIN_S)
            else:
                self.following.ready.set_result(None)
                return
