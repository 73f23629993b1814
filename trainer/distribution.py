"""Distribution strategies by name."""

import tensorflow as tf

from trainer.recipes import STRATEGIES


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy `name`.

    `auto` is `mirrored` where there are several GPUs, else the one device that TensorFlow would choose; `mirrored` uses
    all GPUs, or all logical CPU devices where there is no GPU.

    Raises:
      ValueError: the name is unknown, or the devices are not there.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    if name == "cpu":
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    if name == "mirrored":
        devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
        if len(devices) < 2:
            raise ValueError(f"distribution: 'mirrored' needs at least 2 devices, there is {len(devices)}; use 'auto'")
        return tf.distribute.MirroredStrategy(devices)
    raise ValueError(f"distribution: {name!r}; must be one of {', '.join(STRATEGIES)}")
