"""Training from a plan: what the input pipeline takes, and that it is what the materialised sample holds."""

import collections
import io
import itertools
import os

import numpy as np
import PIL.Image
import pytest
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from components import storage
from components.artifacts import examples, label_prior, plan
from components.artifacts.types import ExampleIndex, LabelPrior, ResamplePlan
from components.example_gen import testing
from components.importance_resampler import executor
from trainer.data import input_pipeline
from trainer.data.draws import open_draws
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

IMAGE = ImageConfig(size=4, channels=1)
NAMES = ("a", "b", "c")
LABELS = [0, 1, 1, 2, 0, 1, 1, 0, 2, 1, 1]


def png(i: int) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("L", (4, 4), 10 * i).save(file, "PNG")
    return file.getvalue()


def recipe(batch_size: int) -> Recipe:
    return Recipe(steps=1, batch_size=batch_size, learning_rate=0.1)


def epoch(patterns: list[str], examples: int, plan_pattern: str | None = None, seed: int = 0) -> collections.Counter:
    """Returns how often (image, label, weight) comes in the first pass over `examples` examples."""
    drawn = open_draws(patterns, plan_pattern=plan_pattern)
    batches = input_pipeline.training_batches(drawn, IMAGE, recipe(examples), seed=seed)
    ((images, labels, presence, weights),) = batches.take(1).as_numpy_iterator()
    assert (presence == 1).all()
    numbers = (images[:, 0, 0, 0] // 10).tolist()
    return collections.Counter(zip(numbers, labels[:, 0].tolist(), weights.tolist(), strict=True))


@pytest.fixture
def source(tmp_path):
    def source(shards: int, copies, weights=None) -> tuple[str, str]:
        """Writes eleven examples and a plan; returns the patterns of both."""
        items = [
            testing.make_record(png(i), (label,), f"id-{i}", split="train", names=NAMES)
            for i, label in enumerate(LABELS)
        ]
        for shard in range(shards):
            of_shard = slice(shard, None, shards)
            folders = (str(tmp_path / name / "Split-train") for name in ("examples", "index"))
            testing.write_shard(*folders, shard, shards, items[of_shard])
            name = storage.shard_name("copies", shard, shards, ".parquet")
            part = None if weights is None else np.array(weights, np.float32)[of_shard]
            table = plan.copies_table(np.array(copies, np.int32)[of_shard], part)
            storage.write_table(str(tmp_path / "plan" / "Split-train" / name), table)
        return str(tmp_path / "examples" / "Split-train" / "*"), str(tmp_path / "plan" / "Split-train" / "*")

    return source


@pytest.mark.parametrize("shards", [1, 4])
def test_every_example_comes_as_often_as_the_plan_says(source, shards):
    copies = [0, 3, 0, 1, 0, 0, 2, 0, 0, 7, 0]
    records, plans = source(shards, copies)
    expected = {(i, LABELS[i], 1.0): times for i, times in enumerate(copies) if times}
    assert epoch([records], sum(copies), plans) == expected


def test_weights_go_with_their_examples(source):
    weights = [i / 4 for i in range(11)]
    records, plans = source(3, [1] * 11, weights)
    assert epoch([records], 11, plans) == {(i, LABELS[i], weights[i]): 1 for i in range(11)}


def test_without_a_plan_every_example_comes_once_with_weight_one(source):
    records, _ = source(2, [0] * 11)
    assert epoch([records], 11) == {(i, LABELS[i], 1.0): 1 for i in range(11)}


def test_another_seed_is_another_order_of_the_same_examples(source):
    records, plans = source(2, [5] * 11)

    def order(seed: int) -> list[int]:
        drawn = open_draws([records], plan_pattern=plans)
        batches = input_pipeline.training_batches(drawn, IMAGE, recipe(55), seed=seed)
        ((images, *_),) = batches.take(1).as_numpy_iterator()
        return images[:, 0, 0, 0].tolist()

    first, again, other = order(1), order(1), order(2)
    assert first == again != other
    assert sorted(first) == sorted(other)
    # The copies of an example are spread over the pass, not one after the other.
    assert sum(a == b for a, b in itertools.pairwise(first)) < 20


def test_from_any_step_on_the_batches_are_those_of_the_uninterrupted_run(source):
    copies = [0, 3, 0, 1, 0, 0, 2, 0, 0, 7, 1]
    records, plans = source(3, copies, [i / 4 for i in range(11)])
    settings = {"draws": open_draws([records], plan_pattern=plans), "recipe": recipe(4), "seed": 5}
    everything = list(input_pipeline.training_batches(image=IMAGE, **settings).take(9).as_numpy_iterator())
    for start in (1, 4, 7):  # a pass has 14 examples
        batches = input_pipeline.training_batches(image=IMAGE, **settings, start_step=start)
        for ours, expected in zip(batches.take(2).as_numpy_iterator(), everything[start:], strict=False):
            for a, b in zip(ours, expected, strict=True):
                np.testing.assert_array_equal(a, b)
        ids = input_pipeline.example_ids(**settings, step=start)
        assert ids == [f"id-{level // 10}" for level in everything[start][0][:, 0, 0, 0]]


def test_a_plan_that_takes_nothing_is_refused(source):
    records, plans = source(2, [0] * 11)
    with pytest.raises(ValueError, match=r"plan: .* takes no example of .*; make a plan with at least one"):
        epoch([records], 1, plans)


@pytest.mark.parametrize("rows", [10, 12], ids=["plan-too-short", "plan-too-long"])
def test_a_plan_of_other_shards_is_refused(source, tmp_path, rows):
    records, plans = source(1, [1] * 11)
    (path,) = (tmp_path / "plan" / "Split-train").iterdir()
    storage.write_table(str(path), plan.copies_table(np.ones(rows, np.int32)))
    with pytest.raises(ValueError, match=rf"plan: .* has {rows} rows, but .* 11 records, another number"):
        epoch([records], 24, plans)


def test_a_plan_with_another_number_of_files_is_refused(source, tmp_path):
    records, plans = source(2, [1] * 11)
    next((tmp_path / "plan" / "Split-train").iterdir()).unlink()
    with pytest.raises(ValueError, match=r"plan: 1 files for 2 record files"):
        epoch([records], 11, plans)


def test_the_materialised_sample_is_what_the_plan_takes(source, tmp_path):
    records, _ = source(3, [1] * 11)
    prior = label_prior.LabelPrior(
        NAMES,
        np.bincount(LABELS),
        np.array([0.2, 0.1, 0.7]),
        estimator="mean_prediction",
        temperature=2.0,
        num_images=1,
    )
    storage.write_table(str(tmp_path / "prior" / label_prior.FILE_NAME), label_prior.to_table(prior))
    inputs = {
        "examples": standard_artifacts.Examples(),
        "index": ExampleIndex(),
        "label_prior": LabelPrior(),
    }
    outputs = {"plan": ResamplePlan(), "resampled_examples": standard_artifacts.Examples()}
    folders = {"label_prior": "prior", "plan": "drawn-plan", "resampled_examples": "drawn"}
    for key, artifact in {**inputs, **outputs}.items():
        artifact.uri = str(tmp_path / folders.get(key, key))
    inputs["examples"].splits = ["train"]
    beam_args = ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", "--sdk_container_image=unused"]
    executor.Executor(
        base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=beam_args, tmp_dir=str(tmp_path), unique_id="1")
    ).Do(
        {key: [artifact] for key, artifact in inputs.items()},
        {key: [artifact] for key, artifact in outputs.items()},
        {
            **{"matcher": "same_distribution", "settings": "{}", "n": 50, "seed": 3},
            **{"materialise": 1, "shard_bytes": 1 << 20, "shards": 2},
        },
    )
    sample = outputs["resampled_examples"].uri
    drawn = os.path.join(sample, "Split-train", "*")
    planned = os.path.join(outputs["plan"].uri, "Split-train", "*")
    assert epoch([records], 50, planned) == epoch([drawn], 50)
    # The sample has the places of its records beside it.
    placed = open_draws([drawn], index_pattern=os.path.join(sample, examples.PLACES, "*.parquet"))
    scanned = open_draws([drawn])
    assert placed.file.tolist() == scanned.file.tolist()
    assert placed.offsets.tolist() == scanned.offsets.tolist()
    assert placed.lengths.tolist() == scanned.lengths.tolist()
    assert sum(times for (_, label, _), times in epoch([drawn], 50).items() if label == 2) == 35
