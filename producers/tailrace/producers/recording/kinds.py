"""Which functions can be decorated."""

from __future__ import annotations

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
