"""The errors of the local stack: each one a sentence that says what to do next."""

from tailrace.schemas.errors import TailraceError


class StackError(TailraceError):
    """The local stack cannot start, stop, or be read."""
