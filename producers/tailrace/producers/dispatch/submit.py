"""Sending work to the workers of the deployment that the pointer names, and its answer."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tailrace.producers.content.capture import json_of
from tailrace.producers.dispatch.answers import Answer, Answers, AnswerTimeoutError
from tailrace.producers.dispatch.requests import ensure_topic, requests_topic
from tailrace.producers.process.open_clients import open_client
from tailrace.producers.recording.definition import component_of
from tailrace.producers.recording.origin import Origin
from tailrace.producers.recording.starting import origin_of
from tailrace.producers.routing.pointer_routes import PointerRoutes
from tailrace.producers.routing.route import NotDispatchedError
from tailrace.producers.tree.offers import offer_at
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.ids import new_id
from tailrace.schemas.records import Request
from tailrace.schemas.schema_log import send_schemas
from tailrace.schemas.topic_admin import TopicAdminError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.producers.client import Tailrace
    from tailrace.producers.delivery.sender import KafkaSender
    from tailrace.producers.routing.route import Asked

MAX_INPUT_BYTES = 512 * 1024
"""How large a request's input may be as JSON: a request carries it whole."""

TIMEOUT_S = 300.0

_making = threading.Lock()
_dispatchers: dict[KafkaSender, Dispatcher] = {}
"""By sender, which a forked child has anew; until that is closed."""


def _free_in_child() -> None:
    global _making  # noqa: PLW0603 - whoever held it does not exist in a forked child
    _making = threading.Lock()


os.register_at_fork(after_in_child=_free_in_child)

_SEND_S = 30.0


class RequestTooLargeError(TailraceError):
    """The input is too large to be sent to a worker."""


class RequestNotSentError(TailraceError):
    """Kafka did not acknowledge a request: it may or may not be done."""


