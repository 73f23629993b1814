"""Which Beam runner does the work of the steps that are Beam jobs, and with what."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

import pydantic

from components.settings import PathText, StrictModel, did_you_mean
from pipeline.config.accelerators import check_gpus
from pipeline.config.places import Address, Bucket, FilesUri, Image
from pipeline.config.steps import ALL

# By its full name, which every Beam version knows. The DirectRunner of newer ones tries to download a program.
_LOCAL = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_WATCHED = "components.watched_runner.WatchedRunner"
# If a container image is set, TFX does not package itself for the workers, which would take 3 seconds a step.
_NO_PACKAGE = "--sdk_container_image=none"
_DASK = (
    " computes only the last branch of a job that has several, whatever Beam's version; use multi_processing, "
    "portable, flink, spark or dataflow"
)


def _check_options(value: list[str]) -> list[str]:
    for option in value:
        if not option.startswith("--"):
            raise ValueError(f"{option!r} is no option; write --name=value")
        if re.match(r"--runner(=|$)", option):
            raise ValueError(f"{option!r}; the runner is chosen by `runner`: leave it out")
    return value


Options = Annotated[list[str], pydantic.AfterValidator(_check_options)]


def _spell(given: Mapping[str, object]) -> list[str]:
    """Returns options as Beam's command line has them; None leaves one out."""
    return [f"--{name}={value}" for name, value in given.items() if value is not None]


class InMemory(StrictModel):
    """One worker, in the process of the step: the fastest way on one machine.

    Attributes:
      runner: which one it is.
    """

    runner: Literal["in_memory"] = "in_memory"

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        return [f"--runner={_LOCAL}", "--direct_running_mode=in_memory", "--direct_num_workers=1", _NO_PACKAGE]


class MultiProcessing(StrictModel):
    """Several worker processes on the machine of the step.

    Attributes:
      runner: which one it is.
      workers: number of processes. 0: the number of cores.
    """

    runner: Literal["multi_processing"]
    workers: int = pydantic.Field(0, ge=0)

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        mode = f"--direct_num_workers={self.workers}"
        return [f"--runner={_LOCAL}", "--direct_running_mode=multi_processing", mode, _NO_PACKAGE]


class WorkersElsewhere(StrictModel):
    """What runners share whose workers are started by somebody else, or are containers.

    Attributes:
      worker_pool: address of a pool of workers, `python -m apache_beam.runners.worker.worker_pool_main`, as the runner
        sees it. null: there is none.
      image: the container image that workers are started in. null: there is none; one of the two is needed.
      parallelism: number of workers. null: the runner decides.
      options: further pipeline options, as Beam spells them.
    """

    worker_pool: Address | None = None
    image: Image | None = None
    parallelism: int | None = pydantic.Field(None, ge=1)
    options: Options = []

    @pydantic.model_validator(mode="after")
    def _check_workers(self) -> "WorkersElsewhere":
        if (self.worker_pool is None) == (self.image is None):
            given = "both are" if self.image else "neither is"
            raise ValueError(f"worker_pool, image: {given} given; name where the workers are, or the image they run in")
        return self

    def _arguments(self, runner: str, **given: object) -> list[str]:
        environment = {
            "environment_type": "DOCKER" if self.image else "EXTERNAL",
            "environment_config": self.image or self.worker_pool,
        }
        return [f"--runner={runner}", _NO_PACKAGE, *_spell({**environment, **given}), *self.options]


