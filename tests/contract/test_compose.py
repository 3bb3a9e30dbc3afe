"""docker-compose.yml, what it mounts and builds: no engine runs it here, each fact is checked."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import urllib.parse
import urllib.request
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree as ET

import pytest
import yaml
from jsonschema.validators import validator_for

from reference_pages import command_line
from support import kafka_properties
from support.repository import ROOT, SOURCE_ROOTS, modules, paths
from tailrace.console.sink_view.server import serving
from tailrace.sinks.sink import SinkStats
from tailrace.streams.options import StreamStats

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
SERVERS = [name for name in SERVICES if name not in OURS]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
CLICKHOUSE_FILE = ROOT / "deploy" / "clickhouse" / "tailrace.xml"
# What the image of Kafka takes from its environment that is no property of the broker.
KAFKA_SCRIPT_VARIABLES = {"KAFKA_HEAP_OPTS"}


def _published_schema() -> dict[str, Any]:
    """Return the Compose specification's own schema, which check-jsonschema ships as data."""
    path = "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
    text = distribution("check-jsonschema").read_text(f"../{path}")
    assert text, f"check-jsonschema no longer ships {path}"
    return json.loads(text)


def test_it_is_valid_by_the_published_compose_schema() -> None:
    schema = _published_schema()
    validator: Any = validator_for(schema)
    validator.check_schema(schema)
    errors = validator(schema).iter_errors(COMPOSE)
    found = [f"{list(error.path)}: {error.message}" for error in errors]
    assert not found, "\n".join(found)
    assert list(validator(schema).iter_errors({"services": {"kafka": {"imagee": "x"}}}))


def test_every_image_is_pinned_to_a_patch_version() -> None:
    images = [SERVICES[name]["image"] for name in SERVERS]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    assert len(images) > len(SERVERS)
    for image in images:
        assert re.search(r":\d+\.\d+\.\d+(\.\d+)?(-[a-z-]+)?$", image), image


def test_it_runs_the_broker_that_the_embedded_stack_runs() -> None:
    assert SERVICES["kafka"]["image"].endswith(":" + kafka_properties.embedded_version())


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports), ports


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    variables = re.findall(r"\$\{(\w+)([^}]*)\}", text)
    assert {name for name, _ in variables} >= {"TAILRACE_CLICKHOUSE_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in variables), variables


def test_servers_are_asked_for_their_health_and_waited_for() -> None:
    for name in SERVERS:
        assert SERVICES[name]["healthcheck"]["test"]
    for name in OURS:
        for waited, how in SERVICES[name]["depends_on"].items():
            expected = "service_healthy" if waited in SERVERS else "service_completed_successfully"
            assert how["condition"] == expected, f"{name} waits for {waited}"


@pytest.mark.parametrize(("name", "stats"), [("sink", SinkStats), ("stream", StreamStats)])
def test_a_worker_is_asked_for_its_health_on_the_port_that_it_is_told(
    name: str, stats: type[SinkStats | StreamStats]
) -> None:
    service = SERVICES[name]
    port = service["command"][service["command"].index("--metrics-port") + 1]
    check = service["healthcheck"]["test"]
    assert check[:3] == ["CMD", "python", "-c"], "the image has Python and no curl"
    assert f"'http://127.0.0.1:{port}/healthz'" in check[3]
    with serving(stats()) as address:
        code = check[3].replace(f"http://127.0.0.1:{port}", address)
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    failed = stats()
    failed.health.failed("for the test")
    with serving(failed) as address:
        code = check[3].replace(f"http://127.0.0.1:{port}", address)
        ran = subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.PIPE)
        assert ran.returncode != 0


def test_every_service_is_bounded_restarted_and_kept_from_more_rights() -> None:
    for name, service in SERVICES.items():
        assert service["mem_limit"], name
        assert service["restart"] in {"unless-stopped", "on-failure:5"}, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name


def test_what_the_servers_keep_lies_in_named_volumes() -> None:
    kept = {volume.split(":")[0] for name in SERVERS for volume in SERVICES[name]["volumes"]}
    assert set(COMPOSE["volumes"]) <= kept


def test_every_file_that_is_mounted_is_in_the_repository() -> None:
    mounts = [volume for name in SERVICES for volume in SERVICES[name].get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert files
    assert {file.removeprefix("./") for file in files} <= set(paths())


def _texts_of_the_code() -> set[str]:
    return {
        node.value
        for module in modules()
        if module.source_root
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("service", OURS)
def test_every_setting_it_passes_to_tailrace_exists_in_the_code(service: str) -> None:
    known = _texts_of_the_code()
    for name in SERVICES[service]["environment"]:
        assert name in known, f"no module reads {name}"


@pytest.mark.parametrize("service", OURS)
def test_every_command_it_runs_exists(service: str) -> None:
    command = SERVICES[service]["command"]
    command_line.check(shlex.split(command) if isinstance(command, str) else command)


def _broker_properties() -> dict[str, str]:
    """Return what the image makes of the environment, by its documented rule for names."""
    found: dict[str, str] = {}
    for name, value in SERVICES["kafka"]["environment"].items():
        if name.startswith("KAFKA_") and name not in KAFKA_SCRIPT_VARIABLES:
            parts = name.removeprefix("KAFKA_").lower().replace("___", "-").split("__")
            found["_".join(part.replace("_", ".") for part in parts)] = str(value)
    return found


def test_every_property_it_sets_is_one_that_the_broker_knows(kafka: str) -> None:
    assert not set(_broker_properties()) - kafka_properties.known_to(kafka)


def _elements(parent: str) -> Iterator[str]:
    for element in ET.parse(CLICKHOUSE_FILE).getroot().iterfind(f"{parent}/*"):  # noqa: S314 - our own file
        yield element.tag


def _ask(clickhouse: str, query: str) -> set[str]:
    address = f"{clickhouse}/?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - the session's own server
        return set(cast("bytes", answer.read()).decode().split())


def test_every_table_setting_of_clickhouse_exists_in_the_engine(clickhouse: str) -> None:
    known = _ask(clickhouse, "SELECT name FROM system.merge_tree_settings FORMAT TSV")
    assert set(_elements("merge_tree")) == {"fsync_after_insert", "fsync_part_directory"}
    assert set(_elements("merge_tree")) <= known


def test_every_system_log_of_clickhouse_is_off_or_short_lived() -> None:
    logs = [e for e in ET.parse(CLICKHOUSE_FILE).getroot() if e.tag.endswith("_log")]  # noqa: S314
    assert len(logs) > len(SERVERS)
    for log in logs:
        assert log.get("remove") or "INTERVAL 3 DAY" in (log.findtext("ttl") or ""), log.tag


def test_the_image_of_tailrace_is_built_from_pins_and_runs_without_rights() -> None:
    instructions = DOCKERFILE.split("FROM ")[-1]
    assert re.search(r"^USER (?!root)\w+", instructions, flags=re.MULTILINE)
    assert "HEALTHCHECK NONE" in instructions
    commands = DOCKERFILE.replace("\\\n", " ").split("&&")
    installs = [command for command in commands if "pip install" in command]
    assert installs
    assert all("--constraint constraints.txt" in line for line in installs)


def test_the_image_gets_every_file_that_the_wheel_is_built_from() -> None:
    copied = " ".join(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE))
    needed = {*SOURCE_ROOTS, "pyproject.toml", "README.md", "LICENSE", "constraints.txt"}
    assert set(copied.split()) == needed
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in let_in if line.startswith("!")} == needed
