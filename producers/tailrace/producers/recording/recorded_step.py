"""One step while it is recorded: begun, perhaps announced, and finished in one event.

What the caller's thread does is what cannot wait: the values become JSON before they can change,
and the event gets its seq and its place in the queue. Of a completed step with small values, and
that is nearly every step, the bytes are made by the sender's thread (`framed`).
"""

from __future__ import annotations

import os
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.content import encode
from tailrace.producers.content.arguments import escaped
from tailrace.producers.content.capture import input_digest, text_of, written_digest
from tailrace.producers.content.digest import with_config
from tailrace.producers.content.failure import failure_fields, outcome
from tailrace.producers.content.usage import StreamedUsage, Usage, usage_of
from tailrace.producers.prices import cost_of
from tailrace.producers.process.guard import guarded, late
from tailrace.producers.recording.generators import Items
from tailrace.producers.tree import keys
from tailrace.producers.tree.place import Place
from tailrace.schemas.payloads import (
    INLINE_BYTES,
    Externalized,
    escape,
    externalize_parts,
    inline_parts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.recording.definition import StepDefinition
    from tailrace.producers.tree.keys import Branch

_NO_CONFIG = encode.EMPTY
# The sizes of ids and digests as they stand before them.
_SIXTEEN, _SIXTY_FOUR = encode.long(16), encode.long(64)
# Escaping lengthens a text by less than half of it, so this surely stays in the event.
_LIGHT_BYTES = INLINE_BYTES // 2
_NOTHING = Externalized(b"")
_branching = Lock()


def _free_in_child() -> None:
    global _branching  # noqa: PLW0603 - whoever held it does not exist in a forked child
    _branching = Lock()


os.register_at_fork(after_in_child=_free_in_child)


class RecordedStep(Place):
    """A step of a run, and the place of what is called within it."""

    __slots__ = (
        "_announced",
        "_began_ns",
        "_definition",
        "_digest",
        "_duration_us",
        "_finished",
        "_first_item_us",
        "_given",
        "_inner",
        "_label",
        "_number",
        "_outer",
        "_parent",
        "_parts",
        "_returned",
        "_seq",
        "_started_us",
        "config_read",
        "key",
        "usage",
    )

    def __init__(  # pyright: ignore[reportMissingSuperCall] - its step is itself, its branch is made on demand
        self,
        definition: StepDefinition,
        place: Place,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.recording = recording = place.recording
        self._definition = definition
        redaction = recording.redaction
        parts = definition.parameters.capture(args, kwargs)
        self._parts = parts if redaction is None else redaction.parts(parts)
        self._label = definition.label
        if definition.key is not None and not isinstance(definition.key, str):
            key = str(definition.key(*args, **kwargs))
            key = key if redaction is None else redaction.text("key", key)
            self._label = keys.label(definition.name, key)
        self._parent = place.step
        self._outer = place.branch
        self._inner: Branch | None = None
        self._given: Externalized | None = None
        self._digest = ""
        self._first_item_us: int | None = None
        self._announced = self._finished = False
        self.config_read: dict[str, Any] = {}
        self.usage: Usage | None = None
        self._number, self.key = recording.begin_step(self, self._outer, self._label)
        self._started_us = time.time_ns() // 1000
        self._began_ns = time.perf_counter_ns()

    @property
    def definition(self) -> StepDefinition:
        """What it is a call of."""
        return self._definition

    @property
    def step_id(self) -> str:
        """The step's id, 16 hex digits."""
        return self.recording.step_id(self._number)

    @property
    def input_digest(self) -> str:
        """What tells whether it was given the same as another; computed when first asked for."""
        if not self._digest:
            self._digest = input_digest(escaped(self._parts))
        return self._digest

    def is_at(self, branch: Branch, label: str) -> bool:
        """Say whether it is a step of this label, called in this branch."""
        return self._outer is branch and self._label == label

    @property
    def step(self) -> RecordedStep:
        """Itself."""
        return self

    @property
    def branch(self) -> Branch:
        """The branch of the steps that are called within it."""
        if self._inner is None:
            with _branching:
                if self._inner is None:
                    self._inner = keys.below(self.key)
        return self._inner

    @property
    def place(self) -> Place:
        """The place of what is called within it."""
        return self

    def items(self) -> Items:
        """Return what takes the items of a generator."""
        return Items(StreamedUsage() if self._definition.is_model_call else None)

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
        self._post_given()
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
        self._duration_us = (time.perf_counter_ns() - self._began_ns) // 1000
        if error is None and items is None and not self._definition.is_model_call:
            returned = text_of(result)
            if self._is_light(returned):
                redaction = self.recording.redaction
                if redaction is not None:
                    returned = redaction.json("output", returned)
                self._returned = returned
                self.recording.complete(self)
                return
        recording = self.recording
        if items is not None:
            returned = items.externalized(recording.redaction)
            self._first_item_us = items.first_item_us
        else:
            returned = _NOTHING if error is not None else recording.output(result)
        if self._definition.is_model_call:
            self._learn_usage(result, items)
        own = self._ended(returned, error)
        self._post_given()
        recording.post_bodies(returned)
        with recording.lock:
            if self.leave():
                recording.emit(own)
                recording.count(failed=error is not None, used=self.usage)

    def finish_served(self, output: Any, step_id: str) -> None:
        """Record that it was given a recorded result in place of running.

        Args:
            output: the result.
            step_id: of the recorded step.
        """
        self._duration_us = (time.perf_counter_ns() - self._began_ns) // 1000
        recording = self.recording
        returned = recording.output(output)
        own = self._ended(returned, None, {"served_from": step_id})
        self._post_given()
        recording.post_bodies(returned)
        with recording.lock:
            if self.leave():
                recording.emit(own)
                recording.count(failed=False, used=None)

    def leave(self) -> bool:
        """Take the step off the open ones; say whether its run can still take its event.

        The caller holds the run's lock.
        """
        self._finished = True
        self._outer.leave(self._label)
        recording = self.recording
        recording.closed_step(self._number)
        if recording.ended:
            late(recording.client, self.key)
        return not recording.ended

    def numbered(self, seq: int) -> RecordedStep:
        """Give its event the number that it has in the run."""
        self._seq = seq
        return self

    def framed(self) -> bytes | None:
        """Return the event of a step that was completed; None, and it is counted, if it cannot be.

        The sender's thread calls it.
        """
        try:
            return encode.splice(self.recording.prefix, self._seq, self._completed())
        except Exception as error:  # noqa: BLE001 - recording never breaks the agent
            guarded(self.recording.client, self.key, error)
            return None

    def _is_light(self, returned: bytes) -> bool:
        """Say whether nothing of it has to be looked at before the event is queued."""
        if self.usage is not None or self.config_read:
            return False
        size = len(returned)
        for part in self._parts.values():
            size += len(part)
        return size <= _LIGHT_BYTES

    def _completed(self) -> bytes:
        definition = self._definition
        # A light step is no model call, so no part is a list.
        parts = cast("dict[str, bytes]", self._parts)
        given = inline_parts(parts)
        if given.rfind(b'"$') >= 0:
            parts = {name: escape(part) for name, part in parts.items()}
            given, digest = inline_parts(parts), input_digest(parts)
        else:
            digest = written_digest(given)
        returned = self._returned
        parent = encode.EMPTY if self._parent is None else _SIXTEEN + self._parent.step_id.encode()
        return encode.completed_step(
            self._started_us + self._duration_us,
            b"%b%b%b%b" % (_SIXTEEN, self.step_id.encode(), parent, encode.string(self.key)),
            definition.constant,
            b"%b%b%b%b" % (definition.digest_bytes, _SIXTY_FOUR, digest.encode(), _NO_CONFIG),
            self._started_us,
            self._duration_us,
            given,
            escape(returned),
            encode.EMPTY,
        )

    def _ended(
        self,
        returned: Externalized,
        error: BaseException | None,
        attributes: Mapping[str, str] | None = None,
    ) -> bytes:
        fields: dict[str, Any] = {
            **self._fields(),
            "kind": f"step_{outcome(error)}",
            "ts": self._started_us + self._duration_us,
            "duration_us": self._duration_us,
            "first_item_us": self._first_item_us,
            "output": returned.json or None,
            "bodies": (*self._externalized().hashes, *returned.hashes),
            "config_keys": list(self.config_read),
            "definition_digest": with_config(self._definition.digest, self.config_read),
            "attributes": attributes or {},
            **failure_fields(error, self.recording.redaction),
        }
        if self.usage is not None:
            fields |= self.usage.fields(self.recording.redaction)
        return encode.own_part(fields)

    def _post_given(self) -> None:
        """Send what the event names; only then may other runs build on it."""
        given = self._externalized()
        self.recording.post_bodies(given)
        self.recording.client.chain.learn(given)

    def _externalized(self) -> Externalized:
        """Return what was given as it stands in an event."""
        given = self._given
        if given is None:
            chain = self.recording.client.chain
            given = externalize_parts(escaped(self._parts), chain, learn=False)
            self._given = given
        return given

    def _fields(self) -> dict[str, Any]:
        definition = self._definition
        given = self._externalized()
        return {
            "step_id": self.step_id,
            "parent_step_id": "" if self._parent is None else self._parent.step_id,
            "step_key": self.key,
            "name": definition.name,
            "step_kind": definition.kind,
            "effect": definition.effect,
            "definition_digest": definition.digest,
            "input_digest": self.input_digest,
            "started_at": self._started_us,
            "input": given.json,
            "bodies": given.hashes,
        }

    def _learn_usage(self, result: Any, items: Items | None) -> None:
        """Take what the response says, below it the prices, above it what was told by hand."""
        client = self.recording.client
        try:
            streamed = None if items is None else items.streamed
            found = usage_of(result) if streamed is None else streamed.found
            if found is not None:
                if self.usage is not None:
                    found.take(self.usage)
                self.usage = found
            if self.usage is not None and self.usage.cost_usd is None and client.prices is not None:
                self.usage.cost_usd = cost_of(self.usage, client.prices)
        except Exception as error:  # noqa: BLE001 - the step is recorded, without its usage
            guarded(client, f"the usage of {self.key}", error)
