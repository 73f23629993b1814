import dataclasses

import pytest
import report_blocks

from components.transfer_report import block, claims


def _make_pair(verdict: str, difference: float, *, best: str = "same_distribution") -> block.Target:
    """Returns a target with the reference and another arm, which is `difference` better."""
    target = report_blocks.make_target()
    arms = [
        block.Arm("entire_source", reference=True, seeds=[1, 2], values=[0.5, 0.75], mean=0.625, eval_mean=0.6),
        block.Arm(
            "same_distribution",
            seeds=[1, 2],
            values=[0.5, 0.75],
            mean=0.625 + difference,
            eval_mean=0.6 + difference,
            difference=difference,
            difference_low=difference - 0.01,
            difference_high=difference + 0.02,
            verdict=verdict,
            in_words="about 4 more seeds would",
        ),
    ]
    return dataclasses.replace(target, arms=arms, verdict=block.Verdict(best))


@pytest.mark.parametrize(
    ("verdict", "difference", "best", "tone", "shown"),
    [
        ("better", 0.03, "same_distribution", "sure", ["65.5%", "3.0", "more"]),
        ("cannot tell", 0.03, "same_distribution", "unsure", ["65.5%", "3.0", "more"]),
        ("equal", -0.002, "same_distribution", "sure", ["62.3%", "0.2", "less"]),
        ("worse", -0.03, "same_distribution", "sure", ["59.5%", "3.0", "less"]),
        ("worse", -0.03, "entire_source", "sure", ["62.5%", "3.0", "more"]),
        ("cannot tell", -0.03, "entire_source", "unsure", ["62.5%", "3.0", "more"]),
        ("better", 0.03, "entire_source", "sure", ["62.5%", "3.0", "less"]),
    ],
)
def test_headline(verdict, difference, best, tone, shown):
    found = claims.make_headline(_make_pair(verdict, difference, best=best))
    assert (found.arm, found.value, found.tone) == (best, shown[0], tone)
    assert f"{shown[1]} points {shown[2]} than" in found.rest


def test_headline_of_a_reference_turns_the_verdict():
    won = claims.make_headline(_make_pair("worse", -0.03, best="entire_source"))
    lost = claims.make_headline(_make_pair("better", 0.03, best="entire_source"))
    assert won.claim == claims.make_headline(_make_pair("better", 0.03)).claim
    assert lost.claim == claims.make_headline(_make_pair("worse", -0.03)).claim


def test_headline_without_results():
    target = dataclasses.replace(report_blocks.make_target(), arms=[block.Arm("one")], verdict=block.Verdict(None))
    assert claims.make_headline(target).tone == "none"
    assert claims.explain_certainty(report_blocks.make_block(target), target)
    assert claims.explain_cost(target)


def test_headline_of_one_arm_compares_nothing():
    target = report_blocks.make_target()
    alone = dataclasses.replace(target, arms=target.arms[3:])
    found = claims.make_headline(alone)
    assert (found.arm, found.tone) == ("same_distribution", "unsure") and "than" not in found.rest


def test_certainty_has_the_interval_and_its_basis():
    target = _make_pair("better", 0.03)
    text = " ".join(claims.explain_certainty(report_blocks.make_block(target), target))
    assert "+2.0 to +5.0" in text and "2 seeds" in text and "1,297 test images" in text and "95%" in text
    target = _make_pair("worse", -0.03, best="entire_source")
    assert "+1.0 to +4.0" in " ".join(claims.explain_certainty(report_blocks.make_block(target), target))


def test_certainty_says_what_would_tell():
    target = _make_pair("cannot tell", 0.03)
    assert claims.explain_certainty(report_blocks.make_block(target), target)[-1] == "about 4 more seeds would."


def test_cost_is_that_of_the_best_arm():
    text = " ".join(claims.explain_cost(report_blocks.make_target()))
    assert "230,400" in text and "192,000" in text and "6.0 times" in text and "3 min 22 s" in text
    free = dataclasses.replace(report_blocks.make_target(), verdict=block.Verdict("random_init"))
    assert not any("images" in text for text in claims.explain_cost(free))
    assert any("1 min 2 s" in text for text in claims.explain_cost(free))


def test_time_is_split_and_beside_that_of_the_reference():
    target = report_blocks.make_target()
    text = " ".join(claims.explain_cost(target))
    assert all(part in text for part in ("3.3 times", "(1 min 2 s)", "classifier 2 min 20 s", "fine-tuning 1 min 2 s"))
    unknown = [dataclasses.replace(arm, seconds=None) for arm in target.arms]
    unknown[1] = dataclasses.replace(unknown[1], total_seconds=None)
    text = " ".join(claims.explain_cost(dataclasses.replace(target, arms=unknown)))
    assert "3 min 22 s" in text and "3.3" not in text and "2 min 20 s" not in text


