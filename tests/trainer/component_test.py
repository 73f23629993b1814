import os
import pathlib
import shutil

import pytest
from tfx.types import Channel, artifact_utils, standard_artifacts
from tfx.utils import json_utils

from components import code_version, storage
from components.artifacts import examples
from components.artifacts.types import ExampleIndex, LabelVocabulary
from trainer import component, run
from trainer.component import Trainer
from trainer.loop import checkpoints
from trainer.recipes import Checkpoint

BACKBONE = {"name": "compact_cnn", "options": {}}


def trainer(**changes) -> Trainer:
    arguments = {
        "run_fn": "trainer.pretrain.run_fn",
        "examples": Channel(type=standard_artifacts.Examples),
        "vocabulary": Channel(type=LabelVocabulary),
        "custom_config": {"seed": 7, "backbone": BACKBONE},
    }
    return Trainer(**{**arguments, **changes})


def test_inputs_and_outputs():
    node = trainer()
    assert {name: channel.type for name, channel in node.inputs.items()} == {
        "examples": standard_artifacts.Examples,
        "vocabulary": LabelVocabulary,
    }
    assert {name: channel.type for name, channel in node.outputs.items()} == {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,
    }
    more = trainer(
        index=Channel(type=ExampleIndex),
        train_examples=Channel(type=standard_artifacts.Examples),
        base_model=Channel(type=standard_artifacts.Model),
    )
    assert set(more.inputs) - set(node.inputs) == {"index", "train_examples", "base_model"}


def test_what_the_run_fn_is_told():
    properties = trainer().exec_properties
    assert properties["run_fn"] == "trainer.pretrain.run_fn"
    assert json_utils.loads(properties["custom_config"]) == {"seed": 7, "backbone": BACKBONE}
    assert trainer().executor_spec.executor_class is component.Executor


