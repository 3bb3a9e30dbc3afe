"""Generators in their place: each time the body runs it runs within the step or run it belongs to.

Between two items the consumer's own place stands, so what it calls meanwhile is not taken for the
generator's. What was yielded is encoded at once, up to a bound.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tailrace.producers.content.capture import REPR, text_of
from tailrace.producers.tree.place import PLACE, UNRECORDED, Place
from tailrace.schemas.payloads import MAX_BODY_BYTES, Externalized, dumps, escape, outline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from contextvars import ContextVar

    from tailrace.producers.content.usage import StreamedUsage
    from tailrace.producers.redaction import Redaction
    from tailrace.producers.run import Run


class Items:
    """What a generator has yielded so far, as JSON."""

    __slots__ = ("_began_ns", "_left_out", "_size", "_texts", "first_item_us", "streamed")

    def __init__(self, streamed: StreamedUsage | None = None) -> None:
        """Begin.

        Args:
            streamed: for the stream of a model, to learn from its chunks what it used.
        """
        self._began_ns = time.perf_counter_ns()
        self._texts: list[bytes] = []
        self._size = 0
        self._left_out = 0
        self.first_item_us: int | None = None
        """From the start to the first item, in microseconds; None before there is one. Of a model's
        stream, the first chunk with something of the answer."""

        self.streamed = streamed

    def add(self, item: Any) -> None:
        """Take an item. Never raises for its sake."""
        brings = self.streamed is None or self.streamed.add(item)
        if self.first_item_us is None and brings:
            self.first_item_us = (time.perf_counter_ns() - self._began_ns) // 1000
        if self._size > MAX_BODY_BYTES:
            self._left_out += 1
            return
        self._texts.append(text_of(item))
        self._size += len(self._texts[-1])

    def externalized(self, redaction: Redaction | None = None) -> Externalized:
        """Return the list of the items as it stands in an event."""
        if self._left_out:
            self._texts.append(dumps({REPR: f"… {self._left_out} more items"}))
            self._left_out = 0
        whole = b"[" + b",".join(self._texts) + b"]"
        if redaction is not None:
            whole = redaction.json("output", whole)
        text, bodies = outline(escape(whole))
        return Externalized(text, bodies)


def within(
    place: Place | Run, generator: Generator[Any, Any, Any], items: Items | None
) -> Generator[Any, Any, Any]:
    """Run a generator as if it stood here, its body within a place, or an unrecorded run."""
    where = _variable(place)
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        token = where.set(place)
        try:
            item = generator.send(sent) if thrown is None else generator.throw(thrown)
        except StopIteration as stop:
            return stop.value
        finally:
            where.reset(token)
        if items is not None:
            items.add(item)
        sent = thrown = None
        try:
            sent = yield item
        except GeneratorExit:
            token = where.set(place)
            try:
                generator.close()
            finally:
                where.reset(token)
            raise
        except BaseException as error:  # noqa: BLE001 - handed on to the generator itself
            thrown = error


async def resumed(place: Place | Run | None, awaitable: Awaitable[Any]) -> Any:
    """Await one item of an async generator, its body within a place; None leaves the place."""
    if place is None:
        return await awaitable
    where = _variable(place)
    token = where.set(place)
    try:
        return await awaitable
    finally:
        where.reset(token)


def _variable(place: Place | Run) -> ContextVar[Any]:
    return PLACE if isinstance(place, Place) else UNRECORDED
