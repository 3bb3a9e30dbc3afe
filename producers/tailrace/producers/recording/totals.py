"""What a run's steps came to, told by its last event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.content.usage import Usage

_USED = ("input_tokens", "output_tokens", "cached_tokens", "cost_usd")


@dataclass(slots=True)
class Totals:
    """Steps that ended, and what those of models used. Not thread-safe."""

    steps: int = 0
    errors: int = 0
    used: dict[str, Any] = field(default_factory=dict[str, Any])
    """Tokens and cost; what no step said stays unknown."""

    def add(self, *, failed: bool, used: Usage | None) -> None:
        """Count a step that ended."""
        self.steps += 1
        self.errors += failed
        if used is not None:
            for name in _USED:
                value = getattr(used, name)
                if value is not None:
                    self.used[name] = self.used.get(name, 0) + value

    def fields(self) -> Mapping[str, Any]:
        """Return them under the names of the event's fields."""
        used = {f"run_{name}": value for name, value in self.used.items()}
        return {"run_steps": self.steps, "run_errors": self.errors, **used}
