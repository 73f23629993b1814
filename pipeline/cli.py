"""The command line. Each command imports heavy modules only when it needs them."""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Domain-adaptive transfer learning: pre-train on the part of the source that your target needs.",
)


def _print_version(requested: bool) -> None:
    if requested:
        import importlib.metadata

        typer.echo(f"specialist {importlib.metadata.version('specialist')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


_Verbose = Annotated[bool, typer.Option("--verbose", help="Show the traceback of an error.")]


_Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file, such as pipeline/configs/demo.yaml.")]
_Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Overrides a key.")]


@app.command()
def run(
    config: _Config,
    workspace: Annotated[str, typer.Option(help="Artifacts, metadata, logs and pushed models go here.")] = "workspace",
    set_: _Set = None,
    verbose: _Verbose = False,
) -> None:
    """Run the pipeline of CONFIG on this machine. Results that have not changed since the last run are reused."""
    with _errors(verbose):
        from pipeline import workspace as workspace_module
        from pipeline.config.load import load
        from pipeline.terminal import logs

        folder = workspace_module.resolve_workspace(workspace)
        settings = load(config, set_ or [])
        with workspace_module.lock_workspace(folder):
            name = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
            log = os.path.join(folder, "logs", f"{name}.log")
            os.makedirs(os.path.dirname(log), exist_ok=True)
            with logs.redirect_output(log) as console:
                failed = _run(settings, folder, name, console)
        if failed:
            typer.echo(f"error: {', '.join(failed)} failed; the full log is {log}", err=True)
            raise typer.Exit(1)


@app.command()
def data(
    config: _Config,
    images: Annotated[int, typer.Option(min=1, help="Number of images to read from each split of the data.")] = 1000,
    thumbnails: Annotated[str, typer.Option(metavar="DIR", help="Folder for the thumbnails.")] = "thumbnails",
    timing: Annotated[bool, typer.Option(help="Train for a few steps, to estimate the time of a run.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if there is any warning.")] = False,
    set_: _Set = None,
    verbose: _Verbose = False,
) -> None:
    """Show a sample of CONFIG's data, and estimate the time and storage of a run. Exit with 1 if a run would stop."""
    with _errors(verbose):
        from pipeline.config.load import load
        from pipeline.terminal import logs

        settings = load(config, set_ or [])
        with logs.redirect_output(os.devnull) as console, _report_interruption(console, "nothing was changed"):
            with logs.show_waiting(console, "starting"):
                from pipeline.preview import command
            stops, warnings = command.preview_config(
                settings, console, images=images, thumbnails_folder=thumbnails, timing=timing
            )
        if stops or (strict and warnings):
            reason = "a run would stop" if stops else f"--strict: there are {warnings:,} warnings"
            typer.echo(f"error: {reason}; see above", err=True)
            raise typer.Exit(1)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pushed model's folder.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="JPEG, PNG, GIF, WebP, TIFF or BMP files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: _Verbose = False,
) -> None:
    """Predict the labels of images with a pushed model."""
    with _errors(verbose):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        warnings.simplefilter("ignore")  # libraries warn while they are imported; none of it is about the images
        from pipeline.results.predict import predict as predict_files
        from pipeline.terminal.text import isolate

        predictions = predict_files(model, images)
        if as_json:
            typer.echo(json.dumps([dataclasses.asdict(prediction) for prediction in predictions], ensure_ascii=False))
            return
        for prediction in predictions:
            pairs = zip(prediction.labels, prediction.probabilities, strict=True)
            answer = "  ".join(f"{isolate(label)} {100 * p:.1f}%" for label, p in pairs)
            typer.echo(f"{isolate(prediction.file)}: {answer}")


_Run = Annotated[str, typer.Argument(metavar="RUN", help="A workspace of `run`, or a file in its folder runs/.")]
_TargetName = Annotated[str | None, typer.Option("--target", help="Name of the target; required if there are several.")]
_Labels = Annotated[list[str] | None, typer.Option("--label", help="Show only labels that equal or contain this text.")]
_Count = Annotated[int, typer.Option("--rows", min=1, help="Number of labels to show.")]


@app.command()
def prior(
    run: _Run,
    target: _TargetName = None,
    label: _Labels = None,
    bottom: Annotated[bool, typer.Option("--bottom", help="Show the labels with the lowest P_t first.")] = False,
    rows: _Count = 20,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write all labels to a CSV file.")] = None,
    verbose: _Verbose = False,
) -> None:
    """Show which source labels matter for a target: P_s, P_t with its interval, importance weights."""
    with _errors(verbose):
        from pipeline.results import inspect

        console, table = _read_newest(run, lambda record: inspect.prior(record, inspect.target_of(record, target)))
        if csv:
            inspect.write_csv(table, csv)
        inspect.show_prior(console, table, searched=label or (), bottom=bottom, count=rows)


