"""Spans that wait for the rest of their trace, within bounds. No I/O; the time is passed in.

An exporter gets spans when they have ended, children before parents and in any order. A trace is
handed out when its local root has come and `linger_s` has passed, so that what ends a little later
than the root is in it; without a root, when it is too old or the bounds are reached. Nothing is
thrown away: what is handed out without its root says so.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

from tailrace.producers.otel.span import SpanData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.producers.otel.options import SpanOptions, SpanStats

_REMEMBERED = 50_000
_SPAN_BYTES = 800
_ATTRIBUTE_BYTES = 120


class _Trace:
    """The waiting spans of one trace."""

    def __init__(self, now_s: float) -> None:
        self.since_s = now_s
        self.spans: dict[str, SpanData] = {}
        self.roots: dict[str, float] = {}
        """Local roots that have come, and when."""

        self.size_bytes = 0


class WaitingSpans:
    """What an exporter has got and not yet written. Not thread-safe."""

    def __init__(self, options: SpanOptions, stats: SpanStats) -> None:
        self._options = options
        self._stats = stats
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._written: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.spans = 0
        self.size_bytes = 0

    def add(self, span: SpanData, now_s: float) -> None:
        """Take a span in, unless it comes twice, or after its run was handed out."""
        key = (span.trace_id, span.span_id)
        trace = self._traces.get(span.trace_id)
        if key in self._written or (trace is not None and span.span_id in trace.spans):
            self._stats.duplicates += 1
            return
        if not span.is_local_root and (span.trace_id, span.parent_id) in self._written:
            self._stats.late += 1
            self._remember([span])
            return
        if trace is None:
            trace = self._traces[span.trace_id] = _Trace(now_s)
        trace.spans[span.span_id] = span
        if span.is_local_root:
            trace.roots[span.span_id] = now_s
        size = _size_bytes(span)
        trace.size_bytes += size
        self.size_bytes += size
        self.spans += 1

    def due(self, now_s: float, *, linger: bool = True) -> list[list[SpanData]]:
        """Hand out what waits no longer: a list for each execution, its root span first.

        Args:
            now_s: the time, of the same clock as in `add`.
            linger: whether a trace whose root has come waits for late spans still.
        """
        wait_s = self._options.linger_s if linger else 0.0
        groups: list[list[SpanData]] = []
        for trace_id, trace in list(self._traces.items()):
            for root_id, came_s in list(trace.roots.items()):
                if now_s - came_s >= wait_s:
                    groups.append(self._take(trace, root_id))
            if trace.spans and now_s - trace.since_s >= self._options.max_age_s:
                groups += self._force_out(trace)
            if not trace.spans:
                del self._traces[trace_id]
        while self._traces and self._is_full():
            _, oldest = self._traces.popitem(last=False)
            groups += self._force_out(oldest)
        return groups

    def everything(self) -> list[list[SpanData]]:
        """Hand out all that waits."""
        groups = [group for trace in self._traces.values() for group in self._force_out(trace)]
        self._traces.clear()
        return groups

    def _is_full(self) -> bool:
        options = self._options
        return self.spans > options.max_spans or self.size_bytes > options.max_bytes

    def _take(self, trace: _Trace, root_id: str) -> list[SpanData]:
        """Take a root and all below it, and what lost its parent and can only be of this root."""
        root = trace.spans[root_id]
        tops = [root]
        if len(trace.roots) == 1 and not root.parent_is_remote:
            tops += _orphans(trace)
        group = _below(tops, trace.spans.values())
        for span in group:
            del trace.spans[span.span_id]
        del trace.roots[root_id]
        size = sum(map(_size_bytes, group))
        trace.size_bytes -= size
        self.size_bytes -= size
        self.spans -= len(group)
        self._remember(group)
        return group

    def _force_out(self, trace: _Trace) -> list[list[SpanData]]:
        """Take all that waits of a trace; a root that is missing is concluded from its children."""
        groups = [self._take(trace, root_id) for root_id in list(trace.roots)]
        families: dict[str, list[SpanData]] = defaultdict(list)
        for orphan in _orphans(trace):
            families[orphan.parent_id].append(orphan)
        for parent_id, children in sorted(families.items()):
            root = _concluded(parent_id, children)
            trace.spans[parent_id] = root
            self.spans += 1
            self.size_bytes += _size_bytes(root)
            trace.size_bytes += _size_bytes(root)
            trace.roots = {parent_id: 0.0, "": 0.0}  # no other orphan is of this root
            groups.append(self._take(trace, parent_id))
            self._stats.forced_out += 1
        trace.roots = {}
        return groups

    def _remember(self, spans: Iterable[SpanData]) -> None:
        for span in spans:
            self._written[span.trace_id, span.span_id] = None
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)


def _orphans(trace: _Trace) -> list[SpanData]:
    """Return the spans that name a parent in this process that has not come."""
    return [
        span
        for span in trace.spans.values()
        if not span.is_local_root and span.parent_id not in trace.spans
    ]


def _below(tops: list[SpanData], spans: Iterable[SpanData]) -> list[SpanData]:
    children: dict[str, list[SpanData]] = defaultdict(list)
    for span in spans:
        if not span.is_local_root:
            children[span.parent_id].append(span)
    found = list(tops)
    seen = {span.span_id for span in tops}
    for span in found:  # it grows while it is walked
        for child in children[span.span_id]:
            if child.span_id not in seen:
                seen.add(child.span_id)
                found.append(child)
    return found


def _concluded(span_id: str, children: list[SpanData]) -> SpanData:
    first = min(children, key=lambda child: (child.start_ns, child.span_id))
    return SpanData(
        trace_id=first.trace_id,
        span_id=span_id,
        start_ns=first.start_ns,
        end_ns=max(child.end_ns for child in children),
        service=first.service,
        trace_flags=first.trace_flags,
        trace_state=first.trace_state,
        is_missing=True,
    )


def _size_bytes(span: SpanData) -> int:
    texts = [value for value in span.attributes.values() if isinstance(value, str)]
    for event in span.events:
        texts += [value for value in event.attributes.values() if isinstance(value, str)]
    return _SPAN_BYTES + len(span.attributes) * _ATTRIBUTE_BYTES + sum(map(len, texts))
