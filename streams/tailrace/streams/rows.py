"""The rows that state is kept in, and their bytes: one a run, and one an execution once it closed.

A key begins with the partition of `runs` that the row belongs to, so that state moves with it. A
row is a JSON list, its fields in the order of their classes; a change of that order needs another
`VERSION`, and rows of another version are refused rather than misread.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError
from tailrace.streams.run_state import Route, RunEnd, RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
_SEPARATOR = "|"
_PARTS = 4


class RowError(TailraceError):
    """A row of the state cannot be read by this version."""


@dataclass(frozen=True, slots=True)
class RowKey:
    """What a row is about."""

    partition: int
    trace_id: str
    root_run_id: str
    run_id: str
    """Empty for the row that says how the execution was closed."""

    def encode(self) -> bytes:
        """Return the key's bytes."""
        return f"{self.partition}|{self.trace_id}|{self.root_run_id}|{self.run_id}".encode()


@dataclass(frozen=True, slots=True)
class Closing:
    """How an execution was closed last, and what health has counted of it."""

    revision: int
    offset: int
    """Of the newest record that was taken into account."""

    closed_ms: int
    """Broker time."""

    status: str
    keep_ms: int
    """How long it is remembered from then on."""

    first_closed_ms: int
    """Broker time of its first closing: the minute that health counts it in."""

    outcome: str
    duration_us: int | None
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    code_mismatch: bool


_OF_RUN = attrgetter(*RunState.__slots__)
_OF_END = attrgetter(*RunEnd.__slots__)
_OF_ROUTE = attrgetter(*Route.__slots__)
_OF_CLOSING = attrgetter(*Closing.__slots__)


def is_id(text: str) -> bool:
    """Say whether a text can stand in a key."""
    return bool(text) and _SEPARATOR not in text and len(text) <= _LONGEST_ID


_LONGEST_ID = 200


def decode_key(key: bytes) -> RowKey:
    """Return the key that `RowKey.encode` made bytes of.

    Raises:
        RowError: if it is none.
    """
    parts = key.decode("utf-8", "replace").split(_SEPARATOR)
    if len(parts) != _PARTS or not parts[0].isdigit():
        raise RowError(f"{key[:80]!r} is no key of the streams' state: reset its changelog topic")
    return RowKey(int(parts[0]), *parts[1:])


def encode_run(state: RunState) -> bytes:
    """Return the bytes of a run's row."""
    *plain, end, route = _OF_RUN(state)
    told_end = None if end is None else _OF_END(end)
    return _dump([VERSION, *plain, told_end, None if route is None else _OF_ROUTE(route)])


def decode_run(row: bytes) -> RunState:
    """Return the state that `encode_run` made bytes of.

    Raises:
        RowError: if another version wrote it.
    """
    fields = _load(row)
    end, route = fields[-2:]
    if end is not None:
        end[5], end[6] = tuple(end[5]), tuple(end[6])
        fields[-2] = RunEnd(*end)
    if route is not None:
        route[7] = tuple(route[7])
        fields[-1] = Route(*route)
    return RunState(*fields)


def encode_closing(closing: Closing) -> bytes:
    """Return the bytes of an execution's row."""
    return _dump([VERSION, *_OF_CLOSING(closing)])


def decode_closing(row: bytes) -> Closing:
    """Return what `encode_closing` made bytes of.

    Raises:
        RowError: if another version wrote it.
    """
    return Closing(*_load(row))


def _dump(fields: Sequence[Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _load(row: bytes) -> list[Any]:
    version, *fields = json.loads(row)
    if version != VERSION:
        raise RowError(
            f"a row of the streams' state has version {version}, this Tailrace reads {VERSION}: "
            "use the version that wrote it, or delete the group and its changelog topic to fold "
            "`runs` again from its start"
        )
    return fields
