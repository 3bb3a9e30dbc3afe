"""A record of the log as JSON's types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.sinks.log_record import LoggedRecord


def logged_record(record: LoggedRecord) -> dict[str, Any]:
    """Return where a record lies and what it says; texts as texts, other bytes in hex."""
    written = datetime.fromtimestamp(record.time_ms / 1_000, UTC)
    schema = record.schema
    told: dict[str, Any] = {
        "log_id": record.log_id,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "written_at": _plain(written),
        "key": _plain(record.key),
        "headers": [[name, _plain(value)] for name, value in record.headers],
        "size_bytes": None if record.value is None else len(record.value),
        "schema": schema and {"id": schema.id, "name": schema.name},
        "fields": _plain(record.fields),
    }
    return told | ({"fault": record.fault} if record.fault else {})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode() if value.isascii() else value.hex()
    if isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value)
        return {name: _plain(each) for name, each in fields.items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value
