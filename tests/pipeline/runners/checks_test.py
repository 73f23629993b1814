import json
import pathlib

import pytest
import yaml

from pipeline.config.accelerators import ACCELERATORS
from pipeline.config.load import load
from pipeline.runners import checks

DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")
WHOLE = {
    "root": "gs://bucket/runs",
    "image": "registry/specialist",
    "project": "pets",
    "region": "europe-west4",
    "host": "http://k",
}
FLINK = "{runner: flink, master: 'flink:8081', job_server_jar: /opt/flink.jar, staging: /mnt, image: i}"


def errors(backend: str, *overrides: str, sending: bool = True, **remote: object) -> list[str]:
    """Returns what is wrong with the demo in another place; None leaves a key out."""
    settings = {key: value for key, value in {**WHOLE, **remote}.items() if value is not None}
    text = ", ".join(f"{key}: {value}" for key, value in settings.items())
    config = load(DEMO, [f"remote={{{text}}}", *overrides])
    try:
        checks.check(config, backend, sending=sending)
    except ValueError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize("backend", ["kubeflow", "vertex"])
def test_the_demo_lacks_nothing(backend):
    assert errors(backend) == []


def test_the_files_of_a_classifier_that_exists_already():
    assert errors("vertex", "classifier={model: gs://b/net.keras, labels: gs://b/labels.txt}") == []
    model = "classifier={model: models/net, labels: gs://b/labels.txt, label_map: map.csv}"
    assert [line.partition(";")[0] for line in errors("vertex", model)] == [
        "classifier.label_map: 'map.csv' is nothing that the containers can open",
        "classifier.model: 'models/net' is nothing that the containers can open",
    ]
    weights = "classifier={backbone: {name: compact_cnn}, weights: w.h5, labels: gs://b/labels.txt}"
    assert [line.partition(";")[0] for line in errors("kubeflow", weights)] == [
        "classifier.weights.path: 'w.h5' is nothing that the containers can open"
    ]
    assert errors("vertex", "classifier={model: gs://b/net}", classifier="gs://b/model") == [
        "remote.classifier: there is one, but classifier names one that exists, too; leave one out"
    ]


@pytest.mark.parametrize(
    ("backend", "remote", "expected"),
    [
        ("kubeflow", {"image": None}, ["remote.image: missing; name the container image that has this code"]),
        ("kubeflow", {"host": None}, ["remote.host: missing; name the URL of Kubeflow Pipelines"]),
        (
            "vertex",
            {"project": None, "region": None},
            [
                "remote.project: missing; name the project of Google Cloud",
                "remote.region: missing; name the region of Vertex AI, such as europe-west4",
            ],
        ),
        (
            "vertex",
            {"root": "hdfs://host/runs"},
            [
                "remote.root: 'hdfs://host/runs'; Vertex AI has artifacts in a bucket: name a folder such as "
                "gs://bucket/runs"
            ],
        ),
        (
            "vertex",
            {"files": "/mnt/runs"},
            ["remote.files: '/mnt/runs'; Vertex AI mounts no volumes: name a folder such as gs://bucket/runs"],
        ),
        (
            "kubeflow",
            {"token_file": "/no/such/file"},
            ["remote.token_file: no file '/no/such/file'; name one with a token, or leave it out"],
        ),
        (
            "kubeflow",
            {"classifier": "/runs/model/7"},
            ["remote.classifier: '/runs/model/7' is a place on this machine; name a URI that the containers can open"],
        ),
        (
            "kubeflow",
            {"root": "/mnt/runs", "files": "gs://bucket/runs"},
            ["remote.root: '/mnt/runs'; Kubeflow has artifacts in gs://, minio:// or s3://: name a folder there"],
        ),
        (
            "kubeflow",
            {"files": "/mnt/runs"},
            [
                "remote.files: '/mnt/runs' is on no volume that all steps mount; set resources.all.volumes, from the "
                "name of a claim to the path"
            ],
        ),
        ("vertex", {"root": "gs://"}, ["remote.root: 'gs://' names no bucket; name a folder such as gs://bucket/runs"]),
        (
            "kubeflow",
            {"baselines": "{pets: 'gs://bucket/model'}"},
            ["remote.baselines: 'pets' is not one of the targets digits"],
        ),
        (
            "kubeflow",
            {"project": None, "beam": "{runner: dataflow}"},
            ["remote.beam.all.project: missing; set it, or what stands for it in remote"],
        ),
        (
            "kubeflow",
            {"root": "minio://mlpipeline/runs", "files": "gs://bucket/runs", "beam": FLINK},
            [
                "remote.beam.all.runner: 'flink', but its workers cannot open 'minio://mlpipeline/runs', which "
                "Kubeflow copies into the steps' pods: set remote.root to a folder such as gs://bucket/runs"
            ],
        ),
    ],
    ids=[
        "image",
        "host",
        "project and region",
        "root",
        "files",
        "token_file",
        "classifier",
        "root on a volume",
        "no volume",
        "no bucket",
        "baselines",
        "dataflow's project",
        "flink's workers",
    ],
)
def test_what_a_place_lacks(backend, remote, expected):
    assert errors(backend, **remote) == expected


