"""Where and with what `specialist compile` and `submit` let a run go on a cluster."""

from typing import Annotated, Literal

import pydantic

from components.settings import PathText, StrictModel
from pipeline.config.beam import Beam, Dataflow, Runner, find_runner
from pipeline.config.places import COPIED, ArtifactsUri, FilesUri, Image

_UNITS = r"\d+(\.\d+)?(K|M|G|T|Ki|Mi|Gi|Ti)?"

Memory = Annotated[str, pydantic.Field(pattern=f"^{_UNITS}$")]


class Toleration(StrictModel):
    """Which taints of Kubernetes' nodes with some key a step accepts.

    Attributes:
      value: of the taint. null: any.
      effect: of the taint. null: any.
    """

    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Resources(StrictModel):
    """What a step runs on. None of it is in a cache key or decides which checkpoints are its own.

    Attributes:
      cpu: number of processors. null: the cluster's default.
      memory: bytes, such as 32G or 64Gi. null: the cluster's default.
      accelerator: such as nvidia-a100-80gb, or tpu-v5e; docs/deploy.md lists them. On Kubeflow also the name of a
        resource of Kubernetes, such as amd.com/gpu. null: none.
      count: number of accelerators in a machine; of a TPU, its cores or chips.
      machines: that train one model together. Only of Trainers, and only on Vertex AI.
      machine_type: of Vertex AI's machines; only where a training is a job of its own. null: one that has the
        accelerators.
      retries: how often a step that failed begins again; a training goes on from its checkpoint.
      timeout: hours until the training is stopped. Only of Trainers, and only on Vertex AI. null: there is none.
      node_selector: labels of Kubernetes' nodes. Only on Kubeflow.
      tolerations: taints of Kubernetes' nodes that the step accepts, by their keys. Only on Kubeflow.
      volumes: persistent volume claim → path at which it is mounted. Only on Kubeflow.
      secrets: secret of Kubernetes → folder in which its keys are files. Only on Kubeflow.
    """

    cpu: pydantic.PositiveFloat | None = None
    memory: Memory | None = None
    accelerator: str | None = None
    count: int = pydantic.Field(1, ge=1)
    machines: int = pydantic.Field(1, ge=1)
    machine_type: str | None = None
    retries: int = pydantic.Field(0, ge=0)
    timeout: pydantic.PositiveFloat | None = None
    node_selector: dict[str, str] = {}
    tolerations: dict[str, Toleration] = {}
    volumes: dict[str, str] = {}
    secrets: dict[str, str] = {}


class Endpoint(StrictModel):
    """An endpoint of Vertex AI that serves the newest version in the folder of a target's server.

    Attributes:
      image: the container that serves. It reads the SavedModel as Google's prebuilt containers do; docs/serving.md.
      name: id of the endpoint, and of the model in the Model Registry. null: the name of the pipeline and the target.
      machine_type: of Vertex AI. null: one that has the accelerators; without one n1-standard-4.
      accelerator: such as nvidia-l4; docs/deploy.md lists them. null: none.
      count: number of accelerators in a machine.
      min_replicas: number of machines that always serve.
      max_replicas: number of machines that serve when there are many requests.
      credentials: of the Pusher on Kubeflow. The path of a service account's key in a folder of its `secrets`, or
        `metadata`: Google's nodes give the pod an identity. null on Vertex AI, where it is the steps' account.
    """

    image: Image
    name: str | None = pydantic.Field(None, pattern=r"^[a-z][a-z0-9-]*$")
    machine_type: str | None = None
    accelerator: str | None = None
    count: int = pydantic.Field(1, ge=1)
    min_replicas: int = pydantic.Field(1, ge=1)
    max_replicas: int = pydantic.Field(1, ge=1)
    credentials: str | None = None

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "Endpoint":
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas: {self.max_replicas} is below min_replicas, {self.min_replicas}; raise it")
        return self


class Remote(StrictModel):
    """Where a run goes on a cluster. No secret belongs here, since it is written to records and compiled pipelines.

    Attributes:
      root: folder of all artifacts, such as gs://bucket/runs; on Kubeflow also minio:// or s3://.
      files: folder of checkpoints, of what an interrupted ingestion needs, of records, and of the pushed models: a URI
        that TensorFlow opens, or the path of a volume that is mounted in all containers. null: `root`.
      image: the container image, which has this code; all steps run in it.
      baselines: target → URI of the Model that a new one is compared with. A target without one: the newest version in
        the folder of its server, if `submit` can open it and finds one; else there is no comparison.
      classifier: URI of a source classifier, the `model` of an earlier run. It is not trained then, whatever targets
        come or go. null: it is trained.
      endpoints: target → the endpoint of Vertex AI that serves what is pushed. A target without one: only the folder of
        its server.
      beam: which runner does the work of Beam jobs: that of `all` of them, of those of a component, such as
        `Predictor`, or of one step by its id. A runner alone is for all. Empty: Beam runs in each step's container.
      host: URL of Kubeflow Pipelines.
      namespace: of Kubeflow's user. null: the service has one for all.
      experiment: of Kubeflow, which runs belong to.
      token_file: path, on this machine, of a file with a token for Kubeflow's service. null: none is sent.
      project: of Google Cloud.
      region: of Vertex AI, such as europe-west4.
      service_account: that Vertex AI runs the steps as. null: its default.
      network: full name of the network that Vertex AI's machines are in. null: none.
      encryption_key: full name of the key that encrypts what Vertex AI stores. null: Google's.
    """

    root: ArtifactsUri
    files: FilesUri | None = None
    image: Image | None = None
    baselines: dict[str, str] = {}
    classifier: str | None = None
    endpoints: dict[str, Endpoint] = {}
    beam: Beam = {}
    host: str | None = None
    namespace: str | None = None
    experiment: str | None = None
    token_file: PathText | None = None
    project: str | None = None
    region: str | None = None
    service_account: str | None = None
    network: str | None = None
    encryption_key: str | None = None

    @property
    def files_root(self) -> str:
        """The folder of what TensorFlow reads and writes by itself."""
        return self.files or self.root

    def runner_of(self, node: str, component: str) -> Runner:
        """Returns which runner does the work of a node's Beam job."""
        return self.complete(find_runner(self.beam, node, component))

    def complete(self, runner: Runner) -> Runner:
        """Returns a runner of `beam`; a Dataflow has what it takes from this section."""
        if not isinstance(runner, Dataflow):
            return runner
        here = {
            "project": self.project,
            "region": self.region,
            "image": self.image,
            "service_account": self.service_account,
            "temp_location": f"{self.files_root}/beam" if self.files_root.startswith("gs://") else None,
        }
        return runner.model_copy(update={key: value for key, value in here.items() if getattr(runner, key) is None})

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "Remote":
        if self.root.startswith(COPIED) and self.files is None:
            raise ValueError(
                f"root: TensorFlow cannot open {self.root!r}, where checkpoints and pushed models would be; set files "
                "to a folder such as gs://bucket/runs, or to the path of a volume that is mounted in all containers"
            )
        return self
