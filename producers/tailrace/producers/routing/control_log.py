"""The control topic as it comes, followed into the state that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.routing.control import apply
from tailrace.producers.routing.pointers import Control
from tailrace.schemas.topic_follower import TopicFollower
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.producers.routing.control import Applied


class ControlLog:
    """Reads the control topic to its end and tails it; on one event loop.

    Args:
        options: the connection arguments of an aiokafka client.
        prefix: of the topics' names; the configured one when None.
        on_record: called after each record that could be read, on the loop.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        prefix: str | None = None,
        *,
        on_record: Callable[[Applied], None] | None = None,
    ) -> None:
        self.control = Control()
        self._on_record = on_record
        self.follower = TopicFollower(CONTROL.name(prefix), self._take, options=options)

    def _take(self, record: Any) -> None:
        applied = apply(self.control, record.offset, record.value)
        if applied is not None and self._on_record is not None:
            self._on_record(applied)
