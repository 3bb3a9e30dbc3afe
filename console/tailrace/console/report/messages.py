"""One chat message as it is read aloud, out of the common recorded shapes.

OpenAI-style messages (`role`, `content`, `tool_calls`, `tool_call_id`) and content in typed parts
(`text`, `tool_use`, `tool_result`) are known; anything else in a message is shown as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tailrace.console.report.values import as_list, as_object, missing_body, not_stored, stand_in


@dataclass(frozen=True)
class Call:
    """One tool call that a message makes."""

    name: str
    """The tool's name."""

    arguments: str
    """The arguments as canonical JSON, or as they were if they are none."""

    call_id: str = ""
    """What the answer names; empty when the message gives none."""

    value: Any = field(default=None, compare=False)
    """The arguments as they were given, for showing."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    """`system`, `user`, `assistant`, `tool` or what the record says."""

    text: str
    """The words; empty for a message that only makes calls."""

    calls: tuple[Call, ...] = ()
    """Tool calls that the message makes, in order."""

    tool: str = ""
    """The tool whose result this is, or the speaker's name; empty when the message gives none."""

    call_id: str = ""
    """The call that this answers; empty in other messages."""


def is_message(value: Any) -> bool:
    """Return whether the value is a chat message."""
    message = as_object(value)
    return (
        message is not None
        and isinstance(message.get("role"), str)
        and ("content" in message or "tool_calls" in message)
    )


def read_message(value: Any) -> Message:
    """Return the message; one whose body is not stored says so."""
    digest = missing_body(value)
    if digest is not None:
        return Message("message", not_stored(digest))
    message = as_object(value) or {}
    words, calls, answered = _content(message.get("content"))
    for call in as_list(message.get("tool_calls")) or ():
        calls.append(_call(call))
    return Message(
        role="tool" if answered else _text(message.get("role")),
        text=words,
        calls=tuple(calls),
        tool=_text(message.get("name")),
        call_id=answered or _text(message.get("tool_call_id")),
    )


def canonical(value: Any) -> str:
    """Return the value as sorted JSON, for comparing; text that is no JSON as it is."""
    if isinstance(value, str):
        value = parsed(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def parsed(text: str) -> Any:
    """Return the value that the JSON text holds; the text itself if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _content(content: Any) -> tuple[str, list[Call], str]:
    """Return the words, the calls and the answered call's id of a message's content."""
    parts = as_list(content)
    if parts is None:
        return _text(content), [], ""
    words: list[str] = []
    calls: list[Call] = []
    answered = ""
    for item in parts:
        part = as_object(item) or {"type": None, "text": _text(item)}
        kind = part.get("type")
        if kind == "tool_use":
            calls.append(_call(part))
        elif kind == "tool_result":
            answered = _text(part.get("tool_use_id")) or "?"
            words.append(_content(part.get("content"))[0])
        elif isinstance(part.get("text"), str):
            words.append(part["text"])
        else:
            words.append(f"[{kind}]" if isinstance(kind, str) else _text(item))
    return "\n".join(words), calls, answered


def _call(value: Any) -> Call:
    call = as_object(value) or {}
    inner = as_object(call.get("function")) or call
    arguments = inner.get("arguments", inner.get("input"))
    if isinstance(arguments, str):
        arguments = parsed(arguments)
    name = _text(inner.get("name")) or "?"
    return Call(name, canonical(arguments), _text(call.get("id")), arguments)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return stand_in(value) or json.dumps(value, ensure_ascii=False)
