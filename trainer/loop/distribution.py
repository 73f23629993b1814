"""Distribution strategies by name, and communication between the processes that train one model together."""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import numpy as np
import tensorflow as tf

from trainer.recipes import Distribution


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together, as `TF_CONFIG` describes them.

    Attributes:
      addresses: task type, 'chief' or 'worker' → its host:port addresses.
      task_type, task_index: the task of this process.
    """

    addresses: Mapping[str, Sequence[str]]
    task_type: str
    task_index: int

    @property
    def size(self) -> int:
        """The number of processes."""
        return sum(len(hosts) for hosts in self.addresses.values())

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the results: the chief, or the first worker of a cluster without one."""
        return self.task_type == ("chief" if "chief" in self.addresses else "worker") and self.task_index == 0


def cluster_of(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Returns the cluster that `TF_CONFIG` describes, as Vertex AI and Kubeflow write it, or None without one.

    Raises:
      ValueError: TF_CONFIG is not JSON, or has tasks that this trainer does not support.
    """
    text = environment.get("TF_CONFIG")
    if not text:
        return None
    try:
        content = json.loads(text)
        # Older versions of both call the chief `master`; both add keys of their own.
        jobs = {{"master": "chief"}.get(job, job): list(hosts) for job, hosts in content.get("cluster", {}).items()}
        task = content.get("task", {})
        kind, index = {"master": "chief"}.get(task.get("type"), task.get("type")), int(task.get("index", 0))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"TF_CONFIG: {text!r} does not describe a cluster: {error}") from error
    if not any(jobs.values()):
        return None
    if jobs.get("ps") or kind in ("ps", "evaluator"):
        raise ValueError(
            f"TF_CONFIG: task {kind!r} of a cluster of {', '.join(jobs)}; this trainer supports no parameter servers "
            "or evaluators: ask for a chief and workers only"
        )
    addresses = {job: hosts for job, hosts in jobs.items() if hosts and job in ("chief", "worker")}
    if kind not in addresses or not 0 <= index < len(addresses[kind]):
        raise ValueError(
            f"TF_CONFIG: task {kind!r} {index} is not in the cluster {addresses}; correct its task or cluster"
        )
    return Cluster(addresses, kind, index)


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy `name`.

    `auto` is `tpu` where TPU_NAME is set, `multi_worker` where TF_CONFIG names several processes, `mirrored` where
    there are several GPUs, else the one device that TensorFlow would choose. `mirrored` uses all GPUs, or all logical
    CPU devices where there is no GPU; `multi_worker` uses all GPUs of each process of TF_CONFIG, or its CPU; `tpu` uses
    the TPU named TPU_NAME, or that of this machine.

    `multi_worker` and `tpu` hold for the whole process, and have to be made before TensorFlow does anything.

    Raises:
      ValueError: the name is unknown, the devices are missing, or TF_CONFIG names several processes and `name` is for
        one.
    """
    cluster = cluster_of()
    if name == "auto":
        if os.environ.get("TPU_NAME"):
            name = "tpu"
        elif cluster and cluster.size > 1:
            name = "multi_worker"
        elif len(tf.config.list_physical_devices("GPU")) > 1:
            name = "mirrored"
        else:
            return tf.distribute.get_strategy()
    if name not in _MAKERS:
        raise ValueError(f"distribution: {name!r}; must be one of {', '.join(get_args(Distribution))}")
    if cluster and cluster.size > 1 and name in ("cpu", "one_gpu", "mirrored"):
        raise ValueError(
            f"distribution: {name!r} is for one process, but TF_CONFIG names {cluster.size}, which would all train and "
            "write the same model; use 'multi_worker' or 'auto'"
        )
    return _MAKERS[name]()


def _one_gpu() -> tf.distribute.Strategy:
    if not tf.config.list_logical_devices("GPU"):
        raise ValueError("distribution: 'one_gpu' needs a GPU, but TensorFlow finds none; use 'auto' or 'cpu'")
    return tf.distribute.OneDeviceStrategy("/gpu:0")


def _mirrored() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(f"distribution: 'mirrored' needs at least 2 devices, but finds {len(devices)}; use 'auto'")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@functools.cache
def _multi_worker() -> tf.distribute.Strategy:
    cluster = cluster_of()
    if cluster is None:
        raise ValueError("distribution: 'multi_worker' needs the environment variable TF_CONFIG; use 'auto' without it")
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(dict(cluster.addresses)),
        task_type=cluster.task_type,
        task_id=cluster.task_index,
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise ValueError(
            "distribution: 'multi_worker' has to be made before TensorFlow does anything else in the process. Use a "
            "runner that starts a process for each Trainer; with the local runner, unset TF_CONFIG "
            f"({error})"
        ) from error


@functools.cache
def _tpu() -> tf.distribute.Strategy:
    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"distribution: 'tpu' finds no TPU {name!r} ({reason}); set TPU_NAME, or use 'auto'"
        ) from error


_MAKERS: Mapping[str, Callable[[], tf.distribute.Strategy]] = {
    "cpu": lambda: tf.distribute.OneDeviceStrategy("/cpu:0"),
    "one_gpu": _one_gpu,
    "mirrored": _mirrored,
    "multi_worker": _multi_worker,
    "tpu": _tpu,
}


class Workers:
    """The processes of a training under `strategy`. All do the same, and the chief writes the results."""

    def __init__(self, strategy: tf.distribute.Strategy):
        is_multi_worker = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        cluster = cluster_of() if is_multi_worker else None
        self.count = cluster.size if cluster else 1
        self.is_chief = cluster is None or cluster.is_chief
        local_replicas = strategy.num_replicas_in_sync // self.count

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float64)])
        def total(values: tf.Tensor) -> tf.Tensor:
            shares = strategy.run(lambda value: value / local_replicas, args=(values,))
            return strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None)

        self._total = total

    def mean(self, values: Sequence[float]) -> np.ndarray:
        """Returns the mean of each value over the processes, float64 [len(values)]. All processes have to call it."""
        if self.count == 1:
            return np.asarray(values, np.float64)
        return self._total(tf.constant(values, tf.float64)).numpy() / self.count

    def agree(self, value: int) -> bool:
        """Returns whether all processes give the same value. All processes have to call it."""
        differs = self.mean([float(value)])[0] != value
        return bool(self.mean([float(differs)])[0] == 0)

    def wait(self) -> None:
        """Waits until all processes have called it."""
        self.mean([0.0])
