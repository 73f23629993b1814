"""The nodes that push a target's model if it passes its threshold and is not worse than the one that is served."""

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import importer, resolver
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.evaluator.component import Evaluator
from components.evaluator.config import eval_config
from components.evaluator.resolver import ServedOrLastBlessed
from components.pusher.component import Pusher
from pipeline.config.sections import Target
from pipeline.nodes import ids
from pipeline.place import Place


def push(name: str, target: Target, examples: BaseChannel, finetune: BaseNode, place: Place) -> list[BaseNode]:
    """Returns the nodes that evaluate a fine-tuned model and push it to the folder of the target's server.

    Args:
      name: name of the target.
      target: its settings.
      examples: the target's Examples.
      finetune: the Trainer of the model.
      place: where the server's folder is, and what the model is compared with.
    """
    evaluator_id = ids.side_node(name, ids.EVALUATOR)
    serving = place.serving_of(name)
    parameter = f"push_destination_{name}"
    baseline = _find_baseline(name, evaluator_id, finetune, place)
    evaluator = Evaluator(
        examples=examples,
        model=finetune.outputs["model"],
        baseline_model=baseline.outputs["model"] if baseline else None,
        eval_config=eval_config(
            metric=target.evaluation.metric,
            min_accuracy=target.evaluation.minimum,
            min_improvement=-target.evaluation.max_regression,
        ),
        splits=["eval"],
    ).with_id(evaluator_id)
    pusher = Pusher(
        model=finetune.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        # A Resolver chooses what is served when it runs; what was chosen before may not be served any more.
        baseline_model=baseline.outputs["model"] if baseline and not place.resolvers else None,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving)
        ),
        without_baseline=target.evaluation.without_baseline,
        folder=place.parameter(parameter, serving) if parameter in place.parameters else None,
        endpoint=place.endpoints.get(name),
    ).with_id(ids.side_node(name, ids.PUSHER))
    return [*filter(None, [baseline]), evaluator, pusher]


def _find_baseline(name: str, evaluator_id: str, finetune: BaseNode, place: Place) -> BaseNode | None:
    """Returns the node that gives the model which a new one is compared with; None: there is no such model."""
    node_id = ids.side_node(name, ids.BASELINE)
    if place.resolvers:
        return resolver.Resolver(
            strategy_class=ServedOrLastBlessed,
            config={"serving": place.serving_of(name)},
            model=Channel(type=standard_artifacts.Model),
            model_blessing=Channel(type=standard_artifacts.ModelBlessing, producer_component_id=evaluator_id),
            candidate=finetune.outputs["model"],
        ).with_id(node_id)
    if name not in place.baselines:
        return None
    return importer.Importer(
        source_uri=place.baselines[name], artifact_type=standard_artifacts.Model, output_key="model"
    ).with_id(node_id)
