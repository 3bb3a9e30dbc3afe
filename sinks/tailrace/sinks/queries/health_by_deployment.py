"""How is every deployment doing lately? Windows of all partitions and minutes, merged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickhouse_connect.driver.client import Client

ACCURACY = 0.01
"""Of the durations' buckets: a quantile is within this share of the exact one."""

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)

_NOW = "SELECT now64(3, 'UTC') AS now"
_HEALTH = """
WITH
    latest AS
    (
        SELECT *
        FROM health
        WHERE window_start >= {since:DateTime64(6, 'UTC')}
            AND ({environment:String} = '' OR environment = {environment:String})
            AND ({component:String} = '' OR component = {component:String})
        ORDER BY window_start, environment, component, deployment, source_partition, revision DESC
        LIMIT 1 BY window_start, environment, component, deployment, source_partition
    )
SELECT environment, component, deployment,
    sum(latest.started) AS started,
    sum(latest.completed) AS completed,
    sum(latest.failed) AS failed,
    sum(latest.cancelled) AS cancelled,
    sum(latest.abandoned) AS abandoned,
    sum(latest.step_errors) AS step_errors,
    sum(latest.code_mismatches) AS code_mismatches,
    sum(latest.input_tokens) AS input_tokens,
    sum(latest.output_tokens) AS output_tokens,
    sum(latest.cost_usd) AS cost_usd,
    sumMap(latest.durations) AS durations,
    sumMap(map(toUnixTimestamp(latest.window_start), latest.started)) AS by_minute
FROM latest
GROUP BY environment, component, deployment
ORDER BY started DESC, environment, component, deployment
"""


@dataclass(frozen=True)
class DeploymentHealth:
    """One deployment of a component in an environment, over some minutes."""

    environment: str
    component: str
    deployment: str
    """Empty when none routed its executions."""

    started: int
    completed: int
    failed: int
    cancelled: int
    abandoned: int
    step_errors: int
    code_mismatches: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    durations: Mapping[str, int]
    """Ended root runs by the bucket of their durations."""

    started_by_minute: Mapping[datetime, int]

    @property
    def closed(self) -> int:
        """Executions that were closed, however."""
        return self.completed + self.failed + self.cancelled + self.abandoned

    @property
    def bad_share(self) -> float | None:
        """Which share of these failed or was abandoned; None of none."""
        return (self.failed + self.abandoned) / self.closed if self.closed else None

    def quantile_us(self, share: float) -> int | None:
        """Return a quantile of the durations in microseconds, within 1 %; None of none."""
        return quantile(self.durations, share)


def health_by_deployment(
    client: Client, minutes: int, *, environment: str = "", component: str = ""
) -> tuple[datetime, list[DeploymentHealth]]:
    """Return ClickHouse's time, and every deployment's figures of the last minutes.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    now: datetime = ask(client, _NOW)[0]["now"]
    begun = now.replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
    told: dict[str, Any] = {"since": begun, "environment": environment, "component": component}
    return now, [_health(row) for row in ask(client, _HEALTH, told)]


def _health(row: dict[str, Any]) -> DeploymentHealth:
    minutes: dict[int, int] = row.pop("by_minute")
    begun = {datetime.fromtimestamp(each, UTC): count for each, count in minutes.items()}
    return DeploymentHealth(**row, started_by_minute=begun)


def quantile(buckets: Mapping[str, int], share: float) -> int | None:
    """Return a quantile of what lies in a DDSketch's buckets; None of nothing."""
    count = sum(buckets.values())
    if not count:
        return None
    rank, seen = share * (count - 1), 0
    for key in sorted(map(int, buckets)):
        seen += buckets[str(key)]
        if seen > rank:
            return round(2 * _GAMMA**key / (_GAMMA + 1))
    return None
