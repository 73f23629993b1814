"""The commands for runs on a cluster."""

import os
from typing import Annotated, Literal

import typer

from pipeline.cli.app import Config, Set, Verbose, app, errors, expand

_Backend = Literal["kubeflow", "vertex"]
_Compare = Annotated[bool, typer.Option("--compare", help="What `compare` trains, instead of what `run` does.")]


@app.command("compile")
def compile_(
    config: Config,
    backend: Annotated[_Backend, typer.Option("--for", help="Where it is to run.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="For Kubeflow YAML, for Vertex JSON.")],
    comparison: _Compare = False,
    set_: Set = None,
    verbose: Verbose = False,
) -> None:
    """Compile the pipeline of CONFIG for a cluster. Nothing is sent."""
    with errors(verbose):
        import pathlib

        from pipeline import session
        from pipeline.config.load import load

        path = pathlib.Path(expand("--output", output))
        if not path.absolute().parent.is_dir():
            raise ValueError(f"--output: {str(path)!r}: its folder does not exist; make it, or name another file")
        compiled = session.compile_config(load(config, set_ or []), backend, comparison=comparison)
        path.write_text(compiled.to_text(), encoding="utf-8")
        typer.echo(f"{path}: {len(compiled.tasks)} steps")


@app.command()
def submit(
    config: Config,
    backend: Annotated[_Backend, typer.Option("--to", help="Where it is to run.")],
    comparison: _Compare = False,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter of this run.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit with 1 if it fails.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")] = False,
    set_: Set = None,
    verbose: Verbose = False,
) -> None:
    """Run the pipeline of CONFIG on a cluster. The same run is not sent twice."""
    with errors(verbose):
        from pipeline import session
        from pipeline.config.load import load

        values = {}
        for text in parameter or []:
            name, found, values[name] = text.partition("=")
            if not found:
                raise ValueError(f"--parameter: {text!r} has no '='; write NAME=VALUE")
        settings = load(config, set_ or [])
        session.submit_config(settings, backend, values, comparison=comparison, wait=wait, dry_run=dry_run)


@app.command()
def rollback(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder that a model server watches.")],
    verbose: Verbose = False,
) -> None:
    """Go back one version: take the newest model out of FOLDER, so that the one before it is served."""
    with errors(verbose):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from pipeline.terminal import logs

        with logs.silence():
            from components.pusher.rollback import withdraw_newest
        withdrawn, served = withdraw_newest(expand("FOLDER", folder))
        typer.echo(f"version {withdrawn} is withdrawn; version {served} is served")
