"""The commands that show what a run has given."""

import os
import sys
import warnings
from typing import Annotated

import typer

from pipeline.cli.app import Verbose, app, errors, expand

_Run = Annotated[str, typer.Argument(metavar="RUN", help="A workspace of `run`, or a file in its folder runs/.")]
_TargetName = Annotated[str | None, typer.Option("--target", help="Name of the target; required if there are several.")]
_Labels = Annotated[list[str] | None, typer.Option("--label", help="Show only labels that equal or contain this text.")]
_Count = Annotated[int, typer.Option("--rows", min=1, help="Number of labels to show.")]


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pushed model's folder.")],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Image files, folders of them, or - to read paths from the input."),
    ],
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json|csv", help="json: an object a line.")
    ] = "text",
    verbose: Verbose = False,
) -> None:
    """Predict the labels of images with a pushed model, line by line. Exit with 1 if one of them cannot be read."""
    with errors(verbose):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        warnings.simplefilter("ignore")  # libraries warn while they are imported; none of it is about the images
        from pipeline.terminal import logs

        with logs.silence():
            from pipeline.results import predict as prediction
            from pipeline.terminal import progress

        if output_format not in prediction.FORMATS:
            raise ValueError(f"--format: {output_format!r} is none of {', '.join(prediction.FORMATS)}")
        names = [name if name == "-" else expand("IMAGE", name) for name in images]
        files = progress.count(prediction.find_images(names, sys.stdin), "images")
        failed: list[str] = []

        def note(each: prediction.Prediction) -> prediction.Prediction:
            failed.extend([each.file] if each.error else [])
            return each

        folder, broken = prediction.find_saved_model(expand("MODEL", model))
        for path in broken:
            typer.echo(f"note: {path} is incomplete; {folder} is used", err=True)
        with logs.silence():
            predictions = prediction.predict(folder, files)
        for line in prediction.lines_of(map(note, predictions), output_format):
            typer.echo(line)
        if failed:
            raise ValueError(f"IMAGE: {len(failed):,} cannot be read: {', '.join(map(repr, failed))}")


@app.command()
def prior(
    run: _Run,
    target: _TargetName = None,
    label: _Labels = None,
    bottom: Annotated[bool, typer.Option("--bottom", help="Show the labels with the lowest P_t first.")] = False,
    rows: _Count = 20,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write all labels to a CSV file.")] = None,
    verbose: Verbose = False,
) -> None:
    """Show which source labels matter for a target: P_s, P_t with its interval, importance weights."""
    with errors(verbose):
        from pipeline.results import inspect

        console, table = _read_newest(run, lambda record: inspect.prior(record, inspect.target_of(record, target)))
        if csv:
            inspect.write_csv(table, expand("--csv", csv))
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
    verbose: Verbose = False,
) -> None:
    """Show the labels an arm is pre-trained on, or explain how often it takes an example."""
    with errors(verbose):
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


@app.command()
def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A workspace, a file in its folder runs/, or a comparison's folder.")
    ],
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    verbose: Verbose = False,
) -> None:
    """Print the path of the report on the newest run or comparison; make it if it is not there."""
    with errors(verbose):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        warnings.simplefilter("ignore")
        from pipeline.terminal import logs

        with logs.silence():
            from pipeline.report import command

            path, note = command.find_report(expand("RUN", run))
        if note:
            typer.echo(f"note: {note}", err=True)
        typer.echo(path)
        if open_:
            import pathlib
            import webbrowser

            if "://" in path:
                raise ValueError(f"--open: {path} is not on this machine; copy it here first")
            if not webbrowser.open(pathlib.Path(path).absolute().as_uri()):
                raise ValueError(f"--open: no browser was found; open {path} yourself")


def _read_newest(run: str, read):
    """Returns a console, and what `read` returns for the newest record that has it. Prints a note for an older one."""
    import rich.console

    from pipeline import record

    result, note = record.read_newest(expand("RUN", run), read)
    if note:
        typer.echo(f"note: {note}", err=True)
    return rich.console.Console(), result
