"""One request as values: its SQL, parameters, settings, and what it asks of the transport."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tailrace.console.local.gateway.errors import (
    BAD_ARGUMENTS,
    UNKNOWN_SETTING,
    refusal,
)

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}\Z")
_TRUE = {"1", "true", "yes", "on"}
# Arguments of HTTP, not of the engine. The engine has settings of some of these names that only
# make sense for a server of its own.
_TRANSPORT = frozenset(
    [
        "query",
        "database",
        "default_format",
        "query_id",
        "user",
        "password",
        "quota_key",
        "role",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "compress",
        "decompress",
        "wait_end_of_query",
        "buffer_size",
        "client_protocol_version",
        "enable_http_compression",
        "http_zlib_compression_level",
        "stacktrace",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "http_response_headers",
    ]
)


@dataclass(frozen=True)
class Ask:
    """What a request's arguments say; its body is read by others."""

    query: bytes
    """The `query` argument; the body follows it."""
    params: dict[str, str]
    settings: dict[str, str]
    database: str | None
    default_format: str
    query_id: str
    whole: bool
    """`wait_end_of_query`: nothing is sent before the statement has ended."""
    framed_body: bool
    """`decompress`: the body is in ClickHouse's own compressed blocks."""
    framed_result: bool
    """`compress`: so shall be the result."""
    compressed: bool
    """Whether Accept-Encoding may be followed."""


def parse_arguments(raw: str) -> list[tuple[str, bytes]]:
    """Split a raw query string; raises GatewayError for a broken percent-encoding."""
    found: list[tuple[str, bytes]] = []
    for part in raw.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if _BAD_PERCENT.search(part):
            raise refusal(
                BAD_ARGUMENTS, "BAD_ARGUMENTS", "The URL has a % that starts no percent-encoding."
            )
        key = unquote_to_bytes(name.replace("+", " ")).decode("utf-8", "replace")
        found.append((key, unquote_to_bytes(value.replace("+", " "))))
    return found


def read_ask(arguments: list[tuple[str, bytes]], headers: dict[str, str], *, fresh_id: str) -> Ask:
    """Sort a request's arguments; the last of a repeated one counts, as in ClickHouse.

    Raises GatewayError for what cannot be a setting. `session_id` is accepted, since
    clickhouse-connect sends one with every query, but nothing is kept between queries.
    """
    raw = dict(arguments)
    told = {name: _text(name, value) for name, value in raw.items() if name != "query"}
    return Ask(
        query=raw.get("query", b""),
        params=_params(told),
        settings=_settings(told),
        database=told.get("database") or headers.get("X-ClickHouse-Database") or None,
        default_format=told.get("default_format")
        or headers.get("X-ClickHouse-Format")
        or "TabSeparated",
        query_id=told.get("query_id") or fresh_id,
        whole=told.get("wait_end_of_query", "") in _TRUE,
        framed_body=told.get("decompress", "") in _TRUE,
        framed_result=told.get("compress", "") in _TRUE,
        compressed=told.get("enable_http_compression", "1") in _TRUE,
    )


def _params(told: dict[str, str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for argument, value in told.items():
        name = argument.removeprefix("param_")
        if name != argument:
            if not _SETTING_NAME.match(name):
                raise refusal(
                    BAD_ARGUMENTS, "BAD_ARGUMENTS", f"'{name[:100]}' cannot name a parameter."
                )
            params[name] = value
    return params


def _settings(told: dict[str, str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for name, value in told.items():
        if name in _TRANSPORT or name.startswith("param_"):
            continue
        if not _SETTING_NAME.match(name):
            raise refusal(UNKNOWN_SETTING, "UNKNOWN_SETTING", f"Unknown setting '{name[:100]}'.")
        settings[name] = value
    return settings


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise refusal(
            BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The argument {name[:100]} is not valid UTF-8."
        ) from None
