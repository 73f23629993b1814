"""Learning-rate schedules."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("specialist")
class RampThenCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 to `peak` over `ramp_steps`, then a half cosine down to 0 at `steps`.

    Raises:
      ValueError: `ramp_steps` is not within 0..steps-1.
    """

    def __init__(self, peak: float, ramp_steps: int, steps: int):
        super().__init__()
        if not 0 <= ramp_steps < steps:
            raise ValueError(f"ramp_steps: {ramp_steps}; must be at least 0 and below steps, {steps}")
        self.peak, self.ramp_steps, self.steps = peak, ramp_steps, steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        ramp = step / max(1, self.ramp_steps)
        done = (step - self.ramp_steps) / (self.steps - self.ramp_steps)
        cosine = 0.5 * (1 + ops.cos(math.pi * ops.clip(done, 0, 1)))
        return self.peak * ops.where(step < self.ramp_steps, ramp, cosine)

    def get_config(self):
        return {"peak": self.peak, "ramp_steps": self.ramp_steps, "steps": self.steps}
