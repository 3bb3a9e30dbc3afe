"""What a person, or a system that watches, thinks of an execution: a score beside the journal."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import math
import time
from typing import TYPE_CHECKING, Any, Literal

from tailrace.producers.process.open_clients import open_client
from tailrace.producers.process.recent import SCORED
from tailrace.producers.tree.forks import place_here
from tailrace.producers.tree.place import PLACE, UNRECORDED
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.ids import is_id
from tailrace.schemas.payloads import dumps
from tailrace.schemas.topics import SCORES

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from concurrent.futures import Future

    from tailrace.producers.client import Tailrace
    from tailrace.producers.recording.recording import Recording

MAX_NAME = 200
"""Characters of a name, and of a value that is a word."""

MAX_COMMENT = 16_384


class FeedbackError(TailraceError):
    """Feedback that cannot be kept: it says nothing, or it is not known about what."""


class Feedback:
    """Feedback on its way. Await it to have it acknowledged; in code without a loop it is."""

    __slots__ = ("_future", "_timeout_s", "score_id")

    def __init__(self, score_id: str, future: Future[int] | None, timeout_s: float) -> None:
        self.score_id = score_id
        """Its identity, 64 hex digits: the same feedback given again is the same score. Empty where
        nothing is recorded."""

        self._future = future
        self._timeout_s = timeout_s

    @property
    def acknowledged(self) -> bool:
        """Whether it is on the log as far as is known."""
        return self._future is not None and self._future.done()

    def __await__(self) -> Generator[Any, None, Feedback]:
        return self._awaited().__await__()

    async def _awaited(self) -> Feedback:
        if self._future is not None and not self._future.done():
            await asyncio.wait([asyncio.wrap_future(self._future)], timeout=self._timeout_s)
        return self


def feedback(
    name: str,
    value: float | bool | str,  # noqa: FBT001 - a yes or no is a value like others
    comment: str | None = None,
    *,
    trace_id: str | None = None,
    root_run_id: str | None = None,
    component: str = "",
    source: Literal["person", "system"] = "person",
    actor: str = "",
) -> Feedback:
    """Say what somebody thinks of an execution; by default of the current one.

    Where no event loop runs, it blocks until acknowledged, at most the client's `ack_timeout_s` and
    not at all while Kafka is away or the durability is `async`. On a loop, await what it returns;
    the end of the current run waits for it in any case. In a run that is not recorded nothing
    happens.

    Args:
        name: what is judged, such as `helpful`.
        value: a number, yes or no, or a word.
        comment: why, in words.
        trace_id: with `root_run_id`, the execution, from `current_run()` of then.
        root_run_id: see `trace_id`.
        component: the root run's component, where this process may not know it any more.
        source: whether a person or a system says so.
        actor: who, as far as it may be written down.

    Raises:
        FeedbackError: if the value is none of these, there is no execution to judge, or ids are
            given and no client is open.
    """
    told = {"scorer": _text(name, "name"), "comment": (comment or "")[:MAX_COMMENT]}
    told |= {**_value(value), "source": source, "actor": actor}
    run, about = _subject(trace_id, root_run_id, component)
    client = open_client() if run is None else run.client
    if about is None:
        return Feedback("", None, 0.0)
    if client is None or not client.usable():
        raise FeedbackError(
            f"feedback {name!r} cannot be kept: no client is open; open a Tailrace in this process"
        )
    return _sent(client, run, _score(client, told, about))


def _subject(
    trace_id: str | None, root_run_id: str | None, component: str
) -> tuple[Recording | None, dict[str, Any] | None]:
    """Return the current run if it is judged, and what is known of the execution; None: plain."""
    if trace_id is not None or root_run_id is not None:
        for text, field in ((trace_id, "trace_id"), (root_run_id, "root_run_id")):
            if text is None or not is_id(text):
                raise FeedbackError(
                    f"{field}={text!r} is no id: give trace_id and root_run_id of an execution, 32 "
                    "lower-case hex digits each"
                )
        return None, {"trace_id": trace_id, "root_run_id": root_run_id, "component": component}
    place = PLACE.get()
    if place is not None and place.recording.forked is not None:
        place = place_here(place)
    if place is not None:
        root = place.recording.root
        known = {name: root.constant[name] for name in SCORED}
        return root, {"trace_id": root.trace_id, "root_run_id": root.root_run_id, **known}
    if UNRECORDED.get() is not None:
        return None, None
    raise FeedbackError(
        "feedback was given outside of a run: give trace_id= and root_run_id= of the execution, "
        "which current_run() tells while it runs"
    )


def _score(client: Tailrace, told: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    recent = client.recent.scored(about["root_run_id"])
    told_about = {name: value for name, value in about.items() if value}
    known = {"environment": client.environment, "component": "", **recent, **told_about}
    record: dict[str, Any] = {**known, **told, "ts": time.time_ns() // 1000}
    if client.redaction is not None:
        for name in ("comment", "label", "actor"):
            if record.get(name):
                record[name] = client.redaction.text(name, record[name])
    said = ("trace_id", "root_run_id", "source", "actor", "scorer", "number", "flag", "label")
    identity = dumps([record.get(name) for name in (*said, "comment")])
    return {"score_id": hashlib.sha256(identity).hexdigest(), **record}


def _sent(client: Tailrace, run: Recording | None, score: Mapping[str, Any]) -> Feedback:
    key = f"{score['environment']}:{score['component']}".encode()
    future = client.outlet.append(SCORES, key, wire.encode(latest("score"), score))
    if run is not None:
        run.descendants.append(future)
    away = client.sender is not None and client.sender.away
    waits = client.durability != "async" and not away
    given = Feedback(score["score_id"], future, client.ack_timeout_s if waits else 0.0)
    if waits and not _on_loop():
        concurrent.futures.wait([future], timeout=client.ack_timeout_s)
    return given


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _value(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"flag": value}
    if isinstance(value, (int, float)) and math.isfinite(value):
        return {"number": float(value)}
    if isinstance(value, str):
        return {"label": _text(value, "value")}
    raise FeedbackError(f"value={value!r} is no finite number, no yes or no, and no word")


def _text(text: object, field: str) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_NAME:
        raise FeedbackError(
            f"{field}={str(text)[:MAX_NAME]!r} must be a text of 1 to {MAX_NAME} characters"
        )
    return text
