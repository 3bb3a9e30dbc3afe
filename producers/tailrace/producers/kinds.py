"""Which functions can be decorated."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable


class UnsupportedFunctionError(TailraceError):
    """What was decorated is nothing that can be recorded yet."""


def require_function(function: Callable[..., Any], decorator: str) -> None:
    """Raise unless it is a function of any sort.

    Raises:
        UnsupportedFunctionError: for a class or a built-in descriptor.
    """
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, (staticmethod, classmethod)):
        raise UnsupportedFunctionError(
            f"@{decorator} on {name}: put it below @staticmethod or @classmethod, on the function"
        )
    if isinstance(function, type) or not callable(function):
        raise UnsupportedFunctionError(f"@{decorator} on {name}: only functions can be decorated")


def require_no_generator(function: Callable[..., Any]) -> None:
    """Raise for a generator function, which cannot be a component yet.

    Raises:
        UnsupportedFunctionError: for a generator or async generator function.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UnsupportedFunctionError(
            f"@component on {function.__qualname__}: a generator cannot be a component yet; make "
            "it a step, and the function that consumes it a component"
        )
