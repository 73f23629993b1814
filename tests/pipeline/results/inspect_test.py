"""`specialist prior` and `specialist plan` on a run that is written for it."""

import csv
import dataclasses
import io
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rich.console
from typer.testing import CliRunner

from components.artifacts import exclusions, index, label_prior, plan
from components.artifacts.label_prior import Assumption
from components.importance_resampler import matchers
from components.importance_resampler.labels_table import labels_table
from components.importance_resampler.matchers.matcher import Inputs
from components.importance_resampler.pairs import Pairs
from pipeline import cli, record
from pipeline.results import inspect

NAMES = ("eta", "zeta", "[b]eta", "none")
LABELS = [[0], [1], [1], [2, 0], [1], [2]]
PRIOR = label_prior.LabelPrior(
    NAMES,
    np.array([2, 3, 2, 0]),
    np.array([0.6, 0.25, 0.05, 0.1]),
    estimator="em",
    temperature=1.25,
    num_images=40,
    interval=(np.array([0.5, 0.2, 0.0, 0.0]), np.array([0.7, 0.3, 0.1, 0.2])),
    assumption=Assumption(
        np.array([5, 2, 0, 0]), np.array([1.0, 2.5, np.nan, np.nan]), np.array([False, True, False, False])
    ),
)


@pytest.fixture
def workspace(tmp_path) -> str:
    """A run with two targets, `pets` with the arms same_distribution and uniform_subsample, and `dishes` with none."""
    rows = pa.table(
        {
            "source_id": [f"id-{i}" for i in range(6)],
            "key": pa.array([index.id_key(f"id-{i}") for i in range(6)], pa.uint64()),
            "labels": pa.array(LABELS, pa.list_(pa.int32())),
        }
    )
    nodes = {}

    def write(node: str, output: str, file: str, table: pa.Table) -> None:
        path = tmp_path / node / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        nodes[node] = record.Node("done", 1.0, {output: [str(tmp_path / node)]})

    write("source-examples", "index", "Split-train/index-00000-of-00003.parquet", rows.slice(0, 0))
    write("source-examples", "index", "Split-train/index-00001-of-00003.parquet", rows.slice(0, 4))
    write("source-examples", "index", "Split-train/index-00002-of-00003.parquet", rows.slice(4))
    pairs = Pairs.of_index(rows, 4)
    for arm in ("same_distribution", "uniform_subsample"):
        sample = matchers.make_matcher(arm).draw(Inputs(pairs, PRIOR), n=5, seed=0)
        labels = labels_table(sample, pairs, PRIOR, {"matcher": arm, "n": 5, "seed": 0})
        side = "source" if arm == "uniform_subsample" else "pets"
        write(f"{side}-{arm.replace('_', '-')}-resample", "plan", plan.LABELS_FILE, labels)
        (tmp_path / f"{arm}.json").write_text(json.dumps(sample.copies.tolist()))
    for target in ("pets", "dishes"):
        write(f"{target}-prior", "label_prior", label_prior.FILE_NAME, label_prior.to_table(PRIOR))
    arms = ["entire_source", "same_distribution", "uniform_subsample"]
    targets = {"pets": {"arms": arms}, "dishes": {"arms": ["entire_source"]}}
    record.write(str(tmp_path), "now", record.Record({"targets": targets}, nodes))
    return str(tmp_path)


