"""The LabelPrior: P_s, P_t and importance weights, one row a source label, with a header of diagnostics. Pure."""

import dataclasses
import json

import numpy as np
import pyarrow as pa

FILE_NAME = "label_prior.parquet"
_HEADER = b"label_prior"


@dataclasses.dataclass(frozen=True)
class LabelPrior:
    """The priors of both sides over K source labels.

    Attributes:
      names: K label names, in the order of the vocabulary.
      counts: int64 [K], N_y, the (example, label) pairs of each label in the source's train split.
      target_prior: float64 [K], P_t as it was estimated; sums to 1.
      estimator: how P_t was estimated.
      temperature: what the logits were divided by.
      num_images: how many target images P_t comes from.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    target_prior: np.ndarray
    estimator: str
    temperature: float
    num_images: int

    def __post_init__(self):
        for name, column in (("counts", self.counts), ("target_prior", self.target_prior)):
            if column.shape != (len(self.names),):
                raise ValueError(f"{name}: shape {column.shape} for {len(self.names)} labels")
            if not np.isfinite(column).all() or (column < 0).any():
                raise ValueError(
                    f"{name}: holds {column[~(column >= 0)][:1]}; every entry must be finite and at least 0"
                )
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
        reachable = np.where(self.counts > 0, self.target_prior, 0.0)
        return reachable / reachable.sum()

    @property
    def weights(self) -> np.ndarray:
        """w(y) = P_t(y) / P_s(y) over the labels with N_y > 0, and 0 elsewhere; its mean under P_s is 1."""
        return np.divide(self.reachable_prior, self.source_prior, out=np.zeros(len(self.names)), where=self.counts > 0)

    def header(self) -> dict[str, float | int | str]:
        """Returns the settings and the diagnostics (natural logarithms)."""
        target, source = self.reachable_prior, self.source_prior
        seen = target > 0
        entropy = -float(np.sum(target[seen] * np.log(target[seen])))
        return {
            "estimator": self.estimator,
            "temperature": self.temperature,
            "num_images": self.num_images,
            "entropy": entropy,
            "effective_labels": float(np.exp(entropy)),
            "kl_target_source": float(np.sum(target[seen] * np.log(target[seen] / source[seen]))),
            "lost_mass": float(self.target_prior[self.counts == 0].sum()),
        }


def to_table(prior: LabelPrior) -> pa.Table:
    """Returns the table that `pandas.read_parquet` shows; the header is JSON in its schema's metadata."""
    columns = {
        "label": np.arange(len(prior.names), dtype=np.int32),
        "name": list(prior.names),
        "count": prior.counts.astype(np.int64),
        "source_prior": prior.source_prior,
        "target_prior": prior.target_prior,
        "importance_weight": prior.weights,
    }
    return pa.table(columns).replace_schema_metadata({_HEADER: json.dumps(prior.header())})


def from_table(table: pa.Table) -> LabelPrior:
    """Reads what `to_table` made."""
    header = json.loads(table.schema.metadata[_HEADER])
    return LabelPrior(
        names=tuple(table["name"].to_pylist()),
        counts=table["count"].to_numpy(),
        target_prior=table["target_prior"].to_numpy(),
        **{key: header[key] for key in ("estimator", "temperature", "num_images")},
    )
