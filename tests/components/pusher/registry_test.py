"""A version in Vertex AI: the requests field by field, and what happens when an attempt is not the first.

Google's clients are real, and so is what they send; a service in this process answers in place of the network.
"""

import google.auth
import grpc
import pytest
from google.auth import credentials
from google.cloud import aiplatform_v1 as vertex
from google.cloud.aiplatform_v1.services.endpoint_service.transports import EndpointServiceGrpcTransport
from google.cloud.aiplatform_v1.services.model_service.transports import ModelServiceGrpcTransport
from google.longrunning import operations_pb2
from google.protobuf import any_pb2

from components.pusher import registry
from components.pusher.endpoint import VertexEndpoint

PLACE = "projects/pets/locations/europe-west4"
MODEL, ENDPOINT = f"{PLACE}/models/demo-digits", f"{PLACE}/endpoints/demo-digits"
FOLDER = "gs://bucket/runs/serving/digits"
SETTINGS = VertexEndpoint(
    project="pets",
    region="europe-west4",
    name="demo-digits",
    image="registry/serving:1",
    machine_type="g2-standard-24",
    accelerator_type="NVIDIA_L4",
    accelerator_count=2,
    min_replicas=1,
    max_replicas=3,
)


class Refused(grpc.RpcError, grpc.Call):
    """An error as gRPC raises it."""

    def __init__(self, code: grpc.StatusCode):
        self._code = code

    def code(self):
        return self._code

    def details(self):
        return "refused"

    def initial_metadata(self):
        return ()

    trailing_metadata = initial_metadata

    def result(self):
        raise self

    def add_callback(self, callback):
        return False

    def cancel(self):
        return False

    def is_active(self):
        return False

    def time_remaining(self):
        return None


class Service(grpc.Channel):
    """Vertex AI's Model Registry and endpoints. It answers with the number of the project, as Vertex AI may do.

    An operation whose method is in `interrupted` is begun, and then the client is killed; it is done when the service
    has been asked for its state twice.
    """

    def __init__(self):
        self.requests: list = []
        self.models: list[vertex.Model] = []
        self.endpoint: vertex.Endpoint | None = None
        self.interrupted: set[str] = set()
        self._pending: dict[str, list] = {}  # operation → how often it is asked for yet, what it does

    def sent(self, kind: type) -> list:
        return [request for request in self.requests if isinstance(request, kind)]

    def unary_unary(self, method, request_serializer=None, response_deserializer=None, *args, **kwargs):
        name = method.rpartition("/")[2]

        class Call(grpc.UnaryUnaryMultiCallable):
            def __call__(_, request, *args, **kwargs):  # noqa: N805
                answer = getattr(self, f"_{name}")(self._parse(name, request_serializer(request)))
                serialized = type(answer).serialize(answer) if hasattr(answer, "_pb") else answer.SerializeToString()
                return response_deserializer(serialized)

            def with_call(self, request, *args, **kwargs):
                return self(request), None

            def future(self, *args, **kwargs):
                raise NotImplementedError

        return Call()

    def _parse(self, name: str, content: bytes):
        if name in ("ListOperations", "GetOperation"):
            return getattr(operations_pb2, f"{name}Request").FromString(content)
        request = getattr(vertex, f"{name}Request").deserialize(content)
        self.requests.append(request)
        return request

    def _operation(self, method: str, resource: str, act, response) -> operations_pb2.Operation:
        operation = operations_pb2.Operation(name=f"{resource}/operations/{len(self.requests)}")
        if method in self.interrupted:
            self.interrupted.remove(method)
            self._pending[operation.name] = [2, act]
            raise Killed
        act()
        operation.done = True
        packed = any_pb2.Any()
        packed.Pack(type(response).pb(response))
        operation.response.CopyFrom(packed)
        return operation

    def _ListOperations(self, request):
        found = [
            operations_pb2.Operation(name=name, done=not waiting)
            for name, (waiting, _) in self._pending.items()
            if name.startswith(f"{request.name}/")
        ]
        place = int(request.page_token or 0)  # one on each page
        return operations_pb2.ListOperationsResponse(
            operations=found[place : place + 1], next_page_token=str(place + 1) if found[place + 1 :] else ""
        )

    def _GetOperation(self, request):
        entry = self._pending[request.name]
        entry[0] -= 1
        if entry[0] == 0:
            entry[1]()
        return operations_pb2.Operation(name=request.name, done=entry[0] <= 0)

    def _GetModel(self, request):
        name, _, alias = request.name.partition("@")
        assert name == MODEL
        for model in self.models:
            if (alias or "default") in model.version_aliases:
                return model
        raise Refused(grpc.StatusCode.NOT_FOUND)

    def _UploadModel(self, request):
        assert bool(request.model_id) != bool(request.parent_model)
        model = vertex.Model(request.model)
        number = str(len(self.models) + 1)

        def act():
            assert bool(request.parent_model) == bool(self.models)
            for other in self.models:
                other.version_aliases = [each for each in other.version_aliases if each != "default"]
            model.version_id = number
            self.models.append(model)

        response = vertex.UploadModelResponse(model=MODEL, model_version_id=number)
        return self._operation("UploadModel", MODEL, act, response)

    def _GetEndpoint(self, request):
        assert request.name == ENDPOINT
        if self.endpoint is None:
            raise Refused(grpc.StatusCode.NOT_FOUND)
        return self.endpoint

    def _CreateEndpoint(self, request):
        made = vertex.Endpoint(request.endpoint, name=f"{request.parent}/endpoints/{request.endpoint_id}")

        def act():
            assert self.endpoint is None
            self.endpoint = made

        return self._operation("CreateEndpoint", ENDPOINT, act, made)

    def _DeployModel(self, request):
        deployed = vertex.DeployedModel(request.deployed_model)
        deployed.model = deployed.model.partition("@")[0].replace("projects/pets/", "projects/4711/")

        def act():
            assert deployed.id not in [each.id for each in self.endpoint.deployed_models]
            self.endpoint.deployed_models.append(deployed)
            self._set_traffic({deployed.id if key == "0" else key: v for key, v in request.traffic_split.items()})

        return self._operation("DeployModel", ENDPOINT, act, vertex.DeployModelResponse(deployed_model=deployed))

    def _UndeployModel(self, request):
        def act():
            kept = [each for each in self.endpoint.deployed_models if each.id != request.deployed_model_id]
            assert len(kept) == len(self.endpoint.deployed_models) - 1
            self.endpoint.deployed_models = kept
            self._set_traffic(dict(request.traffic_split))

        return self._operation("UndeployModel", ENDPOINT, act, vertex.UndeployModelResponse())

    def _set_traffic(self, split):
        assert sum(split.values()) == 100
        assert split.keys() <= {each.id for each in self.endpoint.deployed_models}
        self.endpoint.traffic_split = split

    def unary_stream(self, *args, **kwargs):
        raise NotImplementedError

    stream_unary = stream_stream = subscribe = unsubscribe = close = unary_stream


