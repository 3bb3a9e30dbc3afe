"""The clients of this process that are open: the one opened last records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace.producers.client import Tailrace

OPEN: list[Tailrace] = []
"""In the order of opening. In a forked child those of its parent stand here, to be opened anew."""


def open_client() -> Tailrace | None:
    """Return the client that records now; None when none is open."""
    return OPEN[-1] if OPEN else None
