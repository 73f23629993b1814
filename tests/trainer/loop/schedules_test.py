import math

import keras
import pytest

from trainer.loop.schedules import RampThenCosine


@pytest.mark.parametrize(
    ("step", "share_of_the_peak"),
    [
        (0, 0.0),
        (5, 0.5),
        (10, 1.0),
        (35, (1 + math.cos(math.pi / 4)) / 2),
        (60, 0.5),
        (85, (1 - math.cos(math.pi / 4)) / 2),
        (110, 0.0),
        (200, 0.0),
    ],
    ids=["start", "in the ramp", "peak", "quarter", "half", "three quarters", "end", "past the end"],
)
def test_ramp_of_10_steps_then_cosine_over_100(step, share_of_the_peak):
    schedule = RampThenCosine(0.4, ramp_steps=10, steps=110)
    assert float(schedule(step)) == pytest.approx(0.4 * share_of_the_peak, abs=1e-7)


def test_without_a_ramp_the_first_step_has_the_peak():
    schedule = RampThenCosine(0.4, ramp_steps=0, steps=3)
    assert [float(schedule(step)) for step in range(3)] == pytest.approx([0.4, 0.3, 0.1], abs=1e-7)


@pytest.mark.parametrize("ramp_steps", [-1, 7, 8])
def test_a_ramp_that_leaves_nothing_to_decay_is_refused(ramp_steps):
    with pytest.raises(ValueError, match=f"ramp_steps: {ramp_steps}; .* below steps, 7"):
        RampThenCosine(0.4, ramp_steps=ramp_steps, steps=7)


def test_it_survives_serialisation():
    config = keras.saving.serialize_keras_object(RampThenCosine(0.4, ramp_steps=10, steps=110))
    assert float(keras.saving.deserialize_keras_object(config)(60)) == pytest.approx(0.2, abs=1e-7)