class Portable(WorkersElsewhere):
    """A job service that is there: Beam's own, or that of any portable runner.

    Attributes:
      runner: which one it is.
      job_endpoint: address of the job service.
      pool_timeout: seconds after which a step ends whose worker pool does not answer. null: nobody looks, because only
        the runner can reach the pool.
      time_limit: hours after which a step ends whose job has not ended, as when a worker has died and its pool has not.
        null: there is no limit.
    """

    runner: Literal["portable"]
    job_endpoint: Address
    pool_timeout: pydantic.PositiveFloat | None = 60.0
    time_limit: pydantic.PositiveFloat | None = 24.0

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        return self._arguments(
            _WATCHED,
            job_endpoint=self.job_endpoint,
            # Beam's own job service would end a job that takes longer; the runner sees in other ways that it is gone.
            job_server_timeout=10**8,
            sdk_worker_parallelism=self.parallelism,
            worker_pool_timeout=self.pool_timeout if self.worker_pool else None,
            job_time_limit=None if self.time_limit is None else 3600 * self.time_limit,
        )


class JobServer(WorkersElsewhere):
    """What Flink and Spark share, for which Beam starts a job server.

    Attributes:
      job_server_jar: absolute path of Beam's job server for the runner, of the same version as Beam. Nothing is
        downloaded.
      staging: folder from which the workers get what a job needs; all machines of the cluster share it.
    """

    job_server_jar: Annotated[PathText, pydantic.Field(pattern=r"^/")]
    staging: FilesUri


class Flink(JobServer):
    """Apache Flink.

    Attributes:
      runner: which one it is.
      master: address of Flink's JobManager; '[local]': a cluster in the process of the job server.
    """

    runner: Literal["flink"]
    master: Address | Literal["[local]"]

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        return self._arguments(
            "FlinkRunner",
            flink_master=self.master,
            flink_job_server_jar=self.job_server_jar,
            artifacts_dir=self.staging,
            parallelism=self.parallelism,
        )


class Spark(JobServer):
    """Apache Spark.

    Attributes:
      runner: which one it is.
      master: Spark's master, such as spark://host:7077, or local[4].
    """

    runner: Literal["spark"]
    master: Annotated[str, pydantic.Field(pattern=r"^(spark://[\w.\-]+:\d{1,5}|local(\[(\d+|\*)\])?|yarn)$")]

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        return self._arguments(
            "SparkRunner",
            spark_master_url=self.master,
            spark_job_server_jar=self.job_server_jar,
            artifacts_dir=self.staging,
            sdk_worker_parallelism=self.parallelism,
        )


class Dataflow(StrictModel):
    """Google Cloud Dataflow. All data have to be in buckets.

    Attributes:
      runner: which one it is.
      project: of Google Cloud. null: `remote.project`.
      region: such as europe-west4. null: `remote.region`.
      image: the container image of the workers, which has this code. null: `remote.image`.
      temp_location: folder for what jobs write and read again, such as gs://bucket/beam. null: `beam` in the folder of
        `remote.files`, or of `remote.root`.
      service_account: that the workers run as. null: `remote.service_account`.
      machine_type: of the workers. null: Dataflow's default.
      max_workers: the largest number of workers. null: Dataflow's default.
      disk_gb: gigabytes of a worker's disk. null: Dataflow's default.
      subnetwork: full name of the subnetwork of the workers. null: the default one.
      public_ips: whether workers have addresses on the internet.
      accelerator: of each worker, such as nvidia-tesla-t4. null: none.
      count: number of accelerators of a worker.
      options: further pipeline options, as Beam spells them.
    """

    runner: Literal["dataflow"]
    project: str | None = None
    region: str | None = None
    image: Image | None = None
    temp_location: Bucket | None = None
    service_account: str | None = None
    machine_type: str | None = None
    max_workers: int | None = pydantic.Field(None, ge=1)
    disk_gb: int | None = pydantic.Field(None, ge=10)
    subnetwork: str | None = None
    public_ips: bool = True
    accelerator: str | None = None
    count: int = pydantic.Field(1, ge=1)
    options: Options = []

    NEEDED: ClassVar[tuple[str, ...]] = ("project", "region", "image", "temp_location")

    @pydantic.model_validator(mode="after")
    def _check_accelerator(self) -> "Dataflow":
        if self.accelerator is None:
            if self.count > 1:
                raise ValueError(f"count: {self.count}, but there is no accelerator; name one")
            return self
        check_gpus(self.accelerator, self.count, "a worker")
        return self

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        found = ["--runner=DataflowRunner", "--experiments=use_runner_v2"]
        # The image has all that is needed; what the sender has is nobody's business. (Beam 2.65 saves no session, and
        # drops the option.)
        found += ["--no_save_main_session", "--experiments=disable_logging_submission_environment"]
        given = {
            "project": self.project,
            "region": self.region,
            "sdk_container_image": self.image,
            "temp_location": self.temp_location,
            "service_account_email": self.service_account,
            "worker_machine_type": self.machine_type,
            "max_num_workers": self.max_workers,
            "disk_size_gb": self.disk_gb,
            "subnetwork": self.subnetwork,
        }
        found += _spell(given)
        if not self.public_ips:
            found.append("--no_use_public_ips")
        if self.accelerator:
            wanted = f"worker_accelerator=type:{self.accelerator};count:{self.count};install-nvidia-driver"
            # One process a machine: several would share the accelerator's memory.
            found += [f"--dataflow_service_options={wanted}", "--experiments=no_use_multiple_sdk_containers"]
        return [*found, *self.options]


