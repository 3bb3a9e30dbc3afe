"""Payloads: what is externalized comes back, and a conversation costs what its turns add."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.schemas.payload_reading import references, resolve
from tailrace.schemas.payloads import (
    INLINE_BYTES,
    MAX_BODY_BYTES,
    Body,
    ListChain,
    body_limit,
    canonical,
    dumps,
    escape,
    externalize,
    outline,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS = st.sampled_from(["$body", "$list", "+", "$cut", "$$body", "$$$list", "a", "$", "messages"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text() | st.sampled_from(["$body", "x" * (INLINE_BYTES + 1), '"$body":', "f" * 64])
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def stored(bodies: Iterable[Body]) -> dict[str, str]:
    kept = {body.sha256: body.text for body in bodies}
    for sha256, text in kept.items():
        assert hashlib.sha256(text.encode()).hexdigest() == sha256
    return kept


@given(JSON)
def test_what_is_externalized_resolves_to_the_same_value(value: Any) -> None:
    out = externalize(value)
    assert resolve(out.text, stored(out.bodies)) == value
    assert references(out.text) <= set(out.hashes)


@given(st.lists(st.lists(JSON, max_size=5), min_size=1, max_size=6))
def test_lists_through_one_chain_resolve_to_the_same_values(lists: list[list[Any]]) -> None:
    chain = ListChain()
    kept: dict[str, str] = {}
    texts: list[str] = []
    for messages in lists:
        out = externalize({"messages": messages, "model": "m"}, chain=chain)
        kept |= stored(out.bodies)
        assert references(out.text) <= set(out.hashes) <= kept.keys()
        texts.append(out.text)
    for text, messages in zip(texts, lists, strict=True):
        assert resolve(text, kept) == {"messages": messages, "model": "m"}


@given(JSON)
def test_escaped_json_names_no_body(value: Any) -> None:
    assert references(escape(dumps(value)).decode()) == set()


@given(JSON)
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: Any) -> None:
    def reversed_keys(item: Any) -> Any:
        if isinstance(item, dict):
            fields = list(cast("dict[str, Any]", item).items())
            return {key: reversed_keys(each) for key, each in reversed(fields)}
        if isinstance(item, list):
            return [reversed_keys(each) for each in cast("list[Any]", item)]
        return item

    text = canonical(dumps(value))
    assert canonical(dumps(reversed_keys(value))) == text
    assert json.loads(text) == value


@given(st.text() | st.integers())
def test_a_string_or_an_integer_is_canonical_as_it_is_written(value: str | int) -> None:
    assert canonical(dumps(value)) == dumps(value)


def test_a_conversation_costs_what_its_turns_add() -> None:
    turns, size = 100, 1000
    chain = ListChain()
    messages: list[dict[str, str]] = []
    kept: dict[str, str] = {}
    chained = whole = 0
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{turn} " + "u" * size})
        out = externalize({"messages": messages}, chain=chain)
        chained += len(out.json) + sum(len(body.content) for body in out.bodies)
        kept |= stored(out.bodies)
        whole += len(dumps({"messages": messages}))
        assert resolve(out.text, kept) == {"messages": messages}
        messages.append({"role": "assistant", "content": f"{turn} " + "a" * size})
    assert chained < 1.5 * len(dumps(messages))
    assert whole > 20 * chained


def test_a_second_conversation_continues_what_a_first_one_began() -> None:
    chain = ListChain()
    system = {"role": "system", "content": "s" * 2000}
    first = externalize({"messages": [system]}, chain=chain)
    second = externalize({"messages": [system, {"role": "user", "content": "hi"}]}, chain=chain)
    assert len(first.bodies) == 1
    assert [body.previous for body in second.bodies] == [first.bodies[0].sha256]
    assert len(second.bodies[0].content) < 200
    again = externalize({"messages": [system]}, chain=chain)
    assert (again.json, again.bodies, again.reused) == (first.json, (), (first.bodies[0].sha256,))


def test_a_chain_forgets_what_could_have_left_the_log() -> None:
    now = [0.0]
    chain = ListChain(max_age_s=10.0, clock=lambda: now[0])
    messages = [{"role": "system", "content": "s" * 2000}]
    externalize({"messages": messages}, chain=chain)
    now[0] = 6.0
    # What builds on it is as old as its oldest part.
    longer = [*messages, {"role": "user", "content": "hi"}]
    assert externalize({"messages": longer}, chain=chain).bodies[-1].previous
    now[0] = 11.0
    assert not externalize({"messages": longer}, chain=chain).bodies[-1].previous


def test_a_chain_keeps_a_bounded_number_of_lists() -> None:
    chain = ListChain(max_lists=2)
    lists = [[{"content": f"{n}" * 2000}] for n in range(3)]
    for messages in lists:
        externalize({"messages": messages}, chain=chain)
    assert externalize({"messages": lists[2]}, chain=chain).reused
    assert not externalize({"messages": lists[0]}, chain=chain).reused


def test_a_large_message_is_a_body_of_its_own_within_the_chain() -> None:
    chain = ListChain()
    messages = [{"role": "tool", "content": "t" * (2 * INLINE_BYTES)}, {"role": "user"}]
    out = externalize({"messages": messages}, chain=chain)
    assert len(out.bodies) == 2
    assert resolve(out.text, stored(out.bodies)) == {"messages": messages}


def test_a_value_over_the_maximum_is_cut_and_says_so() -> None:
    value = "é" * MAX_BODY_BYTES
    text, bodies = outline(dumps(value))
    assert bodies == ()
    cut = resolve(text.decode(), {})["$cut"]
    assert cut["size_bytes"] == len(dumps(value))
    assert cut["sha256"] == hashlib.sha256(dumps(value)).hexdigest()
    assert cut["head"].startswith('"é')
    assert cut["tail"].endswith('é"')
    assert len(text) < INLINE_BYTES


@pytest.mark.parametrize("text", ['{"$body":"ab"}', '{"$list":"ab","+":[1]}'])
def test_what_cannot_be_resolved_stays_visible(text: str) -> None:
    assert resolve(text, {}) == json.loads(text)


def test_a_body_that_names_itself_is_left_as_it_is() -> None:
    assert resolve('{"$body":"a"}', {"a": '{"$body":"a"}'}) == {"$body": "a"}
    assert resolve('{"$body":"a"}', {"a": '{"$list":"a","+":[]}'}) == {"$list": "a", "+": []}


def test_nothing_resolves_to_nothing() -> None:
    assert resolve(None, {}) is None
    assert references(None) == set()


@pytest.mark.parametrize(
    ("told", "limit"),
    [("", 786_432), ("x", 786_432), ("-1", 786_432), ("1", 16_384), ("50000", 50_000),
     ("9" * 30, 786_432)],
)  # fmt: skip
def test_the_limit_of_a_body_is_what_is_told_or_the_nearest_there_can_be(
    told: str, limit: int
) -> None:
    assert body_limit(told) == limit
