"""The command line. Each command imports heavy modules only when it needs them."""

import io
import json
import os
import signal
import sys
import warnings
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run, and what be reused.")] = False,
    require_push: Annotated[bool, typer.Option("--require-push", help="Exit with 3 if a model is not pushed.")] = False,
    set_: _Set = None,
    verbose: _Verbose = False,
) -> None:
    """Run the pipeline of CONFIG on this machine. Results that have not changed since the last run are reused."""
    with _errors(verbose):
        from pipeline import session
        from pipeline.config.load import load
        from pipeline.workspace import resolve_workspace

        folder, settings = resolve_workspace(workspace), load(config, set_ or [])
        if dry_run:
            session.show_forecast(settings, folder)
            return
        outcome = session.run_config(settings, folder)
        if outcome.failed:
            typer.echo(f"error: {', '.join(outcome.failed)} failed; the full log is {outcome.log}", err=True)
            raise typer.Exit(1)
        if require_push and outcome.unpushed:
            typer.echo(f"error: --require-push: nothing was pushed for {', '.join(outcome.unpushed)}", err=True)
            raise typer.Exit(3)


@app.command()
def compare(
    config: _Config,
    workspace: Annotated[str, typer.Option(help="As that of `run`, which may share it.")] = "workspace",
    seeds: Annotated[int | None, typer.Option(min=1, help="How often each arm is repeated.")] = None,
    arms: Annotated[str | None, typer.Option(metavar="NAME,...|all", help="The arms; all: every preset.")] = None,
    targets: Annotated[str | None, typer.Option(metavar="NAME,...", help="The targets.")] = None,
    budget: Annotated[float | None, typer.Option(metavar="HOURS", help="Stop in time, and report.")] = None,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the models of finished cells.")] = False,
    table: Annotated[
        str | None, typer.Option(metavar="subsets|backbones|selection|weights", help="Show a table of the paper.")
    ] = None,
    figure: Annotated[
        str | None, typer.Option(metavar="importance|matchers|shots|budget", help="Draw a figure.")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", metavar="WORKSPACE", help="Tables and figures: add its results.")
    ] = None,
    set_: _Set = None,
    verbose: _Verbose = False,
) -> None:
    """Compare arms over seeds: does it help, by how much, at what cost? What is finished is not trained again."""
    with _errors(verbose):
        from pipeline import session
        from pipeline.config.load import load
        from pipeline.workspace import resolve_workspace

        if budget is not None and not budget > 0:  # nor NaN
            raise ValueError(f"--budget: {budget}; it must be a positive number of hours")
        options = [] if seeds is None else [f"compare.seeds={seeds}"]
        if arms is not None:
            options.append(f"compare.arms={'all' if arms == 'all' else _split_names('--arms', arms)}")
        if targets is not None:
            options.append(f"compare.targets={_split_names('--targets', targets)}")
        folder, settings = resolve_workspace(workspace), load(config, [*(set_ or []), *options])
        if table is not None or figure is not None:  # from the results at hand
            others = [_resolve_other(other) for other in with_ or []]
            session.show_results(settings, [folder, *others], table=table, figure=figure)
            return
        if with_:
            raise ValueError(f"--with: {with_[0]!r} is for --table and --figure; name one of them as well")
        outcome = session.compare_config(settings, folder, hours=budget, keep_models=keep_models)
        if outcome.failed:
            typer.echo(f"error: {len(outcome.failed)} cells failed, see above; the full log is {outcome.log}", err=True)
            raise typer.Exit(1)


