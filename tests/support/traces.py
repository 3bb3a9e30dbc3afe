"""Small journals to look at: events of runs and steps, what does not matter filled in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tailrace.schemas.events import (
    RunCompleted,
    RunFailed,
    RunFields,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.events import Event

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRACE = "0" * 28 + "aaaa"


class Journal:
    """Writes the events of one run in order, a second apart unless told."""

    def __init__(self, run_id: str, component: str = "support", **fields: Any) -> None:
        fields = {"trace_id": TRACE, "root_run_id": run_id, "environment": "dev", **fields}
        self.run = RunFields(run_id=run_id, component=component, **fields)
        self.events: list[Event] = []
        self.clock = NOON

    def started(self, given: Any = None) -> Journal:
        """Append the run's first event."""
        self.events.append(RunStarted(**self._next(), name=self.run.component, input=_json(given)))
        return self

    def step(self, name: str, given: Any = None, answered: Any = None, **fields: Any) -> Journal:
        """Append a step that returned."""
        self.events.append(
            StepCompleted(
                **self._step(name, fields), input=_json(given), output=_json(answered), **fields
            )
        )
        return self

    def step_failed(self, name: str, given: Any = None, **fields: Any) -> Journal:
        """Append a step that raised."""
        self.events.append(StepFailed(**self._step(name, fields), input=_json(given), **fields))
        return self

    def step_open(self, name: str, given: Any = None, **fields: Any) -> Journal:
        """Append a step that runs."""
        fields.setdefault("duration_us", None)
        step = self._step(name, fields)
        fields.pop("duration_us", None)
        self.events.append(StepStarted(**step, input=_json(given), **fields))
        return self

    def completed(self, answered: Any = None, **fields: Any) -> Journal:
        """Append the last event of a run that returned."""
        end = self._next()
        took = int((end["ts"] - self.events[0].ts).total_seconds() * 1_000_000)
        fields = {"last_seq": end["seq"], "run_steps": self._steps(), "duration_us": took, **fields}
        self.events.append(RunCompleted(**end, output=_json(answered), **fields))
        return self

    def failed(self, error_type: str, error_message: str, **fields: Any) -> Journal:
        """Append the last event of a run that raised."""
        end = self._next()
        fields = {"last_seq": end["seq"], "run_steps": self._steps(), **fields}
        self.events.append(
            RunFailed(**end, error_type=error_type, error_message=error_message, **fields)
        )
        return self

    def _next(self) -> dict[str, Any]:
        self.clock += timedelta(seconds=1)
        return {"run": self.run, "seq": len(self.events), "ts": self.clock}

    def _step(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        key = fields.pop("step_key", f"{name}#0")
        fields.setdefault("step_kind", "tool")
        fields.setdefault("duration_us", 12_000)
        if fields["duration_us"] is not None:
            fields.setdefault("started_at", self.clock + timedelta(milliseconds=900))
        return {
            **self._next(),
            "name": name,
            "step_id": fields.pop("step_id", key),
            "step_key": key,
        }

    def _steps(self) -> int:
        return sum(1 for event in self.events if event.kind.startswith("step_"))


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def store(
    url: str,
    database: str,
    events: Iterable[Event],
    bodies: Mapping[str, str] | None = None,
    *,
    broker_ts: datetime | None = None,
) -> None:
    """Put events and bodies into the tables as the sink would have, the tables made if missing."""
    client = connect(url, database)
    migrate(client)
    at = broker_ts or datetime.now(UTC)
    rows = [
        {**event.flatten(), **_place(n, at, "tailrace.steps")} for n, event in enumerate(events)
    ]
    _insert(client, "events", rows)
    contents = [
        {"sha256": digest, "trace_id": TRACE, "ts": at, "content": content}
        for digest, content in (bodies or {}).items()
    ]
    places = [_place(n, at, "tailrace.bodies") for n in range(len(contents))]
    _insert(client, "bodies", [{**a, **b} for a, b in zip(contents, places, strict=True)])


def _place(offset: int, at: datetime, topic: str) -> dict[str, Any]:
    return {"offset": offset, "broker_ts": at, "partition": 0, "log_id": "log", "topic": topic}


def _insert(client: Client, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))
