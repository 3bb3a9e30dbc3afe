"""Pointers and their history for people: tables, and records for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.report.amounts import age
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.text import Text

    from tailrace.producers.routing.control import Applied
    from tailrace.producers.routing.pointers import Pointer

SHOWN_DIGITS = 12
"""Digits of a deployment's id that people see; commands take any beginning that is the only one."""

_FEW_DIGITS = 8

_POINTERS = (
    Column("environment", widest=16),
    Column("component", widest=24),
    Column("takes new runs", widest=44),
    Column("revision", right=True, spare=3),
    Column("age", right=True, widest=4),
    Column("by", widest=16, spare=1),
    Column("state"),
)
_HISTORY = (
    Column("offset", right=True),
    Column("age", right=True, widest=4),
    Column("pointer", widest=20),
    Column("what", widest=18),
    Column("now", widest=28),
    Column("by", widest=12, spare=1),
    Column("why"),
)


def short(deployment: str) -> str:
    """Return as much of a deployment's id as people need."""
    return deployment[:SHOWN_DIGITS]


def share_text(weights: Mapping[str, int], digits: int = SHOWN_DIGITS) -> str:
    """Return which deployment takes which share, the largest first."""
    by_share = sorted(weights.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name[:digits]} {weight / 100:g}%" for name, weight in by_share)


def pointer_lines(
    pointers: Mapping[tuple[str, str], Pointer], now: datetime, room: int | None
) -> list[Text]:
    """Return the table of pointers, its heading first; nothing is cut where `room` is None."""
    rows = [
        [
            Cell(environment),
            Cell(component),
            Cell(share_text(pointer.weights)),
            Cell(str(pointer.revision)),
            Cell(_age(pointer.current and pointer.current.move, now)),
            Cell("" if pointer.current is None else pointer.current.move["actor"]),
            Cell(_state(pointer)),
        ]
        for (environment, component), pointer in sorted(pointers.items())
    ]
    return _table(_POINTERS, rows, room)


def pointer_record(environment: str, component: str, pointer: Pointer) -> dict[str, Any]:
    """Return a pointer as JSON's types."""
    now = pointer.current
    return {
        "environment": environment,
        "component": component,
        "weights": {name: weight / 10_000 for name, weight in pointer.weights.items()},
        "revision": pointer.revision,
        "moved_at": None if now is None else now.move["ts"].isoformat(),
        "moved_by": None if now is None else now.move["actor"],
        "intent": None if now is None else now.move["intent"],
        "reason": None if now is None else now.move["reason"],
        "frozen": pointer.frozen is not None,
        "frozen_by": None if pointer.frozen is None else pointer.frozen["actor"],
        "rolled_back": sorted(pointer.rolled_back),
    }


def history_lines(happened: Sequence[Applied], now: datetime, room: int | None) -> list[Text]:
    """Return what happened to pointers, the newest first, ignored moves said as such."""
    rows = [
        [
            Cell(str(each.offset)),
            Cell(_age(each.record, now)),
            Cell(f"{each.record['environment']}:{each.record['component']}"),
            Cell(_what(each), style="dim" if _ignored(each) else ""),
            Cell(share_text(each.record.get("weights", {}), _FEW_DIGITS)),
            Cell(each.record["actor"]),
            Cell(each.record["reason"]),
        ]
        for each in reversed(happened)
    ]
    return _table(_HISTORY, rows, room)


def history_record(each: Applied) -> dict[str, Any]:
    """Return what happened to a pointer as JSON's types."""
    record = each.record
    return {
        "offset": each.offset,
        "at": record["ts"].isoformat(),
        "environment": record["environment"],
        "component": record["component"],
        "what": _verb(each),
        "ruling": None if each.ruling is None else each.ruling.value,
        "weights": {name: weight / 10_000 for name, weight in record.get("weights", {}).items()},
        "decided_on": record.get("decided_on"),
        "rolled_back": list(record.get("rolled_back", ())),
        "actor": record["actor"],
        "actor_kind": record["actor_kind"],
        "reason": record["reason"],
        "verdict": record.get("verdict", ""),
    }


def _table(columns: Sequence[Column], rows: list[list[Cell]], room: int | None) -> list[Text]:
    widths = measure(columns, rows, room)
    lines = [lay_out(columns, row, widths, clipped=room is not None) for row in rows]
    return [heading(columns, widths), *lines]


def _age(record: Mapping[str, Any] | None, now: datetime) -> str:
    return "" if record is None else age((now - record["ts"]).total_seconds())


def _state(pointer: Pointer) -> str:
    if pointer.frozen is not None:
        return f"frozen by {pointer.frozen['actor']}"
    now = pointer.current
    return "canary" if now is not None and now.whole is None else ""


def _verb(each: Applied) -> str:
    return {"pointer_frozen": "freeze", "pointer_unfrozen": "unfreeze"}.get(
        each.name, str(each.record.get("intent") or "move")
    )


def _ignored(each: Applied) -> bool:
    return each.ruling is not None and each.ruling.value != "accepted"


def _what(each: Applied) -> str:
    return f"{_verb(each)}: {each.ruling}" if _ignored(each) else _verb(each)
