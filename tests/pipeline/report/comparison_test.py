"""The report on a comparison: its numbers are those of results.csv, and it names the cells that are missing."""

import io
import os
import pathlib

import numpy as np
import pytest
import rich.console
from trainings import SMALL

from pipeline import session
from pipeline.compare import kept, matrix, predictions, rows, show, store, train
from pipeline.compare.rows import Cell
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.report import command
from pipeline.runners.local import State

DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")
FAILING = "digits-same-distribution-s1-specialist"


@pytest.fixture
def folder(workspace) -> str:
    return store.folder_of(str(workspace), "demo")


@pytest.fixture
def compare(workspace, trainings, read_block):
    def compare(*overrides: str):
        """Compares, and writes results.csv; returns what was trained, and what is reported."""
        config = load(DEMO, [*SMALL, *overrides])
        planned = train.plan(config, str(workspace), matrix.list_cells(config).cells)
        trained = train.train_cells(config, planned)
        show.report(rich.console.Console(file=io.StringIO()), config, planned.store.folder, trained)
        nodes = {result.node: result for result in trained.nodes}
        return nodes, read_block(nodes[ids.REPORT].outputs["report"][0].uri)

    return compare


def check_numbers(found, folder: str) -> None:
    """Checks that the arms have the values and the costs of results.csv."""
    results = rows.read(os.path.join(folder, rows.FILE_NAME))
    for name, target in found.targets.items():
        for arm in target.arms:
            of_arm = [each for each in results if (each.cell.target, each.cell.arm) == (name, arm.name)]
            assert arm.seeds == tuple(each.cell.seed for each in of_arm)
            assert arm.values == tuple(each.metrics[target.split, target.metric] for each in of_arm)
            if of_arm:
                assert arm.mean == pytest.approx(np.mean(arm.values))
                assert arm.images == np.mean([each.images for each in of_arm])
                assert arm.total_seconds == pytest.approx(np.mean([each.total_seconds for each in of_arm]))


def test_what_is_said_of_two_arms_and_two_seeds(compare, folder):
    nodes, found = compare()
    check_numbers(found, folder)
    target = found.targets["digits"]
    assert (found.kind, found.seeds, found.missing) == ("comparison", (0, 1), ())
    entire, same = target.arms
    assert (entire.reference, entire.difference, same.reference) == (True, None, False)
    assert same.difference == pytest.approx(same.mean - entire.mean)
    assert same.difference_low < same.difference < same.difference_high
    assert same.low <= same.mean <= same.high and same.verdict
    assert target.labels.drawn and sum(target.labels.drawn) == 300
    assert target.thumbnails and target.explained
    assert set(target.curves) >= {"source-classifier", "digits-same-distribution-s0-finetune"}
    assert not any("-s1-" in node for node in target.curves)
    assert target.curves["digits-same-distribution-s0-finetune"].title == "same_distribution: fine-tuning"
    assert (same.gained, same.images_low) == (None, None)  # the interval of two seeds says more
    assert (same.pool, entire.pool_kind) == (300, "source")
    best = next(arm for arm in target.arms if arm.name == target.verdict.arm)
    table = predictions.read(folder, Cell("digits", best.name, 0, None, 0.1))
    assert sum(map(sum, target.confusion.rows)) == len(table)
    assert np.trace(np.array(target.confusion.rows)) / len(table) == best.values[0]
    assert found.caveats and {node.id for node in found.lineage} == nodes.keys() - {ids.REPORT}
    assert not target.verdict.pushed


def test_missing_cells_are_named(compare, folder, trainings):
    trainings.failing.add(FAILING)
    _, found = compare()
    check_numbers(found, folder)
    (missing,) = found.missing
    assert missing.what == str(Cell("digits", "same_distribution", 1, None, 0.1))
    assert (missing.why, missing.target) == (f"{FAILING} failed: it diverged", "digits")
    assert [arm.seeds for arm in found.targets["digits"].arms] == [(0, 1), (0,)]
    same = found.targets["digits"].arms[1]  # of the seed that both have
    assert same.gained - same.lost == round(same.difference * found.targets["digits"].images["test"])
    assert same.images_low <= same.difference <= same.images_high
    trainings.failing.clear()
    nodes, found = compare()
    assert nodes[ids.REPORT].state is State.DONE
    check_numbers(found, folder)  # with the cells that were finished before
    assert found.missing == () and [arm.seeds for arm in found.targets["digits"].arms] == [(0, 1), (0, 1)]


