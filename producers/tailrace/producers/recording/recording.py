"""One run while it is recorded: its numbering, its totals, its open steps, its way to the log."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from tailrace.producers.content import encode
from tailrace.producers.content.arguments import escaped
from tailrace.producers.content.capture import input_digest, text_of
from tailrace.producers.content.digest import with_config
from tailrace.producers.content.failure import failure_fields, outcome
from tailrace.producers.delivery.outlet import Lane
from tailrace.producers.process.guard import guarded
from tailrace.producers.recording.origin import shown_options
from tailrace.producers.recording.totals import Totals
from tailrace.producers.replay.dispatched import DISPATCHED
from tailrace.producers.run import Run
from tailrace.producers.tree import matching
from tailrace.producers.tree.keys import Branch
from tailrace.producers.tree.place import Place
from tailrace.schemas.ids import new_id
from tailrace.schemas.payloads import Externalized, escape, externalize_parts, outline
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.client import Tailrace
    from tailrace.producers.content.usage import Usage
    from tailrace.producers.options import RunOptions
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.recording.generators import Items
    from tailrace.producers.recording.origin import Origin
    from tailrace.producers.recording.recorded_step import RecordedStep
    from tailrace.producers.replay.dispatched import Dispatched
    from tailrace.producers.routing.route import Route
    from tailrace.producers.tree.fork_watch import ForkWatch
    from tailrace.producers.tree.forks import Forked

_STEP_ID_BITS = 64
_HELD_S = 1.0
_MAX_UNORDERED = 1000

REQUEST_ID = "request_id"
"""The attribute of a dispatched run's first and last event that names its request."""

MAX_ANSWER_BYTES = 256 * 1024
"""Up to which size a dispatched run's output stays whole in its last event."""


