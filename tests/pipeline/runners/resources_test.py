import pytest

from pipeline.config.remote import Resources
from pipeline.runners import resources

POOL = {"container_spec": {"image_uri": "i", "env": []}}


def pool(machine: dict, count: int) -> dict:
    return {"machine_spec": machine, "replica_count": count, **POOL}


def tpu_pool(machine: dict) -> dict:
    env = [{"name": "TPU_NAME", "value": "local"}]
    return {"machine_spec": machine, "replica_count": 1, "container_spec": {"image_uri": "i", "env": env}}


@pytest.mark.parametrize(
    ("wanted", "pools"),
    [
        (
            {"accelerator": "nvidia-tesla-t4", "timeout": 5.0},
            [pool({"machine_type": "n1-standard-8", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}, 1)],
        ),
        (
            {"accelerator": "nvidia-a100-80gb", "count": 8, "timeout": 5.0},
            [
                pool(
                    {"machine_type": "a2-ultragpu-8g", "accelerator_type": "NVIDIA_A100_80GB", "accelerator_count": 8},
                    1,
                )
            ],
        ),
        (
            {"accelerator": "nvidia-h100-80gb", "count": 8, "machines": 4},
            [
                pool(
                    {"machine_type": "a3-highgpu-8g", "accelerator_type": "NVIDIA_H100_80GB", "accelerator_count": 8},
                    count,
                )
                for count in (1, 3)
            ],
        ),
        ({"machines": 2, "machine_type": "c3-highcpu-88"}, [pool({"machine_type": "c3-highcpu-88"}, 1)] * 2),
        (
            {"accelerator": "tpu-v5e", "count": 8},
            [tpu_pool({"machine_type": "ct5lp-hightpu-8t", "tpu_topology": "2x4"})],
        ),
        (
            {"accelerator": "tpu-v3", "count": 8},
            [tpu_pool({"machine_type": "cloud-tpu", "accelerator_type": "TPU_V3", "accelerator_count": 8})],
        ),
    ],
    ids=["one GPU", "8 GPUs", "4 machines with 8 GPUs", "2 machines", "TPU v5e", "TPU v3"],
)
def test_worker_pools(wanted, pools):
    from google.cloud import aiplatform_v1

    given = Resources(**wanted)
    resources.check_resources(given, "source-classifier", "Trainer", "vertex")
    assert resources.is_custom_job(given)
    assert resources.worker_pools(given, "i") == pools
    for each in resources.worker_pools(given, "i"):
        message = aiplatform_v1.WorkerPoolSpec(each)  # refuses what the message has not
        assert message.machine_spec.machine_type == each["machine_spec"]["machine_type"]


@pytest.mark.parametrize(
    ("wanted", "component", "backend", "message"),
    [
        ({"machines": 2}, "Trainer", "kubeflow", r"\.machines: 2; only Vertex AI has it"),
        ({"timeout": 1.5}, "Trainer", "kubeflow", r"\.timeout: 1\.5; only Vertex AI has it"),
        ({"machines": 2}, "Predictor", "vertex", r"\.machines: 2; only a Trainer has it, not a Predictor"),
        (
            {"accelerator": "nvidia-a100"},
            "Trainer",
            "vertex",
            r"\.accelerator: 'nvidia-a100' is unknown \(did",
        ),
        ({"accelerator": "amd.com/gpu"}, "Trainer", "vertex", r"\.accelerator: 'amd\.com/gpu' is unknown"),
        ({"accelerator": "tpu-v5e"}, "Trainer", "kubeflow", r"\.accelerator: 'tpu-v5e'; on Kubeflow name the resource"),
        ({"accelerator": "tpu-v5e"}, "Predictor", "vertex", r"\.accelerator: 'tpu-v5e' is only for a Trainer"),
        (
            {"accelerator": "nvidia-l4", "count": 3},
            "Trainer",
            "vertex",
            r"\.count: 3; machines with nvidia-l4 have 1, ",
        ),
        (
            {"machines": 2, "memory": "9G"},
            "Trainer",
            "vertex",
            r": a training with several machines, a TPU or a timeout",
        ),
        ({"machine_type": "n2"}, "Trainer", "vertex", r"\.machine_type: 'n2' is only of a training with several"),
        ({"node_selector": {"a": "b"}}, "Trainer", "vertex", r"\.node_selector: only Kubeflow has it"),
        ({"volumes": {"a": "/b"}}, "Trainer", "vertex", r"\.volumes: only Kubeflow has it"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:24],
)
def test_what_a_backend_cannot_give(wanted, component, backend, message):
    with pytest.raises(ValueError, match=f"^resources\\.node{message}"):
        resources.check_resources(Resources(**wanted), "node", component, backend)


def test_what_is_more_special_replaces_what_is_more_general():
    configured = {
        "Trainer": Resources(accelerator="nvidia-l4", count=4, memory="32G"),
        "source-classifier": Resources(count=8),
    }
    found = resources.find_resources(configured, "source-classifier", "Trainer")
    assert (found.accelerator, found.count, found.memory) == ("nvidia-l4", 8, "32G")
    assert resources.find_resources(configured, "pets-prior", "PriorEstimator") == Resources()
    everywhere = {**configured, "all": Resources(memory="8G", retries=1)}
    found = resources.find_resources(everywhere, "source-classifier", "Trainer")
    assert (found.count, found.memory, found.retries) == (8, "32G", 1)
    assert resources.find_resources(everywhere, "pets-prior", "PriorEstimator") == everywhere["all"]


@pytest.mark.parametrize(
    ("memory", "gigabytes"), [("32G", 32), ("64Gi", 68.719476736), ("1.5T", 1500), ("2000000000", 2)], ids=str
)
def test_memory(memory, gigabytes):
    assert resources.container_resources(Resources(memory=memory), "vertex") == {
        "memory_limit": pytest.approx(gigabytes, abs=1e-9)
    }
