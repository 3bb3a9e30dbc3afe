"""Whatever passes through an agent passes unchanged and breaks nothing, recorded or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tailrace.producers import component, step
from tailrace.producers.redaction import READY
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Callable


class Refusing:
    """Raises whatever it is asked, as broken classes of agents do."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise RuntimeError("this object wants to be left alone")

    __repr__ = __str__ = __hash__ = __eq__ = __bool__ = __len__ = __iter__ = _refuse  # type: ignore[assignment]
    model_dump = model_dump_json = dict = json = _refuse


class Knowing:
    """Claims to have every attribute, and each raises but for a few."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


class Mocking:
    """Has every attribute, of no use: what a mock of a model's client is."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Mocking()


class Model(BaseModel):
    """A model that cannot be dumped."""

    number: int = 1

    def model_dump(self, **_: Any) -> Any:
        raise RuntimeError("no dump")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Greedy(list[Any]):
    """A list that notices being walked over."""

    def __iter__(self) -> Any:
        raise RuntimeError("do not walk over me")


def looped() -> Any:
    loop: dict[str, Any] = {}
    loop["self"] = [loop]
    return loop


def deep() -> Any:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    return value


HOSTILE: list[Callable[[], Any]] = [
    Refusing,
    Knowing,
    Mocking,
    Model,
    looped,
    deep,
    object,
    lambda: Greedy([1]),
    lambda: "\ud800 alone",
    lambda: {"\ud800": 1, 5: 2, None: 3, (1, 2): 4},
    lambda: "x" * 20_000,
    lambda: 10**5000,
    lambda: float("nan"),
    lambda: b"\xff\x00" * 10,
    lambda: (number for number in range(3)),
    lambda: {Refusing: {1, "a", None}},
    type("Odd", (), {"__slots__": ("a",)}),
    lambda: memoryview(b"abc"),
    lambda: {"$body": "not ours", "usage": Mocking()},
]
REDACT = [None, READY]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3),
    st.sampled_from(["tool", "llm"]),
    st.sampled_from(REDACT),
)
def test_every_value_passes_through_as_itself(
    makers: list[Callable[[], Any]], kind: str, redact: Any
) -> None:
    values = [make() for make in makers]

    @step(kind=kind)
    def passes(value: Any, messages: Any, *rest: Any, **named: Any) -> Any:
        assert named["again"] is value
        return value if rest == () else messages

    @step(kind=kind)
    async def passes_later(value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    @step(kind=kind)
    def yields(items: Any) -> Any:
        yield from items[0]

    @component
    def run(given: Any) -> Any:
        for value in given[0]:
            assert passes(value, [value], again=value) is value
            assert asyncio.run(passes_later(value)) is value
        found = list(yields([given[0]]))
        assert all(one is other for one, other in zip(found, given[0], strict=True))
        return given

    handed = (values,)
    with memory_journal(redact=redact) as journal:
        assert run(handed) is handed
        assert journal.client is not None
        assert journal.client.stats.defects == 0
    assert [event.kind for event in journal.events] == [
        "run_started",
        *["step_completed"] * (2 * len(values) + 1),
        "run_completed",
    ]


def test_a_huge_value_is_cut_and_passes_through_as_itself() -> None:
    huge = ["x" * 3_000_000]

    @step
    def passes(value: Any) -> Any:
        return value

    @component
    def run() -> None:
        assert passes(huge) is huge

    with memory_journal() as journal:
        run()
    assert sum(len(record.value) for record in journal.log) < 100_000


def test_a_generator_that_is_handed_over_is_left_as_it_is() -> None:
    numbers = (number for number in range(3))

    @step
    def passes(given: Any) -> Any:
        return given

    @component
    def run() -> Any:
        return passes({"inside": [numbers]})

    with memory_journal():
        assert run()["inside"][0] is numbers
    assert list(numbers) == [0, 1, 2]


class UnspeakableError(Exception):
    """An error that fails when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


@pytest.mark.parametrize("redact", REDACT, ids=["as it is", "redacted"])
def test_an_error_that_cannot_be_shown_is_raised_on_and_recorded(redact: Any) -> None:
    error = UnspeakableError()

    @step
    def fails() -> None:
        raise error

    @component
    def run() -> None:
        fails()

    with memory_journal(redact=redact) as journal, pytest.raises(UnspeakableError) as caught:
        run()
    assert caught.value is error
    assert [event.kind for event in journal.events] == ["run_started", "step_failed", "run_failed"]


def test_a_key_function_that_raises_costs_the_record_and_not_the_call() -> None:
    def key(_: int) -> str:
        raise RuntimeError("no key")

    @step(key=key)
    def double(number: int) -> int:
        return number * 2

    @component
    def run() -> int:
        return double(2)

    with memory_journal() as journal:
        assert run() == 4
        assert journal.client is not None
        assert journal.client.stats.defects == 1
