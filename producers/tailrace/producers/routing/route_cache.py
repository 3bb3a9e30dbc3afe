"""The pointers of an environment as a host knew them last, on disk, for a start without Kafka.

One file an environment, which the processes of a host share: replaced as a whole, never by an older
state. Its first line holds the SHA-256 of the rest; a file that does not match it is none. Its time
of modification is when the broker was last heard.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from tailrace.producers.routing.pointers import Control, Pointer, Standing

_log = logging.getLogger("tailrace.producers")

_STANDINGS = 100
"""How much of a pointer's past is kept, for children of roots that were routed a while ago."""

_MAX_BYTES = 64 * 1024 * 1024
_TOUCH_S = 10.0
_VERSION = 1


class RouteCache:
    """One environment's file. Not thread-safe for `keep`; what cannot be kept is logged once.

    Args:
        folder: of one cluster and prefix; made when something is kept.
        environment: whose pointers are kept.
    """

    def __init__(self, folder: Path, environment: str) -> None:
        name = hashlib.sha256(environment.encode()).hexdigest()[:16]
        self.path = folder / f"pointers-{name}.json"
        self._environment = environment
        self._kept = -1
        self._touched_at = 0.0
        self._failed = False

    def load(self) -> tuple[Control, float] | None:
        """Return the state and when the broker was last heard; None if none is kept, or damaged."""
        try:
            heard_at = self.path.stat().st_mtime
            if self.path.stat().st_size > _MAX_BYTES:
                return None
            return self._restored(_checked(self.path.read_text(encoding="utf-8"))), heard_at
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("tailrace: %s holds no pointers that can be used: %s", self.path, error)
            return None

    def keep(self, control: Control, heard_at: float) -> None:
        """Write the state down if it is new, and else, now and then, that it still holds."""
        try:
            if control.offset > self._kept:
                self._write(control, heard_at)
                self._kept = control.offset
            elif self._kept >= 0 and time.monotonic() - self._touched_at > _TOUCH_S:
                os.utime(self.path, (heard_at, heard_at))
            else:
                return
            self._touched_at = time.monotonic()
        except OSError as error:
            self._kept = control.offset
            self._touched_at = time.monotonic()
            if not self._failed:
                self._failed = True
                _log.warning(
                    "tailrace: the pointers cannot be kept in %s, so this host could not start "
                    "without Kafka: %s", self.path, error,
                )  # fmt: skip

    def _write(self, control: Control, heard_at: float) -> None:
        found = self.load() if self.path.exists() else None
        if found is not None and found[0].offset > control.offset:
            return
        text = json.dumps(self._state(control))
        if len(text) > _MAX_BYTES:
            raise OSError(f"{len(text)} bytes are more than {_MAX_BYTES}")
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix="pointers-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
            os.utime(name, (heard_at, heard_at))
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _state(self, control: Control) -> dict[str, Any]:
        pointers: dict[str, list[dict[str, Any]]] = {}
        deployments: list[dict[str, Any]] = []
        for (environment, component), pointer in list(control.pointers.items()):
            if environment != self._environment:
                continue
            standings = pointer.standings[-_STANDINGS:]
            pointers[component] = [
                {"revision": each.revision, "weights": dict(each.weights), "salt": each.salt}
                for each in standings
            ]
            named = {name for each in standings for name in each.weights}
            deployments += [
                {
                    "component": component,
                    "deployment": name,
                    "manifest": registered["manifest"],
                    "recorded_only": registered["recorded_only"],
                }
                for name in sorted(named)
                if (registered := control.deployments.get((component, name))) is not None
            ]
        return {
            "version": _VERSION,
            "environment": self._environment,
            "offset": control.offset,
            "pointers": pointers,
            "deployments": deployments,
        }

    def _restored(self, state: dict[str, Any]) -> Control:
        if state["version"] != _VERSION or state["environment"] != self._environment:
            raise ValueError("it is another version's or another environment's")
        control = Control()
        control.offset = state["offset"]
        for each in cast("list[dict[str, Any]]", state["deployments"]):
            control.deployments[each["component"], each["deployment"]] = each
        for component, standings in state["pointers"].items():
            control.pointers[self._environment, component] = Pointer([
                Standing(each["revision"], each["weights"], {"salt": each["salt"]})
                for each in standings
            ])  # fmt: skip
        return control


def _checked(content: str) -> dict[str, Any]:
    told, _, text = content.partition("\n")
    if told != hashlib.sha256(text.encode()).hexdigest():
        raise ValueError("its checksum is another")
    return json.loads(text)
