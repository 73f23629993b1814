"""The figures of a comparison: the values, and what is drawn of them."""

import csv
import importlib.util
import io
import math

import numpy as np
import pytest
from PIL import Image

from components.artifacts.label_prior import LabelPrior
from pipeline.compare import arms, figures, plots

PRIOR = LabelPrior(
    ("ape", "$bat$", "cat", "dog"),
    np.array([10, 40, 50, 0]),
    np.array([0.3, 0.2, 0.4, 0.1]),
    "mean_prediction",
    2.0,
    7,
    interval=(np.array([0.15, 0.1, 0.3, 0.0]), np.array([0.6, 0.3, 0.5, 0.2])),
)


def make_sizes(make_result, **fields):
    """Returns results of both matchers at two sizes, and of the whole source, with two seeds."""
    values = {("same_distribution", 2_000): 0.8, ("same_distribution", 500): 0.6, ("elastic_distribution", 500): 0.7}
    results = [make_result("entire_source", 0.5 + seed / 10, seed=seed, **fields) for seed in (0, 1)]
    for (matcher, n), value in values.items():
        for seed in (0, 1):
            name = f"{matcher}-{n}"
            results.append(make_result(name, value + seed / 10, seed=seed, matcher=matcher, n=n, **fields))
    return results


def get(records, *keys, **where):
    found = [record for record in records if all(record.get(key) == value for key, value in where.items())]
    return [tuple(record.get(key) for key in keys) for record in found]


def test_importance_has_the_largest_weights_with_their_intervals():
    figure = figures.show_importance({"pets": PRIOR, "cars": PRIOR}, labels=2)
    # w = P_t / P_s, with P_t renormalised over the labels that the source has: 0.3 / 0.9 / 0.1 for the first.
    assert get(figure.records, "target", "label", "count") == [
        ("pets", "ape", 10),
        ("pets", "cat", 50),
        ("cars", "ape", 10),
        ("cars", "cat", 50),
    ]
    record = figure.records[0]
    assert record["weight"] == pytest.approx(0.3 / 0.9 / 0.1)
    assert (record["low"], record["high"]) == pytest.approx((0.15 / 0.9 / 0.1, 0.6 / 0.9 / 0.1))
    assert (record["target_prior"], record["source_prior"]) == (0.3, 0.1)


def test_matchers_have_the_sizes_at_hand_and_the_published_ones(make_result):
    figure = figures.make_figure("matchers", make_sizes(make_result))
    at_hand = get(figure.records, "series", "n", "value", "seeds", origin="at hand")
    assert [record[:2] + record[3:] for record in at_hand] == [
        ("elastic_distribution", 500, 2),
        ("entire_source", None, 2),
        ("same_distribution", 500, 2),
        ("same_distribution", 2_000, 2),
    ]
    assert [record[2] for record in at_hand] == pytest.approx([75, 55, 65, 85])
    half_width = 100 * arms.find_half_width([0.8, 0.9])
    ((low, high),) = get(figure.records, "low", "high", n=2_000)
    assert (low, high) == pytest.approx((85 - half_width, 85 + half_width))
    published = get(figure.records, "n", "value", origin="published (JFT)", series="same_distribution", target="pets")
    assert published[-1] == (80_000_000, 97.0)
    assert get(figure.records, "value", origin="published (JFT)", series="entire_source", target="cars") == [(94.0,)]


def test_matchers_with_other_settings_are_another_series(make_result):
    results = make_sizes(make_result)
    results += [
        make_result("t1", seed=seed, matcher="same_distribution", n=500, settings='{"temperature": 1.0}')
        for seed in (0, 1)
    ]
    results += [make_result("warm_start", seed=seed, matcher="same_distribution", n=900) for seed in (0, 1)]
    figure = figures.show_matchers(results)
    assert get(figure.records, "arm", "n", series='same_distribution {"temperature": 1.0}') == [("t1", 500)]
    assert not get(figure.records, "n", n=900)


def test_shots_ascend_and_all_come_last(make_result):
    results = [
        make_result(arm, value + (shots or 20) / 100, target=target, shots=shots)
        for target in ("digits", "pets")
        for shots in (None, 10, 5)
        for arm, value in (("entire_source", 0.4), ("same_distribution", 0.5))
    ]
    figure = figures.make_figure("shots", results[:-1])
    found = get(figure.records, "arm", "shots", target="digits")
    assert found == [
        ("entire_source", 5),
        ("same_distribution", 5),
        ("entire_source", 10),
        ("same_distribution", 10),
        ("entire_source", "all"),
        ("same_distribution", "all"),
    ]
    assert [value for (value,) in get(figure.records, "value", arm="same_distribution", target="pets")] == (
        pytest.approx([60, 70])
    )


def test_budget_counts_the_classifier(make_result):
    figure = figures.make_figure("budget", [make_result(arm) for arm in ("random_init", "warm_start")])
    assert get(figure.records, "arm", "images", "total_images") == [
        ("random_init", 0, 0),
        ("warm_start", 38_400, 230_400),
    ]


