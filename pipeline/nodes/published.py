"""The node of the published network that arms start from."""

from tfx.dsl.components.base.base_node import BaseNode

from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.nodes.registry import Registry
from trainer.model_import.component import ModelImporter


def import_backbone(nodes: Registry, config: Config) -> BaseNode:
    """Adds the node that reads the published weights of the backbone, if it is not there, and returns it.

    Raises:
      ValueError: the weights are not there, or others than the configuration says.
    """
    weights = config.backbone.weights
    assert weights is not None, "Config.find_missing has seen to it"

    def make_importer() -> ModelImporter:
        try:
            fingerprint = weights.fingerprint()
        except ValueError as error:
            raise ValueError(f"backbone.weights: {error}") from error
        return ModelImporter(
            kind="backbone",
            settings={
                "backbone": config.backbone.network,
                "weights": weights.path,
                "image": config.image.model_dump(),
            },
            fingerprint=fingerprint,
        )

    return nodes.get(ids.PUBLISHED, make_importer)
