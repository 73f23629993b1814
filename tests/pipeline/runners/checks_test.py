import pathlib

import pytest

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
        (["remote={root: 'gs://b/r', image: 'a b'}"], r"image: 'a b' is not the name of a container image"),
        (["resources={Trainer: {memory: lots}}"], r"resources\.Trainer\.memory"),
    ],
    ids=["a path", "minio alone", "s3 for files", "image", "memory"],
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
