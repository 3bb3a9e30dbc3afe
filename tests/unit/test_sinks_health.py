from __future__ import annotations

from tailrace.sinks.archive.health import Health
from tailrace.sinks.archive.meters import Position

STEPS = ("tailrace.steps", 0)
RUNS = ("tailrace.runs", 3)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def health() -> tuple[Health, Clock]:
    clock = Clock()
    return Health(60, clock), clock


def test_a_sink_that_begins_is_well_until_the_bound() -> None:
    sink, clock = health()
    clock.now += 60
    assert sink.trouble() is None
    clock.now += 1
    assert sink.trouble() == "the sink has not begun to read the log for 61 s"


def test_a_sink_with_nothing_to_do_is_well_however_long() -> None:
    sink, clock = health()
    for _ in range(10):
        clock.now += 50
        sink.turned({STEPS: Position(7, 0, None)})
    assert sink.trouble() is None


def test_a_sink_that_lags_and_gets_on_is_well() -> None:
    sink, clock = health()
    for offset in range(10):
        clock.now += 50
        sink.turned({STEPS: Position(offset, 1_000_000, 1)})
    assert sink.trouble() is None


def test_a_partition_that_rests_while_records_wait_is_named() -> None:
    sink, clock = health()
    for offset in range(4):
        clock.now += 20
        sink.turned({STEPS: Position(7, 5, 1), RUNS: Position(offset, 5, 1)})
    assert sink.trouble() is None
    clock.now += 1
    assert sink.trouble() == (
        "1 of 2 partitions do not get on although records wait: tailrace.steps-0 stands at offset "
        "7 for 61 s"
    )
    sink.turned({STEPS: Position(12, 0, None), RUNS: Position(4, 5, 1)})
    assert sink.trouble() is None


def test_the_time_without_work_does_not_count() -> None:
    sink, clock = health()
    sink.turned({STEPS: Position(7, 0, None)})
    clock.now += 50
    sink.turned({STEPS: Position(7, 0, None)})
    clock.now += 50
    sink.turned({STEPS: Position(7, 3, 1)})
    assert sink.trouble() is None


def test_a_partition_that_was_handed_over_is_forgotten() -> None:
    sink, clock = health()
    sink.turned({STEPS: Position(7, 5, 1)})
    clock.now += 50
    sink.turned({})
    clock.now += 50
    sink.turned({STEPS: Position(7, 5, 1)})
    assert sink.trouble() is None


def test_a_loop_that_turns_no_more_is_found() -> None:
    sink, clock = health()
    sink.turned({})
    clock.now += 61
    assert sink.trouble() == "the sink has not polled the log for 61 s"


def test_a_server_that_stopped_answering_is_named_once_the_bound_is_over() -> None:
    sink, clock = health()
    sink.answered("Kafka")
    sink.answered("ClickHouse")
    clock.now += 61
    sink.turned({})
    sink.answered("Kafka")
    assert sink.trouble() == "ClickHouse has not answered for 61 s"
    sink.answered("ClickHouse")
    assert sink.trouble() is None


def test_a_failure_stands_whatever_else_is_well() -> None:
    sink, _ = health()
    sink.failed("the tables are gone")
    sink.turned({})
    assert sink.trouble() == "the sink failed: the tables are gone"


def test_a_repair_that_gets_on_is_no_stall_however_long_and_one_that_does_not_is() -> None:
    sink, clock = health()
    for portion in range(4):
        clock.now += 50
        # The second partition waits for the repair of the first.
        sink.turned({STEPS: Position(7, 5, 1, portion), RUNS: Position(3, 5, 1, portion)})
        assert sink.trouble() is None
    clock.now += 61
    sink.turned({STEPS: Position(7, 5, 1, 3), RUNS: Position(3, 5, 1, 3)})
    assert str(sink.trouble()).startswith("2 of 2 partitions do not get on")
