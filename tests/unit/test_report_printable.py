"""Text from outside is made safe without hiding what it holds."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.report.printable import json_text, one_line, printable

_ANY_TEXT = st.text(st.characters())


def is_steering(character: str) -> bool:
    return character != "\n" and (
        unicodedata.category(character) in {"Cc", "Cs"}
        or unicodedata.bidirectional(character)
        in {"RLO", "LRO", "RLE", "LRE", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b2J", "<U+009B>2J"),
        ("a\x00b\x7f", "a␀b␡"),
        ("bell\x07 back\x08", "bell␇ back␈"),
        ("user\u202egnp.exe", "user<U+202E>gnp.exe"),
        ("a\r\nb\rc\td", "a\nb␍c    d"),
        ("lone \ud83d half", "lone <U+D83D> half"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("שלום 你好 👨\u200d👩\u200d👧 é", "שלום 你好 👨\u200d👩\u200d👧 é"),
    ],
)
def test_unsafe_characters_become_visible_and_others_stay(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(_ANY_TEXT)
def test_no_text_can_steer_a_terminal(text: str) -> None:
    assert not any(is_steering(character) for character in printable(text))
    assert "\n" not in one_line(text)


@given(_ANY_TEXT)
def test_printing_safe_text_again_changes_nothing(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.recursive(_ANY_TEXT | st.integers() | st.none(), st.lists))
def test_json_is_safe_to_print_and_reads_back_as_the_same_value(value: object) -> None:
    text = json_text(value)
    assert not any(is_steering(character) for character in text)
    text.encode()
    assert json.loads(text) == json.loads(json.dumps(value))


def test_json_keeps_characters_beyond_the_basic_plane_readable() -> None:
    assert json_text({"a": "日本 😀 \U000e0041"}) == '{"a": "日本 😀 \\udb40\\udc41"}'
