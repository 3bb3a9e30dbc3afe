"""Which result formats the engine can hand out in chunks.

The engine writes every chunk as a document of its own. Where a format has no header, footer or
separator between rows, the concatenation of the chunks is the document; all others are made whole.
"""

from __future__ import annotations

DEFAULT_FORMAT = "TabSeparated"

_PLAIN = """
TabSeparated TSV TabSeparatedRaw TSVRaw Raw CSV TSKV JSONEachRow JSONLines NDJSON JSONStringsEachRow
JSONCompactEachRow JSONCompactStringsEachRow PrettyJSONEachRow JSONEachRowWithoutProgress
Native RowBinary MsgPack Protobuf BSONEachRow RawBLOB LineAsString CustomSeparated Null Buffers
"""
CONCATENABLE = frozenset(name.lower() for name in _PLAIN.split())

_CONTENT_TYPES = {
    "json": "application/json; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8; header=absent",
    "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "xml": "application/xml; charset=UTF-8",
    "native": "application/octet-stream",
    "parquet": "application/octet-stream",
}


def content_type(name: str) -> str:
    """Return the Content-Type of a result in this format."""
    lower = name.lower()
    if lower in _CONTENT_TYPES:
        return _CONTENT_TYPES[lower]
    if lower.startswith("json"):
        return (
            "application/x-ndjson; charset=UTF-8"
            if "each" in lower
            else "application/json; charset=UTF-8"
        )
    if lower.startswith(("pretty", "vertical", "markdown", "values", "tab", "tsv", "csv", "tskv")):
        return "text/plain; charset=UTF-8"
    return "application/octet-stream"
