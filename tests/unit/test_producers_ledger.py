"""The promise of a lane: its last record leaves when all before it is acknowledged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.producers.delivery.ledger import BODY_MEMORY_S, Ledger, Record
from tailrace.producers.delivery.outlet import Lane
from tailrace.schemas.payloads import Body
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    import random
BODIES = [Body("0" * 64, b"{}"), Body("1" * 64, b"{}", "0" * 64), Body("2" * 64, b"{}", "1" * 64)]
RUNS_DONE = st.lists(st.lists(st.sampled_from(["step", 0, 1, 2]), max_size=6), max_size=5)


class Broker:
    """Acknowledges what is on the way in any order, and checks each last record it sees leave."""

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        self.ledger = ledger
        self.chance = chance
        self.on_the_way: list[Record] = []
        self.bodies: set[str] = set()
        self.steps: Counter[Lane] = Counter()
        self.posts: dict[Lane, list[str | int]] = {}

    def take(self, *records: Record | None) -> None:
        for record in records:
            if record is not None:
                self.check(record)
                self.on_the_way.append(record)

    def acknowledge(self, share: float) -> None:
        for record in [each for each in self.on_the_way if self.chance.random() < share]:
            self.on_the_way.remove(record)
            if record.lane is None:
                self.bodies.add(record.key.decode())
            elif not record.is_last:
                self.steps[record.lane] += 1
            self.take(*self.ledger.acknowledge((record,), 0))

    def check(self, record: Record) -> None:
        if record.is_last and record.lane is not None:
            posts = self.posts[record.lane]
            assert self.steps[record.lane] == posts.count("step")
            for number in [each for each in posts if isinstance(each, int)]:
                assert {body.sha256 for body in BODIES[: number + 1]} <= self.bodies


@settings(deadline=None)
@given(RUNS_DONE, st.randoms())
def test_a_last_record_leaves_after_everything_its_run_needs_is_acknowledged(
    runs: list[list[str | int]], chance: random.Random
) -> None:
    ledger = Ledger()
    broker = Broker(ledger, chance)
    for posts in runs:
        lane = Lane("a" * 32)
        broker.posts[lane] = posts
        for each in posts:
            if isinstance(each, int):
                # Who posts a list has posted, or waits for, what it builds on.
                broker.take(*(ledger.post_body(lane, body) for body in BODIES[: each + 1]))
            else:
                broker.take(ledger.post(lane, STEPS, b"step"))
            broker.acknowledge(0.3)
        broker.take(ledger.finish(lane, RUNS, b"last"))
    while broker.on_the_way:
        broker.acknowledge(0.5)
    assert all(lane.done.done() for lane in broker.posts)
    assert (ledger.outstanding, ledger.outstanding_bytes) == (0, 0)


def post(ledger: Ledger, body: Body) -> tuple[Lane, Record | None]:
    lane = Lane("a" * 32)
    return lane, ledger.post_body(lane, body)


def test_a_run_waits_for_a_body_that_another_run_sent() -> None:
    ledger = Ledger()
    _, record = post(ledger, BODIES[0])
    second, again = post(ledger, BODIES[0])
    assert record is not None
    assert again is None
    assert ledger.finish(second, RUNS, b"last") is None
    (released,) = ledger.acknowledge((record,), 0)
    assert released.lane is second


def test_a_body_is_sent_again_before_the_log_could_have_lost_it() -> None:
    now = [0.0]
    ledger = Ledger(clock=lambda: now[0])
    assert post(ledger, BODIES[0])[1] is not None
    assert post(ledger, BODIES[0])[1] is None
    now[0] = BODY_MEMORY_S + 1
    assert post(ledger, BODIES[0])[1] is not None


def test_a_lost_record_is_told_to_its_run_and_a_lost_body_is_tried_again() -> None:
    ledger = Ledger()
    lane, record = post(ledger, BODIES[0])
    assert record is not None
    assert ledger.finish(lane, RUNS, b"last") is None
    (last,) = ledger.lose(record)
    ledger.acknowledge((last,), 0)
    assert lane.done.result() == 1
    assert post(ledger, BODIES[0])[1] is not None
