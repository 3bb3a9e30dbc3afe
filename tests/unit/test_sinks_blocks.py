from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

from fastavro import reader
from hypothesis import given
from hypothesis import strategies as st

from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import decode, encode
from tailrace.sinks.archive.blocks import Place, splice, zigzag

# fastavro holds symbols to the names that Avro allows; that the engine takes a cluster's id and a
# topic's name as they are is tested on the engine.
PLACE = Place("MkU3OEVBNTcwNTJENDM2", "tailrace_steps", 3)
LONGS = st.integers(-(2**63), 2**63 - 1)
OFFSETS = st.integers(0, 2**62)
EVENTS = st.fixed_dictionaries(
    {"trace_id": st.text(), "run_id": st.text(), "seq": LONGS},
    optional={
        "input": st.none() | st.text(),
        "tags": st.lists(st.text(max_size=5), max_size=3),
        "cost_usd": st.none() | st.floats(allow_nan=False),
        "attributes": st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3),
    },
)


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None


@given(LONGS)
def test_zigzag_is_what_avro_writes_for_a_long(number: int) -> None:
    framed = encode(latest("heartbeat"), {"events": number})
    assert zigzag(number) in framed


@given(st.lists(st.tuples(OFFSETS, st.integers(0, 2**41), EVENTS), min_size=1, max_size=20))
def test_a_container_holds_the_records_and_where_they_lie(
    drawn: list[tuple[int, int, dict[str, Any]]],
) -> None:
    schema = latest("journal_event")
    records = [Record(offset, at, encode(schema, fields)) for offset, at, fields in drawn]

    rows = list(cast("Any", reader(io.BytesIO(b"".join(splice(schema, PLACE, records))))))

    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert row.pop("offset") == record.offset
        assert int(row.pop("broker_ts").timestamp() * 1000 + 0.5) == record.timestamp
        assert row.pop("partition") == PLACE.partition
        assert row.pop("log_id") == PLACE.log_id
        assert row.pop("topic") == PLACE.topic
        assert row.pop("record") == "journal_event"
        assert row.pop("seal") == 1
        assert row == decode(record.value or b"")[1]
