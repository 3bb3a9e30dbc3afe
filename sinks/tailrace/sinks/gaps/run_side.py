"""The runs' own account: what their last events, their names for others and their seqs promise.

Goes through the table of events chunk by chunk in its sort order, so memory does not grow with it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask
from tailrace.sinks.gaps.accounts import NameGap, RunGap, RunTotals
from tailrace.sinks.gaps.ranges import missing_seqs
from tailrace.sinks.gaps.run_side_sql import FOUND_BODIES, RunSideSql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

    from tailrace.sinks.gaps.options import LedgerOptions

_PORTION = 1_000  # parameters travel in the address, whose length servers limit
_KNOWN_KEPT = 100_000


class RunSide:
    """Goes through the runs.

    Args:
        client: from `clickhouse.connect`.
        options: of the ledger.
        settled: the broker's time; what was stored last before it must be whole by now.
    """

    def __init__(self, client: Client, options: LedgerOptions, settled: datetime) -> None:
        self.totals = RunTotals()
        """Counted up while `gaps` is read."""

        self._client = client
        self._rows = options.chunk_rows
        self._settled = settled
        asked = ("component", "environment", "session", "since")
        self._filters = {name: getattr(options, name) for name in asked if getattr(options, name)}
        self._sql = RunSideSql(frozenset(self._filters))
        # Bodies that many traces share are asked for once.
        self._known: set[str] = set()
        self._known_order: deque[str] = deque()

    def gaps(self) -> Iterator[RunGap | NameGap]:
        """Yield the gaps, chunk by chunk; `totals` are whole at the end.

        Of runs that lack events, the first 10,000 of a chunk are yielded; all are counted.

        Raises:
            NotMigratedError: if there is no table yet.
            QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer.
        """
        first = ""
        while True:
            beyond = self._border(first)
            parameters = {**self._filters, "first": first, "beyond": beyond or ""}
            parameters["settled"] = self._settled
            yield from self._run_gaps(parameters, bounded=beyond is not None)
            yield from self._name_gaps(parameters, bounded=beyond is not None)
            yield from self._body_gaps(parameters, bounded=beyond is not None)
            if beyond is None:
                return
            first = beyond

    def _border(self, first: str) -> str | None:
        """Return the trace at which the next chunk begins, None if this is the last one."""
        parameters = {**self._filters, "first": first, "rows": self._rows}
        rows = ask(self._client, self._sql.border(), parameters)
        if rows and rows[0]["trace_id"] == first:  # one trace fills the chunk
            rows = ask(self._client, self._sql.next_trace(), {"first": first})
        return str(rows[0]["trace_id"]) if rows else None

    def _run_gaps(self, parameters: dict[str, Any], *, bounded: bool) -> Iterator[RunGap]:
        [row] = ask(self._client, self._sql.runs(bounded=bounded), parameters)
        totals = self.totals
        totals.runs += row["runs"]
        totals.open += row["open_runs"]
        totals.expected += row["must_be"]
        totals.stored += row["are"]
        totals.young += row["young"]
        totals.missing += row["missing"]
        unlike: Sequence[tuple[Any, ...]] = row["unlike"]
        for start in range(0, len(unlike), _PORTION):
            portion = unlike[start : start + _PORTION]
            seqs = self._seqs(portion)
            for run in portion:
                yield self._run_gap(run, seqs.get(run[1], ()))

    def _run_gap(self, run: tuple[Any, ...], seqs: Iterable[int]) -> RunGap:
        trace_id, run_id, component, environment, began, must, there, last_seq = run
        missing = missing_seqs(seqs, None if last_seq < 0 else last_seq)
        return RunGap(
            trace_id, run_id, component, environment, began, must, there, last_seq >= 0, missing
        )

    def _seqs(self, runs: Sequence[tuple[Any, ...]]) -> dict[str, Sequence[int]]:
        parameters = {
            "trace_ids": sorted({run[0] for run in runs}),
            "run_ids": [run[1] for run in runs],
        }
        rows = ask(self._client, self._sql.seqs(), parameters)
        return {row["run_id"]: row["seqs"] for row in rows}

    def _name_gaps(self, parameters: dict[str, Any], *, bounded: bool) -> Iterator[NameGap]:
        for row in ask(self._client, self._sql.named(bounded=bounded), parameters):
            if row["named_at"] >= self._settled:
                self.totals.young += 1
                continue
            self.totals.runs_missing += 1
            yield NameGap(row["trace_id"], row["run_id"], row["what"], row["named"])
        [row] = ask(self._client, self._sql.unclaimed(bounded=bounded), parameters)
        self.totals.unclaimed += row["unclaimed"]

    def _body_gaps(self, parameters: dict[str, Any], *, bounded: bool) -> Iterator[NameGap]:
        rows = ask(self._client, self._sql.bodies(bounded=bounded), parameters)
        there = self._stored_bodies({row["sha256"] for row in rows})
        for row in rows:
            if row["sha256"] in there:
                continue
            if row["named_at"] >= self._settled:
                self.totals.young += 1
                continue
            self.totals.bodies_missing += 1
            yield NameGap(row["trace_id"], row["run_id"], "body", row["sha256"])

    def _stored_bodies(self, hashes: set[str]) -> set[str]:
        found = hashes & self._known
        asked = sorted(hashes - found)
        for start in range(0, len(asked), _PORTION):
            portion = asked[start : start + _PORTION]
            found |= {
                str(row["sha256"]) for row in ask(self._client, FOUND_BODIES, {"hashes": portion})
            }
        for sha256 in found - self._known:
            self._known.add(sha256)
            self._known_order.append(sha256)
            if len(self._known_order) > _KNOWN_KEPT:
                self._known.discard(self._known_order.popleft())
        return found
