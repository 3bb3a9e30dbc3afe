"""One file over HTTP: resumed where it broke off, checked by SHA-256, put in place in one step."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from tailrace.console.local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK_BYTES = 1 << 16
TIMEOUT_S = (10, 30)
"""To connect, and between two pieces of an answer."""
FIRST_WAIT_S = 0.4
"""Before a second try; each further one waits twice as long."""
_TRIES = 4
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416
_SERVER_ERROR = 500


class DownloadError(StackError):
    """A file could not be fetched, or what came is not what was pinned."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, target: Path, sha256: str, on_bytes: Callable[[int], None]) -> None:
    """Fetch `url` to `target`; a `.part` file beside it is continued, also one of an earlier try.

    `on_bytes` is told the bytes gained by each piece, a negative number when a part had to be
    dropped. Transport errors and 5xx answers are tried again, four times in all. A whole file with
    another SHA-256 is dropped and fetched once more from its start.

    Raises:
        DownloadError: if no try succeeded; the part stays for the next call.
    """
    import requests  # noqa: PLC0415 - 0.1 s, only where something is missing

    part = target.with_name(target.name + ".part")
    last = "no answer"
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(FIRST_WAIT_S * 2 ** (attempt - 1))
        try:
            _continue(url, part, on_bytes)
        except requests.RequestException as error:
            last = _reason(error)
            continue
        except _AnswerError as error:
            last = str(error)
            if not error.passing:
                break
            continue
        if sha256_of(part) == sha256:
            part.replace(target)
            return
        last = "its SHA-256 is not the pinned one"
        on_bytes(-part.stat().st_size)
        part.unlink()
    raise DownloadError(f"{target.name} could not be fetched ({last})")


class _AnswerError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"the repository answered {status}")
        self.passing = status >= _SERVER_ERROR


def _continue(url: str, part: Path, on_bytes: Callable[[int], None]) -> None:
    import requests  # noqa: PLC0415 - as above

    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == _RANGE_NOT_SATISFIABLE:
            return  # The part is whole already, or too long: its SHA-256 says which.
        if not answer.ok:
            raise _AnswerError(answer.status_code)
        resumed = answer.status_code == _PARTIAL_CONTENT
        if have and not resumed:
            on_bytes(-have)
        with part.open("ab" if resumed else "wb") as file:
            for piece in answer.iter_content(CHUNK_BYTES):
                file.write(piece)
                on_bytes(len(piece))


def _reason(error: Exception) -> str:
    import requests  # noqa: PLC0415 - as above

    if isinstance(error, requests.Timeout):
        return "the repository did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "the repository cannot be reached"
    return type(error).__name__
