import pytest
from tfx.dsl.components.base import base_beam_component, base_component

import components
from pipeline.config import steps


def names_of(kind: type) -> set[str]:
    exported = [getattr(components, name) for name in components.__all__]
    return {each.__name__ for each in exported if issubclass(each, kind)} - {"ExampleIndexer"}  # no pipeline has it


def test_all_components_that_a_run_has_can_be_named():
    assert {*steps.COMPONENTS} == names_of(base_component.BaseComponent) | {"ModelImporter", "Trainer"}
    assert {*steps.BEAM_COMPONENTS} == names_of(base_beam_component.BaseBeamComponent)


def test_keys_name_something():
    with pytest.raises(ValueError, match=r"^resources: 'Trainr' is neither .* \(did you mean 'Trainer'\?\)"):
        steps.check_keys("resources", ["Trainr"], ["source-classifier"], steps.COMPONENTS)
    given = ["Evaluator", "TargetSampler", "source-classifier", "all"]
    steps.check_keys("resources", given, ["source-classifier"], steps.COMPONENTS)
    with pytest.raises(ValueError, match=r"^beam: 'Trainer' is neither"):
        steps.check_keys("beam", ["Trainer"], ["source-examples"], steps.BEAM_COMPONENTS)
