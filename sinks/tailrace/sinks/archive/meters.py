"""What the archive sink measures, under the names that `tailrace.schemas.metrics` declares.

Each sink has a registry of its own, so that two in one process do not add up. Serving it is the
console's. Gauges are read when somebody asks, so a partition that was handed over is not in the
answer, and counting costs a few microseconds a block.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tailrace.schemas import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.core import Metric as Family

    from tailrace.schemas.metrics import Metric

Link = Literal["consume", "splice", "insert", "commit"]
"""What a record goes through on its way into a table, in this order."""

_ROW_BUCKETS = (1, 10, 100, 1_000, 5_000, 10_000, 20_000, 40_000, 65_536)
_SECOND_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True)
class Position:
    """How far the sink is in one partition that it owns."""

    stored_to: int
    """The first offset that is not known to be stored."""

    lag: int
    """Offsets from there to the end of what may be read."""

    oldest_ms: int | None
    """Broker time of the oldest record that is read and not stored, milliseconds since the epoch;
    None if nothing was ever read, or nothing waits."""

    compared: int | None = None
    """Portions that the sink's repairs have compared, where the partition waits for a look at its
    rows; None where it does not. It grows while a repair gets on, whichever partition's it is: they
    take turns."""


class Meters:
    """The counts of one sink since it started; safe to read from any thread.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        """What an exporter reads."""

        self.positions: Mapping[tuple[str, int], Position] = {}
        """By topic and partition; replaced whole at each poll."""

        self.waiting_partitions: Callable[[], int] = lambda: 0
        """Tells how many partitions wait for a schema."""

        self.schemas: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Tells how many schemas were learnt and how many records of their topic were none."""

        self._clock = clock
        self._rows = self._counter(metrics.ARCHIVE_ROWS)
        self._bytes = self._counter(metrics.ARCHIVE_BYTES)
        self._blocks = self._counter(metrics.ARCHIVE_BLOCKS)
        self._skipped = self._counter(metrics.ARCHIVE_SKIPPED)
        self._narrowed = self._counter(metrics.ARCHIVE_NARROWED)
        self._repaired = self._counter(metrics.ARCHIVE_REPAIRED)
        self._letters = self._counter(metrics.ARCHIVE_DEAD_LETTERS)
        self._retries = self._counter(metrics.ARCHIVE_RETRIES)
        self._links = self._counter(metrics.ARCHIVE_LINKS)
        self._block_rows = self._histogram(metrics.ARCHIVE_BLOCK_ROWS, _ROW_BUCKETS)
        self._insert = self._histogram(metrics.ARCHIVE_INSERT, _SECOND_BUCKETS)
        self.registry.register(_Gauges(self))

    def stored(self, topic: str, *, rows: int, skipped: int, letters: int, size_bytes: int) -> None:
        """Count a block that is stored."""
        self._rows.labels(topic).inc(rows)
        self._skipped.labels(topic).inc(skipped)
        self._letters.labels(topic).inc(letters)
        self._bytes.labels(topic).inc(size_bytes)
        self._blocks.labels(topic).inc()
        self._block_rows.labels(topic).observe(rows)

    def narrowed(self, topic: str, records: int) -> None:
        """Count records of which fields were left out."""
        self._narrowed.labels(topic).inc(records)

    def repaired(self, topic: str, rows: int) -> None:
        """Count rows that were stored again."""
        self._repaired.labels(topic).inc(rows)

    def inserted(self, topic: str, seconds: float, splice_s: float) -> None:
        """Count the time of one block in all, and what of it the splice took."""
        self._insert.labels(topic).observe(seconds)
        self.spent("splice", splice_s)
        self.spent("insert", max(seconds - splice_s, 0.0))

    def spent(self, link: Link, seconds: float) -> None:
        """Count time spent in a link; what runs at once adds up."""
        self._links.labels(link).inc(seconds)

    def retried(self, table: str) -> None:
        """Count an insert that is sent again."""
        self._retries.labels(table).inc()

    def delays(self) -> dict[tuple[str, int], float]:
        """Return the age in seconds of each partition's oldest record that is not stored."""
        now = self._clock()
        return {
            place: max(now - position.oldest_ms / 1000, 0.0) if position.oldest_ms else 0.0
            for place, position in self.positions.items()
        }

    def _counter(self, declared: Metric) -> Counter:
        return Counter(declared.name, declared.doc, declared.labels, registry=self.registry)

    def _histogram(self, declared: Metric, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(
            declared.name, declared.doc, declared.labels, registry=self.registry, buckets=buckets
        )


class _Gauges(Collector):
    """What is looked up at the moment somebody asks."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def collect(self) -> Iterable[Family]:
        meters = self._meters
        positions = meters.positions
        lags = {place: float(position.lag) for place, position in positions.items()}
        yield _by_partition(metrics.ARCHIVE_LAG, lags)
        yield _by_partition(metrics.ARCHIVE_DELAY, meters.delays())
        yield _single(metrics.ARCHIVE_PARTITIONS, len(positions))
        yield _single(metrics.ARCHIVE_WAITING, meters.waiting_partitions())
        for declared, value in zip(
            (metrics.SCHEMAS_LEARNT, metrics.SCHEMAS_REJECTED), meters.schemas(), strict=True
        ):
            yield CounterMetricFamily(declared.name, declared.doc, value=value)


def _by_partition(declared: Metric, values: Mapping[tuple[str, int], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(declared.name, declared.doc, labels=declared.labels)
    for (topic, partition), value in values.items():
        family.add_metric([topic, str(partition)], value)
    return family


def _single(declared: Metric, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(declared.name, declared.doc, value=value)
