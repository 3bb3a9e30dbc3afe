"""How often was each tool called?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# FINAL takes each identity once where parts overlap and costs nothing where they do not; grouping
# by run and seq holds all calls in memory. A repeat is the same row, so filters may come before it.
_SQL = """
SELECT name, count() AS calls, countIf(kind = 'step_failed') AS errors
FROM events FINAL
WHERE step_kind = 'tool' AND kind IN ('step_completed', 'step_failed', 'step_cancelled')
    AND ({component:String} = '' OR component = {component:String})
GROUP BY name
ORDER BY calls DESC, name
SETTINGS optimize_move_to_prewhere_if_final = 1
"""


@dataclass(frozen=True)
class ToolCalls:
    """The calls of one tool."""

    name: str
    """The tool's name as the user gave it."""

    calls: int
    """Calls that ended, failed ones included."""

    errors: int
    """Calls that failed."""


def tool_calls_by_name(client: Client, component: str = "") -> list[ToolCalls]:
    """Return the ended calls of each tool, most called first; of one component, or of all.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    return [ToolCalls(**row) for row in ask(client, _SQL, {"component": component})]
