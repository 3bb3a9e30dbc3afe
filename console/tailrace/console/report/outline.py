"""Draws entries as a tree of lines: guides, a title with facts, folded details, children below.

It knows nothing of traces: `story` says what the entries are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from tailrace.console.report.folding import clip, fold
from tailrace.console.report.printable import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.console.report.signs import Sign

_GUIDE = "dim"
_WIDEST_LABEL = 10
_GAP = "  "
_ROOM_FOR_TEXT = 40
"""Cells that stay for text however deep an entry lies: guides are cut before."""


@dataclass(frozen=True)
class Detail:
    """A labelled text under an entry's title."""

    label: str
    """What the text is, such as `in`, `user`, `error`."""

    text: str
    """The text as recorded; made safe and folded when drawn."""

    style: str = ""
    """The text's style."""

    max_lines: int = 3
    """Lines to show when folded."""


@dataclass(frozen=True)
class Entry:
    """One node of the tree."""

    sign: Sign
    """How it ended."""

    kind: str
    """What it is, such as `run` or `llm`."""

    kind_style: str
    """The style of the kind."""

    name: str
    """What it is called."""

    facts: tuple[str, ...] = ()
    """Short facts after the name, the most wanted first; those that do not fit go to a new line."""

    details: tuple[Detail, ...] = ()
    """What stands under the title."""

    children: list[Entry] = field(default_factory=list["Entry"])
    """Entries inside this one, in order."""


def draw(roots: Sequence[Entry], width: int, *, full: bool) -> Iterator[Text]:
    """Yield the lines of the trees, a blank one between them, each at most `width` cells.

    With `full` nothing is folded.
    """
    waiting: list[tuple[Entry, str, str]] = [(root, "", "") for root in reversed(roots)]
    while waiting:
        entry, lead, below = waiting.pop()
        if not lead and entry is not roots[0]:
            yield Text()
        yield from _title(entry, _short(lead, width), _under(entry, below, width), width)
        for detail in entry.details:
            yield from _detail(entry, detail, _under(entry, below, width), width, full=full)
        last = len(entry.children) - 1
        for index in range(last, -1, -1):
            lead, rail = ("└─ ", "   ") if index == last else ("├─ ", "│  ")
            waiting.append((entry.children[index], below + lead, below + rail))


def _under(entry: Entry, below: str, width: int) -> str:
    return _short(below + ("│  " if entry.children else "   "), width)


def _short(guides: str, width: int) -> str:
    room = max(width - _ROOM_FOR_TEXT, 9)
    return guides if len(guides) <= room else "‥" + guides[1 - room :]


def _title(entry: Entry, lead: str, under: str, width: int) -> Iterator[Text]:
    line = Text.assemble(
        (lead, _GUIDE),
        (entry.sign.mark, entry.sign.style),
        " ",
        (clip(one_line(entry.kind), _WIDEST_LABEL), entry.kind_style),
        " ",
    )
    line.append(clip(one_line(entry.name), width - line.cell_len), style="bold")
    for fact in entry.facts:
        words = clip(one_line(fact), width - len(under))
        if line.cell_len + len(_GAP) + cell_len(words) <= width:
            line.append(_GAP).append(words, style="dim")
        else:
            yield line
            line = Text.assemble((under, _GUIDE), (words, "dim"))
    yield line


def _detail(entry: Entry, detail: Detail, under: str, width: int, *, full: bool) -> Iterator[Text]:
    widest = min(max(cell_len(printable(item.label)) for item in entry.details), _WIDEST_LABEL)
    label = clip(one_line(detail.label), widest)
    label += " " * (widest - cell_len(label)) + _GAP
    room = width - len(under) - cell_len(label)
    folded = fold(detail.text, room, None if full else detail.max_lines)
    lines = folded.lines or ("",)
    for index, words in enumerate(lines):
        line = Text.assemble(
            (under, _GUIDE), (label if index == 0 else " " * cell_len(label), "dim")
        )
        line.append(words, style=detail.style)
        if index == len(lines) - 1 and folded.left_out:
            yield from _with_rest(line, f"… +{folded.left_out:,} characters", under, label, width)
        else:
            yield line


def _with_rest(line: Text, rest: str, under: str, label: str, width: int) -> Iterator[Text]:
    if line.cell_len + 1 + len(rest) <= width:
        yield line.append(f" {rest}", style="dim italic")
    else:
        yield line
        yield Text.assemble((under, _GUIDE), " " * cell_len(label), (rest, "dim italic"))
