"""Secrets that must not enter a manifest, told by the rules that redaction has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.redaction import KEYS, SECRET_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGESTS = frozenset({"steps", "code_digest"})
"""What is computed, and no place for a secret."""


def first_secret(manifest: dict[str, Any]) -> str | None:
    """Return the path of the first value that looks like a secret; None if none does.

    A member whose name says that it is one counts if it holds a text; and so does, anywhere, a text
    that looks like a key.
    """
    return next(_secrets("", manifest), None)


def _secrets(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        named = bool(value) and SECRET_FIELDS.covers(path)
        if named or KEYS.applied(value) != value:
            yield path
    elif isinstance(value, dict):
        for name, member in cast("dict[str, Any]", value).items():
            if name not in _DIGESTS:
                yield from _secrets(f"{path}.{name}".removeprefix("."), member)
    elif isinstance(value, list):
        for place, item in enumerate(cast("list[Any]", value)):
            yield from _secrets(f"{path}.{place}", item)
