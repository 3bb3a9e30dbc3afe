"""What a recording says about its run: what was asked, how it ended, how it should have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.importing.pairing import ANSWERING_ROLES, Pairing
from tailrace.console.importing.trajectory import member
from tailrace.schemas.payloads import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.console.importing.trajectory import Message


def question(messages: list[Message]) -> Any:
    """Return the content of the user's first message; None if no user speaks."""
    return next((one.get("content") for one in messages if one["role"] == "user"), None)


def instructions(messages: list[Message]) -> list[Message]:
    """Return the system messages that the conversation begins with."""
    for place, message in enumerate(messages):
        if message["role"] not in {"system", "developer"}:
            return messages[:place]
    return messages


def outcome(messages: list[Message]) -> dict[str, Any]:
    """Return the last answer, and under `then` what was said after the model's last call.

    A tool's last result is not among it: it is the output of a step.
    """
    turns = [place for place, one in enumerate(messages) if one["role"] == "assistant"]
    answers = [messages[place]["content"] for place in turns if messages[place].get("content")]
    rest = messages[turns[-1] + 1 :] if turns else messages
    then = [one for one in rest if one["role"] not in ANSWERING_ROLES]
    answer = answers[-1] if answers else None
    return {"answer": answer, "then": then} if then else {"answer": answer}


def expected(fields: Mapping[str, Any]) -> Any:
    """Return what the run should have done: a τ-bench task's actions, else what `expected` says."""
    task = member(member(fields, "info"), "task")
    found = {name: member(task, name) for name in ("actions", "outputs")}
    if any(value is not None for value in found.values()):
        return found
    return fields.get("expected")


def oddities(pairing: Pairing) -> dict[str, str]:
    """Return attributes that say what is odd about the conversation; empty if nothing is."""
    found: dict[str, str] = {}
    if pairing.unanswered:
        found["unanswered_calls"] = dumps(pairing.unanswered).decode()
    if pairing.unknown_roles:
        found["unknown_roles"] = dumps(pairing.unknown_roles).decode()
    return found
