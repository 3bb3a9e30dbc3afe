"""Deployments for people: a table, one whole, and what tells two apart."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text

from tailrace.console.report.amounts import age
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.console.report.pointers import SHOWN_DIGITS, short
from tailrace.console.report.printable import one_line, printable
from tailrace.producers.deployments.differences import ABSENT
from tailrace.producers.deployments.manifest import NOTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tailrace.producers.deployments.differences import Difference
    from tailrace.producers.routing.pointers import Control

_COLUMNS = (
    Column("deployment", widest=12),
    Column("age", right=True, widest=4),
    Column("label", widest=20, spare=1),
    Column("components", widest=30),
    Column("by", widest=14, spare=2),
    Column("takes runs of"),
)

_DIGESTS = frozenset({"steps", "code_digest"})


def deployment_rows(control: Control) -> dict[str, dict[str, Any]]:
    """Return what is known of every deployment by its id, in the order of registration."""
    found: dict[str, dict[str, Any]] = {}
    for (_, deployment), record in control.deployments.items():
        found.setdefault(
            deployment,
            {
                "deployment": deployment,
                "label": record["label"],
                "components": list(record["components"]),
                "recorded_only": record["recorded_only"],
                "registered_at": record["registered_at"],
                "registered_by": record["actor"],
                "pointers": _named_by(control, deployment),
            },
        )
    return found


def _named_by(control: Control, deployment: str) -> dict[str, float]:
    return {
        f"{environment}:{component}": pointer.weights[deployment] / 10_000
        for (environment, component), pointer in sorted(control.pointers.items())
        if deployment in pointer.weights
    }


def deployment_lines(
    rows: Sequence[Mapping[str, Any]], now: datetime, room: int | None
) -> list[Text]:
    """Return the table of deployments, its heading first; nothing is cut where `room` is None."""
    cells = [
        [
            Cell(short(row["deployment"])),
            Cell(age((now - row["registered_at"]).total_seconds())),
            Cell(row["label"]),
            Cell(", ".join(row["components"])),
            Cell(row["registered_by"]),
            Cell(
                ", ".join(f"{name} {share * 100:g}%" for name, share in row["pointers"].items())
                or ("recorded only" if row["recorded_only"] else "")
            ),
        ]
        for row in rows
    ]
    widths = measure(_COLUMNS, cells, room)
    lines = [lay_out(_COLUMNS, row, widths, clipped=room is not None) for row in cells]
    return [heading(_COLUMNS, widths), *lines]


def deployment_text(row: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Text]:
    """Yield one deployment whole."""
    yield Text(f"deployment {row['deployment']}", style="bold")
    if row["label"]:
        yield _fact("label", row["label"])
    yield _fact("registered", f"{row['registered_at']:%Y-%m-%d %H:%M:%S} UTC")
    yield _fact("by", row["registered_by"] or "unknown")
    if commit := _commit(manifest):
        yield _fact("commit", commit)
    if text := _notes(manifest).get("text"):
        yield _fact("notes", str(text))
    for name, share in row["pointers"].items():
        yield _fact("takes", f"{share * 100:g}% of {name}")
    for name, part in manifest["components"].items():
        yield Text(f"\n{one_line(name)}", style="bold")
        for topic, value in part.items():
            yield from _value(topic, value)


def _fact(name: str, text: str) -> Text:
    return Text.assemble((f"  {name:<12}", "dim"), printable(text))


def _value(topic: str, value: Any) -> Iterator[Text]:
    if not isinstance(value, dict):
        yield _fact(topic.replace("_", " "), value if isinstance(value, str) else json.dumps(value))
        return
    table = cast("dict[str, Any]", value)
    if table:
        yield Text(f"  {topic}", style="dim")
    for name, each in table.items():
        shown = each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)
        first, *rest = printable(shown).splitlines() or [""]
        yield Text(f"    {printable(name)} = {first}")
        for line in rest:
            yield Text(f"      {line}")


def compared_lines(
    rows: Sequence[Mapping[str, Any]], manifests: Sequence[Mapping[str, Any]]
) -> Iterator[Text]:
    """Yield a line for each of the two deployments that are compared."""
    for sign, style, row, manifest in zip("-+", ("red", "green"), rows, manifests, strict=True):
        facts = [short(row["deployment"]), row["label"]]
        facts.append(
            f"{row['registered_at']:%Y-%m-%d %H:%M} UTC by {row['registered_by'] or 'unknown'}"
        )
        commit = _commit(manifest, SHOWN_DIGITS)
        facts.append(f"commit {commit}" if commit else "")
        yield Text(f"{sign} {one_line('  '.join(filter(None, facts)))}", style=style)
    yield Text()


def _notes(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    notes = manifest.get(NOTES)
    return cast("dict[str, Any]", notes) if isinstance(notes, dict) else {"text": notes}


def _commit(manifest: Mapping[str, Any], digits: int | None = None) -> str:
    """Return the commit that the code came from; empty where it is not known."""
    source = _notes(manifest).get("source")
    if not isinstance(source, dict):
        return ""
    told = cast("dict[str, Any]", source)
    return f"{told.get('commit', '')}"[:digits] + (", changed since" if told.get("dirty") else "")


def difference_lines(found: Sequence[Difference]) -> Iterator[Text]:
    """Yield what tells two deployments apart: texts of several lines as a unified diff."""
    at: tuple[str, str] | None = None
    for each in found:
        if at != (each.component, each.topic):
            at = (each.component, each.topic)
            topic = each.topic.replace("_", " ")
            yield Text(f"{printable(each.component or 'the manifest')}: {topic}", style="bold")
        name = one_line(each.path)
        before, after = (_shown(each.topic, value) for value in (each.before, each.after))
        if max(len(before), len(after)) <= 1:
            yield from _plain(name, before, after)
            continue
        yield Text(f"  {name}", style="dim")
        for line in difflib.unified_diff(before, after, lineterm="", n=2):
            if not line.startswith(("---", "+++")):
                yield Text(f"    {line}", style={"-": "red", "+": "green"}.get(line[:1], ""))


def difference_record(each: Difference) -> dict[str, Any]:
    """Return a difference as JSON's types; a side that has no value is left out."""
    sides = {"before": each.before, "after": each.after}
    return {
        "component": each.component,
        "topic": each.topic,
        "path": each.path,
        **{side: value for side, value in sides.items() if value is not ABSENT},
    }


def _plain(name: str, before: list[str], after: list[str]) -> Iterator[Text]:
    named = f"{name}: " if name else ""
    for sign, lines, style in (("-", before, "red"), ("+", after, "green")):
        for line in lines:
            yield Text(f"  {sign} {named}{line}", style=style)


def _shown(topic: str, value: Any) -> list[str]:
    if value is ABSENT:
        return []
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if topic in _DIGESTS:
        text = short(text)
    return printable(text).splitlines() or [""]
