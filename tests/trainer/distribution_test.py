import pytest
import tensorflow as tf

from trainer import distribution

no_gpu = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="says what happens without a GPU")


def test_cpu_places_variables_and_computation_there():
    strategy = distribution.make_strategy("cpu")
    with strategy.scope():
        variable = tf.Variable(2.0)
    assert variable.device.endswith("device:CPU:0")
    assert strategy.run(lambda: variable + 1).device.endswith("device:CPU:0")
    assert strategy.num_replicas_in_sync == 1


@no_gpu
def test_auto_leaves_one_device_to_tensorflow():
    assert distribution.make_strategy("auto") is tf.distribute.get_strategy()


@no_gpu
def test_mirrored_needs_two_devices():
    with pytest.raises(ValueError, match="'mirrored' needs at least 2 devices, there is 1; use 'auto'"):
        distribution.make_strategy("mirrored")


def test_an_unknown_name():
    with pytest.raises(ValueError, match="distribution: 'tpu'; must be one of auto, cpu, mirrored"):
        distribution.make_strategy("tpu")
