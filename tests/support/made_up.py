"""Hypothesis strategies that make up typed events and records from their models."""

from __future__ import annotations

from datetime import UTC
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

Model = TypeVar("Model", bound=BaseModel)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LONGS = st.integers(-(2**63), 2**63 - 1)
_OF: Mapping[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**31), 2**31 - 1) | st.integers(0, 2**31 - 1),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    AwareDatetime: st.datetimes(timezones=st.just(UTC)),
    tuple[str, ...]: st.lists(TEXT, max_size=4).map(tuple),
    dict[str, str]: st.dictionaries(TEXT, TEXT, max_size=4),
    dict[str, int]: st.dictionaries(TEXT, LONGS, max_size=4),
}


def made_up(model: type[Model]) -> st.SearchStrategy[Model]:
    """Return a strategy for instances of the model with any values that its types allow."""
    fields = {name: _values(info.annotation) for name, info in model.model_fields.items()}
    return st.builds(model, **fields)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    if get_origin(annotation) is UnionType:
        (inner,) = (kind for kind in get_args(annotation) if kind is not NoneType)
        return st.none() | _values(inner)
    if annotation in _OF:
        return _OF[annotation]
    if hasattr(annotation, "model_fields"):
        return made_up(annotation)
    return st.sampled_from(get_args(annotation))  # a literal
