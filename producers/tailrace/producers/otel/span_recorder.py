"""How processor and exporter are made: what both take, what both tell, when both begin anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tailrace.producers.otel.options import SpanOptions
from tailrace.producers.otel.span_journal import SpanJournal

if TYPE_CHECKING:
    from tailrace.producers.client import Tailrace
    from tailrace.producers.otel.options import SpanStats


class SpanRecorder(ABC):
    """Records spans over a client, from when it is made."""

    def __init__(
        self, client: Tailrace | None = None, *, options: SpanOptions | None = None
    ) -> None:
        """Make one that records at once.

        Args:
            client: an open client, to be closed after this was shut down; when None, one is made
                from the settings, opened, and closed with this.
            options: see `SpanOptions`.

        Raises:
            KafkaUnreachableError: without a client, if Kafka does not answer.
            NoEndpointError: without a client, if no address of Kafka is known.
        """
        self._options = options or SpanOptions()
        self._journal = SpanJournal(client, self._options, on_tick=self._tick, on_fork=self._begin)
        self._begin()

    @property
    def stats(self) -> SpanStats:
        """What did not go as it should."""
        return self._journal.stats

    @abstractmethod
    def _begin(self) -> None:
        """Set what is of this process alone; called in a forked child as well."""

    @abstractmethod
    def _tick(self, now_s: float) -> None:
        """Do what is due by the time of `time.monotonic`; called about four times a second."""
