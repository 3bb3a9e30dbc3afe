"""The pinned jars: what the list holds, and how the shared cache is filled and healed."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING

import pytest

from support.web import Repository, serving
from tailrace.console.local import downloads
from tailrace.console.local.downloads import DownloadError
from tailrace.console.local.jars import Jar, pinned_jars, provide_jars
from tailrace.console.local.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

ONE, TWO = b"one" * 50_000, b"two" * 70_000


def jar(name: str, content: bytes) -> Jar:
    return Jar(f"org.example:{name}:1.0", len(content), hashlib.sha256(content).hexdigest())


JARS = (jar("one", ONE), jar("two", TWO))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(downloads, "FIRST_WAIT_S", 0.0)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("TAILRACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jars"


@pytest.fixture
def repository() -> Generator[Repository]:
    files = {f"/{one.path}": content for one, content in zip(JARS, (ONE, TWO), strict=True)}
    with serving(files) as it:
        yield it


def test_the_list_pins_every_jar_of_kafka_by_coordinate_and_hash() -> None:
    jars = pinned_jars()
    assert len(jars) == 46
    assert sum(one.size_bytes for one in jars) == 45_025_660
    assert len({one.name for one in jars}) == len(jars)
    assert all(re.fullmatch(r"[0-9a-f]{64}", one.sha256) for one in jars)
    assert "org.apache.kafka:kafka_2.13:4.3.1" in {one.coordinate for one in jars}


def test_what_is_missing_is_fetched_once(repository: Repository, cache: Path) -> None:
    progress: list[tuple[int, int]] = []
    paths = provide_jars(
        lambda done, total: progress.append((done, total)), jars=JARS, repository=repository.url
    )
    assert [path.read_bytes() for path in paths] == [ONE, TWO]
    assert [path.parent for path in paths] == [cache, cache]
    total = len(ONE) + len(TWO)
    assert max(progress) == (total, total)
    provide_jars(jars=JARS, repository=repository.url)
    assert len(repository.ranges) == 2


@pytest.mark.parametrize("damage", [b"x" * len(ONE), ONE[:-1], b""])
def test_a_damaged_jar_in_the_cache_is_fetched_again(
    repository: Repository, cache: Path, damage: bytes
) -> None:
    provide_jars(jars=JARS, repository=repository.url)
    (cache / JARS[0].name).write_bytes(damage)
    provide_jars(jars=JARS, repository=repository.url)
    assert (cache / JARS[0].name).read_bytes() == ONE
    assert len(repository.ranges) == 3


def test_a_repository_that_serves_something_else_is_refused(repository: Repository) -> None:
    repository.files[f"/{JARS[0].path}"] = TWO
    with pytest.raises(DownloadError, match=r"1 of Kafka.s 2 jars are missing: one-1\.0\.jar"):
        provide_jars(jars=JARS, repository=repository.url)


def test_jars_of_the_local_maven_repository_are_used_if_their_hash_matches(
    repository: Repository, tmp_path: Path
) -> None:
    for one, content in zip(JARS, (ONE, b"forged" + TWO[6:]), strict=True):
        path = tmp_path / "m2" / one.path
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    paths = provide_jars(jars=JARS, repository=repository.url)
    assert [path.read_bytes() for path in paths] == [ONE, TWO]
    assert len(repository.ranges) == 1


def test_without_a_network_one_sentence_says_what_to_do() -> None:
    (port,) = free_ports(1)
    with pytest.raises(DownloadError) as caught:
        provide_jars(jars=JARS, repository=f"http://127.0.0.1:{port}")
    assert "check the network and run this again, it continues where it stopped" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


def test_two_that_start_at_once_fetch_each_jar_once(repository: Repository) -> None:
    results: list[list[Path]] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(provide_jars(jars=JARS, repository=repository.url))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len(repository.ranges) == 2


def test_an_interrupted_fetch_goes_on_where_it_stopped(repository: Repository, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{JARS[1].name}.part").write_bytes(TWO[:150_000])
    progress: list[int] = []
    provide_jars(lambda done, _: progress.append(done), jars=JARS, repository=repository.url)
    assert min(progress) >= 0
    assert max(progress) == len(ONE) + len(TWO)
    assert "bytes=150000-" in repository.ranges
