"""The speed and the size of a network, measured before a run."""

import pytest

from trainer.loop import throughput
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Compute, Recipe

BACKBONE, IMAGE = Backbone(name="compact_cnn"), ImageConfig(size=32, channels=1)


def measure(batch_size: int, **recipe) -> throughput.Throughput:
    recipe = Recipe(steps=1_000_000, batch_size=batch_size, learning_rate=0.1, **recipe)
    return throughput.measure_throughput(BACKBONE, IMAGE, recipe, Compute(), num_labels=1001)


def test_a_network_with_its_head():
    evaluated = {"evaluate": {"every_steps": 1}, "export": "best"}  # which is not timed
    found = measure(24, l2=1e-4, clip_norm=1.0, ema=0.9, dropout=0.1, **evaluated)
    assert found.parameters == BACKBONE.build(IMAGE).count_params() + 129 * 1001
    assert (found.features, found.batch_size, found.replicas) == (128, 24, 1)
    assert min(found.prediction_images_per_second, found.training_images_per_second) > 0


@pytest.mark.parametrize(("pixels", "batch_size"), [(1 << 14, 16), (1 << 9, 1)], ids=["some", "less-than-an-image"])
def test_batches_stay_small(monkeypatch, pixels, batch_size):
    monkeypatch.setitem(throughput._PIXELS, "CPU", pixels)
    assert measure(4096).batch_size == batch_size


def test_labels_of_their_own_are_timed_too():
    assert measure(8, loss="sigmoid").training_images_per_second > 0
