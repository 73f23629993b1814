import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from components.prior_estimator import simplex

points_strategy = hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=st.floats(-1e3, 1e3))


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ([0.2, 0.5, 0.3], [0.2, 0.5, 0.3]),
        ([0.7, 0.6, -1.0], [0.55, 0.45, 0]),
        ([5, 1, 1], [1, 0, 0]),
        ([-3, -3], [0.5, 0.5]),
        ([1e9, 1e9 + 0.5], [0.25, 0.75]),
        ([-7], [1]),
    ],
)
def test_projections(point, expected):
    assert simplex.project(np.array(point, float)) == pytest.approx(np.array(expected, float), abs=1e-12)


@given(points_strategy)
def test_a_projection_is_the_nearest_point(points):
    projected = simplex.project(points)
    assert projected.min() >= 0
    assert projected.sum(axis=1) == pytest.approx(np.ones(len(points)), abs=1e-9)
    # (point − projection) · (corner − projection) ≤ 0 for every corner says that nothing in the simplex is nearer.
    away = points - projected
    assert (away - (away * projected).sum(axis=1, keepdims=True)).max() <= 1e-6


def problem(labels: int, outcomes: int, values: np.ndarray, seed: int = 0, **options) -> simplex.LeastSquares:
    columns = np.random.default_rng(seed).dirichlet(np.full(outcomes, 0.3), size=labels)
    anchor = np.random.default_rng(seed + 1).dirichlet(np.ones(labels))
    return simplex.LeastSquares(columns, values, anchor, **{"tolerance": 1e-13, "max_iterations": 50_000, **options})


@pytest.mark.parametrize("regularisation", [0.0, 0.05, 3.0])
@pytest.mark.parametrize("labels", [2, 7, 20])
def test_least_squares_agree_with_scipy(labels, regularisation):
    # The values are no mixture of the columns, so that some labels end at 0.
    values = np.random.default_rng(5).dirichlet(np.full(labels + 3, 0.5))
    given_problem = problem(labels, labels + 3, values)
    point, _, converged = given_problem.solve(regularisation)

    def objective(p: np.ndarray) -> float:
        return given_problem.residual(p) + regularisation * np.square(p - given_problem.anchor).sum()

    reference = scipy.optimize.minimize(
        objective,
        np.full(labels, 1 / labels),
        bounds=[(0, 1)] * labels,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    assert converged
    assert objective(point) <= reference.fun + 1e-12
    assert point == pytest.approx(reference.x, abs=1e-4)
    assert point.sum() == pytest.approx(1, abs=1e-12)


def test_many_at_once_are_those_of_one_at_a_time():
    values = np.random.default_rng(3).dirichlet(np.ones(9), size=4)
    together, _, _ = problem(6, 9, values).solve(0.01)
    for row, value in zip(together, values, strict=True):
        assert row == pytest.approx(problem(6, 9, value).solve(0.01)[0], abs=1e-6)


def test_an_ill_conditioned_problem_is_solved():
    # Neighbouring labels are hard to tell apart; without momentum 200,000 steps are not enough.
    outcomes = np.arange(30)
    columns = np.exp(-0.5 * np.square((outcomes - outcomes[:, None]) / 1.2))
    columns /= columns.sum(axis=1, keepdims=True)
    truth = np.random.default_rng(0).dirichlet(np.full(30, 3.0))
    given_problem = simplex.LeastSquares(columns, truth @ columns, np.full(30, 1 / 30), 1e-12, 10_000)
    point, _, converged = given_problem.solve(0.0)
    assert converged
    assert given_problem.residual(point) < 1e-11


def test_it_says_when_it_has_not_converged():
    values = np.random.default_rng(5).dirichlet(np.ones(9))
    _, iterations, converged = problem(6, 9, values, max_iterations=3).solve(0.0)
    assert (iterations, converged) == (3, False)


def test_the_largest_regularisation_within_the_noise():
    values = np.random.default_rng(5).dirichlet(np.ones(9))
    given_problem = problem(9, 9, values)
    closest = given_problem.residual(given_problem.solve(0.0)[0])
    noise = closest + 0.2 * (given_problem.residual(given_problem.anchor) - closest)
    found = given_problem.largest_regularisation(lambda p: noise)
    assert given_problem.residual(given_problem.solve(found)[0]) <= noise
    assert given_problem.residual(given_problem.solve(1.02 * found)[0]) > noise


def test_noise_above_the_whole_residual_leaves_the_anchor():
    values = np.random.default_rng(5).dirichlet(np.ones(9))
    given_problem = problem(9, 9, values)
    point, _, _ = given_problem.solve(given_problem.largest_regularisation(lambda p: 2.0))
    assert point == pytest.approx(given_problem.anchor, abs=1e-3)


def test_what_no_point_explains_is_not_noise():
    values = np.random.default_rng(5).dirichlet(np.ones(9))
    given_problem = problem(4, 9, values)
    closest = given_problem.residual(given_problem.solve(0.0)[0])
    noise = 0.05 * closest
    found = given_problem.largest_regularisation(lambda p: noise)
    assert given_problem.residual(given_problem.solve(found)[0]) == pytest.approx(closest + noise, rel=0.01)


def test_without_noise_nothing_is_regularised():
    values = np.random.default_rng(5).dirichlet(np.ones(9))
    assert problem(9, 9, values).largest_regularisation(lambda p: 0.0) < 1e-6
