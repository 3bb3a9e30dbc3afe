"""What a query can fail with, in the words and codes of ClickHouse's own HTTP interface."""

from __future__ import annotations

import re

from tailrace.schemas.errors import TailraceError

BAD_ARGUMENTS = 36
SYNTAX_ERROR = 62
UNKNOWN_SETTING = 115
NOT_ENOUGH_MEMORY_FOR_BODY = 307
TOO_MANY_QUERIES = 202
UNKNOWN_SESSION = 372
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
CANNOT_DECOMPRESS = 271
QUERY_CANCELLED = 394
UNKNOWN = 1000

_STATUS = {
    AUTHENTICATION_FAILED: 403,
    ACCESS_DENIED: 403,
    TOO_MANY_QUERIES: 503,
    NOT_ENOUGH_MEMORY_FOR_BODY: 413,
    48: 501,  # NOT_IMPLEMENTED
    158: 403,  # TOO_MANY_ROWS, as ClickHouse answers it
    **dict.fromkeys((46, 47, 60, 81), 404),  # unknown function, identifier, table, database
    **dict.fromkeys(
        (6, 26, 27, 36, 38, 41, 42, 43, 50, 53, 62, 69, 70, 72, 73, 115, 117, 130), 400
    ),
    **dict.fromkeys((271, 372, 373, 456, 457, 636), 400),
}
_CODE = re.compile(r"Code: (\d+)\. ")
_REPEATED = re.compile(r"(Code: \d+\. DB::Exception: )(?:Code: \d+\. DB::Exception: )+")
_NAMED_AGAIN = re.compile(r"(?: \(([A-Z0-9_]+)\)(?: \(version [^)]*\))?\.?)+(?: \(\1\))\Z")
_PREFIX = re.compile(r"^.*?(?=Code: \d+\. )", re.DOTALL)


class GatewayError(TailraceError):
    """A request that failed; `code` is ClickHouse's, its text starts with its number."""

    def __init__(self, text: str, code: int = UNKNOWN, *, status: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status or _STATUS.get(code, 500)


class EngineUnavailableError(TailraceError):
    """The engine could not be opened on its folder."""


def refusal(code: int, name: str, sentence: str, *, status: int | None = None) -> GatewayError:
    """Make an error of the gateway's own look as the engine's do."""
    return GatewayError(f"Code: {code}. DB::Exception: {sentence} ({name})", code, status=status)


def from_engine(raised: BaseException) -> GatewayError:
    """Read the code out of what chDB raised; it wraps and repeats the engine's own text."""
    text = str(raised)
    found = _CODE.search(text)
    if not found:
        return refusal(
            UNKNOWN, "UNKNOWN_EXCEPTION", text.splitlines()[0] if text else "No reason given"
        )
    text = _REPEATED.sub(r"\1", _PREFIX.sub("", text, count=1))
    text = _NAMED_AGAIN.sub(r" (\1)", text)
    return GatewayError(text, int(found.group(1)))
