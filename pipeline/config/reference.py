"""docs/configuration.md: every key of a configuration, from its JSON Schema.

`make docs` runs this module as a script, which writes the page and pipeline/configs/schema.json.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from components.example_gen import readers
from pipeline.config import arms
from pipeline.config.schema import json_schema
from trainer.models.registry import SPECS
from trainer.presets import PRESETS

_ROOT = pathlib.Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "configuration.md"
SCHEMA = _ROOT / "pipeline" / "configs" / "schema.json"

_NAME = "NAME"  # stands for the name of a target
_CLASSIFIERS = ("model", "weights")  # the keys that tell the kinds of a classifier that exists already apart
_BOUNDS = {
    "exclusiveMinimum": ">",
    "minimum": "≥",
    "exclusiveMaximum": "<",
    "maximum": "≤",
    "multipleOf": "multiple of",
}

_BACKBONE = "a name of [Backbones](#backbones) or `null`"
# Of backbones that are not of keras.applications.
_FEATURES = {"compact_cnn": "128", "amoebanet_b": "16 × `filters`", "keras_hub": "the preset's"}
_PREPROCESSING = {
    "tf": "to -1..1",
    "torch": "ImageNet's mean and standard deviation",
    "caffe": "BGR, without ImageNet's mean",
    "inside": "in its first layers",
    "compact_cnn": "to -1..1",
    "amoebanet_b": "to -1..1",
    "keras_hub": "the preset's",
}

_HEAD = """\
# Configuration

Every key of a configuration. `make docs` makes this page and [`schema.json`](../pipeline/configs/schema.json) from the
code; do not edit them.

- A key is given in YAML, or on the command line as its path: `--set classifier.steps=1000`.
- A section's title has the paths at which its keys stand. The table shows them at the first one.
- `NAME` stands for the name of a target. `--set targets.NAME=null` leaves a target out.
- An unknown key, a wrong type and a value out of range are errors. The message names the key, the value and what is
  allowed.
- An editor with a YAML language server completes and checks the keys if the first line of the file is
  `# yaml-language-server: $schema=PATH`, where PATH leads to `schema.json`.
"""


@dataclasses.dataclass
class _Section:
    """Keys that stand together.

    Attributes:
      paths: where they stand; the top has the path ''.
      condition: in which case they are there.
      schema: the JSON Schema of the object that has them.
    """

    paths: list[str]
    condition: str
    schema: dict[str, Any]

    def title(self) -> str:
        where = ", ".join(f"`{path}`" for path in self.paths if path) or "Top level"
        return f"## {where}{self.condition}"


def page(schema: dict[str, Any]) -> str:
    """Returns the text of docs/configuration.md.

    Args:
      schema: as `json_schema` returns it.
    """
    parts = [_HEAD]
    for section in _sections(schema):
        rows = list(_rows(section, schema))
        parts.append(f"{section.title()}\n\n{section.schema['description']}\n")
        if rows:
            parts.append(_table(("key", "type", "default", "meaning"), rows))
    parts.append(f"## Arms\n\nThe values of `targets.{_NAME}.arms`, besides those that `arms` defines.\n")
    parts.append(_table(("arm", "pre-training set", "settings"), _arms()))
    parts.append("## Backbones\n\nThe values of `backbone.name`.\n")
    parts.append(_table(("name", "smallest image", "features", "the network's own preprocessing"), _backbones()))
    parts.append("## Presets\n\nThe values of `preset` in a recipe, and the keys that they set.\n")
    parts.append(_table(("key", *(f"`{preset}`" for preset in PRESETS)), _presets()))
    return "\n".join(parts)


def _sections(schema: dict[str, Any]) -> list[_Section]:
    found: dict[str, _Section] = {}

    def visit(value: dict[str, Any], path: str) -> None:
        """Adds the sections of a value that stands at `path`, and of all that is in it."""
        reached = []
        for name in _references(value):
            if name not in found:
                content = _object(name, schema)
                found[name] = _Section([], _kind(content), content)
            if path not in found[name].paths:
                found[name].paths.append(path)
                reached.append(found[name])
        for section in reached:
            inside(section.schema, path)

    def inside(content: dict[str, Any], path: str) -> None:
        for case in content.get("allOf", ()):
            if name := case["if"]["properties"]["name"].get("const"):  # else of several, which have no options
                options = case["then"]["properties"]["options"]
                found.setdefault(name, _Section([f"{path}.options"], f" of `{name}`", options))
        for key, value in content["properties"].items():
            below = f"{path}.{key}".lstrip(".")
            visit(value, below)
            for alternative in (value, *value.get("anyOf", ())):
                if isinstance(alternative.get("additionalProperties"), dict):
                    visit(alternative["additionalProperties"], f"{below}.{_NAME}")

    found[""] = _Section([""], "", schema)
    inside(schema, "")
    return list(found.values())


def _kind(section: dict[str, Any]) -> str:
    """Returns how the title of a section of data, of a classifier or of a Beam runner says its kind."""
    if "runner" in section["properties"]:
        return f" with `runner: {section['properties']['runner']['const']}`"
    kinds = {*readers.KINDS, *_CLASSIFIERS, "counts"} & set(section.get("required", ()))
    return "".join(f" with `{kind}`" for kind in kinds)


def _references(value: dict[str, Any]) -> Iterator[str]:
    """Yields the names of the definitions that a value may be of."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        for alternative in value.get(key, ()):
            yield from _references(alternative)


