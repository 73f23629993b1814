"""The blocks of README and docs: configurations load, Python is run by a test, commands exist, links lead somewhere.

The word behind a block's language says what it is: `yaml config` a whole configuration, `yaml part` some of its keys,
`yaml data` a list of data, `sh other` commands of other programs.
"""

import functools
import importlib.util
import json
import pathlib
import re
import shlex
from typing import NamedTuple

import jsonschema
import pydantic
import pytest
import typer.main
import yaml

from components.example_gen import readers
from components.example_gen.readers.reader import Reader
from pipeline import cli
from pipeline.config import reference
from pipeline.config.data import Data
from pipeline.config.load import load
from pipeline.config.run import Config

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
DEMO = ROOT / "pipeline" / "configs" / "demo.yaml"
KINDS = {"text", "yaml config", "yaml part", "yaml data", "python", "sh", "sh other"}


class Block(NamedTuple):
    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> list[Block]:
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(path.relative_to(ROOT).as_posix(), line, match[1], match[2]))
    return found


BLOCKS = _blocks()


def of_kind(*kinds: str):
    return pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind in kinds], ids=str)


def test_every_block_says_what_it_is():
    assert [str(block) for block in BLOCKS if block.kind not in KINDS] == []
    assert {block.kind for block in BLOCKS} == KINDS


@of_kind("yaml config")
def test_configurations_load(block, tmp_path):
    (tmp_path / "my.yaml").write_text(block.text)
    assert isinstance(load(str(tmp_path / "my.yaml")), Config)
    jsonschema.validate(yaml.safe_load(block.text), json.loads(reference.SCHEMA.read_text(encoding="utf-8")))


def merged(content: dict, part: dict) -> dict:
    both = {key: merged(content[key], part[key]) for key in content.keys() & part.keys() if isinstance(part[key], dict)}
    return {**content, **part, **both}


@of_kind("yaml part")
def test_parts_fit_into_a_configuration(block):
    content = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    part = yaml.safe_load(block.text)
    if {"model", "weights"} & part.get("classifier", {}).keys():  # is no recipe, whose keys could be added to
        del content["classifier"]
    assert part.keys() <= Config.model_fields.keys()
    Config.model_validate(merged(content, part))


def readers_of(block: Block) -> list[Reader]:
    """Returns the readers of the data that a block lists."""
    return [data.reader() for data in pydantic.TypeAdapter(list[Data]).validate_python(yaml.safe_load(block.text))]


@of_kind("yaml data")
def test_data_are_taken(block):
    assert readers_of(block)


def test_every_kind_of_data_is_shown():
    shown = {type(reader) for block in BLOCKS if block.kind == "yaml data" for reader in readers_of(block)}
    assert shown == set(map(readers.class_of, readers.KINDS))


@of_kind("python")
def test_python_has_a_test_that_runs_it(block):
    path = pathlib.Path(__file__).with_name(f"{pathlib.Path(block.page).stem}_test.py")
    assert "exec(" in path.read_text(encoding="utf-8")


@functools.cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@functools.cache
def make_variables() -> set[str]:
    exported = re.findall(r"^export ([A-Z_ ]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for names in exported for name in names.split()}


def check_command(words: list[str]) -> None:
    """Refuses a command of ours that does not exist, or lacks or has arguments that it should not."""
    program, *arguments = words
    name = program.removeprefix(".venv/bin/")
    if name == "specialist":
        group = typer.main.get_command(cli.app)
        context = group.make_context(name, arguments[:1])  # the callback is not entered, and no command runs
        command = group.get_command(context, arguments[0])
        assert command is not None, f"specialist has no command {arguments[0]}"
        parsed = command.make_context(arguments[0], arguments[1:], parent=context)
        if overrides := parsed.params.get("set_"):
            load(str(DEMO), overrides)
    elif name == "make":
        variables = {argument.partition("=")[0] for argument in arguments if "=" in argument}
        assert variables <= make_variables()
        assert {argument for argument in arguments if "=" not in argument} <= make_targets()
    elif name == "python" and arguments[0] == "-m" and arguments[1] != "pytest":
        assert importlib.util.find_spec(arguments[1]) is not None
    else:
        assert name in ("python", "tensorboard"), f"{name}: say `sh other` if it is another program"


def commands(text: str) -> list[list[str]]:
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


@of_kind("sh")
def test_our_commands_exist(block):
    found = commands(block.text)
    assert found
    for words in found:
        check_command(words)


@of_kind("sh other")
def test_commands_of_others_are_not_ours(block):
    found = commands(block.text)
    assert found
    assert not {words[0].rpartition("/")[2] for words in found} & {"specialist", "make"}


def without_blocks(page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in PAGES])
def test_commands_in_the_text_exist(page):
    text = without_blocks(page)
    group = typer.main.get_command(cli.app)
    for code in re.findall(r"`((?:specialist|make|python -m benchmarks)[ .][^`\n]+)`", text):
        program, *words = code.replace("python -m ", "python ").split()
        if program == "make":
            assert words[0] in make_targets(), code
        elif program == "python":
            assert importlib.util.find_spec(words[0]) is not None, code
        elif not words[0].startswith("--"):
            command = group.commands[words[0]]
            options = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
            assert {word for word in words if word.startswith("--")} <= options, code


def anchors(path: pathlib.Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in PAGES])
def test_links_lead_somewhere(page):
    text = without_blocks(page)
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        path, _, anchor = "".join(link).partition("#")
        if "://" in path:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link
