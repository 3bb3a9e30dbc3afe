"""What a SQL text is, as far as HTTP must know: read, insert with data, or command; and its format.

The engine parses the SQL; this only finds where an insert's data begins and which format a result
will have. Works on bytes, because an insert's data need not be text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tailrace.console.local.gateway.errors import SYNTAX_ERROR, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEAD_BYTES = 1 << 20
"""An insert's statement, before its data, may be this long."""

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*(?:\n|$)|\#[ !][^\n]*(?:\n|$)|/\*.*?\*/)
    |(?P<text>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<name>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9][A-Za-z0-9_.]*)
    |(?P<open>'|`|"|/\*)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_READS = {"SELECT", "WITH", "FROM", "("}
_NAMES_FOLLOW = {"INTO", "TABLE", "FUNCTION", "."}


@dataclass(frozen=True)
class Read:
    """A statement without data of its own."""

    sql: bytes
    format: str | None
    """The FORMAT it names; None if it leaves that to the request."""
    clause: tuple[int, int]
    """Where that clause stands in `sql`, or would."""
    streams: bool
    """Whether it is a SELECT, which the engine can hand out in chunks."""
    keeps_state: bool
    """Whether its effect would outlive it in a session: SET, USE, CREATE TEMPORARY TABLE."""


@dataclass(frozen=True)
class Insert:
    """An INSERT whose rows follow it."""

    head: bytes
    """The statement without VALUES or FORMAT."""
    format: str
    data: bytes
    """The part of the rows that came with the statement."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int


def find_insert(text: bytes, *, ended: bool) -> Insert | Literal["other", "more"]:
    """Split an INSERT with data at its data.

    Returns "other" if the text is anything else, and "more" if that cannot be told before more of
    it has arrived (never when `ended`).
    """
    tokens = _tokens(text)
    token = next(tokens, None)
    unknown: Literal["other", "more"] = "other" if ended else "more"
    if token is None or token.kind == "open" or (token.end == len(text) and not ended):
        return unknown
    before = token.text.upper()
    if before != "INSERT":
        return "other"
    for token in tokens:
        if token.kind == "open" or _may_go_on(token, text, ended=ended):
            return unknown
        word = token.text.upper()
        if token.depth == 0 and token.kind == "word" and before not in _NAMES_FOLLOW:
            if word == "FORMAT":
                return _split_at_format(text, token, tokens, ended=ended)
            if word in {"VALUES", "SELECT", "WITH", "WATCH"}:
                values = Insert(text[: token.start], "Values", text[token.end :])
                return values if word == "VALUES" else "other"
        before = word
    return unknown


def _may_go_on(token: _Token, text: bytes, *, ended: bool) -> bool:
    return not ended and token.kind == "word" and token.end == len(text)


def read_statement(text: bytes) -> Read:
    """Describe a statement without data; raises GatewayError for several statements at once."""
    tokens = [token for token in _tokens(text) if token.depth == 0 or token.text == "("]
    if not tokens:
        raise refusal(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query.")
    first = tokens[0].text.upper()
    named: str | None = None
    end = len(text)
    for i, token in enumerate(tokens):
        if token.kind == "mark" and token.text == ";":
            if any(later.text != ";" for later in tokens[i:]):
                raise refusal(SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed.")
            end = token.start
            tokens = tokens[:i]
            break
    clause = (end, end)
    for token, name, last in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        ends = last is None or last.text.upper() == "SETTINGS"
        if ends and token.kind == name.kind == "word" and token.text.upper() == "FORMAT":
            named = name.text
            clause = (token.start, name.end)
    begins = [token.text.upper() for token in tokens[:4]]
    keeps_state = first in {"SET", "USE"} or (first == "CREATE" and "TEMPORARY" in begins)
    return Read(text[:end], named, clause, first in _READS, keeps_state)


def _split_at_format(
    text: bytes, keyword: _Token, rest: Iterator[_Token], *, ended: bool
) -> Insert | Literal["other", "more"]:
    name = next(rest, None)
    if name is None or (name.end == len(text) and not ended):
        return "other" if ended else "more"
    data = text[name.end :]
    # The engine's own rule: blanks, at most one end of line, then data.
    data = re.sub(rb"\A[ \t\f]*;?[ \t\f]*\r?\n?", b"", data, count=1)
    if not data and not ended and not text.endswith(b"\n"):
        return "more"  # the end of the line may still come
    return Insert(text[: keyword.start], name.text, data)


def words(text: bytes) -> Iterator[str]:
    """Yield a text's words, names and marks, without blanks, comments and string literals."""
    return (token.text for token in _tokens(text) if token.kind != "text")


def _tokens(text: bytes) -> Iterator[_Token]:
    depth = 0
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "mark"
        if kind == "tag":
            kind = "text"
        if kind == "space":
            continue
        word = found.group().decode("utf-8", "replace")
        if kind == "mark" and word in ")]}":
            depth = max(0, depth - 1)
        yield _Token(kind, word, found.start(), found.end(), depth)
        if kind == "mark" and word in "([{":
            depth += 1
