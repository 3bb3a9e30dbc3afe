"""What a telling of a trace needs beside the trace itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tailrace.console.report.chains import Chains

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

    @cached_property
    def chains(self) -> Chains:
        """The conversations in the bodies, each link read once."""
        return Chains(self.bodies)
