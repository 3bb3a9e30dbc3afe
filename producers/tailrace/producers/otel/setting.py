"""What spans are recorded with: the client's memory, rules and prices beside the options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.producers.otel.options import SpanOptions

if TYPE_CHECKING:
    from tailrace.producers.prices import Prices
    from tailrace.producers.redaction import Redaction
    from tailrace.schemas.payloads import ListChain


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for every execution that one recorder writes."""

    chain: ListChain
    """The memory of message lists, shared with the client's own runs."""

    options: SpanOptions = field(default_factory=SpanOptions)
    environment: str = "dev"
    redaction: Redaction | None = None
    """What must not leave the process; None takes nothing out."""

    prices: Prices | None = None
    """What model calls cost that do not say so themselves."""

    def shown(self, name: str, text: str) -> str:
        """Return a text as it may leave the process."""
        return text if self.redaction is None else self.redaction.text(name, text)
