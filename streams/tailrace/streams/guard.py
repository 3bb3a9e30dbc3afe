"""When a worker has to end: on a failure, or when others own what it is about to write for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tailrace.streams.liveness import Liveness

TRUSTED_SHARE = 2 / 3
"""Of its session; a process that did not run for longer may have been missed by its group: its last
heartbeat was sent up to a third of a session before it stopped."""


class LostPartitionsError(TailraceError):
    """The process was stopped or starved for so long that its group gave its partitions away."""


class Guard:
    """Tells the worker to end.

    Args:
        session_s: after so long without a heartbeat the group gives the partitions to others.
        health: told of a failure.
        still_member: asks the group, with the generation that the partitions were assigned in.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        session_s: float,
        health: Liveness,
        still_member: Callable[[], Awaitable[bool]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trusted_s = session_s * TRUSTED_SHARE
        self._health = health
        self._still_member = still_member
        self._clock = clock
        self._turned_at = clock()
        self._slept_s = 0.0
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises why the worker cannot go on."""

    def fail(self, error: BaseException) -> None:
        """End the worker; what is not published yet is acknowledged by nobody."""
        self._health.failed(str(error))
        if not self.failure.done():
            self.failure.set_exception(error)

    def turned(self) -> None:
        """Note that this process runs; called more often than it is missed by anybody."""
        now = self._clock()
        slept_s = now - self._turned_at
        self._turned_at = now
        if slept_s > self._trusted_s:
            self._slept_s = slept_s

    async def confirm(self) -> None:
        """Return if what the worker owns is still its own; asked before anything is written.

        Raises:
            LostPartitionsError: if it slept, and the group says that it is no member any more.
        """
        self.turned()
        if self._slept_s and not self.failure.done():
            if not await self._still_member():
                self.fail(
                    LostPartitionsError(
                        f"the worker did not run for {self._slept_s:.1f} s and its group gave its "
                        "partitions to others: it ends before it writes anything; start it again"
                    )
                )
            self._slept_s = 0.0
        if self.failure.done():
            error = self.failure.exception()
            assert error is not None, "it only ever fails"
            raise error
