"""Reads conversations that are recorded as chains of bodies, each link once.

A model call names the list that it was given by the link that it added. Resolving every call's
whole list costs the square of a conversation's length; here a link's messages are those of the link
before it, already read, and its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tailrace.console.report.conversation import messages_in
from tailrace.console.report.messages import Message, parsed
from tailrace.console.report.values import (
    as_list,
    as_object,
    missing_body,
    not_stored,
)
from tailrace.schemas.payloads import ADDED, LIST
from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

Messages = tuple[Message, ...]


class Chains:
    """The conversations of one trace, by the bodies that hold them."""

    def __init__(self, bodies: Mapping[str, str]) -> None:
        self._bodies = bodies
        self._read: dict[str, Messages] = {}

    def messages(self, text: str | None, *, in_body: bool = False) -> Messages | None:
        """Return the conversation in an input as it is recorded; None if there is none.

        Args:
            text: JSON with references.
            in_body: whether the text is a body's, which is not followed to another body's object.
        """
        value = None if text is None else parsed(text)
        for part in (value, *(as_object(value) or {}).values()):
            found = self._conversation(part, in_body=in_body)
            if found is not None:
                return found
        return None

    def _conversation(self, value: Any, *, in_body: bool) -> Messages | None:
        digest = missing_body(value)
        if digest is None:
            return self._plain(value)
        link = as_object(value) or {}
        if LIST in link:
            return (*self._chain(digest), *(self._plain(link.get(ADDED)) or ()))
        content = self._bodies.get(digest)
        if content is None:
            return None
        if digest in self._read or LIST in (as_object(parsed(content)) or {}):
            return self._chain(digest)
        return self._plain(parsed(content)) if in_body else self.messages(content, in_body=True)

    def _chain(self, last: str) -> Messages:
        """Return the messages up to a link; what lies before a link that is not stored is named."""
        links: list[tuple[str, Any]] = []
        following: set[str] = set()
        digest: Any = last
        while isinstance(digest, str) and digest not in self._read:
            link = as_object(parsed(self._bodies.get(digest, "")))
            if link is None or LIST not in link or digest in following:
                self._read[digest] = (Message("earlier", not_stored(digest)),)
                break
            following.add(digest)
            links.append((digest, link.get(ADDED)))
            digest = link[LIST]
        messages = self._read.get(digest, ()) if isinstance(digest, str) else ()
        for name, added in reversed(links):
            messages = (*messages, *(self._plain(added) or ()))
            self._read[name] = messages
        return messages

    def _plain(self, value: Any) -> Messages | None:
        if as_list(value) is None:
            return None
        return messages_in(recorded(json.dumps(value), self._bodies))
