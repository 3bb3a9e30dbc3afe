"""Threads in their place: while a client is open, what a run starts in threads stays part of it.

`threading.Thread.start` and `ThreadPoolExecutor.submit` are wrapped, for these two see a thread or
a call when it is *made*, in the order in which the run makes them: each opens a branch of its own,
as a task does. Outside of a recorded run the wrappers only look at one context variable. They are
taken away when the last client closes; where somebody else has wrapped them meanwhile they stay,
and pass everything on.

What comes with a context of its own (`asyncio.to_thread`, `copy_context().run`) has its place in
it already and is left alone.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

from tailrace.producers.tree.beside import beside
from tailrace.producers.tree.place import PLACE, Place

_Wrapper = Callable[..., Any]


class _Wrapped:
    """A method of a class that we stand around, from `stand` to `leave`."""

    def __init__(self, owner: type, name: str, make: Callable[[Any], _Wrapper]) -> None:
        self._owner = owner
        self._name = name
        self._make = make
        self._ours: _Wrapper | None = None
        self._inner: object = None

    def stand(self) -> None:
        """Wrap what stands, unless we are a part of it still."""
        found: Any = getattr(self._owner, self._name)
        if self._ours is None or not _calls(found, self._ours):
            # Made afresh: an older one may be called by what we now call.
            self._inner = found
            self._ours = functools.wraps(found)(self._make(found))
            setattr(self._owner, self._name, self._ours)

    def leave(self) -> None:
        """Put back what we found, if nobody has wrapped us."""
        if self._ours is not None and getattr(self._owner, self._name) is self._ours:
            setattr(self._owner, self._name, self._inner)
            self._ours = None


def keep_places() -> None:
    """Begin to keep places; a second time changes nothing."""
    for wrapped in _WRAPPED:
        wrapped.stand()


def leave_places() -> None:
    """Stop, and put back what stood before."""
    for wrapped in _WRAPPED:
        wrapped.leave()


def _starting(inner: Callable[[threading.Thread], None]) -> _Wrapper:
    def start(self: threading.Thread) -> None:
        place = _opened(getattr(self, "_target", None))
        if place is None:
            inner(self)
            return
        plain = self.run

        def run() -> None:
            del self.run  # it hides the class's own, in this thread alone
            if PLACE.get() is None:
                PLACE.set(place)
            plain()

        self.run = run
        outer = PLACE.set(None)  # another wrapper below shall not open a branch again
        try:
            inner(self)
        finally:
            PLACE.reset(outer)

    return start


def _submitting(inner: Callable[..., Any]) -> _Wrapper:
    def submit(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        if PLACE.get() is None:
            return inner(self, fn, *args, **kwargs)
        place = None if type(self).__module__ == _INTERPRETERS else _opened(fn)
        if place is not None:
            fn = functools.partial(_called_at, place, fn)
        # A worker that the pool starts now serves other runs later: it belongs to none.
        outer = PLACE.set(None)
        try:
            return inner(self, fn, *args, **kwargs)
        finally:
            PLACE.reset(outer)

    return submit


def _called_at(place: Place, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    outer = PLACE.set(place)
    try:
        return fn(*args, **kwargs)
    finally:
        PLACE.reset(outer)


def _opened(fn: object) -> Place | None:
    """Open a branch for what is begun beside this line; None if it keeps its place by itself."""
    place = PLACE.get()
    return None if place is None or _has_context(fn) else beside(place)


def _has_context(fn: object) -> bool:
    if isinstance(fn, functools.partial):
        fn = fn.func
    return isinstance(getattr(fn, "__self__", None), Context)


def _calls(found: object, ours: object) -> bool:
    for _ in range(_MAX_WRAPPERS):
        if found is ours or found is None:
            break
        found = getattr(found, "__wrapped__", None)
    return found is ours


_MAX_WRAPPERS = 16
_INTERPRETERS = "concurrent.futures.interpreter"  # its calls go to interpreters that share nothing
_WRAPPED = (
    _Wrapped(threading.Thread, "start", _starting),
    _Wrapped(ThreadPoolExecutor, "submit", _submitting),
)
