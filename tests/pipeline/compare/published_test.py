import numpy as np
import pytest
import scipy.stats

from pipeline.compare.published import (
    Accuracy,
    Dataset,
    SampleSize,
    read_accuracies,
    read_datasets,
    read_sample_sizes,
)


def test_tables_of_accuracies():
    rows = read_accuracies()
    assert len(rows) == len(set(rows)) == 151
    assert [sum(row.table == table for row in rows) for table in (3, 4, 5, 6)] == [72, 72, 4, 3]
    assert rows[0] == Accuracy(3, "inception_v3", "entire_jft", "birdsnap", 74.2)
    assert rows[-1] == Accuracy(6, "inception_v3", "reversed_weights", "pets", 84.9)
    assert Accuracy(4, "amoebanet_b", "jft_adaptive", "food101", 95.3) in rows
    assert Accuracy(5, "inception_v3", "imagenet_inaturalist_emd_subset", "flowers102", 97.7) in rows


@pytest.mark.parametrize(
    ("table", "source", "mean", "interval"),
    [
        (3, ("jft_adaptive", "entire_jft"), 4.35, (1.6, 7.1)),
        (4, ("jft_adaptive", "entire_jft"), 2.2, (0.3, 4.1)),
        (3, ("imagenet_adaptive", "imagenet_entire"), 0.05, (-0.7, 0.8)),
        (4, ("imagenet_adaptive", "imagenet_entire"), -0.3, (-1.1, 0.4)),
    ],
)
def test_the_gain_of_the_matched_sample_over_the_targets(table, source, mean, interval):
    cells = {(row.pretraining, row.target): row.accuracy for row in read_accuracies() if row.table == table}
    targets = sorted({target for _, target in cells})
    gains = np.array([cells[source[0], target] - cells[source[1], target] for target in targets])
    assert len(gains) == 6
    assert gains.mean() == pytest.approx(mean, abs=0.051)
    found = scipy.stats.t.interval(0.95, 5, loc=gains.mean(), scale=scipy.stats.sem(gains))
    assert found == pytest.approx(interval, abs=0.051)


def test_tables_of_data_sets():
    rows = read_datasets()
    assert len(rows) == 14
    assert rows[0] == Dataset("source", "jft", 300_000_000, None, 18_291)
    assert rows[-2] == Dataset("target", "pets", 3680, 3369, 37)
    assert [row.name for row in rows if row.test] == ["cifar10", "birdsnap", "cars", "aircraft", "pets", "food101"]
    assert {row.name for row in rows if row.role == "subset"} <= {row.pretraining for row in read_accuracies()}


def test_figure_3():
    rows = read_sample_sizes()
    assert len(rows) == len({(row.matcher, row.target, row.n) for row in rows}) == 96
    assert rows[0] == SampleSize("same_distribution", "birdsnap", 500_000, 75.3)
    assert rows[-1] == SampleSize("elastic_distribution", "cars", 80_000_000, 95.5)
    assert {row.target for row in rows} == {row.name for row in read_datasets() if row.role == "target"}
