"""The compiled demo is what it was, on both stack lanes: any change of it has to be seen, and to be wanted.

`python tests/pipeline/runners/golden_test.py` writes the files anew.
"""

import contextlib
import json
import pathlib
import re
from typing import Any

import pytest
import yaml

from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.nodes import ingest
from pipeline.place import Place

ROOT = pathlib.Path(__file__).parents[3]
REMOTE = [
    "remote={root: gs://bucket/runs, image: registry/specialist, project: pets, region: europe-west4}",
    "targets.digits.arms=[same_distribution]",
    "near_duplicates.enabled=true",
    "resources={Trainer: {accelerator: nvidia-l4, retries: 1}}",
]


def golden(backend: str) -> pathlib.Path:
    return pathlib.Path(__file__).with_name("golden") / f"{backend}.yaml"


def compile_demo(backend: str) -> str:
    """Returns what matters of the compiled demo as YAML, without hashes and what repeats itself."""
    from pipeline.runners.compile import compile_pipeline

    config = load(str(ROOT / "pipeline" / "configs" / "demo.yaml"), REMOTE)
    ingest.prepare(config, lambda text: contextlib.nullcontext())
    place = Place.remote(config, {"digits": "gs://bucket/models/7"})
    run = compile_pipeline(pipeline_module.create_pipeline(config, place), config, place, backend)
    spec = {key: value for key, value in run.job["pipelineSpec"].items() if key != "sdkVersion"}  # TFX's
    for executor in spec["deploymentSpec"]["executors"].values():
        for container in filter(None, [executor.get("container")]):
            after = container["args"].index("--json_serialized_inputs_spec_args") + 1
            container["args"][after] = "what `components` says"
            container["env"] = [_shorten(each) for each in container["env"]]
        for imported in filter(None, [executor.get("importer")]):
            imported["typeSchema"] = yaml.safe_load(imported["typeSchema"]["instanceSchema"])["title"]
    for component in spec["components"].values():
        for side in ("inputDefinitions", "outputDefinitions"):
            for found in component.get(side, {}).get("artifacts", {}).values():
                found["artifactType"] = yaml.safe_load(found["artifactType"]["instanceSchema"])["title"]
    text = yaml.safe_dump({"spec": spec, "runtime": run.job["runtimeConfig"], "platforms": run.platforms}, width=120)
    return re.sub(r"\b[0-9a-f]{16}\b", "0" * 16, text)


def _shorten(variable: dict[str, str]) -> dict[str, Any]:
    if not variable["value"].startswith("{"):
        return variable
    task = json.loads(variable["value"])
    return {"name": variable["name"], "value": {key: value for key, value in task.items() if key != "config"}}


@pytest.mark.parametrize("backend", ["kubeflow", "vertex"])
def test_the_compiled_demo_is_what_it_was(backend):
    assert compile_demo(backend) == golden(backend).read_text(encoding="utf-8")


if __name__ == "__main__":
    for each in ("kubeflow", "vertex"):
        golden(each).parent.mkdir(exist_ok=True)
        golden(each).write_text(compile_demo(each), encoding="utf-8")