@pytest.fixture
def specialist(workspace, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    def specialist(command: str, *arguments: str) -> tuple[int, list[str], str]:
        """Returns the exit code, the lines of standard output, and standard error."""
        done = CliRunner().invoke(cli.app, [command, workspace, *arguments])
        return done.exit_code, [line.rstrip() for line in done.stdout.splitlines()], done.stderr

    return specialist


def names_of(lines: list[str]) -> list[str]:
    """Returns the first column of the table that ends `lines`."""
    (rule,) = (i for i, line in enumerate(lines) if "──" in line)
    return [line.split()[0] for line in lines[rule + 1 :] if line.strip()]


def test_prior_shows_the_labels_that_matter_first(specialist):
    code, lines, _ = specialist("prior", "--target", "pets")
    assert code == 0
    assert "estimator             em" in lines
    assert "lost_mass             0.1" in lines
    assert names_of(lines) == ["eta", "zeta", "none", "[b]eta"]
    (zeta,) = (line for line in lines if line.split()[:1] == ["zeta"])
    assert zeta.split() == ["zeta", "3", "0.429", "0.25", "0.2", "0.3", "0.648", "2", "2.5", "yes"]


def test_a_label_from_right_to_left_does_not_turn_its_row_around():
    text = io.StringIO()
    prior = dataclasses.replace(PRIOR, names=("eta", "\u05d0", "\u07d2\u07d3", "none"))
    inspect.show_prior(rich.console.Console(file=text, width=120), label_prior.to_table(prior), count=4)
    assert names_of(text.getvalue().splitlines()) == ["eta", "\u2068\u05d0\u2069", "none", "\u2068\u07d2\u07d3\u2069"]


def test_prior_from_the_bottom_and_no_more_than_asked(specialist):
    _, lines, _ = specialist("prior", "--target", "pets", "--bottom", "--rows", "2")
    assert names_of(lines) == ["[b]eta", "none"]


def test_prior_of_labels_that_are_searched(specialist):
    # A name that is just that comes before names that contain it.
    assert names_of(specialist("prior", "--target", "pets", "--label", "eta")[1]) == ["eta"]
    assert names_of(specialist("prior", "--target", "pets", "--label", "ETA")[1]) == ["eta", "zeta", "[b]eta"]
    assert names_of(specialist("prior", "--target", "pets", "--label", "[b", "--label", "none")[1]) == [
        "[b]eta",
        "none",
    ]


def test_prior_as_csv(specialist, tmp_path):
    path = tmp_path / "prior.csv"
    assert specialist("prior", "--target", "dishes", "--rows", "1", "--csv", str(path))[0] == 0
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [row["name"] for row in rows] == list(NAMES)
    assert float(rows[1]["target_prior_high"]) == 0.3
    assert not [file for file in path.parent.iterdir() if file.suffix == ".tmp"]


def test_a_csv_file_in_a_folder_that_is_not_there(specialist, tmp_path):
    path = tmp_path / "a" / "b" / "prior.csv"
    assert specialist("prior", "--target", "dishes", "--csv", str(path))[0] == 0
    assert len(list(csv.DictReader(path.open(encoding="utf-8")))) == 4


@pytest.mark.parametrize(
    ("place", "reason"), [("file/prior.csv", "File exists"), ("folder", "Is a directory")], ids=["file", "folder"]
)
def test_a_csv_file_that_cannot_be_written_is_said_before_anything_else(specialist, tmp_path, place, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    code, lines, stderr = specialist("prior", "--target", "dishes", "--csv", str(tmp_path / place))
    assert (code, lines) == (1, [])
    assert stderr == f"error: --csv: '{tmp_path / place}' cannot be written ({reason})\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_failed_early_gives_way_to_the_one_before(specialist, workspace):
    _, before, _ = specialist("prior", "--target", "pets")
    _, planned, _ = specialist("plan", "--target", "pets", "--arm", "uniform_subsample")
    blocked = record.Node("blocked", 0.0, {})
    nodes = {"source-classifier": record.Node("failed", 1.0, {}), "pets-prior": blocked}
    nodes["pets-same-distribution-resample"] = blocked
    pets = {"arms": ["same_distribution"]}
    record.write(workspace, "then", record.Record({"targets": {"pets": pets}}, nodes))

    code, lines, stderr = specialist("prior", "--target", "pets")
    assert (code, lines) == (0, before)
    assert stderr == (
        "note: this is from the run now; the newest run, then, lacks it: "
        "pets-prior has no output label_prior: its state is blocked, and source-classifier failed\n"
    )
    # An arm and a target that only the older run has.
    code, lines, stderr = specialist("plan", "--target", "pets", "--arm", "uniform_subsample")
    assert (code, lines) == (0, planned)
    assert stderr.startswith("note: this is from the run now; the newest run, then, lacks it: --arm: ")
    assert specialist("prior", "--target", "dishes")[0] == 0


def test_plan_by_label(specialist):
    _, lines, _ = specialist("plan", "--target", "pets", "--arm", "same_distribution")
    assert "n                     5" in lines
    rows = {line.split()[0]: line.split() for line in lines if line.split()[:1] and line.split()[0] in NAMES}
    # Largest remainder of 5 × (0.6, 0.25, 0.05) / 0.9.
    assert {name: row[3] for name, row in rows.items()} == {"eta": "3", "zeta": "2", "[b]eta": "0", "none": "0"}
    assert rows["eta"][4:6] == ["2", "1"]


@pytest.mark.parametrize("arm", ["same_distribution", "uniform_subsample"])
def test_plan_says_how_often_an_example_is_taken(specialist, workspace, arm):
    copies = json.loads(pathlib.Path(workspace, f"{arm}.json").read_text())
    for i, times in enumerate(copies):
        code, lines, _ = specialist("plan", "--target", "pets", "--arm", arm, "--example", f"id-{i}")
        labels = ", ".join(NAMES[label] for label in LABELS[i])
        assert (code, lines[0]) == (0, f"id-{i}: {labels}: taken {times} times by {arm}")


@pytest.mark.parametrize("nodes", [["source-exclusions"], ["source-exclusions", "source-embedding-exclusions"]])
def test_plan_says_that_an_example_is_excluded_and_by_which_image(specialist, workspace, nodes):
    path = pathlib.Path(workspace, "runs", "now.json")
    content = json.loads(path.read_text())
    pair = {"source_split": "train", "target": "pets", "target_id": "cat 7", "target_split": "test", "flipped": True}
    for node in nodes:
        # The second stage holds what the first has found, and more.
        ids = ["id-3", "id-5"] if node == nodes[-1] else ["id-0"]
        rows = [{**pair, "source_id": name, "reason": "perceptual_hash", "distance": 6} for name in ids]
        file = pathlib.Path(workspace, node, "Split-train", "pairs-00000-of-00001.parquet")
        file.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, exclusions.SCHEMA), file)
        content["nodes"][node] = {"state": "done", "seconds": 1.0, "outputs": {"exclusions": [str(file.parents[1])]}}
    # The plan of what is left.
    rows = pa.table({"key": pa.array([index.id_key(f"id-{i}") for i in (0, 1, 2, 4)], pa.uint64())})
    rows = rows.append_column("labels", pa.array([LABELS[i] for i in (0, 1, 2, 4)], pa.list_(pa.int32())))
    pairs = Pairs.of_index(rows, 4)
    prior = dataclasses.replace(PRIOR, counts=pairs.counts, assumption=None)
    sample = matchers.make_matcher("same_distribution").draw(Inputs(pairs, prior), n=5, seed=0)
    labels = labels_table(sample, pairs, prior, {"matcher": "same_distribution", "n": 5, "seed": 0})
    pq.write_table(labels, pathlib.Path(workspace, "pets-same-distribution-resample", plan.LABELS_FILE))
    path.write_text(json.dumps(content))

    ask = ("plan", "--target", "pets", "--arm", "same_distribution", "--example")
    code, lines, _ = specialist(*ask, "id-3")
    assert (code, lines) == (
        0,
        [
            "id-3: [b]eta, eta: taken 0 times by same_distribution",
            "  excluded: perceptual hash 6 bits from the mirror image of cat 7 of pets (test)",
        ],
    )
    for name, copies in zip(("id-0", "id-1", "id-2", "id-4"), sample.copies, strict=True):
        code, lines, _ = specialist(*ask, name)
        assert code == 0 and f"taken {copies} times" in lines[0] and "excluded" not in "".join(lines)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("prior", [], "--target: the run has several; choose one of pets, dishes"),
        ("prior", ["--target", "cars"], "--target: 'cars' is not in this run; choose one of pets, dishes"),
        ("prior", ["--target", "pets", "--label", "theta"], "--label: no source label equals or contains 'theta'"),
        (
            "plan",
            ["--target", "pets"],
            "--arm: the run has several; choose one of same_distribution, uniform_subsample",
        ),
        ("plan", ["--target", "dishes"], "--arm: the run has none"),
        (
            "plan",
            ["--target", "pets", "--arm", "uniform_subsample", "--example", "id-9"],
            "--example: 'id-9' is not in the source's train split; one of its 6 ids is 'id-0'",
        ),
    ],
    ids=["several-targets", "no-target", "no-label", "several-arms", "no-arm", "no-example"],
)
def test_mistakes(specialist, command, arguments, message):
    code, _, stderr = specialist(command, *arguments)
    assert code == 1
    assert stderr.startswith(f"error: {message}")
    assert len(stderr.splitlines()) == 1
