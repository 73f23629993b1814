"""The command line. Nothing heavy is imported before a command needs it."""

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


def _print_version(asked: bool) -> None:
    if asked:
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
    """Run the pipeline of CONFIG on this machine; what has not changed since the last run is reused."""
    with _errors(verbose):
        from pipeline import workspace as workspace_module
        from pipeline.config.load import load
        from pipeline.terminal import logs

        folder = workspace_module.resolve_workspace(workspace)
        settings = load(config, set_ or [])
        with workspace_module.lock_workspace(folder):
            name = time.strftime("%Y-%m-%d-%H%M%S")
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
    images: Annotated[int, typer.Option(min=1, help="How many to read of each split that the data have.")] = 1000,
    thumbnails: Annotated[str, typer.Option(metavar="DIR", help="Small pictures go here.")] = "thumbnails",
    timing: Annotated[bool, typer.Option(help="Train for some steps, to estimate the time of a run.")] = True,
    set_: _Set = None,
    verbose: _Verbose = False,
) -> None:
    """Look at a sample of CONFIG's data before a run: what is there, and what the run will take."""
    with _errors(verbose):
        from pipeline.config.load import load
        from pipeline.terminal import logs

        settings = load(config, set_ or [])
        with logs.redirect_output(os.devnull) as console, _interruption(console, "nothing was changed"):
            with logs.show_waiting(console, "starting"):
                from pipeline.preview import command
            command.preview_config(settings, console, images=images, thumbnails_folder=thumbnails, timing=timing)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pushed model's folder.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="JPEG, PNG, GIF, WebP, TIFF or BMP files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: _Verbose = False,
) -> None:
    """Ask a pushed model about images."""
    with _errors(verbose):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        warnings.simplefilter("ignore")  # of libraries while they are imported; they say nothing of the images
        from pipeline.results.predict import predict as predict_files
        from pipeline.terminal.text import isolate

        predictions = predict_files(model, images)
        if as_json:
            typer.echo(json.dumps([dataclasses.asdict(prediction) for prediction in predictions], ensure_ascii=False))
            return
        for prediction in predictions:
            pairs = zip(prediction.labels, prediction.probabilities, strict=True)
            told = "  ".join(f"{isolate(label)} {100 * p:.1f}%" for label, p in pairs)
            typer.echo(f"{isolate(prediction.file)}: {told}")


_Run = Annotated[str, typer.Argument(metavar="RUN", help="A workspace of `run`, or a file of its folder runs/.")]
_TargetName = Annotated[str | None, typer.Option("--target", help="Which target; needed if there are several.")]
_Labels = Annotated[list[str] | None, typer.Option("--label", help="Only labels that are, or contain, this.")]
_Count = Annotated[int, typer.Option("--rows", min=1, help="How many labels to show.")]


@app.command()
def prior(
    run: _Run,
    target: _TargetName = None,
    label: _Labels = None,
    bottom: Annotated[bool, typer.Option("--bottom", help="The labels that matter least first.")] = False,
    rows: _Count = 20,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write all labels to a CSV file.")] = None,
    verbose: _Verbose = False,
) -> None:
    """Show which source labels matter for a target: P_s, P_t with its interval, importance weights."""
    with _errors(verbose):
        from pipeline.results import inspect

        console, table = _ask(run, lambda found: inspect.prior(found, inspect.target_of(found, target)))
        if csv:
            inspect.write_csv(table, csv)
        inspect.show_prior(console, table, searched=label or (), bottom=bottom, count=rows)


@app.command()
def plan(
    run: _Run,
    target: _TargetName = None,
    arm: Annotated[str | None, typer.Option(help="Which arm; needed if several have a plan.")] = None,
    label: _Labels = None,
    example: Annotated[str | None, typer.Option(metavar="ID", help="Why this source example is taken.")] = None,
    rows: _Count = 20,
    verbose: _Verbose = False,
) -> None:
    """Show what an arm is pre-trained on: label by label, or why it takes an example as often as it does."""
    with _errors(verbose):
        from pipeline.results import inspect

        def question(found):
            of = inspect.target_of(found, target)
            name = inspect.arm_of(found, of, arm)
            labels = inspect.plan_labels(found, of, name)
            return name, labels, None if example is None else inspect.explain(found, of, name, example)

        console, (name, labels, explanation) = _ask(run, question)
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


def _ask(run: str, question):
    """Returns a console, and what `question` finds in a run; says so if that is not the newest one."""
    import rich.console

    from pipeline.results import record

    answer, note = record.ask(run, question)
    if note:
        typer.echo(f"note: {note}", err=True)
    return rich.console.Console(), answer


def _run(settings, workspace: str, name: str, console) -> list[str]:
    """Runs the pipeline as the run `name` and returns the nodes that failed."""
    from pipeline.terminal import logs

    with _interruption(console, "the same command goes on from there"):
        with logs.show_waiting(console, "starting"):
            from pipeline import pipeline
            from pipeline.nodes import ingest
            from pipeline.results import record, summary
            from pipeline.runners import local
            from pipeline.terminal.progress import Display
            from trainer.loop import checkpoints, progress
        ingest.prepare(settings, functools.partial(logs.show_waiting, console))
        checkpoints.write_policy(pipeline.checkpoint_root(workspace), settings.checkpoint)
        view = Display(console)
        try:
            with progress.listen(view.progress):
                results = local.run(pipeline.create_pipeline(settings, workspace), on_start=view.start, on_end=view.end)
        finally:
            view.stop()
        nodes = {result.node: record.Node(result.state.value, result.seconds, result.uris()) for result in results}
        record.write(workspace, name, record.Record(settings.model_dump(), nodes))
        summary.show(console, summary.collect(settings, results), results)
    return [result.node for result in results if result.state is local.State.FAILED]


@contextlib.contextmanager
def _interruption(console, consequence: str) -> Iterator[None]:
    """Says what comes of it, when a signal ends a command."""
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


class _errors:  # noqa: N801 - reads as a word at its use
    """Turns an exception into a line on stderr and exit code 1."""

    def __init__(self, verbose: bool):
        self._verbose = verbose

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, traceback) -> None:
        if error is None or self._verbose or not isinstance(error, Exception) or isinstance(error, typer.Exit):
            return
        if isinstance(error, BrokenPipeError):  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or else Python complains when it flushes at its end
            raise SystemExit(1)
        from pipeline.terminal.errors import one_line

        # A configuration's mistakes are told all at once, a line each.
        lines = str(error).splitlines() if type(error) is ValueError else [one_line(error)]
        for line in lines:
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(1)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
