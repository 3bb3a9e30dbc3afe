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
        wide = wide_defaults()
        for fields in (self.run.__dict__, self.__dict__):
            for name, value in fields.items():
                if name != "run":
                    wide[name] = _plain(value)
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
    return {name: _plain(default) for name, default in _defaults()}


@cache
def _defaults() -> tuple[tuple[str, Any], ...]:
    fields = latest(SCHEMA).definition["fields"]
    return tuple((field["name"], field["default"]) for field in fields)


def _plain(value: Any) -> Any:
    # A list or map of the result is the caller's own to change; fastavro decodes arrays to lists.
    if isinstance(value, (tuple, list)):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - items are strings
    if isinstance(value, dict):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - items are strings
    return value
