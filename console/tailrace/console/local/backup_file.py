"""The form of a backup: a compressed tar of the data folder's parts, a manifest as its last member.

The manifest lists every file with its size and SHA-256. Being last, it can be made while the files
stream through, and a file that was cut off has none. Paths are relative to the data folder.
"""

from __future__ import annotations

import gzip
import json
import posixpath
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from tailrace.console.local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

VERSION = 1
MANIFEST = "MANIFEST.json"
MANIFEST_LIMIT_BYTES = 256 << 20
PARTS = ("kafka", "clickhouse")
"""The folders of a stack that are kept; its logs and its record are not."""


class BackupError(StackError):
    """A backup cannot be written, read, or trusted."""


@dataclass(frozen=True)
class FileFacts:
    """What the manifest says of one file."""

    size_bytes: int
    sha256: str


@dataclass
class Manifest:
    """What a backup holds."""

    made_at: str
    """ISO 8601, UTC."""
    tailrace: str
    """The version that made it."""
    files: dict[str, FileFacts] = field(default_factory=dict[str, FileFacts])
    links: dict[str, str] = field(default_factory=dict[str, str])
    """ClickHouse names a table's folder by a relative link: path to target."""

    @property
    def size_bytes(self) -> int:
        """The bytes of all files together."""
        return sum(facts.size_bytes for facts in self.files.values())

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1).encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read what `encode` wrote.

        Raises:
            BackupError: if it is another version's, or no manifest.
        """
        try:
            document = cast("dict[str, Any]", json.loads(data))
            if document["version"] != VERSION:
                raise BackupError(
                    f"its manifest is of version {document['version']}, this Tailrace reads "
                    f"version {VERSION}: use the Tailrace that made it"
                )
            files = {path: FileFacts(**facts) for path, facts in document["files"].items()}
            return cls(document["made_at"], document["tailrace"], files, document["links"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupError("its manifest cannot be read: use another backup") from error


def check_path(path: str) -> None:
    """Refuse a path that is not within one of the parts.

    Raises:
        BackupError: if so.
    """
    pieces = path.split("/")
    if path.startswith("/") or ".." in pieces or "" in pieces or pieces[0] not in PARTS:
        raise BackupError(f"it holds {path!r}, which is no path of a data folder: do not trust it")


def check_link(path: str, target: str) -> None:
    """Refuse a link that leads out of the data folder's parts.

    Raises:
        BackupError: if so.
    """
    check_path(path)
    if target.startswith("/"):
        raise BackupError(f"its link {path!r} leads to {target!r}: do not trust it")
    check_path(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))


@contextmanager
def compressing(path: Path, name: str) -> Generator[IO[bytes]]:
    """Open a new file whose content is compressed as the ending of `name` says.

    Raises:
        BackupError: if the ending is neither `.tar.zst` nor `.tar.gz`.
    """
    if name.endswith(".tar.gz"):
        with gzip.open(path, "wb", compresslevel=6) as file:
            yield cast("IO[bytes]", file)
    elif name.endswith(".tar.zst"):
        with _zstd().open(path, "wb") as file:
            yield file
    else:
        raise BackupError(f"{name} is not a name for a backup: end it in .tar.zst or .tar.gz")


@contextmanager
def decompressing(raw: IO[bytes]) -> Generator[IO[bytes]]:
    """Read an open backup's content; its first bytes say how it is compressed, not its name.

    Raises:
        BackupError: if it is neither gzip nor zstd.
    """
    mark = raw.read(4)
    raw.seek(0)
    if mark[:2] == b"\x1f\x8b":
        with gzip.open(raw, "rb") as file:
            yield cast("IO[bytes]", file)
    elif mark == b"\x28\xb5\x2f\xfd":
        with _zstd().open(raw, "rb") as file:
            yield file
    else:
        raise BackupError("it is neither a .tar.zst nor a .tar.gz file")


def damage_errors() -> tuple[type[Exception], ...]:
    """Return what the two formats raise on damaged content."""
    return (EOFError, gzip.BadGzipFile, _zstd().ZstdError)


def _zstd() -> Any:
    """Return the zstd module: Python's own since 3.14, before that its backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - by version
    else:
        from backports import zstd  # noqa: PLC0415 - by version
    return zstd