@pytest.mark.parametrize(
    ("best", "shown"),
    [
        ("same_distribution", ["+3.0 points: 39 more", "(50 right only", "11 only", "+1.0 to +5.0"]),
        ("entire_source", ["−3.0 points: 39 fewer", "(11 right only", "50 only", "−5.0 to −1.0"]),
    ],
)
def test_images_alone_say_something_of_one_seed(best, shown):
    target = _make_pair("", 0.03, best=best)
    paired = {"gained": 50, "lost": 11, "images_low": 0.01, "images_high": 0.05}
    unknown = {"difference": None, "difference_low": None, "difference_high": None, "in_words": ""}
    arms = [dataclasses.replace(arm, seeds=[1], values=[0.5]) for arm in target.arms]
    target = dataclasses.replace(target, arms=[arms[0], dataclasses.replace(arms[1], **paired, **unknown)])
    text = " ".join(claims.explain_certainty(report_blocks.make_block(target), target))
    assert all(part in text for part in shown) and "1,297 test images" in text and "95%" in text
    assert claims.make_headline(target).tone == "unsure"  # other seeds may say otherwise
    lost = dataclasses.replace(target, arms=[arms[0], dataclasses.replace(arms[1], **unknown)])
    assert "not kept" in " ".join(claims.explain_certainty(report_blocks.make_block(lost), lost))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"images": 38_400, "pool": 10_000, "pool_kind": "sample"},
            "38,400 images seen, 3.8 passes over a sample of 10,000",
        ),
        (
            {"images": 38_400, "pool": 76_419, "pool_kind": "source"},
            "38,400 images seen, 0.5 passes over 76,419 images",
        ),
        ({"images": 38_400, "pool_kind": "source"}, "38,400 images seen"),
        ({"images": 0}, "none of its own"),
        ({}, "–"),
    ],
)
def test_passes_of_a_pretraining(fields, expected):
    assert claims.describe_pretraining(block.Arm("a", **fields)) == expected


def test_cost_of_the_classifier_alone():
    target = report_blocks.make_target()
    arms = [*target.arms[:3], dataclasses.replace(target.arms[3], images=0, total_images=192_000)]
    text = " ".join(claims.explain_cost(dataclasses.replace(target, arms=arms)))
    assert "192,000" in text and "5.0 times" in text and "no pre-training" in text
    free = [*target.arms[:3], dataclasses.replace(target.arms[3], total_images=38_400, total_seconds=None)]
    text = " ".join(claims.explain_cost(dataclasses.replace(target, arms=free)))
    assert "lassifier" not in text and "took" not in text


def _say(target: block.Target) -> str:
    return " ".join(claims.explain_certainty(report_blocks.make_block(target), target))


def test_an_interval_on_one_side_of_0_that_does_not_tell():
    target = _make_pair("cannot tell", 0.03)  # its p is adjusted for the arms
    apart = "The interval lies on one side of 0"
    assert apart in _say(target) and "not chance" not in _say(target)
    arms = [target.arms[0], dataclasses.replace(target.arms[1], difference_low=-0.01)]
    assert apart not in _say(dataclasses.replace(target, arms=arms))


def test_what_would_tell_names_the_arm_that_is_not_the_reference():
    target = _make_pair("cannot tell", -0.03, best="entire_source")
    assert claims.explain_certainty(report_blocks.make_block(target), target)[-1].startswith("same_distribution: ")


def test_an_arm_that_leads_on_eval_only_does_not_lead():
    leads, lags = (claims.make_headline(_make_pair("cannot tell", difference)) for difference in (0.03, -0.03))
    assert "eval" in lags.claim and "eval" not in leads.claim and lags.tone == "unsure"


def test_arms_without_a_reference_are_not_alone():
    target = report_blocks.make_target(seeds=1)
    arms = [dataclasses.replace(arm, difference=None, gained=None, images_low=None) for arm in target.arms]
    target = dataclasses.replace(target, arms=arms)
    lacks = dataclasses.replace(target, arms=[target.arms[0], target.arms[3]])
    alone = dataclasses.replace(target, arms=[target.arms[3]])
    assert claims.make_headline(lacks).rest != claims.make_headline(alone).rest
    assert _say(lacks) != _say(alone)


def test_arms_without_a_common_seed():
    target = _make_pair("", 0.03)
    unknown = {"seeds": [7, 8], "difference": None, "difference_low": None, "difference_high": None}
    target = dataclasses.replace(target, arms=[target.arms[0], dataclasses.replace(target.arms[1], **unknown)])
    assert "no seed in common" in _say(target)