@pytest.mark.parametrize(
    ("backend", "endpoint", "others", "expected"),
    [
        ("vertex", "digits: {image: i, accelerator: nvidia-l4, count: 2}", {}, []),
        ("kubeflow", "digits: {image: i, credentials: metadata}", {}, []),
        ("vertex", "pets: {image: i}", {}, ["remote.endpoints: 'pets' is not one of the targets digits"]),
        (
            "kubeflow",
            "digits: {image: i}",
            {"project": None, "region": None},
            [
                "remote.project: missing; name the project of Google Cloud, since there are endpoints",
                "remote.region: missing; name the region of Vertex AI, such as europe-west4, since there are endpoints",
                "remote.endpoints.digits.credentials: missing; name the file of a service account's key, which "
                "resources.digits-pusher.secrets mounts, or write metadata if Google's nodes give the pod an identity",
            ],
        ),
        (
            "kubeflow",
            "digits: {image: i, credentials: metadata}",
            {"files": "hdfs://host/runs"},
            [
                "remote.files: 'hdfs://host/runs'; an endpoint takes its model from a bucket: name a folder such as "
                "gs://bucket/runs"
            ],
        ),
        (
            "kubeflow",
            "digits: {image: i, credentials: /etc/keys/key.json}",
            {},
            [
                "remote.endpoints.digits.credentials: '/etc/keys/key.json' is in no folder of "
                "resources.digits-pusher.secrets; mount the secret that has it there"
            ],
        ),
        (
            "vertex",
            "digits: {image: i, credentials: metadata}",
            {},
            [
                "remote.endpoints.digits.credentials: 'metadata'; on Vertex AI the steps have an account, "
                "remote.service_account: leave it out"
            ],
        ),
        (
            "vertex",
            "digits: {image: i, accelerator: nvidia-l5}",
            {},
            [
                "remote.endpoints.digits.accelerator: 'nvidia-l5' is unknown (did you mean 'nvidia-l4'?); choose from "
                f"{', '.join(ACCELERATORS)}"
            ],
        ),
        (
            "vertex",
            "digits: {image: i, accelerator: tpu-v5e}",
            {},
            ["remote.endpoints.digits.accelerator: 'tpu-v5e'; an endpoint has GPUs: choose one"],
        ),
        (
            "vertex",
            "digits: {image: i, accelerator: nvidia-tesla-t4, count: 3}",
            {},
            ["remote.endpoints.digits.count: 3; machines with nvidia-tesla-t4 have 1, 2, 4"],
        ),
    ],
    ids=[
        "nothing on Vertex AI",
        "nothing on Kubeflow",
        "target",
        "project, region and credentials",
        "files",
        "no such secret",
        "credentials on Vertex AI",
        "accelerator",
        "TPU",
        "count",
    ],
)
def test_what_an_endpoint_lacks(backend, endpoint, others, expected):
    assert errors(backend, endpoints=f"{{{endpoint}}}", **others) == expected


def test_an_endpoint_needs_a_pushed_model_and_an_id():
    endpoints = "{digits: {image: i}}"
    assert errors("vertex", "targets.digits.push=null", endpoints=endpoints) == [
        "remote.endpoints.digits: no model of 'digits' is pushed; set targets.digits.push, or leave the endpoint out"
    ]
    assert errors("vertex", f"name={'a' * 57}", endpoints=endpoints) == [
        f"remote.endpoints.digits.name: '{'a' * 57}-digits' is no id of an endpoint, which has at most 63 characters "
        "and ends with one of a-z, 0-9; set another one"
    ]
    assert errors("vertex", f"name={'a' * 57}", endpoints="{digits: {image: i, name: digits}}") == []
    assert len(errors("vertex", endpoints="{digits: {image: i, name: digits-}}")) == 1


def test_two_targets_with_one_endpoint():
    config = yaml.safe_load(pathlib.Path(DEMO).read_text(encoding="utf-8"))
    other = f"targets.others={json.dumps(config['targets']['digits'])}"
    both = "{digits: {image: i, name: one}, others: {image: i, name: one}}"
    assert errors("vertex", other, endpoints=both) == [
        "remote.endpoints.others.name: 'one' is that of 'digits', too; name an endpoint of its own"
    ]


