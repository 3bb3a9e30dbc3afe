"""The way back: JSON with references to bodies, read as the value that it stands for.

What the references mean, and how they are made, is told in `payloads`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from tailrace.schemas.payloads import ADDED, BODY, CUT, LIST

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESCAPED = re.compile(r"\$\$+(?:body|list|cut)")


def references(text: str | None) -> set[str]:
    """Return the hashes of the bodies that JSON with references names itself."""
    found: set[str] = set()
    if text is not None:
        _collect(json.loads(text), found)
    return found


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for key in (BODY, LIST):
            if isinstance(fields.get(key), str) and _is_reference(fields):
                found.add(fields[key])
        for item in fields.values():
            _collect(item, found)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _collect(item, found)


def resolve(text: str | None, bodies: Mapping[str, str]) -> Any:
    """Return the value that JSON with references stands for.

    A reference to a body that is not among `bodies`, and what was cut, stay visible as they are.
    """
    return None if text is None else _resolved(json.loads(text), bodies, frozenset())


def _is_reference(fields: Mapping[str, Any]) -> bool:
    if len(fields) == 1:
        return isinstance(fields.get(BODY), str)
    return (
        set(fields) == {LIST, ADDED}
        and isinstance(fields[ADDED], list)
        and (fields[LIST] is None or isinstance(fields[LIST], str))
    )


def _resolved(value: Any, bodies: Mapping[str, str], within: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, bodies, within) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if not _is_reference(fields):
        if CUT in fields:
            return fields
        return {
            key[1:] if _ESCAPED.fullmatch(key) else key: _resolved(item, bodies, within)
            for key, item in fields.items()
        }
    if LIST in fields:
        return _whole_list(fields, bodies, within)
    digest = cast("str", fields[BODY])
    content = None if digest in within else bodies.get(digest)
    return fields if content is None else _resolved(json.loads(content), bodies, within | {digest})


def _whole_list(node: Mapping[str, Any], bodies: Mapping[str, str], within: frozenset[str]) -> Any:
    """Return the list that a chain's node ends; in a loop, for chains grow long."""
    items: list[Any] = []
    seen: set[str] = set()
    current = node
    while True:
        added = cast("list[Any]", current[ADDED])
        items.extend(_resolved(item, bodies, within) for item in reversed(added))
        previous = cast("str | None", current[LIST])
        if previous is None:
            return items[::-1]
        content = None if previous in seen else bodies.get(previous)
        before = None if content is None else json.loads(content)
        if not (isinstance(before, dict) and _is_reference(cast("dict[str, Any]", before))):
            return {LIST: previous, ADDED: items[::-1]}
        seen.add(previous)
        current = cast("dict[str, Any]", before)
