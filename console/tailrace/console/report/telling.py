"""What a telling of a trace needs beside the trace itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class Telling:
    """How and with what a trace is told."""

    bodies: Mapping[str, str]
    """Bodies by their hash."""

    now: datetime
    """The time from which the age of what is open is counted."""

    full: bool = False
    """Whether nothing is folded: stacks are told whole."""
