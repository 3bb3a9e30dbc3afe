"""The fold: starts and ends of spans become the events of an execution. No I/O, no clock.

One local root span and everything below it in this process is an execution: the root's run, with
child runs for agents and workflows within it. The processor feeds it as spans happen; the exporter
feeds it the same starts and ends in the order of their times, so both write the same journal.

A span's role is read when it first matters: when a child of it or a sibling ends, when a child
starts, or when it ends itself. By then an instrumentation that names the span after starting it has
done so. Spans of a level are placed in the order in which they started, which gives keys ordinals.
Until a convention for agents or models has spoken, events are held back; if none ever does, the
trace is none of ours.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tailrace.producers.options import RunOptions
from tailrace.producers.otel.names import component_name, step_name
from tailrace.producers.otel.node import Node
from tailrace.producers.otel.remaining import session_of, tags_of
from tailrace.producers.otel.role import MODEL_KINDS, role_of
from tailrace.producers.otel.run_state import Outgoing, RunState, StepPlace, run_id_of
from tailrace.producers.tree import keys
from tailrace.schemas.events import RunFields

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.otel.setting import Setting
    from tailrace.producers.otel.span import SpanData

MAX_HELD = 256
"""Steps held back while it is not known whether the trace is one of agents or models."""

LOST_PARENT = "spans whose parent span is missing"
LOST_ROOT = "root spans of which only children came"
STILL_OPEN = "spans still open when the run had to end"
LEFT_OUT = "spans left out because there were too many"


class Execution:
    """The runs of one local root span. Not thread-safe."""

    def __init__(
        self,
        root: SpanData,
        peek: Callable[[], SpanData],
        setting: Setting,
    ) -> None:
        self.trace_id = root.trace_id
        self.root_id = root.span_id
        self.nodes: dict[str, Node] = {root.span_id: Node(root.span_id, None, peek)}
        self.late = 0
        """Spans that came after their run's last event."""

        self.ignored = False
        """Whether it ended without any agent or model in it."""

        self._setting = setting
        self._options = options = setting.options
        self._root = self.nodes[root.span_id]
        self._open = dict(self.nodes)
        self._runs: list[RunState] = []
        self._session = ""
        self._awake = False
        self._held: deque[tuple[SpanData, StepPlace]] = deque()
        self._out: list[Outgoing] = []
        self._head(self._root, root, None)
        if root.is_missing:
            self._main.gap(LOST_ROOT)
        elif not root.is_local_root:
            self._main.gap(LOST_PARENT)
        if options.announce_after_s == 0:
            self.announce()

    @property
    def done(self) -> bool:
        """Whether every run has its last event, or the trace is none of ours."""
        return self.root_id not in self._open and all(run.finished for run in self._runs)

    @property
    def incomplete(self) -> int:
        """How many of the runs that were written are known to lack spans."""
        return sum(1 for run in self._runs if run.gaps) if self._awake else 0

    @property
    def unfinished(self) -> list[str]:
        """The runs that have a first event and no last one."""
        if not self._awake:
            return []
        return [run.run.run_id for run in self._runs if not run.finished]

    @property
    def _main(self) -> RunState:
        assert self._root.run is not None
        return self._root.run

    def take(self) -> list[Outgoing]:
        """Return the events that came of what was said since the last time, in order."""
        out, self._out = self._out, []
        return out

    def start(self, span: SpanData, peek: Callable[[], SpanData]) -> None:
        """Say that a span below the root has started; `peek` reads it as it is."""
        parent = self.nodes.get(span.parent_id)
        if parent is None:
            parent = self._root
            self._main.gap(LOST_PARENT)
        self._place_all(parent)
        node = Node(span.span_id, parent, peek)
        self.nodes[span.span_id] = self._open[span.span_id] = node
        node.is_late = parent.is_late or (parent.run is not None and parent.run.finished)
        if not node.is_late:
            parent.unplaced.append(node)
        self._wake_for(span)

    def end(self, span: SpanData) -> None:
        """Say that a span has ended."""
        node = self._open.pop(span.span_id, None)
        if node is None:
            return
        node.peek = lambda: span
        if node.is_late:
            self.late += 1
        else:
            self._place_all(node)
            self._wake_for(span)
            self._ended(node, span)
        node.peek = None

    def announce(self) -> None:
        """Announce the root run, however little has happened, unless nothing says it is ours."""
        self._place_all(self._root)

    def conclude(self, why: str = STILL_OPEN) -> None:
        """End every run whose root span has ended, though spans of it are open."""
        for run in self._runs:
            if run.ended is not None and not run.finished:
                self._finish(run, why)

    def leave_out(self) -> None:
        """Say that a span was not taken in."""
        self._main.gap(LEFT_OUT)

    def _ended(self, node: Node, span: SpanData) -> None:
        run = node.run
        assert run is not None, "a span is placed before it ends"
        if node.heads_run:
            run.ended = span
        else:
            assert node.parent is not None, "only a step has a place in its parent"
            node.parent.branch.leave(node.label)
            place = StepPlace(node.key, node.name, node.parent.step_id, node.in_model_call)
            self._step(run, span, place)
        self._finish(run)

    def _place_all(self, node: Node) -> None:
        """Read the role of a node and of all its siblings that have started."""
        if node.parent is None:
            if node.peek is not None:
                self._wake_for(node.peek())
            return
        while node.parent.unplaced:
            self._place(node.parent.unplaced.popleft(), node.parent)

    def _place(self, node: Node, parent: Node) -> None:
        span = node.span()
        role = role_of(span.attributes)
        run = parent.run
        assert run is not None, "a parent is placed before its children"
        self._wake_for(span)
        if role.is_run:
            self._head(node, span, parent)
            return
        node.run = run
        node.name = self._setting.shown("name", step_name(span))
        node.label = keys.label(node.name)
        node.key, _, overlaps = parent.branch.enter(node.label)
        node.branch = keys.below(node.key)
        node.is_model = role.kind in MODEL_KINDS
        node.in_model_call = parent.is_model or parent.in_model_call
        if overlaps:
            run.by_chance = run.by_chance or node.label

    def _head(self, node: Node, span: SpanData, parent: Node | None) -> None:
        """Begin the run that a node is the root of."""
        options = self._options
        above = None if parent is None else parent.run
        run_id = run_id_of(span.trace_id, span.span_id)
        own_name = (options.replayable_as or options.component) if above is None else ""
        state = RunState(
            RunFields(
                trace_id=span.trace_id,
                run_id=run_id,
                root_run_id=run_id if above is None else self._main.run.run_id,
                parent_run_id="" if above is None else above.run.run_id,
                caller_step_id="" if parent is None else parent.step_id,
                component=own_name or self._setting.shown("component", component_name(span)),
                environment=self._setting.environment,
            ),
            self._setting,
            replayable=bool(options.replayable_as) and above is None,
        )
        node.run, node.heads_run = state, True
        self._runs.append(state)
        if above is not None:
            above.children.append(run_id)
            self._announce(node)

    def _announce(self, node: Node) -> None:
        """Emit a run's first event; what is constant in the run is fixed with it."""
        run = node.run
        assert run is not None
        span = run.ended or node.span()
        own_name = self._options.replayable_as or self._options.component
        shown = self._setting.shown
        session = session_of(span) or self._session
        if run is self._main:
            self._session = session
        changes = {
            "session": shown("session", session) if session else "",
            "tags": tuple(shown("tags", tag) for tag in tags_of(span)),
            "routing_key": RunOptions(session=session).routing_hash(self.trace_id),
        }
        if run is self._main:
            changes["component"] = own_name or shown("component", component_name(span))
        run.run = run.run.model_copy(update=changes)
        self._out.append(run.start(span))

    def _wake_for(self, span: SpanData) -> None:
        """Take the trace for ours if this span is one of agents or models."""
        if not self._awake and (self._options.all_traces or role_of(span.attributes).is_ai):
            self._wake()

    def _wake(self) -> None:
        """Take the trace for ours: emit what was held back."""
        self._awake = True
        self._announce(self._root)
        for span, place in self._held:
            self._out.append(self._main.step(span, place))
        self._held.clear()

    def _step(self, run: RunState, span: SpanData, place: StepPlace) -> None:
        if self._awake:
            self._out.append(run.step(span, place))
            return
        self._held.append((span, place))
        if len(self._held) > MAX_HELD:
            self._held.popleft()
            run.gap(LEFT_OUT)

    def _finish(self, run: RunState, why: str = "") -> None:
        """Emit a run's last event if its root span and all its steps have ended."""
        if run.ended is None or run.finished:
            return
        for node in list(self._open.values()):
            if not node.is_late and node.run is None:
                self._place_all(node)
        waiting = [n for n in self._open.values() if n.run is run and not n.is_late]
        if waiting and not why:
            return
        for node in waiting:
            run.gap(why)
            node.is_late = True
        if not self._awake:
            self.ignored = run.finished = True
            return
        self._out.append(run.finish())
