"""The nodes that push a target's model if it passes its threshold and is not worse than the one that is served."""

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import resolver
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.evaluator.component import Evaluator
from components.evaluator.config import eval_config
from components.evaluator.resolver import ServedOrLastBlessed
from components.pusher.component import Pusher
from pipeline.config.run import Target
from pipeline.nodes import ids


def push(name: str, target: Target, examples: BaseChannel, finetune: BaseNode, workspace: str) -> list[BaseNode]:
    """Returns the nodes that evaluate a fine-tuned model and push it to `<workspace>/serving/<name>`.

    Args:
      name: name of the target.
      examples: the target's Examples.
      finetune: the Trainer of the model.
    """
    evaluator_id = ids.side_node(name, ids.EVALUATOR)
    serving = ids.serving_folder(workspace, name)
    baseline = resolver.Resolver(
        strategy_class=ServedOrLastBlessed,
        config={"serving": serving},
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing, producer_component_id=evaluator_id),
        candidate=finetune.outputs["model"],
    ).with_id(ids.side_node(name, ids.BASELINE))
    evaluator = Evaluator(
        examples=examples,
        model=finetune.outputs["model"],
        baseline_model=baseline.outputs["model"],
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
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving)
        ),
        without_baseline=target.evaluation.without_baseline,
    ).with_id(ids.side_node(name, ids.PUSHER))
    return [baseline, evaluator, pusher]
