"""A recorded conversation becomes the events of one run, and nothing of it is lost.

Each assistant message is one model call whose input is the conversation so far, as a chain of
messages: a turn costs what it adds. Each tool message is one tool call. The run's last event keeps
the whole conversation in its attribute `transcript`, by reference to the same chain.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tailrace.console.importing.errors import LineRefusedError
from tailrace.console.importing.identity import derive
from tailrace.console.importing.outcome import (
    expected,
    instructions,
    oddities,
    outcome,
    question,
)
from tailrace.console.importing.pairing import ModelCall, Pairing, ToolCall, parsed_text
from tailrace.console.importing.trajectory import MAX_NAME
from tailrace.schemas.events import Event, RunCompleted, RunFields, RunStarted, StepCompleted
from tailrace.schemas.payloads import (
    MAX_BODY_BYTES,
    Body,
    Externalized,
    ListChain,
    canonical,
    dumps,
    escape,
    externalize,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.console.importing.times import RecordedTime
    from tailrace.console.importing.trajectory import Message, Trajectory

MODEL_STEP = "chat"
"""The name of every recorded model call: recordings do not say which function made it."""

TRANSCRIPT = "transcript"
"""The attribute of the last event that holds the whole conversation as `{"messages": [...]}`."""

_STEP_ID_DIGITS = 16


@dataclass(frozen=True)
class RecordedRun:
    """A run as it goes to the log."""

    events: tuple[Event, ...]
    """From `run_started` to `run_completed`, in order of seq."""

    bodies: tuple[Body, ...]
    """Every body that the events name, each once, in the order in which they build on another."""


def journal(
    trajectory: Trajectory, run: RunFields, time: RecordedTime, source: Mapping[str, str]
) -> RecordedRun:
    """Return the run that a recorded conversation becomes; a pure function of its arguments.

    Args:
        trajectory: the conversation.
        run: the run-constant fields.
        time: when it was, as far as known.
        source: attributes that say where it was recorded.

    Raises:
        LineRefusedError: if a message is larger than a record of the log can be.
    """
    _check_sizes(trajectory.messages)
    return _Journal(trajectory, run, time, source).whole()


def _check_sizes(messages: list[Message]) -> None:
    for place, message in enumerate(messages):
        size = len(escape(dumps(message)))
        if size > MAX_BODY_BYTES:
            raise LineRefusedError(
                f"message {place} has {size:,} bytes, and a body has at most {MAX_BODY_BYTES:,}"
            )


@dataclass
class _Journal:
    trajectory: Trajectory
    run: RunFields
    time: RecordedTime
    source: Mapping[str, str]
    # One chain a run, so that the bytes do not depend on what was imported before.
    chain: ListChain = field(default_factory=ListChain)
    events: list[Event] = field(default_factory=list[Event])
    bodies: dict[str, Body] = field(default_factory=dict[str, Body])
    ordinals: Counter[str] = field(default_factory=Counter[str])

    def whole(self) -> RecordedRun:
        pairing = Pairing(self.trajectory.messages)
        self._start()
        for step in pairing.steps:
            if isinstance(step, ModelCall):
                self._model_call(step)
            else:
                self._tool_call(step)
        self._complete(pairing)
        return RecordedRun(tuple(self.events), tuple(self.bodies.values()))

    def _start(self) -> None:
        asked = question(self.trajectory.messages)
        given = self._kept({"question": asked})
        recorded = self._kept(self.trajectory.fields)
        # The instructions are the same in every run of a recording: a body of their own, sent once.
        shared = self._kept({"messages": instructions(self.trajectory.messages)})
        self.events.append(
            RunStarted(
                **self._common(),
                name=self.run.component,
                input=given.text,
                input_digest=_digest({"question": asked}),
                bodies=_hashes(given, recorded, shared),
                attributes={**self.source, **self._unknown(), "recorded": recorded.text},
            )
        )

    def _model_call(self, step: ModelCall) -> None:
        before = self.trajectory.messages[: step.place]
        given = self._kept({"messages": before})
        answer = self._kept(self.trajectory.messages[step.place])
        model = self.trajectory.fields.get("model")
        self.events.append(
            StepCompleted(
                **self._common(),
                **self._step(MODEL_STEP, "llm", "read"),
                model=model[:MAX_NAME] if isinstance(model, str) else "",
                input=given.text,
                input_digest=_digest({"messages": before}),
                output=answer.text,
                bodies=_hashes(given, answer),
            )
        )

    def _tool_call(self, step: ToolCall) -> None:
        given = self._kept(step.arguments)
        answer = self._kept(parsed_text(self.trajectory.messages[step.place].get("content")))
        self.events.append(
            StepCompleted(
                **self._common(),
                # What a recorded tool does to the world is not known: what is not known may write.
                **self._step(step.name, "tool", "write"),
                input=given.text if step.paired else None,
                input_digest=_digest(step.arguments) if step.paired else "",
                output=answer.text,
                bodies=_hashes(given, answer),
                attributes={} if step.paired else {"unpaired": "no call was recorded"},
            )
        )

    def _complete(self, pairing: Pairing) -> None:
        messages = self.trajectory.messages
        output = self._kept(outcome(messages))
        transcript = self._kept({"messages": messages})
        wanted = self._kept(expected(self.trajectory.fields))
        steps = len(self.events) - 1
        attributes = {**self.source, TRANSCRIPT: transcript.text, **oddities(pairing)}
        if wanted.json != b"null":
            attributes["expected"] = wanted.text
        reward = self._kept(self.trajectory.fields.get("reward"))
        if reward.json != b"null":
            attributes["reward"] = reward.text
        self.events.append(
            RunCompleted(
                **self._common(),
                name=self.run.component,
                output=output.text,
                bodies=_hashes(output, transcript, wanted, reward),
                last_seq=len(self.events),
                not_replayable="it was recorded elsewhere: the code that ran is not known",
                run_steps=steps,
                run_errors=0,
                attributes=attributes,
            )
        )

    def _unknown(self) -> dict[str, str]:
        return {"times": self.time.known_from, "tokens": "not recorded"}

    def _common(self) -> dict[str, Any]:
        seq = len(self.events)
        return {"run": self.run, "seq": seq, "ts": self.time.at + timedelta(microseconds=seq)}

    def _step(self, name: str, kind: str, effect: str) -> dict[str, Any]:
        ordinal = self.ordinals[name]
        self.ordinals[name] += 1
        return {
            "step_id": derive("step", self.run.run_id, len(self.events))[:_STEP_ID_DIGITS],
            "step_key": f"{name}#{ordinal}",
            "name": name,
            "step_kind": kind,
            "effect": effect,
        }

    def _kept(self, value: Any) -> Externalized:
        kept = externalize(value, chain=self.chain)
        self.bodies.update((body.sha256, body) for body in kept.bodies)
        return kept


def _hashes(*kept: Externalized) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in kept for name in one.hashes))


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(dumps(value))).hexdigest()
