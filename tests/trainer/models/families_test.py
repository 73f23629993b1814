"""The smallest network of each family is pre-trained, saved, loaded and fine-tuned."""

import keras
import numpy as np
import pytest

from trainer.models import classifier
from trainer.models.registry import SPECS

# By family the smallest.
NAMES = (
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "nasnet_mobile",
    "resnet50",
    "resnet50_v2",
    "vgg16",
    "xception",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_pre_training_saving_and_fine_tuning(trainings, name):
    image = {"size": SPECS[name].min_size, "channels": 1}
    recipe = trainings.recipe(steps=2, learning_rate=0.01, clip_norm=1.0, evaluate=None)
    source = trainings.data("source", ("alpha", "beta", "gamma"), {"train": 8, "eval": 2})
    target = trainings.data("target", ("nul", "één"), {"train": 4, "eval": 2})
    # What is served is made of any network alike; to trace it would take most of the time.
    settings = {"image": image, "recipe": recipe, "formats": ["keras"], "evaluation_splits": []}
    specialist = trainings("pretrain", f"{name}-specialist", source, backbone={"name": name}, **settings)
    model = trainings("finetune", f"{name}-model", {**target, **trainings.base(specialist)}, **settings)

    before, after = (classifier.backbone_of(trainings.load(path)) for path in (specialist, model))
    assert after.output_shape == (None, SPECS[name].application.width)
    moved = [
        np.abs(a.numpy() - b.numpy()).max()
        for a, b in zip(before.trainable_variables, after.trainable_variables, strict=True)
    ]
    assert 0 < max(moved) < 0.1  # from where the pre-training ended: gradients have a norm of at most 1
    assert np.mean(np.asarray(moved) > 0) > 0.5  # ConvNeXt begins with blocks that add a millionth
    assert all(np.isfinite(values).all() for values in after.get_weights())
    keras.backend.clear_session()
