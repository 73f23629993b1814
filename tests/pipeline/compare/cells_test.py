"""Which nodes a comparison trains, and what it keeps of them. The trainings are stand-ins; all else is real."""

import collections
import dataclasses
import io
import json
import os
import pathlib
import shutil
import zlib

import numpy as np
import pytest
import rich.console
import tensorflow as tf

import pipeline
from components import storage
from components.artifacts import examples as examples_artifact
from components.artifacts import model_labels, plan, predicted_labels, predictions, vocabulary
from components.predictor import executor as predictor
from pipeline.compare import matrix, report, rows, show, store, train
from pipeline.compare.rows import Cell
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.pipeline import create_pipeline
from pipeline.place import Place
from pipeline.runners import local
from pipeline.runners.local import State
from trainer import results as trainer_results
from trainer import run as trainer_run
from trainer import serving

DEMO = pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml"
SMALL = [
    "source.splits={train: 'train[:1%]', eval: 'eval[:1%]'}",
    "targets.digits.data.splits={train: train, eval: 'eval[:10%]', test: 'test[:5%]'}",
    "resample.n=300",
    "prior.bootstrap=0",
    "compare.seeds=2",
    "compare.vary=[]",
]


def digest(text: str) -> int:
    return zlib.crc32(text.encode())


def read_examples(pattern: str) -> list[tuple[str, int]]:
    found = []
    for path in sorted(tf.io.gfile.glob(pattern)):
        for record in storage.read_records(path):
            features = tf.train.Example.FromString(record).features.feature
            label = features["image/class/label"].int64_list.value[0]
            found.append((features[examples_artifact.SOURCE_ID].bytes_list.value[0].decode(), label))
    return found


