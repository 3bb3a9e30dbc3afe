"""Pointers for people, as a table, and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.report.amounts import age
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.console.report.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.text import Text

    from tailrace.producers.routing.pointers import Pointer

SHOWN_DIGITS = 12
"""Digits of a deployment's id that people see; commands take any beginning that is the only one."""

_POINTERS = (
    Column("environment", widest=16),
    Column("component", widest=24),
    Column("takes new runs", widest=44),
    Column("revision", right=True, spare=3),
    Column("age", right=True, widest=4),
    Column("by", widest=16, spare=1),
    Column("state"),
)


def short(deployment: str) -> str:
    """Return as much of a deployment's id as people need."""
    return deployment[:SHOWN_DIGITS]


def share_text(weights: Mapping[str, int]) -> str:
    """Return which deployment takes which share, the largest first."""
    by_share = sorted(weights.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{one_line(short(name))} {weight / 100:g}%" for name, weight in by_share)


def fractions(weights: Mapping[str, int]) -> dict[str, float]:
    """Return the weights as shares of 1, for programs."""
    return {name: weight / 10_000 for name, weight in weights.items()}


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
        "weights": fractions(pointer.weights),
        "revision": pointer.revision,
        "moved_at": None if now is None else now.move["ts"].isoformat(),
        "moved_by": None if now is None else now.move["actor"],
        "intent": None if now is None else now.move["intent"],
        "reason": None if now is None else now.move["reason"],
        "frozen": pointer.frozen is not None,
        "frozen_by": None if pointer.frozen is None else pointer.frozen["actor"],
        "rolled_back": sorted(pointer.rolled_back),
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
