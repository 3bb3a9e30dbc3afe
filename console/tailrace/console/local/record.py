"""`stack.json`: what a running stack says of itself to other processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from tailrace.console.local.processes import ProcessId
from tailrace.console.local.whole_file import put_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION = 1


@dataclass(frozen=True)
class StackRecord:
    """One state of a stack. An address is there only once its server serves."""

    state: str
    """`starting`, `running` or `stopping`."""
    started_at: str
    """When the supervisor started, ISO 8601, UTC."""
    tailrace: str
    """The version that started it."""
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where each server is, by name: `kafka` (host:port) and `clickhouse` (URL) are standard."""
    processes: Mapping[str, ProcessId] = field(default_factory=dict[str, ProcessId])
    """Ours alone, `supervisor` among them; a server that was given by address has none."""
    logs: Mapping[str, str] = field(default_factory=dict[str, str])
    given: tuple[str, ...] = ()
    """Servers that the environment named: not ours, and their addresses may hold a password."""
    restarts: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each member was started again since the stack started."""

    @property
    def members(self) -> tuple[str, ...]:
        """Every server and worker of the stack, the servers first."""
        workers = [name for name in self.processes if name != "supervisor"]
        return tuple(dict.fromkeys([*self.addresses, *workers]))

    def write(self, path: Path) -> None:
        """Replace the file in one step: a reader sees the old state or this one."""
        document: dict[str, Any] = {
            "version": VERSION,
            "state": self.state,
            "started_at": self.started_at,
            "tailrace": self.tailrace,
            **self.addresses,
            "pids": {name: process.pid for name, process in self.processes.items()},
            "processes": {name: asdict(process) for name, process in self.processes.items()},
            "logs": dict(self.logs),
            "given": list(self.given),
            "restarts": dict(self.restarts),
        }
        put_whole(path, (json.dumps(document, indent=2) + "\n").encode())


_OWN = {
    "version",
    "state",
    "started_at",
    "tailrace",
    "pids",
    "processes",
    "logs",
    "given",
    "restarts",
}


def read_record(path: Path) -> StackRecord | None:
    """Return the record at `path`; None if there is none, or none that this version reads."""
    try:
        document = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        if document["version"] != VERSION:
            return None
        return StackRecord(
            state=str(document["state"]),
            started_at=str(document["started_at"]),
            tailrace=str(document["tailrace"]),
            addresses={key: str(value) for key, value in document.items() if key not in _OWN},
            processes={
                name: ProcessId(int(process["pid"]), str(process["started"]))
                for name, process in document["processes"].items()
            },
            logs=document["logs"],
            given=tuple(document["given"]),
            restarts=document["restarts"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
