"""The LabelPrior: P_s, P_t and importance weights, one row per source label, with a header. Pure."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from components.artifacts import vocabulary

FILE_NAME = "label_prior.parquet"
_HEADER = b"label_prior"


@dataclasses.dataclass(frozen=True)
class Assumption:
    """The distance of the target's images from the source's, for each label.

    Attributes:
      target_images: int64 [labels], number of target images whose top prediction is the label.
      ratio: float64 [labels], their distance from the source's mean in units of the source's own spread; NaN without
        a target image or a source image, and everywhere if no source label has two images that differ.
      flagged: bool [labels], whether the ratio is above the threshold and there are enough target images.
    """

    target_images: np.ndarray
    ratio: np.ndarray
    flagged: np.ndarray


@dataclasses.dataclass(frozen=True)
class LabelPrior:
    """The priors of source and target over K source labels, and how P_t was estimated.

    Attributes:
      names: K label names, in the order of the vocabulary.
      counts: int64 [K], N_y, number of (example, label) pairs of each label in the source's train split.
      target_prior: float64 [K], the estimated P_t; sums to 1.
      estimator: 'mean_prediction', 'em' or 'bbse'.
      temperature: the divisor of the logits.
      num_images: number of target images that P_t was estimated from.
      temperature_fitted: whether the temperature was fitted on the source's eval split.
      fit_failed: whether it is 1.0 because no temperature fits there.
      activation: 'softmax' or 'sigmoid'.
      iterations, converged: of 'em' and 'bbse'.
      regularisation: λ of 'bbse'.
      smoothing, floor: how P_t was adjusted afterwards; see `priors.adjust`.
      interval: (low, high), float64 [K] each, of P_t; None without a bootstrap.
      replicates, level, seed: of the bootstrap; the interval holds the share `level` of the replicates.
      assumption: the distance of the target's images from the source's; None if it was not checked.
      assumption_threshold: the ratio above which labels are flagged.
      unmapped_mass: the share of the classifier's predictions for labels that the source lacks, without which P_t is
        renormalised; None: its labels are the source's.
      unmapped_labels: number of the source's labels that the classifier lacks, which have no P_t; None: as above.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    target_prior: np.ndarray
    estimator: str
    temperature: float
    num_images: int
    temperature_fitted: bool = False
    fit_failed: bool = False
    activation: str = "softmax"
    iterations: int | None = None
    converged: bool | None = None
    regularisation: float | None = None
    smoothing: float = 0.0
    floor: float = 0.0
    interval: tuple[np.ndarray, np.ndarray] | None = None
    replicates: int = 0
    level: float | None = None
    seed: int | None = None
    assumption: Assumption | None = None
    assumption_threshold: float | None = None
    unmapped_mass: float | None = None
    unmapped_labels: int | None = None

    def __post_init__(self) -> None:
        columns = {"counts": self.counts, "target_prior": self.target_prior}
        if self.interval is not None:
            columns["interval low"], columns["interval high"] = self.interval
        for name, column in columns.items():
            if column.shape != (len(self.names),):
                raise ValueError(f"{name}: shape {column.shape} for {len(self.names)} labels")
            wrong = ~(np.isfinite(column) & (column >= 0))
            if wrong.any():
                raise ValueError(f"{name}: holds {column[wrong][0]}; every entry must be finite and at least 0")
        if not abs(self.target_prior.sum() - 1) < 1e-6:
            raise ValueError(f"target_prior: sums to {self.target_prior.sum()}, not to 1")
        if not self.target_prior[self.counts > 0].sum() > 0:
            raise ValueError(
                "target_prior: all of its mass is on labels without a source example; nothing can be drawn"
            )

    @property
    def source_prior(self) -> np.ndarray:
        """P_s(y) = N_y / Σ N."""
        return self.counts / self.counts.sum()

    @property
    def reachable_prior(self) -> np.ndarray:
        """P_t over the labels with N_y > 0, renormalised: what a sample of the source can follow."""
        return _renormalise(self.target_prior, self.counts)

    @property
    def weights(self) -> np.ndarray:
        """w(y) = P_t(y) / P_s(y) over the labels with N_y > 0, and 0 elsewhere; its mean under P_s is 1."""
        return importance_weights(self.target_prior, self.counts)

    def header(self) -> dict[str, float | int | str | bool | None]:
        """Returns the settings and the diagnostics (natural logarithms)."""
        target, source = self.reachable_prior, self.source_prior
        seen = target > 0
        entropy = -float(np.sum(target[seen] * np.log(target[seen])))
        return {
            **{name: getattr(self, name) for name in _SETTINGS},
            "entropy": entropy,
            "effective_labels": float(np.exp(entropy)),
            "kl_target_source": float(np.sum(target[seen] * np.log(target[seen] / source[seen]))),
            "lost_mass": float(self.target_prior[self.counts == 0].sum()),
        }


