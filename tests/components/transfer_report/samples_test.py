import dataclasses

import report_blocks

from components.transfer_report import block, samples


def test_the_sample_is_that_of_the_labels_that_are_shown():
    made = report_blocks.make_target()
    achieved = {
        "uniform": block.Achieved(distance_drawn=0.25, distance_source=0.5),
        "same_distribution": block.Achieved(distance_drawn=0.009, distance_source=0.418),
    }
    arm, text = samples.explain_sample(dataclasses.replace(made, achieved=achieved))
    assert arm == "same_distribution" and "0.90%" in text and "41.8%" in text
    arm, text = samples.explain_sample(dataclasses.replace(made, achieved=achieved, labels=None))
    assert arm == "uniform" and "25.0%" in text and "50.0%" in text


def test_without_a_distance_nothing_is_said():
    made = report_blocks.make_target()
    assert samples.explain_sample(dataclasses.replace(made, achieved={})) is None
    unknown = {"uniform": block.Achieved(distance_source=0.5)}
    assert samples.explain_sample(dataclasses.replace(made, achieved=unknown)) is None