class Trainings:
    """Stand-ins for trainings: what ran, and which nodes have to fail."""

    def __init__(self):
        self.ran: list[str] = []
        self.failing: set[str] = set()
        self.starts: dict[str, str | None] = {}
        self.images: dict[str, int] = {}

    def train(self, fn_args, make_model) -> None:
        node = pathlib.Path(fn_args.model_run_dir).parts[-3]
        if node in self.failing:
            raise RuntimeError("it diverged")
        settings = trainer_run.TrainingSettings.model_validate(fn_args.custom_config)
        base = fn_args.base_model_dir
        if base is not None:
            assert pathlib.Path(base, serving.KERAS_FILE).exists()
        self.ran.append(node)
        self.starts[node] = base and pathlib.Path(base).parts[-3]
        if fn_args.plan_pattern:
            copies = [plan.copies_of(storage.read_table(path)) for path in tf.io.gfile.glob(fn_args.plan_pattern)]
            self.images[node] = int(sum(part.sum() for part in copies))
        names = vocabulary.loads(storage.read_text(os.path.join(fn_args.vocabulary_path, vocabulary.FILE_NAME))).names
        tf.io.gfile.makedirs(fn_args.serving_model_dir)
        if "saved_model" in settings.formats:
            model_labels.write(fn_args.serving_model_dir, names)
        if "keras" in settings.formats:
            storage.write_text(os.path.join(fn_args.model_dir, serving.KERAS_FILE), "weights")
        metrics = {}
        for split in settings.splits_to_evaluate(fn_args.split_patterns):
            found = read_examples(fn_args.split_patterns[split][0])
            labels = np.array([label for _, label in found])
            right = np.array([digest(f"{node} {settings.recipe.learning_rate} {name}") % 2 for name, _ in found])
            values = dict.fromkeys(("accuracy", "mean_per_class_accuracy", "cross_entropy"), float(right.mean()))
            metrics[split] = {"examples": len(found), "top_5_accuracy": 1.0, **values}
            if split in settings.keep_predictions:
                predicted = np.where(right == 1, labels, (labels + 1) % len(names))
                table = predicted_labels.table([name for name, _ in found], labels, predicted, np.full(len(found), 0.5))
                storage.write_table(os.path.join(fn_args.model_run_dir, predicted_labels.file_name(split)), table)
        storage.write_text(os.path.join(fn_args.model_run_dir, trainer_results.METRICS_FILE), json.dumps(metrics))

    def predict(self, executor, input_dict, output_dict, exec_properties) -> None:
        uri = output_dict["predictions"][0].uri
        names = model_labels.read(os.path.join(input_dict["model"][0].uri, "Format-Serving"))
        storage.write_text(os.path.join(uri, vocabulary.FILE_NAME), vocabulary.dumps(vocabulary.make_vocabulary(names)))
        for split in json.loads(exec_properties["splits"]):
            folder = os.path.join(input_dict["examples"][0].uri, f"Split-{split}")
            found = [name for name, _ in read_examples(os.path.join(folder, storage.RECORD_PATTERN))]
            logits = np.random.default_rng(1).normal(size=(len(found), len(names)))
            path = os.path.join(uri, f"Split-{split}", storage.shard_name("predictions", 0, 1, ".parquet"))
            storage.write_table(path, predictions.table(found, logits))

    def count(self) -> dict[str, int]:
        """Returns how many nodes of each kind were trained since the last call."""
        counts = collections.Counter(map(ids.kind_of, self.ran))
        self.ran.clear()
        return dict(counts)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A workspace with the data of the small demo."""
    workspace = tmp_path_factory.mktemp("compare") / "workspace"
    config = load(str(DEMO), SMALL)
    for data in config.datasets().values():
        if not data.reader().is_prepared():
            data.reader().prepare()
    nodes = matrix.create_nodes(config, Place.local(str(workspace)), matrix.list_cells(config).cells[:1])

    def stop(node: str) -> None:
        if ids.kind_of(node) == ids.SPECIALIST:
            raise train.OutOfTime

    with pytest.raises(train.OutOfTime):
        local.run(nodes.pipeline, order=nodes.order, on_start=stop)
    return workspace


@pytest.fixture
def trainings(monkeypatch):
    trainings = Trainings()
    monkeypatch.setattr(trainer_run, "train_and_export", trainings.train)
    monkeypatch.setattr(predictor.Executor, "Do", lambda *arguments: trainings.predict(*arguments))
    return trainings


@pytest.fixture
def workspace(ingested, tmp_path):
    return pathlib.Path(shutil.copytree(ingested, tmp_path / "workspace"))


@pytest.fixture
def compare(workspace, trainings):
    def compare(*overrides: str, **options) -> train.Trained:
        config = load(str(DEMO), [*SMALL, *overrides])
        planned = train.plan(
            config,
            str(workspace),
            matrix.list_cells(config).cells,
            keep_models=options.pop("keep_models", False),
        )
        return train.train_cells(config, planned, **options)

    return compare


def find_models(workspace: pathlib.Path) -> list[str]:
    """Returns the nodes whose models are there."""
    return sorted({path.parts[-3] for path in workspace.glob("artifacts/*/model/*")})


def test_what_is_trained_for_two_targets_three_arms_and_two_seeds(compare, trainings):
    data = "dataset: handwritten_digits, id_key: id, splits: {train: train, eval: 'eval[:10%]', test: 'test[:5%]'}"
    trained = compare(
        f"targets.more={{data: {{{data}}}, arms: [entire_source]}}",
        "compare.arms=[entire_source, same_distribution, random_init]",
    )
    # One classifier; of entire_source a specialist a seed, of same_distribution one for each target.
    assert trainings.count() == {"classifier": 1, "specialist": 2 + 2 * 2, "finetune": 12}
    assert len(trained.results) == 12 and not trained.failed
    assert [result.cell for result in trained.results[:3]] == [
        Cell("digits", arm, 0, None, 0.1) for arm in ("entire_source", "same_distribution", "random_init")
    ]


def test_what_a_cell_starts_from_and_costs(compare, trainings):
    trained = compare(
        "compare.seeds=1",
        "compare.arms=[entire_source, random_init, source_classifier, warm_start, entire_source_total]",
        "pretrain.batch_size=64",
    )
    starts = {
        node.removeprefix("digits-").removesuffix("-s0-finetune"): base for node, base in trainings.starts.items()
    }
    assert starts == {
        "source-classifier": None,
        "source-entire-source-s0-specialist": None,
        "entire-source": "source-entire-source-s0-specialist",
        "random-init": None,
        "warm-start-s0-specialist": "source-classifier",
        "warm-start": "digits-warm-start-s0-specialist",
        "source-entire-source-total-s0-specialist": None,
        "entire-source-total": "source-entire-source-total-s0-specialist",
    } | {"source-classifier": trainings.starts["digits-source-classifier-s0-finetune"]}
    costs = {r.cell.arm: (r.start, r.n, r.steps, r.images, r.classifier_images) for r in trained.results}
    assert costs == {
        "entire_source": ("random", 0, 300, 19_200, 0),
        "random_init": ("random", 0, 0, 0, 0),
        "source_classifier": ("classifier", 0, 0, 0, 192_000),
        "warm_start": ("classifier", 300, 300, 19_200, 192_000),
        "entire_source_total": ("random", 0, 3300, 211_200, 0),
    }


def test_a_finished_cell_is_not_trained_again_and_its_models_are_gone(compare, trainings, workspace):
    first = compare()
    assert trainings.count() == {"classifier": 1, "specialist": 4, "finetune": 4}
    assert find_models(workspace) == ["source-classifier"]
    second = compare()
    assert trainings.count() == {}
    assert second.results == first.results
    more = compare("compare.seeds=3")
    assert trainings.count() == {"specialist": 2, "finetune": 2}
    assert more.results[:4] == first.results
    compare("finetune.steps=7")  # the specialists are gone
    assert trainings.count() == {"specialist": 4, "finetune": 4}


def test_samples_go_with_the_models_that_were_trained_on_them(compare, trainings, workspace):
    compare("resample.materialise=true")
    assert not list(workspace.glob("artifacts/*/resampled_examples/*"))
    trainings.count()
    assert len(compare("resample.materialise=true", "compare.seeds=3").results) == 6
    assert trainings.count() == {"specialist": 2, "finetune": 2}
    compare("resample.materialise=true", "finetune.steps=7", "compare.seeds=1")
    assert trainings.count() == {"specialist": 2, "finetune": 2}


def test_models_are_kept_on_demand(compare, trainings, workspace):
    compare(keep_models=True)
    assert len(find_models(workspace)) == 9
    (served,) = workspace.glob("artifacts/digits-entire-source-s0-finetune/model/*/Format-Serving/*")
    assert served.name == "assets.extra"
    trainings.count()
    compare("finetune.steps=7", keep_models=True)
    assert trainings.count() == {"finetune": 4}


def test_a_comparison_that_was_stopped_goes_on(compare, trainings):
    def stop(node: str) -> None:
        if node == "digits-entire-source-s1-finetune":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(on_start=stop)
    assert trainings.count() == {"classifier": 1, "specialist": 3, "finetune": 2}
    seen = []
    trained = compare(on_progress=seen.append)
    assert trainings.count() == {"specialist": 1, "finetune": 2}
    assert len(trained.results) == 4
    assert [(progress.finished, progress.cells) for progress in seen] == [(3, 4), (4, 4)]


def test_an_arm_that_fails_costs_the_others_nothing(compare, trainings):
    trainings.failing = {"source-entire-source-s1-specialist"}
    trained = compare()
    (cell,) = trained.failed
    assert (cell.arm, cell.seed) == ("entire_source", 1)
    assert trained.failed[cell] == ("source-entire-source-s1-specialist", "it diverged")
    assert [(r.cell.arm, r.cell.seed) for r in trained.results] == [
        ("entire_source", 0),
        ("same_distribution", 0),
        ("same_distribution", 1),
    ]
    trainings.failing, trainings.ran = set(), []
    assert len(compare().results) == 4
    assert trainings.count() == {"specialist": 1, "finetune": 1}


def test_the_report_says_what_failed_even_if_it_is_the_reference(compare, trainings, workspace):
    config, folder = load(str(DEMO), SMALL), store.folder_of(str(workspace), "demo")
    console = rich.console.Console(file=io.StringIO(), width=200)
    trainings.failing = {"source-entire-source-s0-specialist", "source-entire-source-s1-specialist"}
    show.report(console, config, folder, compare())
    shown = console.file.getvalue()
    assert "- entire_source, the reference, has no result; the arms are compared with same_distribution" in shown
    assert "failed: digits, entire_source, seed 0, all images, learning rate 0.1: source-entire-source-s0-sp" in shown
    assert "| same_distribution | 2 |" in pathlib.Path(folder, report.FILE_NAME).read_text(encoding="utf-8")
    show.report(console, config, folder, dataclasses.replace(compare(), results=()))
    assert console.file.getvalue().count("failed: digits, entire_source, seed 1") == 2


def test_an_arm_that_cannot_be_drawn_costs_the_others_nothing(compare, trainings):
    trained = compare(
        "arms.all={matcher: uniform_subsample, n: 100000}", "compare.arms=[entire_source, all]", "compare.seeds=1"
    )
    assert [result.cell.arm for result in trained.results] == ["entire_source"]
    ((node, reason),) = trained.failed.values()
    assert node == "source-all-s0-resample" and reason.startswith("n: ")


def test_the_sample_is_that_of_a_plain_run(compare, trainings, workspace):
    trained = compare("targets.digits.push=null")
    compared = {seed: read_copies(by_id(trained)[f"digits-same-distribution-s{seed}-resample"]) for seed in (0, 1)}
    settings = load(str(DEMO), [*SMALL, "targets.digits.push=null", "resample.seed=1"])
    results = local.run(create_pipeline(settings, Place.local(str(workspace))))
    plain = read_copies({result.node: result for result in results}["digits-same-distribution-resample"])
    assert compared[1].sum() == 300
    np.testing.assert_array_equal(plain, compared[1])
    assert (compared[0] != plain).any()


def by_id(trained: train.Trained) -> dict[str, local.NodeResult]:
    return {result.node: result for result in trained.nodes}


def read_copies(result: local.NodeResult) -> np.ndarray:
    (uri,) = result.uris()["plan"]
    return np.concatenate(
        [plan.copies_of(storage.read_table(str(path))) for path in sorted(pathlib.Path(uri).glob("Split-train/*"))]
    )


def test_own_arms_share_a_prior_if_their_settings_are_equal(compare, trainings):
    trained = compare(
        "arms.t1={matcher: same_distribution, temperature: 1.0}",
        "arms.small_t1={matcher: same_distribution, temperature: 1.0, n: 50}",
        "compare.arms=[entire_source, same_distribution, t1, small_t1]",
        "compare.seeds=1",
    )
    assert sum(ids.kind_of(node) == ids.PRIOR for node in by_id(trained)) == 2
    sizes = {result.cell.arm: (result.n, json.loads(result.settings)) for result in trained.results}
    assert sizes["small_t1"] == (50, {"temperature": 1.0, "bootstrap": 0})
    assert sizes["same_distribution"] == (300, {"bootstrap": 0})
    assert read_copies(by_id(trained)["digits-small-t1-s0-resample"]).sum() == 50


def test_learning_rates(compare, trainings):
    trained = compare("compare.learning_rates=[0.1, 0.01]", "compare.seeds=1")
    assert trainings.count() == {"classifier": 1, "specialist": 2, "finetune": 4}
    assert [(r.cell.arm, r.cell.learning_rate) for r in trained.results] == [
        ("entire_source", 0.1),
        ("entire_source", 0.01),
        ("same_distribution", 0.1),
        ("same_distribution", 0.01),
    ]


def test_a_classifier_for_each_seed(compare, trainings):
    trained = compare("compare.vary=[classifier]")
    assert trainings.count() == {"classifier": 2, "specialist": 4, "finetune": 4}
    nodes = by_id(trained)
    assert {"source-s0-classifier", "source-s1-classifier", "digits-s1-prior"} <= nodes.keys()
    assert ids.CLASSIFIER not in nodes


def test_the_time_is_over(compare, trainings):
    trained = compare(seconds=0.0)
    assert trained.out_of_time and trained.results == ()
    assert trainings.count() == {}
    assert not compare(seconds=1000.0).out_of_time


def test_the_table_has_all_finished_cells(compare, workspace):
    trained = compare("compare.seeds=1")
    kept = store.Store(store.folder_of(str(workspace), "demo"))
    kept.write_table(trained.results)
    assert rows.read(os.path.join(kept.folder, rows.FILE_NAME)) == list(trained.results)


def test_reused_nodes_keep_their_seconds(compare, trainings):
    def stop(node: str) -> None:
        if ids.kind_of(node) == ids.FINETUNE:
            raise KeyboardInterrupt

    seconds = {}
    with pytest.raises(KeyboardInterrupt):
        compare("compare.seeds=1", on_start=stop, on_end=lambda r: seconds.update({r.node: r.seconds}))
    trained = compare("compare.seeds=1")
    assert by_id(trained)["source-entire-source-s0-specialist"].state is State.REUSED
    first, second = trained.results
    assert first.seconds == pytest.approx(first.finetune_seconds + seconds["source-entire-source-s0-specialist"])
    assert (first.classifier_seconds, second.classifier_seconds) == (0.0, seconds["source-classifier"])


def test_few_images_a_class(compare, trainings):
    trained = compare("compare.shots=[1, 3]", "compare.arms=[entire_source, same_distribution]", "compare.seeds=2")
    nodes = by_id(trained)
    # The whole source is trained on once a seed; what matches the target, for each number of its images.
    assert trainings.count() == {"classifier": 1, "specialist": 2 * (1 + 3), "finetune": 2 * 2 * 3}
    assert {"digits-k1-prior", "digits-k3-prior", "digits-prior"} <= nodes.keys()
    assert {result.cell.shots for result in trained.results} == {1, 3, None}
    images = {trainings.images.get(f"digits-entire-source-s1{part}-finetune") for part in ("", "-k1", "-k3")}
    assert images == {None, 10, 30}
    assert (read_copies(nodes["digits-k1-subset"]) <= read_copies(nodes["digits-k3-subset"])).all()


def test_train_images_that_are_drawn_anew(compare, trainings):
    trained = compare("compare.vary=[target_train]", "compare.shots=[2]")
    nodes = by_id(trained)
    assert trainings.count() == {"classifier": 1, "specialist": 2 + 2 * 2, "finetune": 8}
    drawn = [read_copies(nodes[f"digits-s{seed}-redrawn-subset"]) for seed in (0, 1)]
    assert [copies.sum() for copies in drawn] == [100, 100]
    assert (drawn[0] != drawn[1]).any() and drawn[0].max() > 1
    few = [read_copies(nodes[f"digits-s{seed}-k2-redrawn-subset"]) for seed in (0, 1)]
    assert [(copies.sum(), copies.max()) for copies in few] == [(20, 1), (20, 1)]
    assert (few[0] != few[1]).any()
    assert {"digits-s0-redrawn-prior", "digits-s1-k2-redrawn-prior"} <= nodes.keys()


def test_a_cell_that_needs_nothing_of_the_source(compare, trainings):
    compare("compare.seeds=1", "compare.arms=[entire_source]")
    trainings.count()
    trained = compare("compare.seeds=1", "compare.arms=[entire_source, random_init]")
    assert trainings.count() == {"finetune": 1}
    assert "source-examples" not in by_id(trained) and len(trained.results) == 2
