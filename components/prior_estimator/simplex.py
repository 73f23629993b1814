"""Least squares on the probability simplex. Pure."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

# Range of the search for λ, in units of the curvature: from almost no effect to almost full effect.
_MIN_REGULARISATION, _MAX_REGULARISATION = 1e-8, 1e4
_BISECTIONS = 12  # of the logarithm of that range; gives λ to a percent


def project(points: np.ndarray) -> np.ndarray:
    """Projects each row onto the probability simplex (Held, Wolfe and Crowder 1974).

    Args:
      points: float [..., labels].

    Returns:
      float64 [..., labels]: at least 0, each row summing to 1.
    """
    # A common shift does not change the result, but prevents the 1 below from being lost beside large numbers.
    points = points - points.max(axis=-1, keepdims=True)
    descending = -np.sort(-points, axis=-1)
    excess = np.cumsum(descending, axis=-1) - 1
    support = np.count_nonzero(descending * np.arange(1, points.shape[-1] + 1) > excess, axis=-1)[..., None]
    threshold = np.take_along_axis(excess, support - 1, axis=-1) / support
    return np.maximum(points - threshold, 0)


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """Minimises ‖Mp − q‖² + λ ‖p − anchor‖² over the simplex, for one or several q.

    Attributes:
      columns: float64 [labels, outcomes], the columns of M as rows.
      values: float64 [..., outcomes], q.
      anchor: float64 [labels], a point of the simplex; the search starts there.
      tolerance: the search stops when the duality gap, in units of the curvature, is at most this for every q.
      max_iterations: largest number of steps.
    """

    columns: np.ndarray
    values: np.ndarray
    anchor: np.ndarray
    tolerance: float
    max_iterations: int

    @functools.cached_property
    def _gram(self) -> np.ndarray:
        return self.columns @ self.columns.T

    def solve(self, regularisation: float) -> tuple[np.ndarray, int, bool]:
        """Returns p, float64 [..., labels], the number of steps, and whether the tolerance was met.

        The method is accelerated projected gradient (Beck and Teboulle 2009) with a restart whenever the momentum
        points uphill (O'Donoghue and Candès 2015). The gap g·p − min g bounds the suboptimality (Jaggi 2013).
        """
        gram = self._gram + regularisation * np.eye(len(self.anchor))
        linear = self.values @ self.columns.T + regularisation * self.anchor
        curvature = _curvature(gram)
        gram, linear = gram / curvature, linear / curvature
        point = np.broadcast_to(self.anchor, linear.shape)
        gradient = point @ gram - linear
        extrapolated, gradient_extrapolated = point, gradient
        momentum = np.ones((*linear.shape[:-1], 1))
        for iteration in range(self.max_iterations):
            gap = (gradient * point).sum(axis=-1) - gradient.min(axis=-1)
            if (gap <= self.tolerance).all():
                return point, iteration, True
            previous, gradient_previous = point, gradient
            point = project(extrapolated - gradient_extrapolated)
            gradient = point @ gram - linear
            uphill = ((extrapolated - point) * (point - previous)).sum(axis=-1, keepdims=True) > 0
            next_momentum = np.where(uphill, 1, (1 + np.sqrt(1 + 4 * momentum**2)) / 2)
            inertia = np.where(uphill, 0, (momentum - 1) / next_momentum)
            momentum = next_momentum
            # The gradient is affine, so extrapolating it saves a product with the matrix.
            extrapolated = point + inertia * (point - previous)
            gradient_extrapolated = gradient + inertia * (gradient - gradient_previous)
        return point, self.max_iterations, False

    def residual(self, point: np.ndarray) -> np.ndarray:
        """Returns ‖Mp − q‖², float64 [...]."""
        return np.square(point @ self.columns - self.values).sum(axis=-1)

    def largest_regularisation(self, noise: Callable[[np.ndarray], float]) -> float:
        """Returns the largest λ whose residual is within the noise, by the discrepancy principle (Morozov 1966).

        If the residual exceeds the noise even at λ = 0, no p explains q. The noise is then added to that residual.

        Args:
          noise: p → the expected ‖Mp − q‖² by sampling alone, if p is the truth.
        """
        unregularised, _, _ = self.solve(0.0)
        unexplained = self.residual(unregularised) if self.residual(unregularised) > noise(unregularised) else 0.0

        def is_within_noise(log_regularisation: float) -> bool:
            point, _, _ = self.solve(np.exp(log_regularisation))
            return bool(self.residual(point) <= unexplained + noise(point))

        scale = np.log(_curvature(self._gram))
        low, high = scale + np.log(_MIN_REGULARISATION), scale + np.log(_MAX_REGULARISATION)
        if is_within_noise(high):
            return float(np.exp(high))
        if not is_within_noise(low):
            return 0.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if is_within_noise(middle) else (low, middle)
        return float(np.exp(low))


def _curvature(gram: np.ndarray) -> float:
    # The largest absolute row sum bounds the largest eigenvalue from above, so steps of its inverse cannot overshoot.
    return float(np.abs(gram).sum(axis=1).max())
