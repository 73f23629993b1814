"""The component Pusher."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.code_version import code_version
from components.pusher import executor
from components.pusher.endpoint import VertexEndpoint


class PusherSpec(standard_component_specs.PusherSpec):
    """TFX's spec, with the code version of our executor."""

    PARAMETERS = {
        **standard_component_specs.PusherSpec.PARAMETERS,
        executor.WITHOUT_BASELINE: ExecutionParameter(type=str, optional=True),
        executor.FOLDER: ExecutionParameter(type=str, optional=True),
        executor.ENDPOINT: ExecutionParameter(type=str, optional=True),
        "code_version": ExecutionParameter(type=str, optional=True),
    }
    # TFX lets it be left out.
    INPUTS = {
        **standard_component_specs.PusherSpec.INPUTS,
        "model": ChannelParameter(type=standard_artifacts.Model),
        executor.BASELINE: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }


class Pusher(base_component.BaseComponent):
    """TFX's Pusher, except that a new version appears whole or not at all.

    Not derived from TFX's component, which leaves no way to pass a wider spec; its executor is.

    Example:
      folder = tfx.proto.PushDestination.Filesystem(base_directory="serving/pets")
      pusher = Pusher(
          model=finetune.outputs["model"],
          model_blessing=evaluator.outputs["blessing"],
          push_destination=tfx.proto.PushDestination(filesystem=folder),
      )

    Args:
      model: the model to push; of its files, only those in `Format-Serving`.
      push_destination: the folder that the model server watches. At most one Pusher may run on a folder at a time.
      model_blessing: the Evaluator's verdict; without a blessing nothing is pushed. None pushes unchecked.
      infra_blessing: the same of an InfraValidator.
      baseline_model: what the Evaluator compared it with, where that may be another model than the one that is served:
        it then counts as not compared. None: whatever it was is taken for the one that is served.
      without_baseline: what happens to a blessed model that the Evaluator did not compare with the version that is
        served: 'stop', it is not pushed; 'push', it is.
      folder: takes the place of the folder in `push_destination`, for a RuntimeParameter of a pipeline.
      endpoint: of Vertex AI, which serves the newest version in the folder, a bucket's. None: there is none.

    Outputs: `pushed_model`, with the custom properties `pushed` (1 or 0), `pushed_version` and `pushed_destination`;
      `not_compared`, why there was no comparison with the served version, if there was none; `rolled_back`, the folder
      of the version as which this model was pushed, if it was removed and an older one is served;
      `served_instead`, the folder of the version that is served, if the model was not pushed for one of these reasons;
      and `served_by`, the full name of the endpoint.

    Raises:
      ValueError: `push_destination` names no folder, or with an endpoint none of a bucket, or `without_baseline` is
        neither.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        push_destination: pusher_pb2.PushDestination,
        model_blessing: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        baseline_model: types.BaseChannel | None = None,
        without_baseline: str = "stop",
        folder: str | data_types.RuntimeParameter | None = None,
        endpoint: VertexEndpoint | None = None,
    ):
        if not push_destination.filesystem.base_directory:
            raise ValueError(
                f"push_destination: {str(push_destination)!r}; filesystem.base_directory must name a folder"
            )
        if without_baseline not in ("stop", "push"):
            raise ValueError(f"without_baseline: {without_baseline!r}; allowed are 'stop' and 'push'")
        if endpoint is not None and not push_destination.filesystem.base_directory.startswith("gs://"):
            raise ValueError(
                f"push_destination: {push_destination.filesystem.base_directory!r}; an endpoint of Vertex AI needs a "
                "folder of a bucket, gs://…"
            )
        super().__init__(
            spec=PusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                baseline_model=baseline_model,
                push_destination=push_destination,
                without_baseline=without_baseline,
                folder=folder,
                endpoint=endpoint.model_dump_json() if endpoint else None,
                code_version=code_version(executor.__name__),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
