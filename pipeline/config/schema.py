"""The JSON Schema of the configuration, by which editors complete and check its keys.

It is made of the pydantic models. What a key means is said in the `Attributes:` of its class.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from components.importance_resampler import matchers
from pipeline.config.data import Hierarchy
from pipeline.config.run import Config
from pipeline.config.source import NEEDED
from pipeline.config.weights import Weights
from trainer.models.backbone import Backbone
from trainer.models.registry import SPECS, NoOptions
from trainer.recipes import Recipe

_ONE_OF = ("name", "function")  # says which backbone
_ENTRY = re.compile(r"(?P<indent> *)(?P<key>\w+): (?P<text>.*)")


def json_schema(model: type[pydantic.BaseModel] = Config) -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of the configurations that `model` reads.

    Raises:
      ValueError: the docstring of a class does not say what one of its keys means.
    """
    found = model.model_json_schema(schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **found}


def summary(documented: type) -> str:
    """Returns the docstring of a class without its `Attributes:`, each paragraph on a line."""
    text = inspect.cleandoc(documented.__doc__ or "").partition("Attributes:")[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def attributes(documented: type) -> dict[str, str]:
    """Returns key → meaning, as the `Attributes:` of the docstring of a class say."""
    text = inspect.cleandoc(documented.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    key, margin = "", None
    for line in text.partition("\n\n")[0].splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry and margin in (None, entry["indent"]):
            key, margin = entry["key"], entry["indent"]
            found[key] = entry["text"]
        elif key:
            found[key] += f" {line.strip()}"
    return found


def _meaning(model: type[pydantic.BaseModel], key: str) -> str:
    """Returns what a key of `model` means: what its bases say, the most general one first, or the matcher it is of."""
    said = [text for base in reversed(model.__mro__) if (text := attributes(base).get(key))]
    said = list(dict.fromkeys(said))  # a model of data has the docstring of its reader
    if not said:
        arms: dict[str, list[str]] = {}  # by the meaning: matchers may share a base and its keys
        for name, matcher in _matchers_with(key):
            text = next((text for base in matcher.__mro__ if (text := attributes(base).get(key))), None)
            if text:
                arms.setdefault(text, []).append(f"`{name}`")
        said = [
            f"{text} Only of the {'arm' if len(names) == 1 else 'arms'} {', '.join(names)}."
            for text, names in arms.items()
        ]
    if not said:
        raise ValueError(f"{model.__module__}.{model.__name__}: its docstring does not say what {key!r} means")
    text = " ".join(said)
    return text[0].upper() + text[1:] if text[0].isascii() else text


def _matchers_with(key: str) -> Iterator[tuple[str, type[pydantic.BaseModel]]]:
    for name in matchers.CLASSES:
        if key in matchers.class_of(name).model_fields:
            yield name, matchers.class_of(name)


def _require_unless_counts(found: JsonSchemaValue) -> None:
    """Says in the schema of a configuration what may be left out with `source.counts` only."""
    for key in NEEDED:
        value = found["properties"][key]
        [only] = (one for one in value.pop("anyOf") if one != {"type": "null"})
        value |= only
        del value["default"]
    labelled = {"required": ["splits"]}
    trained = {"required": ["data", "arms"], "properties": {"data": labelled, "arms": {"minItems": 1}}}
    found["anyOf"] = [
        {
            "required": [*NEEDED],
            "properties": {"source": labelled, "targets": {"additionalProperties": trained}},
        },
        {"properties": {"source": {"required": ["counts"]}}},
    ]


class _Generator(GenerateJsonSchema):
    """Adds the meaning of each key, and what validators allow that the types of the fields do not tell."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # a key in other letters

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        model = schema["cls"]
        found = super().model_schema(schema)
        found |= {"description": summary(model), "additionalProperties": False}
        found.pop("title", None)
        for key, value in found.get("properties", {}).items():
            value["description"] = _meaning(model, key)
        if issubclass(model, Recipe):
            found["anyOf"] = [{"required": ["preset"]}, {"required": found.pop("required")}]
        if issubclass(model, Backbone):
            found["properties"]["name"] |= {"enum": [*SPECS, None]}
            found["properties"]["name"].pop("anyOf")
            found["oneOf"] = [{"properties": {key: {"type": "string"}}, "required": [key]} for key in _ONE_OF]
            found["allOf"] = self._options()
        if issubclass(model, Config):
            _require_unless_counts(found)
        if issubclass(model, Hierarchy | Weights):
            return {"description": found["description"], "anyOf": [{"type": "string"}, found]}
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        if names := found.get("propertyNames", {}).get("enum"):  # editors complete properties
            value = found.pop("additionalProperties")
            del found["propertyNames"]
            found |= {"properties": dict.fromkeys(names, value), "additionalProperties": False}
        return found

    def _options(self) -> list[JsonSchemaValue]:
        """Returns the options of the backbones: of each that has some, then of all others."""
        classes = {spec.options for spec in SPECS.values()}
        names = {options: [name for name, spec in SPECS.items() if spec.options is options] for options in classes}
        return [
            {
                "if": {
                    "properties": {"name": {"enum": found} if options is NoOptions else {"const": found[0]}},
                    "required": ["name"],
                },
                "then": {"properties": {"options": options.model_json_schema(schema_generator=type(self))}},
            }
            for options, found in sorted(names.items(), key=lambda item: (item[0] is NoOptions, item[1]))
        ]
