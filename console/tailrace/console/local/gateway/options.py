"""What the gateway can be told, and its bounds."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

PASSWORD_VARIABLE = "TAILRACE_GATEWAY_PASSWORD"  # noqa: S105 - the name of a variable
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MIB = 1 << 20


@dataclass(frozen=True)
class GatewayOptions:
    """One gateway's settings; sizes in bytes, times in seconds."""

    path: Path
    """The data folder; one process at a time."""
    host: str = "127.0.0.1"
    port: int = 8123
    """0 takes a free one."""
    allow_remote: bool = False
    """Listen on, and answer for, names that are not loopback."""
    allow_files: bool = False
    """Let SQL reach the machine's files and other servers: file(), url(), INTO OUTFILE, …"""
    user: str | None = None
    password: str | None = None
    """None asks nobody for one."""
    exit_with_parent: bool = False
    """End when standard input closes."""
    parent_pid: int | None = None
    """End when this process is gone."""
    max_concurrent: int = 16
    """Statements that run at a time."""
    max_waiting: int = 256
    """Statements that wait for their turn; one more is refused with code 202."""
    max_wait_s: float = 30.0
    """The longest such wait."""
    max_query_bytes: int = 64 * _MIB
    """The longest SQL text; an insert's data is not counted."""
    max_insert_bytes: int = 8 << 30
    """The longest body of one insert, decompressed."""
    drain_s: float = 8.0
    """How long a graceful stop waits for what runs."""


def parse_options(arguments: list[str] | None = None) -> GatewayOptions:
    """Read the command line; argparse ends the process with 2 on a mistake."""
    told = _parser().parse_args(arguments)
    return GatewayOptions(
        path=told.path,
        host=told.host,
        port=told.port,
        allow_remote=told.allow_remote,
        allow_files=told.allow_files,
        user=told.user,
        password=os.environ.get(told.password_env) or None,
        exit_with_parent=told.exit_with_parent,
        parent_pid=told.parent_pid,
        max_concurrent=told.max_concurrent,
        max_waiting=told.max_waiting,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tailrace.console.local.gateway", description=__doc__
    )
    parser.add_argument("--path", type=Path, required=True, help="data folder")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free one")
    parser.add_argument("--allow-remote", action="store_true", help="listen beyond this machine")
    parser.add_argument(
        "--allow-files", action="store_true", help="let SQL reach files and other servers"
    )
    parser.add_argument("--user", help="the only user, default `default`, if a password is set")
    parser.add_argument(
        "--password-env",
        default=PASSWORD_VARIABLE,
        metavar="NAME",
        help="the variable that holds the password",
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument("--max-concurrent", type=int, default=16, help="statements at a time")
    parser.add_argument("--max-waiting", type=int, default=256, help="statements that may wait")
    return parser
