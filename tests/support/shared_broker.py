"""One broker for all processes that share the tests: an idle one costs 3 % of a core, and a start.

The process that shares the tests out starts it beside its own work and stops it when all is done;
the others wait until its address is told. It ends by itself if that process is killed.
"""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path
from typing import Any

from support.stack import address_of, running_kafka
from support.waiting import wait_until
from tailrace.console.local.errors import StackError
from tailrace.console.local.whole_file import put_whole


class SharedBroker:
    """The broker, in the process that shares the tests out."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tailrace-shared-broker-")
        self.told = Path(self._folder.name) / "told.json"
        """Where its address will stand, or why there is none."""

        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shared-broker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop it; blocks until it is gone."""
        self._over.set()
        self._thread.join()
        self._folder.cleanup()

    def _run(self) -> None:
        try:
            with running_kafka() as member:
                self._tell({"address": address_of(member)})
                self._over.wait()
        except StackError as error:
            self._tell({"error": str(error)})

    def _tell(self, what: dict[str, Any]) -> None:
        put_whole(self.told, json.dumps(what).encode())


def shared_address(told: Path) -> str:
    """Return the address that is told there, once it is; fails where there is no broker."""
    wait_until(told.exists, "the broker of all processes has started")
    found = json.loads(told.read_text(encoding="utf-8"))
    assert "address" in found, found["error"]
    return found["address"]
