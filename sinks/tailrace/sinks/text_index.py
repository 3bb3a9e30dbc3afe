"""An index of the words in payloads, for who searches them often: there only if asked for.

It makes `traces ls --text` over everything several times cheaper, and storing an event a third to a
half dearer, in processor time and on disk (design/017-speed.md). No question is put differently
with it: the engine answers `ILIKE` from the words of the index, also for a part of a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask, tell

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS = (("events", "input"), ("events", "output"), ("bodies", "content"))
_ADD = """
ALTER TABLE {table:Identifier} ADD INDEX IF NOT EXISTS <column>_words <column>
TYPE text(tokenizer = splitByNonAlpha, preprocessor = lower(<column>))
"""
_FILL = "ALTER TABLE {table:Identifier} MATERIALIZE INDEX <column>_words"
_DROP = "ALTER TABLE {table:Identifier} DROP INDEX IF EXISTS <column>_words"
_FOUND = """
SELECT count() AS found
FROM system.data_skipping_indices
WHERE database = currentDatabase() AND type = 'text' AND endsWith(name, '_words')
"""


def has_text_index(client: Client) -> bool:
    """Return whether the words of every payload's column are indexed.

    Raises:
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    return int(ask(client, _FOUND)[0]["found"]) == len(_COLUMNS)


def add_text_index(client: Client) -> None:
    """Index what is stored from now on at once, and what is stored already in the background.

    Safe to run twice. Returns when the engine has taken the task.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError: if ClickHouse refuses, as one that is too old for such an index does.
        ClickHouseUnreachableError: if it does not answer.
    """
    for statement in (_ADD, _FILL):
        for table, column in _COLUMNS:
            tell(client, statement.replace("<column>", column), {"table": table})


def drop_text_index(client: Client) -> None:
    """Take the index away, and its files; safe to run twice. Raises as `add_text_index` does."""
    for table, column in _COLUMNS:
        tell(client, _DROP.replace("<column>", column), {"table": table})
