"""The sink's log as JSON: one object a line on standard error, for programs that collect logs.

Made with the standard library's logging, so that client libraries' warnings take the same way.
Messages name hosts and never an address with its credentials.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from tailrace.console.report.printable import json_text

FIELDS = "fields"
"""The attribute of a log record that holds a mapping of further fields."""

_OURS = "tailrace"


class JsonLines(logging.Formatter):
    """`time` (ISO, UTC), `level`, `logger`, `message`, then the record's own fields.

    A field never replaces one of these four; an error's type and text stand in `error`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; it holds no line break, whatever the message does."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            told["error"] = f"{type(error).__name__}: {error}"
        return json_text({**getattr(record, FIELDS, {}), **told})


def log_as_json() -> None:
    """Send the log to standard error as JSON: ours from INFO on, libraries' from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(logging.INFO)
