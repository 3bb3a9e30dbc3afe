"""Finds the conversation in what a model call was given, and the reply in what it answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.report.messages import Message, is_message, read_message
from tailrace.console.report.values import as_list, as_object, missing_body, not_stored
from tailrace.schemas.payloads import ADDED, LIST

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOLDS_REPLY = ("message", "messages", "choices")


def messages_in(value: Any) -> tuple[Message, ...] | None:
    """Return the conversation in the input of a model call; None when there is none.

    A list of messages is one; so is an object that holds one under any name.
    """
    found = _messages(value)
    if found is not None:
        return found
    inner = (_messages(item) for item in (as_object(value) or {}).values())
    return next((messages for messages in inner if messages is not None), None)


def replies_in(value: Any) -> tuple[Message, ...] | None:
    """Return what the model said in a model call's output; None when it is no message.

    A text is one; so is a message, a list of them, and a provider's response that holds one.
    """
    if isinstance(value, str):
        return (Message("assistant", value),)
    if is_message(value):
        return (read_message(value),)
    items = [item for item in as_list(value) or () if not isinstance(item, str)]
    said = [message for item in items for message in replies_in(item) or ()]
    if said:
        return tuple(said)
    held = as_object(value) or {}
    return next((replies_in(held[key]) for key in _HOLDS_REPLY if key in held), None)


def common_start(before: Sequence[Message], after: Sequence[Message]) -> int:
    """Return how many messages both conversations start with."""
    same = 0
    for old, new in zip(before, after, strict=False):
        if old is not new and old != new:
            break
        same += 1
    return same


def _messages(value: Any) -> tuple[Message, ...] | None:
    items = as_list(value)
    if items is not None:
        if items and all(is_message(item) or missing_body(item) for item in items):
            return tuple(read_message(item) for item in items)
        return None
    chain = as_object(value)
    if chain is not None and LIST in chain:
        # The head of the chain is not stored: what this call added can still be read.
        earlier = Message("earlier", not_stored(missing_body(chain) or "?"))
        return (earlier, *(_messages(chain.get(ADDED)) or ()))
    return None
