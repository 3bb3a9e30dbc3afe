"""What can be wrong with a recording, and where."""

from __future__ import annotations

from tailrace.schemas.errors import TailraceError


class ImportFailedError(TailraceError):
    """The import as a whole cannot go on: the file cannot be read, or an option does not fit it."""


class LineRefusedError(TailraceError):
    """One line is no trajectory; the others are not touched by it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """What is wrong with the line, without its place."""
