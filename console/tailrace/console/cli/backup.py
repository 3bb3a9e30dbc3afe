"""`tailrace backup`: the data folder in one file."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from tailrace.console.cli.options import DataOption
from tailrace.console.cli.progress import byte_progress
from tailrace.console.local.backup import write_backup
from tailrace.console.local.folder import find_folder


def command(
    file: Annotated[Path, typer.Argument(help="The file to write: .tar.zst or .tar.gz.")],
    *,
    data: DataOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write the data folder of a stopped stack to one file.

    It holds Kafka's log and ClickHouse's tables, and a checksum of each file.
    """
    folder = find_folder(data)
    with byte_progress("writing") as progress:
        manifest = write_backup(folder, file, replace=force, progress=progress)
    sys.stdout.write(
        f"{len(manifest.files)} files, {decimal(manifest.size_bytes)}, of {folder.path}:\n"
        f"{file}, {decimal(file.stat().st_size)}\n"
    )
