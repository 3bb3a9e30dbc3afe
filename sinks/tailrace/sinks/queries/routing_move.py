"""Which move routed a run?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

_QUERY = """
SELECT component, environment, deployment, control_offset, revision, weights, by_pointer, intent,
    moved_by, moved_by_kind, reason, verdict, moved_at
FROM routed_runs
WHERE run_id = {run_id:String}
"""


@dataclass(frozen=True)
class RoutingMove:
    """A run's route, and the move that it rests on."""

    component: str
    environment: str
    deployment: str
    control_offset: int
    revision: int
    """Offset of the move; -1 where there was no pointer."""

    weights: Mapping[str, int]
    """Weight of each deployment in parts of ten thousand, as of the move."""

    by_pointer: bool
    """Whether the move names the deployment; if not, the caller had pinned it."""

    intent: str
    moved_by: str
    moved_by_kind: str
    reason: str
    verdict: str
    moved_at: datetime


def routing_move(client: Client, run_id: str) -> RoutingMove | None:
    """Return what routed a run; None if its start is not stored.

    Raises:
        NotMigratedError: if the database lacks the views.
    """
    rows = ask(client, _QUERY, {"run_id": run_id})
    if not rows:
        return None
    row = rows[0]
    told: dict[str, Any] = {
        **row, "weights": dict(row["weights"]), "by_pointer": bool(row["by_pointer"])
    }  # fmt: skip
    return RoutingMove(**told)
