"""What a stream worker measures, under the names that `tailrace.schemas.metrics` declares.

Each worker has a registry of its own. Serving it is the console's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tailrace.schemas import metrics

if TYPE_CHECKING:
    from tailrace.schemas.metrics import Metric
    from tailrace.streams.outbox import Published

_SECOND_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Meters:
    """The counts of one worker since it started; safe to read from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """What an exporter reads."""

        self._events = self._counter(metrics.STREAMS_EVENTS)
        self._outputs = self._counter(metrics.STREAMS_OUTPUTS)
        self._publish = Histogram(
            metrics.STREAMS_PUBLISH.name,
            metrics.STREAMS_PUBLISH.doc,
            registry=self.registry,
            buckets=_SECOND_BUCKETS,
        )
        self._partitions = self._gauge(metrics.STREAMS_PARTITIONS)
        self._open = self._gauge(metrics.STREAMS_OPEN)
        self._lag = self._gauge(metrics.STREAMS_LAG)

    def published(self, published: Published) -> None:
        """Count a batch that is acknowledged."""
        self._events.inc(published.records)
        for name, count in published.counts.items():
            self._outputs.labels(name).inc(count)
        self._publish.observe(published.seconds)

    def stands(self, *, open_executions: int, lags: dict[int, int]) -> None:
        """Note where the worker stands in the partitions that it owns."""
        self._partitions.set(len(lags))
        self._open.set(open_executions)
        self._lag.clear()
        for partition, lag in lags.items():
            self._lag.labels(str(partition)).set(lag)

    def _counter(self, declared: Metric) -> Counter:
        return Counter(declared.name, declared.doc, declared.labels, registry=self.registry)

    def _gauge(self, declared: Metric) -> Gauge:
        return Gauge(declared.name, declared.doc, declared.labels, registry=self.registry)
