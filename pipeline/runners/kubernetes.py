"""What only Kubernetes understands of a step: nodes, volumes and secrets, as kfp-kubernetes' message says it."""

from typing import Any

from google.protobuf import json_format

from pipeline.config.remote import Resources
from pipeline.runners import resources


def executor_config(wanted: Resources, node: str) -> dict[str, Any]:
    """Returns the KubernetesExecutorConfig of a step, as JSON; empty: nothing is wanted.

    Raises:
      ValueError: the installed kfp-kubernetes has no tolerations.
    """
    from kfp.kubernetes import kubernetes_executor_config_pb2 as messages

    config = messages.KubernetesExecutorConfig()
    config.node_selector.labels.update(resources.node_selector(wanted))
    if not config.node_selector.labels:
        config.ClearField("node_selector")
    for claim, path in sorted(wanted.volumes.items()):
        config.pvc_mount.add(constant=claim, mount_path=path)
    for secret, path in sorted(wanted.secrets.items()):
        config.secret_as_volume.add(secret_name=secret, mount_path=path)
    if wanted.tolerations and not hasattr(config, "tolerations"):
        raise ValueError(
            f"resources.{node}.tolerations: the kfp-kubernetes of lane tfx-1.16 has none; use lane tfx-1.21, or choose "
            "nodes without taints by node_selector"
        )
    for key, toleration in sorted(wanted.tolerations.items()):
        operator = "Exists" if toleration.value is None else "Equal"
        config.tolerations.add(key=key, operator=operator, **toleration.model_dump(exclude_none=True))
    return json_format.MessageToDict(config)
