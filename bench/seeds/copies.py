"""A few thousand real events made into millions by the engine, with ids and times of their own.

Each copy takes another stretch of ten days; each trace of it begins somewhere in that stretch, and
its id grows with its time, as ids of the product do. Payloads are the real ones: equal texts lie so
far apart that compression does not see them twice. One input in a million gets the word NEEDLE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask, tell

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

START_US = 1_790_000_000_000_000
DAYS = 10
DAY_US = 86_400_000_000
NEEDLE = "zebracorn"
COMPONENTS, DEPLOYMENTS = 10, 7
_PORTION = 100
_OF_TRACE = "cityHash64(seeds.trace_id, copy)"
_HASH = "lower(hex(SHA256(concat(id, toString(copy)))))"
_INSERT = """
INSERT INTO {target}.{table} ({columns})
SELECT {values}
FROM (SELECT *, min(ts) OVER (PARTITION BY trace_id) AS first FROM {source}.{table}) AS seeds
CROSS JOIN (SELECT number AS copy FROM numbers({begin}, {count})) AS copies
SETTINGS max_memory_usage = 0
"""


def copy_events(client: Client, source: str, target: str, events: int) -> int:
    """Fill `target` with copies of `source` until it holds about so many events; return how many.

    Bodies are copied as often, under hashes of their own, which the copied events name.
    """
    [found] = ask(client, f"SELECT count() AS seeds FROM {source}.events")  # noqa: S608 - our name
    copies = max(1, round(events / found["seeds"]))
    stretch_us = DAYS * DAY_US // copies
    for table, made in (("events", _event), ("bodies", _body)):
        names = _columns(client, target, table)
        values = ", ".join(f"{made(name, stretch_us)} AS {name}" for name in names)
        for begin in range(0, copies, _PORTION):
            statement = _INSERT.format(
                target=target,
                table=table,
                columns=", ".join(names),
                values=values,
                source=source,
                begin=begin,
                count=min(_PORTION, copies - begin),
            )
            tell(client, statement)
    return copies * int(found["seeds"])


def _columns(client: Client, database: str, table: str) -> list[str]:
    rows = ask(
        client,
        "SELECT name FROM system.columns WHERE database = {database:String} "
        "AND table = {table:String} ORDER BY position",
        {"database": database, "table": table},
    )
    return [str(row["name"]) for row in rows]


def _event(name: str, stretch_us: int) -> str:
    shift = f"({_began(stretch_us)} - toUnixTimestamp64Micro(seeds.first))"
    known = {
        "trace_id": _trace_id(stretch_us),
        "children": "arrayMap(id -> lower(hex(MD5(concat(id, toString(copy))))), seeds.children)",
        "bodies": f"arrayMap(id -> {_HASH}, seeds.bodies)",
        "component": f"concat(seeds.component, '-', toString({_OF_TRACE} % {COMPONENTS}))",
        "deployment": (
            f"lower(hex(SHA256(concat(seeds.component, toString(copy % {DEPLOYMENTS})))))"
        ),
        "ts": f"seeds.ts + toIntervalMicrosecond({shift})",
        "started_at": f"seeds.started_at + toIntervalMicrosecond({shift})",
        "broker_ts": f"toDateTime64(seeds.ts + toIntervalMicrosecond({shift}), 3, 'UTC')",
        "offset": "seeds.offset + copy * 100000",
        "input": (
            f"replaceOne({_referring('input')}, 'e', if(rand() % 1000000 = 0, '{NEEDLE}', 'e'))"
        ),
        "output": _referring("output"),
    }
    ids = ("run_id", "root_run_id", "parent_run_id", "session")
    known |= {name: _renewed(f"seeds.{name}") for name in ids}
    return known.get(name, f"seeds.{name}")


def _body(name: str, stretch_us: int) -> str:
    known = {
        "trace_id": _trace_id(stretch_us),
        "sha256": _HASH.replace("id", "seeds.sha256"),
        "content": _referring("content"),
    }
    return known.get(name, f"seeds.{name}")


def _referring(column: str) -> str:
    """Return a text whose references name the copies of the bodies."""
    ids = f"""extractAll(ifNull(seeds.{column}, ''), '"([0-9a-f]{{64}})"')"""
    return f"arrayFold((text, id) -> replaceAll(text, id, {_HASH}), {ids}, seeds.{column})"


def _renewed(column: str) -> str:
    return f"if({column} = '', '', lower(hex(MD5(concat({column}, toString(copy))))))"


def _began(stretch_us: int) -> str:
    return f"({START_US} + copy * {stretch_us} + cityHash64(seeds.trace_id) % {stretch_us})"


def _trace_id(stretch_us: int) -> str:
    milliseconds = f"leftPad(lower(hex(intDiv({_began(stretch_us)}, 1000))), 16, '0')"
    rest = "lower(hex(MD5(concat(seeds.trace_id, toString(copy)))))"
    return f"concat(substring({milliseconds}, 5), substring({rest}, 13))"
