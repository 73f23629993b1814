"""What a step of a remote run is given, in the words of Kubernetes and of Vertex AI."""

from collections.abc import Mapping
from typing import Any

from pipeline.config.accelerators import ACCELERATORS, check_count, find_accelerator, make_machine_spec
from pipeline.config.remote import Resources
from pipeline.config.steps import ALL

_TRAINER = "Trainer"
# The resource of Kubernetes, and the label of Google's nodes, by which a step gets one.
_KUBERNETES_GPU, _GKE_LABEL = "nvidia.com/gpu", "cloud.google.com/gke-accelerator"
_PLAIN_MACHINE = "n1-standard-8"


def find_resources(configured: Mapping[str, Resources], node: str, component: str) -> Resources:
    """Returns what a node is given: what is said of all, of its component, and of the node itself."""
    found = Resources()
    for key in (ALL, component, node):
        if (more := configured.get(key)) is not None:
            found = found.model_copy(update={name: getattr(more, name) for name in more.model_fields_set})
    return found


def check_resources(wanted: Resources, node: str, component: str, backend: str) -> None:
    """Checks that a backend can give a node what is wanted.

    Args:
      wanted: of the node.
      node: its id.
      component: its class.
      backend: 'kubeflow' or 'vertex'.

    Raises:
      ValueError: it cannot.
    """
    name = f"resources.{node}"
    is_kubernetes = backend == "kubeflow"
    for key in ("node_selector", "tolerations", "volumes", "secrets"):
        if getattr(wanted, key) and not is_kubernetes:
            raise ValueError(f"{name}.{key}: only Kubeflow has it; leave it out for Vertex AI")
    for key, is_set in (("machines", wanted.machines > 1), ("timeout", wanted.timeout is not None)):
        if is_set and is_kubernetes:
            raise ValueError(f"{name}.{key}: {getattr(wanted, key)}; only Vertex AI has it; leave it out for Kubeflow")
        if is_set and component != _TRAINER:
            raise ValueError(f"{name}.{key}: {getattr(wanted, key)}; only a Trainer has it, not a {component}")
    if wanted.machine_type and not is_custom_job(wanted):
        raise ValueError(
            f"{name}.machine_type: {wanted.machine_type!r} is only of a training with several machines, a TPU or a "
            "timeout; set cpu and memory instead"
        )
    if not is_kubernetes and is_custom_job(wanted) and (wanted.cpu or wanted.memory):
        raise ValueError(
            f"{name}: a training with several machines, a TPU or a timeout has no cpu or memory of its own; "
            "leave them out, and set machine_type"
        )
    if wanted.accelerator is None:
        return
    if is_kubernetes and "/" in wanted.accelerator:
        return
    more = ", or the name of a resource of Kubernetes such as amd.com/gpu" if is_kubernetes else ""
    known = find_accelerator(wanted.accelerator, f"{name}.accelerator", more=more)
    if known.is_tpu and is_kubernetes:
        raise ValueError(
            f"{name}.accelerator: {wanted.accelerator!r}; on Kubeflow name the resource, google.com/tpu, and give "
            "node_selector the labels of the TPU's nodes"
        )
    if known.is_tpu and component != _TRAINER:
        raise ValueError(f"{name}.accelerator: {wanted.accelerator!r} is only for a Trainer, not a {component}")
    if not is_kubernetes:
        check_count(wanted.accelerator, wanted.count, f"{name}.count")


def is_custom_job(wanted: Resources) -> bool:
    """Returns whether a training on Vertex AI is a job of its own."""
    known = ACCELERATORS.get(wanted.accelerator or "")
    return wanted.machines > 1 or wanted.timeout is not None or (known is not None and known.is_tpu)


def container_resources(wanted: Resources, backend: str) -> dict[str, Any]:
    """Returns the fields of a container's ResourceSpec in a pipeline."""
    found: dict[str, Any] = {}
    if wanted.cpu:
        found["cpu_limit"] = wanted.cpu
    if wanted.memory:
        found["memory_limit"] = _count_gigabytes(wanted.memory)
    if wanted.accelerator:
        kind = wanted.accelerator
        if backend == "kubeflow":
            kind = kind if "/" in kind else _KUBERNETES_GPU
        else:
            kind = ACCELERATORS[kind].vertex or kind
        found["accelerator"] = {"type": kind, "count": wanted.count}
    return found


def node_selector(wanted: Resources) -> dict[str, str]:
    """Returns the labels of the Kubernetes nodes that a step runs on."""
    labels = {}
    if wanted.accelerator and "/" not in wanted.accelerator:
        labels[_GKE_LABEL] = wanted.accelerator
    return labels | wanted.node_selector


def worker_pools(wanted: Resources, image: str) -> list[dict[str, Any]]:
    """Returns the worker pools of a CustomJob of Vertex AI: that of the chief, and that of all others if there are any.

    Args:
      wanted: checked by `check_resources`.
      image: the container image.
    """
    machine = make_machine_spec(wanted.machine_type, wanted.accelerator, wanted.count, plain=_PLAIN_MACHINE)
    known = ACCELERATORS.get(wanted.accelerator or "")
    # By it the distribution `auto` knows that there is a TPU.
    env = [{"name": "TPU_NAME", "value": "local"}] if known is not None and known.is_tpu else []
    container = {"image_uri": image, "env": env}
    counts = [1, wanted.machines - 1] if wanted.machines > 1 else [1]
    return [
        {"machine_spec": dict(machine), "replica_count": count, "container_spec": dict(container)} for count in counts
    ]


def _count_gigabytes(memory: str) -> float:
    """Returns the 10^9 bytes that a quantity such as 64Gi is."""
    number = memory.rstrip("KMGTi")
    unit = memory[len(number) :]
    power = " KMGT".index(unit[0]) if unit else 0
    return float(number) * (1024 if unit.endswith("i") else 1000) ** power / 1e9
