"""Makes text from outside safe to print: nothing in it can steer a terminal or hide from a reader.

What agents record is other people's text. A raw escape sequence could recolour, overwrite or
retitle the terminal; a bidirectional override could make a line read as what it is not. Such
characters are made visible rather than dropped: that they are there is a fact about the run.
"""

from __future__ import annotations

import json
import re
from typing import Any

TAB = " " * 4
_C0 = "\x00-\x08\x0b-\x1f\x7f"
_C1 = "\x80-\x9f"
# Marks that reorder text, interlinear anchors, and tag characters, which can smuggle hidden words.
_INVISIBLE = (
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_SURROGATES = "\ud800-\udfff"
_UNSAFE = re.compile(f"[{_C0}{_C1}{_INVISIBLE}{_SURROGATES}]")
_LINE_END = re.compile("\r\n|[\u2028\u2029\x85]")
# JSON escapes the C0 characters itself; these it would pass on as they are.
_UNSAFE_IN_JSON = re.compile(f"[\x7f{_C1}{_INVISIBLE}{_SURROGATES}\u2028\u2029]")
_CONTROL_PICTURES = 0x2400
_DELETE = 0x7F
_FIRST_PRINTABLE = 0x20
_FIRST_ASTRAL = 0x10000


def printable(text: str) -> str:
    r"""Return the text with every unsafe character made visible; line feeds stay, tabs are blanks.

    `ESC` becomes `␛`, a null byte `␀`, a right-to-left override `<U+202E>`.
    """
    return _UNSAFE.sub(_picture, _LINE_END.sub("\n", text)).replace("\t", TAB)


def one_line(text: str) -> str:
    """Return the printable text with each run of white space as one blank."""
    return " ".join(printable(text).split())


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return the value as JSON that is safe to print and still reads back as the same value."""
    return json_safe(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def json_safe(text: str) -> str:
    """Return JSON text with the characters escaped that could steer a terminal."""
    return _UNSAFE_IN_JSON.sub(_json_escape, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < _FIRST_PRINTABLE:
        return chr(_CONTROL_PICTURES + code)
    return "␡" if code == _DELETE else f"<U+{code:04X}>"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < _FIRST_ASTRAL:
        return f"\\u{code:04x}"
    code -= _FIRST_ASTRAL
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
