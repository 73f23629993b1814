"""Parameters of a component whose value may be known only when a pipeline runs."""

from typing import TypeVar, cast

from tfx.orchestration import data_types

_NOT_IN_CACHE_KEYS = "the values themselves are in them"

Value = TypeVar("Value", int, str)


def default_of(value: Value | data_types.RuntimeParameter) -> Value:
    """Returns what is known of a parameter when a pipeline is made: its value, or the default of a RuntimeParameter."""
    return cast(Value, value.default) if isinstance(value, data_types.RuntimeParameter) else value
