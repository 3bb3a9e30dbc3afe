"""From a typed model to the Avro fields that its `.avsc` must have.

The models and the `.avsc` files are both written by hand, once; this is what holds them together.
`python tests/support/avro_form.py score` prints what a new version of a record would look like.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import AwareDatetime

from tailrace.schemas.records import RECORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
_TYPES: Mapping[Any, Any] = {
    str: "string",
    int: "long",
    float: "double",
    bool: "boolean",
    bytes: "bytes",
    AwareDatetime: MICROS,
    tuple[str, ...]: {"type": "array", "items": "string"},
    dict[str, str]: {"type": "map", "values": "string"},
    dict[str, int]: {"type": "map", "values": "long"},
}
_ZEROS: Mapping[str, Any] = {
    "string": "",
    "long": 0,
    "double": 0.0,
    "boolean": False,
    "bytes": "",
}


def avro_fields(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return the Avro fields of a model, in its order; its own nested models are left out."""
    return [
        avro_field(name, info)
        for name, info in model.model_fields.items()
        if not hasattr(info.annotation, "model_fields")
    ]


def avro_field(name: str, info: FieldInfo) -> dict[str, Any]:
    """Return one Avro field with type, default and doc.

    A field that has no default in the model takes the zero of its type.
    """
    kind = avro_type(info.annotation)
    if info.is_required():
        default = _ZEROS[kind if isinstance(kind, str) else kind["type"]]
    else:
        default = _plain(info.get_default(call_default_factory=True, validated_data={}))
    assert info.description, f"{name} has no doc"
    doc = re.sub(r"\s+", " ", info.description)
    return {"name": name, "type": kind, "default": default, "doc": doc}


def avro_type(annotation: Any) -> Any:
    """Return the Avro type of a Python type; raises `KeyError` for one that is not flat."""
    if get_origin(annotation) is UnionType:
        (inner,) = (kind for kind in get_args(annotation) if kind is not NoneType)
        return ["null", avro_type(inner)]
    return _TYPES[annotation] if annotation in _TYPES else _literal(annotation)


def definition(model: type[Any]) -> dict[str, Any]:
    """Return the whole Avro definition of a record's model."""
    doc = (inspect.getdoc(model) or "").partition("\n\n")[0]
    return {
        "type": "record",
        "name": model.__name__,
        "namespace": "tailrace",
        "doc": re.sub(r"\s+", " ", doc),
        "fields": avro_fields(model),
    }


def file_text(schema: Mapping[str, Any]) -> str:
    """Return the text of an `.avsc` file: a field a line, so that a change is a line of a diff."""
    head = {key: value for key, value in schema.items() if key != "fields"}
    lines = [f'  "{key}": {json.dumps(value, ensure_ascii=False)},' for key, value in head.items()]
    fields = [f"    {json.dumps(field, ensure_ascii=False)}" for field in schema["fields"]]
    return "\n".join(["{", *lines, '  "fields": [', ",\n".join(fields), "  ]", "}", ""])


def _literal(annotation: Any) -> Any:
    first, *_ = get_args(annotation) or (annotation,)
    return _TYPES[type(first)]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")  # how Avro writes bytes in JSON
    return list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - items are strings


if __name__ == "__main__":
    (asked,) = (model for model in RECORDS if model.schema_name == sys.argv[1])
    print(file_text(definition(asked)), end="")  # noqa: T201 - that is what it is for
