"""`TailraceSpanExporter`: spans that have ended become journal events, a trace at a time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tailrace.producers.otel.span import span_data
from tailrace.producers.otel.span_recorder import SpanRecorder
from tailrace.producers.otel.waiting import WaitingSpans
from tailrace.producers.otel.whole import whole_execution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from tailrace.producers.otel.span import SpanData


class TailraceSpanExporter(SpanRecorder, SpanExporter):
    """Records traces as runs and steps when their root spans have ended.

    To be used behind the SDK's `BatchSpanProcessor` or `SimpleSpanProcessor`. No method raises.
    `export` says SUCCESS when the spans are taken; only `force_flush` and `shutdown` wait for
    Kafka. The SDK's batch processor never calls its exporter's `force_flush`: call it yourself
    after the provider's, or shut the provider down.
    """

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting = WaitingSpans(self._options, self._journal.stats)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take spans in, and write the traces that wait no longer."""
        try:
            if not self._journal.records:
                self.stats.dropped += len(spans)
                return SpanExportResult.FAILURE
            now_s = time.monotonic()
            with self._lock:
                for span in spans:
                    self._waiting.add(span_data(span), now_s)
                self._write(self._waiting.due(now_s))
        except Exception as error:  # noqa: BLE001 - recording never breaks the agent
            self._journal.failed(f"a batch of {len(spans)} spans", error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write every trace whose root span came; say whether Kafka acknowledged it in the time.

        Traces whose root span has not come wait on.
        """
        try:
            with self._lock:
                if self._journal.records:
                    self._write(self._waiting.due(time.monotonic(), linger=False))
            return self._journal.flush(timeout_millis / 1000)
        except Exception as error:  # noqa: BLE001 - as above
            self._journal.failed("a flush of spans", error)
            return False

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Write all that waits, wait for acknowledgement within the time, say what was left."""
        try:
            with self._lock:
                if self._journal.records:
                    self._write(self._waiting.everything())
            self._journal.close(timeout_millis / 1000)
        except Exception as error:  # noqa: BLE001 - as above
            self._journal.failed("the end of recording spans", error)

    def _write(self, groups: list[list[SpanData]]) -> None:
        journal = self._journal
        for group in groups:
            try:
                execution = whole_execution(group, journal.setting)
                journal.write(execution.take())
                journal.conclude(execution)
            except Exception as error:  # noqa: BLE001 - one trace must not take others with it
                journal.failed(f"trace {group[0].trace_id}", error)

    def _tick(self, now_s: float) -> None:
        with self._lock:
            self._write(self._waiting.due(now_s))
