"""The command `specialist data`."""

import functools

import rich.console

from pipeline.config.run import Config
from pipeline.nodes.ingest import prepare
from pipeline.pipeline import create_pipeline
from pipeline.place import Place
from pipeline.preview import estimate, sample, thumbnails
from pipeline.preview import show as display
from pipeline.terminal import logs
from trainer.loop import throughput


def preview_config(
    config: Config, console: rich.console.Console, *, images: int, thumbnails_folder: str, timing: bool
) -> tuple[int, int]:
    """Shows a sample of the data of `config`, and estimates the time and storage of a run that would not stop.

    Args:
      config: the configuration of the run.
      console: where to print.
      images: number of images to read from each of the data's own splits.
      thumbnails_folder: folder for the thumbnails.
      timing: whether to train for a few steps, to estimate times.

    Returns:
      The number of reasons why a run would stop, and the number of warnings.

    Raises:
      ValueError: the data are missing, or differ from the configuration.
    """
    config.require_source()
    thumbnails.check(thumbnails_folder)
    prepare(config, functools.partial(logs.show_waiting, console))
    with logs.show_waiting(console, "checking the configuration"):
        nodes = [node.id for node in create_pipeline(config, Place.local("workspace")).components]
    previews = {}
    for name, data in config.datasets().items():
        with logs.show_waiting(console, f"reading {data.location}"):
            previews[name] = sample.preview_data(data, images, config.near_duplicates.enabled)
        display.show_side(console, name, data.location, previews[name])
    page = thumbnails.write(
        thumbnails_folder,
        config.name,
        {name: (preview.labels.names, preview.sample.examples) for name, preview in previews.items()},
    )
    console.print(f"\nthumbnails: {page}", markup=False, highlight=False)
    stops = sum(len(preview.stops) for preview in previews.values())
    warnings = sum(finding.is_warning for preview in previews.values() for finding in preview.findings)
    for reason in list_useless_controls(config, previews["source"].costs.examples["train"]):
        display.show_warning(console, "source", reason)
        warnings += 1
    if stops:
        return stops, warnings
    network, basis = None, "--no-timing: the time and size of the network are unknown"
    if timing:
        with logs.show_waiting(console, f"timing {config.backbone.label} (--no-timing skips this)"):
            labels = len(previews["source"].labels)
            network = throughput.measure_throughput(
                config.backbone, config.image, config.pretrain, config.compute, labels
            )
        basis = (
            f"{config.backbone.label} has {network.parameters:,} parameters; this machine trains "
            f"{_format_rate(network.training_images_per_second)} images/s and predicts "
            f"{_format_rate(network.prediction_images_per_second)}, in batches of {network.batch_size}; one Beam worker"
        )
    source, *targets = (preview.costs for preview in previews.values())
    costs = estimate.estimate_costs(config, nodes, source, dict(zip(config.targets, targets, strict=True)), network)
    checkpoints = estimate.checkpoint_bytes(config, network) if network else None
    working = estimate.working_bytes([source, *targets])
    display.show_costs(console, costs, working, checkpoints, len(nodes), basis)
    return stops, warnings


def list_useless_controls(config: Config, source_images: int) -> list[str]:
    """Returns why a run may stop at arms that leave none of the source's training images out, a line for each."""
    found = []
    for arm in dict.fromkeys(arm for target in config.targets.values() for arm in target.arms):
        n = config.sample_size(arm)
        if config.arm(arm).matcher == "uniform_subsample" and n >= source_images:
            key = f"arms.{arm}.n" if config.arm(arm).n else "resample.n"
            found.append(
                f"{key}: {n:,}, but the source has about {source_images:,} training images, of which {arm} has to "
                "leave some out; lower it, or leave the arm out"
            )
    return found


def _format_rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"
