import json

import pytest
import tensorflow as tf

from trainer.loop import distribution

no_gpu = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="says what happens without a GPU")

# As the platforms write it, with the keys that TensorFlow does not need.
VERTEX = {
    "cluster": {"chief": ["cmle-training-workerpool0-ab-0:2222"], "worker": ["cmle-training-workerpool1-ab-0:2222"]},
    "environment": "cloud",
    "task": {"type": "worker", "index": 0, "trial": "3"},
    "job": '{"worker_pool_specs": []}',
}
KUBEFLOW = {
    "cluster": {"worker": ["pets-worker-0.team.svc:2222", "pets-worker-1.team.svc:2222"], "ps": []},
    "task": {"type": "worker", "index": 1},
    "environment": "cloud",
}


def cluster(content) -> distribution.Cluster | None:
    return distribution.cluster_of({"TF_CONFIG": content if isinstance(content, str) else json.dumps(content)})


def changed(content: dict, **task) -> dict:
    return {**content, "task": {**content["task"], **task}}


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("TPU_NAME", raising=False)


@pytest.mark.parametrize(
    ("content", "size", "is_chief"),
    [
        (VERTEX, 2, False),
        (changed(VERTEX, type="chief"), 2, True),
        (KUBEFLOW, 2, False),
        (changed(KUBEFLOW, index=0), 2, True),
        (changed(KUBEFLOW, index="0"), 2, True),
        ({"cluster": {"master": ["a:1"], "worker": ["b:1", "c:1"]}, "task": {"type": "master", "index": 0}}, 3, True),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}, 1, True),
    ],
    ids=["vertex worker", "vertex chief", "kubeflow", "no chief", "index as text", "master", "alone"],
)
def test_clusters(content, size, is_chief):
    found = cluster(content)
    assert (found.size, found.is_chief) == (size, is_chief)
    assert set(found.addresses) <= {"chief", "worker"}


@pytest.mark.parametrize("content", ["", "{}", {"environment": "cloud"}, {"cluster": {}, "task": {}}])
def test_no_cluster(content):
    assert cluster(content) is None
    assert distribution.cluster_of({}) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "TF_CONFIG: '{' does not describe a cluster"),
        ("[]", r"TF_CONFIG: '\[\]' does not describe a cluster"),
        ({**VERTEX, "cluster": {"chief": 3}}, "does not describe a cluster"),
        (changed(KUBEFLOW, index=2), "task 'worker' 2 is not in the cluster"),
        (changed(KUBEFLOW, type="chief"), "task 'chief' 1 is not in the cluster"),
        (
            changed(VERTEX, type="evaluator"),
            "task 'evaluator' of a cluster of chief, worker; this trainer supports no para",
        ),
        ({**KUBEFLOW, "cluster": {"worker": ["a:1"], "ps": ["b:1"]}}, "ask for a chief and workers only"),
    ],
    ids=["no JSON", "a list", "no addresses", "no such index", "no such kind", "evaluator", "parameter server"],
)
def test_clusters_that_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        cluster(content)


def test_cpu_places_variables_and_computation_there():
    strategy = distribution.make_strategy("cpu")
    with strategy.scope():
        variable = tf.Variable(2.0)
    assert variable.device.endswith("device:CPU:0")
    assert strategy.run(lambda: variable + 1).device.endswith("device:CPU:0")
    assert strategy.num_replicas_in_sync == 1


@no_gpu
def test_auto_leaves_one_device_to_tensorflow(monkeypatch):
    assert distribution.make_strategy("auto") is tf.distribute.get_strategy()
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}))
    assert distribution.make_strategy("auto") is tf.distribute.get_strategy()


@no_gpu
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one_gpu", "'one_gpu' needs a GPU, but TensorFlow finds none; use 'auto' or 'cpu'"),
        ("mirrored", "'mirrored' needs at least 2 devices, but finds 1; use 'auto'"),
        ("multi_worker", "'multi_worker' needs the environment variable TF_CONFIG"),
        ("tpus", "distribution: 'tpus'; must be one of auto, cpu, one_gpu, mirrored, multi_worker, tpu"),
    ],
)
def test_hardware_that_is_not_there(name, message):
    with pytest.raises(ValueError, match=message):
        distribution.make_strategy(name)


@pytest.mark.parametrize("name", ["cpu", "mirrored"])
def test_several_processes_do_not_each_train_alone(monkeypatch, name):
    monkeypatch.setenv("TF_CONFIG", json.dumps(KUBEFLOW))
    with pytest.raises(ValueError, match=f"'{name}' is for one process, but TF_CONFIG names 2"):
        distribution.make_strategy(name)


def test_several_processes_come_before_everything_else(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps(KUBEFLOW))
    tf.constant(1.0) + 1  # TensorFlow has begun
    for name in ("multi_worker", "auto"):
        with pytest.raises(ValueError, match="'multi_worker' has to be made before TensorFlow does anything else"):
            distribution.make_strategy(name)


def test_one_process_agrees_with_itself():
    workers = distribution.Workers(tf.distribute.get_strategy())
    assert (workers.count, workers.is_chief) == (1, True)
    assert workers.mean([1.5, False]).tolist() == [1.5, 0.0]
    assert workers.agree(123_456_789)
    workers.wait()
