"""What a manifest may hold: JSON's values, which mean the same to every reader. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

DEEPEST = 64
"""So many levels of lists and tables may lie in each other."""

_INTEGERS = range(-(2**63), 2**63)


def first_unfit(value: Any, path: str) -> str | None:
    """Say where a value is no JSON and why, the first place of it; None if all of it is.

    Tuples count as lists. Infinite numbers, integers beyond 64 bits and texts that are no Unicode
    do not count: not every reader would read the same.
    """
    return _first_unfit(value, path, 0)


def _first_unfit(value: Any, path: str, depth: int) -> str | None:
    if depth > DEEPEST:
        return f"{path[:80]}: tables and lists lie in each other more than {DEEPEST} deep"
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value).items()
        for name, member in members:
            if not isinstance(name, str):
                return f"{path}: the name {name!r} is no text"
            unfit = _text(name, path) or _first_unfit(member, f"{path}.{name}", depth + 1)
            if unfit is not None:
                return unfit
        return None
    if isinstance(value, (list, tuple)):
        items = enumerate(cast("list[Any]", value))
        found = (_first_unfit(item, f"{path}.{place}", depth + 1) for place, item in items)
        return next((unfit for unfit in found if unfit is not None), None)
    return _scalar(value, path)


def _scalar(value: Any, path: str) -> str | None:
    if isinstance(value, str):
        return _text(value, path)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if value in _INTEGERS else f"{path}: the integer does not fit 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path}: {value} is no finite number"
    return f"{path}: a value of type {type(value).__name__} is no JSON: write it as a text"


def _text(text: str, path: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{path}: the text is no Unicode: it holds half of a surrogate pair"
    return None
