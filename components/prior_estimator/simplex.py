"""Least squares on the probability simplex. Pure."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

# Where λ is looked for, in units of the curvature: from next to no effect to nothing but effect.
_LEAST, _MOST = 1e-8, 1e4
_HALVINGS = 12  # of the logarithm of that range: to a percent


def project(points: np.ndarray) -> np.ndarray:
    """Returns the nearest point of the probability simplex for each row (Held, Wolfe and Crowder 1974).

    Args:
      points: float [..., labels].

    Returns:
      float64 [..., labels]: at least 0, each row summing to 1.
    """
    # A common shift changes nothing, and without it 1 would be lost beside large numbers.
    points = points - points.max(axis=-1, keepdims=True)
    descending = -np.sort(-points, axis=-1)
    excess = np.cumsum(descending, axis=-1) - 1
    support = np.count_nonzero(descending * np.arange(1, points.shape[-1] + 1) > excess, axis=-1)[..., None]
    threshold = np.take_along_axis(excess, support - 1, axis=-1) / support
    return np.maximum(points - threshold, 0)


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """Minimise ‖Mp − q‖² + λ ‖p − anchor‖² over the simplex, for one q or many at once.

    Attributes:
      columns: float64 [labels, outcomes], the columns of M as rows.
      values: float64 [..., outcomes], q.
      anchor: float64 [labels], on the simplex; also where the search begins.
      tolerance: the search ends when the duality gap, in units of the curvature, is at most this for every q.
      max_iterations: or after as many steps.
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
        """Returns p, float64 [..., labels], how many steps it took, and whether the tolerance was met.

        Accelerated projected gradient (Beck and Teboulle 2009) that drops its momentum whenever that points uphill
        (O'Donoghue and Candès 2015). The gap g·p − min g bounds the distance to the minimum from above (Jaggi 2013).
        """
        gram = self._gram + regularisation * np.eye(len(self.anchor))
        linear = self.values @ self.columns.T + regularisation * self.anchor
        curvature = _curvature(gram)
        gram, linear = gram / curvature, linear / curvature
        point = np.broadcast_to(self.anchor, linear.shape)
        gradient = point @ gram - linear
        ahead, gradient_ahead = point, gradient
        momentum = np.ones((*linear.shape[:-1], 1))
        for iteration in range(self.max_iterations):
            gap = (gradient * point).sum(axis=-1) - gradient.min(axis=-1)
            if (gap <= self.tolerance).all():
                return point, iteration, True
            before, gradient_before = point, gradient
            point = project(ahead - gradient_ahead)
            gradient = point @ gram - linear
            uphill = ((ahead - point) * (point - before)).sum(axis=-1, keepdims=True) > 0
            following = np.where(uphill, 1, (1 + np.sqrt(1 + 4 * momentum**2)) / 2)
            pull = np.where(uphill, 0, (momentum - 1) / following)
            momentum = following
            # The gradient is affine, so that the one ahead costs no product with the matrix.
            ahead = point + pull * (point - before)
            gradient_ahead = gradient + pull * (gradient - gradient_before)
        return point, self.max_iterations, False

    def residual(self, point: np.ndarray) -> np.ndarray:
        """Returns ‖Mp − q‖², float64 [...]."""
        return np.square(point @ self.columns - self.values).sum(axis=-1)

    def largest_regularisation(self, noise: Callable[[np.ndarray], float]) -> float:
        """Returns the largest λ whose residual stays within the noise (Morozov 1966): the discrepancy principle.

        Where even λ = 0 leaves more than the noise, no p explains q; the noise then comes on top of that residual.

        Args:
          noise: gives what sampling alone is expected to make of ‖Mp − q‖² if p is the truth.
        """
        closest, _, _ = self.solve(0.0)
        unexplained = self.residual(closest) if self.residual(closest) > noise(closest) else 0.0

        def within(log_regularisation: float) -> bool:
            point, _, _ = self.solve(np.exp(log_regularisation))
            return bool(self.residual(point) <= unexplained + noise(point))

        scale = np.log(_curvature(self._gram))
        low, high = scale + np.log(_LEAST), scale + np.log(_MOST)
        if within(high):
            return float(np.exp(high))
        if not within(low):
            return 0.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if within(middle) else (low, middle)
        return float(np.exp(low))


def _curvature(gram: np.ndarray) -> float:
    # The largest absolute row sum bounds the largest eigenvalue, so that a step of its inverse is never too long.
    return float(np.abs(gram).sum(axis=1).max())
