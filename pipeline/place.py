"""Where the files of a run are and what runs its nodes: all that differs between this machine and a cluster."""

import dataclasses
import os
from collections.abc import Mapping
from typing import TypeVar

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import data_types

from components.pusher.endpoint import VertexEndpoint
from pipeline import metadata_file
from pipeline.config.accelerators import make_machine_spec
from pipeline.config.run import Config

_PLAIN_MACHINE = "n1-standard-4"  # of an endpoint
Value = TypeVar("Value", int, str)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the files of a run are. Each is a path on this machine, or a URI that the containers of a cluster can open.

    Nothing is created when a place is made, nor when a pipeline for it is.

    Attributes:
      artifacts: root of all artifacts.
      files: root of all else that a run has: what follows, and on a cluster the records.
      checkpoints: root of the trainings' checkpoints, and of the policy by which they are written.
      working: root of the folders in which an ingestion keeps what it needs to go on after an interruption.
      serving: root of the folders that model servers watch; each has the name of a target.
      metadata: how this process reaches the metadata; None: the cluster has its own.
      resolvers: whether nodes may choose among results of earlier runs; no cluster runs a Resolver of ours.
      beam: whether the nodes say what does the work of their Beam jobs; on a cluster their tasks do.
      parameters: names of settings that are parameters of the pipeline, to be changed from run to run: `seed`, `n`,
        `classifier_steps`, `pretrain_steps`, `finetune_steps`, and `push_destination_<target>`.
      baselines: target → URI of the Model that a new one is compared with, where there are no Resolvers.
      classifier: URI of a source classifier that is there already; None: it is trained.
      endpoints: target → the endpoint of Vertex AI that serves what is pushed.
    """

    artifacts: str
    files: str
    checkpoints: str
    working: str
    serving: str
    metadata: mlmd.ConnectionConfig | None = None
    resolvers: bool = True
    beam: bool = True
    parameters: frozenset[str] = frozenset()
    baselines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    classifier: str | None = None
    endpoints: Mapping[str, VertexEndpoint] = dataclasses.field(default_factory=dict)

    @classmethod
    def local(cls, workspace: str, state: str | None = None) -> "Place":
        """Returns the place of a run on this machine.

        Args:
          workspace: the absolute path of a folder.
          state: another folder for artifacts and metadata.
        """
        return cls(
            artifacts=os.path.join(state or workspace, "artifacts"),
            files=workspace,
            checkpoints=os.path.join(workspace, "checkpoints"),
            working=os.path.join(workspace, "working"),
            serving=os.path.join(workspace, "serving"),
            metadata=metadata_file.connect(state or workspace),
        )

    @classmethod
    def remote(cls, config: Config, baselines: Mapping[str, str], *, comparison: bool = False) -> "Place":
        """Returns the place of a run on a cluster.

        Args:
          config: the configuration, which has a section `remote`.
          baselines: target → URI of the Model that a new one is compared with.
          comparison: whether it is a comparison, whose cells have seeds of their own.
        """
        remote = config.require_remote()
        files = remote.files_root
        parameters = {"n", "classifier_steps", "pretrain_steps", "finetune_steps"}
        if config.trained_classifier is None:
            parameters -= {"classifier_steps"}
        used = {name for target in config.targets.values() for name in target.arms}
        if comparison or any(isinstance(config.arm(name).steps, str) for name in used):
            # The steps of some arms are multiples of these, which are fixed when the pipeline is compiled.
            parameters -= {"classifier_steps", "pretrain_steps"}
        if not comparison:
            parameters |= {"seed", *(f"push_destination_{name}" for name in config.targets)}
        return cls(
            artifacts=remote.root,
            files=files,
            checkpoints=os.path.join(files, "checkpoints", config.name),
            working=os.path.join(files, "working", config.name),
            serving=os.path.join(files, "serving"),
            resolvers=False,
            beam=False,
            parameters=frozenset(parameters),
            baselines=baselines,
            classifier=remote.classifier,
            endpoints={name: _make_endpoint(config, name) for name in remote.endpoints},
        )

    def checkpoints_of(self, node: str) -> str:
        """Returns the folder of a training's checkpoints."""
        return os.path.join(self.checkpoints, node)

    def working_of(self, node: str) -> str:
        """Returns the working folder of an ingestion."""
        return os.path.join(self.working, node)

    def serving_of(self, target: str) -> str:
        """Returns the folder that a server of a target's models watches."""
        return os.path.join(self.serving, target)

    def parameter(self, name: str, value: Value) -> Value | data_types.RuntimeParameter:
        """Returns `value`, or the parameter of the pipeline that has this name, with `value` as its default."""
        if name not in self.parameters:
            return value
        return data_types.RuntimeParameter(name, ptype=type(value), default=value)


def _make_endpoint(config: Config, target: str) -> VertexEndpoint:
    remote = config.require_remote()
    wanted = remote.endpoints[target]
    assert remote.project and remote.region, "checks.py has seen to it"
    return VertexEndpoint(
        project=remote.project,
        region=remote.region,
        name=config.endpoint_name(target),
        image=wanted.image,
        min_replicas=wanted.min_replicas,
        max_replicas=wanted.max_replicas,
        encryption_key=remote.encryption_key,
        credentials_file=None if wanted.credentials == "metadata" else wanted.credentials,
        **make_machine_spec(wanted.machine_type, wanted.accelerator, wanted.count, plain=_PLAIN_MACHINE),
    )
