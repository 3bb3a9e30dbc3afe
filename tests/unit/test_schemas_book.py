"""A book of schemas learns what may be learnt, and says why not otherwise."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.schemas import schema_book, wire
from tailrace.schemas.catalog import Schema, latest, schema_id, shipped, sorted_json
from tailrace.schemas.schema_book import SchemaBook, SchemaRejectedError, read_schema, snake_case

V1 = latest("journal_event")
LATER: dict[str, Any] = copy.deepcopy(V1.definition)
LATER["fields"].append({"name": "mood", "type": "string", "default": "", "doc": "New in v2."})


def record(definition: dict[str, Any]) -> tuple[bytes, bytes]:
    return str(schema_id(definition)).encode(), sorted_json(definition).encode()


def with_type(kind: Any, **more: Any) -> dict[str, Any]:
    field = {"name": "f", "type": kind, **more}
    return {"type": "record", "name": "R", "fields": [field]}


def test_a_learnt_schema_reads_what_an_unknown_one_did_not() -> None:
    book = SchemaBook()
    writer = Schema("journal_event", 2, LATER)
    data = wire.encode(writer, {"trace_id": "t", "mood": "gay"})
    with pytest.raises(wire.UnknownSchemaError):
        wire.decode(data, source=book)
    book.learn(*record(LATER))
    learnt, decoded = wire.decode(data, source=book)
    assert (learnt.name, learnt.version, decoded["mood"]) == ("journal_event", 0, "gay")
    assert "mood" not in wire.decode(data, source=book, reader=V1)[1]


def test_learning_a_shipped_or_a_learnt_schema_again_changes_nothing() -> None:
    book = SchemaBook()
    first = book.learn(*record(LATER))
    assert book.learn(*record(LATER)) is first
    assert book.learn(*record(V1.definition)) is V1
    assert len(book) == len(shipped()) + 1


@pytest.mark.parametrize("key", [None, b"", b"x", b"007", b"-1", b"1" * 11, b"\xd9\xa1"])
def test_a_key_that_is_no_id_is_rejected(key: bytes | None) -> None:
    with pytest.raises(SchemaRejectedError, match="no schema id in decimal digits"):
        read_schema(key, b"{}")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "has no value"),
        (b"x" * (schema_book.MAX_SCHEMA_BYTES + 1), "at most"),
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"7", "is no flat record schema"),
        (b'"string"', "is no flat record schema"),
        (b'{"type":"record","name":"R","fields":[]}', "hashes to"),
        (b'{"type":"record","name":"\\ud800","fields":[]}', "is no JSON"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_value_that_is_no_such_schema_is_rejected(value: bytes | None, reason: str) -> None:
    with pytest.raises(SchemaRejectedError, match=reason):
        read_schema(b"1", value)


@pytest.mark.parametrize(
    "kind",
    [
        "null",
        "R",
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "array", "items": "string"}},
        {"type": "array", "items": ["null", "string"]},
        {"type": "record", "name": "S", "fields": []},
        {"type": "fixed", "name": "S", "size": 0},
        ["string", "long"],
        ["null", {"type": "array", "items": "string"}],
        [],
        None,
        {},
    ],
    ids=json.dumps,
)
def test_a_schema_whose_decoding_nothing_bounds_is_rejected(kind: Any) -> None:
    with pytest.raises(SchemaRejectedError, match="no flat record schema"):
        read_schema(*record(with_type(kind)))


def test_a_schema_that_avro_refuses_is_rejected() -> None:
    with pytest.raises(SchemaRejectedError, match="is no Avro schema: Default value <None>"):
        read_schema(*record(with_type("string", default=None)))


@given(st.binary(max_size=12), st.binary(max_size=60))
def test_any_bytes_are_learnt_or_rejected_and_nothing_else(key: bytes, value: bytes) -> None:
    book = SchemaBook(())
    with pytest.raises(SchemaRejectedError):
        book.learn(key, value)
    assert len(book) == 0


def test_an_id_that_two_schemas_share_is_refused_for_the_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = SchemaBook([V1])
    learnt = Schema("journal_event", 0, LATER)
    monkeypatch.setitem(learnt.__dict__, "id", V1.id)

    def collide(_: object) -> int:  # nobody finds a real collision
        return V1.id

    def make(*_: object) -> Schema:
        return learnt

    monkeypatch.setattr(schema_book, "schema_id", collide)
    monkeypatch.setattr(schema_book, "Schema", make)
    with pytest.raises(SchemaRejectedError, match="with another text: change its doc"):
        book.learn(str(V1.id).encode(), sorted_json(LATER).encode())
    assert book[V1.id] is V1


def test_a_flooded_topic_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_book, "MAX_LEARNT", 3)
    book = SchemaBook(())
    for number in range(3):
        book.learn(*record(with_type("string") | {"doc": str(number)}))
    with pytest.raises(SchemaRejectedError, match="there are 3 already"):
        book.learn(*record(with_type("string") | {"doc": "one more"}))


def test_waiting_ends_when_the_schema_is_learnt_for_all_who_wait() -> None:
    async def scenario() -> list[Schema]:
        book = SchemaBook()
        later = schema_id(LATER)
        waiting = [asyncio.create_task(book.wait_for(later, timeout_s=30)) for _ in range(3)]
        await asyncio.sleep(0)  # lets them begin to wait
        waiting[0].cancel()
        book.learn(*record(LATER))
        assert not book.awaited
        return [*await asyncio.gather(*waiting[1:]), await book.wait_for(later, timeout_s=0)]

    assert {schema.text for schema in asyncio.run(scenario())} == {sorted_json(LATER)}


def test_waiting_is_bounded_and_leaves_nothing_behind() -> None:
    book = SchemaBook()
    with pytest.raises(wire.UnknownSchemaError, match="schema id 1 "):
        asyncio.run(book.wait_for(1, timeout_s=0.01))
    assert not book.awaited


def test_the_catalogs_names_are_the_records_names_in_snake_case() -> None:
    for schema in shipped().values():
        assert snake_case(schema.definition["name"]) == schema.name
