"""Which functions can be decorated."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable


class UnsupportedFunctionError(TailraceError):
    """What was decorated is nothing that can be recorded yet."""


def require_plain_function(function: Callable[..., Any], decorator: str) -> None:
    """Raise unless it is a function or coroutine function.

    Raises:
        UnsupportedFunctionError: for a class, a built-in descriptor or a generator function.
    """
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, (staticmethod, classmethod)):
        raise UnsupportedFunctionError(
            f"@{decorator} on {name}: put it below @staticmethod or @classmethod, on the function"
        )
    if isinstance(function, type) or not callable(function):
        raise UnsupportedFunctionError(f"@{decorator} on {name}: only functions can be decorated")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UnsupportedFunctionError(
            f"@{decorator} on {name}: generator functions are not recorded yet; decorate the "
            "function that consumes it"
        )
