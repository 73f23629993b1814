"""Accelerators that both backends know, and the machines of Vertex AI that have them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from components.settings import did_you_mean


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """An accelerator that both backends know.

    Attributes:
      vertex: its name in Vertex AI's AcceleratorType; None: its machine type says it.
      machine_types: number of accelerators → Vertex AI's machine that has so many
        (cloud.google.com/vertex-ai/docs/training/configure-compute).
      topology: number of accelerators → the arrangement of a TPU's chips, where Vertex AI asks for it.
    """

    vertex: str | None
    machine_types: Mapping[int, str]
    topology: Mapping[int, str] = dataclasses.field(default_factory=dict)

    @property
    def is_tpu(self) -> bool:
        return self.vertex is None or self.vertex.startswith("TPU")


ACCELERATORS = {
    "nvidia-tesla-t4": Accelerator("NVIDIA_TESLA_T4", {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"}),
    "nvidia-tesla-v100": Accelerator(
        "NVIDIA_TESLA_V100", {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32", 8: "n1-standard-64"}
    ),
    "nvidia-l4": Accelerator(
        "NVIDIA_L4", {1: "g2-standard-12", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"}
    ),
    "nvidia-tesla-a100": Accelerator(
        "NVIDIA_TESLA_A100", {count: f"a2-highgpu-{count}g" for count in (1, 2, 4, 8)} | {16: "a2-megagpu-16g"}
    ),
    "nvidia-a100-80gb": Accelerator("NVIDIA_A100_80GB", {count: f"a2-ultragpu-{count}g" for count in (1, 2, 4, 8)}),
    "nvidia-h100-80gb": Accelerator("NVIDIA_H100_80GB", {count: f"a3-highgpu-{count}g" for count in (1, 2, 4, 8)}),
    "tpu-v2": Accelerator("TPU_V2", {8: "cloud-tpu"}),
    "tpu-v3": Accelerator("TPU_V3", {8: "cloud-tpu"}),
    "tpu-v5e": Accelerator(
        None, {1: "ct5lp-hightpu-1t", 4: "ct5lp-hightpu-4t", 8: "ct5lp-hightpu-8t"}, {1: "1x1", 4: "2x2", 8: "2x4"}
    ),
}


def find_accelerator(name: str, key: str, *, more: str = "") -> Accelerator:
    """Returns the accelerator of that name.

    Args:
      name: of the accelerator.
      key: of the configuration, for the error.
      more: what else may stand there, for the error.

    Raises:
      ValueError: there is none.
    """
    known = ACCELERATORS.get(name)
    if known is None:
        hint = did_you_mean(name, ACCELERATORS, repr)
        raise ValueError(f"{key}: {name!r} is unknown{hint}; choose from {', '.join(ACCELERATORS)}{more}")
    return known


def check_count(name: str, count: int, key: str) -> None:
    """Checks that Vertex AI has machines with `count` of the accelerator `name`.

    Raises:
      ValueError: it has none; the error names `key`.
    """
    known = ACCELERATORS[name]
    if count not in known.machine_types:
        raise ValueError(f"{key}: {count}; machines with {name} have {', '.join(map(str, known.machine_types))}")


def check_gpus(name: str, count: int, what: str, place: str = "") -> None:
    """Checks that Vertex AI and Dataflow have machines with `count` of the GPU `name`.

    Args:
      name: of the accelerator.
      count: number of them in a machine.
      what: has them, for the error.
      place: the section with the keys `accelerator` and `count`, with its last dot, for the error.

    Raises:
      ValueError: there is no such accelerator, it is no GPU, or no machine has so many.
    """
    if find_accelerator(name, f"{place}accelerator").is_tpu:
        raise ValueError(f"{place}accelerator: {name!r}; {what} has GPUs: choose one")
    check_count(name, count, f"{place}count")


def make_machine_spec(machine_type: str | None, accelerator: str | None, count: int, *, plain: str) -> dict[str, Any]:
    """Returns the fields of Vertex AI's MachineSpec.

    Args:
      machine_type: what is configured; None: the one that has the accelerators.
      accelerator: its name, or None.
      count: number of accelerators.
      plain: the machine type if neither is configured.
    """
    known = ACCELERATORS.get(accelerator or "")
    if known is None:
        return {"machine_type": machine_type or plain}
    machine: dict[str, Any] = {"machine_type": machine_type or known.machine_types[count]}
    if known.vertex:
        machine |= {"accelerator_type": known.vertex, "accelerator_count": count}
    if count in known.topology:
        machine["tpu_topology"] = known.topology[count]
    return machine
