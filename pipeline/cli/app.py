"""The application that the commands belong to, and what they share."""

import os
import signal
import sys
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Domain-adaptive transfer learning: pre-train on the part of the source that your target needs.",
)

Verbose = Annotated[bool, typer.Option("--verbose", help="Show the traceback of an error.")]
Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file, such as pipeline/configs/demo.yaml.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Overrides a key.")]


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


def expand(argument: str, path: str) -> str:
    """Returns `path` as a shell would expand it; an error names the argument."""
    from components.settings import expand_argument

    return expand_argument(argument, path)


class errors:  # noqa: N801 - used like a function
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
