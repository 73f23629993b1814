"""The commands that run something on this machine."""

import json
import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import Config, Set, Verbose, app, errors, expand

if TYPE_CHECKING:
    from pipeline.pipeline import Until


@app.command()
def run(
    config: Config,
    workspace: Annotated[str, typer.Option(help="Artifacts, metadata, logs and pushed models go here.")] = "workspace",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run, and what be reused.")] = False,
    until: Annotated[
        str | None, typer.Option(metavar="prior", help="Stop there: only say which source labels matter.")
    ] = None,
    require_push: Annotated[bool, typer.Option("--require-push", help="Exit with 3 if a model is not pushed.")] = False,
    set_: Set = None,
    verbose: Verbose = False,
) -> None:
    """Run the pipeline of CONFIG on this machine. Results that have not changed since the last run are reused."""
    with errors(verbose):
        from pipeline import session
        from pipeline.config.load import load
        from pipeline.workspace import resolve_workspace

        end = _check_until(until)
        if end and require_push:
            raise ValueError(f"--require-push: a run with --until {until} pushes nothing; leave one of them out")
        folder, settings = resolve_workspace(workspace), load(config, set_ or [])
        if dry_run:
            session.show_forecast(settings, folder, end)
            return
        outcome = session.run_config(settings, folder, end)
        if outcome.failed:
            typer.echo(f"error: {', '.join(outcome.failed)} failed; the full log is {outcome.log}", err=True)
            raise typer.Exit(1)
        if require_push and outcome.unpushed:
            typer.echo(f"error: --require-push: nothing was pushed for {', '.join(outcome.unpushed)}", err=True)
            raise typer.Exit(3)
        if end:
            typer.echo(f"all labels:   {shlex.join(['specialist', 'prior', workspace])}")
            if settings.counts is None:
                options = [f"--set={override}" for override in set_ or []]
                command = ["specialist", "run", config, "--workspace", workspace, *options]
                typer.echo(f"the full run: {shlex.join(command)}")
            else:
                typer.echo("a full run needs the images of the source: name them in `source`, see docs/data.md")


@app.command()
def compare(
    config: Config,
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
    set_: Set = None,
    verbose: Verbose = False,
) -> None:
    """Compare arms over seeds: does it help, by how much, at what cost? What is finished is not trained again."""
    with errors(verbose):
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
    verbose: Verbose = False,
) -> None:
    """Remove from WORKSPACE what no kept run needs: artifacts, checkpoints, records and logs; never a pushed model."""
    with errors(verbose):
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
    config: Config,
    images: Annotated[int, typer.Option(min=1, help="Number of images to read from each split of the data.")] = 1000,
    thumbnails: Annotated[str, typer.Option(metavar="DIR", help="Folder for the thumbnails.")] = "thumbnails",
    timing: Annotated[bool, typer.Option(help="Train for a few steps, to estimate the time of a run.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if there is any warning.")] = False,
    set_: Set = None,
    verbose: Verbose = False,
) -> None:
    """Show a sample of CONFIG's data, and estimate the time and storage of a run. Exit with 1 if a run would stop."""
    with errors(verbose):
        from pipeline import session
        from pipeline.config.load import load
        from pipeline.terminal import logs

        settings = load(config, set_ or [])
        with logs.redirect_output(os.devnull) as console, session.end_on_signals(console, "no run was changed"):
            with logs.show_waiting(console, "starting"):
                from pipeline.preview import command
            folder = expand("--thumbnails", thumbnails)
            stops, warnings = command.preview_config(
                settings, console, images=images, thumbnails_folder=folder, timing=timing
            )
        if stops or (strict and warnings):
            reason = "a run would stop" if stops else f"--strict: there are {warnings:,} warnings"
            typer.echo(f"error: {reason}; see above", err=True)
            raise typer.Exit(1)


def _check_until(until: str | None) -> "Until | None":
    """Returns the option `--until`.

    Raises:
      ValueError: a run cannot end there.
    """
    if until is None:
        return None
    if until == "prior":
        return "prior"
    raise ValueError(f"--until: {until!r} is not one of prior; choose one, or leave it out for the whole run")


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
