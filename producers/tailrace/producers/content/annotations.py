"""Values of JSON's types back as a function's annotations have them, where they fit."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

RETURN = "return"
"""The name that a function's result has among its annotations."""


def as_annotated(function: Callable[..., Any], name: str, value: Any) -> Any:
    """Return a value in the type that an argument is annotated with, or the result.

    It stays as it is where there is no annotation, or it does not fit.

    Args:
        function: whose annotations.
        name: the argument's name, or `RETURN`.
        value: of JSON's types.
    """
    adapter = _adapters(function).get(name)
    if adapter is not None:
        with suppress(ValueError):
            return adapter.validate_python(value)
    return value


@lru_cache(maxsize=4096)
def _adapters(function: Callable[..., Any]) -> dict[str, Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - only dispatched runs need it

    found: dict[str, Any] = {}
    with suppress(Exception):  # annotations may be anything
        for name, hint in get_type_hints(function).items():
            if hint is not Any:
                with suppress(Exception):  # as above
                    found[name] = TypeAdapter(hint)
    return found
