"""How long things took, as a sketch that can be merged: DDSketch, as counts by bucket.

A bucket holds what differs by less than 2 %, so that any quantile is within 1 % of the exact one
(Masson, Rim, Lee: DDSketch, VLDB 2019), whatever was merged in whatever order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import ddsketch

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCURACY = 0.01

# The package's annotations are comments, which type checkers no longer read.
_MAPPING: Any = cast("Any", ddsketch).LogarithmicMapping(ACCURACY)


def bucket(duration_us: int) -> str:
    """Return the bucket of a duration in microseconds; what is below one counts as one."""
    return str(int(_MAPPING.key(max(duration_us, 1))))


def quantiles(buckets: Mapping[str, int], wanted: tuple[float, ...]) -> list[int | None]:
    """Return the quantiles of what lies in buckets, in microseconds; None of nothing."""
    sketch: Any = cast("Any", ddsketch).DDSketch(ACCURACY)
    for name, count in buckets.items():
        if count > 0:
            sketch.add(_MAPPING.value(int(name)), count)
    found = [sketch.get_quantile_value(each) for each in wanted]
    return [None if value is None else round(value) for value in found]
