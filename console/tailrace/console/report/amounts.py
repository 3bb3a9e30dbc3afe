"""Durations, ages, counts and costs as short text for people."""

from __future__ import annotations

UNKNOWN = "–"  # noqa: RUF001 - the dash that tables use for "not known"
_MS = 1_000
_S = 1_000_000
_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400
_TENTHS_BELOW = 9.95


def duration(duration_us: int | None) -> str:
    """Return `0.4ms`, `412ms`, `3.4s`, `2m05s`, `1h02m` or `3d04h`; a dash for None."""
    if duration_us is None:
        return UNKNOWN
    if duration_us < _S:
        ms = duration_us / _MS
        return f"{ms:.1f}ms" if 0 < ms < _TENTHS_BELOW else f"{min(ms, 999):.0f}ms"
    seconds = duration_us / _S
    if seconds < _MINUTE_S:
        return f"{seconds:.1f}s" if seconds < _TENTHS_BELOW else f"{int(seconds)}s"
    return _long(int(seconds))


def age(seconds: float) -> str:
    """Return how long ago something was: `now`, `12s`, `5m`, `3h`, `12d`.

    A time in the future, from a clock that runs ahead, is `now`.
    """
    whole = int(seconds)
    if whole <= 0:
        return "now"
    for size_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if whole >= size_s:
            return f"{whole // size_s}{unit}"
    return f"{whole}s"


def count(number: int | None) -> str:
    """Return `999`, `1.2k`, `34k` or `1.2M`; a dash for None."""
    if number is None:
        return UNKNOWN
    if number < _MS:
        return str(number)
    scaled, unit = (number / 1e3, "k") if number < 999_500 else (number / 1e6, "M")  # noqa: PLR2004 - rounds to 1000k
    return f"{scaled:.1f}{unit}" if scaled < _TENTHS_BELOW else f"{scaled:.0f}{unit}"


def cost(cost_usd: float | None) -> str:
    """Return `$0.0012`, `$0.35` or `$1,234.50`: at least two digits that count.

    A dash for None.
    """
    if cost_usd is None:
        return UNKNOWN
    if cost_usd == 0:
        return "$0"
    if abs(cost_usd) >= 0.1:  # noqa: PLR2004 - from here cents are two significant digits
        return f"${cost_usd:,.2f}"
    digits = next((n for n in range(3, 7) if abs(cost_usd) >= 10 ** (1 - n)), 7)
    return f"${cost_usd:.{digits}f}"


def plural(number: int, noun: str) -> str:
    """Return `1 step` or `2 steps`, `2 bodies`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def _long(seconds: int) -> str:
    if seconds < _HOUR_S:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S}h{seconds % _HOUR_S // 60:02d}m"
    return f"{seconds // _DAY_S}d{seconds % _DAY_S // _HOUR_S:02d}h"
