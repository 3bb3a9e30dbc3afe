"""What a worker commits: never past a request that is not done, and all that is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.dispatch.progress import Progress


@given(st.lists(st.integers(1, 3), max_size=12), st.data())
def test_what_is_committed_is_done_and_what_is_done_gets_committed(
    gaps: list[int], data: st.DataObject
) -> None:
    progress, offset, open_offsets = Progress(), 10, list[int]()
    assert progress.position is None
    taken: list[int] = []
    for gap in gaps:
        offset += gap
        progress.take(offset)
        open_offsets.append(offset)
        taken.append(offset)
        while open_offsets and data.draw(st.booleans()):
            done = data.draw(st.sampled_from(open_offsets))
            open_offsets.remove(done)
            progress.end(done)
        position = progress.position
        assert position is not None
        assert all(each >= position for each in open_offsets)
        done_before = [each for each in taken if each not in open_offsets]
        assert all(each < position or min(open_offsets) < each for each in done_before)
        assert open_offsets or position == offset + 1
