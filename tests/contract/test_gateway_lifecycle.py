"""The process: ready, bounded, guarded, stopped, and gone with its parent."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.gateway import GatewayProcess, eventually, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = (
    "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1 SETTINGS max_threads=1"
)
RUNNING = (
    "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers(1000%'"
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running(tmp_path_factory.mktemp("engine")) as started:
        yield started


def refused(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tailrace.console.local.gateway", "--path", str(path), *arguments],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_answers_its_first_query_after_every_start(tmp_path: Path) -> None:
    # How soon is `bench/start.py`'s to say: a busy machine is no defect.
    for _ in range(2):
        with running(tmp_path / "engine") as gateway:
            assert gateway.ask(method="GET", path="/ping").text == "Ok.\n"
            assert gateway.value("SELECT 1") == "1"
            assert gateway.stop() == 0


def test_tables_views_and_rows_of_the_default_database_survive_restarts(tmp_path: Path) -> None:
    for number in range(1, 4):
        with running(tmp_path / "engine") as gateway:
            if number == 1:
                gateway.value("CREATE TABLE src (a Int64) ENGINE = MergeTree ORDER BY a")
                gateway.value("CREATE TABLE dst AS src")
                gateway.value("CREATE MATERIALIZED VIEW mv TO dst AS SELECT a FROM src")
                gateway.value("CREATE VIEW v AS SELECT a FROM default.src")
            gateway.value(f"INSERT INTO src VALUES ({number})")  # noqa: S608 - its own names
            for table in ("src", "dst", "v"):
                assert gateway.value(f"SELECT count() FROM {table}") == str(number)  # noqa: S608 - its own names
            assert gateway.ask("SELECT * FROM nope").status == 404


def test_a_second_process_on_the_folder_gets_a_sentence(tmp_path: Path) -> None:
    with running(tmp_path / "engine"):
        said = refused(tmp_path / "engine", "--port", "0")
    assert "another process" in said


def test_it_listens_beyond_loopback_only_when_asked(tmp_path: Path) -> None:
    assert "--allow-remote" in refused(tmp_path / "engine", "--host", "0.0.0.0")  # noqa: S104


def test_a_taken_port_gets_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused(tmp_path / "engine", "--port", str(taken.getsockname()[1]))
    assert "cannot listen" in said


def test_foreign_pages_and_foreign_names_are_refused(gateway: GatewayProcess) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": ""},
    ):
        answer = gateway.ask("SELECT 1", headers=headers)
        assert answer.status == 403, headers
    assert gateway.ask("SELECT 1", headers={"Origin": gateway.url}).text == "1\n"
    assert gateway.ask("SELECT 1", headers={"Host": "localhost:99"}).text == "1\n"


def test_a_password_is_asked_for_when_one_is_set(tmp_path: Path) -> None:
    env = {"TAILRACE_GATEWAY_PASSWORD": "s3cret-word"}
    with running(tmp_path / "engine", env=env) as gateway:
        basic = base64.b64encode(b"default:s3cret-word").decode()
        assert gateway.ask(method="GET", path="/ping").status == 200
        assert gateway.ask("SELECT 1", headers={"Authorization": f"Basic {basic}"}).status == 200
        assert gateway.ask("SELECT 1", headers={"X-ClickHouse-Key": "s3cret-word"}).status == 200
        for headers in ({}, {"X-ClickHouse-Key": "no"}, {"Authorization": "Basic ?"}):
            answer = gateway.ask("SELECT 1", headers=headers)
            assert answer.headers["X-ClickHouse-Exception-Code"] == "516"
            assert "s3cret" not in answer.text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT file('/etc/hostname')",
        "SELECT `file` /* c */ ('/etc/hostname')",
        "SELECT * APPLY file FROM (SELECT '/etc/hostname')",
        "SELECT * FROM `/etc/hostname`",
        "SELECT 1 INTO OUTFILE '/tmp/tailrace-test-never'",
        "CREATE TABLE f (a String) ENGINE = File(LineAsString, '/etc/hostname')",
        "CREATE DATABASE d ENGINE = Filesystem('/etc')",
        "INSERT INTO FUNCTION file('/tmp/tailrace-test-never') SELECT 1",
        "INSERT INTO FUNCTION null('a String') VALUES (file('/etc/hostname'))",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1:9000', system.one)",
        "SYSTEM SHUTDOWN",
        "BACKUP DATABASE default TO File('/tmp/tailrace-test-never')",
    ],
)
def test_sql_does_not_reach_files_and_other_servers(gateway: GatewayProcess, sql: str) -> None:
    answer = gateway.ask(sql)
    assert answer.status in {403, 404, 500}
    assert answer.headers["X-ClickHouse-Exception-Code"] in {"497", "60"}


def test_a_reader_that_goes_away_stops_its_query(gateway: GatewayProcess) -> None:
    body = SLOW.encode()
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection = gateway.raw(head + body)
    eventually(lambda: gateway.value(RUNNING) == "1")
    connection.close()
    eventually(lambda: gateway.value(RUNNING) == "0")


def test_a_reader_that_stops_in_the_middle_frees_its_lane(gateway: GatewayProcess) -> None:
    body = b"SELECT number FROM numbers(10000000000)"
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection = gateway.raw(head + body)
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    connection.close()
    count = "SELECT count() FROM system.processes WHERE query LIKE '%numbers(10000000000)%'"
    eventually(lambda: gateway.value(count) == "1")  # this query itself


def test_a_large_result_streams_with_flat_memory(gateway: GatewayProcess) -> None:
    gateway.value("SELECT sum(number) FROM numbers(10000000)")
    before = gateway.resident_bytes()
    peak = before
    for output in ("Native", "CSVWithNames", "JSON"):
        body = (
            f"SELECT number, toString(number) AS s FROM numbers(10000000) FORMAT {output}".encode()  # noqa: S608 - its own names
        )
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        size = 0
        with gateway.raw(head + body) as connection:
            tail = b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):
                piece = connection.recv(1 << 20)
                assert piece
                size += len(piece)
                tail = (tail + piece)[-16:]
                peak = max(peak, gateway.resident_bytes())
        assert size > 140_000_000, output
    assert peak - before < 100_000_000


def test_more_statements_than_lanes_and_queue_are_refused_with_202(tmp_path: Path) -> None:
    with running(tmp_path / "e", "--max-concurrent", "1", "--max-waiting", "1") as gateway:
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda: answers.append(gateway.ask("SELECT sleep(1.5)")))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        codes = sorted(a.headers.get("X-ClickHouse-Exception-Code", "ok") for a in answers)
        assert codes == ["202", "202", "ok", "ok"]
        assert gateway.value("SELECT 1") == "1"


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "engine")
    assert gateway.process.stdin is not None
    gateway.process.stdin.close()
    assert gateway.process.wait(20) == 0
    gateway.kill()
    idle = "import signal; signal.pause()"
    with subprocess.Popen([sys.executable, "-c", idle]) as parent:
        try:
            gateway = GatewayProcess(tmp_path / "engine", "--parent-pid", str(parent.pid))
        finally:
            parent.kill()
    assert gateway.process.wait(20) == 0
    gateway.kill()


def test_a_graceful_stop_lets_a_short_query_end(tmp_path: Path) -> None:
    with running(tmp_path / "engine") as gateway:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(gateway.ask("SELECT sleep(1)")))
        thread.start()
        count = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep(1)%'"
        eventually(lambda: gateway.value(count) == "1")
        assert gateway.stop() == 0
        thread.join(10)
        assert answers[0].status == 200


def test_a_graceful_stop_ends_a_long_query_with_an_error(tmp_path: Path) -> None:
    with running(tmp_path / "engine") as gateway:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(gateway.ask(SLOW)))
        thread.start()
        eventually(lambda: gateway.value(RUNNING) == "1")
        assert gateway.stop(15) == 0
        thread.join(10)
        assert answers[0].headers["X-ClickHouse-Exception-Code"] == "394"


def test_an_engine_that_hangs_in_its_end_is_not_waited_for(tmp_path: Path) -> None:
    hangs = (
        "import threading; from tailrace.console.local.gateway import lifecycle; "
        "lifecycle._STOP_S = -7.0; lifecycle.Gateway.close = lambda _: threading.Event().wait(); "
        "from tailrace.console.local.gateway.__main__ import main; main()"
    )
    with running(tmp_path / "engine", program=("-c", hangs)) as gateway:
        assert gateway.stop(15) == 1
    with running(tmp_path / "engine") as gateway:
        assert gateway.value("SELECT 1") == "1"


def test_a_folder_of_the_bare_engine_keeps_its_tables(tmp_path: Path) -> None:
    code = (
        "import sys; from chdb.state.sqlitelike import Connection; c = Connection(sys.argv[1]); "
        "c.query('CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a'); "
        "c.query('INSERT INTO t VALUES (7)'); c.close()"
    )
    path = tmp_path / "engine"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=30)
    for arguments in ((), ("--allow-files",), ()):
        with running(path, *arguments) as gateway:
            assert gateway.value("SELECT a FROM t") == "7"
