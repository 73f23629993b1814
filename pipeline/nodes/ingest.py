"""The nodes that ingest the data of a side: the source or a target."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import BaseChannel

import schemas
from components.artifacts import label_counts
from components.artifacts.vocabulary import Vocabulary, make_vocabulary
from components.example_gen import hierarchy_file, policy
from components.example_gen.component import SourceExampleGen, TargetExampleGen
from components.example_validator import schema as schema_importer
from components.example_validator.component import ExampleValidator
from components.label_counts.component import CountsImporter
from components.statistics_gen.component import StatisticsGen
from pipeline.config.data import Data
from pipeline.config.run import Config
from pipeline.nodes import elsewhere, ids
from pipeline.nodes.registry import Registry
from pipeline.place import Place


@dataclasses.dataclass(frozen=True)
class IngestNodes:
    """The nodes that ingest the data of one side, and whether its images may have several labels."""

    example_gen: BaseNode
    statistics: BaseNode
    schema: BaseNode
    validator: BaseNode
    several_labels: bool

    @property
    def nodes(self) -> list[BaseNode]:
        return [self.example_gen, self.statistics, self.schema, self.validator]

    def __getitem__(self, output: str):
        return self.example_gen.outputs[output]


@dataclasses.dataclass(frozen=True)
class Ingested:
    """The nodes of the data of a pipeline.

    Attributes:
      targets: target → its nodes.
      source_data: those of the source; None: there are only its label counts.
      counts: the node of the label counts; None: there are the source's data.
    """

    targets: Mapping[str, IngestNodes]
    source_data: IngestNodes | None = None
    counts: BaseNode | None = None

    @property
    def source(self) -> IngestNodes:
        """The nodes of the source's data.

        Raises:
          ValueError: there are only its label counts.
        """
        if self.source_data is None:
            raise ValueError("source.counts: gives no images of the source, which this needs; name the source's data")
        return self.source_data

    @property
    def all_data(self) -> list[IngestNodes]:
        """The nodes of all data."""
        return [*([self.source_data] if self.source_data else []), *self.targets.values()]

    @property
    def vocabulary(self) -> BaseChannel:
        """The labels of the source."""
        return (self.counts.outputs if self.counts else self.source.example_gen.outputs)["vocabulary"]


def ingest(nodes: Registry, config: Config, place: Place) -> Ingested:
    """Adds the nodes that ingest and check all data.

    Raises:
      ValueError: data are missing, or do not fit their role or the arms.
    """
    source = None
    if config.counts is None:
        source = make_ingest_nodes(ids.SOURCE, SourceExampleGen, config.require_source(), config, place)
    targets = {
        name: make_ingest_nodes(name, TargetExampleGen, target.data, config, place)
        for name, target in config.targets.items()
    }
    for name, target in targets.items():
        if target.several_labels:
            raise ValueError(
                f"targets.{name}.data: {config.targets[name].data.location!r} has several labels an image, which only "
                "a source may have; set several_labels to false, or name another label_key or other data"
            )
    check_labels(config)
    if source is not None:
        wait_for_checks(source, list(targets.values()))
    ingested = Ingested(targets, source, None if source else make_counts_node(config))
    for data in ingested.all_data:
        nodes.add(*data.nodes)
    if ingested.counts is not None:
        nodes.add(ingested.counts)
    return ingested


def prepare(config: Config, show_waiting: Callable[[str], AbstractContextManager]) -> None:
    """Prepares the data of `config` for reading, such as TFDS data sets. `show_waiting` is called for each data set.

    Raises:
      ValueError: other data are missing; nothing is prepared then.
    """
    unprepared = find_unprepared(config)
    for data in config.datasets().values() if unprepared else ():
        if data not in unprepared:
            data.reader().fingerprint()
    for data in unprepared:
        with show_waiting(f"preparing {data.location}"):
            data.reader().prepare()


def find_unprepared(config: Config) -> list[Data]:
    """Returns the data of `config` that `prepare` would have to make."""
    return [data for data in config.datasets().values() if not data.reader().is_prepared()]


def write_policies(config: Config, place: Place) -> None:
    """Writes how each data set of `config` is ingested, where its node looks for it."""
    for name, data in config.datasets().items():
        folder = place.working_of(ids.side_node(name, ids.EXAMPLES))
        policy.write_policy(folder, policy.Policy(max_rejected=data.max_rejected, threads=data.threads))


def make_ingest_nodes(name: str, example_gen_class: type, data: Data, config: Config, place: Place) -> IngestNodes:
    """Returns the nodes of `data`; `name` is 'source' or that of a target.

    Raises:
      ValueError: the data are missing.
    """
    reader = data.reader()
    node_id = ids.side_node(name, ids.EXAMPLES)
    example_gen = example_gen_class(
        dataset=reader,
        hierarchy=hierarchy_of(data),
        max_pixels=data.max_pixels,
        max_rejected=None,  # a new limit must not read the data again: the policy and the validator hold it
        check=data.check,
        perceptual_hashes=config.near_duplicates.enabled,
        scale_16_bit=data.scale_16_bit,
        working=place.working_of(node_id),
    ).with_id(node_id)
    statistics = StatisticsGen(
        index=example_gen.outputs["index"], vocabulary=example_gen.outputs["vocabulary"]
    ).with_id(ids.side_node(name, ids.STATISTICS))
    side = "source" if name == ids.SOURCE else "target"
    text = (schemas.folder(side) / schema_importer.FILE_NAME).read_text(encoding="utf-8")
    schema = schema_importer.SchemaImporter(text=text).with_id(ids.side_node(name, ids.SCHEMA))
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        vocabulary=example_gen.outputs["vocabulary"],
        index=example_gen.outputs["index"],
        max_rejected=data.max_rejected,
        on_anomalies=config.on_anomalies,
    ).with_id(ids.side_node(name, ids.VALIDATION))
    return IngestNodes(example_gen, statistics, schema, validator, reader.allows_several_labels())


def make_counts_node(config: Config) -> BaseNode:
    """Returns the node of the label counts of a source of which that is all there is.

    Raises:
      ValueError: they cannot be read, or are of other labels than the classifier's.
    """
    text = label_counts.dumps(elsewhere.read_counts(config))
    return CountsImporter(text=text).with_id(ids.side_node(ids.SOURCE, ids.COUNTS))


def wait_for_checks(source: IngestNodes, targets: Sequence[IngestNodes]) -> None:
    """Makes the nodes wait for each other such that nothing is computed while a mistake in the data may be found.

    The targets are read before the source, which is larger; statistics are computed when all data are read; and the
    validation of the source, which all trainings wait for, comes behind those of the targets.
    """
    for target in targets:
        source.example_gen.add_upstream_node(target.example_gen)
        target.statistics.add_upstream_node(source.example_gen)
        source.validator.add_upstream_node(target.validator)


def hierarchy_of(data: Data) -> hierarchy_file.HierarchyFile | None:
    """Returns the file of the hierarchy over the labels of `data`, or None."""
    return hierarchy_file.HierarchyFile(**data.hierarchy.model_dump()) if data.hierarchy else None


def read_source_labels(config: Config) -> Vocabulary:
    """Returns the labels of the source as its ExampleGen, or its CountsImporter, will write them."""
    if config.counts is not None:
        return make_vocabulary(list(elsewhere.read_counts(config)))
    source = config.require_source()
    return hierarchy_file.apply_hierarchy(source.reader().read_vocabulary(), hierarchy_of(source))


def check_labels(config: Config) -> None:
    """Checks, before anything is trained, that the source has all labels that the matchers' settings name.

    Raises:
      ValueError: the source has no label of a given name.
    """
    matchers_with_labels = {
        (target, arm): matcher
        for target, settings in config.targets.items()
        for arm in settings.arms
        if (matcher := config.matcher(target, arm)) is not None and "vocabulary" in matcher.needs
    }
    if not matchers_with_labels:
        return
    labels = read_source_labels(config)
    for (target, _), matcher in matchers_with_labels.items():
        try:
            matcher.check_labels(labels)
        except ValueError as error:
            raise ValueError(f"targets.{target}.{error}") from error
