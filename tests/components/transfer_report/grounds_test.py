import dataclasses

import pytest
import report_blocks

from components.transfer_report import block, grounds


def test_the_data_are_in_numbers():
    made = report_blocks.make_block()
    target = made.targets["handwritten_digits"]
    source, told = grounds.describe_data(made, target)
    assert "76,500 images" in source and f"{made.source.labels} labels" in source
    assert all(part in told for part in ("handwritten_digits", "100 images", "400", "1,297", "10 classes"))
    unread = dataclasses.replace(made, source=None)
    assert grounds.describe_data(unread, target) == [told]
    assert grounds.describe_data(unread, dataclasses.replace(target, images={}, classes=())) == []


def _exclude(excluded: dict[str, int]) -> block.Block:
    made = report_blocks.make_block()
    return dataclasses.replace(made, source=dataclasses.replace(made.source, excluded=excluded))


def test_near_duplicates_that_were_found():
    assert "13 source images " in grounds.explain_duplicates(_exclude({"train": 12, "eval": 1}))
    assert "1 source image " in grounds.explain_duplicates(_exclude({"train": 1}))


def test_not_looked_for_is_not_the_same_as_none():
    texts = [grounds.explain_duplicates(_exclude(found)) for found in ({}, {"train": 0, "eval": 0}, {"train": 3})]
    assert len(set(texts)) == 3
    assert grounds.explain_duplicates(dataclasses.replace(_exclude({}), source=None)) == ""


@pytest.mark.parametrize(
    ("images", "others", "expected"),
    [(90, 100, False), (89, 100, True), (100, 89, True), (0, 5, True), (0, 0, False), (None, 5, False)],
)
def test_a_tenth_is_no_difference(images, others, expected):
    assert grounds.differs_in_budget(images, others) is expected


def _set_arm(target: block.Target, name: str, **changes) -> block.Target:
    arms = [dataclasses.replace(arm, **changes) if arm.name == name else arm for arm in target.arms]
    return dataclasses.replace(target, arms=arms)


def test_budgets_are_told_where_they_differ():
    target = report_blocks.make_target()
    (told,) = grounds.explain_budget(target)
    for part in ("230,400", "192,000", "3.8 passes over a sample of 10,000", "38,400", "0.5 passes over 76,488"):
        assert part in told
    assert grounds.explain_budget(_set_arm(target, "same_distribution", total_images=38_400)) == []
    assert grounds.explain_budget(_set_arm(target, "same_distribution", total_images=None)) == []
    assert grounds.explain_budget(dataclasses.replace(target, arms=target.arms[3:])) == []
    (told,) = grounds.explain_budget(_set_arm(target, "entire_source", images=0, total_images=0))
    assert "entire_source was not pre-trained" in told


def test_why_a_model_was_pushed():
    target = report_blocks.make_target()

    def explain(**changes) -> str:
        criterion = block.Criterion("accuracy", 0.8, 0.9625, True)
        verdict = dataclasses.replace(target.verdict, **{"criterion": criterion, **changes})
        return grounds.explain_push(dataclasses.replace(target, verdict=verdict))

    told = explain()
    for part in ("`targets.handwritten_digits.push`", "the best on eval", "+1.5", "400 eval images", "96.2%", "80.0%"):
        assert part in told
    assert "not the best" not in told
    assert "not the best on eval: same_distribution is by +1.5 points" in explain(pushed_arm="entire_source")
    assert explain(pushed_arm=None, pushed=False, criterion=None) == ""
    failed = block.Criterion("f1_macro", 0.97, None, False)
    told = explain(pushed=False, served=None, criterion=failed)
    assert "did not pass" in told and "97.0%" in told
    unknown = dataclasses.replace(failed, passed=None)
    assert "97.0%" not in explain(pushed=False, served=None, criterion=unknown)
