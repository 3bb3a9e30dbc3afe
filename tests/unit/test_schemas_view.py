"""The registry's answers follow from a book of schemas."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tailrace.console.schema_view.answers import Registry, RegistryError
from tailrace.schemas.catalog import latest, schema_id, shipped, sorted_json
from tailrace.schemas.schema_book import SchemaBook
from tailrace.schemas.topics import TOPICS

EVENT = latest("journal_event")
REGISTRY = Registry(SchemaBook(), prefix="p.")


def test_every_topic_with_framed_records_is_a_subject_and_so_is_every_record() -> None:
    topics = {f"p.{topic.suffix}-value" for topic in TOPICS if topic.records}
    records = {f"tailrace.{schema.definition['name']}" for schema in shipped().values()}
    assert set(REGISTRY.subjects()) == topics | records
    assert REGISTRY.subjects() == sorted(REGISTRY.subjects())


def test_the_latest_of_a_topic_is_the_newest_of_the_record_that_it_is_there_for() -> None:
    assert REGISTRY.version("p.runs-value", "latest")["id"] == EVENT.id
    assert REGISTRY.version("p.runs-value", "-1") == REGISTRY.version("p.runs-value", "2")
    assert REGISTRY.version("p.runs-value", "1")["id"] == latest("heartbeat").id


def test_a_learnt_schema_is_served_as_the_newest_of_its_record() -> None:
    book = SchemaBook()
    registry = Registry(book, prefix="p.")
    newer: dict[str, Any] = copy.deepcopy(EVENT.definition)
    newer["doc"] = "A newer one."
    book.learn(str(schema_id(newer)).encode(), sorted_json(newer).encode())
    found = registry.version("p.steps-value", "latest")
    assert (found["id"], found["version"]) == (schema_id(newer), 2)
    assert registry.version("tailrace.JournalEvent", "latest")["id"] == schema_id(newer)
    assert registry.schema(str(schema_id(newer))) == {"schema": sorted_json(newer)}


def test_a_schema_names_all_its_subjects() -> None:
    assert REGISTRY.versions_of(str(EVENT.id)) == [
        {"subject": "p.runs-value", "version": 2},
        {"subject": "p.steps-value", "version": 1},
        {"subject": "tailrace.JournalEvent", "version": 1},
    ]


def test_looking_up_a_schema_finds_its_version_however_it_is_written() -> None:
    spaced = json.dumps(EVENT.definition, indent=3)
    found = REGISTRY.lookup("p.runs-value", json.dumps({"schema": spaced}).encode())
    assert (found["id"], found["version"]) == (EVENT.id, 2)


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{}", b'{"schema":7}', b'{"schema":"{"}'])
def test_looking_up_what_is_no_schema_is_an_error(body: bytes) -> None:
    with pytest.raises(RegistryError) as caught:
        REGISTRY.lookup("p.runs-value", body)
    assert (caught.value.code, caught.value.status) == (42201, 422)


@pytest.mark.parametrize("schema_id", ["0", "1", "-1", "x", "", "9" * 5000, "١"])  # noqa: RUF001
def test_an_unknown_id_is_40403(schema_id: str) -> None:
    with pytest.raises(RegistryError) as caught:
        REGISTRY.schema(schema_id)
    assert caught.value.code == 40403


@pytest.mark.parametrize(
    ("subject", "version", "code"),
    [
        ("nobody-value", "1", 40401),
        ("p.runs-value", "3", 40402),
        ("p.runs-value", "0", 42202),
        ("p.runs-value", "x", 42202),
        ("p.runs-value", "9" * 5000, 42202),
    ],
)
def test_unknown_subjects_and_versions_have_codes_of_their_own(
    subject: str, version: str, code: int
) -> None:
    with pytest.raises(RegistryError) as caught:
        REGISTRY.version(subject, version)
    assert (caught.value.code, caught.value.status) == (code, code // 100)
