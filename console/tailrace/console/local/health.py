"""How a stack is right now: its record, and what its servers answer when asked."""

from __future__ import annotations

import http.client
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tailrace.console.local.clickhouse import answers_ping
from tailrace.console.local.jars import pinned_jars
from tailrace.console.local.kafka_probe import ask_broker
from tailrace.console.local.ports import HOST
from tailrace.console.local.processes import identify
from tailrace.console.local.record import StackRecord, read_record

if TYPE_CHECKING:
    from tailrace.console.local.folder import DataFolder

_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class StackHealth:
    """A stack as it was when asked."""

    folder: DataFolder
    record: StackRecord | None
    """None if no supervisor runs on the folder."""
    serving: dict[str, bool]
    """Whether each server answers, by name."""
    versions: dict[str, str]
    uptime_s: float
    disk_bytes: int
    """What the data folder takes."""
    free_bytes: int
    """What is left on its disk."""
    was_killed: bool
    """Whether the last supervisor ended without cleaning up."""

    @property
    def is_well(self) -> bool:
        """Say whether it runs and every server of it answers."""
        running = self.record is not None and self.record.state == "running"
        return running and all(self.serving.values())

    def document(self) -> dict[str, Any]:
        """Return it as `tailrace status --json` prints it."""
        record = self.record
        return {
            "running": self.is_well,
            "state": record.state if record else "stopped",
            "data": str(self.folder.path),
            **(record.addresses if record else {}),
            "serving": self.serving,
            "given": list(record.given) if record else [],
            "pids": {name: one.pid for name, one in record.processes.items()} if record else {},
            "restarts": dict(record.restarts) if record else {},
            "logs": dict(record.logs) if record else {},
            "started_at": record.started_at if record else None,
            "uptime_s": round(self.uptime_s, 1),
            "disk_bytes": self.disk_bytes,
            "free_bytes": self.free_bytes,
            "versions": self.versions,
        }


def examine(folder: DataFolder) -> StackHealth:
    """Look at the stack of a folder and ask its servers; blocks for at most some seconds."""
    record = read_record(folder.record) if folder.is_running() else None
    ports = {name: _port(at) for name, at in record.addresses.items()} if record else {}
    serving: dict[str, bool] = {}
    versions = {"tailrace": record.tailrace} if record else {}
    if "kafka" in ports:
        serving["kafka"] = ask_broker(HOST, ports["kafka"], _TIMEOUT_S) is not None
        versions["kafka"] = kafka_version()
    if "clickhouse" in ports:
        serving["clickhouse"] = answers_ping(ports["clickhouse"])
        if serving["clickhouse"]:
            versions["clickhouse"] = _clickhouse_version(ports["clickhouse"])
    uptime_s = 0.0
    if record:
        for name in set(record.members) - set(record.addresses):
            process = record.processes[name]
            serving[name] = identify(process.pid) == process
        started = datetime.fromisoformat(record.started_at)
        uptime_s = (datetime.now(UTC) - started).total_seconds()
    exists = folder.path.is_dir()
    return StackHealth(
        folder=folder,
        record=record,
        serving=serving,
        versions=versions,
        uptime_s=uptime_s,
        disk_bytes=folder.size_bytes() if exists else 0,
        was_killed=record is None and folder.record.exists(),
        free_bytes=shutil.disk_usage(folder.path).free if exists else 0,
    )


def kafka_version() -> str:
    """Return the version of the pinned broker."""
    clients = next(jar for jar in pinned_jars() if ":kafka-clients:" in jar.coordinate)
    return clients.coordinate.rpartition(":")[2]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _clickhouse_version(port: int) -> str:
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/", body="SELECT version()")
        return connection.getresponse().read(100).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return "unknown"
    finally:
        connection.close()
