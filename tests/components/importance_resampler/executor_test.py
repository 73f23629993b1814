import collections
import hashlib
import io
import itertools
import os
import pathlib
from collections.abc import Iterable

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components import importance_resampler as on_arrays
from components import storage
from components.artifacts import exclusions, index, label_prior, plan, predictions, vocabulary
from components.artifacts.types import ExampleIndex, Exclusions, LabelPrior, LabelVocabulary, Predictions, ResamplePlan
from components.example_gen import testing
from components.importance_resampler import executor

BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",  # by the name that every Beam version knows
    "--sdk_container_image=unused",  # or else TFX packs itself for remote workers, in three seconds
]
NAMES = ("a", "b", "c", "d")
PARENTS = {"a": ["vowels"], "b": ["others"], "c": ["others"], "d": ["others"]}
# 40 examples, of which every fifth has two labels; none has label d.
LABELS = [(i % 3, (i + 1) % 3) if i % 5 == 0 else (i % 3,) for i in range(40)]
TARGET_PRIOR = np.array([0.1, 0.6, 0.2, 0.1])


def image(i: int) -> bytes:
    data = io.BytesIO()
    PIL.Image.new("L", (4 + i % 3, 5), i).save(data, "PNG")
    return data.getvalue()


class Source:
    """A source on disk, whose examples stand in `order`, one after the other in `shards` shards."""

    def __init__(self, root: pathlib.Path, order=range(40), shards: int = 3):
        self.root = root
        self.artifacts = {
            "examples": standard_artifacts.Examples(),
            "index": ExampleIndex(),
            "label_prior": LabelPrior(),
            "vocabulary": LabelVocabulary(),
            "source_predictions": Predictions(),
            "target_predictions": Predictions(),
            "target_index": ExampleIndex(),
        }
        for key, artifact in self.artifacts.items():
            artifact.uri = str(root / key)
        self.artifacts["examples"].splits = ["train", "eval"]
        items = [testing.make_record(image(i), LABELS[i], f"id {i}", split="train", names=NAMES) for i in order]
        for shard, rows in enumerate(np.array_split(np.arange(len(items)), shards)):
            self.write("examples", "train", shard, shards, [items[row] for row in rows])
        self.items = items
        counts = np.bincount([label for own in LABELS for label in own], minlength=4)
        self.write_prior(label_prior.LabelPrior(NAMES, counts, TARGET_PRIOR, "mean_prediction", 2.0, 10))
        storage.write_text(
            str(root / "vocabulary" / vocabulary.FILE_NAME),
            vocabulary.dumps(vocabulary.make_vocabulary(NAMES, PARENTS)),
        )

    def write(self, key: str, split: str, shard: int, shards: int, items) -> None:
        folders = (os.path.join(self.artifacts[name].uri, f"Split-{split}") for name in (key, "index"))
        testing.write_shard(*folders, shard, shards, items)

    def write_prior(self, prior: label_prior.LabelPrior) -> None:
        path = os.path.join(self.artifacts["label_prior"].uri, label_prior.FILE_NAME)
        storage.write_table(path, label_prior.to_table(prior))

    def write_embeddings(self) -> None:
        """Source eval has an example of c, of a, of b and of d; the target looks like b, and a third of it like c."""
        eval_labels = [2, 0, 1, 3]
        for key, split, labels, points in (
            ("index", "eval", eval_labels, [[9.0, 1.0], [0.0, 0.0], [4.0, 0.0], [50.0, 0.0]]),
            ("target_index", "train", [1, 0, 0], [[8.0, 0.0], [4.0, 1.0], [4.0, -1.0]]),
        ):
            rows = [
                testing.make_record(image(i), (label,), f"{key} {i}", split=split, names=NAMES).row
                for i, label in enumerate(labels)
            ]
            folder = f"Split-{split}"
            storage.write_table(os.path.join(self.artifacts[key].uri, folder, "index-0.parquet"), index.table(rows))
            of = "source_predictions" if key == "index" else "target_predictions"
            table = predictions.table([row["source_id"] for row in rows], np.zeros((len(rows), 4)), np.array(points))
            path = os.path.join(self.artifacts[of].uri, folder, "predictions-0.parquet")
            storage.write_table(path, table)

    def write_exclusions(self, train: Iterable[str], in_eval: Iterable[str] = ()) -> None:
        """Excludes examples by their ids, and takes them out of the prior's counts."""
        self.artifacts["exclusions"] = Exclusions()
        self.artifacts["exclusions"].uri = str(self.root / "exclusions")
        for split, ids in (("train", train), ("eval", in_eval)):
            table = pa.Table.from_pylist([{"source_id": name} for name in ids], exclusions.SCHEMA)
            storage.write_table(str(self.root / "exclusions" / f"Split-{split}" / "pairs-0.parquet"), table)
        left = [label for i, own in enumerate(LABELS) if f"id {i}" not in train for label in own]
        counts = np.bincount(left, minlength=4)
        self.write_prior(label_prior.LabelPrior(NAMES, counts, TARGET_PRIOR, "mean_prediction", 2.0, 10))

    def resample(self, *, matcher="same_distribution", beam_args=(), materialise=True, settings=None, **properties):
        outputs = {"plan": ResamplePlan()}
        if materialise:
            outputs["resampled_examples"] = standard_artifacts.Examples()
        folder = self.root / "out" / str(len(list(self.root.glob("out/*"))))
        for key, artifact in outputs.items():
            artifact.uri = str(folder / key)
        properties = {
            "matcher": matcher,
            "settings": json_utils.dumps(settings or {}),
            "n": 100,
            "seed": 0,
            "shard_bytes": 1 << 20,
            "shards": 2,
            **properties,
            "materialise": int(materialise),
        }
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=[*BEAM, *beam_args], tmp_dir=str(self.root / "tmp"), unique_id="1"
        )
        executor.Executor(context).Do(
            {key: [artifact] for key, artifact in self.artifacts.items()},
            {key: [artifact] for key, artifact in outputs.items()},
            properties,
        )
        return Result(self, outputs)


