"""Digests of code, and the ids of deployments that are made of them."""

from __future__ import annotations

import types
from typing import Any

from tailrace.producers import component, step
from tailrace.producers.content.digest import reach_digest, reached, source_digest, with_config
from tailrace.producers.deployments.manifest import component_manifest, components, deployment_id


def helper() -> int:
    return 1


def unused() -> int:
    return 2


class Tool:
    def call(self) -> int:
        return helper()


@step
def tool() -> int:
    return Tool().call()


@component("reaching")
def reaching() -> int:
    def inner() -> int:
        return tool()

    return inner()


def without_source(function: Any) -> Any:
    code = function.__code__.replace(co_filename="<nowhere>", co_firstlineno=1)
    return types.FunctionType(code, {}, function.__name__)


def test_a_component_reaches_steps_classes_and_functions_that_its_code_names() -> None:
    names = {function.__qualname__ for function in reached(reaching)}
    assert {"reaching", "tool", "Tool.call", "helper"} <= names
    assert "unused" not in names


def test_the_reach_digest_does_not_depend_on_the_order_of_finding() -> None:
    functions = reached(reaching)
    assert reach_digest(functions) == reach_digest(functions[::-1])
    assert reach_digest(functions) != reach_digest(functions[1:])


def test_code_without_source_is_known_by_its_bytecode() -> None:
    one = source_digest(without_source(helper))
    assert one == source_digest(without_source(helper))
    assert one != source_digest(helper)
    assert one != source_digest(without_source(unused))


def test_version_and_config_read_are_part_of_a_digest() -> None:
    assert source_digest(helper) != source_digest(helper, "2")
    digest = source_digest(helper)
    assert with_config(digest, {}) == digest
    assert with_config(digest, {"a": 1, "b": 2}) == with_config(digest, {"b": 2, "a": 1})
    assert with_config(digest, {"a": 1}) != with_config(digest, {"a": 2})


def test_a_deployment_is_what_defines_behaviour_and_not_its_notes() -> None:
    def manifest(tone: str) -> dict[str, Any]:
        return component_manifest(
            "c", entry_point="m:c", config={"tone": tone}, steps={"s": "d"}, code_digest="x"
        )

    assert deployment_id(manifest("kind")) == deployment_id({**manifest("kind"), "notes": {"a": 1}})
    assert deployment_id(manifest("kind")) != deployment_id(manifest("rude"))
    assert components(manifest("kind")) == ("c",)
