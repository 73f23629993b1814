"""The code of docs/training.md."""

import pathlib
import re

from tfx.types import standard_artifacts
from tfx.utils import json_utils

from trainer.probe import ProbeSettings

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_a_probe():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    space: dict = {}
    exec(code, space)
    node = space["probe"]
    assert set(node.inputs) == {"examples", "index", "vocabulary", "base_model"}
    assert node.outputs["model"].type is standard_artifacts.Model
    assert ProbeSettings(**json_utils.loads(node.exec_properties["custom_config"])).kind == "linear_probe"
