"""The written pages, taken apart: fenced blocks, the commands people are told to type, links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.repository import Source, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(
    r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
_SETTING = re.compile(r"[A-Z_][A-Z0-9_]*=.*")
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_SHELLS = frozenset({"bash", "sh", "shell"})
_SEPARATORS = frozenset({"|", "||", "&&", ";", "&"})


@dataclass(frozen=True)
class Block:
    """One fenced block: where it opens, its language, its other marks, what is in it."""

    path: str
    line: int
    language: str
    marks: frozenset[str]
    text: str

    @property
    def name(self) -> str:
        """Where it stands, to name a test by."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Typed:
    """One command that a page tells people to type, as words."""

    path: str
    line: int
    words: tuple[str, ...]
    whole: bool
    """Whether it is to be typed as it is; code within a line may only name a command."""

    @property
    def name(self) -> str:
        """Where it stands and what it is, to name a test by."""
        return f"{self.path}:{self.line} {' '.join(self.words)}"


def documents() -> tuple[Source, ...]:
    """Return every page for people; the changelog also tells of what is gone."""
    return tuple(
        each for each in sources() if each.name.suffix == ".md" and each.path != "CHANGELOG.md"
    )


def blocks(language: str) -> list[Block]:
    """Return every fenced block of one language."""
    found = [block for document in documents() for block in blocks_of(document)]
    return [block for block in found if block.language == language]


def typed(program: str) -> list[Typed]:
    """Return every command of one program, in blocks for the shell and in code within a line."""
    found = [command for document in documents() for command in typed_in(document)]
    return [command for command in found if command.words[0] == program]


def blocks_of(document: Source) -> Iterator[Block]:
    """Yield the fenced blocks of one page."""
    for match in _FENCE.finditer(document.text):
        info = match["info"].split()
        line = document.text.count("\n", 0, match.start()) + 1
        yield Block(
            document.path, line, info[0] if info else "", frozenset(info[1:]), match["body"]
        )


def typed_in(document: Source) -> Iterator[Typed]:
    """Yield the commands of one page: after `$ ` in a console block, each line of a shell block."""
    for block in blocks_of(document):
        for offset, line in enumerate(_joined(block.text), 1):
            if block.language == "console" and line.startswith("$ "):
                yield from _commands(document.path, block.line + offset, line[2:])
            elif block.language in _SHELLS:
                yield from _commands(document.path, block.line + offset, line)
    prose = _FENCE.sub(lambda match: "\n" * match.group().count("\n"), document.text)
    for number, line in enumerate(prose.splitlines(), 1):
        for span in _SPAN.findall(line):
            if " " in span:
                yield from _commands(document.path, number, span, whole=False)


def links_of(document: Source) -> Iterator[str]:
    """Yield where a page's links lead, code left out."""
    prose = _SPAN.sub("", _FENCE.sub("", document.text))
    yield from (target for target in _LINK.findall(prose))


def _joined(text: str) -> list[str]:
    """Return the lines with continued ones on their first, so that line numbers stay right."""
    lines = text.splitlines()
    for index in range(len(lines) - 1, 0, -1):
        if lines[index - 1].endswith("\\"):
            lines[index - 1] = lines[index - 1][:-1] + " " + lines[index].strip()
            lines[index] = ""
    return lines


def _commands(path: str, line: int, text: str, *, whole: bool = True) -> Iterator[Typed]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # an apostrophe in code that is no command
        return
    current: list[str] = []
    for word in [*words, ";"]:
        if word in _SEPARATORS:
            if current:
                yield Typed(path, line, tuple(current), whole)
            current = []
        elif current or not _SETTING.fullmatch(word):
            current.append(word)
