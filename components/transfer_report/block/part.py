"""What the parts of the data block have in common: plain values, and their JSON. Pure."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the block. Its values are plain: text, numbers, tuples, dicts and other parts; never NaN."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _to_plain(getattr(self, field.name)))


def read(kind: Any, value: Any, path: str) -> Any:
    """Returns a part, or what stands in one, from its JSON.

    Args:
      kind: the annotated type.
      value: what `json.loads` returned.
      path: where it stands, for errors.

    Raises:
      ValueError: a field is absent or not known, or a part does not accept its values.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {value!r} is no object; make the report again")
        if unknown := sorted(value.keys() - hints.keys()):
            raise ValueError(f"{path}: has {', '.join(unknown)}, which this version does not know; make it again")
        required = {field.name for field in dataclasses.fields(kind) if _is_required(field)}
        if absent := sorted(required - value.keys()):
            raise ValueError(f"{path}: has no {', '.join(absent)}; make the report again")
        made: Any = kind
        return made(**{name: read(hints[name], found, f"{path}.{name}") for name, found in value.items()})
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return read(next(part for part in arguments if part is not type(None)), value, path)
    # Columns of numbers and texts are already what they should be, and may be long.
    if origin is Sequence and not _holds_parts(arguments[0]):
        return value
    if origin is Sequence:
        return tuple(read(arguments[0], entry, f"{path}[{i}]") for i, entry in enumerate(value))
    if origin is Mapping:
        return {arguments[0](key): read(arguments[1], entry, f"{path}.{key}") for key, entry in value.items()}
    return value


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _holds_parts(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or any(map(_holds_parts, typing.get_args(kind)))


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return tuple(map(_to_plain, value))
    if isinstance(value, Mapping):
        return {key: _to_plain(entry) for key, entry in value.items()}
    return value


def check_lengths(name: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Checks that all columns of the part `name` have as many values as the first one.

    Raises:
      ValueError: one has not.
    """
    first, *others = columns
    for other in others:
        if len(columns[other]) != len(columns[first]):
            lengths = f"{other} has {len(columns[other])} values, and {first} {len(columns[first])}"
            raise ValueError(f"{name}: {lengths}; give one for each")
