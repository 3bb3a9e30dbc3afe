"""How often do the runs of each deployment fail?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

# A run's last event is one row but for repeats, so few rows are left to take once.
_SQL = """
SELECT environment, component, deployment, count() AS ended, countIf(end = 'run_failed') AS failed
FROM
(
    SELECT environment, component, deployment, kind AS end
    FROM events
    WHERE ts >= {since:DateTime64(6, 'UTC')} AND ts < {until:DateTime64(6, 'UTC')}
        AND kind IN ('run_completed', 'run_failed', 'run_cancelled')
        AND replay_of = ''
        AND ({component:String} = '' OR component = {component:String})
        AND ({environment:String} = '' OR environment = {environment:String})
    ORDER BY run_id
    LIMIT 1 BY run_id
)
GROUP BY environment, component, deployment
ORDER BY ended DESC, environment, component, deployment
"""


@dataclass(frozen=True)
class ErrorRate:
    """The runs of one component that one deployment decided, in one environment."""

    environment: str
    component: str
    deployment: str
    """The deployment's id; empty for runs that none routed."""

    ended: int
    """Runs that ended in the time asked for, failed and cancelled ones included."""

    failed: int
    """Runs that failed; a cancelled one did not."""

    @property
    def rate(self) -> float:
        """The share that failed, 0 to 1."""
        return self.failed / self.ended


def error_rates(
    client: Client, since: datetime, until: datetime, *, component: str = "", environment: str = ""
) -> list[ErrorRate]:
    """Return the error rate by deployment of the runs that ended in `since <= time < until`.

    Replays are left out, child runs count under their own component; most runs first.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    asked = {
        "since": since,
        "until": until,
        "component": component,
        "environment": environment,
    }
    return [ErrorRate(**row) for row in ask(client, _SQL, asked)]
