"""The fast encoder is fastavro, byte for byte; the order of the schema's fields is its contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.content import encode
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.payloads import Body

SCHEMA = latest("journal_event")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGS = st.integers(-(2**63), 2**63 - 1)
MICROS = st.integers(0, 2**51) | st.integers(1_500_000_000_000_000, 2_500_000_000_000_000)


def _strategy(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, list):
        return st.none() | _strategy(cast("list[Any]", kind)[1])
    if isinstance(kind, dict):
        named = cast("dict[str, str]", kind)
        kind = named.get("logicalType") or named["type"]
    by_type: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": LONGS,
        "double": st.floats(allow_nan=False),
        "boolean": st.booleans(),
        "timestamp-micros": MICROS,
        "array": st.lists(st.text(), max_size=3),
        "map": st.dictionaries(st.text(), st.text(), max_size=3),
    }
    return by_type[cast("str", kind)]


RECORDS = st.fixed_dictionaries(
    {field["name"]: _strategy(field["type"]) for field in SCHEMA.definition["fields"]}
)


@given(RECORDS)
def test_an_event_of_whatever_content_is_encoded_as_fastavro_does(record: dict[str, Any]) -> None:
    assert encode.event(record) == wire.encode(SCHEMA, record)


@given(RECORDS, st.sets(st.sampled_from(SCHEMA.field_names)))
def test_fields_left_out_take_the_schemas_defaults(record: dict[str, Any], left: set[str]) -> None:
    told = {name: value for name, value in record.items() if name not in left or name == "seq"}
    assert encode.event(told) == wire.encode(SCHEMA, told)


@given(
    record=RECORDS,
    ts=MICROS,
    duration=st.integers(0, 2**50),
    texts=st.lists(st.text(), min_size=8, max_size=8),
    parent=st.sampled_from(["", "00000000000000aa"]),
    bodies=st.lists(st.text(), max_size=3),
)
def test_a_completed_step_of_ready_pieces_is_encoded_as_fastavro_does(
    *,
    record: dict[str, Any],
    ts: int,
    duration: int,
    texts: list[str],
    parent: str,
    bodies: list[str],
) -> None:
    step_key, name, kind, effect, definition, digest, given_, returned = texts
    run = {name: record[name] for name in SCHEMA.field_names[: SCHEMA.field_names.index("seq")]}
    own = encode.completed_step(
        ts,
        b"".join(map(encode.string, ("00000000000000ab", parent, step_key))),
        b"".join(map(encode.string, (name, kind, effect))),
        encode.string(definition) + encode.string(digest) + encode.EMPTY,
        ts,
        duration,
        given_.encode(),
        returned.encode(),
        encode.strings(bodies),
    )
    expected = {
        **run,
        "seq": record["seq"],
        "kind": "step_completed",
        "ts": ts,
        "step_id": "00000000000000ab",
        "parent_step_id": parent,
        "step_key": step_key,
        "name": name,
        "step_kind": kind,
        "effect": effect,
        "definition_digest": definition,
        "input_digest": digest,
        "started_at": ts,
        "duration_us": duration,
        "input": given_,
        "output": returned,
        "bodies": bodies,
    }
    event = encode.splice(encode.run_prefix(run), record["seq"], own)
    assert event == wire.encode(SCHEMA, expected)


@given(st.binary(), MICROS)
def test_a_body_is_encoded_as_fastavro_does(content: bytes, ts: int) -> None:
    text = content.decode(errors="replace")
    body = Body("ab" * 32, text.encode())
    expected = {"sha256": body.sha256, "trace_id": "t", "ts": ts, "content": text}
    assert encode.body_record(body, "t", ts) == wire.encode(latest("body"), expected)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - UTC is added
def test_a_time_is_exact_to_the_microsecond(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    micros = (moment - EPOCH) // timedelta(microseconds=1)
    assert encode.own_part({"ts": moment}) == encode.own_part({"ts": micros})


@given(LONGS)
def test_a_number_in_microseconds_is_a_long(number: int) -> None:
    assert encode.micros(number) == encode.long(number)


def test_the_order_of_the_fields_is_the_one_that_the_splice_was_written_for() -> None:
    names = SCHEMA.field_names
    own = names[names.index("seq") + 1 :]
    assert own[:20] == (
        "kind", "ts", "step_id", "parent_step_id", "step_key", "name", "step_kind", "effect",
        "definition_digest", "input_digest", "config_keys", "started_at", "duration_us",
        "first_item_us", "input", "output", "bodies", "error_type", "error_message", "error_stack",
    )  # fmt: skip
    assert len(own) == 38


def test_text_that_utf8_cannot_hold_is_still_recorded() -> None:
    assert encode.string("a\ud800b") == encode.string("a?b")