@app.command()
def plan(
    run: _Run,
    target: _TargetName = None,
    arm: Annotated[str | None, typer.Option(help="Name of the arm; required if several have a plan.")] = None,
    label: _Labels = None,
    example: Annotated[
        str | None, typer.Option(metavar="ID", help="Explain why this source example is taken or not.")
    ] = None,
    rows: _Count = 20,
    verbose: _Verbose = False,
) -> None:
    """Show the labels an arm is pre-trained on, or explain how often it takes an example."""
    with _errors(verbose):
        from pipeline.results import inspect

        def read(record):
            target_name = inspect.target_of(record, target)
            name = inspect.arm_of(record, target_name, arm)
            labels = inspect.plan_labels(record, target_name, name)
            return name, labels, None if example is None else inspect.explain(record, target_name, name, example)

        console, (name, labels, explanation) = _read_newest(run, read)
        if explanation is None:
            inspect.show_plan(console, labels, searched=label or (), count=rows)
            return
        typer.echo(f"{example}: {', '.join(explanation.labels)}: taken {explanation.copies} times by {name}")
        for draw in explanation.draws:
            typer.echo(f"  {draw}")
        for reason in explanation.excluded:
            typer.echo(f"  excluded: {reason}")
        if explanation.weight != 1.0:
            typer.echo(f"  its loss is multiplied by {explanation.weight:.4g}")


def _read_newest(run: str, read):
    """Returns a console, and what `read` returns for the newest record that has it. Prints a note for an older one."""
    import rich.console

    from pipeline.results import record

    result, note = record.read_newest(run, read)
    if note:
        typer.echo(f"note: {note}", err=True)
    return rich.console.Console(), result


def _run(settings, workspace: str, name: str, console) -> list[str]:
    """Runs the pipeline as the run `name` and returns the nodes that failed."""
    from pipeline.terminal import logs

    with _report_interruption(console, "run the same command to resume"):
        with logs.show_waiting(console, "starting"):
            from pipeline import pipeline
            from pipeline.nodes import ingest
            from pipeline.results import record, summary
            from pipeline.runners import local
            from pipeline.terminal.progress import Display
            from trainer.loop import checkpoints, progress
        ingest.prepare(settings, functools.partial(logs.show_waiting, console))
        ingest.write_policies(settings, workspace)
        checkpoints.write_policy(pipeline.checkpoint_root(workspace), settings.checkpoint)
        view = Display(console)
        config, nodes = settings.model_dump(), dict[str, record.Node]()

        def end(result: local.NodeResult) -> None:
            # After each node: other terminals read the record while the run goes on, and after it was stopped.
            nodes[result.node] = record.Node(result.state.value, result.seconds, result.uris())
            record.write(workspace, name, record.Record(config, nodes))
            view.end(result)

        try:
            with progress.listen(view.progress):
                results = local.run(pipeline.create_pipeline(settings, workspace), on_start=view.start, on_end=end)
        finally:
            view.stop()
        summary.show(console, summary.collect(settings, results), results)
    return [result.node for result in results if result.state is local.State.FAILED]


@contextlib.contextmanager
def _report_interruption(console, consequence: str) -> Iterator[None]:
    """Prints the reason and the consequence when a signal ends the block."""
    from trainer.loop import preemption

    try:
        yield
    except (KeyboardInterrupt, preemption.Preempted) as stop:
        interrupted = isinstance(stop, KeyboardInterrupt)
        reason = "interrupted" if interrupted else str(stop)
        console.print(f"stopped: {reason}; {consequence}", style="yellow", highlight=False)
        if interrupted:
            raise typer.Exit(128 + signal.SIGINT) from stop
        raise


class _errors:  # noqa: N801 - used like a function
    """Prints an exception as a line on stderr and exits with code 1."""

    def __init__(self, verbose: bool):
        self._verbose = verbose

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, traceback) -> None:
        if error is None or self._verbose or not isinstance(error, Exception) or isinstance(error, typer.Exit):
            return
        if isinstance(error, BrokenPipeError):  # the reader of the output closed it, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python reports an error when it flushes at exit
            raise SystemExit(1)
        from pipeline.terminal.errors import one_line

        # A ValueError of the configuration has one line for each mistake.
        lines = str(error).splitlines() if type(error) is ValueError else [one_line(error)]
        for line in lines:
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(1)


def main() -> None:
    """Runs the console script."""
    app()


if __name__ == "__main__":
    main()
