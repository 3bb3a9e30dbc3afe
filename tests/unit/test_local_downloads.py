"""A download is resumed, checked, and put in place whole or not at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from support.web import Repository, serving
from tailrace.console.local import downloads
from tailrace.console.local.downloads import DownloadError, download
from tailrace.console.local.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def repository() -> Generator[Repository]:
    with serving({"/a.jar": CONTENT}) as it:
        yield it


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "FIRST_WAIT_S", 0.0)


class Gained:
    """Sums what a download reports."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, count: int) -> None:
        self.bytes += count


def test_a_part_of_an_earlier_try_is_continued_not_fetched_again(
    repository: Repository, tmp_path: Path
) -> None:
    target = tmp_path / "a.jar"
    (tmp_path / "a.jar.part").write_bytes(CONTENT[:100_000])
    gained = Gained()
    download(f"{repository.url}/a.jar", target, SHA256, gained)
    assert target.read_bytes() == CONTENT
    assert repository.ranges == ["bytes=100000-"]
    assert gained.bytes == len(CONTENT) - 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["a.jar"]


def test_a_connection_that_breaks_off_is_resumed_where_it_broke(
    repository: Repository, tmp_path: Path
) -> None:
    repository.cut_after = [200_000, 300_000]
    gained = Gained()
    download(f"{repository.url}/a.jar", tmp_path / "a.jar", SHA256, gained)
    assert (tmp_path / "a.jar").read_bytes() == CONTENT
    assert len(repository.ranges) == 3
    assert repository.ranges[0] is None
    assert all(asked and asked != "bytes=0-" for asked in repository.ranges[1:])
    assert gained.bytes == len(CONTENT)


def test_a_damaged_part_is_dropped_and_fetched_from_its_start(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "a.jar.part").write_bytes(b"x" * 1000)
    gained = Gained()
    download(f"{repository.url}/a.jar", tmp_path / "a.jar", SHA256, gained)
    assert (tmp_path / "a.jar").read_bytes() == CONTENT
    assert repository.ranges == ["bytes=1000-", None]
    assert gained.bytes == len(CONTENT) - 1000


def test_a_part_that_is_whole_already_needs_no_content(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "a.jar.part").write_bytes(CONTENT)
    download(f"{repository.url}/a.jar", tmp_path / "a.jar", SHA256, Gained())
    assert (tmp_path / "a.jar").read_bytes() == CONTENT


def test_a_server_without_ranges_is_read_from_the_start(
    repository: Repository, tmp_path: Path
) -> None:
    repository.knows_ranges = False
    (tmp_path / "a.jar.part").write_bytes(CONTENT[:5000])
    download(f"{repository.url}/a.jar", tmp_path / "a.jar", SHA256, Gained())
    assert (tmp_path / "a.jar").read_bytes() == CONTENT


def test_a_server_that_fails_for_a_moment_is_asked_again(
    repository: Repository, tmp_path: Path
) -> None:
    repository.fail_with = [503, 500]
    download(f"{repository.url}/a.jar", tmp_path / "a.jar", SHA256, Gained())
    assert (tmp_path / "a.jar").read_bytes() == CONTENT


def test_other_content_than_the_pinned_is_never_put_in_place(
    repository: Repository, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="SHA-256 is not the pinned one"):
        download(f"{repository.url}/a.jar", tmp_path / "a.jar", "0" * 64, Gained())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_refused_at_once(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="the repository answered 404"):
        download(f"{repository.url}/b.jar", tmp_path / "b.jar", SHA256, Gained())
    assert len(repository.ranges) == 1


def test_without_a_network_the_error_says_so_and_keeps_the_part(tmp_path: Path) -> None:
    (tmp_path / "a.jar.part").write_bytes(CONTENT[:500])
    (port,) = free_ports(1)
    with pytest.raises(DownloadError, match="the repository cannot be reached"):
        download(f"http://127.0.0.1:{port}/a.jar", tmp_path / "a.jar", SHA256, Gained())
    assert (tmp_path / "a.jar.part").read_bytes() == CONTENT[:500]
