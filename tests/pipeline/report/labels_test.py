"""The labels of a report are those of the prior and of the plan, and its shares those of the classifier."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from components.artifacts import plan, predictions, vocabulary
from components.artifacts.label_prior import Assumption, LabelPrior
from components.transfer_report import block
from pipeline.report import labels

PRIOR = LabelPrior(
    ("cat", "owl", "</script>", "elk"),
    np.array([6, 3, 1, 0]),
    np.array([0.1, 0.5, 0.2, 0.2]),
    estimator="mean_prediction",
    temperature=2.0,
    num_images=9,
    interval=(np.array([0.0, 0.4, 0.1, 0.1]), np.array([0.2, 0.6, 0.3, 0.3])),
    level=0.95,
    assumption=Assumption(np.array([5, 5, 5, 0]), np.ones(4), np.array([False, False, True, False])),
)
VOCABULARY = vocabulary.make_vocabulary(
    PRIOR.names, {"cat": ["feline"], "feline": ["mammal"], "elk": ["mammal", "game"], "owl": ["bird"]}
)
# In another order than the prior.
DRAWN = plan.with_header(
    pa.table(
        {
            "name": ["owl", "elk", "cat", "</script>"],
            "count": [3, 0, 6, 1],
            "asked": [0.625, 0.0, 0.125, 0.25],
            "quota": [5, 0, 1, 2],
            "unique": [3, 0, 1, 1],
            "repeats": [2, 0, 0, 1],
            "seen": [5.0, 0.0, 1.0, 2.0],
        }
    ),
    {"matcher": "same_distribution", "n": 8, "examples": 8, "unique_examples": 5, "max_copies": 2, "distance_drawn": 9},
)


def test_the_columns():
    found = labels.describe_labels(PRIOR, VOCABULARY, DRAWN, "same_distribution")
    assert found.names == ("cat", "owl", "</script>", "elk")
    assert found.paths == (("mammal", "feline"), ("bird",), (), ("mammal",))
    assert found.counts == (6, 3, 1, 0)
    assert found.target_share == (0.1, 0.5, 0.2, 0.2)
    np.testing.assert_allclose(found.source_share, [0.6, 0.3, 0.1, 0])
    np.testing.assert_allclose(found.weights, [0.125 / 0.6, 0.625 / 0.3, 0.25 / 0.1, 0])
    assert (found.low, found.high) == ((0.0, 0.4, 0.1, 0.1), (0.2, 0.6, 0.3, 0.3))
    assert (found.arm, found.drawn, found.unique, found.repeats) == (
        "same_distribution",
        (1, 5, 2, 0),
        (1, 3, 1, 0),
        (0, 2, 1, 0),
    )
    assert found.asked == (0.125, 0.625, 0.25, 0.0)
    assert (found.temperature, found.images, found.level) == (2.0, 9, 0.95)
    assert found.lost_mass == pytest.approx(0.2)
    assert (found.flagged, found.notes) == ((False, False, True, False), ())


def test_what_makes_a_label_doubtful():
    prior = dataclasses.replace(
        PRIOR, assumption=Assumption(np.array([5, 4, 6, 0]), np.array([1.0, 0.5, 1.75, np.nan]), np.array([0, 0, 1, 1]))
    )
    shown = block.Picture("a", "data:image/png;base64,AA==")
    found = labels.describe_doubts(prior, [2, 3], {2: [shown]})
    assert found == [block.Doubt(2, 6, 1.75, [shown]), block.Doubt(3, 0, None)]
    assert labels.describe_doubts(dataclasses.replace(PRIOR, assumption=None), [2], {}) == []


def test_without_a_plan_or_a_vocabulary():
    found = labels.describe_labels(PRIOR, None, None, "same_distribution")
    assert (found.arm, found.drawn, found.paths) == (None, (), ((), (), (), ()))


def test_the_sample_is_measured_by_the_target():
    found = labels.describe_sample(DRAWN, PRIOR)
    assert (found.examples, found.unique_examples, found.max_copies) == (8, 5, 2)
    assert found.distance_drawn == pytest.approx(0)
    assert found.distance_source == pytest.approx(0.5 * (0.475 + 0.325 + 0.15))
    assert labels.describe_sample(DRAWN, None).distance_drawn == 9  # as the plan says


def test_the_labels_with_thumbnails():
    assert labels.order_by_share(PRIOR, 3) == [1, 2, 0]  # without the elk, of which there is no image
    assert labels.order_by_share(PRIOR, 1) == [1]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_top_labels_of_an_image(activation):
    logits = np.array([[0.0, 4.0, 2.0, -8.0], [6.0, 0.0, 0.0, 1.0]])
    names = ["owl", "cat", "elk", "</script>"]  # the order of the classifier
    table = predictions.table(["a", "b"], logits)
    found = labels.share_labels(table, names, PRIOR, activation)
    first, second = labels.rank_labels(found, 2)
    halved = logits / 2
    shares = np.exp(halved) if activation == "softmax" else 1 / (1 + np.exp(-halved))
    shares /= shares.sum(axis=1, keepdims=True)
    assert [PRIOR.names[each.label] for each in first] == ["cat", "elk"]
    assert [PRIOR.names[each.label] for each in second] == ["owl", "</script>"]
    np.testing.assert_allclose([each.share for each in first], shares[0, [1, 2]])
    np.testing.assert_allclose([each.share for each in second], shares[1, [0, 3]])


def test_a_classifier_of_another_source():
    table = predictions.table(["a"], np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"^predictions: its labels are not those of the vocabulary"):
        labels.share_labels(table, ["owl", "cat", "elk", "yak"], PRIOR, "softmax")


def test_the_classes_in_whose_images_a_label_is_seen():
    means = labels.ClassMeans([2, 0], 3)
    means.add(np.array([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]]), [0, 2])
    means.add(np.array([[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]]), [0, None])  # the class of the last is not known
    found = means.find_classes(["dog", "cat", "owl"], 2)
    assert found == {
        2: [block.ClassShare("owl", 1.0), block.ClassShare("dog", 0.375)],
        0: [block.ClassShare("dog", 0.375), block.ClassShare("owl", 0.0)],
    }
    assert labels.ClassMeans([1], 3).find_classes(["dog", "cat", "owl"], 2) == {}
