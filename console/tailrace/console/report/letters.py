"""Dead letters for people: a table, one letter whole, and a record for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.report.amounts import age
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.console.report.printable import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.text import Text

    from tailrace.sinks.queries.dead_letters import ListedDeadLetter

PREVIEW_BYTES = 256
"""How much of a key or a value is shown."""

_BYTES_IN_LINE = 16
_COLUMNS = (
    Column("age", right=True, widest=4),
    Column("id", widest=44),
    Column("bytes", right=True, widest=9, spare=1),
    Column("state", widest=8),
    Column("reason"),
)


def letter_lines(
    letters: Sequence[ListedDeadLetter], now: datetime, room: int | None
) -> list[Text]:
    """Return the table, its heading first; nothing is cut where `room` is None.

    An id is never cut, as it is what one copies: where the topic is long, the reason gives way.
    """
    rows = [_cells(letter, now) for letter in letters]
    widths = measure(_COLUMNS, rows, room)
    lines = [lay_out(_COLUMNS, row, widths, clipped=room is not None) for row in rows]
    return [heading(_COLUMNS, widths), *lines]


def letter_record(letter: ListedDeadLetter) -> dict[str, Any]:
    """Return a letter as JSON's types."""
    decided = bool(letter.state)
    return {
        "id": letter.id,
        "log_id": letter.source_log_id,
        "topic": letter.source_topic,
        "partition": letter.source_partition,
        "offset": letter.source_offset,
        "given_up_at": letter.ts.isoformat(),
        "readers": list(letter.readers),
        "reason": letter.reason,
        "size_bytes": letter.size_bytes,
        "state": letter.state or "open",
        "decided_at": letter.decided_at.isoformat() if decided else None,
        "decided_by": letter.actor if decided else None,
        "decided_why": letter.decided_why if decided else None,
        "sent_as": sent_as(letter),
    }


def letter_facts(letter: ListedDeadLetter) -> list[tuple[str, str]]:
    """Return what is known of a letter, as names and safe one-line texts."""
    facts = [
        ("id", letter.id),
        ("log", letter.source_log_id),
        ("given up", f"{letter.ts:%Y-%m-%d %H:%M:%S} UTC by {', '.join(letter.readers)}"),
        ("reason", letter.reason),
    ]
    if letter.state:
        by = f" by {letter.actor}" if letter.actor else ""
        facts.append(("state", f"{letter.state} {letter.decided_at:%Y-%m-%d %H:%M:%S} UTC{by}"))
        facts += [("why", letter.decided_why)] if letter.decided_why else []
        sent = sent_as(letter)
        facts += [("sent as", sent)] if sent else []
    else:
        facts.append(("state", "open"))
    return [(name, one_line(text)) for name, text in facts]


def sent_as(letter: ListedDeadLetter) -> str | None:
    """Return where the record that was sent again lies; None if none was."""
    if letter.state != "retried":
        return None
    return f"{letter.source_topic}:{letter.source_partition}:{letter.sent_offset}"


def byte_lines(data: bytes) -> list[str]:
    """Return the first bytes as a hex dump with text beside, 79 cells wide, safe to print."""
    lines: list[str] = []
    for at in range(0, min(len(data), PREVIEW_BYTES), _BYTES_IN_LINE):
        part = data[at : at + _BYTES_IN_LINE]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in part)  # noqa: PLR2004 - printable ASCII
        lines.append(f"  {at:06x}  {part.hex(' '):<47}  {printable(text)}")
    if len(data) > PREVIEW_BYTES:
        lines.append(f"  … {len(data) - PREVIEW_BYTES:,} bytes more: --raw FILE writes them all")
    return lines


def _cells(letter: ListedDeadLetter, now: datetime) -> list[Cell]:
    return [
        Cell(age((now - letter.ts).total_seconds()), "dim"),
        Cell(letter.id),
        Cell("" if letter.size_bytes is None else f"{letter.size_bytes:,}"),
        Cell(letter.state, "dim"),
        Cell(letter.reason, "red" if not letter.state else ""),
    ]
