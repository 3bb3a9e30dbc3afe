"""Recorded values as text to read: scalars as they are, calls as calls, the rest as JSON.

What could not be resolved stays visible: a reference to a body that is not stored is named.
"""

from __future__ import annotations

from typing import Any, cast

from tailrace.console.report.printable import json_text

BODY = "$body"
LIST = "$list"
ADDED = "+"
_SHORT_DIGEST = 12


def as_object(value: Any) -> dict[str, Any] | None:
    """Return the value if it is a JSON object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return the value if it is a JSON array."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def missing_body(value: Any) -> str | None:
    """Return the digest of the body that the value stands for unresolved; None for other values."""
    reference = as_object(value)
    if reference and (set(reference) == {BODY} or set(reference) <= {LIST, ADDED}):
        digest = reference.get(BODY, reference.get(LIST))
        return digest if isinstance(digest, str) else None
    return None


def not_stored(digest: str) -> str:
    """Return the words that stand for a body that is not stored."""
    return f"<body {digest[:_SHORT_DIGEST]} is not stored>"


def value_text(value: Any) -> str:
    """Return the value for a reader: text bare, small objects as `name: value`, others as JSON."""
    digest = missing_body(value)
    if digest is not None:
        return not_stored(digest)
    if isinstance(value, str):
        return value
    pair = as_object(value) or {}
    if len(pair) == 1:
        ((name, only),) = pair.items()
        return f"{name}: {_inner(only)}"
    return json_text(value)


def call_text(name: str, arguments: Any) -> str:
    """Return `name(key="value", …)` for a call with an object of arguments."""
    pairs = as_object(arguments)
    if pairs is None:
        return f"{name}({'' if arguments is None else _inner(arguments)})"
    return f"{name}({', '.join(f'{key}={_inner(value)}' for key, value in pairs.items())})"


def _inner(value: Any) -> str:
    digest = missing_body(value)
    return json_text(value) if digest is None else not_stored(digest)