class Killed(BaseException):
    """Not an Exception: nothing on the way may handle it."""


@pytest.fixture
def service(monkeypatch) -> Service:
    service = Service()
    hosts = []

    def connect(cls, host, **options):
        hosts.append(host)
        return service

    for transport in (ModelServiceGrpcTransport, EndpointServiceGrpcTransport):
        monkeypatch.setattr(transport, "create_channel", classmethod(connect))
    monkeypatch.setattr(google.auth, "default", lambda **_: (credentials.AnonymousCredentials(), None))
    monkeypatch.setattr(registry.time, "sleep", lambda _: None)
    yield service
    assert set(hosts) == {"europe-west4-aiplatform.googleapis.com:443"}


def test_the_first_version(service):
    assert registry.serve(SETTINGS, f"{FOLDER}/1700000007") == ENDPOINT
    (upload,) = service.sent(vertex.UploadModelRequest)
    alias = registry.alias_of(SETTINGS, f"{FOLDER}/1700000007")
    assert upload == vertex.UploadModelRequest(
        parent=PLACE,
        model_id="demo-digits",
        model={
            "display_name": "demo-digits",
            "artifact_uri": f"{FOLDER}/1700000007",
            "container_spec": {"image_uri": "registry/serving:1"},
            "version_aliases": ["default", alias],
            "version_description": f"{FOLDER}/1700000007",
        },
    )
    (create,) = service.sent(vertex.CreateEndpointRequest)
    assert create == vertex.CreateEndpointRequest(
        parent=PLACE, endpoint_id="demo-digits", endpoint={"display_name": "demo-digits"}
    )
    (deploy,) = service.sent(vertex.DeployModelRequest)
    (deployed,) = service.endpoint.deployed_models
    assert deploy == vertex.DeployModelRequest(
        endpoint=ENDPOINT,
        deployed_model={
            "id": deployed.id,
            "model": f"{MODEL}@1",
            "display_name": "1700000007",
            "dedicated_resources": {
                "machine_spec": {
                    "machine_type": "g2-standard-24",
                    "accelerator_type": "NVIDIA_L4",
                    "accelerator_count": 2,
                },
                "min_replica_count": 1,
                "max_replica_count": 3,
            },
        },
        traffic_split={"0": 100},
    )
    assert service.endpoint.traffic_split == {deployed.id: 100}


def test_ids_are_what_vertex_ai_allows():
    version, image = f"{FOLDER}/1700000007", SETTINGS.model_copy(update={"image": "registry/serving:2"})
    aliases = {registry.alias_of(SETTINGS, version), registry.alias_of(image, version)}
    aliases.add(registry.alias_of(SETTINGS, "gs://other/1700000007"))
    assert len(aliases) == 3
    for alias in aliases:
        assert alias.startswith("v1700000007-") and alias[12:].isalnum() and alias.islower()
    larger = SETTINGS.model_copy(update={"max_replicas": 4})
    ids = {registry.id_of(SETTINGS, f"{MODEL}@1"), registry.id_of(SETTINGS, f"{MODEL}@2")}
    ids.add(registry.id_of(larger, f"{MODEL}@1"))
    assert len(ids) == 3
    assert registry.id_of(image, f"{MODEL}@1") in ids
    for number in ids:
        assert number.isdecimal() and len(number) == 10


