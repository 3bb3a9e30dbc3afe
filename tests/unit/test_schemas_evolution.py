"""Every version of a record reads every other, and no two schemas share an id."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from support.evolution import breaks
from tailrace.schemas.catalog import latest, schema_id, shipped, versions

NAMES = sorted({schema.name for schema in shipped().values()})


@pytest.mark.parametrize("name", NAMES)
def test_every_pair_of_versions_is_compatible_both_ways(name: str) -> None:
    assert breaks([schema.definition for schema in versions(name)]) == []


@pytest.mark.parametrize("name", NAMES)
def test_versions_count_from_one_without_gaps(name: str) -> None:
    found = [schema.version for schema in versions(name)]
    assert found == list(range(1, len(found) + 1))


@pytest.mark.parametrize("schema", shipped().values(), ids=lambda s: f"{s.name}-v{s.version}")
def test_every_field_has_a_doc_and_a_default(schema: Any) -> None:
    for field in schema.definition["fields"]:
        assert set(field) == {"name", "type", "default", "doc"}, field
        assert re.fullmatch(r"\S.*\.", field["doc"]), field
    assert schema.definition["doc"]


@pytest.mark.parametrize("schema", shipped().values(), ids=lambda s: f"{s.name}-v{s.version}")
def test_every_schema_is_flat_so_that_clickhouse_reads_it(schema: Any) -> None:
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    flat = ["string", "int", "long", "double", "boolean", "bytes", micros]
    strings = [{"type": "array", "items": "string"}, {"type": "map", "values": "string"}]
    longs = [{"type": "map", "values": "long"}]
    allowed = [*flat, *strings, *longs, *(["null", kind] for kind in flat)]
    assert [f for f in schema.definition["fields"] if f["type"] not in allowed] == []


def test_no_two_shipped_schemas_share_an_id_or_a_full_name() -> None:
    # `shipped` is keyed by id and asserts it; count the files to see that none was lost.
    count = sum(len(versions(name)) for name in NAMES)
    assert len(shipped()) == count
    assert len({schema.id for schema in shipped().values()}) == count
    full_names = {(s.definition["namespace"], s.definition["name"]) for s in shipped().values()}
    assert len(full_names) == len(NAMES)


def test_an_id_is_a_fact_of_the_text_and_of_every_part_of_it() -> None:
    definition = latest("score").definition
    reordered = json.loads(json.dumps(definition, sort_keys=True))
    assert schema_id(reordered) == schema_id(definition)
    for change in ({"doc": "another"}, {"namespace": "other"}):
        assert schema_id({**definition, **change}) != schema_id(definition)
    untyped = copy.deepcopy(definition)
    ts = next(field for field in untyped["fields"] if field["name"] == "ts")
    ts["type"] = "long"  # what Avro's own fingerprint would not notice
    assert schema_id(untyped) != schema_id(definition)


def test_ids_do_not_change_with_the_python_or_the_platform() -> None:
    assert schema_id({"type": "record", "name": "Ä", "fields": []}) == 1810733333


OLD: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": "string", "default": ""},
        {"name": "b", "type": "long", "default": 0},
    ],
}


def evolved(**change: Any) -> dict[str, Any]:
    fields = [dict(field) for field in OLD["fields"]]
    fields[1] = {**fields[1], **change}
    return {**OLD, "fields": fields}


@pytest.mark.parametrize(
    "new",
    [
        {**OLD, "fields": [*OLD["fields"], {"name": "c", "type": "string"}]},
        {**OLD, "fields": [{"name": "a", "type": "string"}]} | {"name": "S"},
        evolved(type="string", default=""),
        evolved(type="double", default=0.0),
        evolved(type=["null", "long"], default=None),
    ],
    ids=["a field without default", "a renamed record", "another type", "wider", "nullable"],
)
def test_the_check_catches_a_broken_evolution(new: dict[str, Any]) -> None:
    assert breaks([OLD, new]) != []


def test_the_check_lets_a_field_with_a_default_come_and_go() -> None:
    added = {**OLD, "fields": [*OLD["fields"], {"name": "c", "type": "string", "default": ""}]}
    removed = {**OLD, "fields": [OLD["fields"][0]]}
    assert breaks([OLD, added, removed]) == []
