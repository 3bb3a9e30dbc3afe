"""How did a pointer come to say what it says? The moves that count, and what stood before each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

_QUERY = """
SELECT component, environment, revision, weights, weights_before, intent, rolled_back, actor,
    actor_kind, reason, verdict, ts
FROM
(
    SELECT *, lagInFrame(weights) OVER
    (
        PARTITION BY component, environment ORDER BY revision
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS weights_before
    FROM pointer_revisions
    WHERE ({component:String} = '' OR component = {component:String})
        AND ({environment:String} = '' OR environment = {environment:String})
)
ORDER BY revision DESC
LIMIT {limit:UInt32}
"""


@dataclass(frozen=True)
class PointerRevision:
    """A move that counts for every reader."""

    component: str
    environment: str
    revision: int
    """Its offset on the control topic."""

    weights: Mapping[str, int]
    """Weight of each deployment from then on, in parts of ten thousand."""

    weights_before: Mapping[str, int]
    """The same until then; empty for a pointer's first move."""

    intent: str
    rolled_back: tuple[str, ...]
    actor: str
    actor_kind: str
    reason: str
    verdict: str
    ts: datetime
    """When it was decided, by the actor's clock."""


def pointer_history(
    client: Client, component: str = "", environment: str = "", limit: int = 50
) -> list[PointerRevision]:
    """Return the newest moves that count, the newest first.

    Args:
        client: of the database.
        component: only this one's; every one's when empty.
        environment: only this one's; every one's when empty.
        limit: at most so many.

    Raises:
        NotMigratedError: if the database lacks the view.
    """
    told = {"component": component, "environment": environment, "limit": limit}
    return [_revision(row) for row in ask(client, _QUERY, told)]


def _revision(row: Mapping[str, Any]) -> PointerRevision:
    told: dict[str, Any] = {
        **row,
        "weights": dict(row["weights"]),
        "weights_before": dict(row["weights_before"]),
        "rolled_back": tuple(row["rolled_back"]),
    }
    return PointerRevision(**told)
