"""Journal events and bodies to framed Avro, fast: pieces that are made once, and a splice.

The fields that are constant in a run come first in the datum, so their bytes are made once a run
(`run_prefix`); an event is that prefix, its seq, and its own part. The order of the fields in
`journal_event/v1.avsc` is the contract; fastavro is the reference, byte for byte, by test.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast

from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import frame_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tailrace.schemas.payloads import Body

EMPTY = b"\x00"
"""An empty string, array or map, null, false and zero: all the same byte in Avro."""

_SEQ = "seq"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOUBLE = struct.Struct("<d")
# The lowest fourteen bits of a varint: both bytes say that more follow.
_PAIRS = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14)]
_SMALL = 1 << 13


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


# What follows the lowest two bytes of a time stays the same for 8 ms.
_upper = lru_cache(maxsize=256)(_varint)
_LONGS = [_varint(n << 1) for n in range(_SMALL)]


def long(number: int) -> bytes:
    """Return an Avro int or long: zigzag, seven bits a byte."""
    if 0 <= number < _SMALL:
        return _LONGS[number]
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def micros(number: int) -> bytes:
    """Return `long(number)`; fast for times close to others, whose upper bytes are remembered."""
    n = number << 1
    above = n >> 14
    return _PAIRS[n & 0x3FFF] + _upper(above) if above > 0 else long(number)


def raw(data: bytes) -> bytes:
    """Return an Avro string or bytes of what is UTF-8 already."""
    return long(len(data)) + data


def string(text: str) -> bytes:
    """Return an Avro string; a lone surrogate becomes a question mark, as no UTF-8 holds it."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode(errors="replace")
    return long(len(data)) + data


def strings(items: Sequence[str]) -> bytes:
    """Return an Avro array of strings."""
    if not items:
        return EMPTY
    return long(len(items)) + b"".join(map(string, items)) + EMPTY


def present(data: bytes) -> bytes:
    """Return the branch of a nullable field that holds something."""
    return b"\x02" + data


def run_prefix(fields: Mapping[str, Any]) -> bytes:
    """Return the frame and the run-constant fields of every event of a run."""
    return _header() + _fields(_encoders()[0], fields)


def own_part(record: Mapping[str, Any]) -> bytes:
    """Return the fields after seq, in order; what is left out takes the schema's default.

    The slow and general way: for all but finished steps, which `step` makes of ready pieces.
    """
    return _fields(_encoders()[1], record)


def splice(prefix: bytes, seq: int, own: bytes) -> bytes:
    """Return the framed event."""
    return b"%b%b%b" % (prefix, long(seq), own)


def event(record: Mapping[str, Any]) -> bytes:
    """Return the framed event of a whole wide record, as `event.flatten()` gives it."""
    return splice(run_prefix(record), int(record["seq"]), own_part(record))


def completed_step(  # noqa: PLR0917 - a splice of the pieces in the order of the datum
    ts: int,
    place: bytes,
    constant: bytes,
    digests: bytes,
    started_at: int,
    duration_us: int,
    input_json: bytes,
    output_json: bytes,
    bodies: bytes,
) -> bytes:
    """Return the own part of a step that completed and was no model call.

    Args:
        ts: microseconds since the epoch.
        place: `string`s of step_id, parent_step_id and step_key, one after the other.
        constant: `string`s of name, step_kind and effect, one after the other.
        digests: `string`s of definition_digest and input_digest, then the config keys.
        started_at: microseconds since the epoch.
        duration_us: microseconds.
        input_json: JSON in UTF-8.
        output_json: JSON in UTF-8.
        bodies: as `strings` makes it.
    """
    return b"".join(
        (
            _COMPLETED,
            micros(ts),
            place,
            constant,
            digests,
            b"\x02",
            micros(started_at),
            b"\x02",
            long(duration_us),
            b"\x00\x02",  # no first item; the input
            long(len(input_json)),
            input_json,
            b"\x02",
            long(len(output_json)),
            output_json,
            bodies,
            _NO_TAIL,
        )
    )


def body_record(body: Body, trace_id: str, ts: int) -> bytes:
    """Return the framed `body` record; ts in microseconds since the epoch."""
    return b"".join(
        (
            frame_header(latest("body")),
            string(body.sha256),
            string(trace_id),
            micros(ts),
            raw(body.content),
        )
    )


_COMPLETED = string("step_completed")
# error_type … attributes: 21 fields that a completed step without model use leaves empty.
_NO_TAIL = EMPTY * 21


@cache
def _header() -> bytes:
    return frame_header(latest("journal_event"))


def _fields(
    encoders: Iterable[tuple[str, Callable[[Any], bytes], Any]], record: Mapping[str, Any]
) -> bytes:
    return b"".join([encode(record.get(name, default)) for name, encode, default in encoders])


_Encoders = list[tuple[str, "Callable[[Any], bytes]", Any]]


@cache
def _encoders() -> tuple[_Encoders, _Encoders]:
    """Return the encoders of the fields before and after seq, in the order of the datum."""
    fields = cast("list[dict[str, Any]]", latest("journal_event").definition["fields"])
    encoders: _Encoders = [
        (field["name"], _encoder(field["type"]), field["default"]) for field in fields
    ]
    place = next(n for n, (name, _, _) in enumerate(encoders) if name == _SEQ)
    return encoders[:place], encoders[place + 1 :]


def _encoder(kind: Any) -> Callable[[Any], bytes]:
    if isinstance(kind, list):
        inner = _encoder(cast("list[Any]", kind)[1])
        return lambda value: EMPTY if value is None else b"\x02" + inner(value)
    if isinstance(kind, dict):
        named = cast("dict[str, Any]", kind)
        kind = named.get("logicalType") or named["type"]
    return _BY_TYPE[cast("str", kind)]


def _text(value: str | bytes) -> bytes:
    return raw(value) if isinstance(value, bytes) else string(value)


def _time(value: Any) -> bytes:
    if isinstance(value, int):
        return micros(value)
    # As exact as fastavro: whole microseconds, no float on the way.
    since = value - _EPOCH
    return micros((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _map(value: Mapping[str, str]) -> bytes:
    if not value:
        return EMPTY
    pairs = b"".join(string(key) + string(item) for key, item in value.items())
    return long(len(value)) + pairs + EMPTY


_BY_TYPE: dict[str, Callable[[Any], bytes]] = {
    "string": _text,
    "long": long,
    "int": long,
    "double": _DOUBLE.pack,
    "boolean": lambda value: b"\x01" if value else EMPTY,
    "timestamp-micros": _time,
    "array": strings,
    "map": _map,
}
