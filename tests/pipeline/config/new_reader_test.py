"""A new kind of data: one file and a line in the registry make it a part of the configuration and of the ExampleGen."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import pytest
import yaml

import components

DEFAULTS = {
    **{"hierarchy": None, "max_pixels": 89_478_485, "check": "full", "scale_16_bit": "max"},
    **{"threads": 0, "several_labels": False},
}
REPOSITORY = pathlib.Path(components.__file__).parents[1]
READERS = "components/example_gen/readers"
COLOURS = """
    '''Squares of one colour each, from a file with a colour a line.'''

    import io

    import PIL.Image
    import pydantic

    from components.artifacts import vocabulary
    from components.example_gen import splits
    from components.example_gen.readers.reader import Contents, FilePart, LabelledImage, Reader


    class ColourReader(Reader):
        colours: str
        side: int = pydantic.Field(4, gt=0)

        def fingerprint(self):
            return "-".join(self._lines())

        def allows_several_labels(self):
            return False

        def read_vocabulary(self):
            return vocabulary.make_vocabulary(sorted(self._lines()))

        def open(self, work):
            part = FilePart(self.colours, None, splits.parse_rules(self.splits), 1)
            return Contents(self.read_vocabulary(), {split: 1 for split in self.splits}, [part])

        def read(self, part):
            names = self.read_vocabulary().names
            for line in self._lines():
                for side in range(self.side, self.side + 4):
                    file = io.BytesIO()
                    PIL.Image.new("RGB", (side, side + 1), line).save(file, "PNG")
                    yield LabelledImage(file.getvalue(), (names.index(line),), f"{line} {side}")

        def _lines(self):
            with open(self.colours) as file:
                return file.read().split()
"""
SCRIPT = """
    import json
    import sys

    import apache_beam as beam
    from tfx.dsl.components.base import base_beam_executor

    import components
    from components import storage
    from components.artifacts import vocabulary
    from components.example_gen import executor
    from pipeline.config.load import load


    def refusal(*overrides):
        try:
            load(sys.argv[1], overrides)
        except ValueError as error:
            return str(error).removeprefix(f"{sys.argv[1]}: ")


    def make():
        return components.SourceExampleGen(dataset=data.reader(), max_rejected=data.max_rejected, shards=1)


    def version_with(module):
        with open(f"components/example_gen/readers/{module}.py", "a") as file:
            file.write("CHANGED = True\\n")
        return make().exec_properties["code_version"]


    data = load(sys.argv[1]).source
    example_gen = make()
    outputs = {name: channel.type() for name, channel in example_gen.outputs.items()}
    for name, artifact in outputs.items():
        artifact.uri = f"{sys.argv[2]}/{name}"
    context = base_beam_executor.BaseBeamExecutor.Context(make_beam_pipeline_fn=beam.Pipeline)
    executor.Executor(context).Do({}, {name: [found] for name, found in outputs.items()}, example_gen.exec_properties)
    versions = [example_gen.exec_properties["code_version"]]
    versions += [version_with(module) for module in ("__init__", "folder", "colours")]
    rows = [
        row
        for split in ("train", "eval")
        for path in storage.list_files(f"{sys.argv[2]}/index/Split-{split}", "index-*")
        for row in storage.read_table(path).to_pylist()
    ]
    print(
        json.dumps(
            {
                "settings": data.model_dump(),
                "location": data.location,
                "rows": [[row["source_id"], row["labels"], row["height"], row["width"]] for row in rows],
                "labels": vocabulary.loads(storage.read_text(f"{sys.argv[2]}/vocabulary/labels.csv")).names,
                "versions": versions,
                "refusals": [refusal("source.side=0"), refusal("source.number=1"), refusal("source.folder=a")],
            }
        )
    )
"""


@pytest.fixture
def tree(tmp_path) -> pathlib.Path:
    """A copy of the packages with a reader of its own."""
    root = tmp_path / "copy"
    for package in ("components", "pipeline", "schemas", "trainer"):
        shutil.copytree(REPOSITORY / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    (root / READERS / "colours.py").write_text(textwrap.dedent(COLOURS))
    registry = root / READERS / "__init__.py"
    line = 'KINDS = {\n    "colours": "components.example_gen.readers.colours:ColourReader",\n'
    text = registry.read_text()
    assert text.count("KINDS = {\n") == 1
    registry.write_text(text.replace("KINDS = {\n", line))
    return root


def test_a_reader_is_one_file_and_a_line_of_the_registry(tree, tmp_path):
    (tmp_path / "colours.txt").write_text("red blue lime navy gold pink teal")
    content = yaml.safe_load((tree / "pipeline" / "configs" / "demo.yaml").read_text(encoding="utf-8"))
    content["source"] = {
        "colours": str(tmp_path / "colours.txt"),
        "side": 6,
        "splits": {"train": 0.5, "eval": 0.5},
        "max_rejected": 0.0,
    }
    (tmp_path / "colours.yaml").write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / "colours.yaml"), str(tmp_path / "made")],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["settings"] == {**content["source"], **DEFAULTS}
    assert found["location"] == str(tmp_path / "colours.txt")
    labels = ["blue", "gold", "lime", "navy", "pink", "red", "teal"]
    assert found["labels"] == labels
    assert sorted(found["rows"]) == [
        [f"{name} {side}", [label], side + 1, side] for label, name in enumerate(labels) for side in range(6, 10)
    ]
    as_it_was, with_registry, with_another, with_itself = found["versions"]
    assert as_it_was == with_registry == with_another != with_itself
    assert found["refusals"] == [
        "source.side: 0: input should be greater than 0",
        "source: unknown key 'number'; allowed are "
        "hierarchy, max_pixels, max_rejected, check, scale_16_bit, threads, splits, several_labels, colours, side",
        "source: has colours and folder; give exactly one of colours, dataset, folder, manifest, tfrecords, uris",
    ]
