import io
import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts import label_prior
from components.artifacts.label_prior import Assumption

ASSUMPTION = Assumption(
    np.array([7, 0, 3, 90]), np.array([1.2, np.nan, 2.5, 1.0]), np.array([False, False, True, False])
)


def prior(**changes) -> label_prior.LabelPrior:
    arguments = {
        "names": ("ten", "four, or so", "none", "six"),
        "counts": np.array([10, 4, 0, 6]),
        "target_prior": np.array([0.1, 0.6, 0.2, 0.1]),
        "estimator": "mean_prediction",
        "temperature": 2.0,
        "num_images": 100,
    }
    return label_prior.LabelPrior(**{**arguments, **changes})


EVERYTHING = {
    "estimator": "bbse",
    "temperature": 1 / 3,
    "temperature_fitted": True,
    "iterations": 12,
    "converged": False,
    "regularisation": 1e-7,
    "smoothing": 0.1,
    "floor": 0.001,
    "interval": (np.array([0.0, 0.5, 0.1, 0.0]), np.array([0.2, 0.7, 0.3, 1 / 7])),
    "replicates": 200,
    "level": 0.9,
    "seed": 3,
    "assumption": ASSUMPTION,
    "assumption_threshold": 1.5,
}


def in_a_file(written: label_prior.LabelPrior) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(label_prior.to_table(written), file)
    file.seek(0)
    return file


def test_another_order_of_the_labels():
    written = prior(**EVERYTHING)
    names = ("six", "ten", "none", "four, or so")
    found = label_prior.reorder(written, names)
    assert found.names == names
    assert found.counts.tolist() == [6, 10, 0, 4]
    assert found.target_prior.tolist() == [0.1, 0.1, 0.2, 0.6]
    assert [bound.tolist() for bound in found.interval] == [[0.0, 0.0, 0.1, 0.5], [1 / 7, 0.2, 0.3, 0.7]]
    assert found.assumption.target_images.tolist() == [90, 7, 3, 0]
    assert found.assumption.flagged.tolist() == [False, False, True, False]
    expected = dict(zip(written.names, written.weights, strict=True))
    assert dict(zip(names, found.weights, strict=True)) == pytest.approx(expected, rel=1e-12)
    assert found.header().keys() == written.header().keys()
    assert label_prior.reorder(written, list(written.names)) is written
    bare = label_prior.reorder(prior(), names)
    assert (bare.interval, bare.assumption) == (None, None)


def test_a_prior_of_other_labels():
    with pytest.raises(ValueError, match=r"^label_prior: its labels are not .*it lacks 1 \(\['five'\]\)"):
        label_prior.reorder(prior(), ("six", "ten", "none", "five"))


def test_weights_are_over_the_labels_that_can_be_drawn():
    # A fifth of P_t is on a label without examples; the rest is ⅛, ¾, ⅛ against ½, ⅕, 3/10.
    assert prior().source_prior == pytest.approx([0.5, 0.2, 0, 0.3], abs=1e-15)
    assert prior().reachable_prior == pytest.approx([0.125, 0.75, 0, 0.125], abs=1e-15)
    assert prior().weights == pytest.approx([0.25, 3.75, 0, 0.125 / 0.3], abs=1e-15)
    assert prior().weights @ prior().source_prior == pytest.approx(1, abs=1e-15)


def test_diagnostics():
    header = prior().header()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.125))
    assert header["entropy"] == pytest.approx(entropy, abs=1e-12)
    assert header["effective_labels"] == pytest.approx(math.exp(entropy), abs=1e-12)
    expected = 0.125 * math.log(0.25) + 0.75 * math.log(3.75) + 0.125 * math.log(0.125 / 0.3)
    assert header["kl_target_source"] == pytest.approx(expected, abs=1e-12)
    assert header["lost_mass"] == pytest.approx(0.2, abs=1e-15)


