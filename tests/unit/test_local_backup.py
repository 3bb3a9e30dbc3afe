"""A backup gives back exactly what was there, or nothing."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from tailrace.console.local.backup import write_backup
from tailrace.console.local.backup_file import BackupError, Manifest, compressing
from tailrace.console.local.folder import DataFolder
from tailrace.console.local.restore import restore_backup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder with every kind of entry that the two servers make."""
    folder = DataFolder(tmp_path / "data")
    folder.make()
    (folder.kafka / "data" / "runs-0").mkdir(parents=True)
    (folder.kafka / "data" / "runs-0" / "0.log").write_bytes(os.urandom(300_000))
    store = folder.clickhouse / "store"
    (store / "store" / "abc" / "detached").mkdir(parents=True)
    (store / "store" / "abc" / "data.bin").write_bytes(b"rows" * 10_000)
    os.link(store / "store" / "abc" / "data.bin", store / "store" / "abc" / "same.bin")
    (store / "data" / "db").mkdir(parents=True)
    (store / "data" / "db" / "events").symlink_to("../../store/abc")
    (folder.logs / "kafka.log").write_text("not kept", encoding="utf-8")
    folder.record.write_text("{}", encoding="utf-8")
    return folder


def content(root: Path) -> dict[str, object]:
    """Everything below a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def kept(folder: DataFolder) -> dict[str, object]:
    parts = ("kafka", "clickhouse")
    return {name: value for name, value in content(folder.path).items() if name.startswith(parts)}


@pytest.mark.parametrize("ending", [".tar.zst", ".tar.gz"])
def test_a_restored_folder_holds_what_was_backed_up(
    folder: DataFolder, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"b{ending}"
    seen: list[tuple[int, int]] = []
    written = write_backup(folder, file, progress=lambda done, total: seen.append((done, total)))
    other = DataFolder(tmp_path / "elsewhere" / "data")
    read = restore_backup(file, other)
    assert content(other.path) == kept(folder)
    assert read == written
    assert seen[-1][0] == seen[-1][1]
    assert not (tmp_path / f"b{ending}.part").exists()


def test_a_running_stack_is_neither_backed_up_nor_restored_over(
    folder: DataFolder, tmp_path: Path
) -> None:
    file = tmp_path / "b.tar.gz"
    write_backup(folder, file)
    with folder.lock() as lock:
        assert lock.try_acquire()
        with pytest.raises(BackupError, match="stop it with `tailrace down`"):
            write_backup(folder, tmp_path / "c.tar.gz")
        with pytest.raises(BackupError, match="stop it with `tailrace down`"):
            restore_backup(file, folder, replace=True)


def test_nothing_is_replaced_unless_told(folder: DataFolder, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.zst"
    before = kept(folder)
    write_backup(folder, file)
    with pytest.raises(BackupError, match="add --force to replace it"):
        write_backup(folder, file)
    write_backup(folder, file, replace=True)
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(file, folder)
    (folder.kafka / "later").write_text("x", encoding="utf-8")
    restore_backup(file, folder, replace=True)
    assert content(folder.path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.zst", "data"]


@pytest.mark.parametrize("name", ["b.zip", "b", "b.tar"])
def test_another_ending_is_refused(folder: DataFolder, tmp_path: Path, name: str) -> None:
    with pytest.raises(BackupError, match=r"end it in \.tar\.zst or \.tar\.gz"):
        write_backup(folder, tmp_path / name)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there is no data"):
        write_backup(DataFolder(tmp_path / "data"), tmp_path / "b.tar.gz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".tar.zst", ".tar.gz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_file_that_was_cut_off_changes_nothing(
    folder: DataFolder, tmp_path: Path, ending: str, share: float
) -> None:
    file = tmp_path / f"b{ending}"
    write_backup(folder, file)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    before = content(folder.path)
    with pytest.raises(BackupError, match="was not restored"):
        restore_backup(file, folder, replace=True)
    assert content(folder.path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, "data"]


def hostile(tmp_path: Path, fill: Callable[[tarfile.TarFile], None]) -> Path:
    file = tmp_path / "hostile.tar.gz"
    with compressing(file, file.name) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        fill(archive)
        manifest = Manifest("2026-01-01T00:00:00+00:00", "0.1.0").encode()
        entry = tarfile.TarInfo("MANIFEST.json")
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
    return file


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize(
    "evil",
    [
        entry("/etc/cron.d/x"),
        entry("../x"),
        entry("kafka/../../x"),
        entry("lock"),
        entry("kafka/x", tarfile.SYMTYPE, "/etc"),
        entry("kafka/x", tarfile.SYMTYPE, "../../.."),
        entry("kafka/x", tarfile.LNKTYPE, "/etc/passwd"),
        entry("kafka/x", tarfile.CHRTYPE),
        entry("kafka/not in the manifest"),
    ],
    ids=lambda made: f"{made.name} {made.linkname}",
)
def test_a_path_a_link_or_a_file_that_does_not_belong_is_refused(
    tmp_path: Path, evil: tarfile.TarInfo
) -> None:
    file = hostile(tmp_path, lambda archive: archive.addfile(evil))
    with pytest.raises(BackupError, match="was not restored"):
        restore_backup(file, DataFolder(tmp_path / "data"))
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.tar.gz"]


def test_something_else_than_a_backup_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    file.write_bytes(b"not compressed at all")
    with pytest.raises(BackupError, match=r"neither a \.tar\.zst nor a \.tar\.gz"):
        restore_backup(file, DataFolder(tmp_path / "data"))
    with pytest.raises(BackupError, match="there is no file"):
        restore_backup(tmp_path / "none", DataFolder(tmp_path / "data"))