@pytest.mark.parametrize("name", figures.NAMES)
def test_files_are_a_picture_a_drawing_and_the_values(make_result, tmp_path, name):
    results = [*make_sizes(make_result), *make_sizes(make_result, shots=5)]
    figure = figures.make_figure(name, results, {"digits": PRIOR})
    paths = figures.write(tmp_path / "new", figure)
    assert [path.name for path in paths] == [f"figure_{name}.png", f"figure_{name}.svg", f"figure_{name}.csv"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)
    with Image.open(paths[0]) as image:
        assert image.format == "PNG"
        assert min(image.size) > 400
        assert len(image.convert("L").getcolors()) > 20  # something is drawn
    rows = list(csv.DictReader(io.StringIO(paths[2].read_text())))
    assert list(rows[0]) == list(figure.columns)
    assert len(rows) == len(figure.records)
    before = paths[1].read_bytes()
    figures.write(tmp_path / "new", figure)
    assert paths[1].read_bytes() == before


def test_a_label_that_looks_like_a_formula_is_drawn_as_it_is():
    (panel,) = figures.show_importance({"pets": PRIOR}).draw().axes
    assert [label.get_text() for label in panel.get_yticklabels()] == ["ape", "cat", "$bat$", "dog"]
    assert not any(label.get_parse_math() for label in panel.get_yticklabels())
    assert [bar.get_width() for bar in panel.patches] == pytest.approx([3.333, 0.889, 0.556, 0], abs=1e-3)


def test_published_curves_have_panels_of_their_own(make_result):
    drawn = figures.show_matchers(make_sizes(make_result)).draw()
    titles = [panel.get_title(loc="left") for panel in drawn.axes]
    assert titles == ["digits", *(f"published (JFT): {name}" for name in ("birdsnap", "cifar10", "aircraft"))] + [
        f"published (JFT): {name}" for name in ("food101", "pets", "cars")
    ]
    assert drawn.axes[0].get_xticks().tolist() == [500, 2_000]
    (same,) = (part for part in drawn.axes[0].containers if part.get_label() == "same_distribution")
    assert same.lines[0].get_xydata().tolist() == [[500, pytest.approx(65)], [2_000, pytest.approx(85)]]
    assert "bars: 95% intervals over seeds" in drawn.get_suptitle()


def test_without_intervals_no_bars_are_promised(make_result):
    drawn = figures.show_budget([make_result("random_init"), make_result("entire_source")]).draw()
    assert drawn.get_suptitle() == "Accuracy against the budget\ndotted: the classifier's part"
    assert not any(part.has_yerr for part in drawn.axes[0].containers)


def test_marks_lie_within_the_limits(make_result):
    values = {"random_init": (0.1, 0.2), "entire_source": (0.6, 0.7), "same_distribution": (0.8, 0.95)}
    results = [
        make_result(arm, value, seed=seed, shots=shots)
        for arm, of in values.items()
        for seed, value in enumerate(of)
        for shots in (5, None)
    ]
    for name in ("shots", "budget"):
        figure = figures.make_figure(name, results)
        (panel,) = figure.draw().axes
        low, high = panel.get_ylim()
        assert low < min(record["low"] for record in figure.records)
        assert high > max(record["high"] for record in figure.records)


def test_every_arm_looks_different():
    names = ["same_distribution", "a", "random_init", "b", "emd_subset", "c", "warm_start", "d", "e", "f"]
    styles = plots._choose_styles(names)
    assert list(sorted(styles)) == sorted(names)
    assert len(set(styles.values())) == len(names)
    assert {styles["same_distribution"][0], styles["random_init"][0]}.isdisjoint(styles[name][0] for name in "abcdef")


def test_budgets_far_apart_have_a_logarithmic_axis(make_result):
    results = [make_result("random_init"), make_result("entire_source"), make_result("long", images=50_000_000)]
    (panel,) = figures.show_budget(results).draw().axes
    assert panel.get_xscale() == "symlog"
    assert panel.get_xticks().tolist() == [0, 10_000, 100_000, 1_000_000, 10_000_000]
    (panel,) = figures.show_budget(results[:2]).draw().axes
    assert panel.get_xscale() == "linear"


@pytest.mark.parametrize(
    ("name", "arms_at_hand", "message"),
    [
        ("importance", ["entire_source"], r"not at hand: run `specialist compare … --arms same_distribution`"),
        ("matchers", ["same_distribution", "elastic_distribution"], "not at hand: run `.*` with arms of same_dist"),
        (
            "shots",
            ["same_distribution", "entire_source"],
            r"not at hand: run `specialist compare … --set compare.shots=",
        ),
        ("budget", ["same_distribution"], r"not at hand: run `specialist compare … --arms entire_source,same_d"),
        ("budget", [], r"not at hand: run `specialist compare` first"),
        ("budgets", [], r"'budgets'; must be one of importance, matchers, shots, budget \(did you mean budget\?\)"),
    ],
)
def test_what_is_not_at_hand_says_how_to_get_it(make_result, name, arms_at_hand, message):
    with pytest.raises(ValueError, match=rf"figure.*{message}"):
        figures.make_figure(name, [make_result(arm) for arm in arms_at_hand])


def test_a_missing_package_is_named(make_result, monkeypatch, tmp_path):
    figure = figures.show_budget([make_result("random_init"), make_result("entire_source")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"matplotlib: not installed; pip install 'specialist\[figures\]'"):
        figures.write(tmp_path, figure)


def test_one_seed_has_no_interval(make_result):
    figure = figures.show_budget([make_result("random_init"), make_result("entire_source")])
    assert all(math.isnan(record["low"]) for record in figure.records)
    assert next(csv.DictReader(io.StringIO(figure.to_csv())))["low"] == ""
