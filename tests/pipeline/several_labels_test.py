"""A source with several labels an image, a hierarchy, and labels without an example, through the whole pipeline."""

import collections
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import pipeline
from components.artifacts import index, label_prior, plan
from components.importance_resampler import explain
from components.importance_resampler.pairs import Pairs
from pipeline.results import predict
from pipeline.runners.local import State

pytestmark = pytest.mark.slow

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
N = 100
NODES = [f"/m/{label:02d}" for label in range(24)]
TITLES = [f"label {label}" for label in range(24)]


def labels_of(i: int) -> list[int]:
    """One to three labels, of which the higher ones are rare: a sample has to repeat their examples."""
    found = [i % 22 if i < 44 else i % 6, (7 * i + 1) % 11, (5 * i + 2) % 22]
    return sorted(set(found[: 1 + i % 3]))


# The only train image of label 22 is an image of the target, and label 23 is in the eval split alone.
TRAIN = {f"train-{i}": labels_of(i) for i in range(160)}
PLANTED = {"planted": [0, 22]}
EVAL = {**{f"eval-{i}": [i % 23] for i in range(40)}, "eval-40": [3, 23]}
COUNTS = collections.Counter(label for labels in TRAIN.values() for label in labels)
# Label 5 has two parents; label 6 is a part, and no kind of what it is a part of.
TREE = {
    "LabelName": "/m/all",
    "Subcategory": [
        {
            "LabelName": "/m/animal",
            "Subcategory": [
                {"LabelName": NODES[2], "Subcategory": [{"LabelName": NODES[12]}, {"LabelName": NODES[23]}]},
                {"LabelName": NODES[5], "Part": [{"LabelName": NODES[6]}]},
            ],
        },
        {"LabelName": "/m/plant", "Subcategory": [{"LabelName": NODES[5]}, {"LabelName": NODES[7]}]},
    ],
}
ANIMALS = {2, 5, 12, 23}


