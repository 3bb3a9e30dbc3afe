"""Why a broker did not start, read from its own log, as a sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN = (
    (
        "Address already in use",
        "its port is taken: end what listens there, or choose another with --kafka-port",
    ),
    ("No space left on device", "the disk is full: free some space, or choose another --data"),
    ("AccessDeniedException", "its folder cannot be written: check who owns it, or use --data"),
    ("Read-only file system", "its folder is on a read-only disk: choose another with --data"),
    (
        "Could not reserve enough space",
        "there is not enough memory for its heap of 512 MB: end other programs",
    ),
    (
        "insufficient memory for the Java Runtime",
        "there is not enough memory: end other programs",
    ),
    (
        "Invalid cluster.id",
        "its folder holds the data of another cluster: choose another with --data",
    ),
)


def port_was_taken(output: str) -> bool:
    """Say whether the output names a port in use as the cause."""
    return "Address already in use" in output


def failure_sentence(output: str, log: Path) -> str:
    """Return why it ended, with what to do where that is known, and where the log is."""
    for mark, sentence in _KNOWN:
        if mark in output:
            return f"Kafka did not start: {sentence} (log: {log})"
    last = "\n".join(output.splitlines()[-5:])
    shown = f"; its last words:\n{last}" if last else ""
    return f"Kafka did not start, see {log}{shown}"
