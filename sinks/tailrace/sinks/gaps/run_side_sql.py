"""The questions of the run side: fixed fragments, chosen by which filters are given, values bound.

A chunk is a range of trace ids, so that a run and all that it names lie in one chunk, in the sort
order of the table. The engine folds; only what is not whole leaves it.
"""

from __future__ import annotations

_MEMORY = """
SETTINGS max_memory_usage = 4000000000, max_bytes_before_external_group_by = 1000000000,
    optimize_aggregation_in_order = 1
"""
_FILTERS = {
    "component": "component = {component:String}",
    "environment": "environment = {environment:String}",
    "session": "session = {session:String}",
}
_SINCE = "ts >= {since:DateTime64(6, 'UTC')}"
_BEGAN = "began >= {since:DateTime64(6, 'UTC')}"
# A run that began before may go on after: its other events are needed to tell so.
_OF_RECENT = "trace_id IN (SELECT trace_id FROM events WHERE <chunk> AND <since>)".replace(
    "<since>", _SINCE
)

_BORDER = """
SELECT trace_id
FROM events
WHERE <where>
ORDER BY trace_id
LIMIT 1 OFFSET {rows:UInt64}
"""
_NEXT = """
SELECT trace_id
FROM events
WHERE trace_id > {first:String}
ORDER BY trace_id
LIMIT 1
"""
_RUNS = """
SELECT count() AS runs, countIf(ended = 0) AS open_runs, sum(must) AS must_be,
    sum(there) AS are,
    countIf(there != must AND newest >= {settled:DateTime64(3, 'UTC')}) AS young,
    sumIf(must - there, there != must AND newest < {settled:DateTime64(3, 'UTC')}) AS missing,
    groupArrayIf(10000)(tuple(trace_id, run_id, of_component, of_environment, began, must, there,
        if(ended, must - 1, -1)), there != must AND newest < {settled:DateTime64(3, 'UTC')})
        AS unlike
FROM
(
    SELECT trace_id, run_id,
        any(component) AS of_component,
        any(environment) AS of_environment,
        min(ifNull(started_at, ts)) AS began,
        max(broker_ts) AS newest,
        count(last_seq) > 0 AS ended,
        uniqExact(seq) AS there,
        greatest(ifNull(max(last_seq), -1), max(seq)) + 1 AS must
    FROM events
    WHERE <where>
    GROUP BY trace_id, run_id
    HAVING <having>
)
"""
_SEQS = """
SELECT run_id, groupUniqArray(seq) AS seqs
FROM events
WHERE trace_id IN {trace_ids:Array(String)} AND run_id IN {run_ids:Array(String)}
GROUP BY run_id
"""
_NAMED = """
SELECT DISTINCT trace_id, run_id, what, named, broker_ts AS named_at
FROM
(
    SELECT trace_id, run_id, broker_ts, 'child' AS what, arrayJoin(children) AS named
    FROM events
    WHERE <where> AND notEmpty(children)
    UNION ALL
    SELECT trace_id, run_id, broker_ts, 'parent' AS what, parent_run_id AS named
    FROM events
    WHERE <where> AND parent_run_id != ''
)
WHERE named NOT IN (SELECT run_id FROM events WHERE <chunk>)
ORDER BY named_at
LIMIT 1 BY trace_id, run_id, what, named
"""
_UNCLAIMED = """
SELECT uniqExact(made) AS unclaimed
FROM (SELECT arrayJoin(offers) AS made FROM events WHERE <where> AND notEmpty(offers))
WHERE made NOT IN (SELECT offer FROM events WHERE <chunk> AND offer != '')
"""
# A trace's own bodies are one range of the table; what is left was sent by another trace.
_BODIES = """
SELECT trace_id, run_id, sha256, max(broker_ts) AS named_at
FROM (SELECT trace_id, run_id, broker_ts, arrayJoin(bodies) AS sha256 FROM events WHERE <where>)
WHERE sha256 NOT IN (SELECT sha256 FROM bodies WHERE <chunk>)
GROUP BY trace_id, run_id, sha256
"""
FOUND_BODIES = "SELECT DISTINCT sha256 FROM bodies WHERE sha256 IN {hashes:Array(String)}"


class RunSideSql:
    """The questions for the filters that are given, by the names of their parameters."""

    def __init__(self, given: frozenset[str]) -> None:
        self._filters = [sql for name, sql in _FILTERS.items() if name in given]
        self._since = "since" in given

    def border(self) -> str:
        """Return: where does the next chunk begin, `rows` events after `first`?"""
        where = "trace_id >= {first:String}" + (f" AND {_SINCE}" if self._since else "")
        return _BORDER.replace("<where>", where)

    def next_trace(self) -> str:
        """Return: which is the first trace after `first`?"""
        return _NEXT

    def runs(self, *, bounded: bool) -> str:
        """Return: what do the chunk's runs come to, and which are not whole?"""
        return self._complete(_RUNS, bounded)

    def seqs(self) -> str:
        """Return: which seqs of these runs are stored?"""
        return _SEQS

    def named(self, *, bounded: bool) -> str:
        """Return: which runs are named as child or parent and not stored?"""
        return self._complete(_NAMED, bounded)

    def unclaimed(self, *, bounded: bool) -> str:
        """Return: how many offers does no stored run claim?"""
        return self._complete(_UNCLAIMED, bounded)

    def bodies(self, *, bounded: bool) -> str:
        """Return: which bodies are named and were not first sent by the chunk's traces?"""
        return self._complete(_BODIES, bounded)

    def _complete(self, sql: str, bounded: bool) -> str:  # noqa: FBT001 - private
        chunk = "trace_id >= {first:String}"
        if bounded:
            chunk += " AND trace_id < {beyond:String}"
        where = [chunk, *self._filters]
        if self._since:
            where.append(_OF_RECENT)
        having = _BEGAN if self._since else "true"
        sql = sql.replace("<where>", " AND ".join(where)).replace("<having>", having)
        return sql.replace("<chunk>", chunk) + _MEMORY
