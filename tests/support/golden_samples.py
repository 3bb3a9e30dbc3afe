"""Writes the golden samples of schema versions that have none yet.

Run `python tests/support/golden_samples.py` once, in the commit that adds a new `.avsc` version. It
never touches a sample that exists: those are what processes of the past wrote, and today's code
must read them for ever. (Until a version is released, its sample may be deleted by hand and written
again.)
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.schemas import wire
from tailrace.schemas.catalog import Schema, shipped
from tailrace.schemas.events import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "replay" / "data"
FIRST = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def main() -> None:
    """Write every sample that is missing."""
    for schema in shipped().values():
        path = sample_path(schema)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = [
            {"sample": name, "record": as_json(record), "bytes": wire.encode(schema, record).hex()}
            for name, record in _records(schema)
        ]
        path.write_text(json.dumps(samples, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def sample_path(schema: Schema) -> Path:
    """Return where the samples of a schema version lie."""
    return DATA / schema.name / f"v{schema.version}.json"


def as_json(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with times in ISO 8601 and bytes in hex, as the samples hold it."""
    return {name: _as_json(value) for name, value in record.items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return f"hex:{value.hex()}" if isinstance(value, bytes) else value


def _records(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "defaults", wire.decode(wire.encode(schema, {}))[1]
    full = {
        field["name"]: _value(field["type"], field["name"], number)
        for number, field in enumerate(schema.definition["fields"], start=1)
    }
    if schema.name != "journal_event":
        yield "full", full
        return
    for kind, model in KINDS.items():
        yield kind, model.from_wide({**full, "kind": kind}).flatten()


def _value(kind: Any, name: str, number: int) -> Any:
    match kind:
        case [_, inner]:
            return _value(inner, name, number)
        case {"type": "array"}:
            return [f"{name} 1", "", "ü"]
        case {"type": "map", "values": inner}:
            return {name: _value(inner, name, 1), "": _value(inner, "", 2)}
        case {"logicalType": "timestamp-micros"}:
            return FIRST + timedelta(seconds=number)
        case _:
            return _plain_value(kind, name, number)


def _plain_value(kind: str, name: str, number: int) -> Any:
    return {
        "string": f"{name} · no. {number}",
        "int": -number,
        "long": number * 1_000_003**2 * (-1) ** number,
        "double": number / 3,
        "boolean": True,
        "bytes": bytes(range(250, 256)) + name.encode(),
    }[kind]


if __name__ == "__main__":
    main()
