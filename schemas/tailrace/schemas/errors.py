"""The root of every error that Tailrace raises on purpose.

Each part derives its own errors from `TailraceError` beside the code that raises them. The command
line prints such an error as one sentence and ends with exit code 1; any other is a defect.
"""


class TailraceError(Exception):
    """Something a person can act on: the text says what is wrong, where, and what to do next."""
