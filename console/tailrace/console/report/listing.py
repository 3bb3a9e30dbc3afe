"""The table of `traces ls`: one execution a row, measured once so that later rows line up."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tailrace.console.report.amounts import age, cost, count, duration
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.console.report.conversation import messages_in
from tailrace.console.report.signs import sign_of
from tailrace.console.report.values import as_object, value_text
from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.text import Text

    from tailrace.sinks.queries.list_traces import ListedTrace

_SHORTEST_PREFIX = 8
_WHOLE_ID = 32
_FOLLOWED_PREFIX = 16
"""Digits while following: ids that are still to come begin with the same time."""

_LONGEST_TEXT = 200
"""Characters of an input that are ever shown in a row."""

COLUMNS = (
    Column("id", widest=32),
    Column("component", widest=14),
    Column("age", right=True, spare=1),
    Column("outcome", widest=22),
    Column("took", right=True, spare=2),
    Column("steps", right=True, spare=3),
    Column("tokens", right=True, spare=4),
    Column("cost", right=True, spare=5),
    Column("input"),
)


_TYPICAL = tuple(
    Cell(text)
    for text in (
        "f" * _FOLLOWED_PREFIX,
        "",
        "59m",
        "⊘ cancelled",
        "59m59s+",
        "99",
        "99k",
        "$0.0123",
        "",
    )
)
"""What rows to come may hold."""


class Listing:
    """Draws rows; the first ones decide the widths of all."""

    def __init__(
        self,
        rows: Sequence[ListedTrace],
        now: datetime,
        width: int | None,
        *,
        more: bool = False,
    ) -> None:
        """Measure the rows.

        Args:
            rows: those that are there now.
            now: the time from which ages are counted.
            width: cells in a line; None for a pipe, with full ids and nothing clipped.
            more: whether others will follow, for which room is kept.
        """
        self._clipped = width is not None
        digits = prefix_length([row.trace_id for row in rows])
        self._digits = _WHOLE_ID if width is None else max(digits, _FOLLOWED_PREFIX * more)
        cells = [self._cells(row, now) for row in rows]
        self._widths = measure(COLUMNS, [*cells, _TYPICAL] if more else cells, width)

    def heading(self) -> Text:
        """Return the line of titles."""
        return heading(COLUMNS, self._widths)

    def row(self, row: ListedTrace, now: datetime) -> Text:
        """Return the line of one execution."""
        return lay_out(COLUMNS, self._cells(row, now), self._widths, clipped=self._clipped)

    def _cells(self, row: ListedTrace, now: datetime) -> tuple[Cell, ...]:
        word = row.outcome or row.status
        sign = sign_of(word)
        since_s = (now - row.started_at).total_seconds()
        return (
            Cell(row.trace_id[: self._digits], "bold"),
            Cell(row.component + _kinship(row)),
            Cell(age(since_s), "dim"),
            Cell(f"{sign.mark} {_outcome(row)}", sign.style),
            Cell(_took(row, since_s)),
            Cell(f"{row.steps}"),
            Cell(_tokens(row)),
            Cell(cost(row.cost_usd) if row.cost_usd is not None else ""),
            Cell(input_text(row.input), "dim"),
        )


def listed_record(row: ListedTrace) -> dict[str, Any]:
    """Return the row as JSON can say it: times in ISO 8601, the input as a value.

    Large parts of the input stay references to bodies.
    """
    record = dataclasses.asdict(row)
    for name in ("started_at", "updated_at"):
        record[name] = record[name].isoformat().replace("+00:00", "Z")
    return {**record, "input": recorded(row.input, {})}


def prefix_length(ids: Sequence[str]) -> int:
    """Return how many digits tell the ids apart, 8 at least."""
    ordered = sorted(set(ids))
    shared = 0
    for one, other in itertools.pairwise(ordered):
        same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 32)
        shared = max(shared, same)
    return max(shared + 1, _SHORTEST_PREFIX)


class _Elsewhere(Mapping[str, str]):
    """Stands for the bodies, which a list does not fetch: each is said to be large."""

    def __getitem__(self, _: str) -> str:
        return '"<large>"'

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def input_text(text: str | None) -> str:
    """Return the first words of what a run was given: what a user says in it, else its first text.

    Text beyond 200 characters is left out, and so is the rest of an object that holds a text.
    """
    value = recorded(text, _Elsewhere())
    given = as_object(value) or {}
    texts = [item for item in given.values() if isinstance(item, str) and item]
    messages = messages_in(given.get("messages", value if not texts else None))
    if messages:
        spoken = next((m for m in messages if m.role == "user"), messages[0])
        return spoken.text[:_LONGEST_TEXT]
    if texts:
        return texts[0][:_LONGEST_TEXT]
    return "" if value is None else value_text(value)[:_LONGEST_TEXT]


def _kinship(row: ListedTrace) -> str:
    if row.replay_of:
        return " ↻"
    if row.retry_of:
        return " ↺"
    return f" #{row.attempt}" if row.attempt else ""


def _outcome(row: ListedTrace) -> str:
    if not row.outcome:
        return row.status
    return row.outcome if row.status in {"complete", ""} else f"{row.outcome}, {row.status}"


def _took(row: ListedTrace, since_s: float) -> str:
    if row.duration_us is not None:
        return duration(row.duration_us)
    return f"{duration(max(int(since_s * 1e6), 0))}+" if row.status == "open" else ""


def _tokens(row: ListedTrace) -> str:
    known = [n for n in (row.input_tokens, row.output_tokens) if n is not None]
    return count(sum(known)) if known else ""
