"""Where the files of a run are and what runs its nodes: all that differs between this machine and a cluster."""

import dataclasses
import os
from collections.abc import Mapping

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import data_types

import schemas
from pipeline import metadata_file


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the files of a run are. Each is a path on this machine, or a URI that the containers of a cluster can open.

    Nothing is created when a place is made, nor when a pipeline for it is.

    Attributes:
      artifacts: root of all artifacts.
      checkpoints: root of the trainings' checkpoints, and of the policy by which they are written.
      working: root of the folders in which an ingestion keeps what it needs to go on after an interruption.
      serving: root of the folders that model servers watch; each has the name of a target.
      schemas: root of the folders `source` and `target`, each with a `schema.pbtxt`.
      metadata: how this process reaches the metadata; None: the cluster has its own.
      resolvers: whether nodes may choose among results of earlier runs; no cluster runs a Resolver of ours.
      beam: arguments of all Beam jobs; None: those of the configuration, which are for this machine.
      parameters: whether settings that may change from run to run are parameters of the pipeline.
      baselines: target → URI of the Model that a new one is compared with, where there are no Resolvers.
      classifier: URI of a source classifier that is there already; None: it is trained.
    """

    artifacts: str
    checkpoints: str
    working: str
    serving: str
    schemas: str
    metadata: mlmd.ConnectionConfig | None = None
    resolvers: bool = True
    beam: tuple[str, ...] | None = None
    parameters: bool = False
    baselines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    classifier: str | None = None

    @classmethod
    def local(cls, workspace: str, state: str | None = None) -> "Place":
        """Returns the place of a run on this machine.

        Args:
          workspace: the absolute path of a folder.
          state: another folder for artifacts and metadata.
        """
        return cls(
            artifacts=os.path.join(state or workspace, "artifacts"),
            checkpoints=os.path.join(workspace, "checkpoints"),
            working=os.path.join(workspace, "working"),
            serving=os.path.join(workspace, "serving"),
            schemas=str(schemas.folder("source").parent),
            metadata=metadata_file.connect(state or workspace),
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

    def schema_of(self, side: str) -> str:
        """Returns the folder of the schema of `source` or `target`."""
        return os.path.join(self.schemas, side)

    def parameter(self, name: str, value: int) -> int | data_types.RuntimeParameter:
        """Returns `value`, or the pipeline's parameter of that name whose default it is."""
        return data_types.RuntimeParameter(name, ptype=int, default=value) if self.parameters else value
