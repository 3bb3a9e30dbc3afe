"""Where an insert's data begins, what format a result has, what is refused early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.local.gateway.errors import GatewayError
from tailrace.console.local.gateway.sandbox import check_words
from tailrace.console.local.gateway.statement import (
    Insert,
    find_insert,
    read_statement,
    words,
)


@pytest.mark.parametrize(
    ("text", "head", "source", "data"),
    [
        (b"INSERT INTO t VALUES (1)", b"INSERT INTO t ", "Values", b" (1)"),
        (b"insert into t (a, b) format CSV\n1,2", b"insert into t (a, b) ", "CSV", b"1,2"),
        (b"INSERT INTO t FORMAT Avro\r\nObj\x01", b"INSERT INTO t ", "Avro", b"Obj\x01"),
        (b"INSERT INTO t FORMAT TSV\n\n1", b"INSERT INTO t ", "TSV", b"\n1"),
        (b"-- c\n/* d */INSERT INTO `format x` VALUES(1)", None, "Values", b"(1)"),
        (b"INSERT INTO values FORMAT TSV 1", b"INSERT INTO values ", "TSV", b"1"),
        (b"INSERT INTO t SETTINGS a='FORMAT x' FORMAT TSV\n", None, "TSV", b""),
        (b"INSERT INTO FUNCTION f('VALUES') (values) VALUES (1)", None, "Values", b" (1)"),
    ],
)
def test_an_insert_is_split_at_its_data(
    text: bytes, head: bytes | None, source: str, data: bytes
) -> None:
    found = find_insert(text, ended=True)
    assert isinstance(found, Insert)
    assert (found.format, found.data) == (source, data)
    assert head is None or found.head == head


@pytest.mark.parametrize(
    "text",
    [b"SELECT 1", b"INSERT INTO t SELECT * FROM u FORMAT CSV", b"", b"INSERTED", b"INSERT INTO t"],
)
def test_anything_else_is_no_insert_with_data(text: bytes) -> None:
    assert find_insert(text, ended=True) == "other"


INSERTS = st.sampled_from([
    b"INSERT INTO t (a, b) FORMAT JSONEachRow\n",
    b"/* VALUES */ insert into `x``y` values ",
    b"INSERT INTO FUNCTION f('it''s VALUES', \"q\") SETTINGS x = 'FORMAT' FORMAT Native\r\n",
])  # fmt: skip


@given(INSERTS, st.binary(max_size=40))
def test_an_insert_that_arrives_in_pieces_is_split_where_the_whole_is(
    statement: bytes, data: bytes
) -> None:
    whole = statement + b"x" + data
    expected = find_insert(whole, ended=True)
    assert isinstance(expected, Insert)
    for end in range(len(whole) + 1):
        found = find_insert(whole[:end], ended=False)
        if isinstance(found, Insert):
            assert found.head == expected.head
            assert found.format == expected.format
            assert found.data + whole[end:] == expected.data
        else:
            assert found == "more"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"SELECT 1", None),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1 format JSON SETTINGS max_threads = 1;", "JSON"),
        (b"SELECT format FROM t", None),
        (b"SELECT 'FORMAT CSV' -- FORMAT CSV", None),
        (b"SELECT * FROM (SELECT 1 FORMAT CSV)", None),
    ],
)
def test_the_format_is_the_one_at_the_end(text: bytes, named: str | None) -> None:
    assert read_statement(text).format == named


@pytest.mark.parametrize("text", [b"SELECT 1; SELECT 2", b"", b" -- nothing", b"SELECT 1;; DROP x"])
def test_none_and_several_statements_are_refused(text: bytes) -> None:
    with pytest.raises(GatewayError):
        read_statement(text)


@pytest.mark.parametrize("text", [b"SELECT ';'; -- end", b"SELECT 1 ;;", b"SELECT $$;$$"])
def test_a_closing_semicolon_is_no_second_statement(text: bytes) -> None:
    statement = read_statement(text)
    assert statement.sql.strip() in {b"SELECT ';'", b"SELECT 1", b"SELECT $$;$$"}
    assert statement.clause == (len(statement.sql), len(statement.sql))


@pytest.mark.parametrize(
    "text", [b"SELECT 'file(x)'", b"SELECT file FROM t", b"SELECT a.file, (1)"]
)
def test_a_column_named_file_is_allowed(text: bytes) -> None:
    check_words(words(text))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_look_at_a_statement(text: bytes) -> None:
    find_insert(text, ended=False)
    find_insert(text, ended=True)
    try:
        read_statement(text)
    except GatewayError as refused:
        assert refused.code == 62  # noqa: PT017 - whether it is refused depends on the bytes
