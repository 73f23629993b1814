"""Choosing source labels by the earth mover's distance of class means (Cui et al. 2018, arXiv 1806.06193). Pure."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse
import scipy.spatial.distance

from components import extras
from components.artifacts import index, predictions
from components.importance_resampler import quotas
from components.importance_resampler.matchers import whole_labels
from components.importance_resampler.matchers.explanation import Draw, Drawn
from components.importance_resampler.matchers.matcher import Inputs, Matcher, Predicted, Sample, require
from components.importance_resampler.pairs import Pairs

# The paper's γ: a scale for distances of 2,048 features of a ResNet-101.
_GAMMA = 0.01


class EmdSubset(Matcher):
    """Takes the n examples of the labels whose mean embeddings are nearest to those of the target's classes."""

    needs = ("source_predictions", "target_predictions", "target_index")

    def check(self, n: int) -> None:
        """See `Matcher.check`.

        Raises:
          ModuleNotFoundError: the package POT is missing.
        """
        extras.require("emd", "ot")  # now, not after the classifier has been trained
        super().check(n)

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `emd_subset`."""
        source = _read_means(require(inputs.source, "source"), inputs.pairs.num_labels)
        target = _read_means(require(inputs.target, "target"))
        return emd_subset(inputs.pairs, source, target, n=n, seed=seed)

    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """See `Matcher.explain`."""
        return whole_labels.explain_draw(drawn, row)


@dataclasses.dataclass(frozen=True)
class ClassMeans:
    """The mean embedding of each class.

    Attributes:
      means: float64 [classes, dimensions]; zeros where a class has no example.
      counts: int64 [classes], number of examples of each mean.
    """

    means: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_pairs(cls, embeddings: np.ndarray, rows: np.ndarray, labels: np.ndarray, num_labels: int) -> "ClassMeans":
        """Returns the means of `embeddings`, [examples, dimensions], over (example, label) pairs.

        Args:
          rows, labels: int [pairs].
          num_labels: how many classes there are.
        """
        counts = np.bincount(labels, minlength=num_labels)
        membership = scipy.sparse.csr_matrix((np.ones(len(labels)), (labels, rows)), (num_labels, len(embeddings)))
        sums = membership @ embeddings.astype(np.float64)
        return cls(means=sums / np.maximum(counts, 1)[:, np.newaxis], counts=counts)

    def __post_init__(self) -> None:
        if self.means.ndim != 2 or len(self.means) != len(self.counts):
            raise ValueError(f"means: shape {self.means.shape} for {len(self.counts)} classes")
        if not np.isfinite(self.means).all():
            raise ValueError("means: an embedding is not finite; the network has diverged")
        if not self.counts.sum() > 0:
            raise ValueError("counts: no class has an example")


def emd_subset(pairs: Pairs, source: ClassMeans, target: ClassMeans, *, n: int, seed: int) -> Sample:
    """Takes whole labels nearest to the target's classes until there are n examples (Cui et al. 2018, section 4).

    The order of the labels is `greedy_order`. The last one is taken in part; a hash decides which examples. Labels
    without a mean embedding are never taken. The figures hold the earth mover's distance from the target to the sample
    and to the whole source (only labels with a mean embedding), and the domain similarities that follow from them.

    Args:
      source: mean embeddings of the source labels, in the order of the vocabulary.
      target: mean embeddings of the target's classes, from the same network.
      n: how many examples, at least 1.
      seed: decides which examples of the last label are taken.

    Raises:
      ValueError: n < 1; the shapes do not fit; no label with examples has a mean embedding.
    """
    quotas.check_n(n)
    if len(source.counts) != pairs.num_labels:
        raise ValueError(
            f"source: mean embeddings of {len(source.counts)} labels, but the source has {pairs.num_labels}"
        )
    known = np.flatnonzero((source.counts > 0) & (pairs.counts > 0))
    if not len(known):
        raise ValueError("source: no label with examples in the train split has a mean embedding")
    between = distances(source, target)
    order = known[greedy_order(between[np.ix_(target.counts > 0, known)])]
    sample = whole_labels.take_labels(pairs, order, n, seed)
    figures: dict[str, float | int] = {
        "labels_without_embedding": int(np.count_nonzero((pairs.counts > 0) & (source.counts == 0)))
    }
    for name, masses in (("sample", sample.quotas), ("source", np.where(source.counts > 0, pairs.counts, 0))):
        figures[f"emd_{name}"] = earth_movers_distance(target.counts, masses, between)
        figures[f"similarity_{name}"] = similarity(figures[f"emd_{name}"])
    return dataclasses.replace(sample, figures=figures)


def class_means(
    source_ids: pa.ChunkedArray, embeddings: np.ndarray, index_table: pa.Table, num_labels: int | None = None
) -> ClassMeans:
    """Returns the mean of `embeddings`, [examples, dimensions], of each label, with the labels of an index.

    Args:
      source_ids: the ids of the embeddings' examples, in any order; the index may have more.
      index_table: the index, with the columns source_id and labels.
      num_labels: how many classes there are; None: up to the largest label of the index.

    Raises:
      ValueError: the index lacks one of the ids; a label is outside 0..num_labels-1.
    """
    rows = pc.index_in(source_ids, value_set=index_table["source_id"].combine_chunks())
    if rows.null_count:
        unknown = source_ids.filter(pc.is_null(rows))[0].as_py()
        raise ValueError(
            f"predictions: {rows.null_count} of {len(source_ids)} ids are not in the index, such as {unknown!r}; "
            "they must be of the same split of the same data set"
        )
    if num_labels is None:
        num_labels = 1 + pc.max(pc.list_flatten(index_table["labels"])).as_py()
    examples, labels = index.label_pairs(index_table["labels"].take(rows), num_labels)
    return ClassMeans.of_pairs(embeddings, examples, labels, num_labels)


def distances(source: ClassMeans, target: ClassMeans) -> np.ndarray:
    """Returns float64 [target classes, source classes]: Euclidean distances of the means.

    Raises:
      ValueError: the embeddings have different numbers of dimensions.
    """
    if source.means.shape[1] != target.means.shape[1]:
        raise ValueError(
            f"target: embeddings of {target.means.shape[1]} dimensions, the source's have {source.means.shape[1]}; "
            "both must come from the same network"
        )
    return scipy.spatial.distance.cdist(target.means, source.means)


def greedy_order(distances: np.ndarray) -> np.ndarray:
    """Returns int64 [source classes]: all of them in the order of the paper's greedy choice (section 4.2).

    In rounds, each target class in turn takes its nearest source class that is not taken yet.

    Args:
      distances: float [target classes, source classes].
    """
    remaining = np.array(distances)
    order = np.empty(remaining.shape[1], np.int64)
    for position in range(len(order)):
        order[position] = remaining[position % len(remaining)].argmin()
        remaining[:, order[position]] = np.inf
    return order


def earth_movers_distance(target_masses: np.ndarray, source_masses: np.ndarray, distances: np.ndarray) -> float:
    """Returns the least mean distance by which the mass of the target's classes becomes that of the source's (4.1).

    Args:
      target_masses, source_masses: [target classes], [source classes], at least 0; scaled to the same sum.
      distances: float [target classes, source classes].

    Raises:
      ModuleNotFoundError: the package POT is missing.
    """
    extras.require("emd", "ot")
    import ot  # loads TensorFlow where that is installed

    rows, columns = np.flatnonzero(target_masses), np.flatnonzero(source_masses)
    target, source = target_masses[rows].astype(np.float64), source_masses[columns].astype(np.float64)
    distances = np.ascontiguousarray(distances[np.ix_(rows, columns)])
    return float(ot.emd2(target / target.sum(), source / source.sum(), distances, numItermax=10_000_000))


def similarity(distance: float) -> float:
    """Returns the paper's domain similarity, exp(−0.01 · earth mover's distance), between 0 and 1 (section 4.1)."""
    return float(np.exp(-_GAMMA * distance))


def _read_means(images: Predicted, num_labels: int | None = None) -> ClassMeans:
    table = images.predictions
    return class_means(table["source_id"], predictions.embeddings_of(table), images.index, num_labels)
