"""Inserts: every way in, applied settings, and what is stored when a client or the process dies."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import threading
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import clickhouse_connect
import fastavro
import lz4.frame
import pytest

from support.gateway import GatewayProcess, eventually, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running(tmp_path_factory.mktemp("engine")) as started:
        yield started


def make_table(gateway: GatewayProcess, name: str, settings: str = "") -> None:
    gateway.value(
        f"CREATE TABLE {name} (a UInt64, b String) ENGINE = MergeTree ORDER BY a {settings}"
    )


def avro(rows: list[dict[str, Any]]) -> bytes:
    schema: dict[str, Any] = {
        "type": "record",
        "name": "row",
        "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}],
    }
    out = io.BytesIO()
    cast("Any", fastavro).writer(out, schema, rows)
    return out.getvalue()


def pack_lz4(data: bytes) -> bytes:
    return cast("Any", lz4.frame).compress(data)


@pytest.mark.parametrize("compress", ["", "lz4", "zstd", "gzip"])
def test_columns_go_in_with_every_compression(gateway: GatewayProcess, compress: str) -> None:
    table = f"columns_{compress}"
    make_table(gateway, table)
    client = cast("Any", clickhouse_connect).get_client(
        host="127.0.0.1", port=gateway.port, compress=compress or False
    )
    rows = [[i, f"row {i}"] for i in range(20_000)]
    summary = client.insert(table, rows, column_names=["a", "b"])
    assert summary.written_rows == 20_000
    assert client.query(f"SELECT * FROM {table} ORDER BY a").result_rows[-1] == (  # noqa: S608 - its own names
        19_999,
        "row 19999",
    )
    client.close()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("lz4", pack_lz4)],
)
def test_bodies_come_compressed_by_http(
    gateway: GatewayProcess, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    make_table(gateway, f"packed_{encoding}")
    data = b"".join(b"%d\tx\n" % i for i in range(1000))
    cut = gateway.ask(
        pack(data)[:-9],
        headers={"Content-Encoding": encoding},
        query=f"INSERT INTO packed_{encoding} FORMAT TSV",
    )
    assert cut.headers["X-ClickHouse-Exception-Code"] == "271"
    assert gateway.value(f"SELECT count() FROM packed_{encoding}") == "0"  # noqa: S608 - its own names
    done = gateway.ask(
        pack(data),
        headers={"Content-Encoding": encoding},
        query=f"INSERT INTO packed_{encoding} FORMAT TSV",
    )
    assert json.loads(done.headers["X-ClickHouse-Summary"])["written_rows"] == "1000"


def test_values_select_and_inline_data_go_in(gateway: GatewayProcess) -> None:
    make_table(gateway, "ways")
    gateway.value("INSERT INTO ways VALUES (1, 'it''s; -- (x)'), (2, toString(1 + 1))")
    gateway.value("INSERT INTO ways SELECT 3, 'three'")
    gateway.value('INSERT INTO ways FORMAT JSONEachRow {"a": 4, "b": "four"}')
    gateway.value('/* c */ insert into `ways` (b, a) format CSV\n"five",5\n')
    gateway.value("(6, 'six')", query="INSERT INTO ways VALUES")
    gateway.value("INSERT INTO ways VALUES ({a:UInt64}, {b:String})", param_a="7", param_b="s'n")
    assert gateway.value("SELECT groupArray(b) FROM (SELECT b FROM ways ORDER BY a)") == (
        "['it\\'s; -- (x)','2','three','four','five','six','s\\'n']"
    )


def test_a_spliced_avro_container_is_stored_once_under_its_token(gateway: GatewayProcess) -> None:
    make_table(gateway, "tokens", "SETTINGS non_replicated_deduplication_window = 100")
    client = cast("Any", clickhouse_connect).get_client(host="127.0.0.1", port=gateway.port)
    settings = {
        "async_insert": 0,
        "insert_deduplicate": 1,
        "max_insert_threads": 1,
        "input_format_avro_allow_missing_fields": 1,
    }
    for token, first in (("one", 0), ("one", 0), ("one", 500), ("two", 0)):
        rows = [{"a": i, "b": "x"} for i in range(first, first + 100)]
        client.raw_insert(
            "tokens", fmt="Avro", insert_block=avro(rows),
            settings={**settings, "insert_deduplication_token": token},
        )  # fmt: skip
    assert client.command("SELECT count(), max(a) FROM tokens") == ["200", "99"]
    client.close()


def test_a_poison_row_stores_nothing(gateway: GatewayProcess) -> None:
    make_table(gateway, "poison")
    body = b"".join(b"%d\tx\n" % i for i in range(1000)) + b"bad\tx\n"
    answer = gateway.ask(body, query="INSERT INTO poison FORMAT TSV")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "27"
    assert gateway.value("SELECT count() FROM poison") == "0"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_that_goes_away_in_an_insert_stores_nothing(
    gateway: GatewayProcess, framing: str
) -> None:
    make_table(gateway, f"gone_{framing}")
    head = f"POST /?query=INSERT+INTO+gone_{framing}+FORMAT+TSV HTTP/1.1\r\nHost: localhost\r\n"
    rows = b"1\tx\n" * 50_000
    if framing == "length":
        connection = gateway.raw(f"{head}Content-Length: 9000000\r\n\r\n".encode() + rows)
    else:
        chunk = b"%x\r\n%s\r\n" % (len(rows), rows)
        connection = gateway.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk)
    connection.close()
    count = "SELECT count() FROM system.processes WHERE query ILIKE 'insert into gone%'"
    eventually(lambda: gateway.value(count) == "0")
    assert gateway.value(f"SELECT count() FROM gone_{framing}") == "0"  # noqa: S608 - its own names


def test_kill_9_during_inserts_loses_no_acknowledged_row(tmp_path: Path) -> None:
    acknowledged = 0
    for round_number in range(4):
        with running(tmp_path / "engine") as gateway:
            if round_number == 0:
                make_table(gateway, "kept")
            stored = int(gateway.value("SELECT count() FROM kept"))
            distinct = int(gateway.value("SELECT uniqExact(a) FROM kept"))
            assert stored >= acknowledged
            assert distinct == stored
            acknowledged = stored
            killer = threading.Timer(0.7, gateway.kill)
            killer.start()
            number = round_number * 1_000_000
            # A reply that the kill has cut off may or may not belong to a stored row.
            with suppress(OSError, http.client.HTTPException):
                while gateway.ask(f"INSERT INTO kept VALUES ({number}, 'x')").status == 200:  # noqa: S608 - its own names
                    acknowledged += 1
                    number += 1
            killer.join()
    with running(tmp_path / "engine") as gateway:
        assert int(gateway.value("SELECT count() FROM kept")) >= acknowledged > 20