def test_a_key_that_a_secret_mounts():
    endpoints = "{digits: {image: i, credentials: /etc/keys/key.json}}"
    assert errors("kubeflow", "resources={Pusher: {secrets: {key: /etc/keys}}}", endpoints=endpoints) == []
    assert len(errors("kubeflow", "resources={Trainer: {secrets: {key: /etc/keys}}}", endpoints=endpoints)) == 1


def test_what_has_an_endpoint_is_pushed_to_a_bucket():
    whole = ", ".join(f"{key}: {value}" for key, value in WHOLE.items())
    config = load(DEMO, [f"remote={{{whole}, endpoints: {{digits: {{image: i}}}}}}"])
    checks.check_parameters(config, {"push_destination_digits": "gs://other/digits", "n": 7})
    with pytest.raises(ValueError, match=r"^--parameter: push_destination_digits = '/mnt/digits'; digits has an endp"):
        checks.check_parameters(config, {"push_destination_digits": "/mnt/digits"})


def test_what_is_needed_only_to_send():
    assert errors("kubeflow", host=None, token_file="/no/such/file", sending=False) == []


def test_no_section_remote():
    with pytest.raises(ValueError, match=r"^remote: missing; it says where a run on a cluster has its files"):
        checks.check(load(DEMO, []), "vertex")


def test_data_on_this_machine(tmp_path):
    (tmp_path / "owl").mkdir()
    found = errors(
        "vertex",
        f"source={{folder: '{tmp_path}', splits: {{train: 0.9, eval: 0.1}}, hierarchy: '{tmp_path}/tree.csv'}}",
        "targets.digits.data={dataset: cifar10, splits: {train: train, eval: test}}",
    )
    here = "is nothing that the containers can open; name a URI that begins with one of gs://, hdfs://, ram://"
    assert found == [
        f"source.hierarchy.file: '{tmp_path}/tree.csv' {here}",
        f"source.folder: '{tmp_path}' {here}",
        "targets.digits.data.data_dir: missing; name the URI of the folder in which 'cifar10' is prepared",
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["remote={root: runs}"],
            r"remote\.root: 'runs': this is a place on this machine; begin",
        ),
        (["remote={root: 'minio://mlpipeline/v2'}"], r"root: TensorFlow cannot open 'minio://mlpipeline/v2'"),
        (
            ["remote={root: 'gs://b/r', files: 's3://b/r'}"],
            r"remote\.files: 's3://b/r': this is a place on this machine",
        ),
        (["remote={root: 'gs://b/r', image: 'a b'}"], r"image: 'a b': this is not the name of a container image"),
        (["resources={Trainer: {memory: lots}}"], r"resources\.Trainer\.memory"),
        (
            ["remote={root: 'gs://b/r', endpoints: {digits: {image: i, min_replicas: 3, max_replicas: 2}}}"],
            r"remote\.endpoints\.digits: .*max_replicas: 2 is below min_replicas, 3; raise it",
        ),
        (
            ["remote={root: 'gs://b/r', endpoints: {digits: {image: i, name: Digits}}}"],
            r"remote\.endpoints\.digits\.name: 'Digits'",
        ),
        (["remote={root: 'gs://b/r', endpoints: {digits: {image: a b}}}"], r"image: 'a b': this is not the name of"),
        (["remote={root: 'gs://b/r', endpoints: {digits: {}}}"], r"remote\.endpoints\.digits\.image"),
    ],
    ids=[
        "a path",
        "minio alone",
        "s3 for files",
        "image",
        "memory",
        "replicas",
        "name of an endpoint",
        "image of an endpoint",
        "an endpoint without an image",
    ],
)
def test_what_no_cluster_takes(overrides, message):
    with pytest.raises(ValueError, match=message):
        load(DEMO, overrides)


def test_a_volume_that_all_steps_mount():
    everywhere = "resources={all: {volumes: {claim: /mnt}}}"
    assert errors("kubeflow", everywhere, files="/mnt/runs") == []
    assert len(errors("kubeflow", everywhere, files="/mnts/runs")) == 1


@pytest.mark.parametrize("name", ["7pets", "-pets", "p" * 61], ids=["digit", "minus", "long"])
def test_names(name):
    (line,) = errors("vertex", f"name={name}")
    assert line.startswith(f"name: '{name}'; on a cluster it begins with a letter and has at most 60 characters")


def test_a_classifier_that_is_there_and_one_for_each_seed():
    config = load(DEMO, ["remote={root: gs://b77/r, image: i, project: p, region: r, classifier: gs://b77/model}"])
    checks.check(config, "vertex")  # the demo's compare.vary says nothing of a run
    with pytest.raises(ValueError, match=r"^remote\.classifier: there is one, but compare\.vary trains one"):
        checks.check(config, "vertex", comparison=True)
