"""Follows the conversations of one run, so that each model call shows only what it adds.

A run may hold several conversations at once (a planner's and an answerer's): a call continues the
one that it shares its longest start with.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from tailrace.console.report.conversation import common_start, replies_in
from tailrace.console.report.messages import Message, canonical
from tailrace.console.report.outline import Detail
from tailrace.console.report.values import call_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEMBERED = 16
"""Conversations kept for comparison; a run with more of them shows some messages again."""

_LINES = {"system": 2, "tool": 3, "assistant": 8, "user": 8}
_STYLES = {"system": "dim", "user": "bold", "assistant": "", "tool": "dim"}


class Dialogue:
    """What a reader of one run has been shown so far."""

    def __init__(self) -> None:
        self._conversations: deque[tuple[Message, ...]] = deque(maxlen=_REMEMBERED)
        self._calls: set[tuple[str, str]] = set()
        self._results: set[str] = set()

    def model_call(self, messages: tuple[Message, ...], answered: Any) -> tuple[Detail, ...]:
        """Return the messages that the call adds, as details: of those given, and the answer."""
        before = max(self._conversations, key=lambda old: common_start(old, messages), default=())
        known = common_start(before, messages)
        replies = replies_in(answered) or ()
        if before[:known] == before and before in self._conversations:
            self._conversations.remove(before)
        self._conversations.append((*messages, *replies))
        details: list[Detail] = []
        if 0 < known < len(before):
            details.append(Detail("…", f"goes on after message {known}", "dim italic"))
        for message in messages[known:]:
            details.extend(self._said(message))
        for message in replies:
            details.extend(self._said(message))
        if answered is not None and not replies:
            details.append(Detail("out", value_text(answered)))
        return tuple(details)

    def tool_call(self, name: str, given: Any, answered: Any) -> tuple[Detail, ...]:
        """Return the call's input, if no message before has shown it, and its output."""
        details: list[Detail] = []
        if given is not None and (name, canonical(given)) not in self._calls:
            details.append(Detail("in", value_text(given)))
        if answered is not None:
            self.shown(answered)
            details.append(Detail("out", value_text(answered)))
        return tuple(details)

    def shown(self, result: Any) -> None:
        """Take a result as shown: a message that repeats it is left out."""
        self._results.add(canonical(result))

    def rest(self, messages: tuple[Message, ...]) -> tuple[Detail, ...]:
        """Return what a whole conversation holds beyond what the model calls have shown."""
        known = max((common_start(old, messages) for old in self._conversations), default=0)
        return tuple(detail for message in messages[known:] for detail in self._said(message))

    def _said(self, message: Message) -> Iterator[Detail]:
        if message.role == "tool" and canonical(message.text) in self._results:
            return
        lines = _LINES.get(message.role, 3)
        style = _STYLES.get(message.role, "")
        text = f"{message.tool} = {message.text}" if message.tool else message.text
        label = message.role
        if message.text or not message.calls:
            yield Detail(label, text, style, lines)
            label = ""
        for call in message.calls:
            self._calls.add((call.name, call.arguments))
            yield Detail(label, "→ " + call_text(call.name, call.value), "blue", lines)
            label = ""
