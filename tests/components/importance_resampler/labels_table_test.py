import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.artifacts import plan
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler.labels_table import distances_to, labels_table
from components.importance_resampler.matchers.elastic_distribution import elastic_distribution
from components.importance_resampler.matchers.same_distribution import same_distribution
from components.importance_resampler.matchers.uniform_subsample import uniform_subsample
from components.importance_resampler.matchers.weighted_loss import weighted_loss

NAMES = ("no example", "a", "b", "c")
LABELS = [[1], [2], [2, 1], [3]]


def label_prior(counts, target_prior) -> LabelPrior:
    return LabelPrior(NAMES, np.array(counts), np.array(target_prior), "mean_prediction", 2.0, 10)


@pytest.fixture
def pairs(make_pairs):
    return make_pairs(LABELS, 4)


@pytest.fixture
def prior():
    return label_prior([0, 2, 2, 1], [0.2, 0.4, 0.2, 0.2])


def test_copies_and_weights_survive_a_file(tmp_path):
    copies, weights = np.array([0, 3, 1], np.int32), np.array([0.5, 2.25, 0.25], np.float32)
    for table in (plan.copies_table(copies), plan.copies_table(copies, weights)):
        pq.write_table(table, tmp_path / "copies.parquet")
        read = pq.read_table(tmp_path / "copies.parquet")
        assert plan.copies_of(read).tolist() == [0, 3, 1]
        assert plan.copies_of(read).dtype == np.int32
    assert plan.weights_of(read).tolist() == weights.tolist()
    assert plan.weights_of(plan.copies_table(copies)) is None


def test_same_distribution(pairs, prior):
    settings = {"matcher": "same_distribution", "n": 8, "seed": 5}
    table = labels_table(same_distribution(pairs, prior.target_prior, n=8, seed=5), pairs, prior, settings)
    frame = table.to_pandas()
    assert frame["name"].tolist() == list(NAMES)
    assert frame["count"].tolist() == [0, 2, 2, 1]
    assert frame["asked"].tolist() == pytest.approx([0, 0.5, 0.25, 0.25])
    assert frame["quota"].tolist() == [0, 4, 2, 2]
    assert frame["unique"].tolist() == [0, 2, 2, 1]
    assert frame["repeats"].tolist() == [0, 2, 0, 1]
    # The third example is taken 2 + 1 times, and has both labels.
    assert frame["seen"].tolist() == [0, 2 + 3, 1 + 3, 2]
    assert not frame["capped"].any()
    assert frame["rank"].isna().all()
    assert plan.header_of(table) == {
        "matcher": "same_distribution",
        "n": 8,
        "seed": 5,
        "examples": 8,
        "unique_examples": 4,
        "max_copies": 3,
        "distance_drawn": pytest.approx(0),
        "distance_seen": pytest.approx((abs(5 / 11 - 1 / 2) + abs(4 / 11 - 1 / 4) + abs(2 / 11 - 1 / 4)) / 2),
        "distance_source": pytest.approx((0.1 + 0.15 + 0.05) / 2),
        "lost_mass": pytest.approx(0.2),
    }


def test_a_limit_is_reported(pairs, prior):
    sample = same_distribution(pairs, prior.target_prior, n=7, seed=0, max_repeats=2)
    table = labels_table(sample, pairs, prior, {"matcher": "same_distribution", "n": 7, "max_repeats": 2})
    # 3.5, 1.75 and 1.75 were due, and 4, 4 and 2 are possible: nothing is over.
    assert not table["capped"].to_numpy().any()
    assert plan.header_of(table)["capped_mass"] == 0
    sample = same_distribution(pairs, prior.target_prior, n=9, seed=0, max_repeats=2)
    table = labels_table(sample, pairs, prior, {"matcher": "same_distribution", "n": 9, "max_repeats": 2})
    # 4.5, 2.25 and 2.25 were due: 4, 3 and 2 it is.
    assert table["quota"].to_pylist() == [0, 4, 3, 2]
    assert table["capped"].to_pylist() == [False, True, False, True]
    header = plan.header_of(table)
    assert header["capped_labels"] == 2
    assert header["capped_mass"] == pytest.approx(0.5 - 4 / 9 + 0.25 - 2 / 9)


def test_elastic_distribution(pairs, prior):
    sample = elastic_distribution(pairs, prior.weights, n=10, seed=0)
    table = labels_table(sample, pairs, prior, {"matcher": "elastic_distribution", "n": 10})
    assert table["rank"].to_pylist() == [None, 0, 2, 1]
    assert table["quota"].to_pylist() == [0, 2, 1, 1]
    assert table["unique"].to_pylist() == [0, 2, 1, 1]
    assert table["repeats"].to_pylist() == [0, 0, 0, 0]
    header = plan.header_of(table)
    assert header["n"] == 10
    assert header["examples"] == header["unique_examples"] == 4
    assert header["max_copies"] == 1


def test_weighted_loss_counts_what_the_loss_sees(make_pairs):
    pairs = make_pairs([[1], [2], [2], [3]], 4)
    prior = label_prior([0, 1, 2, 1], [0.0, 0.5, 0.25, 0.25])
    sample = weighted_loss(pairs, prior.weights)
    table = labels_table(sample, pairs, prior, {"matcher": "weighted_loss"})
    assert table["seen"].to_pylist() == pytest.approx([0, 2, 1, 1])
    assert plan.header_of(table)["distance_seen"] == pytest.approx(0, abs=1e-7)
    assert plan.header_of(table)["distance_drawn"] == pytest.approx(0.25)


def test_a_sample_for_no_target_is_compared_with_the_source(pairs, prior):
    sample = uniform_subsample(pairs, n=2, seed=0)
    table = labels_table(sample, pairs, None, {"matcher": "uniform_subsample", "n": 2}, NAMES)
    assert table["name"].to_pylist() == list(NAMES)
    assert table["asked"].to_pylist() == pytest.approx([0, 0.4, 0.4, 0.2])
    header = plan.header_of(table)
    assert (header["distance_source"], header["lost_mass"]) == (0, 0)
    # For a target, it is what a table for that target says, also with the labels in another order.
    expected = plan.header_of(labels_table(sample, pairs, prior, {"matcher": "uniform_subsample", "n": 2}))
    order = [2, 0, 3, 1]
    names = tuple(NAMES[i] for i in order)
    other = LabelPrior(names, prior.counts[order], prior.target_prior[order], "mean_prediction", 2.0, 10)
    assert expected["distance_source"] > 0.1
    assert distances_to(other, table) == {key: value for key, value in expected.items() if "distance" in key}


def test_pandas_reads_it(tmp_path, pairs, prior):
    sample = uniform_subsample(pairs, n=2, seed=0)
    pq.write_table(
        labels_table(sample, pairs, prior, {"matcher": "uniform_subsample", "n": 2}), tmp_path / plan.LABELS_FILE
    )
    assert pd.read_parquet(tmp_path / plan.LABELS_FILE)["quota"].sum() == 2


def test_files_of_before_call_the_matcher_a_strategy():
    older = {"strategy": "same_distribution", "n": 3, "seed": 0, "max_repeats": 0, "label_subset": [], "examples": 0}
    table = plan.with_header(pa.table({"label": [0]}), older)
    assert plan.header_of(table) == {"matcher": "same_distribution", "n": 3, "seed": 0, "examples": 0}
    limited = plan.with_header(table, {**older, "max_repeats": 2})
    assert plan.header_of(limited)["max_repeats"] == 2
