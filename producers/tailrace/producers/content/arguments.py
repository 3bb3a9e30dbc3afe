"""A function's arguments by name, as they were given; the receiver of a method is left out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.content.capture import text_of
from tailrace.schemas.payloads import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Parameters:
    """The parameters of one decorated function, looked at once."""

    __slots__ = ("_lists", "_names", "_rest", "_skip")

    def __init__(self, function: Callable[..., Any], lists: frozenset[str]) -> None:
        """Look at a function.

        Args:
            function: what is decorated.
            lists: names of arguments that are lists of messages.
        """
        positional: list[str] = []
        self._rest = "args"
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
                positional.append(parameter.name)
            elif parameter.kind == parameter.VAR_POSITIONAL:
                self._rest = parameter.name
        # A method is known by its first parameter's name alone: it is decorated before its class
        # exists.
        self._skip = 1 if positional and positional[0] in {"self", "cls"} else 0
        self._names = positional[self._skip :]
        self._lists = lists

    def record(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> dict[str, bytes | list[bytes]]:
        """Return each argument's escaped JSON by its parameter's name.

        A default that was not given is left out: a new parameter with one changes no digest.
        """
        return escaped(self.capture(args, kwargs))

    def capture(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> dict[str, bytes | list[bytes]]:
        """Return what `record` does before keys are escaped: the part that cannot wait."""
        if self._skip:
            args = args[1:]
        names = self._names
        lists = self._lists
        parts: dict[str, bytes | list[bytes]] = {}
        if lists:
            for name, value in (*zip(names, args, strict=False), *kwargs.items()):
                parts[name] = _texts(value) if name in lists else text_of(value)
        else:
            for name, value in zip(names, args, strict=False):
                parts[name] = text_of(value)
            for name, value in kwargs.items():
                parts[name] = text_of(value)
        if len(args) > len(names):
            parts[self._rest] = text_of(list(args[len(names) :]))
        return parts


def escaped(parts: Mapping[str, bytes | list[bytes]]) -> dict[str, bytes | list[bytes]]:
    """Return captured arguments with the user's keys escaped."""
    return {
        name: escape(part) if isinstance(part, bytes) else [escape(item) for item in part]
        for name, part in parts.items()
    }


def _texts(value: Any) -> bytes | list[bytes]:
    if isinstance(value, list):
        return [text_of(item) for item in cast("list[Any]", value)]
    return text_of(value)