def test_no_shift_has_no_divergence():
    header = prior(target_prior=np.array([0.5, 0.2, 0.0, 0.3])).header()
    assert header["kl_target_source"] == pytest.approx(0, abs=1e-15)
    assert header["lost_mass"] == 0


@pytest.mark.parametrize("details", [{}, EVERYTHING], ids=["plain", "everything"])
def test_a_file_gives_back_exactly_what_was_written(details):
    written = prior(**details)
    read = label_prior.from_table(pq.read_table(in_a_file(written)))
    assert read.header() == written.header()
    assert read.names == written.names
    for name in ("counts", "target_prior", "weights", "reachable_prior"):
        assert np.array_equal(getattr(read, name), getattr(written, name))
    if not details:
        assert read.interval is None
        assert read.assumption is None
        return
    assert np.array_equal(read.interval, written.interval)
    assert np.array_equal(read.assumption.ratio, ASSUMPTION.ratio, equal_nan=True)
    assert np.array_equal(read.assumption.target_images, ASSUMPTION.target_images)
    assert np.array_equal(read.assumption.flagged, ASSUMPTION.flagged)
    assert read.assumption.flagged.dtype == bool


@given(st.integers(1, 2000), st.integers(0, 2**32))
def test_any_prior_comes_back_to_the_last_bit(labels, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, labels)
    counts[0] = 1
    written = label_prior.LabelPrior(
        names=tuple(map(str, range(labels))),
        counts=counts,
        target_prior=rng.dirichlet(np.full(labels, 0.3)) * 0.5 + 0.5 / labels,
        estimator="em",
        temperature=float(rng.gamma(1)) + 1e-9,
        num_images=3,
    )
    read = label_prior.from_table(label_prior.to_table(written))
    assert np.array_equal(read.target_prior, written.target_prior)
    assert read.header() == written.header()


def test_pandas_reads_it_in_one_line():
    frame = pd.read_parquet(in_a_file(prior(**EVERYTHING)))
    assert list(frame.columns) == [
        "label",
        "name",
        "count",
        "source_prior",
        "target_prior",
        "importance_weight",
        "target_prior_low",
        "target_prior_high",
        "target_images",
        "assumption_ratio",
        "assumption_flag",
    ]
    assert frame[frame.assumption_flag].name.tolist() == ["none"]
    assert frame.target_prior_high.tolist() == [0.2, 0.7, 0.3, 1 / 7]
    assert frame.label.tolist() == [0, 1, 2, 3]


def test_columns_without_content_are_left_out():
    assert pd.read_parquet(in_a_file(prior())).columns[-1] == "importance_weight"


def test_the_header_holds_the_settings():
    header = prior(**EVERYTHING).header()
    expected = {key: value for key, value in EVERYTHING.items() if key not in ("interval", "assumption")}
    assert {key: header[key] for key in expected} == expected
    assert header["num_images"] == 100
    assert header["activation"] == "softmax"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": np.array([1, 2, 3])}, r"counts: shape \(3,\) for 4 labels"),
        ({"counts": np.array([10, -4, 0, 6])}, "counts: .*-4"),
        ({"target_prior": np.array([0.5, 0.5])}, r"target_prior: shape \(2,\) for 4 labels"),
        ({"target_prior": np.array([0.5, 0.7, -0.2, 0.0])}, "target_prior: .*-0.2"),
        ({"target_prior": np.array([0.5, np.nan, 0.5, 0.0])}, "target_prior: .*nan"),
        ({"target_prior": np.array([0.5, 0.25, np.inf, 0.0])}, "target_prior: holds inf;"),
        ({"target_prior": np.array([0.5, 0.25, 0.0, 0.0])}, "target_prior: sums to 0.75"),
        ({"target_prior": np.array([0.0, 0.0, 1.0, 0.0])}, "target_prior: all of its mass"),
        ({"interval": (np.zeros(4), np.ones(3))}, r"interval high: shape \(3,\)"),
        ({"interval": (-np.ones(4), np.ones(4))}, "interval low: .*-1"),
    ],
)
def test_what_is_no_prior_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        prior(**changes)
