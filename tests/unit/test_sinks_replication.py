from __future__ import annotations

import re

from tailrace.sinks.migrations import shipped_migrations
from tailrace.sinks.replication import replicated


def test_every_shipped_table_differs_on_a_cluster_by_its_engine_and_its_window_alone() -> None:
    tables = [each for each in shipped_migrations() if "CREATE TABLE" in each.sql]
    for migration in tables:
        here, there = migration.sql.splitlines(), replicated(migration.sql).splitlines()
        changed = [(old, new) for old, new in zip(here, there, strict=True) if old != new]
        engine, window = changed
        assert engine[0].startswith("ENGINE = ReplacingMergeTree"), migration.name
        assert engine[1] == engine[0].replace("= ", "= Replicated"), migration.name
        assert re.fullmatch(r"    non_replicated_deduplication_window = \d+,", window[0])
        assert window[1] == window[0].replace("non_", ""), migration.name


def test_other_statements_and_engines_stay_as_they_are() -> None:
    claim = "CREATE TABLE migrating (migration String) ENGINE = TinyLog COMMENT 'x'"
    assert replicated(claim) == claim
    assert replicated("ENGINE = Memory") == "ENGINE = Memory"
