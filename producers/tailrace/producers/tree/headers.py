"""Headers of any sort, read for three of them and written in the form that they have.

Mappings of text or bytes, as HTTP clients and servers have them, lists of pairs, as ASGI and Kafka
have them, and a WSGI environment, whose names begin with HTTP_.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.tree.w3c import BAGGAGE, TRACEPARENT, TRACESTATE

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

Headers = Mapping[str, Any] | Mapping[bytes, Any] | Iterable[tuple[Any, Any]]

_OURS = frozenset({TRACEPARENT, TRACESTATE, BAGGAGE})
_MAX_HEADERS = 1000
_MAX_CHARACTERS = 16_384


def found_in(headers: Headers) -> dict[str, str]:
    """Return the headers of a trace by their lower-case names; several of a name are joined.

    One that cannot be read, or is too large, reads as none. May raise what the headers raise.
    """
    found: dict[str, str] = {}
    for number, (name, value) in enumerate(_pairs(headers)):
        if number >= _MAX_HEADERS:
            break
        key = _name(name)
        text = _text(value) if key in _OURS else ""
        if text:
            found[key] = f"{found[key]},{text}" if key in found else text
    return {key: text for key, text in found.items() if len(text) <= _MAX_CHARACTERS}


def put(headers: MutableMapping[str, str], name: str, value: str) -> None:
    """Set a header in place of what stands under its name, however that is written."""
    for other in [each for each in headers if _name(each) == name and each != name]:
        del headers[other]
    headers[name] = value


def _pairs(headers: Headers) -> Iterator[tuple[Any, Any]]:
    if isinstance(headers, Mapping):
        yield from cast("Mapping[Any, Any]", headers).items()
    else:
        yield from headers


def _name(name: Any) -> str:
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        return ""
    return text.lower().removeprefix("http_")


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        parts = [_text(each) for each in cast("list[Any]", value)[:_MAX_HEADERS]]
        return ",".join(part for part in parts if part)
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return text if isinstance(text, str) and len(text) <= _MAX_CHARACTERS else ""
