import json
import pathlib

import pytest
import yaml
from google.auth import credentials
from google.protobuf import json_format

from components import storage
from pipeline.config.load import load
from pipeline.runners import submit

pipeline_spec_pb2 = pytest.importorskip("kfp.pipeline_spec").pipeline_spec_pb2
BACKENDS = ("kubeflow", "vertex")
DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_compilations_are_byte_equal_and_parse_strictly(compiled, backend):
    first, second = compiled(backend), compiled(backend)
    assert first.to_text() == second.to_text()
    assert first.name == second.name
    job = json_format.ParseDict(first.job, pipeline_spec_pb2.PipelineJob())
    spec = json_format.ParseDict(first.job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    deployment = json_format.ParseDict(
        first.job["pipelineSpec"]["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig()
    )
    assert job.runtime_config.gcs_output_directory == "gs://bucket/runs"
    assert spec.schema_version == "2.1.0"
    assert deployment.executors["source-classifier_executor"].container.image == "registry/specialist"


def test_vertex_takes_it_and_its_name_says_which_run_it_is(compiled, tmp_path):
    run = compiled("vertex")
    path = tmp_path / "pipeline.json"
    path.write_text(run.to_text())
    config = load(DEMO, ["remote={root: gs://bucket/runs, image: i, project: pets, region: europe-west4}"])
    values = submit.set_parameters(run, {"n": "700", "push_destination_digits": "gs://other/digits"})
    name = submit.name_of(run, values)
    job = submit.make_vertex_job(config, name, str(path), values, credentials.AnonymousCredentials())
    runtime = job._gca_resource.runtime_config
    assert runtime.gcs_output_directory == "gs://bucket/runs"
    assert dict(runtime.parameter_values) == values
    assert values == {**run.parameters(), "n": 700, "push_destination_digits": "gs://other/digits"}
    assert (
        submit.name_of(run, values)
        == job._gca_resource.display_name
        != run.name
        == submit.name_of(run, run.parameters())
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_classifier_that_exists_already(compiled, backend):
    """It is not trained, and no step but its own is told where it is."""
    net = f"ram://given-{backend}/net"
    labels = "".join(f'{i},"{name}",""\n' for i, name in enumerate("357"))
    storage.write_text(f"{net}/assets.extra/labels.csv", f"index,name,parents\n{labels}")
    storage.write_text(f"{net}/saved_model.pb", "graph")
    run = compiled(backend, f"classifier={{model: {net}}}")
    spec = run.job["pipelineSpec"]
    given = json.dumps(spec["root"]["dag"]["tasks"]["source-classifier"]["inputs"])
    assert net in given
    assert [name for name, task in spec["root"]["dag"]["tasks"].items() if net in json.dumps(task)] == [
        "source-classifier"
    ]
    assert "source-classifier" in spec["root"]["dag"]["tasks"]["digits-examples"]["dependentTasks"]
    assert "classifier_steps" not in run.parameters()
    assert "pretrain_steps" in run.parameters()


def test_kubeflow_takes_it(compiled):
    from kfp import components

    loaded = components.load_component_from_text(compiled("kubeflow").to_text())
    parameters = loaded.pipeline_spec.root.input_definitions.parameters
    assert {name: parameters[name].default_value.number_value for name in ("n", "seed", "pretrain_steps")} == {
        "n": 10000,
        "seed": 0,
        "pretrain_steps": 300,
    }


def test_what_is_a_parameter_and_what_stays_as_it_is(compiled):
    own = "arms={small: {matcher: same_distribution, n: 700, steps: 50}}"
    run = compiled("vertex", own, "targets.digits.arms=[entire_source, same_distribution, small]", "resample.seed=3")
    tasks = run.job["pipelineSpec"]["root"]["dag"]["tasks"]
    given = {name: task["inputs"]["parameters"] for name, task in tasks.items() if "parameters" in task["inputs"]}

    def of(node: str, key: str):
        found = given[node][key]
        return found.get("componentInputParameter") or found["runtimeValue"]["constant"]

    assert of("source-classifier", "steps") == "classifier_steps"
    assert of("digits-same-distribution-specialist", "steps") == "pretrain_steps"
    assert of("digits-small-finetune", "steps") == "finetune_steps"
    assert "steps" not in given["digits-small-specialist"]
    assert of("digits-small-specialist", "seed") == of("digits-prior", "seed") == "seed"
    assert of("digits-same-distribution-resample", "n") == "n"
    assert of("digits-small-resample", "n") == 700
    assert of("digits-small-resample", "seed") == 3
    assert of("digits-pusher", "folder") == "push_destination_digits"


def test_steps_of_which_an_arm_has_a_multiple_are_fixed(compiled):
    run = compiled("vertex", "targets.digits.arms=[entire_source, entire_source_2x]", "targets.digits.push=null")
    assert sorted(run.parameters()) == ["finetune_steps", "seed"]


def test_in_a_comparison_each_cell_has_its_own_seed(compiled):
    run = compiled("kubeflow", "compare={seeds: 2, arms: [entire_source, same_distribution]}", comparison=True)
    assert run.parameters() == {"finetune_steps": 100, "n": 10000}
    finetunings = [name for name in run.tasks if name.endswith("-finetune")]
    assert len(finetunings) == 4
    assert not [name for name in run.tasks if name.endswith("-pusher")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_hardware_changes_nothing_that_a_cache_key_has(compiled, backend):
    def keyed(run) -> str:
        """Returns what a backend may make its cache keys of; Kubeflow leaves out the environment."""
        spec = json.loads(json.dumps(run.job["pipelineSpec"]))
        for task in spec["root"]["dag"]["tasks"].values():
            task.pop("retryPolicy", None)
        for executor in spec["deploymentSpec"]["executors"].values():
            executor["container"].pop("resources", None)
            if backend == "kubeflow":
                executor["container"].pop("env")
        return json.dumps(spec, sort_keys=True)

    hardware = "Trainer: {accelerator: nvidia-a100-80gb, count: 8, retries: 2}, source-classifier: {memory: 64Gi}"
    vertex_only = ", digits-entire-source-finetune: {machines: 4, timeout: 5}" if backend == "vertex" else ""
    plain, larger = compiled(backend), compiled(backend, f"resources={{{hardware}{vertex_only}}}")
    assert plain.to_text() != larger.to_text()
    assert keyed(plain) == keyed(larger)
    elsewhere = compiled(backend, "remote.beam={Predictor: {runner: multi_processing, workers: 7}}")
    assert keyed(plain) == keyed(elsewhere)
    told = {name: task.beam for name, task in elsewhere.tasks.items() if "--direct_num_workers=7" in task.beam}
    assert told.keys() == {"digits-predictions", "source-predictions"}
    assert plain.tasks["source-classifier"].beam == []
    assert "--direct_running_mode=in_memory" in plain.tasks["source-examples"].beam
    checkpoint = compiled(backend, "checkpoint.steps=7", "source.threads=3")
    assert keyed(plain) == keyed(checkpoint)
    if backend == "vertex":  # the container of a CustomJob only waits
        waiting = larger.job["pipelineSpec"]["deploymentSpec"]["executors"]["digits-entire-source-finetune_executor"]
        assert "resources" not in waiting["container"]
    assert {**plain.tasks["source-classifier"].policies, **plain.tasks["source-examples"].policies}.keys() == {
        "gs://bucket/runs/checkpoints/demo/policy.json",
        "gs://bucket/runs/working/demo/source-examples.json",
    }
    assert plain.tasks["source-classifier"].policies != checkpoint.tasks["source-classifier"].policies


def test_an_endpoint_is_a_parameter_of_the_pusher_alone(compiled):
    place = "root: gs://bucket/runs, image: registry/specialist, project: pets, region: europe-west4"

    def parameters(endpoints: str) -> dict[str, dict]:
        run = compiled("vertex", f"remote={{{place}, endpoints: {endpoints}}}")
        return {
            name: task["inputs"].get("parameters", {})
            for name, task in run.job["pipelineSpec"]["root"]["dag"]["tasks"].items()
        }

    gpus = "{digits: {image: registry/serving, accelerator: nvidia-l4, count: 2, max_replicas: 3}}"
    plain, without, found = parameters("{digits: {image: registry/serving}}"), parameters("{}"), parameters(gpus)
    endpoint = json.loads(found["digits-pusher"].pop("endpoint")["runtimeValue"]["constant"])
    assert endpoint == {
        "project": "pets",
        "region": "europe-west4",
        "name": "demo-digits",
        "image": "registry/serving",
        "machine_type": "g2-standard-24",
        "accelerator_type": "NVIDIA_L4",
        "accelerator_count": 2,
        "min_replicas": 1,
        "max_replicas": 3,
        "encryption_key": None,
        "credentials_file": None,
    }
    assert json.loads(plain["digits-pusher"].pop("endpoint")["runtimeValue"]["constant"]) == {
        **endpoint,
        "machine_type": "n1-standard-4",
        "accelerator_type": None,
        "accelerator_count": 0,
        "max_replicas": 1,
    }
    assert found == plain == without


@pytest.mark.parametrize("key", ["Predictr", "Trainer", "digits-same-distribution-finetune"])
def test_what_is_no_beam_job(compiled, key):
    with pytest.raises(ValueError, match=rf"^remote\.beam: '{key}' is neither"):
        compiled("vertex", f"remote.beam={{{key}: {{runner: multi_processing}}}}")


def test_each_container_is_given_what_it_asks_for(compiled):
    wanted = (
        "Trainer: {accelerator: nvidia-a100-80gb, count: 8, cpu: 96, memory: 1.3T, retries: 2},"
        "source-classifier: {count: 4, memory: 64Gi},"
        "digits-evaluator: {memory: 8G}"
    )
    executors, tasks = {}, {}
    for backend in BACKENDS:
        run = compiled(backend, f"resources={{{wanted}}}")
        found = run.job["pipelineSpec"]["deploymentSpec"]["executors"]
        executors[backend] = {name: each["container"].get("resources") for name, each in found.items()}
        tasks[backend] = run.job["pipelineSpec"]["root"]["dag"]["tasks"]
    specialist, classifier = "source-entire-source-specialist_executor", "source-classifier_executor"
    assert executors["vertex"][specialist] == {
        "cpuLimit": 96.0,
        "memoryLimit": 1300.0,
        "accelerator": {"type": "NVIDIA_A100_80GB", "count": "8"},
    }
    assert executors["kubeflow"][specialist]["accelerator"] == {"type": "nvidia.com/gpu", "count": "8"}
    assert executors["kubeflow"][classifier] == {
        "cpuLimit": 96.0,
        "memoryLimit": 64 * 1024**3 / 1e9,
        "accelerator": {"type": "nvidia.com/gpu", "count": "4"},
    }
    assert executors["vertex"]["digits-evaluator_executor"] == {"memoryLimit": 8.0}
    assert executors["vertex"]["source-examples_executor"] is None
    assert {name for name, task in tasks["vertex"].items() if task.get("retryPolicy") == {"maxRetryCount": 2}} == {
        name for name in tasks["vertex"] if name.endswith(("-classifier", "-specialist", "-finetune"))
    }


def test_what_only_kubernetes_understands(compiled):
    wanted = (
        "Trainer: {accelerator: nvidia-l4, volumes: {claim: /mnt/runs}, secrets: {key: /etc/key}},"
        "source-classifier: {accelerator: amd.com/gpu, node_selector: {zone: b}}"
    )
    run = compiled("kubeflow", f"resources={{{wanted}}}")
    spec, platforms = yaml.safe_load_all(run.to_text())
    assert spec == run.job["pipelineSpec"]
    executors = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    mounts = {
        "pvcMount": [{"constant": "claim", "mountPath": "/mnt/runs"}],
        "secretAsVolume": [{"secretName": "key", "mountPath": "/etc/key"}],
    }
    assert executors.pop("source-classifier_executor") == {"nodeSelector": {"labels": {"zone": "b"}}, **mounts}
    assert len(executors) == 4
    gpu = {"nodeSelector": {"labels": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}, **mounts}
    assert {json.dumps(each, sort_keys=True) for each in executors.values()} == {json.dumps(gpu, sort_keys=True)}
    assert compiled("vertex").to_text().startswith("{")


def test_a_toleration_where_the_message_has_none(compiled):
    from kfp.kubernetes import kubernetes_executor_config_pb2 as messages

    wanted = "resources={Trainer: {tolerations: {nvidia.com/gpu: {effect: NoSchedule}}}}"
    if not hasattr(messages.KubernetesExecutorConfig(), "tolerations"):
        with pytest.raises(ValueError, match=r"^resources\.source-classifier\.tolerations: .* use lane tfx-1\.21"):
            compiled("kubeflow", wanted)
        return
    run = compiled("kubeflow", wanted)
    assert run.platforms["source-classifier_executor"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_nothing_of_this_machine_is_in_it(compiled):
    for backend in BACKENDS:
        text = compiled(
            backend,
            "beam={runner: multi_processing, workers: 7}",
            f"remote.token_file={__file__}",
        ).to_text()
        for local in (str(pathlib.Path(__file__).parents[3]), "direct_num_workers=7", "http://k"):
            assert local not in text
