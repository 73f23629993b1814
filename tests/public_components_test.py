"""What every public component promises: an example that works, and inputs whose types are checked when it is made."""

import ast
import inspect
import io
import re
import textwrap

import PIL.Image
import pytest
from tfx import types
from tfx import v1 as tfx
from tfx.types import standard_artifacts

import components
import schemas
from components.artifacts import types as artifact_types
from trainer import ModelImporter, Trainer

# In an order in which each example has what it reads from the others.
COMPONENTS = {
    **{
        name: getattr(components, name)
        for name in (
            "ExampleIndexer",
            "SourceExampleGen",
            "TargetExampleGen",
            "StatisticsGen",
            "SchemaImporter",
            "ExampleValidator",
            "NearDuplicateFilter",
            "TargetSampler",
        )
    },
    "Trainer": Trainer,
    "ModelImporter": ModelImporter,
    **{
        name: getattr(components, name)
        for name in (
            "Predictor",
            "EmbeddingDuplicateFilter",
            "CountsImporter",
            "PriorEstimator",
            "ImportanceResampler",
            "Evaluator",
            "Pusher",
        )
    },
}


def example_of(component: type) -> str:
    """Returns the code below `Example:`, up to the next line that stands as far left."""
    _, _, below = inspect.getdoc(component).partition("\nExample:\n")
    lines = []
    for line in below.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines)).strip()


def test_all_of_them_are_here():
    artifacts = {name for name, _ in inspect.getmembers(artifact_types, inspect.isclass)}
    assert set(COMPONENTS) == set(components.__all__) - artifacts | {"ModelImporter", "Trainer"}


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> dict[type, dict]:
    """Component → the arguments of its example, which is run in a folder with the data that the examples name."""
    root = tmp_path_factory.mktemp("examples")
    picture = io.BytesIO()
    PIL.Image.new("L", (4, 4)).save(picture, "PNG")
    for name in ("owl/1.png", "cat/2.png"):
        path = root / "data" / "animals" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(picture.getvalue())
    (root / "data" / "pets.csv").write_text("path,label\nanimals/owl/1.png,owl\n")
    (root / "models" / "animals").mkdir(parents=True)
    made: dict[type, dict] = {}

    def recorded(component: type):
        def make(**arguments):
            made[component] = arguments
            return component(**arguments)

        return make

    space = {"tfx": tfx, "schemas": schemas, **{name: recorded(component) for name, component in COMPONENTS.items()}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for component in COMPONENTS.values():
            exec(example_of(component), space)
            assert component in made
    return made


def test_the_examples_run_one_after_the_other(calls):
    assert calls.keys() == set(COMPONENTS.values())


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=list(COMPONENTS))
def test_every_component_has_an_example(component):
    # By itself, so that the one which lacks it is named.
    assert ast.parse(example_of(component)).body


def inputs_of(component: type) -> dict[str, inspect.Parameter]:
    """Returns the arguments of a component that are channels, or channels by name."""
    parameters = inspect.signature(component.__init__).parameters
    return {name: found for name, found in parameters.items() if "BaseChannel" in str(found.annotation)}


def cases():
    for name, component in COMPONENTS.items():
        for argument, parameter in inputs_of(component).items():
            of_another_type = types.Channel(type=standard_artifacts.HyperParameters)
            wrong = {"another type": of_another_type, "text": "a/path", "an artifact": standard_artifacts.Examples()}
            if parameter.default is inspect.Parameter.empty:
                wrong["nothing"] = None
            if "Mapping" in str(parameter.annotation):
                wrong |= {f"{what} by name": {"pets": value} for what, value in wrong.items()}
            for what, value in wrong.items():
                yield pytest.param(component, argument, value, id=f"{name}-{argument}-{what}")


@pytest.mark.parametrize(("component", "argument", "value"), cases())
def test_a_wrong_input_is_refused_when_it_is_made(calls, component, argument, value):
    by_name = re.escape("['pets']") if isinstance(value, dict) else ""
    with pytest.raises(TypeError, match=rf"^Argument {argument}{by_name} should be a "):
        component(**{**calls[component], argument: value})


def test_what_each_component_takes():
    # The cases above are made of the annotations: they must not be empty for one that has inputs.
    assert {name: len(inputs_of(component)) for name, component in COMPONENTS.items()} == {
        "ExampleIndexer": 1,
        "SourceExampleGen": 0,
        "TargetExampleGen": 0,
        "StatisticsGen": 2,
        "SchemaImporter": 0,
        "ExampleValidator": 4,
        "NearDuplicateFilter": 2,
        "TargetSampler": 2,
        "Trainer": 6,
        "ModelImporter": 0,
        "Predictor": 3,
        "EmbeddingDuplicateFilter": 4,
        "CountsImporter": 0,
        "PriorEstimator": 8,
        "ImportanceResampler": 9,
        "Evaluator": 3,
        "Pusher": 4,
    }


@pytest.mark.parametrize("name", ["SourceExampleGen", "TargetExampleGen"])
def test_a_dataset_that_is_no_reader(name):
    with pytest.raises(ValueError, match=r"^dataset: 'cifar10' is no reader; make one"):
        COMPONENTS[name](dataset="cifar10")


def test_a_matcher_by_its_name(calls):
    arguments = {**calls[components.ImportanceResampler], "matcher": "same_distribution"}
    with pytest.raises(ValueError, match=r"^matcher: 'same_distribution' is not a Matcher; make one"):
        components.ImportanceResampler(**arguments)
