"""A record that is too large for the broker is made smaller and says so, instead of being lost.

Its largest texts are cut, one after the other, until it fits: a payload to its hash, size,
beginning and end (`$cut`, as `payloads` cuts values), any other text to its beginning and end. An
event names what was cut in the attribute `tailrace.reduced`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from tailrace.schemas import wire
from tailrace.schemas.payloads import CUT, dumps

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_RECORD_BYTES = 960 * 1024
"""A larger record is reduced before it is sent: brokers refuse more than 1 MiB unless told."""

REDUCED_BYTES = 16 * 1024
"""How large a record may be that was reduced."""

NOTE = "tailrace.reduced"
"""The attribute that names the fields which were cut."""

_END_BYTES = 1024
_PAYLOADS = frozenset({"input", "output", "content"})


def reduced(value: bytes, limit_bytes: int = REDUCED_BYTES) -> bytes | None:
    """Return a framed record that says the same in less; None where too little can be cut.

    Nothing that identifies or counts is touched: ids, seq, children, body hashes.
    """
    schema, record = wire.decode(value)
    fields: dict[str, Any] = dict(record)
    cut: list[str] = []
    for name in sorted(fields, key=lambda name: _size(fields[name]), reverse=True):
        if len(value) <= limit_bytes:
            break
        shorten = _shortening(name, fields[name])
        if shorten is None:
            continue
        fields[name] = shorten(fields[name])
        cut.append(name)
        if "attributes" in fields:
            fields["attributes"] = {**fields["attributes"], NOTE: ",".join(cut)}
        value = wire.encode(schema, fields)
    return value if cut and len(value) <= limit_bytes else None


def _shortening(name: str, value: Any) -> Callable[[Any], Any] | None:
    if _size(value) <= 2 * _END_BYTES:
        return None
    if name in _PAYLOADS:
        return _cut_payload
    if name == "attributes":
        return _fewer_attributes
    if name == "tags":
        return _fewer_tags
    return _cut_text if isinstance(value, str) else None


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return sum(len(key) + _size(item) for key, item in pairs)
    if isinstance(value, list | tuple):
        return sum(map(_size, cast("list[Any]", value)))
    return 0


def _cut_payload(text: str) -> str:
    data = text.encode()
    cut = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "head": data[:_END_BYTES].decode(errors="ignore"),
        "tail": data[-_END_BYTES:].decode(errors="ignore"),
    }
    return dumps({CUT: cut}).decode()


def _cut_text(text: str) -> str:
    left_out = len(text) - 2 * _END_BYTES
    return f"{text[:_END_BYTES]}\n… {left_out} characters left out …\n{text[-_END_BYTES:]}"


def _fewer_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """Keep attributes in their order as long as there is room, long ones cut."""
    kept: dict[str, str] = {}
    size = 0
    for name, text in attributes.items():
        shorter = _cut_text(text) if len(text) > 2 * _END_BYTES else text
        size += len(name) + len(shorter)
        if size > 4 * _END_BYTES:
            break
        kept[name] = shorter
    return kept


def _fewer_tags(tags: list[str]) -> list[str]:
    kept: list[str] = []
    size = 0
    for tag in tags:
        size += len(tag)
        if size > 2 * _END_BYTES:
            break
        kept.append(tag)
    return kept
