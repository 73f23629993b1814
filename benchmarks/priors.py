"""How well the estimators recover a known label shift, compared with mean prediction on the same posteriors.

    python -m benchmarks.priors

The images come from Gaussian classes, and the classifier's posteriors are exact under P_s, so that only the estimators
are measured. The error is the L1 distance from the true P_t, between 0 and 2. In brackets is its ratio to the error of
mean prediction at a temperature of 1. The paper's temperature of 2 has a column of its own.
"""

import argparse
import dataclasses
import functools
import time
from collections.abc import Callable, Sequence

import numpy as np

from components.prior_estimator import calibration, priors

DIMENSIONS = 16
# Labels, images of the target, images of the source's eval split, and how far apart the classes lie.
SIZES = [(10, 2_000, 4_000, 0.6), (100, 2_000, 5_000, 0.9), (1_000, 2_000, 10_000, 1.2), (1_000, 20_000, 10_000, 1.2)]
# The standard deviation of log P_t / P_s.
STRENGTHS = {"none": 0.0, "mild": 0.3, "medium": 1.0, "strong": 2.0}


@dataclasses.dataclass(frozen=True)
class Shift:
    """A source and a target that differ in their label prior only; logits are float16, as they are stored."""

    source_prior: np.ndarray
    target_prior: np.ndarray
    source_logits: np.ndarray
    source_labels: np.ndarray
    target_logits: np.ndarray


def draw(labels: int, target: int, source: int, spread: float, strength: float, seed: int) -> Shift:
    """Draws a shift of the given strength; each label has at least one source image."""
    rng = np.random.default_rng(seed)
    centres = spread * rng.normal(size=(labels, DIMENSIONS))
    source_prior = rng.dirichlet(np.full(labels, 3.0))
    target_prior = source_prior * np.exp(strength * rng.normal(size=labels))
    target_prior /= target_prior.sum()

    def logits_of(drawn: np.ndarray) -> np.ndarray:
        points = centres[drawn] + rng.normal(size=(len(drawn), DIMENSIONS))
        logits = np.log(source_prior) + points @ centres.T - 0.5 * np.square(centres).sum(axis=1)
        return (logits - logits.max(axis=1, keepdims=True)).astype(np.float16)

    source_labels = np.concatenate([np.arange(labels), rng.choice(labels, source - labels, p=source_prior)])
    return Shift(
        source_prior,
        target_prior,
        logits_of(source_labels),
        source_labels,
        logits_of(rng.choice(labels, target, p=target_prior)),
    )


def make_estimators(shift: Shift) -> dict[str, Callable[[], np.ndarray]]:
    """Returns name → function that estimates P_t; em and bbse use the fitted temperature."""
    fitted = calibration.fit_temperature(shift.source_logits, shift.source_labels)
    mean = functools.partial(priors.mean_prediction, shift.target_logits)
    known = (shift.source_logits, shift.source_labels, shift.source_prior, fitted)
    bbse = functools.partial(priors.bbse, shift.target_logits, *known)
    return {
        "mean T=1": functools.partial(mean, 1.0),
        "mean T=2": functools.partial(mean, 2.0),
        "em": lambda: priors.em(shift.target_logits, shift.source_prior, fitted).prior,
        "bbse": lambda: bbse().prior,
        "bbse λ=0": lambda: bbse(regularisation=0.0).prior,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables; the arguments are those of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_size, nargs="+", default=SIZES, metavar="LABELS:TARGET:SOURCE:SPREAD")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds; the mean is printed")
    args = parser.parse_args(arguments)
    print(f"L1 error of P_t (ratio to mean prediction, T = 1), mean of {args.seeds} seeds")
    for labels, target, source, spread in args.sizes:
        print(f"\n{labels:,} labels, {target:,} target images, {source:,} source eval images")
        seconds: dict[str, float] = {}
        for i, (name, strength) in enumerate(STRENGTHS.items()):
            errors: dict[str, list[float]] = {}
            for seed in range(args.seeds):
                shift = draw(labels, target, source, spread, strength, seed)
                for estimator, estimate in make_estimators(shift).items():
                    start = time.perf_counter()
                    error = np.abs(estimate() - shift.target_prior).sum()
                    seconds[estimator] = seconds.get(estimator, 0.0) + time.perf_counter() - start
                    errors.setdefault(estimator, []).append(error)
            if not i:
                print(f"{'shift':<10}" + "".join(f"{estimator:>18}" for estimator in errors))
            peer = np.mean(errors["mean T=1"])
            cells = (f"{np.mean(error):.3f} ({np.mean(error) / peer:.2f})" for error in errors.values())
            print(f"{name:<10}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
        runs = len(STRENGTHS) * args.seeds
        print(f"{'seconds':<10}" + "".join(f"{total / runs:>18.2f}" for total in seconds.values()))


def _size(text: str) -> tuple[int, int, int, float]:
    labels, target, source, spread = text.split(":")
    return int(labels), int(target), int(source), float(spread)


if __name__ == "__main__":
    main()
