"""The command `specialist compare`: what is wrong is said before anything is trained."""

import csv
import pathlib

import pytest
import typer.testing

import pipeline
from pipeline import cli
from pipeline.compare import rows, store

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")


@pytest.fixture
def compare(tmp_path):
    def compare(*arguments: str) -> typer.testing.Result:
        """Runs the command in a workspace of this test."""
        command = ["compare", DEMO, "--workspace", str(tmp_path / "workspace"), *arguments]
        return typer.testing.CliRunner().invoke(cli.app, command)

    return compare


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arms", "entire"], "compare.arms: 'entire': must be one of entire_source, "),
        (["--arms", "same_distribution"], "compare.reference: 'entire_source' is not one of the arms of digits, same"),
        (["--arms", "entire_source,label_subset", "--set", "targets.digits.label_subset=null"], "label_subset needs"),
        (["--targets", "digit"], "compare.targets: 'digit' is not one of digits"),
        (["--budget", "0"], "--budget: 0.0; it must be a positive number of hours"),
        (["--with", "other"], "--with: 'other' is for --table and --figure"),
        (["--table", "weight"], "table: 'weight'; must be one of subsets, backbones, selection, weights"),
        (["--figure", "shot"], "figure: 'shot'; must be one of importance, matchers, shots, budget"),
    ],
)
def test_mistakes(compare, tmp_path, arguments, message):
    if "--table" in arguments or "--figure" in arguments:
        rows.write(pathlib.Path(store.folder_of(str(tmp_path / "workspace"), "demo"), rows.FILE_NAME), [])
    result = compare(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "workspace" / "artifacts").exists()


@pytest.mark.parametrize("what", ["--table=subsets", "--figure=budget"])
def test_without_results(compare, tmp_path, what):
    result = compare(what)
    assert result.exit_code == 1
    assert "results.csv: not there; run `specialist compare` first" in result.stderr
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize("name", ["subsets", "backbones", "selection", "weights"])
def test_tables_of_several_workspaces(compare, make_result, tmp_path, name):
    for workspace, backbone in (("workspace", "compact_cnn"), ("other", "inception_v3")):
        folder = store.folder_of(str(tmp_path / workspace), "demo")
        results = [make_result("same_distribution", 0.75, seed=seed, backbone=backbone) for seed in (0, 1)]
        rows.write(pathlib.Path(folder, rows.FILE_NAME), results)
    result = compare("--table", name, *(["--with", str(tmp_path / "other")] if name == "backbones" else []))
    assert result.exit_code == 0, result.stderr
    path = pathlib.Path(store.folder_of(str(tmp_path / "workspace"), "demo"), f"table_{name}.csv")
    with path.open(encoding="utf-8") as file:
        found = [row["backbone"] for row in csv.DictReader(file) if "75.0" in row.values()]
    assert found == (["compact_cnn", "inception_v3"] if name == "backbones" else ["compact_cnn"])
