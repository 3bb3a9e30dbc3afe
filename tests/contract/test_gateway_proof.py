"""An insert that the embedded engine drops after it parsed the rows is never acknowledged."""

from __future__ import annotations

import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.stack import query

CREATE = {
    "constraint": "(a String, CONSTRAINT no_x CHECK a != 'x') ENGINE = MergeTree ORDER BY a",
    "column": "(a String, b UInt8 MATERIALIZED throwIf(a = 'x')) ENGINE = MergeTree ORDER BY a",
}


@pytest.mark.parametrize("how", CREATE)
@pytest.mark.parametrize("rows", ["FORMAT TSV\nx\n", "VALUES ('y'), ('x')"])
def test_rows_that_fail_after_they_were_read_are_an_error(
    clickhouse: str, database: str, how: str, rows: str
) -> None:
    query(clickhouse, f"CREATE TABLE {database}.t {CREATE[how]}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        query(clickhouse, f"INSERT INTO {database}.t (a) {rows}")
    assert refused.value.read().startswith((b"Code: 469.", b"Code: 395."))
    query(clickhouse, f"INSERT INTO {database}.t (a) FORMAT TSV\ny\n")
    assert query(clickhouse, f"SELECT a FROM {database}.t") == "y\n"  # noqa: S608 - the test's own


def test_inserts_at_once_are_each_acknowledged_only_if_they_are_stored(
    clickhouse: str, database: str
) -> None:
    query(clickhouse, f"CREATE TABLE {database}.t {CREATE['constraint']}")

    def acknowledged(value: str) -> bool:
        try:
            query(clickhouse, f"INSERT INTO {database}.t (a) FORMAT TSV\n{value}\n")
        except urllib.error.HTTPError as error:
            return not error.read().startswith((b"Code: 469.", b"Code: 319."))
        return True

    values = ["x" if number % 3 == 0 else f"v{number}" for number in range(60)]
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(acknowledged, values))

    stored = set(query(clickhouse, f"SELECT a FROM {database}.t").split())  # noqa: S608 - same
    assert stored >= {value for value, yes in zip(values, told, strict=True) if yes}
    assert "x" not in stored
