"""The block form of a step: `with step("rerank", input={...}) as block:`, for code that is no call.

A replay cannot leave a block's code out, so a block is never served from the record: the steps that
it holds are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from tailrace.producers.recording import durability
from tailrace.producers.recording.definition import StepDefinition
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from tailrace.producers.recording.definition import Effect
    from tailrace.producers.recording.recorded_step import RecordedStep
    from tailrace.producers.tree.place import Place

P = ParamSpec("P")
R = TypeVar("R")


class Recorder(NamedTuple):
    """How a step is begun and ended; nothing of it raises."""

    begin: Callable[[StepDefinition, Place, Sequence[Any], Mapping[str, Any]], RecordedStep | None]
    complete: Callable[[RecordedStep | None, Any], None]
    fail: Callable[[RecordedStep | None, BaseException], None]


class OpenStep:
    """A step in progress, as the code in its block sees it."""

    __slots__ = ("output",)

    def __init__(self) -> None:
        self.output: Any = None
        """What came out: set it before the block ends. It is recorded as it is then."""


class StepBlock:
    """What `step("name")` gives: a context manager of either sort, and a decorator.

    Each `with` is one step. Outside of a recorded run the code is simply run.
    """

    __slots__ = ("_decorate", "_entered", "_input", "_label", "_recorder")

    def __init__(
        self,
        label: tuple[str, str, Effect | None, str, str],
        given: Mapping[str, Any] | None,
        recorder: Recorder,
        decorate: Callable[[Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        """Make a block; see `step`.

        Args:
            label: name, kind, effect, key and version.
            given: the step's input by name.
            recorder: how it is begun and ended.
            decorate: what makes a step of a function.
        """
        self._label = label
        self._input = given or {}
        self._recorder = recorder
        self._decorate = decorate
        self._entered: list[tuple[Place | None, RecordedStep | None, OpenStep]] = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, as `step(name=...)` does."""
        return self._decorate(function)

    def __enter__(self) -> OpenStep:
        outer = PLACE.get()
        begun = None
        if outer is not None:
            begun = self._recorder.begin(_definition(*self._label), outer, (), self._input)
        if begun is not None:
            PLACE.set(begun.place)
        opened = OpenStep()
        self._entered.append((outer, begun, opened))
        return opened

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        durability.wait_blocking(self._left(error), error)

    async def __aenter__(self) -> OpenStep:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await durability.wait(self._left(error), error)

    def _left(self, error: BaseException | None) -> RecordedStep | None:
        outer, begun, opened = self._entered.pop()
        if begun is None:
            return None
        PLACE.set(outer)
        if error is None or isinstance(error, GeneratorExit):
            # A generator that it stands in was closed: nothing failed.
            self._recorder.complete(begun, opened.output)
        else:
            self._recorder.fail(begun, error)
        return begun


@lru_cache(maxsize=1024)
def _definition(
    name: str, kind: str, effect: Effect | None, key: str, version: str
) -> StepDefinition:
    # The code of a block is a part of the function around it, and so of that one's digest.
    return StepDefinition(
        _block, name=name, kind=kind, effect=effect, key=key or None, version=f"{name}\0{version}"
    )


def _block(**given: Any) -> None:
    """Stand for the code of a block."""
