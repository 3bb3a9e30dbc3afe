"""The Confluent frame: what comes back is what went in, and corrupt bytes are said to be so."""

from __future__ import annotations

import resource
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.made_up import made_up
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest, shipped
from tailrace.schemas.events import StepCompleted
from tailrace.schemas.events.base import wide_defaults

WIDE = latest("journal_event")
DEFAULTS = wire.encode(WIDE, {})
FULL = wire.encode(
    WIDE,
    wide_defaults()
    | {"trace_id": "ä" * 16, "tags": ["a", "b"], "input": "{}", "attributes": {"k": "v"}},
)
BOUND_BYTES = 64 * 2**20


def decode_or_wire_error(data: bytes) -> dict[str, Any] | wire.WireError:
    try:
        return wire.decode(data)[1]
    except wire.WireError as error:
        return error


def zigzag(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def test_the_frame_is_confluents() -> None:
    assert DEFAULTS[:5] == b"\x00" + WIDE.id.to_bytes(4, "big")
    assert wire.frame_header(WIDE) == DEFAULTS[:5]


def test_splitting_gives_the_id_and_the_datum_without_a_copy() -> None:
    schema_id, datum = wire.split_frame(FULL)
    assert (schema_id, bytes(datum)) == (WIDE.id, FULL[5:])
    assert datum.obj is FULL


def test_fields_left_out_take_the_schemas_default() -> None:
    for schema in shipped().values():
        expected = {field["name"]: field["default"] for field in schema.definition["fields"]}
        decoded = wire.decode(wire.encode(schema, {}))[1]
        for name, value in decoded.items():
            if hasattr(value, "timestamp"):
                assert (value.timestamp(), expected[name]) == (0, 0)
            else:
                assert value == expected[name]


@pytest.mark.parametrize("cut", range(len(FULL)))
def test_a_record_cut_at_any_byte_is_a_wire_error(cut: int) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(FULL[:cut])


@given(st.binary(min_size=1, max_size=20))
def test_trailing_bytes_are_a_wire_error(more: bytes) -> None:
    with pytest.raises(wire.WireError, match=rf"{len(more)} bytes follow a journal_event"):
        wire.decode(DEFAULTS + more)


@given(st.data())
def test_flipped_bytes_give_a_record_or_a_wire_error_and_nothing_else(data: st.DataObject) -> None:
    event = data.draw(made_up(StepCompleted))
    flipped = bytearray(wire.encode(WIDE, event.flatten()))
    for _ in range(data.draw(st.integers(1, 4))):
        flipped[data.draw(st.integers(5, len(flipped) - 1))] ^= data.draw(st.integers(1, 255))
    decode_or_wire_error(bytes(flipped))


@given(st.sampled_from(sorted(shipped())), st.binary(max_size=200))
def test_any_bytes_as_a_datum_give_a_record_or_a_wire_error(schema_id: int, datum: bytes) -> None:
    decode_or_wire_error(wire.frame_header(shipped()[schema_id]) + datum)


@given(st.binary(max_size=50).filter(lambda data: not data.startswith(b"\0")))
def test_bytes_without_the_frame_are_a_wire_error(data: bytes) -> None:
    with pytest.raises(wire.WireError, match=r"too short|starts with byte"):
        wire.decode(data)


def test_an_unknown_id_is_an_error_of_its_own_that_names_it() -> None:
    with pytest.raises(wire.UnknownSchemaError, match="schema id 1 is not known here") as caught:
        wire.decode(b"\x00\x00\x00\x00\x01" + FULL[5:])
    assert caught.value.schema_id == 1


@pytest.mark.parametrize("length", [2**24, 2**31, 2**40, 2**62, -1, -(2**62)])
@pytest.mark.parametrize("field", ["a string", "an array", "an array with its size", "a map"])
def test_a_hostile_length_allocates_nothing(field: str, length: int) -> None:
    tags = DEFAULTS.index(zigzag(-1), 5) + 1 + 3  # control_offset, three strings, then the tags
    datum = {
        "a string": zigzag(length) + b"abc",
        "an array": DEFAULTS[5:tags] + zigzag(length) + DEFAULTS[tags:],
        "an array with its size": DEFAULTS[5:tags] + zigzag(-abs(length)) + zigzag(9) + b"\0" * 40,
        "a map": DEFAULTS[5:-1] + zigzag(length) + b"\x02k\x02v\0",
    }[field]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert isinstance(decode_or_wire_error(DEFAULTS[:5] + datum), wire.WireError)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < BOUND_BYTES


def test_an_endless_number_is_a_wire_error() -> None:
    with pytest.raises(wire.WireError):
        wire.decode(DEFAULTS[:5] + b"\xff" * 2**20)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trace_id", 7),
        ("trace_id", None),
        ("trace_id", "\ud800"),
        ("seq", "7"),
        ("seq", 2**63),
        ("seq", -(2**63) - 1),
        ("duration_us", 2**63),
        ("duration_us", "7"),
        ("cost_usd", "much"),
        ("tags", [1]),
        ("attributes", {"a": 1}),
        ("attributes", ["a"]),
        ("ts", "today"),
        ("input", b"bytes"),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_its_field_is_a_wire_error(field: str, value: Any) -> None:
    with pytest.raises(wire.WireError, match="a journal_event record does not fit its schema"):
        wire.encode(WIDE, {**wide_defaults(), field: value})
