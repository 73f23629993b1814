"""The nodes of a pipeline by id: what several arms, targets or seeds need is made once."""

from collections.abc import Callable, Iterator

from tfx.dsl.components.base.base_node import BaseNode


class Registry:
    """Nodes by id, in the order in which they were made."""

    def __init__(self) -> None:
        self._nodes: dict[str, BaseNode] = {}

    def get(self, node_id: str, make: Callable[[], BaseNode]) -> BaseNode:
        """Returns the node of that id, which `make` makes if there is none."""
        if node_id not in self._nodes:
            self._nodes[node_id] = make().with_id(node_id)
        return self._nodes[node_id]

    def add(self, *nodes: BaseNode) -> None:
        """Adds nodes that have their ids."""
        self._nodes.update({node.id: node for node in nodes})

    def __iter__(self) -> Iterator[BaseNode]:
        return iter(self._nodes.values())
