"""Payloads as they are stored: what a text stands for, and which bodies it names.

Stored text is other people's: what is no JSON, or is nested deeper than Python follows, names no
body and is its own value. `tailrace.schemas.payloads` is strict where this is kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.schemas.payload_reading import references, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def recorded(text: str | None, bodies: Mapping[str, str]) -> Any:
    """Return the value that recorded JSON stands for, bodies put in where they are stored."""
    try:
        return resolve(text, bodies)
    except (ValueError, RecursionError):
        return text


def bodies_named(texts: Iterable[str | None]) -> set[str]:
    """Return the hashes of the bodies that the texts themselves name."""
    found: set[str] = set()
    for text in texts:
        try:
            found |= references(text)
        except (ValueError, RecursionError):
            continue
    return found
