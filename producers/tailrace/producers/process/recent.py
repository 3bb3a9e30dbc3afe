"""The root runs that ended here lately, as far as feedback that comes later repeats of them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RUNS = 1024

SCORED = ("component", "environment", "deployment", "code_digest", "routing_key", "attempt")
"""What a score repeats of the run it is about."""


class RecentRuns:
    """What was constant in each of the last runs. Any thread may use it."""

    def __init__(self) -> None:
        self._constants: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def remember(self, run_id: str, constant: Mapping[str, Any]) -> None:
        """Take in a run that has ended; the oldest is forgotten."""
        self._constants[run_id] = constant
        if len(self._constants) > MAX_RUNS:
            self._constants.popitem(last=False)

    def scored(self, run_id: str) -> dict[str, Any]:
        """Return what a score repeats of a run; empty for one that is not remembered."""
        constant = self._constants.get(run_id)
        return {} if constant is None else {name: constant[name] for name in SCORED}
