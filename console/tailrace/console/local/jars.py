"""The jars that Kafka runs on: pinned by coordinate and SHA-256, fetched once a machine.

The list is ours (`kafka_jars.txt`), the repository's address is jgo's. Jars that the local Maven
repository already holds are copied from there if their SHA-256 matches.
"""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from tailrace.console.local.cache import cache_folder
from tailrace.console.local.downloads import DownloadError, download, sha256_of
from tailrace.console.local.locks import FolderLock

_PARALLEL = 6
_LOCK_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Jar:
    """One pinned jar."""

    coordinate: str
    """`group:artifact:version`."""
    size_bytes: int
    sha256: str

    @property
    def path(self) -> str:
        """Its path in any Maven repository."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]


class Progress(Protocol):
    """Is told how far a download is: bytes present of bytes in all; called from several threads."""

    def __call__(self, done_bytes: int, total_bytes: int, /) -> None:
        """Take note; must not block."""
        ...


def pinned_jars() -> tuple[Jar, ...]:
    """Return the jars of the broker in class-path order."""
    text = files("tailrace.console.local").joinpath("kafka_jars.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows)


def provide_jars(
    progress: Progress | None = None,
    *,
    jars: tuple[Jar, ...] | None = None,
    repository: str | None = None,
) -> list[Path]:
    """Return the broker's class path; every jar's SHA-256 has just been checked.

    What is missing or damaged in the shared cache is copied from the local Maven repository, else
    downloaded from `repository` (an address; None means jgo's). Blocks while another process
    downloads into the same cache. `progress` is called only if something is missing.

    Raises:
        DownloadError: if jars are missing and cannot be fetched.
    """
    wanted = pinned_jars() if jars is None else jars
    folder = cache_folder("jars")
    if _unfit(folder, wanted):
        with FolderLock(folder / "lock") as lock:
            lock.acquire(_LOCK_TIMEOUT_S)
            _fill(folder, wanted, repository, progress)
    return [folder / jar.name for jar in wanted]


def _unfit(folder: Path, jars: tuple[Jar, ...]) -> list[Jar]:
    def fits_here(jar: Jar) -> bool:
        return _fits(folder / jar.name, jar)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        fits = pool.map(fits_here, jars)
        return [jar for jar, fit in zip(jars, fits, strict=True) if not fit]


def _fits(path: Path, jar: Jar) -> bool:
    try:
        return path.stat().st_size == jar.size_bytes and sha256_of(path) == jar.sha256
    except FileNotFoundError:
        return False


def _fill(
    folder: Path, jars: tuple[Jar, ...], repository: str | None, progress: Progress | None
) -> None:
    missing = [jar for jar in _unfit(folder, jars) if not _copied(folder, jar)]
    if not missing:
        return
    meter = _Meter(sum(jar.size_bytes for jar in missing), progress)
    for jar in missing:
        part = folder / f"{jar.name}.part"
        meter.add(part.stat().st_size if part.exists() else 0)
    base = repository or _central()

    given_up = threading.Event()

    def fetch(jar: Jar) -> DownloadError | None:
        if given_up.is_set():
            return None  # What ended one ends the others: nobody waits for each to find out.
        try:
            download(f"{base}/{jar.path}", folder / jar.name, jar.sha256, meter.add)
        except DownloadError as error:
            given_up.set()
            return error
        except OSError as error:
            given_up.set()
            return DownloadError(f"{folder / jar.name} cannot be written ({error.strerror})")
        return None

    with ThreadPoolExecutor(_PARALLEL) as pool:
        failures = [failure for failure in pool.map(fetch, missing) if failure]
    if failures:
        count = sum(not (folder / jar.name).exists() for jar in missing)
        raise DownloadError(
            f"{count} of Kafka's {len(jars)} jars are missing: {failures[0]}; check the "
            "network and run this again, it continues where it stopped"
        )


def _copied(folder: Path, jar: Jar) -> bool:
    source = _maven_repository() / jar.path
    if not _fits(source, jar):
        return False
    staged = folder / f"{jar.name}.copy"
    shutil.copyfile(source, staged)
    staged.replace(folder / jar.name)
    return True


def _maven_repository() -> Path:
    told = os.environ.get("M2_REPO")
    return Path(told) if told else Path.home() / ".m2" / "repository"


def _central() -> str:
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - 0.2 s, only to download

    return MAVEN_CENTRAL_URL


class _Meter:
    def __init__(self, total_bytes: int, progress: Progress | None) -> None:
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, gained_bytes: int) -> None:
        with self._lock:
            self._done_bytes += gained_bytes
            if self._progress:
                self._progress(self._done_bytes, self._total_bytes)
