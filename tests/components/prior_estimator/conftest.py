"""A label shift whose truth is known: Gaussian classes, and the exact posteriors under the source's prior."""

import dataclasses

import numpy as np
import pytest


@dataclasses.dataclass(frozen=True)
class Shift:
    """Images of a source and a target that differ in their label prior only.

    softmax(logits) is the exact posterior under `source_prior`: a classifier that is calibrated on the source.
    """

    source_prior: np.ndarray
    target_prior: np.ndarray
    source_logits: np.ndarray
    source_labels: np.ndarray
    target_logits: np.ndarray

    def error(self, prior: np.ndarray) -> float:
        """Returns the L1 distance to the truth, between 0 and 2."""
        return float(np.abs(prior - self.target_prior).sum())


@pytest.fixture
def shift():
    def make(
        *, labels: int, strength: float, source: int, target: int, spread: float = 1.0, seed: int = 0, dtype=np.float64
    ) -> Shift:
        """Draws `source` and `target` images; log P_t/P_s is normal with standard deviation `strength`."""
        rng = np.random.default_rng(seed)
        centres = spread * rng.normal(size=(labels, 8))
        source_prior = rng.dirichlet(np.full(labels, 3.0))
        target_prior = source_prior * np.exp(strength * rng.normal(size=labels))
        target_prior /= target_prior.sum()

        def logits_of(drawn: np.ndarray) -> np.ndarray:
            points = centres[drawn] + rng.normal(size=(len(drawn), 8))
            # log P_s(y) + log N(x; centre of y, 1), without what all labels share.
            return np.log(source_prior) + points @ centres.T - 0.5 * np.square(centres).sum(axis=1)

        source_labels = np.concatenate([np.arange(labels), rng.choice(labels, source - labels, p=source_prior)])
        target_labels = rng.choice(labels, target, p=target_prior)
        return Shift(
            source_prior,
            target_prior,
            logits_of(source_labels).astype(dtype),
            source_labels,
            logits_of(target_labels).astype(dtype),
        )

    return make
