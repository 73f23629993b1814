"""The artifact types, as TFX and Kubeflow want them."""

import importlib
import inspect
import re

import pytest
from tfx import types
from tfx.types import artifact_utils

from components.artifacts import types as artifacts

TYPES = [cls for _, cls in inspect.getmembers(artifacts, inspect.isclass) if issubclass(cls, types.Artifact)]


def test_all_of_them():
    names = {
        *(
            "ExampleIndex",
            "Exclusions",
            "LabelPrior",
            "LabelVocabulary",
            "Predictions",
            "Rejected",
            "Report",
            "ResamplePlan",
        ),
        *("LabelCounts", "Report"),
    }
    assert {cls.__name__ for cls in TYPES} == names


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_kubeflow_can_name_and_find_it(cls):
    assert re.fullmatch(r"[a-z]{3,21}\.[A-Za-z]+", cls.TYPE_NAME)
    package, name = cls.TYPE_NAME.split(".")
    assert getattr(importlib.import_module(package), name) is cls
    assert not cls.PROPERTIES


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_it_survives_the_metadata_store(cls):
    artifact = cls()
    artifact.uri = "/somewhere"
    artifact.set_string_custom_property("note", "kept")
    again = artifact_utils.deserialize_artifact(artifact.artifact_type, artifact.mlmd_artifact)
    assert type(again) is cls
    assert (again.uri, again.get_string_custom_property("note")) == ("/somewhere", "kept")
