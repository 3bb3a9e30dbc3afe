"""Reading a recording line by line: bounded, gzipped or not, broken or not."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.importing.errors import ImportFailedError, LineRefusedError
from tailrace.console.importing.lines import read_lines

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, max_bytes: int = 100) -> list[tuple[int, bytes | str]]:
    return [
        (line.number, line.text.reason if isinstance(line.text, LineRefusedError) else line.text)
        for line in read_lines(path, max_bytes)
    ]


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf{}\r\n\n  \n[]")
    assert read(path) == [(1, b"{}"), (4, b"[]")]


def test_a_gzipped_file_reads_like_a_plain_one_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress(b"{}\n[]\n"))
    assert read(path) == [(1, b"{}"), (2, b"[]")]


def test_a_line_over_the_limit_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 100 + b"\n" + b"x" * 1234 + b"\n{}\n")
    refusal = "the line is longer than 100 bytes"
    assert read(path) == [(1, b"x" * 100), (2, refusal), (3, b"{}")]


def test_a_gzip_that_breaks_off_keeps_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 10)[:-9])
    lines = read(path)
    assert [number for number, _ in lines] == list(range(1, len(lines) + 1))
    assert lines[:-1] == [(number, b"{}") for number in range(1, len(lines))]
    assert "breaks off" in str(lines[-1][1])


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match="No such file"):
        read(tmp_path / "none.jsonl")


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line)), st.integers(1, 30))
def test_every_line_is_yielded_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], limit: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(b" " + b"\n".join(lines))  # the blank keeps a first line from being gzip
    found = dict(read(path, limit))
    for number, line in enumerate(lines, start=1):
        text = b" " + line if number == 1 else line
        kept = text.rstrip(b"\r\n")
        if len(text) > limit:
            assert "longer" in str(found[number])
        elif text.strip():
            assert found[number] == kept
        else:
            assert number not in found
