"""Registers a pushed version in the Model Registry of Vertex AI, and lets an endpoint serve it.

TFX has a Pusher for Vertex AI, too (`tfx.extensions.google_cloud_ai_platform.pusher`). It is not used: it pushes to no
folder, uploads a new model without versions each time, also when a step begins again, and leaves the old ones deployed.

The names of all that is made follow from what is asked for: ids of the two resources, the alias of a version, the id of
a deployed model. So what an earlier attempt has made is found, and what it has begun is awaited.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.cloud import aiplatform_v1 as vertex
from google.longrunning import operations_pb2

from components.pusher.endpoint import VertexEndpoint

_LONGEST_SECONDS = 2 * 3600  # Vertex AI takes some 20 minutes to deploy a model
_POLLING_SECONDS = 10


def serve(endpoint: VertexEndpoint, saved_model: str) -> str:
    """Lets an endpoint serve a SavedModel, and no other version of the same model.

    The version gets the traffic when it serves; then the others are undeployed. Models that somebody else has deployed
    there keep their traffic.

    Args:
      endpoint: the endpoint, which is made if it is not there.
      saved_model: URI of the version's folder in a bucket.

    Returns:
      The full name of the endpoint.

    Raises:
      google.api_core.exceptions.GoogleAPICallError: Vertex AI refuses it, or fails.
    """
    options = ClientOptions(
        api_endpoint=f"{endpoint.region}-aiplatform.googleapis.com", credentials_file=endpoint.credentials_file
    )
    version = _register(vertex.ModelServiceClient(client_options=options), endpoint, saved_model)
    return _deploy(
        vertex.EndpointServiceClient(client_options=options), endpoint, version, os.path.basename(saved_model)
    )


def _register(client: vertex.ModelServiceClient, endpoint: VertexEndpoint, saved_model: str) -> str:
    """Returns the full name of a registered version, `…/models/<name>@<version>`."""
    model = client.model_path(endpoint.project, endpoint.region, endpoint.name)
    _await_operations(client, model)
    found = _find(client.get_model, name=f"{model}@{alias_of(endpoint, saved_model)}")
    if found is not None:
        return f"{model}@{found.version_id}"
    is_first = _find(client.get_model, name=model) is None
    operation = client.upload_model(make_upload(endpoint, saved_model, is_first=is_first))
    return f"{model}@{operation.result(timeout=_LONGEST_SECONDS).model_version_id}"


def _deploy(client: vertex.EndpointServiceClient, endpoint: VertexEndpoint, version: str, display_name: str) -> str:
    name = client.endpoint_path(endpoint.project, endpoint.region, endpoint.name)
    _await_operations(client, name)
    found = _find(client.get_endpoint, name=name)
    if found is None:
        found = client.create_endpoint(make_endpoint(endpoint)).result(timeout=_LONGEST_SECONDS)
    new = id_of(endpoint, version)
    # Vertex AI may answer with the project's number in place of its name.
    own = {each.id for each in found.deployed_models if _model_id(each.model) == endpoint.name}
    others = {key: share for key, share in found.traffic_split.items() if share and key not in own}
    if new not in own:
        client.deploy_model(make_deployment(endpoint, version, display_name, others)).result(timeout=_LONGEST_SECONDS)
    for old in sorted(own - {new}):
        request = vertex.UndeployModelRequest(
            endpoint=name, deployed_model_id=old, traffic_split=split_traffic(new, others)
        )
        client.undeploy_model(request).result(timeout=_LONGEST_SECONDS)
    return name


def make_upload(endpoint: VertexEndpoint, saved_model: str, *, is_first: bool) -> vertex.UploadModelRequest:
    """Returns the request that registers a version, as a new model if it `is_first`."""
    model = vertex.Model(
        display_name=endpoint.name,
        artifact_uri=saved_model,
        container_spec=vertex.ModelContainerSpec(image_uri=endpoint.image),
        version_aliases=["default", alias_of(endpoint, saved_model)],
        version_description=saved_model,
        encryption_spec=_encryption(endpoint),
    )
    parent = _parent(endpoint)
    if is_first:
        return vertex.UploadModelRequest(parent=parent, model_id=endpoint.name, model=model)
    return vertex.UploadModelRequest(parent=parent, parent_model=f"{parent}/models/{endpoint.name}", model=model)


def make_endpoint(endpoint: VertexEndpoint) -> vertex.CreateEndpointRequest:
    """Returns the request that makes an endpoint."""
    return vertex.CreateEndpointRequest(
        parent=_parent(endpoint),
        endpoint=vertex.Endpoint(display_name=endpoint.name, encryption_spec=_encryption(endpoint)),
        endpoint_id=endpoint.name,
    )


def make_deployment(
    endpoint: VertexEndpoint, version: str, display_name: str, others: Mapping[str, int]
) -> vertex.DeployModelRequest:
    """Returns the request that deploys a version.

    Args:
      endpoint: the endpoint.
      version: full name of the registered version.
      display_name: of the deployed model.
      others: ids of the models that stay → their percentages of the traffic.
    """
    return vertex.DeployModelRequest(
        endpoint=f"{_parent(endpoint)}/endpoints/{endpoint.name}",
        deployed_model=vertex.DeployedModel(
            id=id_of(endpoint, version),
            model=version,
            display_name=display_name,
            dedicated_resources=vertex.DedicatedResources(
                machine_spec=vertex.MachineSpec(
                    machine_type=endpoint.machine_type,
                    accelerator_type=endpoint.accelerator_type,
                    accelerator_count=endpoint.accelerator_count,
                ),
                min_replica_count=endpoint.min_replicas,
                max_replica_count=endpoint.max_replicas,
            ),
        ),
        traffic_split=split_traffic("0", others),  # "0" is what is being deployed
    )


def split_traffic(new: str, others: Mapping[str, int]) -> dict[str, int]:
    """Returns id → percentage of the traffic: the `new` model gets what the `others` leave."""
    return {**others, new: 100 - sum(others.values())}


def alias_of(endpoint: VertexEndpoint, saved_model: str) -> str:
    """Returns the alias of a registered version, which says which folder it is and which container serves it."""
    return f"v{os.path.basename(saved_model)}-{_hash(saved_model, endpoint.image)[:8]}"


def id_of(endpoint: VertexEndpoint, version: str) -> str:
    """Returns the id of a deployed model, 10 digits, which says which version it is and on what it runs."""
    machines = endpoint.model_dump_json(
        include={"machine_type", "accelerator_type", "accelerator_count", "min_replicas", "max_replicas"}
    )
    return str(10**9 + int(_hash(version, machines), 16) % (9 * 10**9))


def _await_operations(client: Any, resource: str) -> None:
    """Waits for what an attempt that was interrupted has begun with a model or an endpoint."""
    for operation in _list_operations(client, resource):
        end = time.monotonic() + _LONGEST_SECONDS
        while not operation.done:
            if time.monotonic() > end:
                raise RuntimeError(
                    f"{operation.name} has not ended within {_LONGEST_SECONDS} s; cancel it, and run again"
                )
            time.sleep(_POLLING_SECONDS)
            operation = client.get_operation(operations_pb2.GetOperationRequest(name=operation.name))


def _list_operations(client: Any, resource: str) -> Iterator[operations_pb2.Operation]:
    request = operations_pb2.ListOperationsRequest(name=resource)
    while (page := _find(client.list_operations, request=request)) is not None:
        yield from page.operations
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _find(get: Callable[..., Any], **what: Any) -> Any:
    """Returns what `get` finds; None: there is no such thing."""
    try:
        return get(**what)
    except exceptions.NotFound:
        return None


def _model_id(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0]


def _parent(endpoint: VertexEndpoint) -> str:
    return f"projects/{endpoint.project}/locations/{endpoint.region}"


def _encryption(endpoint: VertexEndpoint) -> vertex.EncryptionSpec | None:
    return vertex.EncryptionSpec(kms_key_name=endpoint.encryption_key) if endpoint.encryption_key else None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
