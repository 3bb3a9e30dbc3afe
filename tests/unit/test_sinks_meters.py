from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.schemas.metrics import METRICS
from tailrace.sinks.archive.meters import Meters, Position

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

OURS = {
    metric.name: metric
    for metric in METRICS
    if metric.name.startswith(("tailrace_archive_", "tailrace_schemas_"))
}


def full() -> Meters:
    """Meters that have seen one of everything."""
    meters = Meters(clock=lambda: 12.5)
    meters.positions = {("t", 3): Position(5, 2, 10_000), ("t", 4): Position(5, 0, None)}
    meters.waiting_partitions = lambda: 1
    meters.schemas = lambda: (4, 5)
    meters.stored("t", rows=7, skipped=1, letters=2, size_bytes=900)
    meters.narrowed("t", 3)
    meters.repaired("t", 4)
    meters.inserted("t", 0.3, 0.1)
    meters.spent("consume", 0.5)
    meters.retried("events")
    return meters


def families(meters: Meters) -> dict[str, Family]:
    return {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in meters.registry.collect()
    }


def test_what_is_exported_is_what_is_declared_name_for_name() -> None:
    assert set(families(full())) == set(OURS)


def test_kinds_labels_and_texts_are_the_declared_ones() -> None:
    for name, family in families(full()).items():
        declared = OURS[name]
        assert (family.type, family.documentation) == (declared.kind, declared.doc)
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        assert labels == {frozenset(declared.labels)}, name


def test_values_are_those_that_were_measured() -> None:
    value = full().registry.get_sample_value
    place = {"topic": "t", "partition": "3"}
    assert value("tailrace_archive_rows_total", {"topic": "t"}) == 7
    assert value("tailrace_archive_read_bytes_total", {"topic": "t"}) == 900
    assert value("tailrace_archive_dead_letters_total", {"topic": "t"}) == 2
    assert value("tailrace_archive_insert_seconds_sum", {"topic": "t"}) == 0.3
    assert value("tailrace_archive_link_seconds_total", {"link": "splice"}) == 0.1
    assert value("tailrace_archive_link_seconds_total", {"link": "insert"}) == 0.3 - 0.1
    assert value("tailrace_archive_insert_retries_total", {"table": "events"}) == 1
    assert value("tailrace_archive_lag_offsets", place) == 2
    assert value("tailrace_archive_delay_seconds", place) == 2.5
    assert value("tailrace_archive_delay_seconds", {**place, "partition": "4"}) == 0
    assert value("tailrace_archive_partitions") == 2
    assert value("tailrace_schemas_rejected_total") == 5


def test_a_partition_that_was_handed_over_is_not_shown() -> None:
    meters = full()
    meters.positions = {}
    assert not families(meters)["tailrace_archive_lag_offsets"].samples
    assert meters.registry.get_sample_value("tailrace_archive_partitions") == 0


def test_two_sinks_in_one_process_do_not_add_up() -> None:
    one, other = full(), Meters()
    assert one.registry.get_sample_value("tailrace_archive_rows_total", {"topic": "t"}) == 7
    assert other.registry.get_sample_value("tailrace_archive_rows_total", {"topic": "t"}) is None
