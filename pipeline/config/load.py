"""Reads a configuration from a YAML file and overrides. Imports neither TensorFlow nor TFX."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic
import yaml

from components.settings import did_you_mean, expand_argument
from pipeline.config.run import Config


def load(path: str, overrides: Sequence[str] = ()) -> Config:
    """Reads the YAML file at `path` and applies `overrides` of the form key.path=value.

    The override `targets.<name>=null` removes a target. For any other key, null is a value.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is not YAML or not a valid configuration. The message names each key, its value and what is
        allowed.
    """
    file = pathlib.Path(expand_argument("CONFIG", path))
    if not file.is_file():
        raise FileNotFoundError(f"CONFIG: no file {path!r}; a complete example is pipeline/configs/demo.yaml")
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"CONFIG: {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"CONFIG: {path} holds a {type(content).__name__}, not keys and values; see pipeline/configs/demo.yaml"
        )
    try:
        content = _unshare(content)
    except RecursionError as error:
        raise ValueError(f"CONFIG: {path} has an alias inside of what it stands for; write the keys out") from error
    for override in overrides:
        _override(content, override)
    try:
        return Config.model_validate(content)
    except pydantic.ValidationError as error:
        raise ValueError("\n".join(f"{path}: {_line(entry)}" for entry in error.errors())) from error


def _unshare(value: Any) -> Any:
    """Returns a copy in which nothing is at two places: what an alias gave several keys is each key's own."""
    if isinstance(value, dict):
        return {key: _unshare(each) for key, each in value.items()}
    return [_unshare(each) for each in value] if isinstance(value, list) else value


def _override(content: dict[str, Any], override: str) -> None:
    keys, equals, text = override.partition("=")
    if not (keys and equals):
        raise ValueError(f"--set: {override!r} is not of the form key.path=value")
    *path, last = keys.split(".")
    for key in path:
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ValueError(f"--set: {override!r}: {key!r} holds a value, not keys")
    try:
        value = _unshare(yaml.load(text, _Loader))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"--set: {override!r}: {' '.join(str(error).split())}") from error
    if path == ["targets"] and value is None:
        if last not in content:
            raise ValueError(f"--set: {override!r}: no target is named {last!r}{did_you_mean(last, content, repr)}")
        del content[last]
    else:
        content[last] = value


def _line(entry: Mapping[str, Any]) -> str:
    where = ".".join(str(key) for key in entry["loc"] if not _is_inner(key))
    message = entry["msg"].removeprefix("Value error, ")
    value = entry["input"]
    shown = "" if isinstance(value, dict) or entry["type"] == "missing" else f"{value!r}: "
    return f"{where}: {shown}{message[0].lower()}{message[1:]}" if where else message


def _is_inner(key: str | int) -> bool:
    """Returns whether pydantic inserted `key` into a path: the file has no such key."""
    return isinstance(key, str) and key.startswith("[")


class _Loader(yaml.SafeLoader):
    """Reads floats as YAML 1.2 does (1e-3 is a number), and refuses duplicate keys."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.composer.ComposerError(None, None, f"the key {key[1]!r} occurs twice", node.start_mark)
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
