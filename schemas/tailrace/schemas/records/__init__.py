"""Typed records of the log other than journal events, one record a file."""

from __future__ import annotations

from tailrace.schemas.records.base import Record, RecordError
from tailrace.schemas.records.body import Body
from tailrace.schemas.records.dead_letter import DeadLetter
from tailrace.schemas.records.dead_letter_decision import DeadLetterDecision
from tailrace.schemas.records.deployment_registered import DeploymentRegistered
from tailrace.schemas.records.forgotten import Forgotten
from tailrace.schemas.records.health import Health
from tailrace.schemas.records.heartbeat import Heartbeat
from tailrace.schemas.records.judgement import Judgement
from tailrace.schemas.records.log_moved import LogMoved
from tailrace.schemas.records.pointer_frozen import PointerFrozen
from tailrace.schemas.records.pointer_moved import PointerMoved
from tailrace.schemas.records.pointer_unfrozen import PointerUnfrozen
from tailrace.schemas.records.request import Request
from tailrace.schemas.records.retry import Retry
from tailrace.schemas.records.score import Score
from tailrace.schemas.records.snapshot_row import SnapshotRow
from tailrace.schemas.records.trace import Trace
from tailrace.schemas.records.verdict import Verdict
from tailrace.schemas.records.window import Window

RECORDS: tuple[type[Record], ...] = (
    Body,
    DeadLetter,
    DeadLetterDecision,
    DeploymentRegistered,
    Forgotten,
    Health,
    Heartbeat,
    Judgement,
    LogMoved,
    PointerFrozen,
    PointerMoved,
    PointerUnfrozen,
    Request,
    Retry,
    Score,
    SnapshotRow,
    Trace,
    Verdict,
    Window,
)
"""Every record's model, by the order of names."""

__all__ = [
    "RECORDS",
    "Body",
    "DeadLetter",
    "DeadLetterDecision",
    "DeploymentRegistered",
    "Forgotten",
    "Health",
    "Heartbeat",
    "Judgement",
    "LogMoved",
    "PointerFrozen",
    "PointerMoved",
    "PointerUnfrozen",
    "Record",
    "RecordError",
    "Request",
    "Retry",
    "Score",
    "SnapshotRow",
    "Trace",
    "Verdict",
    "Window",
]