def test_an_arm_without_a_result_and_the_reference_without_one(compare, folder, trainings):
    trainings.failing.update(f"source-entire-source-s{seed}-specialist" for seed in (0, 1))
    _, found = compare()
    check_numbers(found, folder)
    entire, same = found.targets["digits"].arms
    assert (entire.seeds, entire.mean, same.reference) == ((), None, True)
    assert any("entire_source" in note for note in found.notes)
    assert len(found.missing) == 2


def test_no_cell_is_finished(compare, folder, trainings):
    trainings.failing.add("digits-random-init-s0-finetune")
    _, found = compare("compare.arms=[random_init]", "compare.reference=random_init", "compare.seeds=1")
    assert len(found.missing) == 1 and found.notes
    assert found.targets["digits"].verdict.arm is None
    assert found.targets["digits"].labels is None  # no arm needed it


def test_images_a_class_and_the_mean_over_targets(compare, folder):
    data = "dataset: handwritten_digits, id_key: id, splits: {train: train, eval: 'eval[:10%]', test: 'test[:5%]'}"
    _, found = compare(
        f"targets.more={{data: {{{data}}}, arms: [entire_source]}}",
        "compare.arms=[entire_source, random_init]",
        "compare.shots=[2]",
        "compare.seeds=2",
    )
    assert found.targets.keys() == {"digits", "more"}
    results = rows.read(os.path.join(folder, rows.FILE_NAME))
    assert {result.cell.shots for result in results} == {2, None}
    for name, target in found.targets.items():
        for arm in target.arms:  # of all images, not of two a class
            of_arm = [each for each in results if each.cell.arm == arm.name and each.cell.target == name]
            assert arm.values == tuple(each.metrics["test", "accuracy"] for each in of_arm if each.cell.shots is None)
        titles = [curve.title for curve in target.curves.values()]
        assert len(set(titles)) == len(titles) and "random_init: fine-tuning, 2 images a class" in titles
    (mean,) = found.mean
    differences = [target.arms[1].difference for target in found.targets.values()]
    assert mean.arm == "random_init" and mean.difference == pytest.approx(np.mean(differences))


def test_the_command_finds_it_and_makes_it_again(compare, folder, workspace, read_block):
    config = load(DEMO, SMALL)
    assert session.compare_config(config, str(workspace)).failed == []
    path, note = command.find_report(str(workspace))
    assert (path, note) == (os.path.join(folder, "report", "report.html"), None)
    first = read_block(os.path.dirname(path))
    before = os.stat(path).st_mtime_ns
    assert session.compare_config(config, str(workspace)).failed == []  # all cells are finished
    assert os.stat(path).st_mtime_ns == before
    os.remove(path)
    assert command.find_report(folder)[0] == path
    again = read_block(os.path.dirname(path))
    check_numbers(again, folder)
    for name in ("arms", "labels", "thumbnails", "explained", "achieved", "confusion", "curves"):
        assert getattr(again.targets["digits"], name) == getattr(first.targets["digits"], name), name
    # More seeds are asked for, and there is no time for them: what is there is reported on.
    more = load(DEMO, [*SMALL, "compare.seeds=3"])
    session.compare_config(more, str(workspace), hours=1e-9)
    later = read_block(os.path.dirname(path))
    assert len(later.missing) == 2 and {each.why for each in later.missing} != {""}
    check_numbers(later, folder)


def test_nothing_is_kept(tmp_path):
    assert kept.read(str(tmp_path)) is None
    with pytest.raises(ValueError, match=r"^RUN: .* has no record.json; run `specialist compare` again"):
        command.report_comparison(str(tmp_path))
