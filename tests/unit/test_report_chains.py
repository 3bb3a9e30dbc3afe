"""A chain of bodies is read as the conversation that it resolves to, each link once."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support.trajectories import Message, conversations
from tailrace.console.report.chains import Chains
from tailrace.console.report.conversation import messages_in
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.payloads import Externalized, ListChain, externalize


def calls(messages: list[Message], ends: list[int]) -> tuple[list[Externalized], dict[str, str]]:
    """Record calls that were each given the conversation up to an end."""
    chain = ListChain()
    kept = [externalize({"messages": messages[:end], "n": 1}, chain=chain) for end in ends]
    return kept, {body.sha256: body.text for one in kept for body in one.bodies}


@given(conversations(), st.data())
def test_it_is_what_resolving_gives(messages: list[Message], data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.integers(1, len(messages)), min_size=1, max_size=6))
    kept, bodies = calls(messages, ends)
    chains = Chains(bodies)
    for one in kept:
        assert chains.messages(one.text) == messages_in(resolve(one.text, bodies))


@given(conversations(), st.data())
def test_missing_bodies_never_make_it_fail(messages: list[Message], data: st.DataObject) -> None:
    kept, bodies = calls(messages, list(range(1, len(messages) + 1)))
    stored = {name: text for name, text in bodies.items() if data.draw(st.booleans())}
    for one in kept:
        found = Chains(stored).messages(one.text)
        assert found is None or all(message.role for message in found)


def test_bodies_that_name_each_other_in_a_ring_end() -> None:
    one, two, three = "a" * 64, "b" * 64, "c" * 64
    said = {"role": "user", "content": "hi"}
    bodies: dict[str, Any] = {
        one: {"$list": two, "+": [said]},
        two: {"$list": one, "+": [said]},
        three: {"x": {"$body": three}},
    }
    chains = Chains({name: json.dumps(value) for name, value in bodies.items()})
    found = chains.messages(json.dumps({"messages": {"$body": one}}))
    assert found is not None
    assert [message.text for message in found][-1] == "hi"
    assert chains.messages(json.dumps({"messages": {"$body": three}})) is None


def test_a_thousand_turns_are_read_in_the_time_of_their_sum() -> None:
    messages = [{"role": "user", "content": f"question {n} " * 20} for n in range(1000)]
    kept, bodies = calls(messages, list(range(1, 1001)))
    chains = Chains(bodies)
    start = time.perf_counter()
    lengths = [len(chains.messages(one.text) or ()) for one in kept]
    assert time.perf_counter() - start < 3
    assert lengths == list(range(1, 1001))
