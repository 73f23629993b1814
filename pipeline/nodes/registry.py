"""The nodes of a pipeline by id: what several arms, targets or seeds need is made once."""

from collections.abc import Callable, Iterable, Iterator

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

    def upstream_of(self, node: BaseNode) -> set[str]:
        """Returns the ids of the nodes that `node` waits for."""
        producers = (name for channel in node.inputs.values() for name in channel.get_data_dependent_node_ids())
        return {*producers, *(upstream.id for upstream in node.upstream_nodes)}

    def select(self, ends: Iterable[BaseNode]) -> "Registry":
        """Returns the nodes `ends` and all that they wait for, directly or not, in the same order."""
        waiting = [node.id for node in ends]
        found = set(waiting)
        while waiting:
            new = self.upstream_of(self._nodes[waiting.pop()]) - found
            found |= new
            waiting += new
        selected = Registry()
        selected.add(*(node for node in self if node.id in found))
        return selected

    def __iter__(self) -> Iterator[BaseNode]:
        return iter(self._nodes.values())
