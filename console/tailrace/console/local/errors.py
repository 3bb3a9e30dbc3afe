"""The errors of the local stack: each one a sentence that says what to do next."""

from tailrace.schemas.errors import TailraceError


class StackError(TailraceError):
    """The local stack cannot start, stop, or be read."""


class InterruptedStartError(StackError):
    """A start was ended by `stop` before its server served."""

    def __init__(self) -> None:
        super().__init__("the start was interrupted")
