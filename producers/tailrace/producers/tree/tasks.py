"""Branches for tasks: while a recorded run is in progress on a loop, each new task opens one.

The loop's task factory is the only place that sees a task when it is made, in the order in which
the parent makes them; what the parent does afterwards cannot change the number. The factory that
was there before is called for the task itself, and is put back when no run is left on the loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tailrace.producers.tree.beside import beside
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Generator


class _Branching:
    """A task factory around the loop's own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.runs = 0

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        place = PLACE.get()
        # A context handed over on purpose is the caller's own: its place stands.
        own = None if place is None or options.get("context") is not None else beside(place)
        if own is not None:
            context = contextvars.copy_context()
            context.run(PLACE.set, own)
            options["context"] = context
        if self.inner is None:
            return asyncio.Task(coro, loop=loop, **options)
        return self.inner(loop, coro, **options)


_FACTORIES: WeakKeyDictionary[asyncio.AbstractEventLoop, _Branching] = WeakKeyDictionary()


@contextmanager
def branching() -> Generator[None]:
    """Give tasks that are made on the running loop a branch of their own, within the block."""
    loop = asyncio.get_running_loop()
    factory = _FACTORIES.get(loop)
    if factory is None or loop.get_task_factory() is not factory:
        factory = _Branching(loop.get_task_factory())
        loop.set_task_factory(factory)
        _FACTORIES[loop] = factory
    factory.runs += 1
    try:
        yield
    finally:
        factory.runs -= 1
        if factory.runs == 0 and loop.get_task_factory() is factory:
            loop.set_task_factory(factory.inner)
            _FACTORIES.pop(loop, None)
