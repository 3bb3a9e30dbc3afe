"""Who runs a command, for what it records."""

from __future__ import annotations

import getpass


def actor() -> str:
    """Return the name of who runs this, for the record; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
