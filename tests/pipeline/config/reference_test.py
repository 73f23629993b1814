"""The reference of the configuration and its JSON Schema are complete and up to date."""

import json
import pathlib
import re
import subprocess
import sys
import typing

import jsonschema
import pydantic
import pytest
import yaml

import pipeline
from pipeline.config import reference, run
from pipeline.config.schema import attributes, json_schema
from pipeline.config.source import NEEDED
from trainer.models.registry import SPECS

CONFIGS = pathlib.Path(pipeline.__file__).parent / "configs"
PAGE = reference.PAGE.read_text(encoding="utf-8")


class OtherPrior(run.Prior):
    __doc__ = run.Prior.__doc__

    bootstrap: pydantic.NonNegativeInt = 201


class OtherConfig(run.Config):
    __doc__ = run.Config.__doc__

    prior: OtherPrior = OtherPrior()


def models_in(annotation: object) -> set[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return {annotation}
    return set().union(*map(models_in, typing.get_args(annotation)))


def paths_of(model: type[pydantic.BaseModel], path: str = "") -> set[str]:
    """Returns the paths of all keys of a configuration, walking the models' fields."""
    found = set()
    for key, field in model.model_fields.items():
        found.add(f"{path}{key}")
        below = f"{path}{key}.NAME." if typing.get_origin(field.annotation) is dict else f"{path}{key}."
        for inner in models_in(field.annotation):
            found |= paths_of(inner, below)
            if key == "beam":  # one for all needs no name
                found |= paths_of(inner, f"{path}{key}.")
    if model is run.ConfiguredBackbone:
        found |= {f"{path}options.{key}" for spec in SPECS.values() for key in spec.options.model_fields}
    return found


def paths_on(page: str) -> set[str]:
    """Returns the paths of all keys on the page: those in its tables, at each of the paths in the section's title."""
    found = set()
    for section in page.partition("\n## Arms\n")[0].split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        places = re.findall(r"`([\w.]+)`", title.partition(" with ")[0].partition(" of ")[0]) or [""]
        for row in re.findall(r"^\| `([\w.]+)` \|", body, re.MULTILINE):
            assert row.startswith(places[0])
            found |= {f"{place}{row.removeprefix(places[0])}" for place in places}
    return found


def test_every_key_is_on_the_page():
    expected = paths_of(run.Config)
    assert {"targets.NAME.data.hierarchy.file", "finetune.ema", "backbone.options.width", "name"} <= expected
    assert paths_on(PAGE) == expected
    rows = re.findall(r"^\| `([\w.]+)` \| .* \| (.*) \|$", PAGE.partition("\n## Arms\n")[0], re.MULTILINE)
    assert [key for key, meaning in rows if not meaning.strip()] == []


def test_page_and_schema_are_those_of_the_code():
    schema = json_schema()
    assert reference.page(schema) == PAGE, "run `make docs`"
    assert reference.schema_text(schema) == reference.SCHEMA.read_text(encoding="utf-8"), "run `make docs`"


def test_another_default_changes_page_and_schema():
    schema = json_schema(OtherConfig)
    now, then = (text.splitlines() for text in (reference.page(schema), PAGE))
    ((new, old),) = [(new, old) for new, old in zip(now, then, strict=True) if new != old]
    assert old.startswith("| `prior.bootstrap` | integer ≥ 0 | `200` |")
    assert new == old.replace("`200`", "`201`")
    assert reference.schema_text(schema) != reference.SCHEMA.read_text(encoding="utf-8")


def test_a_key_without_a_meaning_is_refused():
    class Silent(run.Prior):
        """Attributes:
        level: has one.
        """

        extra: int = 3

    with pytest.raises(ValueError, match=r"Silent: its docstring does not say what 'extra' means"):
        json_schema(Silent)


def test_meanings_are_read_from_docstrings():
    class Documented:
        """A class.

        Attributes:
          first: what it
            means: a colon in it.
          second: more.

        Raises:
          third: no attribute.
        """

    assert attributes(Documented) == {"first": "what it means: a colon in it.", "second": "more."}
    assert attributes(type("Child", (Documented,), {})) == {}


def test_the_configurations_fit_the_schema():
    files = sorted(CONFIGS.glob("*.yaml"))
    assert len(files) >= 4
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(reference.SCHEMA), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    for file in files:
        assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


def mistakes(change: dict) -> list[str]:
    """Returns where the demo's configuration breaks the schema after a change."""
    schema = json.loads(reference.SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    content = yaml.safe_load((CONFIGS / "demo.yaml").read_text(encoding="utf-8"))
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors({**content, **change})]


SHARES = {"train": 0.9, "eval": 0.1}
FOLDER = {"folder": "a"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"sed": 1}, "$"),
        ({"source": {"folder": "a", "splits": {"train": 0.5}}}, "$.source"),
        ({"source": {"folder": "a", "splits": SHARES, "separator": ";"}}, "$.source"),
        ({"source": {"folder": "a", "uris": "b", "splits": SHARES}}, "$.source"),
        ({"pretrain": {"steps": 3}}, "$.pretrain"),
        ({"finetune": {"preset": "small"}}, "$.finetune.preset"),
        ({"classifier": {"model": "a", "input": {"size": 8, "range": [0]}}}, "$.classifier"),
        ({"classifier": {"backbone": {"name": "compact_cnn"}, "weights": "a"}}, "$.classifier"),
        ({"image": {"size": 32, "channels": 2}}, "$.image.channels"),
        ({"backbone": {"name": "compact_cnn", "options": {"width": 0.5}}}, "$.backbone.options"),
        ({"backbone": {"name": "compact"}}, "$.backbone.name"),
        ({"targets": {}}, "$.targets"),
        ({"prior": {"temperature": 0}}, "$.prior.temperature"),
    ],
    ids=[
        *(
            "key",
            "split",
            "key of another kind",
            "two kinds",
            "recipe",
            "preset",
            "range",
            "no labels",
            "channels",
            "option",
            "backbone",
        ),
        *("no target", "temperature"),
    ],
)
def test_mistakes_break_the_schema(change, where):
    assert mistakes(change) == [where]


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"folder": "a", "splits": SHARES, "hierarchy": "h.csv"}},
        {"source": {"folder": "a", "splits": SHARES, "hierarchy": {"file": "h", "titles": "t"}}},
        {"backbone": {"name": "inception_v3", "options": {"width": 0.5}}},
        {"pretrain": {"steps": 3, "batch_size": 2, "learning_rate": 1}},
        {"prior": {"temperature": "fitted"}},
        {"classifier": {"model": "a", "input": {"size": 8, "range": [-1, 1]}, "labels": "l", "licence": "MIT"}},
        {"classifier": {"backbone": {"name": "compact_cnn"}, "weights": "a", "labels": "l"}},
        {"classifier": {"backbone": {"name": "compact_cnn"}, "weights": {"path": "a", "source": "b"}, "labels": "l"}},
    ],
    ids=[
        *("hierarchy as a text", "hierarchy", "options", "recipe without a preset", "temperature", "model"),
        *("weights as a text", "weights"),
    ],
)
def test_what_validators_allow_fits_the_schema(change):
    assert mistakes(change) == []


def test_what_may_be_missing_with_label_counts_only():
    schema = jsonschema.Draft202012Validator(json.loads(reference.SCHEMA.read_text(encoding="utf-8")))
    least = {
        "name": "least",
        "source": {"counts": "uniform"},
        "classifier": {"model": "a", "labels": "b"},
        "targets": {"pets": {"data": FOLDER}},
    }
    assert schema.is_valid(least)
    demo = yaml.safe_load((CONFIGS / "demo.yaml").read_text(encoding="utf-8"))
    assert schema.is_valid({**demo, "source": {"counts": "uniform"}})
    whole = {**demo, "source": {**FOLDER, "splits": SHARES}}
    assert schema.is_valid(whole)
    [(name, target)] = demo["targets"].items()
    for wrong in (
        {**least, "source": {**FOLDER, "splits": SHARES}},
        {**whole, "source": FOLDER},
        {**whole, "targets": {name: {**target, "data": FOLDER}}},
        {**whole, "targets": {name: {**target, "arms": []}}},
        {**whole, "targets": {name: {"data": target["data"]}}},
        *({key: value for key, value in whole.items() if key != missing} for missing in NEEDED),
    ):
        assert not schema.is_valid(wrong)
