"""When a recorded run happened: by the line if it says so, else by the file; never made up.

Times must be the same in every import, so the clock is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.importing.trajectory import Trajectory

TIME_FIELDS = ("created_at", "created", "timestamp", "recorded_at", "time")
"""Where recordings say when a conversation was held; the first one that holds a time counts."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S, _LAST_S = 946_684_800, 4_102_444_800  # the years 2000 to 2100
_MILLIS = 1000


@dataclass(frozen=True)
class RecordedTime:
    """A moment, and where it is from."""

    at: datetime
    """The time that the run's events carry, UTC; one microsecond later with each event."""

    known_from: str
    """What stands in the attribute `times`."""


def file_time(path: Path) -> RecordedTime:
    """Return the file's modification time, to the second."""
    at = _EPOCH + timedelta(seconds=int(path.stat().st_mtime))
    return RecordedTime(at, "not recorded; the file's modification time stands in")


def told_time(at: datetime) -> RecordedTime:
    """Return the time that the person who imports gave; without an offset it is UTC."""
    return RecordedTime(_utc(at), "not recorded; given at the import")


def line_time(trajectory: Trajectory, otherwise: RecordedTime) -> RecordedTime:
    """Return the time that the line says, else the other one."""
    for name in TIME_FIELDS:
        at = _moment(trajectory.fields.get(name))
        if at is not None:
            return RecordedTime(at, f"recorded for the whole run, in {name!r}")
    return otherwise


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            return _utc(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / _MILLIS if value > _LAST_S else value
    if not _FIRST_S <= seconds < _LAST_S:
        return None
    return _EPOCH + timedelta(seconds=seconds)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
