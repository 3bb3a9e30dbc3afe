"""An execution of which all spans are there: folded in the order in which they happened. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tailrace.producers.otel.execution import Execution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.producers.otel.setting import Setting
    from tailrace.producers.otel.span import SpanData

_Moment = tuple[int, int]
"""A time in nanoseconds, and what comes first at the same time."""

_END, _START, _END_AT_ONCE = range(3)


def whole_execution(spans: Sequence[SpanData], setting: Setting) -> Execution:
    """Return the execution of these spans, its events ready to be taken.

    The order of the spans but the first, which is the root, does not matter.
    """
    root = spans[0]
    execution = Execution(root, lambda: root, setting)
    for is_end, span in _moments(spans):
        if is_end:
            execution.end(span)
        elif span is not root:
            execution.start(span, lambda span=span: span)
    execution.conclude()
    return execution


def _moments(spans: Sequence[SpanData]) -> list[tuple[bool, SpanData]]:
    """Return starts and ends in order: a parent starts before and ends after all below it.

    What clocks and detached tasks say otherwise is bent to that. Where one span ends when another
    one starts, the end comes first, as they did not run at once.
    """
    root = spans[0]
    by_id = {span.span_id: span for span in spans}
    children: dict[str, list[SpanData]] = defaultdict(list)
    for span in spans[1:]:
        children[span.parent_id if span.parent_id in by_id else root.span_id].append(span)
    starts: dict[str, int] = {}
    order: list[tuple[SpanData, int]] = [(root, 0)]
    starts[root.span_id] = root.start_ns
    for span, depth in order:  # it grows while it is walked
        for child in children[span.span_id]:
            starts[child.span_id] = max(child.start_ns, starts[span.span_id])
            order.append((child, depth + 1))
    ends: dict[str, _Moment] = {}
    for span, _ in reversed(order):
        start = starts[span.span_id]
        own = (span.end_ns, _END) if span.end_ns > start else (start, _END_AT_ONCE)
        ends[span.span_id] = max([own, *(ends[child.span_id] for child in children[span.span_id])])
    moments = [
        ((starts[span.span_id], _START), depth, span.span_id, False, span) for span, depth in order
    ] + [(ends[span.span_id], -depth, span.span_id, True, span) for span, depth in order]
    moments.sort(key=lambda moment: moment[:4])
    return [(is_end, span) for *_, is_end, span in moments]
