"""How long `import tailrace.producers` takes beside importing what it depends on.

Each in a fresh process, by turns; what starting Python itself takes is subtracted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

PLAIN = "pass"
NEEDED = "import aiokafka, fastavro, pydantic; pydantic.BaseModel"
OURS = "import tailrace.producers"
OPENED = (
    "import tailrace.producers, tailrace.producers.delivery.sender, tailrace.schemas.schema_log"
)
LIMIT = 1.3


def took_ms(code: str) -> float:
    """Return how long a fresh process takes for a line of code."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    told = parser.parse_args()
    costs: dict[str, list[float]] = {code: [] for code in (PLAIN, NEEDED, OURS, OPENED)}
    for code in costs:
        took_ms(code)  # writes bytecode, fills the page cache
    for _ in range(told.repeats):
        for code, taken in costs.items():
            taken.append(took_ms(code))
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"Python {sys.version.split()[0]}, {told.repeats} repeats, load {load}; ms over bare Python"
    )
    bare = statistics.median(costs[PLAIN])
    for code, taken in costs.items():
        low, middle, high = min(taken), statistics.median(taken), max(taken)
        print(f"{code:76} {low - bare:6.0f} / {middle - bare:6.0f} / {high - bare:6.0f}")
    needed = statistics.median(costs[NEEDED]) - bare
    for code in (OURS, OPENED):
        ratio = (statistics.median(costs[code]) - bare) / needed
        print(f"{ratio:.2f} x its dependencies (at most {LIMIT}): {code}")


if __name__ == "__main__":
    main()
