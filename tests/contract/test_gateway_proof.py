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


def test_of_inserts_at_once_exactly_those_that_failed_are_refused_with_their_own_reason(
    clickhouse: str, database: str
) -> None:
    query(clickhouse, f"CREATE TABLE {database}.t {CREATE['constraint']}")

    def refusal(value: str) -> bytes:
        try:
            query(clickhouse, f"INSERT INTO {database}.t (a) FORMAT TSV\n{value}\n")
        except urllib.error.HTTPError as error:
            return error.read()[:10]
        return b""

    values = ["x" if number % 3 == 0 else f"v{number}" for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(refusal, values))

    stored = set(query(clickhouse, f"SELECT a FROM {database}.t").split())  # noqa: S608 - same
    assert told == [b"Code: 469." if value == "x" else b"" for value in values]
    assert stored == set(values) - {"x"}


def test_an_insert_that_hides_from_the_log_is_of_unknown_status_when_one_failed(
    clickhouse: str, database: str
) -> None:
    query(clickhouse, f"CREATE TABLE {database}.t {CREATE['constraint']}")
    hidden = "SETTINGS log_queries = 0 FORMAT TSV"
    with pytest.raises(urllib.error.HTTPError) as refused:
        query(clickhouse, f"INSERT INTO {database}.t (a) {hidden}\nx\n")
    assert refused.value.read().startswith(b"Code: 319.")
    query(clickhouse, f"INSERT INTO {database}.t (a) {hidden}\ny\n")