@app.command()
def clean(
    workspace: Annotated[str, typer.Argument(metavar="WORKSPACE", help="A workspace of `run`.")],
    keep: Annotated[int, typer.Option(min=1, help="How many of the last runs that ended well to keep.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    verbose: _Verbose = False,
) -> None:
    """Remove from WORKSPACE what no kept run needs: artifacts, checkpoints, records and logs; never a pushed model."""
    with _errors(verbose):
        from pipeline import session
        from pipeline.results import clean as cleaning
        from pipeline.terminal import logs
        from pipeline.workspace import lock_workspace, resolve_workspace

        folder = resolve_workspace(workspace)
        cleaning.make_plan(folder, keep)  # what is no workspace is refused before a lock is made in it
        with (
            lock_workspace(folder),
            logs.redirect_output(os.devnull) as console,
            session.end_on_signals(console, "run it again to remove the rest"),
        ):
            plan = cleaning.make_plan(folder, keep)
            if not dry_run:
                cleaning.remove(folder, plan)
            cleaning.show(console, plan, removed=not dry_run)


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
        from pipeline import session
        from pipeline.config.load import load
        from pipeline.terminal import logs

        settings = load(config, set_ or [])
        with logs.redirect_output(os.devnull) as console, session.end_on_signals(console, "no run was changed"):
            with logs.show_waiting(console, "starting"):
                from pipeline.preview import command
            folder = _expand("--thumbnails", thumbnails)
            stops, warnings = command.preview_config(
                settings, console, images=images, thumbnails_folder=folder, timing=timing
            )
        if stops or (strict and warnings):
            reason = "a run would stop" if stops else f"--strict: there are {warnings:,} warnings"
            typer.echo(f"error: {reason}; see above", err=True)
            raise typer.Exit(1)


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
    verbose: _Verbose = False,
) -> None:
    """Predict the labels of images with a pushed model, line by line. Exit with 1 if one of them cannot be read."""
    with _errors(verbose):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        warnings.simplefilter("ignore")  # libraries warn while they are imported; none of it is about the images
        from pipeline.results import predict as prediction
        from pipeline.terminal import progress

        if output_format not in prediction.FORMATS:
            raise ValueError(f"--format: {output_format!r} is none of {', '.join(prediction.FORMATS)}")
        names = [name if name == "-" else _expand("IMAGE", name) for name in images]
        files = progress.count(prediction.find_images(names, sys.stdin), "images")
        failed: list[str] = []

        def note(each: prediction.Prediction) -> prediction.Prediction:
            failed.extend([each.file] if each.error else [])
            return each

        folder, broken = prediction.find_saved_model(_expand("MODEL", model))
        for path in broken:
            typer.echo(f"note: {path} is incomplete; {folder} is used", err=True)
        predictions = prediction.predict(folder, files)
        for line in prediction.lines_of(map(note, predictions), output_format):
            typer.echo(line)
        if failed:
            raise ValueError(f"IMAGE: {len(failed):,} cannot be read: {', '.join(map(repr, failed))}")


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
            inspect.write_csv(table, _expand("--csv", csv))
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


def _split_names(option: str, text: str) -> str:
    """Returns the names in `text`, which are separated by commas, as a list in YAML."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError(f"{option}: {text!r} has an empty name; give names with a comma between them, or leave it out")
    return json.dumps(names)


def _resolve_other(workspace: str) -> str:
    from pipeline.workspace import resolve_workspace

    folder = resolve_workspace(workspace, "--with")
    if not os.path.isdir(folder):
        raise ValueError(f"--with: no folder {workspace!r}; name a workspace of `specialist compare`")
    return folder


def _expand(argument: str, path: str) -> str:
    from components.settings import expand_argument

    return expand_argument(argument, path)


def _read_newest(run: str, read):
    """Returns a console, and what `read` returns for the newest record that has it. Prints a note for an older one."""
    import rich.console

    from pipeline.results import record

    result, note = record.read_newest(_expand("RUN", run), read)
    if note:
        typer.echo(f"note: {note}", err=True)
    return rich.console.Console(), result


class _errors:  # noqa: N801 - used like a function
    """Prints an exception as a line on stderr and exits with code 1; with 130 if it is an interruption."""

    def __init__(self, verbose: bool):
        self._verbose = verbose

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, traceback) -> None:
        if isinstance(error, KeyboardInterrupt):
            print(f"stopped: {signal.SIGINT.name}", file=sys.stderr)
            raise SystemExit(128 + signal.SIGINT)
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # labels may have characters that the terminal has not
    try:
        app()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > 128:  # an interruption
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)  # threads that hear of no signal would be waited for
        raise


if __name__ == "__main__":
    main()