async def submit(
    component: Callable[..., Any] | str,
    input: Mapping[str, Any] | None = None,  # noqa: A002 - the word of the records
    *,
    key: str = "",
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Have a component run by a worker of the deployment that the pointer names; return its answer.

    The request is delivered at least once and answered once: its first answer counts. Requests of
    one key are run in the order in which they were acknowledged. Within a run the dispatched run is
    its child; its options (session, tenant, tags, a pinned deployment) are those of `run_options`.

    Args:
        component: the decorated function, or the component's name.
        input: arguments by name, of JSON's types; at most 512 KiB as JSON.
        key: what is routed by and kept in order; see `run_options(routing_key=...)`, whose order of
            precedence holds without it.
        timeout_s: how long the answer is waited for; whoever takes the request up later does not
            begin it.

    Raises:
        NotDispatchedError: without an open client towards Kafka, or in the environment dev.
        RoutingError: if the environment's pointers do not say where it goes.
        RequestTooLargeError: if the input is too large.
        RequestNotSentError: if Kafka does not acknowledge the request.
        DispatchedRunError: if the run failed or was cancelled.
        AnswerTimeoutError: if no answer comes in time.
        AnswerTooLargeError: if the run gave back more than 256 KiB.
    """
    dispatcher, routes, submission = _prepared(component, input, key, timeout_s)
    waiting = routes.waiting(submission.asked)
    if waiting is not None:
        await asyncio.wait([asyncio.wrap_future(waiting)], timeout=dispatcher.wait_s)
    future = dispatcher.send(submission, *routes.resolve(submission.asked))
    return await asyncio.wrap_future(future)


def submit_blocking(
    component: Callable[..., Any] | str,
    input: Mapping[str, Any] | None = None,  # noqa: A002 - the word of the records
    *,
    key: str = "",
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Do what `submit` does, blocking the calling thread."""
    dispatcher, routes, submission = _prepared(component, input, key, timeout_s)
    waiting = routes.waiting(submission.asked)
    if waiting is not None:
        concurrent.futures.wait([waiting], timeout=dispatcher.wait_s)
    return dispatcher.send(submission, *routes.resolve(submission.asked)).result()


@dataclass(frozen=True, slots=True)
class _Submission:
    component: str
    origin: Origin
    asked: Asked
    text: str
    key: str
    timeout_s: float

    def request(self, environment: str, deployment: str, control_offset: int) -> Request:
        """Return the record. Within a run it makes an offer, which the dispatched run claims."""
        parent, offer = self.origin.parent, self.origin.offer
        if parent is not None:
            offer = offer_at(parent)
        options = self.origin.options if offer is None else offer.options
        now = datetime.now(UTC)
        request_id = new_id()
        return Request(
            request_id=request_id,
            key=self.key or request_id,
            component=self.component,
            environment=environment,
            deployment=deployment,
            control_offset=control_offset,
            trace_id=self.asked.trace_id,
            root_run_id="" if offer is None else offer.root_run_id,
            parent_run_id="" if offer is None else offer.run_id,
            caller_step_id="" if offer is None else offer.step_id,
            offer="" if offer is None else offer.offer_id,
            routing_key=self.asked.routing_hash,
            tenant=options.tenant,
            session=options.session,
            tags=options.tags,
            attempt=options.attempt,
            input=self.text,
            expires_at=now + timedelta(seconds=self.timeout_s),
            ts=now,
        )


class Dispatcher:
    """One client's way to send requests and get answers, on its sender's thread."""

    def __init__(self, client: Tailrace, sender: KafkaSender) -> None:
        self._client = client
        self._sender = sender
        self.answers = Answers(sender.options, sender.prefix)
        self._producer: Any = None
        self._starting = asyncio.Lock()
        self._topics: set[str] = set()

    @property
    def wait_s(self) -> float:
        """How long the pointers may be waited for."""
        return self._client.route_wait_s

    def send(self, submission: _Submission, deployment: str, offset: int) -> Future[Answer]:
        """Send a request; the future gives its answer, or why there is none."""
        environment = submission.asked.environment or self._client.environment
        request = submission.request(environment, deployment, offset)
        loop = self._sender.loop
        assert loop is not None
        return asyncio.run_coroutine_threadsafe(self._sent(request, submission.timeout_s), loop)

    async def _sent(self, request: Request, timeout_s: float) -> Answer:
        answer: Future[Answer] = Future()
        try:
            async with asyncio.timeout(_SEND_S):
                await self._start()
                self.answers.expect(request.request_id, request.trace_id, answer)
                await self._post(request)
        except (KafkaError, OSError, TimeoutError, TopicAdminError) as error:
            self.answers.give_up(request.request_id, request.trace_id)
            raise RequestNotSentError(
                f"the request for {request.component} was not acknowledged "
                f"({str(error) or 'no answer from Kafka'}): it may or may not be done; submit it "
                "again if doing it twice is harmless"
            ) from error
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            raise AnswerTimeoutError(
                f"no answer to the request for {request.component} within {timeout_s:g} s (trace "
                f"{request.trace_id}): see with `tailrace requests ls` whether a worker of "
                f"deployment {request.deployment[:12]} runs"
            ) from None
        finally:
            self.answers.give_up(request.request_id, request.trace_id)

    async def _post(self, request: Request) -> None:
        topic = requests_topic(request.deployment)
        if request.deployment not in self._topics:
            await ensure_topic(request.deployment, self._sender.options, self._sender.prefix)
            self._topics.add(request.deployment)
        value = wire.encode(latest("request"), request.flatten())
        await self._producer.send_and_wait(
            topic.name(self._sender.prefix), key=request.key.encode(), value=value
        )

    async def _start(self) -> None:
        async with self._starting:
            if self._producer is not None:
                return
            producer: Any = AIOKafkaProducer(
                **self._sender.options, acks="all", enable_idempotence=True
            )
            try:
                await producer.start()
                await send_schemas(producer, [latest("request")], prefix=self._sender.prefix)
                await self.answers.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer

    def close(self, timeout_s: float) -> None:
        """Wait for no answer any more. Blocks, at most that long."""
        _dispatchers.pop(self._sender, None)
        loop = self._sender.loop
        if loop is None or loop.is_closed():
            return
        done = asyncio.run_coroutine_threadsafe(self._stop(), loop)
        concurrent.futures.wait([done], timeout=timeout_s)

    async def _stop(self) -> None:
        await self.answers.stop()
        if self._producer is not None:
            await self._producer.stop()


def _prepared(
    component: Callable[..., Any] | str, given: Mapping[str, Any] | None, key: str, timeout_s: float
) -> tuple[Dispatcher, PointerRoutes, _Submission]:
    client = open_client()
    if client is None or not client.usable() or client.sender is None:
        raise NotDispatchedError("open a Tailrace client towards Kafka before work is submitted")
    routes = client.routes
    definition = None if isinstance(component, str) else component_of(component)
    name = component if isinstance(component, str) else getattr(definition, "name", "")
    if not name:
        raise NotDispatchedError(f"{component!r} is no component")
    if not isinstance(routes, PointerRoutes):
        raise NotDispatchedError(
            f"environment dev runs the code that is loaded: call {name} itself, or open the client "
            "in another environment"
        )
    text = json_of(dict(given or {}))
    if len(text) > MAX_INPUT_BYTES:
        raise RequestTooLargeError(
            f"the input of {name} takes {len(text):,} bytes as JSON, and {MAX_INPUT_BYTES:,} are "
            "allowed: hand over where it lies instead"
        )
    dispatcher = dispatcher_of(client, client.sender)
    origin = origin_of(client)
    if key and origin.parent is None and not origin.options.routing_hashed:
        told = origin.options
        keyed = replace(told, routing_key=told.routing_key or key)
        origin = Origin(keyed, offer=origin.offer)
    asked = origin.asked(name, None)
    submission = _Submission(name, origin, asked, text.decode(), key, timeout_s)
    return dispatcher, routes, submission


def dispatcher_of(client: Tailrace, sender: KafkaSender) -> Dispatcher:
    """Return a client's dispatcher, made when it is first asked for."""
    with _making:
        found = _dispatchers.get(sender)
        if found is None:
            found = _dispatchers[sender] = Dispatcher(client, sender)
            client.at_close.append(found.close)
        return found
