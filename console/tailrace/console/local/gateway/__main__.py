"""`python -m tailrace.console.local.gateway`."""

from __future__ import annotations

import asyncio
import sys

from tailrace.console.local.gateway.lifecycle import serve
from tailrace.console.local.gateway.options import parse_options
from tailrace.schemas.errors import TailraceError


def main() -> int:
    """Run the gateway; a reason not to is one sentence on standard error and exit code 1."""
    try:
        asyncio.run(serve(parse_options()))
    except TailraceError as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
