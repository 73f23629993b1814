"""Sources of a few examples, written as the lists of their labels."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from components.artifacts import index
from components.importance_resampler.pairs import Pairs


@pytest.fixture(scope="session")
def make_pairs():
    def make(labels: Sequence[Sequence[int]], num_labels: int, ids: Sequence[int] | None = None) -> Pairs:
        """Returns the pairs of a source whose example i has `labels[i]` and the id `ids[i]`, by default i."""
        ids = range(len(labels)) if ids is None else ids
        rows = [row for row, own in enumerate(labels) for _ in own]
        return Pairs(
            rows=np.array(rows, np.int32),
            labels=np.array([label for own in labels for label in own], np.int32),
            keys=np.array([index.id_key(f"example {i}") for i in ids], np.uint64),
            num_labels=num_labels,
        )

    return make


@st.composite
def _sources(draw) -> tuple[list[list[int]], int]:
    num_labels = draw(st.integers(1, 6))
    # Only the even labels of some: the others then have no example.
    label = st.integers(0, num_labels - 1).map(lambda y: y - y % draw(st.sampled_from([1, 1, 2])))
    own = st.lists(label, min_size=1, max_size=draw(st.sampled_from([1, 3])), unique=True)
    return draw(st.lists(own, min_size=1, max_size=30)), num_labels


@pytest.fixture(scope="session")
def masses():
    def strategy(num_labels: int):
        """Non-negative masses of labels, some of them 0 and some tiny."""
        mass = st.one_of(st.just(0.0), st.floats(1e-12, 1e-6), st.floats(0.01, 1.0))
        return st.lists(mass, min_size=num_labels, max_size=num_labels).map(np.array)

    return strategy


@pytest.fixture(scope="session")
def sources():
    """Labels of the examples, and the size of the vocabulary; some examples have several labels, some labels none."""
    return _sources()
