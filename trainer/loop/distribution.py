"""Distribution strategies by name, and what the processes that train one model together have to agree upon."""

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
    """The processes that train together, and which of them this one is, as `TF_CONFIG` tells it.

    Attributes:
      addresses: host:port by kind of task, 'chief' and 'worker'.
      task_type, task_index: which of them this process is.
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
    """Returns the cluster that `TF_CONFIG` describes, as Vertex AI and Kubeflow write it; None: there is none.

    Raises:
      ValueError: TF_CONFIG is not JSON, or asks for what this trainer does not do.
    """
    text = environment.get("TF_CONFIG")
    if not text:
        return None
    try:
        content = json.loads(text)
        # Both call the chief `master` in older versions, and give further keys of their own.
        jobs = {{"master": "chief"}.get(job, job): list(hosts) for job, hosts in content.get("cluster", {}).items()}
        task = content.get("task", {})
        kind, index = {"master": "chief"}.get(task.get("type"), task.get("type")), int(task.get("index", 0))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"TF_CONFIG: {text!r} does not describe a cluster: {error}") from error
    if not any(jobs.values()):
        return None
    if jobs.get("ps") or kind in ("ps", "evaluator"):
        raise ValueError(
            f"TF_CONFIG: task {kind!r} of a cluster of {', '.join(jobs)}; parameter servers and evaluators have no "
            "part in this training: ask for a chief and workers only"
        )
    addresses = {job: hosts for job, hosts in jobs.items() if hosts and job in ("chief", "worker")}
    if kind not in addresses or not 0 <= index < len(addresses[kind]):
        raise ValueError(f"TF_CONFIG: task {kind!r} {index} is not one of the cluster's, {addresses}")
    return Cluster(addresses, kind, index)


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy `name`.

    `auto` is `tpu` where TPU_NAME is set, `multi_worker` where TF_CONFIG names several processes, `mirrored` where
    there are several GPUs, else the one device that TensorFlow would choose. `mirrored` uses all GPUs, or all logical
    CPU devices where there is no GPU; `multi_worker` all GPUs of each process of TF_CONFIG, or its CPU; `tpu` the TPU
    of the name TPU_NAME, or that of this machine.

    `multi_worker` and `tpu` are for the whole process, and have to be made before TensorFlow does anything.

    Raises:
      ValueError: the name is unknown, the devices are not there, or TF_CONFIG names processes that `name` leaves alone.
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
            f"distribution: {name!r} is for one process, and TF_CONFIG names {cluster.size}, which would all train and "
            "write the same; use 'multi_worker' or 'auto'"
        )
    return _MAKERS[name]()


def _one_gpu() -> tf.distribute.Strategy:
    if not tf.config.list_logical_devices("GPU"):
        raise ValueError("distribution: 'one_gpu' needs a GPU, TensorFlow sees none; use 'auto' or 'cpu'")
    return tf.distribute.OneDeviceStrategy("/gpu:0")


def _mirrored() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(f"distribution: 'mirrored' needs at least 2 devices, there is {len(devices)}; use 'auto'")
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
            "distribution: 'multi_worker' has to come before anything else that TensorFlow does in a process. A runner "
            "that starts one for each Trainer does that; for one that does not, as the local one, unset TF_CONFIG "
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
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"distribution: 'tpu' finds no TPU {name!r} ({first}); set TPU_NAME, or use 'auto'") from error


_MAKERS: Mapping[str, Callable[[], tf.distribute.Strategy]] = {
    "cpu": lambda: tf.distribute.OneDeviceStrategy("/cpu:0"),
    "one_gpu": _one_gpu,
    "mirrored": _mirrored,
    "multi_worker": _multi_worker,
    "tpu": _tpu,
}


class Workers:
    """The processes that run a training under `strategy`: each does the same, and one of them writes the results."""

    def __init__(self, strategy: tf.distribute.Strategy):
        several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        cluster = cluster_of() if several else None
        self.count = cluster.size if cluster else 1
        self.is_chief = cluster is None or cluster.is_chief
        local_replicas = strategy.num_replicas_in_sync // self.count

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float64)])
        def total(values: tf.Tensor) -> tf.Tensor:
            shares = strategy.run(lambda value: value / local_replicas, args=(values,))
            return strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None)

        self._total = total

    def mean(self, values: Sequence[float]) -> np.ndarray:
        """Returns the mean of what each process gives, float64; the same in all of them. All have to call it."""
        if self.count == 1:
            return np.asarray(values, np.float64)
        return self._total(tf.constant(values, tf.float64)).numpy() / self.count

    def agree(self, value: int) -> bool:
        """Returns whether all processes give the same value; the same in all of them. All have to call it."""
        differs = self.mean([float(value)])[0] != value
        return bool(self.mean([float(differs)])[0] == 0)

    def wait(self) -> None:
        """Returns once all processes have called it."""
        self.mean([0.0])
