"""What could not be read or stored, and what became of it?

A dead letter is its source's coordinates: however many readers gave a record up, and however often,
it is one letter. The record that lies there does not change, so a decision about it stands even if
a letter is written once more; a record that was sent again has coordinates of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

# One row a letter. The newest row of each source tells its reason; it wins by ts, then by reader.
_LETTERS = """
WITH
    letters AS
    (
        SELECT source_log_id, source_topic, source_partition, source_offset,
            max(dead_letters.ts) AS ts,
            arraySort(groupUniqArray(dead_letters.reader)) AS readers,
            argMax(dead_letters.reason, (dead_letters.ts, dead_letters.reader)) AS reason,
            argMax(length(value), (dead_letters.ts, dead_letters.reader)) AS size_bytes
        FROM dead_letters
        WHERE ({topic:String} = '' OR source_topic = {topic:String})
        GROUP BY source_log_id, source_topic, source_partition, source_offset
    ),
    decided AS
    (
        SELECT source_log_id, source_topic, source_partition, source_offset,
            max(dead_letter_decisions.ts) AS decided_at,
            argMax(decision, dead_letter_decisions.ts) AS decision,
            argMax(actor, dead_letter_decisions.ts) AS actor,
            argMax(dead_letter_decisions.reason, dead_letter_decisions.ts) AS decided_why,
            argMax(sent_offset, dead_letter_decisions.ts) AS sent_offset
        FROM dead_letter_decisions
        GROUP BY source_log_id, source_topic, source_partition, source_offset
    )
SELECT source_log_id, source_topic, source_partition, source_offset, ts, readers, reason,
    size_bytes, decision AS state, actor, decided_at, decided_why,
    sent_offset
FROM letters
LEFT JOIN decided USING (source_log_id, source_topic, source_partition, source_offset)
WHERE ts >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')
    AND ({text:String} = '' OR positionCaseInsensitiveUTF8(reason, {text:String}) > 0)
    AND ({every:Bool} OR state = '')
    AND ({partition:Int32} < 0
        OR (source_partition = {partition:Int32} AND source_offset = {offset:Int64}))
ORDER BY ts DESC, source_topic, source_partition, source_offset
LIMIT {limit:UInt32}
"""
# A letter whose bytes are kept wins over one of another reader that could not keep them. Hex, as
# the client would read bytes as text.
_RAW = """
SELECT isNull(key) AS no_key, hex(ifNull(key, '')) AS key_hex,
    isNull(value) AS no_value, hex(ifNull(value, '')) AS value_hex
FROM dead_letters
WHERE source_log_id = {log:String} AND source_topic = {topic:String}
    AND source_partition = {partition:Int32} AND source_offset = {offset:Int64}
ORDER BY isNotNull(value) DESC, dead_letters.ts DESC, reader
LIMIT 1
"""
_SEVERAL = 100


class NoSuchLetterError(TailraceError):
    """No dead letter has these coordinates, or several logs have one."""


@dataclass(frozen=True)
class ListedDeadLetter:
    """A record that was given up, once however often and by however many readers."""

    source_log_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    ts: datetime
    """When it was given up last, UTC."""

    readers: tuple[str, ...]
    """The consumer groups that gave it up."""

    reason: str
    """Why, the last time."""

    size_bytes: int | None
    """Bytes of the record's value; None where it is not kept."""

    state: str
    """Empty while nothing was decided, else `retried` or `dropped`."""

    actor: str
    """Who decided, if somebody did."""

    decided_at: datetime
    """When; the epoch if nobody did."""

    decided_why: str
    sent_offset: int
    """Where the record that was sent again lies, in the same partition; -1 or 0 if none was."""

    @property
    def id(self) -> str:
        """What people call it by: `topic:partition:offset`."""
        return f"{self.source_topic}:{self.source_partition}:{self.source_offset}"


@dataclass(frozen=True)
class LetterFilter:
    """Which letters are asked for; a field left alone asks for all."""

    topic: str = ""
    """The source's topic, by its full name."""

    since: datetime | None = None
    """Given up at or after this."""

    text: str = ""
    """What stands in the reason, whatever its case."""

    every: bool = False
    """Whether those that something was decided about are asked for too."""


def list_dead_letters(
    client: Client, limit: int = 100, wanted: LetterFilter | None = None
) -> list[ListedDeadLetter]:
    """Return the newest dead letters, newest first; by default those that nobody decided about.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    asked = LetterFilter() if wanted is None else wanted
    since_us = 0 if asked.since is None else int(asked.since.timestamp() * 1_000_000)
    return _ask(
        client,
        topic=asked.topic,
        since_us=since_us,
        text=asked.text,
        every=asked.every,
        limit=limit,
    )


def find_dead_letter(
    client: Client, topic: str, partition: int, offset: int, log_id: str = ""
) -> ListedDeadLetter:
    """Return the letter of a source's coordinates, whatever was decided about it.

    Raises:
        NoSuchLetterError: if there is none, or if several logs have one and `log_id` is empty.
        As `list_dead_letters` does.
    """
    found = _ask(
        client, topic=topic, partition=partition, offset=offset, every=True, limit=_SEVERAL
    )
    found = [letter for letter in found if log_id in ("", letter.source_log_id)]
    name = f"{topic}:{partition}:{offset}"
    if not found:
        raise NoSuchLetterError(f"there is no dead letter {name}: see `tailrace dead-letters ls`")
    if len(found) > 1:
        logs = ", ".join(sorted(letter.source_log_id for letter in found))
        raise NoSuchLetterError(f"{name} is a dead letter of several logs: name one of {logs}")
    return found[0]


def raw_record(client: Client, letter: ListedDeadLetter) -> tuple[bytes | None, bytes | None]:
    """Return the key and the value of the record, as they lay on the log; None for none.

    Raises:
        As `list_dead_letters` does.
    """
    row = ask(
        client,
        _RAW,
        {
            "log": letter.source_log_id,
            "topic": letter.source_topic,
            "partition": letter.source_partition,
            "offset": letter.source_offset,
        },
    )[0]
    key = None if row["no_key"] else bytes.fromhex(row["key_hex"])
    value = None if row["no_value"] else bytes.fromhex(row["value_hex"])
    return key, value


def _ask(client: Client, **given: Any) -> list[ListedDeadLetter]:
    none = {"topic": "", "since_us": 0, "text": "", "every": False, "partition": -1, "offset": -1}
    rows = ask(client, _LETTERS, {**none, **given})
    for row in rows:
        row["readers"] = tuple(row["readers"])
    return [ListedDeadLetter(**row) for row in rows]