class Result:
    """What an execution wrote."""

    def __init__(self, source: Source, outputs: dict[str, types.Artifact]):
        self.plan = pathlib.Path(outputs["plan"].uri)
        paths = storage.list_files(str(self.plan / "Split-train"), plan.COPIES_PATTERN)
        self.tables = [storage.read_table(path) for path in paths]
        self.copies = {
            item.row["source_id"]: int(copies)
            for item, copies in zip(
                source.items, np.concatenate([plan.copies_of(table) for table in self.tables]), strict=True
            )
        }
        self.labels = storage.read_table(str(self.plan / plan.LABELS_FILE))
        self.shards: list[list[str]] = []
        self.records: list[bytes] = []
        if "resampled_examples" in outputs:
            assert outputs["resampled_examples"].splits == ["train"]
            for path in storage.list_files(outputs["resampled_examples"].path(split="train"), "*"):
                records = list(storage.read_records(path))
                self.records += records
                self.shards.append([source_id(record) for record in records])

    @property
    def drawn(self) -> collections.Counter:
        return collections.Counter(name for shard in self.shards for name in shard)


def source_id(record: bytes) -> str:
    return tf.train.Example.FromString(record).features.feature["image/source_id"].bytes_list.value[0].decode()


@pytest.fixture
def source(tmp_path) -> Source:
    return Source(tmp_path)


def test_the_records_are_what_the_plan_says(source):
    result = source.resample(n=150, shards=2)
    assert sum(result.copies.values()) == 150
    assert result.drawn == {name: copies for name, copies in result.copies.items() if copies}
    assert [len(table) for table in result.tables] == [14, 13, 13]
    originals = {item.row["source_id"]: item.record for item in source.items}
    assert all(record == originals[source_id(record)] for record in result.records)
    header = plan.header_of(result.labels)
    assert (header["examples"], header["n"], header["seed"]) == (150, 150, 0)
    # 0.1, 0.6 and 0.2 of 0.9; nothing has label d.
    assert result.labels["quota"].to_pylist() == [17, 100, 33, 0]


