"""The spool on disk: what was written comes back in order, whatever the process or the disk did."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.waiting import wait_until
from tailrace.producers.delivery.ledger import Record
from tailrace.producers.delivery.spool import Spool, SpoolFullError, abandoned, spool_root
from tailrace.producers.delivery.spool_format import MARKER, SpooledRecord, frame, scan
from tailrace.producers.delivery.spool_moving import move_spools
from tailrace.schemas.topics import RUNS, STEPS

CONTENTS = st.lists(
    st.tuples(
        st.sampled_from(["runs", "steps", "bodies"]),
        st.binary(max_size=40),
        # Values that hold markers of their own must not confuse a reader.
        st.one_of(st.binary(max_size=200), st.just(MARKER * 3)),
        st.booleans(),
    ),
    max_size=12,
)


def frames_of(contents: list[tuple[str, bytes, bytes, bool]]) -> list[bytes]:
    return [frame(topic, key, value, is_last=last) for topic, key, value, last in contents]


def record(value: bytes, *, last: bool = False) -> Record:
    made = Record(RUNS if last else STEPS, b"k", value, None)
    made.is_last = last
    return made


@given(CONTENTS)
def test_what_is_written_is_read_back_in_order(
    contents: list[tuple[str, bytes, bytes, bool]],
) -> None:
    found = scan(b"".join(frames_of(contents)))
    assert found.records == [SpooledRecord(*content) for content in contents]
    assert (found.corrupt, found.torn_bytes) == (0, 0)


@given(CONTENTS, st.data())
def test_a_torn_end_costs_the_record_that_was_being_written_alone(
    contents: list[tuple[str, bytes, bytes, bool]], data: st.DataObject
) -> None:
    whole = b"".join(frames_of(contents[:-1]))
    torn = b"".join(frames_of(contents))
    cut = torn[: data.draw(st.integers(len(whole), max(len(whole), len(torn) - 1)))]
    found = scan(cut)
    assert found.records == [SpooledRecord(*content) for content in contents[:-1]]
    assert found.torn_bytes == len(cut) - len(whole)


@settings(max_examples=200)
@given(CONTENTS.filter(bool), st.data())
def test_a_damaged_record_is_skipped_and_no_other(
    contents: list[tuple[str, bytes, bytes, bool]], data: st.DataObject
) -> None:
    frames = frames_of(contents)
    hit = data.draw(st.integers(0, len(frames) - 1))
    place = data.draw(st.integers(0, len(frames[hit]) - 1))
    damaged = bytearray(frames[hit])
    damaged[place] ^= data.draw(st.integers(1, 255))
    found = scan(b"".join([*frames[:hit], bytes(damaged), *frames[hit + 1 :]]))
    others = [SpooledRecord(*each) for n, each in enumerate(contents) if n != hit]
    assert found.records == others
    assert found.corrupt + bool(found.torn_bytes) == 1


def test_nothing_touches_the_disk_before_the_first_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "root")
    spool.close()
    assert not (tmp_path / "root").exists()


def test_only_its_user_can_read_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "root")
    spool.append([record(b"secret")])
    assert spool.folder is not None
    modes = {each: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "root").rglob("*")}
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700
    spool.close()


def test_a_spool_of_a_living_process_is_left_alone_and_one_without_is_taken_over(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    spool.append([record(b"one"), record(b"two", last=True)])
    assert list(abandoned(tmp_path, but=None)) == []
    spool.release()  # as the system does when the process is gone
    (taken,) = abandoned(tmp_path, but=None)
    segment = taken.oldest()
    assert segment is not None
    assert [(each.value, each.is_last) for each in segment.read().records] == [
        (b"one", False),
        (b"two", True),
    ]
    taken.remove(segment)
    taken.close()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_does_not_hold_its_parents_lock(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([record(b"one")])
    wait_r, wait_w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(wait_w)
        os.read(wait_r, 1)  # lives until the parent lets it go
        os._exit(0)
    os.close(wait_r)
    spool.release()
    taken: list[Spool] = []

    def free() -> bool:
        taken.extend(abandoned(tmp_path, but=None))
        return bool(taken)

    wait_until(free, "the lock is free while the child lives")
    os.close(wait_w)
    os.waitpid(child, 0)
    taken[0].release()


def test_the_limit_counts_every_spool_of_the_host(tmp_path: Path) -> None:
    other = Spool(tmp_path)
    other.append([record(b"x" * 6000)])
    spool = Spool(tmp_path, max_bytes=10_000)
    spool.append([record(b"x" * 3000)])
    with pytest.raises(SpoolFullError, match="is full"):
        spool.append([record(b"x" * 3000)])
    assert spool.count == 1
    for each in (spool, other):
        each.release()


def test_segments_are_closed_at_a_size_and_sent_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailrace.producers.delivery.spool.SEGMENT_BYTES", 1000)
    spool = Spool(tmp_path)
    for number in range(6):
        spool.append([record(bytes([number]) * 600)])
    found: list[int] = []
    while (segment := spool.oldest()) is not None:
        found.extend(each.value[0] for each in segment.read().records)
        spool.remove(segment)
    assert found == list(range(6))
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_told_or_the_users_and_one_for_each_cluster_and_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAILRACE_SPOOL", "/from/setting")
    assert spool_root("/told", "a:1", "p.").parent == Path("/told")
    assert spool_root(None, "a:1", "p.").parent == Path("/from/setting")
    monkeypatch.delenv("TAILRACE_SPOOL")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert spool_root(None, "a:1", "p.").parent == Path("/state/tailrace/spool")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert spool_root(None, "a:1", "p.").parent == Path.home() / ".local/state/tailrace/spool"
    folders = {spool_root(None, *each) for each in (("a:1", "p."), ("a:1", "q."), ("b:1", "p."))}
    assert len(folders) == 3


def test_spools_are_handed_over_to_another_address_but_for_those_of_living_processes(
    tmp_path: Path,
) -> None:
    old, new = (spool_root(str(tmp_path), servers, "p.") for servers in ("old:1", "new:1"))
    assert move_spools(old, new) == (0, 0)
    gone, alive = Spool(old), Spool(old)
    gone.append([record(b"left")])
    alive.append([record(b"mine")])
    gone.release()

    assert move_spools(old, new) == (1, 1)

    [found] = abandoned(new, but=None)
    segment = found.oldest()
    assert segment is not None
    assert [each.value for each in segment.read().records] == [b"left"]
    found.release()
    alive.release()
    assert move_spools(old, new) == (1, 0)
