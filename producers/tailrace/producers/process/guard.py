"""What happens when recording itself fails: counted, said once in the log, never raised."""

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