def digest(found: Result) -> str:
    return hashlib.sha256(repr(found.shards).encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("settings", "sizes", "expected"),
    [
        ({}, [51, 49], "fa03196e8863e29b2bfc62195f123702"),
        ({"n": 700, "shards": 3}, [233, 238, 229], "5df7917850c8abb3c56d5874c95a54a0"),
        ({"matcher": "elastic_distribution", "n": 20}, [14, 6], "d891256139dfe3dd0688967cd616dee4"),
    ],
    ids=["same_distribution", "many copies", "elastic_distribution"],
)
def test_the_same_records_in_the_same_order_as_ever(source, settings, sizes, expected):
    found = source.resample(**settings)
    assert [len(shard) for shard in found.shards] == sizes
    assert digest(found) == expected


def test_compressed_shards_of_earlier_versions(source):
    expected = source.resample(n=300)
    for path in storage.list_files(source.artifacts["examples"].path(split="train"), storage.RECORD_PATTERN):
        with tf.io.TFRecordWriter(f"{path}.gz", "GZIP") as writer:
            for record in storage.read_records(path):
                writer.write(record)
        os.remove(path)
    for path in storage.list_files(f"{source.artifacts['index'].uri}/Split-train", index.FILE_PATTERN):
        storage.write_table(path, storage.read_table(path).drop(["offset", "length"]))
    found = source.resample(n=300)
    assert found.shards == expected.shards and found.records == expected.records
    assert not list(source.root.rglob("*.unpacked"))


def test_the_copies_of_an_example_are_spread(source):
    result = source.resample(n=400, shards=4)
    assert len(result.shards) == 4
    for name, copies in result.copies.items():
        by_shard = [shard.count(name) for shard in result.shards]
        assert max(by_shard) - min(by_shard) <= 1, (name, copies)
    assert not any(a == b for shard in result.shards for a, b in itertools.pairwise(shard))


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Result:
    return Source(tmp_path_factory.mktemp("reference"), shards=1).resample(n=123, seed=7, shards=3)


@pytest.mark.parametrize(
    ("order", "shards"),
    [(range(40), 1), (range(40), 4), (range(39, -1, -1), 1), (np.random.default_rng(0).permutation(40).tolist(), 4)],
    ids=["again", "four shards", "reversed", "shuffled, four shards"],
)
def test_the_sample_does_not_depend_on_the_order_or_the_sharding(tmp_path, reference, order, shards):
    result = Source(tmp_path, order, shards).resample(n=123, seed=7, shards=3)
    assert result.drawn == reference.drawn
    assert result.shards == reference.shards  # not only the same multiset: the same files
    assert result.labels.equals(reference.labels)


def test_another_seed(source, reference):
    result = source.resample(n=123, seed=8, shards=3)
    assert result.drawn != reference.drawn
    assert result.labels["quota"].equals(reference.labels["quota"])


@pytest.mark.parametrize(
    "mode", ["multi_threading", pytest.param("multi_processing", marks=pytest.mark.slow)], ids=["threads", "processes"]
)
def test_the_mode_of_the_runner_does_not_matter(tmp_path, reference, mode):
    source = Source(tmp_path, shards=2)
    args = [f"--direct_running_mode={mode}", "--direct_num_workers=2"]
    assert source.resample(n=123, seed=7, shards=3, beam_args=args).shards == reference.shards


def test_a_plan_alone_writes_no_records(source):
    result = source.resample(materialise=False)
    assert sum(result.copies.values()) == 100
    assert not list(source.root.glob("out/**/*tfrecord*"))
    assert result.copies == source.resample().copies