class Recording:
    """The recorder of one run. Any thread may call it; `lock` keeps seq without gaps and in order.

    Attributes of the run that its events repeat are fixed when it starts.
    """

    def __init__(
        self,
        client: Tailrace,
        definition: ComponentDefinition,
        route: Route,
        origin: Origin,
        *,
        trace_id: str = "",
    ) -> None:
        """Take up a run, of a trace where its origin leaves one open."""
        self.client = client
        self.redaction = client.redaction
        self.definition = definition
        self.route = route
        self.lock = threading.Lock()
        self.run_id = new_id()
        self.options = origin.options
        self.parent = parent = origin.parent
        self.root: Recording = self if parent is None else parent.recording.root
        """The outermost run of the execution in this process."""

        self.trace_id = trace_id or origin.trace_id()
        self.root_run_id = origin.root_run_id(self.run_id)
        self.lane = Lane(self.trace_id)
        self.open_steps: dict[int, RecordedStep] = {}
        self.children: list[str] = []
        self.offers: list[str] = []
        self.fork_watches: dict[str, ForkWatch] = {}
        self.forked: Forked | None = None
        """In a forked child: how its parent's run goes on here, which cannot be recorded itself."""

        self.not_replayable = ""
        self._unordered: set[str] = set()
        self.place = Place(self, None, Branch())
        self.config_read: dict[str, Any] = {}
        self.run = Run(self, route.config, self.options)
        self.descendants: list[Future[int]] = []
        """On the root: what else is acknowledged before its caller gets its value."""

        self._outlet = client.outlet
        # How its steps are treated where it was dispatched; None where it was not.
        self.dispatched = _dispatched(self)
        self.constant = origin.constant(client, definition, route, (self.trace_id, self.run_id))
        """What every event of the run repeats, under the fields' names."""

        self.prefix = encode.run_prefix(self.constant)
        self._seq = 0
        self._step_base = int.from_bytes(os.urandom(8), "big")
        self._step_count = 0
        self._totals = Totals()
        self.ended = False  # whether the last event is made: nothing can be added any more
        self._idle: Future[None] | None = None
        self.started_us = 0
        """When it began, in microseconds since the epoch."""

        self._began_ns = 0
        self._input: dict[str, Any] = {}
        if parent is not None:
            parent.recording.children.append(self.run_id)
            self.root.descendants.append(self.lane.done)

    def end_unless_held(self) -> None:
        """End it, except from a signal handler that has interrupted the lock's holder."""
        if not self.ended and self.lock.acquire(timeout=_HELD_S):
            self.lock.release()
            self.end()

    @property
    def shown_options(self) -> RunOptions:
        """The options as they may leave the process."""
        return shown_options(self.options, self.constant, self.control_offset)

    @property
    def control_offset(self) -> int:
        """The control offset that the execution is routed at: its root's."""
        return self.root.constant["control_offset"]

    def start(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Record that the run began, and what it was given."""
        parts = self.definition.parameters.capture(args, kwargs)
        if self.redaction is not None:
            parts = self.redaction.parts(parts)
        parts = escaped(parts)
        given = externalize_parts(parts, self.client.chain)
        self.started_us = time.time_ns() // 1000
        self._began_ns = time.perf_counter_ns()
        self._input = {
            "name": self.definition.name,
            "definition_digest": self.definition.digest,
            "input_digest": input_digest(parts),
            "started_at": self.started_us,
            "input": given.json,
            "bodies": given.hashes,
        }
        self.post_bodies(given)
        begun = {"kind": "run_started", "ts": self.started_us, "attributes": self._attributes()}
        own = encode.own_part({**self._input, **begun})
        with self.lock:
            self.emit(own, RUNS)
        self.client.recordings[self.run_id] = self

    def end(
        self,
        *,
        result: Any = None,
        error: BaseException | None = None,
        items: Items | None = None,
    ) -> None:
        """Record that the run ended: its last event, sent when all before it is acknowledged."""
        duration_us = (time.perf_counter_ns() - self._began_ns) // 1000
        if items is not None:
            returned = items.externalized(self.redaction)
        else:
            returned = Externalized(b"") if error is not None else self.answer(result)
        fields: dict[str, Any] = {
            **self._input,
            "kind": f"run_{outcome(error)}",
            "ts": self.started_us + duration_us,
            "duration_us": duration_us,
            "first_item_us": None if items is None else items.first_item_us,
            "output": returned.json or None,
            "bodies": (*self._input["bodies"], *returned.hashes),
            "config_keys": list(self.config_read),
            "definition_digest": with_config(self.definition.digest, self.config_read),
            **failure_fields(error, self.redaction),
        }
        self.post_bodies(returned)
        with self.lock:
            self.ended = True
            last = {
                **fields,
                "last_seq": self._seq,
                "children": self.children,
                "offers": [each for each in self.offers if self._may_be_claimed(each)],
                "not_replayable": self.not_replayable,
                "attributes": {**matching.told(self._unordered), **self._attributes()},
                **self._totals.fields(),
            }
            value = encode.splice(self.prefix, self._seq, encode.own_part(last))
            self._outlet.finish(self.lane, RUNS, value)
        self.client.recordings.pop(self.run_id, None)
        if self.root is self:
            self.client.recent.remember(self.run_id, self.constant)

    def _attributes(self) -> dict[str, str]:
        told = dict(self.route.attributes)
        if self.dispatched is not None and self.dispatched.answers:
            told[REQUEST_ID] = self.dispatched.request_id
        return told

    def output(self, value: Any) -> Externalized:
        """Return what was given back, large parts as bodies."""
        return self._outlined(self._shown(value))

    def answer(self, value: Any) -> Externalized:
        """Return what the run gave back: of a dispatched one whole, so that it is the answer."""
        raw = self._shown(value)
        is_answer = self.dispatched is not None and self.dispatched.request_id
        if is_answer and len(raw) <= MAX_ANSWER_BYTES:
            return Externalized(escape(raw))
        return self._outlined(raw)

    def _shown(self, value: Any) -> bytes:
        """Return what was given back as JSON that may leave the process."""
        raw = text_of(value)
        return raw if self.redaction is None else self.redaction.json("output", raw)

    def _outlined(self, raw: bytes) -> Externalized:
        text, bodies = outline(escape(raw))
        return Externalized(text, bodies)

    def post_bodies(self, externalized: Externalized) -> None:
        """Send what an event of this run names."""
        for body in externalized.bodies:
            self._outlet.post_body(self.lane, body)
        for sha256 in externalized.reused:
            self._outlet.await_body(self.lane, sha256)

    def emit(self, own: bytes, topic: Any = STEPS) -> None:
        """Number an event and send it; the caller holds the lock."""
        seq = self._seq
        self._seq = seq + 1
        self._outlet.post(self.lane, topic, encode.splice(self.prefix, seq, own))

    def offer(self) -> str | None:
        """Note an invitation to a process beside this one; None when the run has ended."""
        with self.lock:
            if self.ended:
                return None
            self.offers.append(new_id())
            return self.offers[-1]

    def _may_be_claimed(self, offer_id: str) -> bool:
        watch = self.fork_watches.get(offer_id)
        return watch is None or watch.may_be_claimed()

    def leave(self, forked: Forked) -> None:
        """Give the run up to the parent process. Takes no lock: its holder may not exist here."""
        self.ended = True
        self.forked = forked

    def begin_step(self, step: RecordedStep, branch: Branch, label: str) -> tuple[int, str]:
        """Take up a step; return its number, which `step_id` knows, and its key."""
        beside: list[RecordedStep] = []
        with self.lock:
            number = self._step_count = self._step_count + 1
            key, unordered, overlaps = branch.enter(label)
            if unordered:
                self._note_unordered(branch.path + label)
                if overlaps and not self.not_replayable:
                    beside = [
                        each for each in self.open_steps.values() if each.is_at(branch, label)
                    ]
            self.open_steps[number] = step
        if beside:
            self._tell_apart(label, step, beside)
        return number, key

    def _note_unordered(self, group: str) -> None:
        if len(self._unordered) < _MAX_UNORDERED:
            self._unordered.add(group)
        elif group not in self._unordered and not self.not_replayable:
            self.not_replayable = (
                f"steps of one name were begun by several threads in more than {_MAX_UNORDERED} "
                "places: too many to name"
            )

    def _tell_apart(self, label: str, step: RecordedStep, beside: Sequence[RecordedStep]) -> None:
        """Say that the run cannot be replayed if a step was given what one beside it was given."""
        try:
            same = step.input_digest in {each.input_digest for each in beside}
        except Exception as error:  # noqa: BLE001 - recording never breaks the agent
            guarded(self.client, label, error)
            same = True
        if same:
            self.not_replayable = (
                f"two steps {label} ran at once in one branch with the same input, begun by "
                "threads of the agent's own: give them a key"
            )

    def step_id(self, number: int) -> str:
        """Return the id of a step by its number, 16 hex digits."""
        return f"{(self._step_base + number) % (1 << _STEP_ID_BITS):016x}"

    def complete(self, step: RecordedStep) -> None:
        """Number a completed step's event and queue it; its bytes are made by the sender."""
        with self.lock:
            if step.leave():
                seq = self._seq
                self._seq = seq + 1
                self._outlet.post(self.lane, STEPS, step.numbered(seq))
                self._totals.steps += 1

    @property
    def here(self) -> Recording:
        """The run as it goes on in this process: itself, or in a forked child what continues it."""
        found = self
        while found.forked is not None and found.forked.goes_on is not None:
            found = found.forked.goes_on
        return found

    @property
    def seq(self) -> int:
        """How many events it has made: the next one gets this number."""
        return self._seq

    @property
    def began_s(self) -> float:
        """When it began, by `time.perf_counter()`."""
        return self._began_ns / 1e9

    def count(self, *, failed: bool, used: Usage | None) -> None:
        """Add a finished step to the totals; the caller holds the lock."""
        self._totals.add(failed=failed, used=used)

    def closed_step(self, number: int) -> None:
        """Take a step off the open ones; the caller holds the lock."""
        self.open_steps.pop(number, None)
        if self._idle is not None and not self.open_steps and not self._idle.done():
            self._idle.set_result(None)

    def steps_left(self) -> Future[None] | None:
        """Return what is resolved when the steps still open have ended; None when none is."""
        with self.lock:
            if not self.open_steps:
                return None
            self._idle = Future()
            return self._idle

    def leave_open_steps(self) -> None:
        """Say that the run ends though steps are open, which nobody could wait for any longer."""
        with self.lock:
            if self.open_steps:
                keys = ", ".join(step.key for step in list(self.open_steps.values())[:3])
                self.not_replayable = f"steps were still open when the component returned: {keys}"

    def awaited(self) -> list[Future[int]]:
        """Return what is to be acknowledged before the caller gets its value.

        A child run's caller waits for nothing: the root waits for the whole execution.
        """
        if self.root is not self or self.client.durability == "async":
            return []
        return [future for future in (self.lane.done, *self.descendants) if not future.done()]


def _dispatched(recording: Recording) -> Dispatched | None:
    parent = recording.parent
    if parent is None:
        found = DISPATCHED.get()
        if found is None or found.recording is not None:
            return None
        found.recording = recording
        return found
    above = parent.recording.dispatched
    if above is None:
        return None
    caller = "" if parent.step is None else parent.step.key
    return above.child(caller, recording.definition.name)
