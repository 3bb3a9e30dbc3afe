"""What a line says, and what is refused with which sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from support.trajectories import conversations
from tailrace.console.importing.errors import LineRefusedError
from tailrace.console.importing.trajectory import parse_trajectory

if TYPE_CHECKING:
    from support.trajectories import Message

HELLO: Message = {"role": "user", "content": "hello"}


@given(conversations())
def test_messages_are_kept_exactly_in_every_form_of_line(messages: list[Message]) -> None:
    bare = json.dumps(messages).encode()
    openai = json.dumps({"messages": messages, "id": "x"}).encode()
    tau = json.dumps({"traj": messages, "task_id": 3}).encode()
    assert parse_trajectory(bare).messages == messages
    assert parse_trajectory(openai, "openai").messages == messages
    assert parse_trajectory(tau, "tau").messages == messages
    assert parse_trajectory(tau).fields == {"task_id": 3}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "no JSON: .* at column 2"),
        (b"\xff", "not UTF-8 at its byte 0"),
        (b'"hello"', "a text, not an object"),
        (b"null", "is null"),
        (b"{}", "no list of messages under 'messages' or 'traj'"),
        (b'{"messages": {}}', "'messages' is an object, not a list"),
        (b"[]", "no messages"),
        (b"[1]", "message 0 is a number"),
        (b'[{"role": "user"}, {"content": ""}]', "message 1 has no role"),
        (b'[{"role": 3}]', "message 0 has no role"),
        (b'[{"role": "assistant", "tool_calls": {}}]', "tool_calls of message 0 are an object"),
        (b'[{"role": "assistant", "tool_calls": [{}]}]', "without a function name"),
        (b'[{"role": "%s"}]' % (b"r" * 300), "message 0 has a name of 300 characters"),
        (b'[{"role": "tool", "name": "%s"}]' % (b"n" * 300), "a name of 300 characters"),
        (b'[{"role": "user", "content": "\\ud800"}]', "half a surrogate pair"),
        (b'[{"role": "user", "content": NaN}]', "NaN is no JSON"),
        (b'[{"role": "user", "content": 1e999}]', "1e999 is too large"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "no JSON"),
    ],
)
def test_what_is_no_trajectory_is_refused_with_its_reason(line: bytes, sentence: str) -> None:
    with pytest.raises(LineRefusedError, match=sentence.replace("(", r"\(")):
        parse_trajectory(line)


def test_a_format_that_is_told_looks_under_its_own_key_only() -> None:
    record: dict[str, Any] = {"traj": [HELLO]}
    with pytest.raises(LineRefusedError, match="under 'messages'"):
        parse_trajectory(json.dumps(record).encode(), "openai")
