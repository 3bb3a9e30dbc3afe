"""The data folder: everything that one local stack keeps, and the lock that says it runs."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from tailrace.console.local.errors import StackError
from tailrace.console.local.locks import FolderLock, is_held
from tailrace.schemas.endpoints import DATA_FOLDER, STACK_FILE

LEAST_FREE_BYTES = 512 << 20
"""Below this a stack does not start: Kafka and ClickHouse end badly on a full disk."""


@dataclass(frozen=True)
class DataFolder:
    """The folder of one stack and what is where in it."""

    path: Path

    @property
    def kafka(self) -> Path:
        """The broker's settings and log segments."""
        return self.path / "kafka"

    @property
    def clickhouse(self) -> Path:
        """The engine's tables."""
        return self.path / "clickhouse"

    @property
    def streams(self) -> Path:
        """What the stream worker keeps beside its changelog."""
        return self.path / "streams"

    @property
    def instance(self) -> str:
        """A name of this folder's workers alone: stacks may share a Kafka that was given."""
        place = f"{platform.node()}:{self.path.absolute()}"
        return f"up-{hashlib.sha256(place.encode()).hexdigest()[:16]}"

    @property
    def logs(self) -> Path:
        """What the servers wrote to standard error."""
        return self.path / "logs"

    @property
    def record(self) -> Path:
        """Addresses and processes while the stack runs; `tailrace.schemas.endpoints` reads it."""
        return self.path / STACK_FILE

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.path / "lock"

    def lock(self) -> FolderLock:
        """Return the stack's lock, not yet taken."""
        return FolderLock(self.lock_file)

    def is_running(self) -> bool:
        """Say whether a supervisor lives on this folder."""
        return is_held(self.lock_file)

    def make(self) -> None:
        """Make the folder, and see that it can be written and has room.

        Raises:
            StackError: if not.
        """
        if "," in str(self.path):
            raise StackError(
                f"the data folder {self.path} has a comma in its path, which Kafka takes for the "
                "end of it: choose another with --data"
            )
        try:
            for folder in (self.path, self.kafka, self.clickhouse, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            # Nobody wants to commit a broker's segments by mistake.
            (self.path / ".gitignore").write_text("*\n", encoding="ascii")
        except OSError as error:
            raise StackError(
                f"the data folder {self.path} cannot be written ({error.strerror}): choose "
                "another with --data, or change its owner"
            ) from error
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < LEAST_FREE_BYTES:
            raise StackError(
                f"the disk of {self.path} is full ({free_bytes >> 20} MB are free, "
                f"{LEAST_FREE_BYTES >> 20} MB are needed): free some space, or choose another "
                "folder with --data"
            )

    def size_bytes(self) -> int:
        """Return the bytes that its files take on the disk, or nearly, if they change meanwhile."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118 - hot
                except OSError:
                    continue  # A segment or a part that was merged away since it was listed.
        return total


def find_folder(told: Path | None = None) -> DataFolder:
    """Return the folder to use: `told`, else `TAILRACE_DATA`, else the nearest `.tailrace`.

    The nearest is that of this folder or of a parent; where there is none, this folder's.
    """
    named = told or os.environ.get("TAILRACE_DATA")
    if named:
        return DataFolder(Path(named).expanduser().absolute())
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / DATA_FOLDER).is_dir():
            return DataFolder(folder / DATA_FOLDER)
    return DataFolder(here / DATA_FOLDER)