def record(image: bytes, labels: list[int], name: str) -> bytes:
    features = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "labels": tf.train.Feature(int64_list=tf.train.Int64List(value=labels)),
        "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[name.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def data(tmp_path_factory, scene, encoded) -> pathlib.Path:
    root = tmp_path_factory.mktemp("data")
    for first, split, images in ((0, "train", TRAIN), (500, "eval", EVAL), (1000, "train-planted", PLANTED)):
        with tf.io.TFRecordWriter(str(root / f"{split}.rec")) as writer:
            for seed, (name, labels) in enumerate(images.items(), first):
                writer.write(record(encoded(scene(seed)).getvalue(), labels, name))
    (root / "names.txt").write_text("\n".join(NODES))
    (root / "hierarchy.json").write_text(json.dumps(TREE))
    titles = {**dict(zip(NODES, TITLES, strict=True)), "/m/animal": "Animal", "/m/plant": "Plant"}
    (root / "titles.csv").write_text("".join(f"{node},{title}\n" for node, title in titles.items()))
    for number in range(60):
        folder = root / "target" / ("train", "eval", "test")[number % 3] / ("round", "square")[number // 3 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encoded(scene(1000 + number)).getvalue())
    return root


@pytest.fixture(scope="module")
def ran(run, data, tmp_path_factory):
    """The results of the nodes, and the summary."""
    source = {
        "tfrecords": f"{data}/{{split}}*.rec",
        "splits": {"train": "train", "eval": "eval"},
        **{"compression": "none", "image_key": "image", "label_key": "labels", "id_key": "name"},
        **{"names": str(data / "names.txt"), "several_labels": True},
        "hierarchy": {"file": str(data / "hierarchy.json"), "titles": str(data / "titles.csv")},
    }
    target = {
        "data": {"folder": str(data / "target"), "splits": {"train": "train", "eval": "eval", "test": "test"}},
        "arms": ["entire_source", "same_distribution", "label_subset", "elastic_distribution"],
        "push": "same_distribution",
        "label_subset": ["Animal"],
    }
    overrides = [
        *(f"source={json.dumps(source)}", f"targets={json.dumps({'shapes': target})}"),
        *("image={size: 32, channels: 3}", f"resample={{n: {N}}}", "near_duplicates={enabled: true}"),
        *(f"{training}.loss=sigmoid" for training in ("classifier", "pretrain")),
        *(f"{training}.steps=6" for training in ("classifier", "pretrain", "finetune")),
        *(f"{training}.batch_size=16" for training in ("classifier", "pretrain", "finetune")),
    ]
    return run(DEMO, overrides, tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def rows(ran, read):
    """The index of the source's train split."""
    return read(ran[0]["source-examples"], "index", f"Split-train/{index.FILE_PATTERN}")


@pytest.fixture(scope="module")
def prior(ran, read):
    return read(ran[0]["shapes-prior"], "label_prior", label_prior.FILE_NAME)


@pytest.fixture(scope="module")
def drawn(ran, read, rows):
    def drawn(arm: str):
        """Returns the table of the labels in an arm's plan, and example → copies."""
        (node,) = (node for name, node in ran[0].items() if f"-{arm}-" in name and name.endswith("-resample"))
        copies = read(node, "plan", f"Split-train/{plan.COPIES_PATTERN}")["copies"].to_pylist()
        return read(node, "plan", plan.LABELS_FILE), dict(zip(rows["source_id"].to_pylist(), copies, strict=True))

    return drawn


def test_every_node_ends_well(ran, rows):
    results, summary = ran
    looked_up = {name for name, result in results.items() if result.state is State.RESOLVED}
    assert looked_up == {"source-exclusions-known", "shapes-baseline"}
    assert {result.state for name, result in results.items() if name not in looked_up} == {State.DONE}
    assert summary.anomalies == []
    assert summary.excluded == {"train": (161, 1), "eval": (41, 0)}
    assert dict(zip(rows["source_id"].to_pylist(), rows["labels"].to_pylist(), strict=True)) == TRAIN | PLANTED


def test_priors_are_of_pairs(prior):
    counts = [COUNTS[label] for label in range(24)]
    assert {len(labels) for labels in TRAIN.values()} == {1, 2, 3} and counts[22:] == [0, 0]
    assert (prior["name"].to_pylist(), prior["count"].to_pylist()) == (TITLES, counts)
    np.testing.assert_allclose(prior["source_prior"].to_numpy(), np.array(counts) / sum(counts), rtol=1e-12)
    target_prior = prior["target_prior"].to_numpy()
    np.testing.assert_allclose(target_prior.sum(), 1, rtol=1e-12)
    header = label_prior.from_table(prior).header()
    assert (header["activation"], header["num_images"]) == ("sigmoid", 20)
    np.testing.assert_allclose(header["lost_mass"], target_prior[22:].sum(), rtol=1e-12)


def test_copies_are_the_sum_over_the_labels(drawn, prior, rows):
    labels, copies = drawn("same-distribution")
    quotas = labels["quota"].to_pylist()
    assert quotas[22:] == [0, 0]
    assert sum(quotas) == sum(copies.values()) == N
    asked = prior["target_prior"].to_numpy()[:22]
    assert np.abs(quotas[:22] - N * asked / asked.sum()).max() < 1
    assert any(quotas[label] > COUNTS[label] for label in range(22))

    assert copies.pop("planted") == 0
    pairs = Pairs.of_index(rows.filter([name != "planted" for name in rows["source_id"].to_pylist()]), 24)
    for name, count in copies.items():
        draws = explain.explain_example(labels, pairs, name).draws
        assert [draw.label for draw in draws] == [TITLES[label] for label in TRAIN[name]]
        assert [draw.base for draw in draws] == [quotas[label] // COUNTS[label] for label in TRAIN[name]]
        assert sum(draw.copies for draw in draws) == count
    seen = [sum(count for name, count in copies.items() if label in TRAIN[name]) for label in range(24)]
    assert labels["seen"].to_pylist() == seen


def test_the_labels_below_a_node_are_taken(drawn):
    _, copies = drawn("label-subset")
    animals = {name for name, labels in TRAIN.items() if ANIMALS.intersection(labels)}
    assert len(animals) < N
    assert copies == {name: int(name in animals) for name in [*TRAIN, *PLANTED]}


def test_whole_labels_are_taken_by_their_weight(drawn, prior):
    labels, copies = drawn("elastic-distribution")
    taken = {name for name, count in copies.items() if count == 1}
    assert len(taken) == sum(copies.values()) == sum(labels["quota"].to_pylist()) == N
    weights = prior["importance_weight"].to_numpy()
    whole: set[str] = set()
    for label in np.argsort(-weights, kind="stable"):
        more = whole | {name for name in TRAIN if label in TRAIN[name]}
        if len(more) > N:
            break
        whole = more
    assert whole <= taken <= more and len(whole) > N / 2


def test_the_pushed_model_speaks_the_targets_labels(ran, data):
    (prediction,) = predict.predict(
        ran[1].targets["shapes"].pushed, [str(data / "target" / "test" / "round" / "2.png")]
    )
    assert set(prediction.labels) == {"round", "square"}
    np.testing.assert_allclose(sum(prediction.probabilities), 1, rtol=1e-5)
