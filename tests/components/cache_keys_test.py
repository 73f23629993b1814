"""The cache key of a node covers the code that determines its output, and no other code."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from components import code_version
from components.importance_resampler import matchers
from trainer.component import modules_of

ROOT = pathlib.Path(__file__).parents[2]
CONTRACTS = ["components.artifacts", *(f"components.artifacts.{name}" for name in ("hierarchy", "vocabulary"))]


def artifacts(*names: str) -> list[str]:
    return [f"components.artifacts.{name}" for name in names]


def within(package: str, *names: str) -> list[str]:
    return [package, *(f"{package}.{name}" for name in names)]


def test_the_trainer():
    modules = modules_of("trainer.pretrain.run_fn", {"backbone": {"name": "compact_cnn"}})
    assert code_version.modules_behind(*modules) == sorted(
        [
            *CONTRACTS,
            *artifacts("examples", "label_map", "model_images", "model_labels", "plan", "predicted_labels"),
            *(
                f"components.{name}"
                for name in ("deep_images", "orientation", "parallel_map", "records", "settings", "splitmix", "storage")
            ),
            *(
                f"trainer.{name}"
                for name in (
                    "base_model",
                    "component",
                    "fn_args",
                    "metrics",
                    "pretrain",
                    "recipes",
                    "results",
                    "run",
                    "serving",
                )
            ),
            *within(
                "trainer.data",
                "augmentation",
                "branches",
                "draws",
                "formats",
                "images",
                "input_pipeline",
                "orientation",
                "permutation",
            ),
            *within("trainer.loop", "average", "checkpoints", "distribution", "evaluation", "fit", "history", "losses"),
            *(
                f"trainer.loop.{name}"
                for name in ("layer_decay", "optimizer", "precision", "scalars", "schedules", "variables")
            ),
            *within("trainer.models", "backbone", "classifier", "compact_cnn", "saved"),
        ]
    )


def test_a_probe():
    modules = code_version.modules_behind(*modules_of("trainer.probe.run_fn", {}))
    own = {*within("trainer.probes", "logistic", "neighbours"), "trainer.probe", "trainer.results"}
    assert own <= set(modules)
    # What trains is no part of it.
    assert not {"trainer.run", "trainer.finetune", "trainer.loop.fit", "trainer.loop.optimizer"} & set(modules)


def test_the_prior_estimator():
    own = ("assumption", "calibration", "estimate", "executor", "intervals", "mapping", "posteriors", "priors")
    assert code_version.modules_behind("components.prior_estimator.executor") == sorted(
        [
            *CONTRACTS,
            *artifacts("exclusions", "index", "label_counts", "label_map", "label_prior", "plan", "predictions"),
            "components.settings",
            "components.storage",
            *(f"components.prior_estimator.{name}" for name in (*own, "settings", "simplex")),
        ]
    )


def test_the_importance_resampler():
    own = ("copying", "executor", "labels_table", "pairs", "spacing", "quotas", "matchers.matcher")
    shared = [
        *CONTRACTS,
        *artifacts("examples", "exclusions", "index", "label_prior", "plan", "predictions"),
        *(
            f"components.{name}"
            for name in ("hashing", "parallel_map", "records", "settings", "sharding", "splitmix", "storage")
        ),
        *(f"components.importance_resampler.{name}" for name in own),
    ]
    for name, more in (("same_distribution", []), ("emd_subset", ["whole_labels"])):
        modules = ("components.importance_resampler.executor", f"{matchers.__name__}.{name}")
        assert code_version.modules_behind(*modules) == sorted(
            shared + [f"{matchers.__name__}.{module}" for module in (name, *more)]
        )


def test_the_example_indexer_holds_its_reader_and_no_other():
    modules = set(code_version.modules_behind("components.example_gen.indexer"))
    assert {f"components.example_gen.{name}" for name in ("executor", "indexer", "readers.tfrecords")} <= modules
    assert not {f"components.example_gen.{name}" for name in ("component", "readers.tfds", "readers.folder")} & modules


@pytest.fixture
def resamplers(tmp_path):
    """A function (file, old text, new text) → the matchers whose cache keys such a change of the code changes."""
    for package in ("components", "schemas", "trainer"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    script = tmp_path / "versions.py"
    script.write_text(
        "import json\n"
        "from components.code_version import code_version\n"
        "from components.importance_resampler import matchers\n"
        "executor = 'components.importance_resampler.executor'\n"
        f"names = {list(matchers.CLASSES)}\n"
        "print(json.dumps({name: code_version(executor, f'{matchers.__name__}.{name}') for name in names}))\n"
    )

    def versions() -> dict[str, str]:
        command = [sys.executable, str(script)]  # whose folder comes first on the path
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout)

    def changed(file: str, old: str, new: str) -> set[str]:
        before, path = versions(), tmp_path / "components" / "importance_resampler" / file
        text = path.read_text() if path.exists() else old
        assert old in text
        path.write_text(text.replace(old, new))
        after = versions()
        return {name for name in before if before[name] != after[name]}

    return changed


def test_a_change_of_a_matcher_is_one_of_its_own_nodes(resamplers):
    assert resamplers("matchers/emd_subset.py", "_GAMMA = 0.01", "_GAMMA = 0.02") == {"emd_subset"}


def test_a_new_matcher_changes_no_node(resamplers):
    assert (
        resamplers("matchers/__init__.py", '    "weighted_loss":', '    "toy": "Toy",\n    "weighted_loss":') == set()
    )
    assert resamplers("matchers/toy.py", "", "class Toy: pass\n") == set()


def test_other_words_change_no_node(resamplers):
    assert resamplers("matchers/emd_subset.py", "not finite; the network has diverged", "broken") == set()
    assert resamplers("matchers/explanation.py", "copies for {self.pool", "copies of {self.pool") == set()


def test_what_all_matchers_are_made_of_changes_all(resamplers):
    assert resamplers("../splitmix.py", "(30, np.uint64", "(29, np.uint64") == set(matchers.CLASSES)
