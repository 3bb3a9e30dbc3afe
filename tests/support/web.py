"""A small HTTP server in a thread, whose answers a test scripts; it knows byte ranges."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@dataclass
class Repository:
    """Files by path, and what goes wrong with the next answers."""

    files: dict[str, bytes]
    url: str = ""
    cut_after: list[int] = field(default_factory=list[int])
    """Each answer takes one off the front and breaks off after so many bytes."""
    fail_with: list[int] = field(default_factory=list[int])
    """Each answer takes one off the front and is that status, without content."""
    ranges: list[str | None] = field(default_factory=list["str | None"])
    """The range of each request so far."""
    knows_ranges: bool = True


@contextmanager
def serving(files: dict[str, bytes]) -> Generator[Repository]:
    """Serve files on loopback inside the block."""
    repository = Repository(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, repository)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        repository.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield repository
        finally:
            server.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, repository: Repository) -> None:
    asked = handler.headers.get("Range")
    repository.ranges.append(asked)
    content = repository.files.get(handler.path)
    if repository.fail_with or content is None:
        status = repository.fail_with.pop(0) if repository.fail_with else 404
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start = 0
    if asked and repository.knows_ranges:
        found = re.fullmatch(r"bytes=(\d+)-", asked)
        assert found
        start = int(found[1])
        if start >= len(content):
            handler.send_error(416)
            return
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    cut = repository.cut_after.pop(0) if repository.cut_after else None
    handler.wfile.write(content[start:] if cut is None else content[start : start + cut])