def test_shards_of_a_size(source):
    size = {item.row["source_id"]: item.row["bytes"] for item in source.items}
    result = source.resample(shards=0, shard_bytes=2000)
    total = sum(copies * size[name] for name, copies in result.copies.items())
    assert len(result.shards) == -(-total // 2000) > 1


MATCHERS = {
    "elastic_distribution": ({"n": 20}, {"a": 0, "b": 16, "c": 4}),
    "uniform_subsample": ({"n": 20}, None),
    "label_subset": ({"n": 99, "settings": {"label_subset": ["vowels"]}}, {"a": 17, "b": 0, "c": 0}),
    "emd_subset": ({"n": 18}, {"a": 0, "b": 16, "c": 2}),
}


EMBEDDINGS = (
    [np.array([[9.0, 1.0], [0.0, 0.0], [4.0, 0.0], [50.0, 0.0]]), [2, 0, 1, 3]],
    [np.array([[8.0, 0.0], [4.0, 1.0], [4.0, -1.0]]), [1, 0, 0]],
)


@pytest.mark.parametrize(
    ("matcher", "settings", "draw"),
    [
        ("same_distribution", {}, lambda **at: on_arrays.same_distribution(LABELS, TARGET_PRIOR, **at)),
        (
            "same_distribution",
            {"max_repeats": 1},
            lambda **at: on_arrays.same_distribution(LABELS, TARGET_PRIOR, max_repeats=1, **at),
        ),
        ("elastic_distribution", {}, lambda **at: on_arrays.elastic_distribution(LABELS, TARGET_PRIOR, **at)),
        ("uniform_subsample", {}, lambda **at: on_arrays.uniform_subsample(LABELS, **at)),
        ("label_subset", {"label_subset": ["others"]}, lambda **at: on_arrays.label_subset(LABELS, [1, 2, 3], **at)),
        ("emd_subset", {}, lambda **at: on_arrays.emd_subset(LABELS, *itertools.chain(*EMBEDDINGS), **at)),
    ],
)
def test_the_functions_on_arrays_draw_the_same(source, matcher, settings, draw):
    source.write_embeddings()
    result = source.resample(matcher=matcher, settings=settings, n=19, seed=5, materialise=False)
    ids = [f"id {i}" for i in range(40)]
    copies = draw(n=19, seed=5, ids=ids)
    assert result.copies == dict(zip(ids, copies.tolist(), strict=True))
    assert copies.sum() == 19


def test_the_weights_on_arrays_are_the_same(source):
    result = source.resample(matcher="weighted_loss", n=0, materialise=False)
    weights = np.concatenate([plan.weights_of(table) for table in result.tables])
    assert on_arrays.weighted_loss(LABELS, TARGET_PRIOR).tolist() == weights.tolist()


@pytest.mark.parametrize(
    ("matcher", "settings"), [("uniform_subsample", {}), ("label_subset", {"label_subset": ["b"]})]
)
def test_without_a_prior(source, matcher, settings):
    expected = source.resample(matcher=matcher, settings=settings, n=9, materialise=False)
    del source.artifacts["label_prior"]
    result = source.resample(matcher=matcher, settings=settings, n=9, materialise=False)
    assert result.copies == expected.copies
    assert sum(result.copies.values()) == 9
    assert result.labels["name"].to_pylist() == list(NAMES)
    assert result.labels["asked"].to_pylist() == pytest.approx([17 / 48, 16 / 48, 15 / 48, 0])


def test_a_uniform_subsample_of_all_that_is_left_is_refused(source):
    excluded = [f"id {i}" for i in range(10)]
    source.write_exclusions(excluded)
    assert sum(source.resample(matcher="uniform_subsample", n=29, materialise=False).copies.values()) == 29
    with pytest.raises(ValueError, match="n: 30, but the source has 30 examples"):
        source.resample(matcher="uniform_subsample", n=30, materialise=False)


@pytest.mark.parametrize("matcher", MATCHERS)
def test_matchers_that_take_examples(source, matcher):
    if matcher == "emd_subset":
        source.write_embeddings()
    settings, quotas = MATCHERS[matcher]
    result = source.resample(matcher=matcher, **settings)
    if quotas is not None:
        assert result.labels["quota"].to_pylist() == [*quotas.values(), 0]
    assert set(result.copies.values()) == {0, 1}
    assert result.drawn == {name: 1 for name, copies in result.copies.items() if copies}
    assert len(result.drawn) == (sum(quotas.values()) if quotas else 20)
    header = plan.header_of(result.labels)
    assert header["matcher"] == matcher
    assert all(table.column_names == ["copies"] for table in result.tables)
    if matcher == "emd_subset":
        # Two thirds at (4, ±1), one third at (8, 0); b is at (4, 0) and c at (9, 1).
        assert 0 < header["similarity_source"] < header["similarity_sample"] < 1


@pytest.mark.parametrize("matcher", ["same_distribution", "weighted_loss", *MATCHERS])
def test_excluded_examples_are_as_if_they_were_not_there(tmp_path, matcher):
    excluded = {3, 4, 10, 39}
    settings = {"matcher": matcher, "materialise": False, **MATCHERS.get(matcher, ({"n": 50},))[0]}
    if matcher == "weighted_loss":
        settings["n"] = 0
    found = []
    for name, order in (("excluded", range(40)), ("absent", [i for i in range(40) if i not in excluded])):
        source = Source(tmp_path / name, order)
        source.write_embeddings()
        source.write_exclusions({f"id {i}" for i in excluded})
        if name == "absent":
            del source.artifacts["exclusions"]
        found.append(source.resample(**settings))
    with_exclusions, without = found
    assert [len(table) for table in with_exclusions.tables] == [14, 13, 13]
    assert {name for name, copies in with_exclusions.copies.items() if not copies} >= {f"id {i}" for i in excluded}
    assert with_exclusions.copies == {**dict.fromkeys(with_exclusions.copies, 0), **without.copies}
    assert with_exclusions.labels.equals(without.labels)
    header = plan.header_of(with_exclusions.labels)
    assert header.pop("excluded_examples") == 4
    assert header == plan.header_of(without.labels)
    weights = [
        [weight for table in one.tables for weight in table["weight"].to_pylist() if weight]
        for one in found
        if matcher == "weighted_loss"
    ]
    assert not weights or (weights[0] == weights[1] and len(weights[0]) == 36)


def test_excluded_examples_are_not_written(source):
    source.write_exclusions({"id 0", "id 7"})
    result = source.resample(n=150)
    assert result.drawn == {name: copies for name, copies in result.copies.items() if copies}
    assert sum(result.drawn.values()) == 150 and not {"id 0", "id 7"} & set(result.drawn)


def test_excluded_examples_of_eval_have_no_part_in_the_means(source):
    source.write_embeddings()
    source.write_exclusions(set(), {"index 1"})  # the only one of a
    header = plan.header_of(source.resample(matcher="emd_subset", n=18).labels)
    assert (header["labels_without_embedding"], header["excluded_examples"]) == (1, 0)


def test_a_plan_says_which_images_of_the_target_are_looked_at(source):
    source.write_embeddings()
    source.artifacts["target_plan"] = ResamplePlan()
    source.artifacts["target_plan"].uri = str(source.root / "target_plan")

    def find_labels(*copies: int) -> list[int]:
        path = str(source.root / "target_plan" / "Split-train" / "copies-0.parquet")
        storage.write_table(path, plan.copies_table(np.array(copies, np.int32)))
        labels = source.resample(matcher="emd_subset", n=5, materialise=False).labels
        return np.flatnonzero(labels["quota"].to_numpy()).tolist()

    assert find_labels(1, 0, 0) == [2]  # (8, 0) is nearest to c
    assert find_labels(0, 1, 1) == [1]  # (4, ±1) to b
    with pytest.raises(ValueError, match="target_plan: 2 rows, but the train split of target_index has 3"):
        find_labels(1, 1)


def test_a_prior_without_the_exclusions(source):
    source.write_exclusions({"id 0"})
    counts = np.bincount([label for own in LABELS for label in own], minlength=4)
    source.write_prior(label_prior.LabelPrior(NAMES, counts, TARGET_PRIOR, "mean_prediction", 2.0, 10))
    with pytest.raises(ValueError, match="another source, or with other exclusions"):
        source.resample()


def test_max_repeats(source):
    result = source.resample(n=60, settings={"max_repeats": 2})
    assert result.labels["quota"].to_pylist() == [9, 32, 19, 0]
    assert result.labels["capped"].to_pylist() == [False, True, False, False]


def test_weighted_loss(source):
    result = source.resample(matcher="weighted_loss", n=0, materialise=False)
    weights = np.concatenate([plan.weights_of(table) for table in result.tables])
    assert set(result.copies.values()) == {1}
    assert weights.mean() == pytest.approx(1, abs=1e-6)
    by_label = {LABELS[i]: weights[i] for i in range(40)}
    assert by_label[0, 1] == pytest.approx(by_label[0,] + by_label[1,])
    # P_t / N_y: a has 17 examples, b has 16.
    assert by_label[1,] / by_label[0,] == pytest.approx((0.6 / 16) / (0.1 / 17))


def test_an_index_of_fewer_rows_than_records(source):
    rows = source.items[14:26]
    folder = os.path.join(source.artifacts["index"].uri, "Split-train")
    storage.write_table(os.path.join(folder, "index-00001-of-00003.parquet"), index.table(item.row for item in rows))
    counts = np.bincount([y for i, own in enumerate(LABELS) if i != 26 for y in own], minlength=4)
    source.write_prior(label_prior.LabelPrior(NAMES, counts, TARGET_PRIOR, "mean_prediction", 2.0, 10))
    with pytest.raises(Exception, match=r"00001-of-00003.* its index has 12 rows, but the shard has another number"):
        source.resample()


def test_an_index_of_more_rows_than_records(source):
    folder = os.path.join(source.artifacts["examples"].uri, "Split-train")
    storage.write_records(os.path.join(folder, "data_tfrecord-00002-of-00003"), [source.items[27].record])
    with pytest.raises(Exception, match=r"00002-of-00003.* its index has 13 rows, but the shard has another number"):
        source.resample()


def test_an_index_of_fewer_shards(source):
    os.remove(os.path.join(source.artifacts["examples"].uri, "Split-train", "data_tfrecord-00002-of-00003"))
    with pytest.raises(ValueError, match="index: has 3 shards, but the examples have 2"):
        source.resample()


def test_an_id_that_occurs_twice(tmp_path):
    with pytest.raises(ValueError, match="have the same id"):
        Source(tmp_path, [*range(39), 3]).resample()


def test_a_prior_of_another_source(source):
    counts = np.bincount([label for own in [*LABELS, (0,)] for label in own], minlength=4)
    source.write_prior(label_prior.LabelPrior(NAMES, counts, TARGET_PRIOR, "mean_prediction", 2.0, 10))
    with pytest.raises(ValueError, match="label_prior: its counts are not those of this index"):
        source.resample()


def test_a_prior_with_its_labels_in_another_order(source):
    expected = source.resample(n=90, materialise=False)
    counts = np.bincount([label for own in LABELS for label in own], minlength=4)
    order = [1, 3, 0, 2]
    names = tuple(NAMES[i] for i in order)
    source.write_prior(label_prior.LabelPrior(names, counts[order], TARGET_PRIOR[order], "mean_prediction", 2.0, 10))
    found = source.resample(n=90, materialise=False)
    assert found.copies == expected.copies
    assert found.labels.equals(expected.labels)


def test_a_prior_of_fewer_labels(source):
    counts = np.bincount([label for own in LABELS for label in own])[:2]
    source.write_prior(label_prior.LabelPrior(NAMES[:2], counts, np.array([0.5, 0.5]), "mean_prediction", 2.0, 10))
    with pytest.raises(ValueError, match="label_prior: its labels are not those of the vocabulary"):
        source.resample()


def test_predictions_without_embeddings(source):
    source.write_embeddings()
    path = os.path.join(source.artifacts["target_predictions"].uri, "Split-train", "predictions-0.parquet")
    storage.write_table(path, storage.read_table(path).drop(["embedding"]))
    with pytest.raises(ValueError, match="predictions: no column 'embedding' among source_id, logits"):
        source.resample(matcher="emd_subset", n=5)


@pytest.mark.parametrize("materialise", [True, False])
def test_an_index_in_another_order_than_its_shards_is_refused(tmp_path, materialise):
    source = Source(tmp_path, shards=1)
    (path,) = storage.list_files(f"{source.artifacts['index'].uri}/Split-train", index.FILE_PATTERN)
    rows = storage.read_table(path)
    storage.write_table(path, rows.take(list(range(len(rows)))[::-1]))
    with pytest.raises(ValueError, match="index: its first row is not the first record of"):
        source.resample(materialise=materialise)
