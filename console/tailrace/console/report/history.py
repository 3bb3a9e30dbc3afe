"""What happened to pointers, for people and for programs: from what to what, by whom, when, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from tailrace.console.report.folding import clip, fold
from tailrace.console.report.pointers import fractions, share_text
from tailrace.console.report.printable import one_line
from tailrace.producers.routing.pointers import AUTOMATON, NEVER, Ruling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tailrace.producers.routing.control import Applied

_VERBS = {"pointer_frozen": "freeze", "pointer_unfrozen": "unfreeze"}
_VERB = len("unfreeze")
_SIGNS = len("123456  ")
"""Cells before what is said of an entry."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A move, a freeze or an unfreezing, and what stood before it."""

    applied: Applied
    revision: int
    """The pointer's, before."""

    before: Mapping[str, int]
    """Weight of each deployment before."""

    @property
    def verb(self) -> str:
        """What somebody did, or tried."""
        intent = self.applied.record.get("intent")
        return _VERBS.get(self.applied.name) or one_line(str(intent or "move"))

    @property
    def ignored(self) -> str:
        """Why it does not count; empty if it does."""
        record = self.applied.record
        match self.applied.ruling:
            case Ruling.STALE:
                decided_on = record["decided_on"]
                return f"decided on revision {decided_on}, and {self.revision} stood"
            case Ruling.FROZEN:
                return "the pointer was frozen"
            case Ruling.REPEATED:
                return "it is a repetition"
            case Ruling.ROLLED_BACK:
                return "only a person may bring back what was rolled back"
            case Ruling.MALFORMED:
                return "its weights are not 100% together"
            case _:
                return ""


class History:
    """Takes what happened on the control topic, in its order, and knows what stood before each."""

    def __init__(self) -> None:
        self.entries: list[Happened] = []
        self._standing: dict[tuple[str, str], tuple[int, Mapping[str, int]]] = {}

    def take(self, applied: Applied) -> None:
        """Take the next record; others than of pointers are left out."""
        if applied.name != "pointer_moved" and applied.name not in _VERBS:
            return
        key = (applied.record["environment"], applied.record["component"])
        self.entries.append(Happened(applied, *self._standing.get(key, (NEVER, {}))))
        if applied.ruling is Ruling.ACCEPTED:
            self._standing[key] = applied.offset, applied.record["weights"]


def history_lines(happened: Sequence[Happened], room: int | None) -> Iterator[Text]:
    """Yield a few lines for each entry, the newest first; nothing is cut where `room` is None."""
    for each in reversed(happened):
        record = each.applied.record
        style = "dim" if each.ignored else ""
        pointer = one_line(f"{record['environment']}:{record['component']}")
        by = one_line(record["actor"]) + (" (automaton)" if _automatic(record) else "")
        head = f"{pointer}  {record['ts']:%Y-%m-%d %H:%M:%S} UTC  by {by}"
        start = f"{each.applied.offset:>6}  {clip(each.verb, _VERB):<{_VERB}}  "
        cut = head if room is None else clip(head, max(room - len(start), 1))
        yield Text.assemble((start, style or "bold"), (cut, style))
        for line in _told(each):
            for part in fold(line, (room or 10_000) - _SIGNS, None).lines:
                yield Text(" " * _SIGNS + part, style=style)


def _told(each: Happened) -> Iterator[str]:
    record = each.applied.record
    if each.ignored:
        yield f"does not count: {each.ignored}"
        yield f"asked for {share_text(record['weights'])}"
    elif each.applied.ruling is not None:
        before = share_text(each.before) if each.before else "nothing"
        yield f"{before} -> {share_text(record['weights'])}"
    if record["reason"]:
        yield one_line(record["reason"])
    if record.get("verdict"):
        yield f"verdict {one_line(record['verdict'])}"


def _automatic(record: Mapping[str, Any]) -> bool:
    return record["actor_kind"] == AUTOMATON


def history_record(each: Happened) -> dict[str, Any]:
    """Return what happened to a pointer as JSON's types."""
    record, ruling = each.applied.record, each.applied.ruling
    return {
        "offset": each.applied.offset,
        "at": record["ts"].isoformat(),
        "environment": record["environment"],
        "component": record["component"],
        "what": each.verb,
        "ruling": None if ruling is None else ruling.value,
        "revision_before": each.revision,
        "before": fractions(each.before),
        "weights": fractions(record.get("weights", {})),
        "decided_on": record.get("decided_on"),
        "rolled_back": list(record.get("rolled_back", ())),
        "actor": record["actor"],
        "actor_kind": record["actor_kind"],
        "reason": record["reason"],
        "verdict": record.get("verdict", ""),
    }
