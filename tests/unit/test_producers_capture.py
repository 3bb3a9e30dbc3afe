"""Values to JSON: whatever an agent passes is recorded, and nothing of it is used up or raised."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from tailrace.producers.content.capture import (
    any_text_of,
    input_digest,
    json_of,
    text_of,
    written_digest,
)
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.payloads import canonical, inline_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters())
    | st.binary()
    | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_becomes_json(value: Any) -> None:
    json.loads(json_of(value))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda i: st.lists(i) | st.dictionaries(st.text() | st.just("$body"), i),
    )
)
def test_json_values_are_recorded_as_they_are(value: Any) -> None:
    assert resolve(json_of(value).decode(), {}) == value


class Colour(StrEnum):
    RED = "red"


class Size(Enum):
    SMALL = 1


class Name(str):  # noqa: SLOT000 - the plain way to derive one, which users take
    pass


class Point(NamedTuple):
    x: float
    y: float


KINDS = st.one_of(
    VALUES,
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.uuids(),
    st.datetimes() | st.dates() | st.times() | st.timedeltas(),
    st.decimals(),
    st.sampled_from([*Colour, *Size, Name("Ada"), Point(1, 2), Path("a/b"), int, range(3)]),
)


@given(st.recursive(KINDS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_the_quick_way_to_json_writes_what_the_general_one_does(value: Any) -> None:
    assert text_of(value) == any_text_of(value)


@given(st.sets(st.text()))
def test_a_set_reads_the_same_in_every_process(value: set[str]) -> None:
    # Made in another order, a set may iterate in another one.
    turned: set[str] = set()
    for item in sorted(value, reverse=True):
        turned.add(item)
    assert json_of(value) == json_of(turned)
    assert set(json.loads(json_of(value))) == value


class Model(BaseModel):
    name: str
    at: datetime


@dataclass
class Held:
    numbers: Iterator[int]
    tags: set[str] = field(default_factory=lambda: {"b", "a"})


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_models_and_dataclasses_are_recorded_by_field() -> None:
    model = Model(name="Ada", at=datetime(2026, 1, 2, tzinfo=UTC))
    assert json.loads(json_of(model)) == {"name": "Ada", "at": "2026-01-02T00:00:00Z"}
    held = Held(number for number in range(2))
    recorded = json.loads(json_of([held]))[0]
    assert recorded["tags"] == ["a", "b"]
    assert "generator" in recorded["numbers"]["$repr"]
    assert list(held.numbers) == [0, 1]


def test_what_json_cannot_hold_is_its_repr_without_an_address() -> None:
    assert "0x" not in json_of(object()).decode()
    assert json_of(object()) == json_of(object())
    assert json.loads(json_of(Hostile())) == {"$repr": "<Hostile whose repr fails>"}
    assert json.loads(json_of({"a": Hostile()})) == {"a": {"$repr": "<Hostile whose repr fails>"}}


def test_a_value_that_holds_itself_is_recorded() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert json.loads(json_of(loop)) == {"$repr": "[[...]]"}


def test_a_deep_value_is_recorded() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    json.loads(json_of(deep))


def test_a_coroutine_and_an_iterator_are_left_alone() -> None:
    async def answer() -> int:
        return 7

    pending, numbers = answer(), iter([1, 2])
    assert "coroutine" in json_of({"pending": pending, "numbers": numbers}).decode()
    assert asyncio.run(pending) == 7
    assert list(numbers) == [1, 2]


@given(
    st.dictionaries(
        st.text(), st.integers() | st.text() | st.dictionaries(st.text(), st.integers())
    )
)
def test_a_digest_does_not_depend_on_the_order_of_arguments_or_keys(given_: dict[str, Any]) -> None:
    parts: dict[str, bytes | list[bytes]] = {name: json_of(value) for name, value in given_.items()}
    turned: dict[str, bytes | list[bytes]] = {
        name: json_of(dict(reversed(value.items())) if isinstance(value, dict) else value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - made above
        for name, value in reversed(given_.items())
    }
    assert input_digest(parts) == input_digest(turned)


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_written_without_escapes_has_the_digest_of_its_arguments(
    given_: dict[str, Any],
) -> None:
    parts = {name: text_of(value) for name, value in given_.items()}
    given_text = inline_parts(parts)
    assume(b'"$' not in given_text)
    arguments: dict[str, bytes | list[bytes]] = {**parts}
    assert written_digest(given_text) == input_digest(arguments)


@given(VALUES)
def test_the_canonical_form_is_that_of_the_standard_library(value: Any) -> None:
    text = json_of(value)
    expected = json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert canonical(text) == expected.encode(errors="surrogatepass")
