"""Samples of a train split by class: k shots of each, or a bootstrap replicate. Pure."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from components import hashing
from components.artifacts import plan
from components.splitmix import splitmix


def check(shots: int, replicate: bool) -> None:
    """Checks that the settings ask for a sample.

    Raises:
      ValueError: `shots` is negative, or neither is set.
    """
    if shots < 0:
        raise ValueError(f"shots: {shots}; give the number of images a class, or 0 for all")
    if not shots and not replicate:
        raise ValueError(
            "shots: 0 without replicate takes each image once, as a training without a plan does; set one of them, "
            "or leave the plan out"
        )


def draw_copies(
    labels: np.ndarray, keys: np.ndarray, num_labels: int, *, shots: int = 0, replicate: bool = False, seed: int = 0
) -> np.ndarray:
    """Returns how often each image is taken: int32 [images].

    The images of a class stand in the order of a hash of (seed, label, id), which does not depend on the order of the
    rows. The first `shots` of them are the sample: so, with one seed, a larger one contains a smaller one.

    A replicate draws as many as that from them, with replacement (Efron and Tibshirani 1993, chapter 6). It is
    stratified by class, since train splits have a given number of images a class: no class is lost from a split with
    few images. Its spread is that of the images of a class, not that of the classes' shares.

    Args:
      labels: int [images], each image's class.
      keys: uint64 [images], `index.id_key` of each image's id.
      num_labels: the number of classes.
      shots: images a class; a class that has fewer gives all. 0: all of each class.
      replicate: whether to draw with replacement.
      seed: another seed gives another sample.

    Raises:
      ValueError: see `check`.
    """
    check(shots, replicate)
    salts = hashing.label_salts(seed, num_labels)
    order = np.lexsort((hashing.hashes(keys, salts[labels]), labels))
    counts = np.bincount(labels, minlength=num_labels)
    sizes = np.minimum(counts, shots) if shots else counts
    # For each draw its class, and its place in the order of that class.
    of_class = np.repeat(np.arange(num_labels), sizes)
    place = np.arange(len(of_class)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    if replicate:
        random = hashing.hashes(place.astype(np.uint64), splitmix(salts)[of_class]) >> np.uint64(32)
        place = (random * sizes[of_class].astype(np.uint64) >> np.uint64(32)).astype(np.int64)
    first = np.cumsum(counts) - counts
    return np.bincount(order[first[of_class] + place], minlength=len(labels)).astype(np.int32)


def labels_table(
    labels: np.ndarray, copies: np.ndarray, names: Sequence[str], *, shots: int, replicate: bool, seed: int
) -> pa.Table:
    """Returns the ResamplePlan's table of labels, with a header.

    Its columns: label, name, count (the images of the class), quota (the number drawn), unique (the number of different
    images among them), repeats (the rest of the quota), capped (whether the class has fewer images than `shots`).

    The header holds the settings, the size of the sample, and the number of capped classes.

    Args:
      labels, copies: int [images], each image's class, and what `draw_copies` returned.
      names: of the classes.
    """
    counts = np.bincount(labels, minlength=len(names))
    quotas = np.bincount(labels, weights=copies, minlength=len(names)).astype(np.int64)
    unique = np.bincount(labels[copies > 0], minlength=len(names))
    capped = counts < shots
    columns = {
        "label": np.arange(len(names), dtype=np.int32),
        "name": list(names),
        "count": counts,
        "quota": quotas,
        "unique": unique,
        "repeats": quotas - unique,
        "capped": capped,
    }
    header = {
        "shots": shots,
        "replicate": replicate,
        "seed": seed,
        "examples": int(quotas.sum()),
        "unique_examples": int(unique.sum()),
        "max_copies": int(copies.max()),
        "capped_labels": int(capped.sum()),
    }
    return plan.with_header(pa.table(columns), header)