def test_keys_and_machines_without_accelerators():
    plain = {"machine_type": "n1-standard-4", "accelerator_type": None, "accelerator_count": 0}
    settings = SETTINGS.model_copy(update={**plain, "encryption_key": "projects/pets/key"})
    key = vertex.EncryptionSpec(kms_key_name="projects/pets/key")
    assert registry.make_upload(settings, f"{FOLDER}/7", is_first=True).model.encryption_spec == key
    assert registry.make_endpoint(settings).endpoint.encryption_spec == key
    deployment = registry.make_deployment(settings, f"{MODEL}@1", "7", {})
    machine = deployment.deployed_model.dedicated_resources.machine_spec
    assert machine == vertex.MachineSpec(machine_type="n1-standard-4")


def test_a_second_version_takes_the_traffic_and_then_the_first_goes(service):
    registry.serve(SETTINGS, f"{FOLDER}/1700000007")
    # Somebody else's, which has some of the traffic.
    other = vertex.DeployedModel(id="55", model=f"{PLACE}/models/other")
    (first,) = (each.id for each in service.endpoint.deployed_models)
    service.endpoint.deployed_models.append(other)
    service.endpoint.traffic_split = {first: 70, "55": 30}
    service.requests.clear()
    registry.serve(SETTINGS, f"{FOLDER}/1700000009")
    (upload,) = service.sent(vertex.UploadModelRequest)
    assert (upload.model_id, upload.parent_model) == ("", MODEL)
    assert [model.artifact_uri for model in service.models] == [f"{FOLDER}/1700000007", f"{FOLDER}/1700000009"]
    assert ["default" in model.version_aliases for model in service.models] == [False, True]
    deploy, undeploy = (
        request
        for request in service.requests
        if isinstance(request, vertex.DeployModelRequest | vertex.UndeployModelRequest)
    )
    assert deploy.deployed_model.model == f"{MODEL}@2"
    assert deploy.traffic_split == {"55": 30, "0": 70}
    new = deploy.deployed_model.id
    assert undeploy == vertex.UndeployModelRequest(
        endpoint=ENDPOINT, deployed_model_id=first, traffic_split={"55": 30, new: 70}
    )
    assert {each.id for each in service.endpoint.deployed_models} == {"55", new}
    assert not service.sent(vertex.CreateEndpointRequest)


def test_the_same_again_does_nothing(service):
    registry.serve(SETTINGS, f"{FOLDER}/1700000007")
    service.requests.clear()
    assert registry.serve(SETTINGS, f"{FOLDER}/1700000007") == ENDPOINT
    assert {type(request) for request in service.requests} == {vertex.GetModelRequest, vertex.GetEndpointRequest}


def test_other_machines_replace_what_is_deployed(service):
    registry.serve(SETTINGS, f"{FOLDER}/1700000007")
    registry.serve(SETTINGS.model_copy(update={"max_replicas": 9}), f"{FOLDER}/1700000007")
    assert len(service.models) == 1
    (deployed,) = service.endpoint.deployed_models
    assert deployed.dedicated_resources.max_replica_count == 9


def test_back_to_an_older_version(service):
    for version in ("1700000007", "1700000009", "1700000007"):
        registry.serve(SETTINGS, f"{FOLDER}/{version}")
    assert len(service.models) == 2
    (deployed,) = service.endpoint.deployed_models
    assert deployed.display_name == "1700000007"
    assert service.endpoint.traffic_split == {deployed.id: 100}


@pytest.mark.parametrize(
    ("method", "is_first"),
    [
        ("UploadModel", True),
        ("CreateEndpoint", True),
        ("DeployModel", True),
        ("UploadModel", False),
        ("DeployModel", False),
        ("UndeployModel", False),
    ],
    ids=["register", "make the endpoint", "deploy", "register the next", "deploy the next", "undeploy"],
)
def test_a_step_that_is_killed_and_begins_again_does_nothing_twice(service, method, is_first):
    if not is_first:
        registry.serve(SETTINGS, f"{FOLDER}/1700000005")
    service.requests.clear()
    service.interrupted.add(method)
    with pytest.raises(Killed):
        registry.serve(SETTINGS, f"{FOLDER}/1700000007")
    assert service.interrupted == set()
    registry.serve(SETTINGS, f"{FOLDER}/1700000007")
    assert len(service.sent(vertex.UploadModelRequest)) == 1
    assert len(service.sent(vertex.CreateEndpointRequest)) == (1 if is_first else 0)
    assert len(service.sent(vertex.DeployModelRequest)) == 1
    assert len(service.sent(vertex.UndeployModelRequest)) == (0 if is_first else 1)
    (deployed,) = service.endpoint.deployed_models
    assert deployed.display_name == "1700000007"
    assert service.endpoint.traffic_split == {deployed.id: 100}