def _object(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the definition `name`, of its alternatives the object."""
    found = schema["$defs"][name]
    if "properties" in found:
        return found
    (alternative,) = (one for one in found["anyOf"] if "properties" in one)
    return alternative


def _rows(section: _Section, schema: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    required = set(section.schema.get("required", ()))
    cases = section.schema.get("anyOf", ())
    unless = "`preset`" if {"required": ["preset"]} in cases else "`source.counts`"
    needed = {key for case in cases for key in case.get("required", ())} - {"preset"}
    properties = section.schema["properties"]
    for key in sorted(properties, key=lambda key: key not in required):
        value = properties[key]
        path = f"{section.paths[0]}.{key}".lstrip(".")
        if key in required:
            default = "required"
        elif key in needed:
            default = f"required without {unless}"
        elif isinstance(value["default"], dict) and value["default"] and "$ref" in value:
            default = "its defaults"
        else:
            default = _code(value["default"])
        kind = _BACKBONE if path == "backbone.name" else _type(value, schema)
        yield f"`{path}`", kind, default, value["description"]


def _type(value: dict[str, Any], schema: dict[str, Any]) -> str:
    """Returns a type in words."""
    if "enum" in value:
        return ", ".join(map(_code, value["enum"]))
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(dict.fromkeys(_type(alternative, schema) for alternative in value[key]))
    if "$ref" in value:
        definition = schema["$defs"][value["$ref"].rpartition("/")[2]]
        alternatives = [definition] if "properties" in definition else definition["anyOf"]
        return " or ".join("section" if "properties" in one else _type(one, schema) for one in alternatives)
    if "const" in value:
        return _code(value["const"])
    if value["type"] == "array":
        return f"list of {_type(value['items'], schema)}"
    if value["type"] == "object":
        names = value.get("properties")
        return (
            f"keys {', '.join(map(_code, names))}: {_type(next(iter(names.values())), schema)}" if names else "section"
        )
    words = {"string": "text", "boolean": "`true`, `false`", "null": "`null`"}.get(value["type"], value["type"])
    bounds = [f"{sign} {value[key]:,}" for key, sign in _BOUNDS.items() if key in value]
    if "pattern" in value:
        bounds.append(f"that matches `{value['pattern']}`")
    return " ".join([words, ", ".join(bounds)]).strip()


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _arms() -> Iterator[tuple[str, ...]]:
    for name in arms.PRESETS:
        settings: list[str] = []
        if name in arms.MATCHERS:
            of_target = arms.MATCHERS[name].of_target
            settings = [
                f"`targets.{_NAME}.{key}`" if key in of_target else f"`resample.{key}`"
                for key in arms.MATCHERS[name].model_fields
            ]
        yield f"`{name}`", arms.DESCRIPTIONS[name], ", ".join(settings)


def _backbones() -> Iterator[tuple[str, ...]]:
    for name, spec in SPECS.items():
        known = spec.application
        features = f"{known.width:,}" if known else _FEATURES[name]
        yield f"`{name}`", f"{spec.min_size} pixels", features, _PREPROCESSING[known.preprocessing if known else name]


def _presets() -> Iterator[tuple[str, ...]]:
    for key in dict.fromkeys(key for preset in PRESETS.values() for key in preset):
        yield f"`{key}`", *(_code(preset[key]) if key in preset else "" for preset in PRESETS.values())


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def write() -> None:
    """Writes the page and the JSON Schema."""
    schema = json_schema()
    PAGE.write_text(page(schema), encoding="utf-8")
    SCHEMA.write_text(schema_text(schema), encoding="utf-8")


def schema_text(schema: dict[str, Any]) -> str:
    """Returns the text of pipeline/configs/schema.json."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write()
