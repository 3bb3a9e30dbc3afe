"""ClickHouse reads every record of every version as it lies on the wire."""

from __future__ import annotations

import io
import json
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

import fastavro
import pytest

from support.golden_samples import sample_path
from support.stack import query
from tailrace.schemas import wire
from tailrace.schemas.catalog import Schema, shipped

TIMEOUT_S = 30


def column_type(kind: Any) -> str:
    match kind:
        case ["null", inner]:
            return f"Nullable({column_type(inner)})"
        case {"type": "array", "items": inner}:
            return f"Array({column_type(inner)})"
        case {"type": "map", "values": inner}:
            return f"Map(String, {column_type(inner)})"
        case {"logicalType": "timestamp-micros"}:
            return "DateTime64(6, 'UTC')"
        case _:
            plain = {"string": "String", "bytes": "String", "boolean": "Bool", "double": "Float64"}
            return plain.get(kind) or {"int": "Int32", "long": "Int64"}[kind]


def container(schema: Schema, records: list[dict[str, Any]]) -> bytes:
    out: Any = io.BytesIO()
    avro: Any = fastavro  # its stubs leave the stream's type open
    avro.writer(out, schema.parsed, records)
    return out.getvalue()


def insert(url: str, statement: str, body: bytes) -> None:
    address = f"{url}/?{urllib.parse.urlencode({'query': statement})}"
    request = urllib.request.Request(address, data=body, method="POST")  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - ours
        answer.read()


def as_clickhouse_writes(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.decode("latin-1") if isinstance(value, bytes) else value


@pytest.mark.parametrize("schema", shipped().values(), ids=lambda s: f"{s.name}-v{s.version}")
def test_clickhouse_reads_back_every_sample(clickhouse: str, database: str, schema: Schema) -> None:
    samples = json.loads(sample_path(schema).read_text(encoding="utf-8"))
    records = [wire.decode(bytes.fromhex(sample["bytes"]))[1] for sample in samples]
    for record in records:
        for name, value in record.items():
            if isinstance(value, bytes):
                record[name] = b"raw"  # JSON holds no other bytes than text
    fields = schema.definition["fields"]
    columns = ", ".join(f"`{field['name']}` {column_type(field['type'])}" for field in fields)
    query(clickhouse, f"CREATE TABLE {database}.t ({columns}) ENGINE = Memory")
    insert(clickhouse, f"INSERT INTO {database}.t FORMAT Avro", container(schema, records))
    settings = "SETTINGS output_format_json_quote_64bit_integers = 0"
    answer = query(clickhouse, f"SELECT * FROM {database}.t FORMAT JSONEachRow {settings}")  # noqa: S608 - our name
    expected = [
        {name: as_clickhouse_writes(value) for name, value in record.items()} for record in records
    ]
    assert [json.loads(row) for row in answer.splitlines()] == expected
