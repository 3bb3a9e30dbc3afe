"""What records of every sort share: a frozen model of one Avro record, and the way to it and back.

Fields, docs and defaults of a model equal those of the record's newest `.avsc`, which a test holds.
A field without a default here must be said by the writer; its Avro default is the type's zero,
there only so that every version can read every other.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tailrace.schemas.errors import TailraceError


class RecordError(TailraceError):
    """A decoded record lacks a field that its model needs, or holds one of another type."""


class Record(BaseModel):
    """One record of the log that is no journal event."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    schema_name: ClassVar[str]
    """The record's name in the catalog, such as `score`."""

    def flatten(self) -> dict[str, Any]:
        """Return the record as `wire.encode` takes it and `wire.decode` gives it."""
        return {name: _plain(value) for name, value in self.__dict__.items()}

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Self:
        """Return the typed record of a decoded one; fields of newer versions are left out.

        Raises:
            RecordError: if a field is missing or of another type.
        """
        try:
            return cls.model_validate(
                {name: record[name] for name in cls.model_fields if name in record}
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise RecordError(f"no {cls.schema_name} record: {field}: {first['msg']}") from error


def _plain(value: Any) -> Any:
    # A list or map of the result is the caller's own to change; fastavro decodes arrays to lists.
    if isinstance(value, (tuple, list)):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - items are strings
    if isinstance(value, dict):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - items are strings
    return value
