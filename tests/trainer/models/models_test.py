"""The registry: the properties of a backbone that are known before it is built."""

import subprocess
import sys

import pydantic
import pytest

from trainer.models.backbone import Backbone, ImageConfig
from trainer.models.registry import SPECS


@pytest.mark.parametrize(
    ("name", "hint"),
    [("inceptionv3", " (did you mean inception_v3?)"), ("transformer", "")],
    ids=["near match", "no match"],
)
def test_an_unknown_backbone(name, hint):
    with pytest.raises(pydantic.ValidationError) as error:
        Backbone(name=name)
    (entry,) = error.value.errors()
    assert entry["loc"] == ("name",)
    assert str(entry["ctx"]["error"]) == f"must be one of {', '.join(SPECS)}{hint}"


def test_options_get_their_defaults():
    assert Backbone(name="compact_cnn").options == {}
    assert Backbone(name="inception_v3").options == {"width": 1.0}
    assert Backbone(name="inception_v3", options={}) == Backbone(name="inception_v3")
    assert Backbone(name="inception_v3", options={"width": 0.25}).options == {"width": 0.25}
    published = {"normal_cells": 18, "filters": 512, "drop_path": 0.0, "auxiliary": False}
    assert Backbone(name="amoebanet_b").options == published


def test_a_backbone_has_a_name_or_a_function():
    for values in ({}, {"name": "compact_cnn", "function": "json.loads"}):
        with pytest.raises(
            pydantic.ValidationError, match=r"give a name of .* or a function of your own, and not both"
        ):
            Backbone(**values)
    assert Backbone(name="compact_cnn").label == "compact_cnn"
    assert Backbone(function="json.loads").label == "json.loads"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("inception_v3", {"widht": 0.5}, r"unknown key 'widht' \(did you mean 'width'\?\)"),
        ("inception_v3", {"width": 0}, "greater than 0"),
        ("inception_v3", {"width": 1.5}, "less than or equal to 1"),
        ("inception_v3", {"width": "half"}, "valid number"),
        ("compact_cnn", {"width": 0.5}, "unknown key 'width'; allowed are none"),
        ("amoebanet_b", {"normal_cells": 4}, "multiple of 3"),
        ("amoebanet_b", {"normal_cells": 0}, "greater than or equal to 3"),
        ("amoebanet_b", {"filters": 18}, "multiple of 4"),
        ("amoebanet_b", {"filters": 12}, "greater than or equal to 16"),
        ("amoebanet_b", {"drop_path": 1.0}, "less than 1"),
        ("amoebanet_b", {"auxilliary": True}, r"unknown key 'auxilliary' \(did you mean 'auxiliary'\?\)"),
    ],
)
def test_options_that_a_backbone_does_not_take(name, options, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Backbone(name=name, options=options)


@pytest.mark.parametrize(("name", "smallest"), [("compact_cnn", 16), ("inception_v3", 75), ("amoebanet_b", 19)])
def test_smallest_image(name, smallest):
    backbone = Backbone(name=name)
    backbone.check(ImageConfig(size=smallest))
    with pytest.raises(ValueError, match=f"image.size: {smallest - 1}; {name} needs at least {smallest}"):
        backbone.check(ImageConfig(size=smallest - 1))


def test_building_checks_too():
    with pytest.raises(ValueError, match=r"image\.size: 74"):
        Backbone(name="inception_v3").build(ImageConfig(size=74))


@pytest.mark.parametrize(
    ("key", "value"),
    [("size", 0), ("size", 32.0), ("channels", 2), ("channels", 4), ("central_crop", 0.0), ("central_crop", 1.01)],
)
def test_images_that_no_network_sees(key, value):
    with pytest.raises(pydantic.ValidationError) as error:
        ImageConfig(**{"size": 32, key: value})
    assert [entry["loc"] for entry in error.value.errors()] == [(key,)]


def test_a_configuration_is_checked_without_importing_keras():
    code = (
        "import sys; from trainer import recipes; from trainer.models.backbone import Backbone, ImageConfig; "
        "Backbone(name='inception_v3').check(ImageConfig(size=75)); "
        "print(sorted({'keras', 'tensorflow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
