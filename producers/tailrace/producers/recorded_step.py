"""One step while it is recorded: begun, perhaps announced, and finished in one event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tailrace.producers import encode, keys
from tailrace.producers.capture import input_digest
from tailrace.producers.digest import with_config
from tailrace.producers.failure import failure_fields, outcome
from tailrace.producers.place import Place
from tailrace.producers.usage import Usage, usage_of
from tailrace.schemas.payloads import Externalized, externalize_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.definition import StepDefinition
    from tailrace.producers.generators import Items

_NO_CONFIG = encode.EMPTY


class RecordedStep:
    """A step of a run. What it was given is encoded when it begins, before it can change."""

    __slots__ = (
        "_announced",
        "_began_ns",
        "_branch",
        "_definition",
        "_finished",
        "_first_item_us",
        "_given",
        "_input_digest",
        "_label",
        "_parent_id",
        "_started_us",
        "config_read",
        "key",
        "place",
        "recording",
        "step_id",
        "usage",
    )

    def __init__(
        self,
        definition: StepDefinition,
        place: Place,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        recording = place.recording
        self.recording = recording
        self._definition = definition
        self._branch = place.branch
        parts = definition.parameters.record(args, kwargs)
        self._input_digest = input_digest(parts)
        self._given = externalize_parts(parts, recording.client.chain)
        self._label = definition.label
        if callable(definition.key):
            self._label = keys.label(definition.name, str(definition.key(*args, **kwargs)))
        self._parent_id = "" if place.step is None else place.step.step_id
        self.config_read: dict[str, Any] = {}
        self.usage: Usage | None = None
        self._first_item_us: int | None = None
        self._announced = False
        self._finished = False
        with recording.lock:
            self.step_id = recording.next_step_id()
            self.key, by_chance = place.branch.enter(self._label)
            if by_chance and not recording.not_replayable:
                recording.not_replayable = (
                    f"two steps {self._label} ran at once in one branch, begun by threads of the "
                    "agent's own: give them a key"
                )
            recording.open_steps[self.step_id] = self
        self.place: Place | None = Place(recording, self, keys.below(self.key))
        self._started_us = time.time_ns() // 1000
        self._began_ns = time.perf_counter_ns()

    def announce(self, now_ns: int, after_s: float) -> None:
        """Record that the step began, if it still runs after that time and this is not known yet.

        Args:
            now_ns: `time.perf_counter_ns()`.
            after_s: how long it has to run first.
        """
        if self._announced or now_ns - self._began_ns < after_s * 1e9:
            return
        own = encode.own_part(
            {**self._fields(), "kind": "step_started", "ts": time.time_ns() // 1000}
        )
        recording = self.recording
        self._announced = True
        recording.post_bodies(self._given)
        with recording.lock:
            if not self._finished and not recording.ended:
                recording.emit(own)

    def finish(
        self,
        *,
        result: Any = None,
        error: BaseException | None = None,
        items: Items | None = None,
    ) -> None:
        """Record how the step ended: what it returned, raised, or yielded until then."""
        duration_us = (time.perf_counter_ns() - self._began_ns) // 1000
        recording = self.recording
        if items is not None:
            returned, result = items.externalized(), items.last
            self._first_item_us = items.first_item_us
        else:
            returned = _NOTHING if error is not None else recording.output(result)
        if self._definition.is_model_call and error is None:
            self._learn_usage(result)
        given = self._given
        if error is None and items is None and self.usage is None and not self.config_read:
            own = self._completed(duration_us, returned)
        else:
            own = self._ended(duration_us, returned, error)
        if given.bodies or given.reused:
            recording.post_bodies(given)
        if returned.bodies:
            recording.post_bodies(returned)
        with recording.lock:
            self._finished = True
            self._branch.leave(self._label)
            if recording.ended:
                recording.client.count_late(self.key)
            else:
                recording.emit(own)
                recording.count(failed=error is not None, used=self.usage)
            recording.closed_step(self)
        # Its place knows the step: without this each step would be a cycle for the collector.
        self.place = None

    def _completed(self, duration_us: int, returned: Externalized) -> bytes:
        definition = self._definition
        bodies = encode.EMPTY
        if self._given.bodies or self._given.reused or returned.bodies:
            bodies = encode.strings((*self._given.hashes, *returned.hashes))
        return encode.completed_step(
            self._started_us + duration_us,
            b"\x20%b%b%b"  # sixteen hex digits
            % (
                self.step_id.encode(),
                encode.string(self._parent_id),
                encode.string(self.key),
            ),
            definition.constant,
            definition.digest_bytes + encode.string(self._input_digest) + _NO_CONFIG,
            self._started_us,
            duration_us,
            self._given.json,
            returned.json,
            bodies,
        )

    def _ended(
        self, duration_us: int, returned: Externalized, error: BaseException | None
    ) -> bytes:
        fields: dict[str, Any] = {
            **self._fields(),
            "kind": f"step_{outcome(error)}",
            "ts": self._started_us + duration_us,
            "duration_us": duration_us,
            "first_item_us": self._first_item_us,
            "output": returned.json or None,
            "bodies": (*self._given.hashes, *returned.hashes),
            "config_keys": list(self.config_read),
            "definition_digest": with_config(self._definition.digest, self.config_read),
            **failure_fields(error),
        }
        if self.usage is not None:
            fields |= self.usage.fields()
        return encode.own_part(fields)

    def _fields(self) -> dict[str, Any]:
        definition = self._definition
        return {
            "step_id": self.step_id,
            "parent_step_id": self._parent_id,
            "step_key": self.key,
            "name": definition.name,
            "step_kind": definition.kind,
            "effect": definition.effect,
            "definition_digest": definition.digest,
            "input_digest": self._input_digest,
            "started_at": self._started_us,
            "input": self._given.json,
            "bodies": self._given.hashes,
        }

    def _learn_usage(self, result: Any) -> None:
        found = usage_of(result)
        if found is not None:
            # What was told by hand stands above what the response says.
            if self.usage is not None:
                found.take(self.usage)
            self.usage = found


_NOTHING = Externalized(b"")
