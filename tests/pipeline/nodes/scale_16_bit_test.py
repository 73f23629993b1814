"""What becomes of images of 16 bits reaches who reads a side's images, and the model that is served for it."""

import json
import pathlib

import pipeline
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.place import Place

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")


def test_who_gets_it(tmp_path):
    config = load(DEMO, ["targets.digits.data.scale_16_bit=range"])
    nodes = pipeline_module.create_pipeline(config, Place.local(str(tmp_path)))
    properties = {node.id: node.exec_properties for node in nodes.components}
    read = {side: properties[f"{side}-examples"]["scale_16_bit"] for side in ("source", "digits")}
    assert read == {"source": "max", "digits": "range"}
    trained = {
        name: json.loads(found["custom_config"]).get("scale_16_bit")
        for name, found in properties.items()
        if "custom_config" in found
    }
    # Who trains or predicts before reads what is stored, as it is.
    assert {value for name, value in trained.items() if name.endswith("-finetune")} == {"range"}
    assert {value for name, value in trained.items() if not name.endswith("-finetune")} == {None}