def importance_weights(target_prior: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns w(y) = P_t(y) / P_s(y) over the labels with N_y > 0, and 0 elsewhere: float64 [labels].

    P_t is renormalised over those labels, so that the mean of w under P_s is 1.

    Args:
      target_prior: float [labels], P_t.
      counts: int [labels], N_y.

    Raises:
      ValueError: the shapes differ, or P_t has no mass on a label with N_y > 0.
    """
    if target_prior.shape != counts.shape:
        raise ValueError(
            f"target_prior: shape {target_prior.shape}, but counts: {counts.shape}; both need one value per label"
        )
    if not target_prior[counts > 0].sum() > 0:
        raise ValueError("target_prior: has no mass on any label with an example; there is nothing to weight")
    source = counts / counts.sum()
    return np.divide(_renormalise(target_prior, counts), source, out=np.zeros(len(counts)), where=counts > 0)


def _renormalise(target_prior: np.ndarray, counts: np.ndarray) -> np.ndarray:
    reachable = np.where(counts > 0, target_prior, 0.0)
    return reachable / reachable.sum()


# All fields that have one value for all labels.
_SETTINGS = tuple(
    field.name
    for field in dataclasses.fields(LabelPrior)
    if field.name not in ("names", "counts", "target_prior", "interval", "assumption")
)


def reorder(prior: LabelPrior, names: Sequence[str]) -> LabelPrior:
    """Returns `prior` in the order of the label names `names`.

    Raises:
      ValueError: the prior has other labels.
    """
    if tuple(names) == prior.names:
        return prior
    at = vocabulary.positions(names, prior.names, "label_prior")
    assumption = prior.assumption and Assumption(
        **{field.name: getattr(prior.assumption, field.name)[at] for field in dataclasses.fields(Assumption)}
    )
    return dataclasses.replace(
        prior,
        names=tuple(names),
        counts=prior.counts[at],
        target_prior=prior.target_prior[at],
        interval=prior.interval and tuple(bound[at] for bound in prior.interval),
        assumption=assumption,
    )


def to_table(prior: LabelPrior) -> pa.Table:
    """Returns the prior as a table with one row per label; the header is JSON in its schema's metadata.

    If the prior has an interval, there are columns `target_prior_low` and `target_prior_high`; if the assumption was
    checked, `target_images`, `assumption_ratio` and `assumption_flag`.
    """
    columns = {
        "label": np.arange(len(prior.names), dtype=np.int32),
        "name": list(prior.names),
        "count": prior.counts.astype(np.int64),
        "source_prior": prior.source_prior,
        "target_prior": prior.target_prior,
        "importance_weight": prior.weights,
    }
    if prior.interval is not None:
        columns["target_prior_low"], columns["target_prior_high"] = prior.interval
    if prior.assumption is not None:
        columns["target_images"] = prior.assumption.target_images
        columns["assumption_ratio"] = prior.assumption.ratio
        columns["assumption_flag"] = prior.assumption.flagged
    return pa.table(columns).replace_schema_metadata({_HEADER: json.dumps(prior.header())})


def from_table(table: pa.Table) -> LabelPrior:
    """Returns the prior in a table from `to_table`."""
    header = json.loads(table.schema.metadata[_HEADER])

    def column(name: str) -> np.ndarray:
        return table[name].to_numpy()

    interval = assumption = None
    if "target_prior_low" in table.column_names:
        interval = column("target_prior_low"), column("target_prior_high")
    if "assumption_ratio" in table.column_names:
        assumption = Assumption(column("target_images"), column("assumption_ratio"), column("assumption_flag"))
    return LabelPrior(
        names=tuple(table["name"].to_pylist()),
        counts=column("count"),
        target_prior=column("target_prior"),
        interval=interval,
        assumption=assumption,
        **{name: header[name] for name in _SETTINGS if name in header},  # earlier versions wrote fewer
    )
