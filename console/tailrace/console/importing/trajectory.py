"""One recorded conversation: what a line says, checked, before anything is derived from it.

What is refused: what is no JSON, has no list of messages, or has a message without a role. What is
kept and noted: an unknown role, an answer without a call, a call without an answer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from tailrace.console.importing.errors import LineRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
Format = Literal["auto", "openai", "tau"]
Message = dict[str, Any]

MAX_NAME = 256
"""Characters of a role's or a tool's name: they stand in events as they are."""

_LIST_KEYS = {"openai": ("messages",), "tau": ("traj",), "auto": ("messages", "traj")}


@dataclass(frozen=True)
class Trajectory:
    """One recorded conversation."""

    messages: list[Message]
    """All messages in order, exactly as recorded; never empty."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """Everything else that the line says: ids, reward, model, metadata."""


def parse_trajectory(text: bytes, form: Format = "auto") -> Trajectory:
    """Return what a line says.

    Raises:
        LineRefusedError: if it is no trajectory; the text says what is wrong with it.
    """
    value = _json(text)
    if isinstance(value, list):
        return Trajectory(_messages(cast("list[Any]", value), "the line"))
    if not isinstance(value, dict):
        raise LineRefusedError(f"the line is {_kind(value)}, not an object or a list of messages")
    record = cast("dict[str, Any]", value)
    for key in _LIST_KEYS[form]:
        if key in record:
            messages = _messages(record.pop(key), key)
            return Trajectory(messages, record)
    raise LineRefusedError(
        f"there is no list of messages under {' or '.join(map(repr, _LIST_KEYS[form]))}"
    )


def _json(text: bytes) -> Any:
    try:
        value = json.loads(text.decode(), parse_float=_finite, parse_constant=_no_constant)
        # A lone surrogate passes as JSON text, and no UTF-8 can say it.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LineRefusedError("a text holds half a surrogate pair") from None
    except UnicodeDecodeError as error:
        raise LineRefusedError(f"the line is not UTF-8 at its byte {error.start}") from None
    except RecursionError:
        raise LineRefusedError("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at column {error.colno}"
        raise LineRefusedError(f"the line is no JSON: {reason}") from None
    except ValueError as error:
        raise LineRefusedError(f"the line is no JSON: {error}") from None
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _messages(value: Any, where: str) -> list[Message]:
    if not isinstance(value, list):
        raise LineRefusedError(f"{where!r} is {_kind(value)}, not a list of messages")
    messages = cast("list[Any]", value)
    if not messages:
        raise LineRefusedError("the conversation has no messages")
    for place, message in enumerate(messages):
        _check(message, place)
    return messages


def _check(value: Any, place: int) -> None:
    if not isinstance(value, dict):
        raise LineRefusedError(f"message {place} is {_kind(value)}, not an object")
    message = cast("Message", value)
    role = message.get("role")
    if not isinstance(role, str) or not role:
        raise LineRefusedError(f"message {place} has no role")
    for what in (role, message.get("name"), member(message.get("function_call"), "name")):
        _check_name(what, place)
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        raise LineRefusedError(f"the tool_calls of message {place} are {_kind(calls)}, not a list")
    for call in cast("list[Any]", calls):
        name = member(member(call, "function"), "name")
        if not isinstance(name, str):
            raise LineRefusedError(f"message {place} calls a tool without a function name")
        _check_name(name, place)


def _check_name(name: Any, place: int) -> None:
    if isinstance(name, str) and len(name) > MAX_NAME:
        raise LineRefusedError(f"message {place} has a name of {len(name):,} characters")


def member(value: Any, name: str) -> Any:
    """Return a member of a JSON value; None if it is no object or has no such member."""
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _kind(value: Any) -> str:
    return _KINDS[type(cast("object", value))]
