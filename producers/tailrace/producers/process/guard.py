"""What happens when recording does not go as it should: counted, said in the log, never raised."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace.producers.client import Tailrace

_log = logging.getLogger("tailrace.producers")


def guarded(client: Tailrace, what: str, error: BaseException) -> None:
    """Count a failure of the recorder, and log the first of them with its stack."""
    client.stats.defects += 1
    if client.stats.defects == 1:
        _log.error(
            "tailrace: %s could not be recorded; the agent goes on, its journal will show a gap",
            what,
            exc_info=error,
        )


def withheld(client: Tailrace) -> None:
    """Count a value that is not recorded because a rule of `redact` raised on it."""
    client.stats.withheld += 1
    if client.stats.withheld == 1:
        _log.error("tailrace: a rule of redact raised: values it is asked about are withheld")


def late(client: Tailrace, what: str) -> None:
    """Count a step that came after the end of its run."""
    client.stats.late += 1
    if client.stats.late == 1:
        _log.warning("tailrace: step %s was still running after its run had ended", what)


def unacknowledged(client: Tailrace, runs: int) -> None:
    """Count runs whose callers did not wait any longer."""
    client.stats.unacknowledged += runs
    _log.error(
        "tailrace: %d runs are not acknowledged within %s s; their values are returned, and "
        "sending goes on",
        runs,
        client.ack_timeout_s,
    )
