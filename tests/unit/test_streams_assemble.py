"""Executions are closed alike whatever the order, the repeats and the crashes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from support.executions import (
    LIMITS,
    MINDFUL,
    SOURCE,
    START_US,
    Entry,
    MadeRun,
    Record,
    StoredRows,
    as_log,
    content,
    fleets,
    fold,
    last_revisions,
    play,
)
from tailrace.streams.assemble import Assembly
from tailrace.streams.execution import ROOTLESS

if TYPE_CHECKING:
    from tailrace.schemas.records.trace import Trace

TRACE = "7" * 32
FAR_MS = START_US // 1_000 + 10**9


def whole(root: MadeRun) -> list[Record]:
    return [record for run in root.whole() for record in run.records(root, TRACE)]


def ended(fleet: list[list[Record]]) -> dict[tuple[str, str], dict[str, object]]:
    """What a fleet comes to where nothing is late: offers run out after all else."""
    rows = StoredRows()
    assembly = Assembly(SOURCE, rows, LIMITS)
    traces: list[Trace] = []
    records = [record for each in fleet for record in each]
    for entry in as_log(records, [0] * len(records)):
        traces += fold(assembly, entry).traces
    traces += assembly.pass_time(FAR_MS).traces
    return {key: content(trace) for key, trace in last_revisions(traces).items()}


@given(fleets(), st.integers(0, 2**32), st.data())
@settings(max_examples=100, deadline=None)
def test_any_interleaving_with_any_repeats_ends_the_same_executions(
    fleet: list[list[Record]], seed: int, data: st.DataObject
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    records = [record for each in fleet for record in each]
    repeats = data.draw(st.lists(st.integers(0, len(records) - 1), max_size=6))
    shuffled = [*records, *(records[at] for at in repeats)]
    chance.shuffle(shuffled)
    assembly = Assembly(SOURCE, StoredRows(), LIMITS)
    traces: list[Trace] = []
    for entry in as_log(shuffled, [0] * len(shuffled)):
        traces += fold(assembly, entry).traces
    traces += assembly.pass_time(FAR_MS).traces
    found = {key: content(trace) for key, trace in last_revisions(traces).items()}
    expected = ended(fleet)
    assert found == expected
    assert {each["status"] for each in found.values()} == {"ended"}


@given(fleets(), st.integers(0, 2**32), st.data())
@settings(max_examples=100, deadline=None)
def test_a_crash_between_any_two_rows_and_any_redelivery_give_the_same_records(
    fleet: list[list[Record]], seed: int, data: st.DataObject
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    records = [record for each in fleet for record in each]
    chance.shuffle(records)
    gaps = [chance.choice([0, 1, 300, 1_200, 5_000]) for _ in records]
    entries = as_log(records, gaps)
    rows = StoredRows()
    undisturbed = Assembly(SOURCE, rows, MINDFUL)
    traces: list[Trace] = []
    written: list[int] = []
    for entry in entries:
        traces += fold(undisturbed, entry).traces
        written.append(len(rows.writes))
    expected = {identity(trace): trace for trace in traces}
    assert len(expected) == len(traces), "a revision was published twice"

    crash = data.draw(st.integers(0, len(rows.writes)), label="writes that were stored")
    reached = next((at for at, count in enumerate(written) if count >= crash), len(entries))
    begin = data.draw(st.integers(0, min(reached, len(entries))), label="redelivered from")
    # What the crash came after was published: outputs are acknowledged before their rows.
    published = {identity(trace): trace for trace in of_first(entries, reached + 1)}
    again = Assembly(SOURCE, StoredRows(rows.after(crash)), MINDFUL)
    found = list(again.load(list(rows.after(crash).items())).traces)
    for entry in entries[begin:]:
        if chance.random() < 1 / 3 and entry.place.offset > again.applied:
            found += again.pass_time(entry.place.ts_ms).traces  # the partition was read to its end
        found += fold(again, entry).traces
    for trace in found:
        assert expected[identity(trace)] == trace
    assert published | {identity(trace): trace for trace in found} == expected


def identity(trace: Trace) -> tuple[str, str, int]:
    return trace.trace_id, trace.root_run_id, trace.revision


def of_first(entries: list[Entry], count: int) -> list[Trace]:
    return play(entries[:count], limits=MINDFUL)


def test_an_execution_ends_with_its_last_run_and_says_what_its_runs_came_to() -> None:
    child = MadeRun(f"{4:032x}", steps=2)
    root = MadeRun(f"{3:032x}", children=[child], steps=1)
    child.parent = root
    records = whole(root)
    started, ended_root, child_started, ended_child = records
    [trace] = play(as_log([started, child_started, ended_child, ended_root]))
    assert (trace.status, trace.outcome, trace.revision) == ("ended", "ok", 0)
    assert trace.runs == (root.run_id, child.run_id)
    assert trace.expected_events == 3 + 4
    assert (trace.steps, trace.errors) == (3, 1)
    assert (trace.input_tokens, trace.output_tokens) == (4, None)
    assert trace.components == ("component-0", "component-1")
    assert (trace.source_partition, trace.first_offset, trace.last_offset) == (3, 0, 3)


def test_a_child_that_its_parent_names_is_waited_for_although_nothing_of_it_was_seen() -> None:
    child = MadeRun(f"{4:032x}")
    root = MadeRun(f"{3:032x}", children=[child])
    started, ended_root, *of_child = whole(root)
    assert play(as_log([started, ended_root])) == []
    assert len(play(as_log([started, ended_root, *of_child]))) == 1


def test_an_offer_is_waited_for_until_its_limit_and_a_later_claim_closes_again() -> None:
    root = MadeRun(f"{3:032x}", offers=["0" * 31 + "f"])
    claimant = MadeRun(f"{4:032x}", parent=root, offer="0" * 31 + "f")
    root.claimants.append(claimant)
    records = whole(root)
    at_once = play(as_log(records))
    assert [trace.unclaimed_offers for trace in at_once] == [()]
    first, second = play(as_log(records, [0, 0, LIMITS.claim_ms + 1, 0]))
    assert (first.revision, first.unclaimed_offers) == (0, ("0" * 31 + "f",))
    assert (first.closed_at.timestamp() - START_US / 10**6) * 1_000 == LIMITS.claim_ms
    assert (second.revision, second.unclaimed_offers) == (1, ())
    assert second.runs == (root.run_id, claimant.run_id)


def test_silence_abandons_at_the_limit_and_says_where_it_was() -> None:
    root = MadeRun(f"{3:032x}", beats=2)
    started, beat, beat_again, _ = whole(root)
    assembly = Assembly(SOURCE, StoredRows(), LIMITS)
    for entry in as_log([started, beat, beat_again], [0, 900, 900]):
        assert fold(assembly, entry).traces == []
    last_ms = START_US // 1_000 + 1_800
    assert assembly.pass_time(last_ms + LIMITS.abandon_ms).traces == []
    [trace] = assembly.pass_time(last_ms + LIMITS.abandon_ms + 1).traces
    assert (trace.status, trace.outcome, trace.open_runs) == ("abandoned", "", (root.run_id,))
    assert trace.last_step == "step#1"
    assert trace.expected_events is None
    assert trace.ended_at is None
    assert trace.last_offset == 2


def test_an_abandoned_execution_that_ends_after_all_is_closed_again() -> None:
    started, ended_root = whole(MadeRun(f"{3:032x}"))
    first, second = play(as_log([started, ended_root], [0, LIMITS.abandon_ms + 1]))
    assert (first.status, first.revision) == ("abandoned", 0)
    assert (second.status, second.revision) == ("ended", 1)


def test_without_its_root_an_execution_never_replaces_one_with_it() -> None:
    root = MadeRun(f"{3:032x}", children=[MadeRun(f"{4:032x}")])
    started, ended_root, *of_child = whole(root)
    gap = LIMITS.abandon_ms + 1
    orphan, first = play(as_log([*of_child, started, ended_root], [0, 0, gap, 0]))
    assert (orphan.status, orphan.revision, orphan.component) == ("abandoned", ROOTLESS, "")
    assert orphan.open_runs == (root.run_id,)
    assert (first.status, first.revision) == ("ended", 0)


def test_what_is_closed_for_long_is_forgotten_and_takes_no_room() -> None:
    rows = StoredRows()
    assembly = Assembly(SOURCE, rows, LIMITS)
    records = [
        record
        for number in range(200)
        for record in MadeRun(f"{number:032x}").records(MadeRun(f"{number:032x}"), f"{number:032x}")
    ]
    for entry in as_log(records, [100] * len(records)):
        fold(assembly, entry)
    assert len(assembly) <= LIMITS.late_ms // 100
    assembly.pass_time(FAR_MS)
    assert len(assembly) == 0
    assert rows.rows == {}


def test_ten_thousand_children_end_once_and_each_event_writes_one_row() -> None:
    children = [MadeRun(f"{number:032x}") for number in range(1, 10_001)]
    root = MadeRun("0" * 32, children=children)
    started, ended_root, *others = whole(root)
    rows = StoredRows()
    [trace] = play(as_log([started, *others, ended_root], [0] * 10**5), rows)
    assert len(trace.runs) == 10_001
    assert len(rows.writes) == 2 * 10_001 + 1


def test_a_long_run_is_one_row_however_many_steps_it_has() -> None:
    rows = StoredRows()
    [trace] = play(as_log(whole(MadeRun(f"{3:032x}", steps=100_000))), rows)
    assert trace.expected_events == 100_002
    assert len(rows.rows) == 2


def test_a_root_that_never_comes_keeps_nobody_waiting() -> None:
    lonely = MadeRun(f"{9:032x}")
    other = MadeRun(f"{3:032x}")
    root = MadeRun(f"{8:032x}")
    records = [*lonely.records(root, "9" * 32), *whole(other)]
    [trace] = play(as_log(records))
    assert trace.root_run_id == other.run_id