class Custom(StrictModel):
    """Any other runner, by Beam's own options. Nobody checks them.

    Attributes:
      runner: which one it is.
      options: pipeline options, as Beam spells them; one is --runner.
    """

    runner: Literal["custom"]
    options: list[str]

    @pydantic.model_validator(mode="after")
    def _check_runner(self) -> "Custom":
        name = re.search(r"--runner(?:=| )(\S+)", " ".join(self.options))
        if name is None:
            raise ValueError("options: no --runner is in it; add --runner=NAME, or leave beam out")
        if "dask" in name[1].lower():
            raise ValueError(f"options: {name[1]}{_DASK}")
        return self

    def arguments(self) -> list[str]:
        """Returns the arguments of Beam's jobs."""
        return self.options


_CLASSES = {
    "in_memory": InMemory,
    "multi_processing": MultiProcessing,
    "portable": Portable,
    "flink": Flink,
    "spark": Spark,
    "dataflow": Dataflow,
    "custom": Custom,
}


def _check_kind(value: Any) -> Any:
    if isinstance(value, StrictModel):
        return value
    if not isinstance(value, dict) or "runner" not in value:
        raise ValueError(f"runner: missing; it is one of {', '.join(_CLASSES)}")
    name = value["runner"]
    if name == "dask":
        raise ValueError(f"runner: 'dask'{_DASK}")
    if not isinstance(name, str) or name not in _CLASSES:
        hint = did_you_mean(str(name), _CLASSES, repr)
        raise ValueError(f"runner: {name!r} is unknown{hint}; there are {', '.join(_CLASSES)}")
    return value


def _name_of(value: Any) -> str:
    return f"[{value['runner'] if isinstance(value, dict) else value.runner}]"


if TYPE_CHECKING:
    Runner = InMemory | MultiProcessing | Portable | Flink | Spark | Dataflow | Custom
else:
    Runner = Annotated[
        Union[tuple(Annotated[kind, pydantic.Tag(f"[{name}]")] for name, kind in _CLASSES.items())],  # noqa: UP007
        pydantic.Discriminator(_name_of),
        pydantic.BeforeValidator(_check_kind),
    ]


def _for_all(value: Any) -> Any:
    return {ALL: value} if isinstance(value, dict) and "runner" in value else value


Beam = Annotated[
    dict[str, Runner], pydantic.BeforeValidator(_for_all, json_schema_input_type=Runner | dict[str, Runner])
]


def find_runner(configured: Mapping[str, Runner], node: str, component: str) -> Runner:
    """Returns what is said of a node, else of its component, else of all; else Beam runs in memory."""
    for key in (node, component, ALL):
        if key in configured:
            return configured[key]
    return InMemory()
