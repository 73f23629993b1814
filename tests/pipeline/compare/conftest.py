"""Rows and predictions of models that were never trained."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from components.transfer_report import page
from pipeline.compare import predictions
from pipeline.compare.rows import Cell, Result


@pytest.fixture(autouse=True)
def page_is_not_drawn(monkeypatch):
    """Comparisons end with a report, whose charts take as long as all else here; others test them."""
    monkeypatch.setattr(page, "render", lambda block: block.title)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Result]:
    """Makes a result from an arm's name and what differs from an arm that is pre-trained for 300 steps of 128."""

    def make(
        arm: str,
        test: float | None = 0.5,
        evaluation: float = 0.5,
        *,
        target: str = "digits",
        seed: int = 0,
        shots: int | None = None,
        learning_rate: float = 0.1,
        **fields,
    ) -> Result:
        metrics = {("eval", "accuracy"): evaluation, ("eval", "mean_per_class_accuracy"): evaluation}
        if test is not None:
            metrics |= {("test", "accuracy"): test, ("test", "mean_per_class_accuracy"): test}
        has_matcher = arm not in ("random_init", "entire_source", "source_classifier")
        defaults = {
            "backbone": "compact_cnn",
            "matcher": arm if has_matcher else "",
            "start": "classifier" if arm in ("source_classifier", "warm_start") else "random",
            "n": 10_000 if has_matcher else 0,
            "steps": 0 if arm in ("random_init", "source_classifier") else 300,
            "images": 0 if arm in ("random_init", "source_classifier") else 38_400,
            "classifier_images": 0 if arm in ("random_init", "entire_source") else 192_000,
            "seconds": 30.0,
            "finetune_seconds": 5.0,
            "classifier_seconds": 0.0 if arm in ("random_init", "entire_source") else 140.0,
            "settings": "{}",
            "metrics": metrics,
        }
        return Result(Cell(target, arm, seed, shots, learning_rate), **(defaults | fields))

    return make


@pytest.fixture(scope="session")
def write_predictions() -> Callable[..., None]:
    """Writes the predictions of a cell that is right on some images; their order differs from cell to cell."""

    def write(folder, cell: Cell, right: Sequence[float], labels: Sequence[int] | None = None) -> None:
        order = np.random.default_rng(cell.seed + len(cell.arm)).permutation(len(right))
        labels = np.zeros(len(right), np.int64) if labels is None else np.asarray(labels)
        predicted = np.where(np.asarray(right, bool), labels, labels + 1)
        ids = [f"image-{at:04d}" for at in order]
        predictions.write(folder, cell, ids, labels[order], predicted[order], np.full(len(right), 0.5))

    return write
