"""The steps of dispatched runs, by kind of function: served from the record, or run with care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.content.annotations import RETURN, as_annotated
from tailrace.producers.recording.step_calls import complete_step, fail_step
from tailrace.producers.replay.dispatched import enter, enter_blocking, wait, wait_blocking
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tailrace.producers.recording.recorded_step import RecordedStep
    from tailrace.producers.replay.dispatched import Dispatched, Served


def call_blocking(
    function: Callable[..., Any],
    begun: RecordedStep,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call a plain function as a step of a dispatched run."""
    dispatched, served = _entered_blocking(begun)
    if served is not None:
        return as_annotated(function, RETURN, served.output)
    token = PLACE.set(begun.place)
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        fail_step(begun, error)
        if isinstance(error, Exception):
            wait_blocking(dispatched.after(begun), begun)
        raise
    finally:
        PLACE.reset(token)
    complete_step(begun, result)
    wait_blocking(dispatched.after(begun), begun)
    return result


async def call(
    function: Callable[..., Awaitable[Any]],
    begun: RecordedStep,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call an async function as a step of a dispatched run."""
    dispatched, served = await _entered(begun)
    if served is not None:
        return as_annotated(function, RETURN, served.output)
    token = PLACE.set(begun.place)
    try:
        result = await function(*args, **kwargs)
    except BaseException as error:
        fail_step(begun, error)
        if isinstance(error, Exception):
            await wait(dispatched.after(begun), begun)
        raise
    finally:
        PLACE.reset(token)
    complete_step(begun, result)
    await wait(dispatched.after(begun), begun)
    return result


def items_blocking(begun: RecordedStep) -> list[Any] | None:
    """Return what a generator is recorded to have yielded; None where it is to run.

    Of a write its end is acknowledged with the run's, not before its caller goes on.
    """
    if begun.recording.dispatched is None:
        return None
    return _listed(_entered_blocking(begun)[1])


async def items(begun: RecordedStep | None) -> list[Any] | None:
    """Do what `items_blocking` does without holding the loop up."""
    if begun is None or begun.recording.dispatched is None:
        return None
    return _listed((await _entered(begun))[1])


def _listed(served: Served | None) -> list[Any] | None:
    if served is None:
        return None
    output: Any = served.output
    return cast("list[Any]", output) if isinstance(output, list) else []


def _entered_blocking(begun: RecordedStep) -> tuple[Dispatched, Served | None]:
    """Decide on a step; record it at once where it is served, or must not run."""
    dispatched = begun.recording.dispatched
    assert dispatched is not None
    try:
        served = enter_blocking(dispatched, begun)
    except BaseException as error:
        fail_step(begun, error)
        raise
    return dispatched, _noted(begun, served)


async def _entered(begun: RecordedStep) -> tuple[Dispatched, Served | None]:
    dispatched = begun.recording.dispatched
    assert dispatched is not None
    try:
        served = await enter(dispatched, begun)
    except BaseException as error:
        fail_step(begun, error)
        raise
    return dispatched, _noted(begun, served)


def _noted(begun: RecordedStep, served: Served | None) -> Served | None:
    if served is not None:
        begun.finish_served(served.output, served.step_id)
    return served
