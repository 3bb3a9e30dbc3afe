"""The typed events and the wide event say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.avro_form import avro_fields
from support.made_up import made_up
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.events import (
    KINDS,
    EventError,
    RunFields,
    RunStarted,
    StepCompleted,
    UnknownKindError,
    parse_event,
)
from tailrace.schemas.events.base import wide_defaults

if TYPE_CHECKING:
    from tailrace.schemas.events import Event

WIDE = latest("journal_event")
EVENTS = st.one_of([made_up(kind) for kind in KINDS.values()])


def by_name(fields: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in fields}


def comparable(field: dict[str, Any]) -> dict[str, Any]:
    # An int and a long are the same bytes; `kind` has a default in each model, its own name.
    default = "" if field["name"] == "kind" else field["default"]
    kind = "long" if field["type"] == "int" else field["type"]
    return {**field, "type": kind, "default": default}


@pytest.mark.parametrize("kind", [RunFields, *KINDS.values()], ids=lambda kind: kind.__name__)
def test_each_field_of_a_kind_is_the_wide_field_of_that_name(kind: type[Event]) -> None:
    wide = by_name(WIDE.definition["fields"])
    for field in avro_fields(kind):
        assert comparable(field) == comparable(wide[field["name"]])


def test_the_wide_event_has_no_field_that_no_kind_uses() -> None:
    used = {name for kind in KINDS.values() for name in kind.model_fields}
    assert used - {"run"} | set(RunFields.model_fields) == set(WIDE.field_names)


def test_the_run_constant_fields_come_first_in_the_datum() -> None:
    assert WIDE.field_names[: len(RunFields.model_fields)] == tuple(RunFields.model_fields)


def test_each_kind_is_known_by_the_name_that_it_writes() -> None:
    for name, kind in KINDS.items():
        assert kind.model_fields["kind"].default == name
        assert kind.__name__ == "".join(word.title() for word in name.split("_"))


@given(EVENTS)
def test_an_event_survives_the_wire(event: Event) -> None:
    wide = event.flatten()
    writer, record = wire.decode(wire.encode(WIDE, wide))
    assert writer is WIDE
    assert record == wide
    assert parse_event(record) == event


@given(EVENTS)
def test_a_wide_record_has_every_field_in_the_order_of_the_datum(event: Event) -> None:
    assert tuple(event.flatten()) == WIDE.field_names


@given(EVENTS)
def test_what_a_kind_does_not_use_stays_at_its_default(event: Event) -> None:
    own = {*RunFields.model_fields, *type(event).model_fields}
    defaults = wide_defaults()
    for name, value in event.flatten().items():
        assert name in own or value == defaults[name]


@given(EVENTS)
def test_changing_a_wide_record_changes_no_event(event: Event) -> None:
    wide = event.flatten()
    wide["tags"].append("later")
    wide["bodies"].append("later")
    wide["attributes"]["later"] = "yes"
    assert event.flatten() == {**wide, **parse_event(event.flatten()).flatten()}
    assert wide_defaults()["children"] == []


@given(made_up(StepCompleted))
def test_fields_of_a_newer_schema_are_left_out(event: StepCompleted) -> None:
    assert parse_event({**event.flatten(), "a_field_of_version_9": 1}) == event


@given(made_up(RunStarted))
def test_a_kind_of_a_newer_producer_is_named_as_such(event: RunStarted) -> None:
    with pytest.raises(UnknownKindError, match=r"unknown kind 'step_paused'.*upgrade"):
        parse_event({**event.flatten(), "kind": "step_paused"})


@given(made_up(RunStarted))
def test_an_event_without_its_identity_says_which_field_is_missing(event: RunStarted) -> None:
    record = event.flatten()
    del record["run_id"]
    with pytest.raises(EventError, match=r"run\.run_id: Field required"):
        parse_event(record)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(EventError, match="ts: Input should have timezone info"):
        parse_event({**wide_defaults(), "kind": "run_started", "ts": "2026-01-01T00:00:00"})
