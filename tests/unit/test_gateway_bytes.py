"""Joining chunks into one document, undoing and applying compression, reading arguments."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.local.gateway.compression import choose_encoder, decoder
from tailrace.console.local.gateway.errors import GatewayError, from_engine
from tailrace.console.local.gateway.headed import Joined
from tailrace.console.local.gateway.request import parse_arguments, read_ask

PIECES = st.lists(st.binary(max_size=2000), max_size=8)


@pytest.mark.parametrize("name", ["gzip", "deflate", "lz4", "zstd"])
@given(pieces=PIECES)
def test_what_is_encoded_in_pieces_decodes_in_any_other_pieces(
    name: str, pieces: list[bytes]
) -> None:
    chosen = choose_encoder(name)
    assert chosen is not None
    encoder = chosen[1]
    packed = b"".join([*(encoder.feed(piece) for piece in pieces), encoder.end()])
    undo = decoder(name)
    found = b"".join(undo.feed(packed[i : i + 7]) for i in range(0, len(packed), 7))
    undo.end()
    assert found == b"".join(pieces)


@given(st.integers(min_value=1, max_value=30))
def test_a_cut_body_is_never_taken_for_a_whole_one(missing: int) -> None:
    packed = gzip.compress(b"some rows\n" * 100)
    undo = decoder("gzip")
    undo.feed(packed[:-missing])
    with pytest.raises(GatewayError, match="not complete"):
        undo.end()


def test_the_first_encoding_that_can_be_made_is_chosen_and_q_0_is_not() -> None:
    chosen = choose_encoder("br, lz4;q=0, gzip;q=0.5, zstd")
    assert chosen is not None
    assert chosen[0] == "gzip"
    assert choose_encoder("br, identity") is None


@pytest.mark.parametrize(
    ("output", "chunks", "document"),
    [
        ("CSVWithNames", [b'"a\nb"\n1\n', b'"a\nb"\n2\n'], b'"a\nb"\n1\n2\n'),
        ("TSVWithNamesAndTypes", [b"a\nInt8\n1\n", b"a\nInt8\n2\n"], b"a\nInt8\n1\n2\n"),
        ("RowBinaryWithNames", [b"\x01\x01a\x05", b"\x01\x01a\x06"], b"\x01\x01a\x05\x06"),
        ("TSV", [b"1\n", b"2\n"], b"1\n2\n"),
    ],
)
def test_chunks_become_one_document(output: str, chunks: list[bytes], document: bytes) -> None:
    joined = Joined(output)
    assert b"".join([*map(joined.add, chunks), joined.end()]) == document


def test_the_engines_repetitions_are_taken_out_of_an_error() -> None:
    text = (
        "Streaming query failed: Code: 73. DB::Exception: Code: 73. DB::Exception: "
        "Unknown format X. (UNKNOWN_FORMAT) (version 26.9.2.1). (UNKNOWN_FORMAT)"
    )
    error = from_engine(RuntimeError(text))
    assert error.code == 73
    assert error.status == 400
    assert error.text == "Code: 73. DB::Exception: Unknown format X. (UNKNOWN_FORMAT)"


def test_arguments_are_sorted_into_parameters_settings_and_transport() -> None:
    raw = "query=SELECT+%7Ba%7D&param_a=%27x&max_threads=2&database=d&session_id=s&query_id=q"
    ask = read_ask(parse_arguments(raw), {}, fresh_id="fresh")
    assert ask.query == b"SELECT {a}"
    assert ask.params == {"a": "'x"}
    assert ask.settings == {"max_threads": "2"}
    assert (ask.database, ask.query_id) == ("d", "q")


@pytest.mark.parametrize("raw", ["query=%z", "a%20b%3B=1", "x=%ff", "param_a%20b=1"])
def test_broken_arguments_are_refused(raw: str) -> None:
    with pytest.raises(GatewayError):
        read_ask(parse_arguments(raw), {}, fresh_id="fresh")
