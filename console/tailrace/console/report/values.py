"""Recorded values as text to read: scalars as they are, calls as calls, the rest as JSON.

What could not be resolved stays visible: a reference to a body that is not stored is named.
"""

from __future__ import annotations

from typing import Any, cast

from tailrace.console.report.printable import json_text
from tailrace.schemas.payloads import ADDED, BODY, CUT, LIST

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


def cut_text(value: Any) -> str | None:
    """Return beginning, size and end of a value too large to be recorded; None for other values."""
    cut = as_object((as_object(value) or {}).get(CUT))
    if cut is None or not isinstance(cut.get("size_bytes"), int):
        return None
    return f"{cut.get('head', '')} … <cut: {cut['size_bytes']:,} bytes> … {cut.get('tail', '')}"


def not_stored(digest: str) -> str:
    """Return the words that stand for a body that is not stored."""
    return f"<body {digest[:_SHORT_DIGEST]} is not stored>"


def stand_in(value: Any) -> str | None:
    """Return the words for a value that is not here, or not all of it; None for other values."""
    digest = missing_body(value)
    return cut_text(value) if digest is None else not_stored(digest)


def value_text(value: Any) -> str:
    """Return the value for a reader: text bare, small objects as `name: value`, others as JSON."""
    if isinstance(value, str):
        return value or '""'
    standing_in = stand_in(value)
    if standing_in is not None:
        return standing_in
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
    return stand_in(value) or json_text(value)