@pytest.fixture
def our_code(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    """Returns the cache key of a Trainer after a module of this project has changed, in a copy of its files."""
    root = pathlib.Path(component.__file__).parents[1]
    find = code_version._path

    def in_the_copy(module: str) -> pathlib.Path | None:
        path = find(module)
        return path and tmp_path / path.relative_to(root)

    for package in ("components", "trainer"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_version, "_path", in_the_copy)

    def version(changed: str | None = None, **changes) -> str:
        path = tmp_path / changed if changed else None
        before = path.read_text() if path else ""
        if path:
            path.write_text(before + "\nCHANGED = True\n")
        try:
            return trainer(**changes).exec_properties["code_version"]
        finally:
            if path:
                path.write_text(before)

    return version


@pytest.mark.parametrize(
    "module",
    [
        "trainer/pretrain.py",
        "trainer/loop/fit.py",
        "trainer/loop/schedules.py",
        "trainer/serving.py",
        "trainer/component.py",
        "trainer/models/classifier.py",
        "trainer/models/compact_cnn.py",  # reached by the name in the registry only
        "components/artifacts/vocabulary.py",
    ],
)
def test_the_cache_key_changes_with_the_code_that_runs(our_code, module):
    assert our_code(module) != our_code()


@pytest.mark.parametrize(
    "module",
    [
        "trainer/finetune.py",
        "trainer/models/inception_v3.py",
        "trainer/models/registry.py",
        "trainer/presets.py",
        "trainer/loop/progress.py",
        "components/sharding.py",
        "components/artifacts/index.py",
        "components/artifacts/label_prior.py",
        "components/importance_resampler/matchers/emd_subset.py",
    ],
)
def test_and_with_no_other(our_code, module):
    assert our_code(module) == our_code()


def test_fine_tuning_does_not_name_a_backbone(our_code):
    finetune = {"run_fn": "trainer.finetune.run_fn", "custom_config": {"seed": 7}}
    assert our_code("trainer/finetune.py", **finetune) != our_code(**finetune)
    assert our_code("trainer/models/compact_cnn.py", **finetune) == our_code(**finetune)
    assert our_code(**finetune) == our_code(**{**finetune, "custom_config": {"seed": 7, "backbone": None}})


def test_an_unknown_backbone_fails_while_the_pipeline_is_made():
    with pytest.raises(ValueError, match=r"did you mean compact_cnn\?"):
        trainer(custom_config={"backbone": {"name": "compact-cnn"}})


class Recorded:
    """The executor, with a training that only keeps what it is given."""

    def __init__(self, root: pathlib.Path):
        self.root = root

    def train(self, fn_args, make_model) -> None:
        self.fn_args = fn_args
        os.makedirs(fn_args.serving_model_dir)  # without which TFX's executor takes the run for failed

    def __call__(self, changes: dict | None = None, **inputs):
        """Runs the executor of a Trainer with these changes, with these inputs besides those that are always there."""
        outputs = {"model": standard_artifacts.Model(), "model_run": standard_artifacts.ModelRun()}
        for name, artifact in outputs.items():
            artifact.uri = str(self.root / "out" / name)
        component.Executor().Do(
            {
                "examples": [self.examples("examples", ["train", "eval", "test"])],
                "vocabulary": [self.placed(LabelVocabulary(), "vocabulary")],
                **inputs,
            },
            {name: [artifact] for name, artifact in outputs.items()},
            trainer(**(changes or {})).exec_properties,
        )
        return self.fn_args

    def placed(self, artifact, name: str):
        artifact.uri = str(self.root / name)
        return artifact

    def examples(self, name: str, splits: list[str]) -> standard_artifacts.Examples:
        examples = self.placed(standard_artifacts.Examples(), name)
        examples.split_names = artifact_utils.encode_split_names(splits)
        return examples


@pytest.fixture
def recorded(tmp_path, monkeypatch) -> Recorded:
    recorded = Recorded(tmp_path)
    monkeypatch.setattr(run, "train_and_export", recorded.train)
    return recorded


def test_the_executor_says_where_everything_lies(recorded, tmp_path):
    fn_args = recorded()
    assert fn_args.custom_config == {"seed": 7, "backbone": BACKBONE}
    assert fn_args.split_patterns == {
        split: [f"{tmp_path}/examples/Split-{split}/{storage.RECORD_PATTERN}"] for split in ("train", "eval", "test")
    }
    assert fn_args.vocabulary_path == f"{tmp_path}/vocabulary"
    assert fn_args.model_dir == f"{tmp_path}/out/model"
    assert fn_args.serving_model_dir == f"{tmp_path}/out/model/Format-Serving"
    assert fn_args.model_run_dir == f"{tmp_path}/out/model_run"
    assert fn_args.base_model_dir is None


def test_other_training_examples_replace_the_split_train_alone(recorded, tmp_path):
    fn_args = recorded(train_examples=[recorded.examples("sample", ["train"])])
    assert fn_args.split_patterns == {
        "train": [f"{tmp_path}/sample/Split-train/{storage.RECORD_PATTERN}"],
        "eval": [f"{tmp_path}/examples/Split-eval/{storage.RECORD_PATTERN}"],
        "test": [f"{tmp_path}/examples/Split-test/{storage.RECORD_PATTERN}"],
    }


def test_where_the_records_of_train_stand(recorded, tmp_path):
    def index_pattern(**inputs) -> str | None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return recorded(**inputs).index_pattern

    index = [recorded.placed(ExampleIndex(), "index")]
    assert index_pattern() is None
    assert index_pattern(index=index) == f"{tmp_path}/index/Split-train/*.parquet"
    # A sample has places of its own, if this version wrote it.
    sample = [recorded.examples("sample", ["train"])]
    assert index_pattern(index=index, train_examples=sample) is None
    os.makedirs(tmp_path / "sample" / examples.PLACES)
    assert index_pattern(index=index, train_examples=sample) == f"{tmp_path}/sample/places/*.parquet"


def test_the_base_model_is_the_whole_artifact(recorded, tmp_path):
    os.makedirs(tmp_path / "base" / "Format-Serving")
    fn_args = recorded(base_model=[recorded.placed(standard_artifacts.Model(), "base")])
    assert fn_args.base_model_dir == f"{tmp_path}/base"


def test_without_a_folder_for_them_there_are_no_checkpoints(recorded):
    assert recorded().checkpoints.folder is None


def test_a_training_has_its_checkpoints_apart_from_those_of_any_other(recorded, tmp_path, monkeypatch):
    node = str(tmp_path / "checkpoints" / "a-node")

    def folder(changes: dict | None = None, **inputs) -> str:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return recorded({"checkpoints": node, **(changes or {})}, **inputs).checkpoints.folder

    first = folder()
    assert os.path.dirname(first) == node
    assert folder() == first  # the model's URI is another one in each execution, and does not count
    others = {
        folder({"custom_config": {"seed": 8, "backbone": BACKBONE}}),
        folder({"run_fn": "trainer.finetune.run_fn"}),
        folder(train_examples=[recorded.examples("sample", ["train"])]),
        folder(train_examples=[recorded.examples("another-sample", ["train"])]),
        folder(vocabulary=[recorded.placed(LabelVocabulary(), "another-vocabulary")]),
    }
    monkeypatch.setattr(component, "code_version", lambda *modules, **more: "changed")
    others.add(folder())
    assert len(others - {first}) == 6


def test_the_policy_lies_beside_the_nodes_and_is_no_part_of_a_cache_key(recorded, tmp_path):
    policy = Checkpoint(minutes=3, keep=5)
    checkpoints.write_policy(str(tmp_path / "checkpoints"), policy)
    changes = {"checkpoints": str(tmp_path / "checkpoints" / "a-node")}
    assert recorded(changes).checkpoints.policy == policy
    assert set(trainer(**changes).exec_properties) - set(trainer().exec_properties) <= {"checkpoints"}
