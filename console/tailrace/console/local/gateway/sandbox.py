"""What SQL may reach: the engine's own tables, unless the gateway was told to allow more.

The embedded engine runs as the person who started it and, as a local tool, lets SQL read any file.
Two layers take that away: grants in the engine's configuration (files, other servers, table engines
that read them, shutting down), and a look at the words for the three things grants do not cover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tailrace.console.local.gateway.errors import ACCESS_DENIED, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_GRANTS = """
GRANT CHECK, SHOW, SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE,
 KILL QUERY, MOVE PARTITION BETWEEN SHARDS, SYSTEM, dictGet, INTROSPECTION ON *.*
REVOKE SYSTEM SHUTDOWN ON *.*
"""
_ENGINES = """
MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree CollapsingMergeTree
VersionedCollapsingMergeTree GraphiteMergeTree CoalescingMergeTree Memory Null Log TinyLog StripeLog
Set Join Buffer View MaterializedView Merge GenerateRandom Dictionary Atomic Alias
"""


# Only what asks for it is logged: an insert that fails, by which `proof` knows it.
_QUERY_LOG = """
<query_log><database>system</database><table>query_log</table>
<ttl>event_date + INTERVAL 1 DAY DELETE</ttl></query_log>
"""


def write_configuration(
    folder: Path, *, max_query_memory_bytes: int, allow_files: bool = False
) -> Path:
    """Write the engine's configuration into a folder and return its main file.

    A statement that needs more memory ends with code 241, unless its settings allow it more. With
    `allow_files` neither that nor the grants are limited.
    """
    grants = [" ".join(line.split()) for line in _statements()]
    queries = "".join(f"<query>{escape(grant)}</query>" for grant in grants)
    granted = "" if allow_files else f"<grants>{queries}</grants>"
    memory = f"<max_memory_usage>{max_query_memory_bytes}</max_memory_usage>"
    settings = "<log_queries>0</log_queries>" + ("" if allow_files else memory)
    users = folder / "gateway-users.xml"
    users.write_text(
        "<clickhouse><users><default><password></password><networks><ip>::/0</ip></networks>"
        f"<profile>default</profile><quota>default</quota>{granted}</default></users>"
        f"<profiles><default>{settings}</default>"
        "</profiles><quotas><default></default></quotas></clickhouse>",
        encoding="utf-8",
    )
    main = folder / "gateway-config.xml"
    main.write_text(
        f"<clickhouse><users_config>{escape(str(users))}</users_config>{_QUERY_LOG}</clickhouse>",
        encoding="utf-8",
    )
    return main


def check_words(words: Iterable[str]) -> None:
    """Refuse a statement that names a file through the client's own syntax or `file(...)`.

    Takes the words of a statement without its texts and comments; raises GatewayError.
    """
    before = ["", ""]
    for word in words:
        upper = word.strip('`"').upper()
        reads = before[1] == "FILE" and upper == "("
        applied = upper == "FILE" and ("APPLY" in before)
        if reads or applied or (before[1] in {"INTO", "FROM"} and upper in {"OUTFILE", "INFILE"}):
            raise refusal(
                ACCESS_DENIED,
                "ACCESS_DENIED",
                "Reading and writing this machine's files from SQL is off; "
                "start the gateway with --allow-files to change that.",
            )
        before = [before[1], upper]


def _statements() -> list[str]:
    grant, revoke = _GRANTS.strip().split("\nREVOKE")
    return [grant, "REVOKE" + revoke, *(f"GRANT TABLE ENGINE ON {e}" for e in _ENGINES.split())]
