"""What processes of the past wrote, today's code reads, and would write byte for byte the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.golden_samples import DATA, as_json, sample_path
from tailrace.schemas import wire
from tailrace.schemas.catalog import Schema, latest, shipped
from tailrace.schemas.events import parse_event
from tailrace.schemas.records import RECORDS

SAMPLES = [
    pytest.param(schema, sample, id=f"{schema.name}-v{schema.version}-{sample['sample']}")
    for schema in shipped().values()
    if sample_path(schema).exists()
    for sample in json.loads(sample_path(schema).read_text(encoding="utf-8"))
]


def test_every_version_of_every_record_has_its_samples_and_no_version_is_gone() -> None:
    expected = {sample_path(schema) for schema in shipped().values()}
    assert set(DATA.glob("*/*.json")) == expected, "run tests/support/golden_samples.py"


@pytest.mark.parametrize(("schema", "sample"), SAMPLES)
def test_a_sample_decodes_to_its_record_and_encodes_to_its_bytes(
    schema: Schema, sample: dict[str, Any]
) -> None:
    data = bytes.fromhex(sample["bytes"])
    writer, record = wire.decode(data)
    # An id is the hash of the schema: a shipped version that was edited is not found by its id.
    assert writer is schema
    assert as_json(record) == sample["record"]
    assert wire.encode(writer, record) == data


@pytest.mark.parametrize(("schema", "sample"), SAMPLES)
def test_a_sample_of_any_version_becomes_todays_typed_record(
    schema: Schema, sample: dict[str, Any]
) -> None:
    data = bytes.fromhex(sample["bytes"])
    _, record = wire.decode(data, reader=latest(schema.name))
    assert tuple(record) == latest(schema.name).field_names
    models = {model.schema_name: model for model in RECORDS}
    if schema.name in models:
        assert models[schema.name].parse(record).flatten() == record
    elif record["kind"]:  # the sample of defaults is of no kind
        assert parse_event(record).flatten() == record
