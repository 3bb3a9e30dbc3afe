"""`TailraceSpanProcessor`: spans become journal events while they happen."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from tailrace.producers.otel.execution import Execution
from tailrace.producers.otel.span import span_data
from tailrace.producers.otel.span_recorder import SpanRecorder

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from tailrace.producers.otel.span import SpanData

_ENDED_TRACES = 4096
_FORGET_AFTER = 12  # times max_age_s


class _Watched:
    """An execution that is going on, and when something was heard of it."""

    def __init__(self, execution: Execution, now_s: float) -> None:
        self.execution = execution
        self.begun_s = self.heard_s = now_s
        self.announced = False
        self.root_ended_s: float | None = None


class TailraceSpanProcessor(SpanRecorder, SpanProcessor):
    """Records spans as runs and steps while they happen; add it to a tracer provider.

    What a span has to tell is read on the thread that ends it. No method raises, nor blocks but
    when the client's buffer is full. Use `TailraceSpanExporter` behind a batch processor to spare
    the agent's threads, at the price of learning of a run only when it has ended.
    """

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._traces: dict[str, list[_Watched]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """See the SDK. Announces a run, if this is what it waited for."""
        del parent_context
        try:
            if self._journal.records and _is_sampled(span):
                with self._lock:
                    self._started(span, span_data(span))
        except Exception as error:  # noqa: BLE001 - recording never breaks the agent
            self._journal.failed(f"the start of span {span.name}", error)

    def on_end(self, span: ReadableSpan) -> None:
        """See the SDK. Writes the span's step, or the end of its run."""
        try:
            if not _is_sampled(span):
                self.stats.unsampled += 1
            elif self._journal.records:
                with self._lock:
                    self._finished(span_data(span))
            else:
                self.stats.dropped += 1
        except Exception as error:  # noqa: BLE001 - as above
            self._journal.failed(f"span {span.name}", error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until Kafka has acknowledged all spans that have ended; say whether it has.

        With Kafka away, what lies in the client's spool counts as well. Blocks within the time; a
        record that is lost for good makes it False.
        """
        try:
            return self._journal.flush(timeout_millis / 1000)
        except Exception as error:  # noqa: BLE001 - as above
            self._journal.failed("a flush of spans", error)
            return False

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        """Record no more; wait for acknowledgement within the time, and say what was left."""
        try:
            with self._lock:
                left = [each for some in self._traces.values() for each in some]
                for watched in left if self._journal.records else ():
                    watched.execution.conclude()
                    self._settle(watched)
                    self._forget(watched)
            self._journal.close(timeout_millis / 1000)
        except Exception as error:  # noqa: BLE001 - as above
            self._journal.failed("the end of recording spans", error)

    def _started(self, span: Span, data: SpanData) -> None:
        now_s = time.monotonic()
        watched = self._execution_of(data)
        if watched is None:
            if not data.is_local_root and data.trace_id in self._ended:
                self.stats.late += 1
                return
            execution = Execution(data, lambda: span_data(span), self._journal.setting)
            watched = _Watched(execution, now_s)
            self._traces.setdefault(data.trace_id, []).append(watched)
        elif len(watched.execution.nodes) >= self._options.max_spans:
            self.stats.dropped += 1
            watched.execution.leave_out()
        else:
            watched.execution.start(data, lambda: span_data(span))
        watched.heard_s = now_s
        self._settle(watched)

    def _finished(self, data: SpanData) -> None:
        for watched in self._traces.get(data.trace_id, ()):
            if data.span_id in watched.execution.nodes:
                late = watched.execution.late
                watched.execution.end(data)
                self.stats.late += watched.execution.late - late
                watched.heard_s = time.monotonic()
                if data.span_id == watched.execution.root_id:
                    watched.root_ended_s = watched.heard_s
                self._settle(watched)
                return

    def _execution_of(self, data: SpanData) -> _Watched | None:
        """Return the execution that a span which starts is a part of; None for a new one."""
        watched = self._traces.get(data.trace_id, [])
        if data.is_local_root:
            return None
        for each in watched:
            if data.parent_id in each.execution.nodes:
                return each
        return watched[0] if watched else None

    def _settle(self, watched: _Watched) -> None:
        """Write what has come of an execution, and forget it when it is done."""
        self._journal.write(watched.execution.take())
        if watched.execution.done:
            self._forget(watched)

    def _forget(self, watched: _Watched) -> None:
        trace_id = watched.execution.trace_id
        others = self._traces.get(trace_id, [])
        if watched not in others:
            return
        others.remove(watched)
        if not others:
            del self._traces[trace_id]
        self._ended[trace_id] = None
        if len(self._ended) > _ENDED_TRACES:
            self._ended.popitem(last=False)
        self._journal.conclude(watched.execution)

    def _tick(self, now_s: float) -> None:
        options = self._options
        with self._lock:
            for watched in [each for some in self._traces.values() for each in some]:
                ended_s = watched.root_ended_s
                if not watched.announced and now_s - watched.begun_s >= options.announce_after_s:
                    watched.announced = True
                    watched.execution.announce()
                if ended_s is not None and now_s - ended_s >= options.open_spans_wait_s:
                    watched.execution.conclude()
                self._settle(watched)
                if now_s - watched.heard_s >= _FORGET_AFTER * options.max_age_s:
                    self._forget(watched)


def _is_sampled(span: ReadableSpan) -> bool:
    return span.context is not None and span.context.trace_flags.sampled
