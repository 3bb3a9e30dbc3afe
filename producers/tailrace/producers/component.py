"""The `component` decorator: a call of the function is a run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from tailrace.producers import tasks
from tailrace.producers.client import open_client
from tailrace.producers.definition import ComponentDefinition
from tailrace.producers.guard import guarded
from tailrace.producers.kinds import require_function, require_no_generator
from tailrace.producers.options import OPTIONS
from tailrace.producers.place import PLACE, UNRECORDED
from tailrace.producers.recording import Recording
from tailrace.producers.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from tailrace.producers.client import Tailrace
    from tailrace.producers.route import Route

P = ParamSpec("P")
R = TypeVar("R")


@overload
def component(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def component(
    name: str = ..., /, *, config: Mapping[str, Any] | None = ..., version: str = ...
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def component(
    target: Callable[..., Any] | str | None = None,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    version: str = "",
) -> Any:
    """Make each call of a function, sync or async, a run: an execution, or a child run within one.

    Without an open `Tailrace` the function is simply called. The call of a root run returns when
    the last events of its execution are acknowledged: an async one awaits that, a sync one blocks
    its thread; where that does not come in time, the value is returned all the same, and it is
    counted and logged. A cancelled run does not wait.

    Args:
        target: the component's name, or the function when used bare; its name is the default.
        config: what `current_run().config` gives under the environment dev.
        version: a part of the definition's digest.

    Raises:
        UnsupportedFunctionError: for a generator function.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        require_function(function, "component")
        require_no_generator(function)
        name = target if isinstance(target, str) else function.__name__
        definition = ComponentDefinition(function, name=name, config=config or {}, version=version)
        if inspect.iscoroutinefunction(function):
            return _async_component(function, definition)
        return _sync_component(function, definition)

    return decorate(target) if callable(target) else decorate


def _sync_component(
    function: Callable[..., Any], definition: ComponentDefinition
) -> Callable[..., Any]:
    unrecorded = Run(None, definition.config, None)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        client = open_client()
        recording = None if client is None else _begin_blocking(client, definition, args, kwargs)
        if recording is None:
            outer = UNRECORDED.set(unrecorded)
            try:
                return function(*args, **kwargs)
            finally:
                UNRECORDED.reset(outer)
        token = PLACE.set(recording.place)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            PLACE.reset(token)
            _end_blocking(recording, error=error)
            raise
        PLACE.reset(token)
        _end_blocking(recording, result=result)
        return result

    return run


def _async_component(
    function: Callable[..., Any], definition: ComponentDefinition
) -> Callable[..., Any]:
    unrecorded = Run(None, definition.config, None)

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        client = open_client()
        recording = None if client is None else await _begin(client, definition, args, kwargs)
        if recording is None:
            outer = UNRECORDED.set(unrecorded)
            try:
                return await function(*args, **kwargs)
            finally:
                UNRECORDED.reset(outer)
        token = PLACE.set(recording.place)
        try:
            with tasks.branching():
                result = await function(*args, **kwargs)
        except BaseException as error:
            PLACE.reset(token)
            await _end(recording, error=error)
            raise
        PLACE.reset(token)
        await _end(recording, result=result)
        return result

    return run


def _begin_blocking(
    client: Tailrace,
    definition: ComponentDefinition,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Recording | None:
    try:
        future = client.routes.of(definition)
        if not future.done():
            concurrent.futures.wait([future], timeout=client.ack_timeout_s)
        return _started(client, definition, client.routes.now(definition), args, kwargs)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, definition.name, error)
        return None


async def _begin(
    client: Tailrace,
    definition: ComponentDefinition,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Recording | None:
    try:
        future = client.routes.of(definition)
        if not future.done():
            await asyncio.wait([asyncio.wrap_future(future)], timeout=client.ack_timeout_s)
        return _started(client, definition, client.routes.now(definition), args, kwargs)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, definition.name, error)
        return None


def _started(
    client: Tailrace,
    definition: ComponentDefinition,
    route: Route,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Recording:
    parent = PLACE.get()
    if parent is not None and (parent.recording.ended or parent.recording.client is not client):
        parent = None
    options = OPTIONS.get() if parent is None else parent.recording.options
    recording = Recording(client, definition, route, options, parent)
    recording.start(args, kwargs)
    return recording


def _end_blocking(
    recording: Recording, *, result: Any = None, error: BaseException | None = None
) -> None:
    client = recording.client
    if not client.is_open:
        return  # closed meanwhile, or this is a forked child: the run is not ours to end
    try:
        waits = error is None or isinstance(error, Exception)
        left = recording.steps_left()
        if left is not None and waits:
            concurrent.futures.wait([left], timeout=client.open_steps_wait_s)
        recording.leave_open_steps()
        recording.end(result=result, error=error)
        if waits:
            pending = recording.awaited()
            concurrent.futures.wait(pending, timeout=client.ack_timeout_s)
            _judge(client, pending)
    except Exception as defect:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, recording.definition.name, defect)


async def _end(
    recording: Recording, *, result: Any = None, error: BaseException | None = None
) -> None:
    client = recording.client
    if not client.is_open:
        return  # closed meanwhile, or this is a forked child: the run is not ours to end
    try:
        # Who is being cancelled wants to be gone: the close of the client sees to the rest.
        waits = error is None or isinstance(error, Exception)
        left = recording.steps_left()
        if left is not None and waits:
            await asyncio.wait([asyncio.wrap_future(left)], timeout=client.open_steps_wait_s)
        recording.leave_open_steps()
        recording.end(result=result, error=error)
        pending = recording.awaited() if waits else []
        if pending:
            waiting = [asyncio.wrap_future(future) for future in pending]
            await asyncio.wait(waiting, timeout=client.ack_timeout_s)
            _judge(client, pending)
    except Exception as defect:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, recording.definition.name, defect)


def _judge(client: Tailrace, pending: Iterable[Future[int]]) -> None:
    missing = sum(1 for future in pending if not future.done())
    if missing:
        client.count_unacknowledged(missing)
