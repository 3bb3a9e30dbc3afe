"""A folder of the broker's own, made ready for its first start.

Kafka's storage tool writes two small files: which cluster and folder this is, and with which
versions of the protocols the cluster begins. The latter is the same for all clusters of one
Kafka, so the tool runs once a machine: afterwards its file is taken from the cache, which spares a
start of Java.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import uuid
from typing import TYPE_CHECKING

from tailrace.console.local.cache import cache_folder
from tailrace.console.local.errors import StackError
from tailrace.console.local.kafka_failures import failure_sentence
from tailrace.console.local.kafka_settings import LOCALE, NODE_ID, server_properties
from tailrace.console.local.ports import free_ports
from tailrace.console.local.whole_file import put_whole

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.kafka import Runtime

_TIMEOUT_S = 60
_BOOTSTRAP = "bootstrap.checkpoint"
_META = "meta.properties"


class FormatError(StackError):
    """The folder cannot be made ready."""


def format_folder(folder: Path, runtime: Runtime) -> None:
    """Make `folder/data` ready for a new cluster; does nothing if it is.

    Raises:
        FormatError: if the tool fails, with the reason that it gives.
        OSError: if a file cannot be written.
    """
    data = folder / "data"
    if (data / _META).exists():
        return
    versions = _known(runtime)
    if versions is None:
        run_tool(folder, runtime)
        versions = (data / _BOOTSTRAP).read_bytes()
        put_whole(cache_folder("formats") / _name(runtime, versions), versions)
        return
    data.mkdir(parents=True, exist_ok=True)
    put_whole(data / _BOOTSTRAP, versions)
    # Last: a folder without it is taken for one that was never formatted.
    lines = (
        f"cluster.id={new_id(uuid.uuid4())}",
        f"directory.id={new_id(uuid.uuid4())}",
        f"node.id={NODE_ID}",
        "version=1",
    )
    put_whole(data / _META, "".join(f"{line}\n" for line in lines).encode())


def new_id(source: uuid.UUID) -> str:
    """Return an id as Kafka writes them: 22 characters, the first of them no dash.

    A leading dash, one time in 64, would make it an option of the tool that takes it.
    """
    return base64.urlsafe_b64encode(b"\x00" + source.bytes[1:]).decode().rstrip("=")


def run_tool(folder: Path, runtime: Runtime) -> None:
    """Have Kafka's own tool format the folder.

    Raises:
        FormatError: with the reason that it gives.
    """
    properties = folder / "format.properties"
    text = server_properties(folder / "data", *free_ports(2))
    properties.write_text(text, encoding="utf-8")
    tool = ("kafka.tools.StorageTool", "format", "-t", new_id(uuid.uuid4()), "-c", str(properties))
    java, *rest = runtime.command(*tool)
    answer = subprocess.run(
        [java, *runtime.archive.reading(), *rest],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        env={**os.environ, **LOCALE},
    )
    properties.unlink()
    if answer.returncode:
        raise FormatError(failure_sentence(answer.stdout + answer.stderr, folder))


def _known(runtime: Runtime) -> bytes | None:
    """Return what the tool wrote before for this Kafka; a damaged file is removed."""
    for path in cache_folder("formats").glob(f"{_key(runtime)}-*.checkpoint"):
        content = path.read_bytes()
        if path.name == _name(runtime, content):
            return content
        path.unlink(missing_ok=True)
    return None


def _key(runtime: Runtime) -> str:
    # The jars' names hold their versions, and their content is checked before they are used.
    names = "\n".join(jar.name for jar in runtime.class_path)
    return f"kafka-{hashlib.sha256(names.encode()).hexdigest()[:24]}"


def _name(runtime: Runtime, content: bytes) -> str:
    return f"{_key(runtime)}-{hashlib.sha256(content).hexdigest()[:24]}.checkpoint"
