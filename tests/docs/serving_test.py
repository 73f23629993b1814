"""The manifests of docs/serving/: fields that Kubernetes and KServe know, and paths that are those of a run."""

import json
import pathlib
import re
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.config.load import load
from pipeline.place import Place

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "serving"
SCHEMA = pathlib.Path(__file__).with_name("inference_service.schema.json")
# The arguments of a run that the manifests are for.
REMOTE = "remote={root: gs://my-bucket/specialist}"


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def pushed() -> str:
    """The folder that the Pusher of the target `digits` writes its versions to."""
    config = load(str(ROOT / "pipeline" / "configs" / "demo.yaml"), [REMOTE])
    assert "digits" in config.targets
    return Place.remote(config, {}).serving_of("digits")


def build(kind: str, value: Any) -> Any:
    """Returns an object of Kubernetes' client; fails on a field that the API has not, or that is missing."""
    client = pytest.importorskip("kubernetes").client
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        return [build(match[1], each) for each in value]
    if match := re.fullmatch(r"dict\(str, (.*)\)", kind):
        return {key: build(match[1], each) for key, each in value.items()}
    if kind in ("str", "int", "bool"):
        assert type(value).__name__ == kind, f"{value!r} is no {kind}"
        return value
    if kind == "object":  # a number or a text
        return value
    cls = getattr(client, kind)
    names = {key: name for name, key in cls.attribute_map.items()}
    assert value.keys() <= names.keys(), f"{kind} has no {', '.join(value.keys() - names.keys())}"
    return cls(**{names[key]: build(cls.openapi_types[names[key]], each) for key, each in value.items()})


def test_tensorflow_serving_on_kubernetes(pushed):
    deployment, service = read("tf-serving.yaml")
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    deployed, found = build("V1Deployment", deployment), build("V1Service", service)
    pod = deployed.spec.template
    assert pod.metadata.labels.items() >= deployed.spec.selector.match_labels.items() == found.spec.selector.items()
    (container,) = pod.spec.containers
    arguments = dict(argument.removeprefix("--").split("=") for argument in container.args)
    assert arguments["model_base_path"] == pushed
    assert arguments["model_name"] == pathlib.PurePosixPath(pushed).name == found.metadata.name
    ports = {port.name: port.container_port for port in container.ports}
    assert ports == {"grpc": int(arguments["port"]), "rest": int(arguments["rest_api_port"])}
    assert {port.target_port: port.port for port in found.spec.ports} == ports
    probe = container.readiness_probe.http_get
    assert (probe.path, probe.port) == (f"/v1/models/{arguments['model_name']}", "rest")


def test_kserve(pushed):
    (service,) = read("kserve.yaml")
    jsonschema.validate(service, json.loads(SCHEMA.read_text(encoding="utf-8")))
    model = service["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["storageUri"] == pushed
    assert service["metadata"]["name"] == pathlib.PurePosixPath(pushed).name


@pytest.mark.parametrize(
    "path",
    [("kind",), ("spec", "predictor", "model", "modelFormat"), ("spec", "predictor", "model", "modelFormat", "name")],
    ids=".".join,
)
def test_the_schema_of_kserve_misses_nothing(path):
    (service,) = read("kserve.yaml")
    part = service
    for key in path[:-1]:
        part = part[key]
    part[f"{path[-1]}s"] = part.pop(path[-1])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(service, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_kubernetes_objects_with_mistakes_are_refused():
    deployment, _ = read("tf-serving.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["port"] = 8500
    with pytest.raises(AssertionError, match="V1Container has no port"):
        build("V1Deployment", deployment)
    del deployment["spec"]["template"]["spec"]["containers"][0]["port"]
    del deployment["spec"]["selector"]
    with pytest.raises(ValueError, match="selector"):
        build("V1Deployment", deployment)


def test_the_requests_of_the_page_are_for_these_servers():
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    names = re.findall(r"/v1/models/([\w-]+):predict", text)
    assert len(names) >= 2 and set(names) == {"digits"}
    for manifest in FOLDER.glob("*.yaml"):
        assert f"(serving/{manifest.name})" in text
