"""Waiting for a condition, with a deadline, in place of sleeping for a guess."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(
    condition: Callable[[], bool], what: str, *, timeout_s: float = 60.0, poll_s: float = 0.02
) -> None:
    """Return once the condition holds; fail, naming `what`, if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(poll_s)
