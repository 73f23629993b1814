"""A matcher and a reader of one's own: a file each, and a line in its registry; what they change runs, and no more."""

import io
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
MATCHERS = "components/importance_resampler/matchers"
READERS = "components/example_gen/readers"

TOY_MATCHER = '''
"""Takes the examples of the labels that the classifier gives the target's images most often."""

import numpy as np
import pydantic

from components.artifacts import predictions
from components.importance_resampler.matchers import label_subset
from components.importance_resampler.matchers.matcher import Matcher


class TopPredicted(Matcher):
    """Attributes:
    top_labels: how many labels are taken.
    """

    needs = ("target_predictions", "target_index")

    top_labels: pydantic.PositiveInt = 1

    def draw(self, inputs, *, n, seed):
        first = predictions.logits_of(inputs.target.predictions).argmax(axis=1)
        order = np.argsort(-np.bincount(first, minlength=inputs.pairs.num_labels), kind="stable")
        return label_subset.label_subset(inputs.pairs, order[: self.top_labels], n=n, seed=seed)

    def explain(self, drawn, row):
        return label_subset.explain_draw(drawn, row)
'''

TOY_READER = '''
"""Grey squares whose label is their brightness: `squares: 3` are three labels."""

import io

from components.artifacts import vocabulary
from components.example_gen import splits
from components.example_gen.readers.reader import Contents, FilePart, LabelledImage, Reader


class SquaresReader(Reader):
    """Attributes:
    squares: how many labels.
    each: images of a label.
    """

    squares: int
    each: int = 20

    def fingerprint(self):
        return f"{self.squares:08x}{self.each:08x}"

    def allows_several_labels(self):
        return False

    def read_vocabulary(self):
        return vocabulary.make_vocabulary([f"shade {label}" for label in range(self.squares)])

    def open(self, work):
        rules = splits.parse_rules(self.splits)
        parts = [FilePart("nowhere", None, rules, self.squares * self.each)]
        return Contents(self.read_vocabulary(), dict.fromkeys(rules, 1000), parts)

    def read(self, part):
        import numpy as np
        import PIL.Image

        for i in range(self.squares * self.each):
            label = i % self.squares
            pixels = np.random.default_rng(i).integers(0, 40, (16, 16)) + 200 * label // self.squares
            file = io.BytesIO()
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
            yield LabelledImage(file.getvalue(), (label,), f"square {i}")
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> pathlib.Path:
    """A copy of the project, and a target in a folder."""
    root = tmp_path_factory.mktemp("tree")
    for package in ("components", "pipeline", "schemas", "trainer"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for label, shade in (("dark", 20), ("light", 180)):
        (root / "target" / label).mkdir(parents=True)
        for i in range(12):
            pixels = np.random.default_rng(shade + i).integers(shade, shade + 50, (16, 16), np.uint8)
            file = io.BytesIO()
            PIL.Image.fromarray(pixels).save(file, "PNG")
            (root / "target" / label / f"{i}.png").write_bytes(file.getvalue())
    return root


def edit(path: pathlib.Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def specialist(tree: pathlib.Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tree, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def newest_run(tree: pathlib.Path) -> dict[str, dict]:
    """Returns what the record of the newest run says of its nodes."""
    newest = max((tree / "workspace" / "runs").glob("*.json"), key=os.path.getmtime)
    return json.loads(newest.read_text())["nodes"]


def first_of_each_label(tree: pathlib.Path) -> list[str]:
    """Returns the id of a source image in train for each label."""
    (uri,) = newest_run(tree)["source-examples"]["outputs"]["index"]
    rows = [
        row
        for path in sorted((tree / "workspace" / uri).glob("Split-train/*"))
        for row in pq.read_table(path).to_pylist()
    ]
    return [next(row["source_id"] for row in rows if row["labels"] == [label]) for label in range(3)]


def run(tree: pathlib.Path, arms: list[str], **resample: int) -> dict[str, str]:
    """Runs the copy of the project and returns how each node ended."""
    recipe = {"steps": 2, "batch_size": 8, "learning_rate": 0.1}
    config = {
        "name": "toys",
        "image": {"size": 16, "channels": 1},
        "backbone": {"name": "compact_cnn"},
        "source": {"squares": 3, "splits": {"train": 0.7, "eval": 0.3}},
        "targets": {
            "shades": {
                "data": {"folder": str(tree / "target"), "splits": {"train": 0.6, "eval": 0.4}},
                "arms": arms,
            }
        },
        "classifier": recipe,
        "pretrain": recipe,
        "finetune": recipe,
        "prior": {"bootstrap": 0},
        "resample": {"n": 10, **resample},
        "near_duplicates": {"enabled": False},
    }
    (tree / "toys.yaml").write_text(yaml.safe_dump(config))
    specialist(tree, "run", "toys.yaml", "--workspace", "workspace")
    return {node: found["state"] for node, found in newest_run(tree).items()}


@pytest.mark.slow
def test_a_matcher_and_a_reader_from_elsewhere(tree):
    (tree / READERS / "squares.py").write_text(TOY_READER)
    registry = tree / READERS / "__init__.py"
    edit(registry, "KINDS = {\n", 'KINDS = {\n    "squares": "components.example_gen.readers.squares:SquaresReader",\n')
    first = run(tree, ["same_distribution", "emd_subset"])
    assert set(first.values()) == {"done", "resolved"}

    # A new matcher, registered: nothing that was there before runs again.
    (tree / MATCHERS / "top_predicted.py").write_text(TOY_MATCHER)
    registry = tree / MATCHERS / "__init__.py"
    edit(registry, "CLASSES = {\n", 'CLASSES = {\n    "top_predicted": "TopPredicted",\n')
    second = run(tree, ["same_distribution", "emd_subset", "top_predicted"], top_labels=2)
    again = {node for node, state in second.items() if state == "done"}
    assert again == {f"shades-top-predicted-{kind}" for kind in ("resample", "specialist", "finetune")}

    plan = specialist(tree, "plan", "workspace", "--arm", "top_predicted")
    assert [line.split()[1] for line in plan.splitlines() if line.startswith("top_labels")] == ["2"]
    draws = []
    for label, square in enumerate(first_of_each_label(tree)):
        lines = specialist(tree, "plan", "workspace", "--arm", "top_predicted", "--example", square).splitlines()
        assert lines[0].startswith(f"{square}: shade {label}: taken ")
        draws.append([line for line in lines[1:] if line.startswith("  10 copies for ")])
    assert sorted(map(len, draws)) == [0, 1, 1]  # two of the labels are taken, as far as n goes

    # Another way to draw for one arm: its sample, and what follows from it.
    edit(
        tree / MATCHERS / "emd_subset.py",
        "between = distances(",
        "between = 2 * distances(",
    )
    third = run(tree, ["same_distribution", "emd_subset", "top_predicted"], top_labels=2)
    again = {node for node, state in third.items() if state == "done"}
    assert "shades-emd-subset-resample" in again
    assert again <= {f"shades-emd-subset-{kind}" for kind in ("resample", "specialist", "finetune")}

    # Other words run nothing.
    edit(tree / MATCHERS / "matcher.py", "n: {n}, but this matcher takes", "n: {n}; this matcher takes")
    edit(tree / "trainer/loop/progress.py", "step %d/%d", "at %d of %d")
    fourth = run(tree, ["same_distribution", "emd_subset", "top_predicted"], top_labels=2)
    assert {state for state in fourth.values()} == {"reused", "resolved"}
