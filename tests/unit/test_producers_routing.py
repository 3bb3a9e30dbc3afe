"""Routing by pointers: where runs and their children go, and what is told when they cannot."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from support.control_records import MemoryControl, manifest_of, registered
from tailrace.producers import (
    CodeMismatchError,
    ControlUnknownError,
    NoPointerError,
    Routing,
    RunOptionsError,
    UnregisteredDeploymentError,
    component,
    current_run,
    extract,
    inject,
    run_options,
)
from tailrace.producers.delivery.outlet import Following
from tailrace.producers.deployments.manifest import deployment_id
from tailrace.producers.recording.definition import ComponentDefinition
from tailrace.producers.routing.pointer_routes import PointerRoutes
from tailrace.producers.routing.pointers import Control
from tailrace.producers.routing.route import Asked
from tailrace.producers.routing.route_cache import RouteCache
from tailrace.producers.testing import Journal, memory_journal
from tailrace.schemas.records import DeploymentRegistered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@component
def helper() -> str:
    return current_run().config["tone"]


@component
def support(between: Callable[[], Any] = lambda: None) -> list[str]:
    tone = current_run().config["tone"]
    between()
    return [tone, helper(), current_run().config["tone"]]


@component
async def support_async() -> str:
    return current_run().config["tone"]


@pytest.fixture
def deployed() -> Iterator[tuple[Journal, MemoryControl]]:
    with memory_journal(environment="prod") as journal:
        yield journal, MemoryControl(journal, Control())


def test_a_run_and_its_children_stay_where_the_root_was_routed(
    deployed: tuple[Journal, MemoryControl],
) -> None:
    journal, control = deployed
    first = {name: control.deploy(manifest_of(each, tone="calm"))
             for name, each in (("support", support), ("helper", helper))}  # fmt: skip

    def move_on() -> None:
        control.deploy(manifest_of(support, tone="brisk"))
        control.deploy(manifest_of(helper, tone="brisk"))

    assert support(move_on) == ["calm", "calm", "calm"]
    assert {run.component: run.deployment for run in journal.runs} == first
    offsets = {event.run.control_offset for event in journal.events}
    assert len(offsets) == 1
    assert support() == ["brisk", "brisk", "brisk"]


def test_another_process_routes_a_child_by_its_roots_offset(
    deployed: tuple[Journal, MemoryControl],
) -> None:
    journal, control = deployed
    control.deploy(manifest_of(support, tone="calm"))
    control.deploy(manifest_of(helper, tone="calm"))
    headers: dict[str, str] = {}

    def send() -> None:
        inject(headers)
        control.deploy(manifest_of(helper, tone="brisk"))

    support(send)
    with extract(headers):
        assert helper() == "calm"
    assert helper() == "brisk"
    assert journal.runs[2].parent_run_id == journal.runs[0].run_id


async def tones() -> dict[str, str]:
    found: dict[str, str] = {}
    for number in range(60):
        with run_options(routing_key=f"customer {number}"):
            found[f"customer {number}"] = await support_async()
    return found


def test_a_key_sticks_to_its_share(deployed: tuple[Journal, MemoryControl]) -> None:
    _, control = deployed
    control.deploy(manifest_of(support_async, tone="calm"))
    control.deploy(manifest_of(support_async, tone="brisk"), 3000)
    before = asyncio.run(tones())
    assert before == asyncio.run(tones())
    control.deploy(manifest_of(support_async, tone="brisk"), 6000)
    after = asyncio.run(tones())
    assert all(after[key] == "brisk" for key, tone in before.items() if tone == "brisk")
    assert set(before.values()) == {"calm", "brisk"}


def test_a_caller_pins_a_deployment_for_one_call(deployed: tuple[Journal, MemoryControl]) -> None:
    journal, control = deployed
    control.deploy(manifest_of(helper, tone="brisk"))
    old = control.deploy(manifest_of(support, tone="calm"))
    control.deploy(manifest_of(support, tone="brisk"))
    with run_options(deployment=old):
        assert support() == ["calm", "brisk", "calm"]
    assert journal.runs[0].deployment == old
    assert support() == ["brisk", "brisk", "brisk"]
    with run_options(deployment="0" * 64), pytest.raises(UnregisteredDeploymentError):
        support()
    with pytest.raises(RunOptionsError, match="64 lower-case hex"), run_options(deployment="x"):
        pass


def test_what_cannot_be_routed_does_not_begin(deployed: tuple[Journal, MemoryControl]) -> None:
    journal, control = deployed
    with pytest.raises(NoPointerError, match="tailrace deploy FILE --env prod"):
        support()
    manifest = manifest_of(helper, tone="calm")
    manifest["components"]["helper"]["code_digest"] = "0" * 64
    control.deploy(manifest)
    with pytest.raises(CodeMismatchError, match="whose code is 000000000000"):
        helper()
    assert journal.runs == []


def test_a_registered_text_that_is_no_manifest_runs_nothing(
    deployed: tuple[Journal, MemoryControl],
) -> None:
    journal, control = deployed
    control.deploy(manifest_of(support, tone="calm"))
    broken = DeploymentRegistered(
        deployment="b" * 64,
        component="support",
        manifest="no json",
        registered_at=datetime.now(UTC),
    )
    control.append(broken, "support")
    begun = len(journal.events)
    with (
        run_options(deployment="b" * 64),
        pytest.raises(UnregisteredDeploymentError, match="is no manifest"),
    ):
        support()
    assert len(journal.events) == begun


def test_a_mismatch_can_be_marked_instead() -> None:
    with memory_journal(environment="prod", routing=Routing(on_mismatch="mark")) as journal:
        manifest = manifest_of(helper, tone="calm")
        manifest["components"]["helper"]["code_digest"] = "0" * 64
        MemoryControl(journal, Control()).deploy(manifest)
        assert helper() == "calm"
        assert {event.run.code_mismatch for event in journal.events} == {True}


def test_dev_runs_the_loaded_code_alone() -> None:
    with (
        memory_journal(),
        run_options(deployment="0" * 64),
        pytest.raises(UnregisteredDeploymentError, match="environment dev"),
    ):
        helper()


class Silent(Journal):
    """An outlet whose broker is not there yet."""

    def follow(self, topic: Any, take: Any) -> Following:
        del topic, take
        return Following()


def asked(definition: ComponentDefinition, **told: Any) -> Asked:
    return Asked(definition.name, definition, "t", "h", **told)


def kept(folder: Path) -> tuple[RouteCache, ComponentDefinition, str]:
    journal, control = Journal(), Control()
    definition = ComponentDefinition(helper, name="helper", config={}, version="")
    deployment = MemoryControl(journal, control).deploy(manifest_of(helper, tone="calm"))
    routes = PointerRoutes(journal, "prod", cache=RouteCache(folder, "prod"))
    routes.tick()
    assert routes.route(asked(definition)).deployment == deployment
    return RouteCache(folder, "prod"), definition, deployment


def test_a_cold_start_routes_by_what_the_host_kept_and_says_how_old_it_is(tmp_path: Path) -> None:
    cache, definition, deployment = kept(tmp_path)
    os.utime(cache.path, (0, cache.path.stat().st_mtime - 60))
    found = PointerRoutes(Silent(), "prod", cache=cache).route(asked(definition))
    assert (found.deployment, found.config, found.control_offset) == (
        deployment, {"tone": "calm"}, 1
    )  # fmt: skip
    assert 60 <= float(found.attributes["control_age_s"]) < 100
    assert cache.path.stat().st_mode & 0o077 == 0
    with pytest.raises(NoPointerError):
        PointerRoutes(Silent(), "prod", cache=cache).route(
            asked(ComponentDefinition(support, name="support", config={}, version=""))
        )


def test_what_is_too_old_raises_where_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, definition, _ = kept(tmp_path)
    os.utime(cache.path, (0, cache.path.stat().st_mtime - 400))
    strict = PointerRoutes(Silent(), "prod", Routing(on_stale="raise"), cache)
    with pytest.raises(ControlUnknownError, match="old, and 300 s are allowed"):
        strict.route(asked(definition))
    lenient = PointerRoutes(Silent(), "prod", cache=cache)
    for _ in range(3):
        lenient.route(asked(definition))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_damaged_cache_is_none(
    tmp_path: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    cache, definition, _ = kept(tmp_path)
    content = cache.path.read_bytes()
    cache.path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ControlUnknownError, match="could not be read yet"):
        PointerRoutes(Silent(), "prod", cache=cache).route(asked(definition))
    assert "holds no pointers that can be used" in caplog.text


def test_an_older_state_never_replaces_a_newer_one(tmp_path: Path) -> None:
    cache, _, _ = kept(tmp_path)
    content = cache.path.read_bytes()
    older = Control()
    older.apply(0, "deployment_registered", registered(manifest_of(helper)).flatten())
    RouteCache(tmp_path, "prod").keep(older, 1.0)
    assert cache.path.read_bytes() == content


def test_who_is_behind_its_root_waits_and_says_so_in_the_end() -> None:
    journal, control = Journal(), Control()
    memory = MemoryControl(journal, control)
    deployment = memory.deploy(manifest_of(helper, tone="calm"))
    routes = PointerRoutes(journal, "prod")
    definition = ComponentDefinition(helper, name="helper", config={}, version="")
    waiting = routes.waiting(asked(definition, as_of=3))
    assert waiting is not None
    assert not waiting.done()
    found = routes.route(asked(definition, as_of=3))
    assert (found.deployment, found.attributes) == (deployment, {"control_behind": "3"})
    newer = memory.deploy(manifest_of(helper, tone="brisk"))
    assert waiting.done()
    assert routes.waiting(asked(definition, as_of=3)) is None
    assert routes.route(asked(definition, as_of=3)).deployment == newer
    assert routes.route(asked(definition, as_of=2)).deployment == deployment
    assert deployment == deployment_id(manifest_of(helper, tone="calm"))
