"""A function's arguments by name, as they were given; the receiver of a method is left out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tailrace.producers.capture import json_of

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
        self._names = positional
        self._lists = lists

    def record(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> dict[str, bytes | list[bytes]]:
        """Return each argument's JSON by its parameter's name.

        A default that was not given is left out: a new parameter with one changes no digest.
        """
        parts: dict[str, bytes | list[bytes]] = {}
        names = self._names
        for place in range(self._skip, min(len(args), len(names))):
            parts[names[place]] = self._part(names[place], args[place])
        if len(args) > len(names):
            parts[self._rest] = json_of(list(args[len(names) :]))
        for name, value in kwargs.items():
            parts[name] = self._part(name, value)
        return parts

    def _part(self, name: str, value: Any) -> bytes | list[bytes]:
        if name in self._lists and isinstance(value, list):
            return [json_of(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - the user's
        return json_of(value)
