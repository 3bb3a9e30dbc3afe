"""Makes a data folder from a backup: all of it, verified, or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from tailrace.console.local.backup_file import (
    MANIFEST,
    MANIFEST_LIMIT_BYTES,
    BackupError,
    FileFacts,
    Manifest,
    check_link,
    check_path,
    damage_errors,
    decompressing,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.folder import DataFolder
    from tailrace.console.local.jars import Progress

_CHUNK_BYTES = 1 << 20


def restore_backup(
    source: Path, folder: DataFolder, *, replace: bool = False, progress: Progress | None = None
) -> Manifest:
    """Make `folder` hold exactly what the backup holds; return its manifest.

    Everything is unpacked beside the folder and compared with the manifest first, so a damaged or
    hostile file changes nothing. `progress` counts bytes of the compressed file.

    Raises:
        BackupError: if the file cannot be trusted, the folder is not empty (and not to be
            replaced), or a stack runs on it.
    """
    if not source.is_file():
        raise BackupError(f"there is no file {source}")
    if folder.is_running():
        raise BackupError(f"a stack runs on {folder.path}: stop it with `tailrace down` first")
    if folder.path.exists() and any(folder.path.iterdir()) and not replace:
        raise BackupError(
            f"{folder.path} is not empty: choose another folder with --data, or add --force to "
            "replace what is in it"
        )
    staged = folder.path.with_name(f"{folder.path.name}.restoring-{os.getpid()}")
    try:
        staged.mkdir(parents=True)
        manifest = _unpack(source, staged, progress)
        _put_in_place(staged, folder.path)
    except BackupError as error:
        raise BackupError(f"{source} was not restored: {error}") from error
    except (tarfile.TarError, *damage_errors()) as error:
        raise BackupError(f"{source} was not restored: it is damaged ({error})") from error
    except OSError as error:
        raise BackupError(f"{source} was not restored: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


def _unpack(source: Path, root: Path, progress: Progress | None) -> Manifest:
    seen = Manifest("", "")
    manifest: Manifest | None = None
    total_bytes = source.stat().st_size
    with (
        source.open("rb") as raw,
        decompressing(raw) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for entry in archive:
            if entry.name == MANIFEST:
                manifest = _manifest_in(archive, entry)
            else:
                _take(archive, entry, root, seen)
            if progress:
                progress(raw.tell(), total_bytes)
    _compare(seen, manifest)
    # Links come last, so that no file is ever written through one.
    for path, target in seen.links.items():
        (root / path).symlink_to(target)
    assert manifest is not None
    return manifest


def _manifest_in(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Manifest:
    file = archive.extractfile(entry)
    if file is None or entry.size > MANIFEST_LIMIT_BYTES:
        raise BackupError("its manifest cannot be read: use another backup")
    return Manifest.decode(file.read())


def _take(archive: tarfile.TarFile, entry: tarfile.TarInfo, root: Path, seen: Manifest) -> None:
    check_path(entry.name)
    target = root / entry.name
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif entry.issym():
        check_link(entry.name, entry.linkname)
        seen.links[entry.name] = entry.linkname
    elif entry.isreg():
        target.parent.mkdir(parents=True, exist_ok=True)
        seen.files[entry.name] = _write(archive, entry, target)
    else:
        raise BackupError(f"it holds {entry.name!r}, which is no file, folder or link")


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> FileFacts:
    content = archive.extractfile(entry)
    assert content is not None
    digest = hashlib.sha256()
    size_bytes = 0
    with target.open("xb") as file:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
            file.write(chunk)
    os.utime(target, (entry.mtime, entry.mtime))
    return FileFacts(size_bytes, digest.hexdigest())


def _compare(seen: Manifest, manifest: Manifest | None) -> None:
    if manifest is None:
        raise BackupError("it has no manifest, so it was cut off: use another backup")
    if seen.files == manifest.files and seen.links == manifest.links:
        return
    differing = sorted(
        path
        for path in seen.files.keys() | manifest.files.keys()
        if seen.files.get(path) != manifest.files.get(path)
    )
    first = f", first of all {differing[0]}" if differing else ""
    raise BackupError(f"{len(differing)} files are not what its manifest says{first}")


def _put_in_place(staged: Path, target: Path) -> None:
    former = target.with_name(f"{target.name}.replaced-{os.getpid()}")
    if target.exists():
        target.rename(former)
    try:
        staged.rename(target)
    except OSError:
        if former.exists():
            former.rename(target)
        raise
    shutil.rmtree(former, ignore_errors=True)
