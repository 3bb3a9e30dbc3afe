"""What a running sink says on standard error: a live line, a line now and then, or JSON."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.live import Live

from tailrace.console.cli.sink_log import FIELDS
from tailrace.console.report.amounts import plural
from tailrace.console.report.backlog import Backlog
from tailrace.console.report.printable import one_line
from tailrace.console.report.sink_status import log_fields, log_line, status_line

if TYPE_CHECKING:
    from tailrace.sinks.sink import SinkStats

_LOG_S = 10.0
_NEW_RATE_SHARE = 0.3
"""How much a look changes the shown rate: rows come in blocks, and the eye wants a mean."""

_log = logging.getLogger("tailrace.sink")


class Reporter:
    """Says how it goes: with `json` through the log, else on a terminal or as lines."""

    def __init__(self, stats: SinkStats, *, json: bool) -> None:
        self._stats = stats
        self._json = json
        console = Console(stderr=True, highlight=False)
        live = console.is_terminal and not json
        self._live = Live(console=console, auto_refresh=False, transient=True) if live else None
        self._backlog = Backlog()
        self._began = self._looked = time.monotonic()
        self._rows = 0
        self._rate = 0.0
        self._logged: SinkStats = replace(stats)
        self._logged_at = self._began
        self._dead_letters = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            self.say("the sink starts; SIGTERM or Ctrl-C stops it")
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str, level: int = logging.INFO, **fields: Any) -> None:
        """Say one thing; the fields are for programs and stand in the text as well."""
        if self._json:
            _log.log(level, text, extra={FIELDS: fields})
        elif self._live is not None and self._live.is_started:
            self._live.console.print(text, markup=False)
        else:
            sys.stderr.write(f"{text}\n")

    def look(self) -> None:
        """Measure the rate since the last look, and say how it goes if that is due."""
        now = time.monotonic()
        rate = (self._stats.rows - self._rows) / max(now - self._looked, 1e-3)
        self._rate += (rate - self._rate) * _NEW_RATE_SHARE
        self._rows, self._looked = self._stats.rows, now
        self._tell_dead_letters()
        if self._live is not None:
            self._backlog.look(self._stats.lag, now)
            line = status_line(self._stats, self._rate, now - self._began)
            bar = self._backlog.bar()
            self._live.update(line.append("  ").append_text(bar) if bar else line, refresh=True)
        elif now - self._logged_at >= _LOG_S and self._stats != self._logged:
            self._log_counts((self._stats.rows - self._logged.rows) / (now - self._logged_at))
            self._logged, self._logged_at = replace(self._stats), now

    def stopped(self) -> None:
        """Say what came of it."""
        rows = plural(self._stats.rows, "row")
        fields = log_fields(self._stats, 0)
        self.say(f"stopped: {rows} stored, {self._letters()}", **fields)

    def _log_counts(self, rate: float) -> None:
        if self._json:
            self.say("at work", **log_fields(self._stats, rate))
        else:
            self.say(log_line(self._stats, rate, datetime.now(UTC)))

    def _tell_dead_letters(self) -> None:
        if self._stats.dead_letters == self._dead_letters:
            return
        self._dead_letters = self._stats.dead_letters
        last = one_line(self._stats.last_dead_letter)
        self.say(
            f"{self._letters()}, the last one {last}",
            logging.WARNING,
            dead_letters=self._dead_letters,
        )

    def _letters(self) -> str:
        return plural(self._stats.dead_letters, "dead letter")
