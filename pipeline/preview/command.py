"""Looking at the data of a configuration before a run, and at what the run will take."""

import functools

import rich.console

from pipeline.config.run import Config
from pipeline.nodes.ingest import prepare
from pipeline.pipeline import create_pipeline
from pipeline.preview import estimate, sample, thumbnails
from pipeline.preview import show as display
from pipeline.terminal import logs
from trainer.loop import throughput


def preview_config(
    config: Config, console: rich.console.Console, *, images: int, thumbnails_folder: str, timing: bool
) -> None:
    """Shows what the data of `config` are, and what a run will take.

    Args:
      config: of the run.
      console: where it goes.
      images: to read of each of the data's own splits.
      thumbnails_folder: where small pictures go.
      timing: whether to train for some steps.

    Raises:
      ValueError: the data are not there, or not as the configuration says.
    """
    thumbnails.check(thumbnails_folder)
    prepare(config, functools.partial(logs.show_waiting, console))
    with logs.show_waiting(console, "looking at the configuration"):
        nodes = [node.id for node in create_pipeline(config, "workspace").components]
    found = {}
    for name, data in config.datasets().items():
        with logs.show_waiting(console, f"reading {data.location}"), logs.capture_warnings() as warnings:
            found[name] = sample.preview_data(data, images, config.near_duplicates.enabled)
        display.show_side(console, name, data.location, found[name], data.max_rejected)
        for warning in warnings:
            console.print(f"  {warning}", style="yellow", markup=False, highlight=False)
    page = thumbnails.write(
        thumbnails_folder,
        config.name,
        {name: (side.labels.names, side.sample.examples) for name, side in found.items()},
    )
    console.print(f"\nthumbnails: {page}", markup=False, highlight=False)
    network, measured = None, "what the network takes is not known with --no-timing"
    if timing:
        with logs.show_waiting(console, f"timing {config.backbone.name} (--no-timing leaves this out)"):
            labels = len(found["source"].labels)
            network = throughput.measure_throughput(
                config.backbone, config.image, config.pretrain, config.compute, labels
            )
        measured = (
            f"{config.backbone.name} has {network.parameters:,} parameters; {_figure(network.trained)} images/s are "
            f"trained and {_figure(network.predicted)} predicted, in batches of {network.batch_size}; one Beam worker"
        )
    source, *targets = (side.measured for side in found.values())
    costs = estimate.costs(config, nodes, source, dict(zip(config.targets, targets, strict=True)), network)
    checkpoints = estimate.checkpoint_bytes(config, network) if network else None
    display.show_costs(console, costs, checkpoints, len(nodes), measured)


def _figure(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"
