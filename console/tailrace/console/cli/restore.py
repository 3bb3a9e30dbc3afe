"""`tailrace restore`: a data folder from a backup."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from tailrace.console.cli.options import DataOption
from tailrace.console.cli.progress import byte_progress
from tailrace.console.local.folder import find_folder
from tailrace.console.local.restore import restore_backup


def command(
    file: Annotated[Path, typer.Argument(help="A file that `tailrace backup` wrote.")],
    *,
    data: DataOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is in the data folder.")
    ] = False,
) -> None:
    """Make a data folder from a backup: all of it, verified, or nothing."""
    folder = find_folder(data)
    with byte_progress("reading") as progress:
        manifest = restore_backup(file, folder, replace=force, progress=progress)
    sys.stdout.write(
        f"{len(manifest.files)} files, {decimal(manifest.size_bytes)}, as they were at "
        f"{manifest.made_at}:\n{folder.path}\n`tailrace up` starts it\n"
    )
