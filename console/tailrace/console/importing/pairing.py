"""Which tool message answers which call: the recording's own ids, read with the care they need.

Recordings repeat call ids within one conversation, leave calls unanswered, and hold answers that
nobody asked for. Nothing of that is refused: it is kept, and said on the step.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.console.importing.trajectory import Message

ANSWERING_ROLES = frozenset({"tool", "function"})
KNOWN_ROLES = ANSWERING_ROLES | {"system", "developer", "user", "assistant"}
UNKNOWN_TOOL = "unknown"
"""The name of a tool step whose message neither answers a call nor says a name."""


@dataclass(frozen=True)
class ModelCall:
    """An assistant message: one call of the model."""

    place: int
    """Index of the message."""


@dataclass(frozen=True)
class ToolCall:
    """A tool message: one call of a tool that came back."""

    place: int
    """Index of the message."""

    name: str
    """The tool, by the call if there is one, else by the message."""

    arguments: Any
    """What it was called with, parsed if it is JSON; None if no call was recorded."""

    paired: bool
    """Whether the conversation holds the call that the message answers."""


@dataclass
class _Asked:
    call_id: str
    name: str
    arguments: Any
    answered: bool = False


class Pairing:
    """The steps of a conversation in order, and what is odd about it."""

    def __init__(self, messages: list[Message]) -> None:
        """Pair every answer with the newest message that asked for it, calls there in order."""
        self._asked: list[list[_Asked]] = []
        self.steps: list[ModelCall | ToolCall] = list(self._walk(messages))
        self.unanswered = [one.name for group in self._asked for one in group if not one.answered]
        """Names of the tools that were called and never answered, in the order of the calls."""
        roles = {str(message["role"]) for message in messages}
        self.unknown_roles = sorted(roles - KNOWN_ROLES)
        """Roles that are kept as context without being understood."""

    def _walk(self, messages: list[Message]) -> Iterator[ModelCall | ToolCall]:
        for place, message in enumerate(messages):
            if message["role"] == "assistant":
                self._asked.append(list(_asked(message)))
                yield ModelCall(place)
            elif message["role"] in ANSWERING_ROLES:
                yield self._answer(place, message)

    def _answer(self, place: int, message: Message) -> ToolCall:
        call_id, name = message.get("tool_call_id"), message.get("name")
        for group in reversed(self._asked):
            for asked in group:
                fits = asked.call_id == call_id if call_id else name in {None, asked.name}
                if fits and not asked.answered:
                    asked.answered = True
                    return ToolCall(place, asked.name, asked.arguments, paired=True)
        said = name if isinstance(name, str) and name else UNKNOWN_TOOL
        return ToolCall(place, said, None, paired=False)


def _asked(message: Message) -> Iterator[_Asked]:
    for call in cast("list[dict[str, Any]]", message.get("tool_calls") or []):
        function = cast("dict[str, Any]", call["function"])
        arguments = parsed_text(function.get("arguments"))
        yield _Asked(str(call.get("id") or ""), str(function["name"]), arguments)
    # The API's older form: one call, without an id, answered by a message of the role "function".
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        function = cast("dict[str, Any]", legacy)
        name = str(function.get("name") or UNKNOWN_TOOL)
        yield _Asked("", name, parsed_text(function.get("arguments")))


def parsed_text(value: Any) -> Any:
    """Return what a text says if it is JSON that JSON can say again, else the value as it is."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value, parse_constant=_refuse, parse_float=_finite)
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return value
    return parsed


def _refuse(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)
