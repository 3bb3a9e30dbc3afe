"""The typed records and their Avro files say the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.avro_form import definition
from support.made_up import made_up
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest, shipped
from tailrace.schemas.records import RECORDS, Body, DeadLetter, Record, RecordError
from tailrace.schemas.topics import TOPICS


def comparable(schema: dict[str, Any]) -> dict[str, Any]:
    # An int and a long are the same bytes; in a JSON-like form, so are 1 and 1.0.
    fields = [
        {**field, "type": "long" if field["type"] == "int" else field["type"]}
        for field in schema["fields"]
    ]
    return {**schema, "fields": fields}


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.schema_name)
def test_a_model_and_its_newest_schema_have_equal_fields_docs_and_defaults(
    model: type[Record],
) -> None:
    assert comparable(definition(model)) == comparable(latest(model.schema_name).definition)


def test_every_shipped_record_has_a_model() -> None:
    modelled = {model.schema_name for model in RECORDS} | {"journal_event"}
    assert modelled == {schema.name for schema in shipped().values()}


def test_every_shipped_record_lies_in_a_topic_and_every_topics_records_ship() -> None:
    in_topics = {name for topic in TOPICS for name in topic.records}
    assert in_topics == {schema.name for schema in shipped().values()}


@given(st.one_of([made_up(model) for model in RECORDS]))
def test_a_record_survives_the_wire(record: Record) -> None:
    schema = latest(record.schema_name)
    flat = record.flatten()
    assert tuple(flat) == schema.field_names
    writer, decoded = wire.decode(wire.encode(schema, flat))
    assert writer is schema
    assert decoded == flat
    assert type(record).parse({**decoded, "a_field_of_version_9": 1}) == record


def test_a_record_that_lacks_a_field_says_which() -> None:
    with pytest.raises(RecordError, match="no body record: trace_id: Field required"):
        Body.parse({"sha256": "00", "ts": datetime(2026, 1, 1, tzinfo=UTC), "content": "1"})


def test_a_tombstone_and_an_empty_value_stay_apart() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    empty, none = (
        DeadLetter(source_topic="t", source_partition=0, source_offset=1, ts=now, value=value)
        for value in (b"", None)
    )
    schema = latest("dead_letter")
    assert wire.decode(wire.encode(schema, empty.flatten()))[1]["value"] == b""
    assert wire.decode(wire.encode(schema, none.flatten()))[1]["value"] is None
