"""Why a log was not moved, or not to its end."""

from __future__ import annotations

from tailrace.schemas.errors import TailraceError


class MoveRefusedError(TailraceError):
    """The log cannot be moved as things stand; what was copied before stays as it is."""


class MoveFailedError(TailraceError):
    """A broker did not do its part; the next call goes on where this one stopped."""
