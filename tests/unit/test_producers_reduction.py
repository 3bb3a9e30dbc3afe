"""A record that is too large is cut where it is large, keeps what identifies it, and says so."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tailrace.producers.content import encode
from tailrace.producers.content.reduction import MAX_RECORD_BYTES, NOTE, REDUCED_BYTES, reduced
from tailrace.producers.delivery.ledger import Ledger
from tailrace.producers.delivery.outlet import Lane
from tailrace.schemas import wire
from tailrace.schemas.payloads import Body
from tailrace.schemas.topics import STEPS

EVENT: dict[str, Any] = {
    "trace_id": "a" * 32,
    "run_id": "b" * 32,
    "root_run_id": "b" * 32,
    "component": "c",
    "seq": 7,
    "kind": "step_failed",
    "ts": 1_790_000_000_000_000,
    "bodies": ["d" * 64],
    "children": ["e" * 32],
}
LARGE: dict[str, Any] = {
    "input": json.dumps({"text": "x" * 1_000_000}),
    "output": json.dumps("ü" * 600_000, ensure_ascii=False),
    "error_message": "m" * 1_000_000,
    "error_stack": "s" * 1_000_000,
    "tags": ["t" * 1000] * 1000,
    "attributes": {f"name {number}": "v" * 1000 for number in range(1000)},
}


@pytest.mark.parametrize("name", LARGE)
def test_the_large_field_is_cut_and_named_and_the_others_stay(name: str) -> None:
    small = {"input": "1", "output": "2", "error_message": "3", "attributes": {"kept": "4"}}
    event = {**EVENT, **small, name: LARGE[name]}
    value = reduced(encode.event(event))
    assert value is not None
    assert len(value) <= REDUCED_BYTES
    found = wire.decode(value)[1]
    assert found["attributes"][NOTE] == name
    for kept, text in {**EVENT, **small}.items():
        if kept not in {name, "attributes", "ts"}:
            assert found[kept] == text


def test_a_payload_keeps_its_hash_size_beginning_and_end() -> None:
    value = reduced(encode.event({**EVENT, "input": LARGE["input"]}))
    assert value is not None
    cut = json.loads(wire.decode(value)[1]["input"])["$cut"]
    data = LARGE["input"].encode()
    assert cut["sha256"] == hashlib.sha256(data).hexdigest()
    assert cut["size_bytes"] == len(data)
    assert (cut["head"], cut["tail"]) == (LARGE["input"][:1024], LARGE["input"][-1024:])


def test_everything_large_at_once_still_fits() -> None:
    value = reduced(encode.event({**EVENT, **LARGE}))
    assert value is not None
    assert len(value) <= REDUCED_BYTES


def test_what_cannot_be_cut_is_not() -> None:
    assert reduced(encode.event({**EVENT, "children": ["e" * 32] * 40_000})) is None


def test_a_body_stays_under_its_hash() -> None:
    body = Body("f" * 64, json.dumps("x" * 500_000).encode())
    value = reduced(encode.body_record(body, "a" * 32, 0))
    assert value is not None
    found = wire.decode(value)[1]
    assert found["sha256"] == "f" * 64
    assert json.loads(found["content"])["$cut"]["size_bytes"] == 500_002


def test_the_ledger_lets_nothing_out_that_no_broker_takes() -> None:
    ledger = Ledger()
    record = ledger.post(Lane("a" * 32), STEPS, encode.event({**EVENT, **LARGE}))
    assert record is not None
    assert len(record.value) <= REDUCED_BYTES < MAX_RECORD_BYTES
    assert (ledger.reduced, ledger.outstanding_bytes) == (1, len(record.value))
