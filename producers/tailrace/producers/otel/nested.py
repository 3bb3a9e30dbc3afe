"""Values from attributes: indexed keys put together again, JSON texts read. Pure, never raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

Fields = dict[str, Any]
_MAX_DEPTH = 16
_MAX_DIGITS = 10


def nested(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """Return the list that attributes such as `prefix.0.role` and `prefix.1.role` spell out.

    Dots make objects, numbers make lists; a number that is left out leaves no hole.
    """
    start = prefix + "."
    tree: Fields = {}
    for key, value in attributes.items():
        if key.startswith(start):
            _put(tree, key[len(start) :].split("."), value)
    found = _lists(tree)
    return cast("list[Any]", found) if isinstance(found, list) else []


def _put(tree: Fields, path: list[str], value: Any) -> None:
    at = tree
    for part in path[:_MAX_DEPTH]:
        inner = at.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        at = cast("Fields", inner)
    at[""] = value


def _lists(tree: Fields) -> Any:
    if set(tree) == {""}:
        return tree[""]
    inner = {key: _lists(cast("Fields", item)) for key, item in tree.items() if key}
    if inner and all(key.isdecimal() and len(key) < _MAX_DIGITS for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def value_of(given: Any, mime_type: Any = None) -> Any:
    """Return what an attribute stands for: the JSON in a text that is JSON, else itself.

    Without a mime type only a text that looks like an object or a list is read.
    """
    if not isinstance(given, str):
        return list(cast("tuple[Any, ...]", given)) if isinstance(given, tuple) else given
    if mime_type == "application/json" or (mime_type is None and given[:1] in {"{", "["}):
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            return given
    return given


def fields_of(value: Any) -> Fields:
    """Return an object as it is, and an empty one for anything else."""
    if isinstance(value, dict):
        return cast("Fields", value)
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def items_of(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for anything else."""
    if isinstance(value, (list, tuple)):
        return list(cast("list[Any]", value))
    return []


def first(attributes: Mapping[str, Any], *keys: str) -> Any:
    """Return the value of the first key that is there and not empty; None when none is."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return value
    return None
