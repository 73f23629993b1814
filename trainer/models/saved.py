"""Networks that a Trainer has saved, with the layers of other packages that they have."""

import importlib
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


def load(path: str) -> keras.Model:
    """Returns the network in the `.keras` file that a Trainer wrote.

    Keras finds a registered class only after its module has been imported, and what loads a network need not have built
    it. Do not use this for a file from elsewhere: it imports the modules that the file names.

    Raises:
      ValueError: a package that the network has layers of is not installed.
    """
    with tf.io.gfile.GFile(path, "rb") as file, zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
    for module in sorted(set(_modules(config))):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"base_model: has layers of {module}, which cannot be imported ({error}); install its package in this "
                "environment"
            ) from error
    return keras.saving.load_model(path, compile=False)


def _modules(config: Any) -> Iterator[str]:
    """Yields the modules of the registered classes in a configuration."""
    if isinstance(config, dict):
        module = config.get("module")
        if module and ">" in (config.get("registered_name") or ""):
            yield module
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _modules(value)
