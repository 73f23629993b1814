"""What a model's outputs for some images say about the settings."""

import numpy as np
import pytest

from trainer.model_import import conversions


@pytest.mark.parametrize(
    ("values", "loss", "message"),
    [
        (
            [[0.1, 0.9, 0.7], [0.0, 0.2, 0.4]],
            "sigmoid",
            "^output: 'logits', but those of 'm' are all from 0 to 1; ",
        ),
        (
            [[0.1, 0.2, 0.7], [0.0, 0.6, 0.4]],
            "softmax",
            "^output: 'logits', but those of 'm' sum to 1; set ",
        ),
    ],
)
def test_probabilities_are_no_logits(values, loss, message):
    with pytest.raises(ValueError, match=message):
        conversions.check_outputs(np.array(values), "logits", loss, "m")
    conversions.check_outputs(np.array(values), "probabilities", loss, "m")


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_logits_may_be_anything(loss):
    conversions.check_outputs(np.array([[0.1, 0.9, -0.7], [3.0, 0.2, 0.4]]), "logits", loss, "m")
