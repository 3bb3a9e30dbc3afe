"""What events of every kind share: identity, time, and the way to the wide record and back.

An event of a kind holds exactly the wide fields that its kind uses. `flatten` fills the others with
the schema's defaults; `from_wide` leaves them out again, and fields that it does not know as well,
so that an event of a newer producer can be read.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from tailrace.schemas.catalog import latest
from tailrace.schemas.events.run_fields import RunFields

SCHEMA = "journal_event"
"""The record that every kind flattens to."""


class EventBase(BaseModel):
    """The fields of every event, whatever its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    run: RunFields
    """The run-constant fields."""

    seq: int
    """Place of the event in its run, from 0 without gaps; (run_id, seq) identifies the event."""

    ts: AwareDatetime
    """When the event was made, by the producer's clock, microseconds since the epoch, UTC."""

    attributes: dict[str, str] = {}
    """What has no field of its own, as text."""

    def flatten(self) -> dict[str, Any]:
        """Return the wide record, every field of the newest `journal_event` in it.

        The result is what `wire.encode` takes and what `wire.decode` gives back.
        """
        defaults, containers = _template()
        wide = {**defaults, **self.run.__dict__, **self.__dict__}
        del wide["run"]
        for name, make in containers:
            wide[name] = make(wide[name])
        return wide

    @classmethod
    def from_wide(cls, record: Mapping[str, Any]) -> Self:
        """Return the event of this kind that a wide record holds.

        Raises:
            pydantic.ValidationError: if a field is missing or of another type.
        """
        own = {name: record[name] for name in cls.model_fields if name in record}
        run = {name: record[name] for name in RunFields.model_fields if name in record}
        return cls.model_validate({**own, "run": run})


def wide_defaults() -> dict[str, Any]:
    """Return a new wide record with the default of every field, in the order of the datum."""
    defaults, containers = _template()
    return {**defaults, **{name: make() for name, make in containers}}


@cache
def _template() -> tuple[dict[str, Any], tuple[tuple[str, type[list[str] | dict[str, str]]], ...]]:
    """Return every field's default, and which fields hold a list or a map.

    These are copied into each record, so that a record is its owner's to change.
    """
    fields = latest(SCHEMA).definition["fields"]
    kinds = {"array": list[str], "map": dict[str, str]}
    containers = tuple(
        (field["name"], kinds[field["type"]["type"]])
        for field in fields
        if isinstance(field["type"], dict) and field["type"]["type"] in kinds
    )
    return {field["name"]: field["default"] for field in fields}, containers
