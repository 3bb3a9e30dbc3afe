"""Writes a stopped stack's data folder to one file, in one pass."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tailrace.console.local.backup_file import (
    MANIFEST,
    PARTS,
    BackupError,
    FileFacts,
    Manifest,
    check_link,
    compressing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.console.local.folder import DataFolder
    from tailrace.console.local.jars import Progress


def write_backup(
    folder: DataFolder, target: Path, *, replace: bool = False, progress: Progress | None = None
) -> Manifest:
    """Write the data of a stopped stack to `target` (`.tar.zst`, `.tar.gz`); return what it holds.

    Holds the stack's lock, so none starts meanwhile. The file appears under its name only once it
    is whole and on the disk.

    Raises:
        BackupError: if the stack runs, there is no data, or `target` exists or cannot be written.
    """
    if not any((folder.path / part).is_dir() for part in PARTS):
        raise BackupError(f"there is no data in {folder.path}: name the folder with --data")
    if target.exists() and not replace:
        raise BackupError(f"{target} exists: choose another name, or add --force to replace it")
    with folder.lock() as lock:
        if not lock.try_acquire():
            raise BackupError(
                f"the stack on {folder.path} runs: stop it with `tailrace down`, then back it up"
            )
        staged = target.with_name(target.name + ".part")
        try:
            manifest = _write(folder.path, staged, target.name, progress)
            _sync(staged)
            staged.replace(target)
        except OSError as error:
            raise BackupError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            staged.unlink(missing_ok=True)
    return manifest


def _write(root: Path, staged: Path, name: str, progress: Progress | None) -> Manifest:
    manifest = Manifest(datetime.now(UTC).isoformat(timespec="seconds"), version("tailrace"))
    paths = list(_paths(root))
    total_bytes = sum(path.lstat().st_size for path in paths)
    done_bytes = 0
    with (
        compressing(staged, name) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in paths:
            _add(archive, root, path, manifest)
            done_bytes += path.lstat().st_size
            if progress:
                progress(done_bytes, total_bytes)
        content = manifest.encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return manifest


def _paths(root: Path) -> Iterator[Path]:
    for part in PARTS:
        for folder, folders, files in os.walk(root / part):
            folders.sort()
            yield Path(folder)
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in sorted(files + links):
                yield Path(folder) / name


def _add(archive: tarfile.TarFile, root: Path, path: Path, manifest: Manifest) -> None:
    name = path.relative_to(root).as_posix()
    entry = archive.gettarinfo(path, arcname=name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    if entry.issym():
        check_link(name, entry.linkname)
        manifest.links[name] = entry.linkname
        archive.addfile(entry)
    elif entry.isdir():
        archive.addfile(entry)
    else:
        # Hard links, which ClickHouse makes of parts, become files of their own.
        entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
        with path.open("rb") as file:
            reader = _HashingReader(file)
            archive.addfile(entry, reader)
        manifest.files[name] = FileFacts(entry.size, reader.digest.hexdigest())


class _HashingReader(io.RawIOBase):
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
