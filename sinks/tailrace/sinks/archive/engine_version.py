"""Which ClickHouse the archive may insert into."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Before these, an Avro enum's index was not checked against its symbols, and a corrupt record could
# end the server (ClickHouse pull request 106476): the release, and those it was ported back to.
_FIXED_FROM = (26, 6, 1, 399)
_PORTED_BACK = {(26, 5): (2, 31), (26, 4): (5, 92), (26, 3): (17, 16)}


class OldEngineError(TailraceError):
    """This ClickHouse has a defect that a corrupt record would bring out."""


def check_engine(client: Client) -> None:
    """Refuse an engine that corrupt records can crash.

    Raises:
        OldEngineError: saying which versions are sound.
    """
    if not checks_enum_indexes(str(client.server_version)):
        raise OldEngineError(
            f"ClickHouse {client.server_version} can be crashed by a corrupt record (it does not "
            "check the index of an Avro enum): upgrade it to 26.6 or newer, or to 26.5.2.31, "
            "26.4.5.92 or 26.3.17.16 at least"
        )


def checks_enum_indexes(version: str) -> bool:
    """Return whether a ClickHouse of this version checks them."""
    numbers = tuple(int(text) for text in re.findall(r"\d+", version)[:4])
    ported = _PORTED_BACK.get((numbers[0], numbers[1])) if len(numbers) > 1 else None
    return numbers >= _FIXED_FROM[: len(numbers)] or (ported is not None and numbers[2:] >= ported)
