import numpy as np
import pytest
import scipy.stats

from components.prior_estimator import intervals, priors


def mean_of(values: np.ndarray):
    return lambda draws: draws @ values / draws.sum(axis=1, keepdims=True)


def test_each_replicate_draws_as_many_images_as_there_are():
    seen = []
    intervals.bootstrap(lambda draws: seen.append(draws) or np.zeros((50, 2)), 7, replicates=50, level=0.9, seed=0)
    (draws,) = seen
    assert draws.shape == (50, 7)
    assert set(draws.sum(axis=1)) == {7}
    assert draws.min() == 0
    assert draws.max() > 1


def test_percentiles_of_the_replicates():
    replicates = np.stack([np.arange(101.0), 10 * np.arange(101.0)], axis=1)[::-1]
    low, high = intervals.bootstrap(lambda draws: replicates, 3, replicates=101, level=0.9, seed=0)
    assert (low, high) == (pytest.approx([5, 50]), pytest.approx([95, 950]))


def test_an_interval_is_as_wide_as_the_standard_error_says():
    values = np.random.default_rng(0).gamma(2.0, size=(400, 3)) * [1, 5, 0]
    low, high = intervals.bootstrap(mean_of(values), 400, replicates=4000, level=0.95, seed=0)
    expected = 2 * scipy.stats.norm.ppf(0.975) * values.std(axis=0) / np.sqrt(400)
    assert high - low == pytest.approx(expected, rel=0.06)
    assert np.all((low <= values.mean(axis=0)) & (values.mean(axis=0) <= high))


def test_the_seed_decides_and_a_lower_level_is_narrower():
    values = np.random.default_rng(0).random((30, 2))

    def run(level=0.9, seed=3):
        return np.stack(intervals.bootstrap(mean_of(values), 30, replicates=200, level=level, seed=seed))

    assert np.array_equal(run(), run())
    assert not np.array_equal(run(), run(seed=4))
    inner, outer = run(level=0.5), run(level=0.99)
    assert np.all(outer[0] < inner[0])
    assert np.all(inner[1] < outer[1])


def test_it_covers_the_mean_prediction_of_all_images():
    rng = np.random.default_rng(0)
    population = 2 * rng.normal(size=(100_000, 3)) + [1, 0, -1]
    truth = priors.mean_prediction(population, 1.0)
    covered = []
    for start in range(0, 30_000, 150):
        sample = population[start : start + 150]
        low, high = intervals.bootstrap(
            lambda draws, sample=sample: priors.mean_prediction(sample, 1.0, weights=draws),
            150,
            replicates=200,
            level=0.9,
            seed=start,
        )
        covered.append((low <= truth) & (truth <= high))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_images": 0}, "num_images: 0"),
        ({"replicates": 0}, "replicates: 0"),
        ({"level": 0.0}, "level: 0.0"),
        ({"level": 95}, "level: 95; .*0.95"),
    ],
)
def test_arguments_that_are_refused(changes, message):
    arguments = {"num_images": 3, "replicates": 10, "level": 0.9, "seed": 0, **changes}
    with pytest.raises(ValueError, match=message):
        intervals.bootstrap(mean_of(np.ones((3, 1))), **arguments)
