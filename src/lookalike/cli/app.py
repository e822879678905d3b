"""The group of commands; a command's module is loaded when it is called, so ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import LookalikeError
from ..nearest_name import did_you_mean
from . import say
from .quiet import libraries_silenced

__all__ = ["COMMANDS", "app", "run"]

# command -> (module, what --help says of it)
COMMANDS = {
    "index": ("index", "Add images to a collection: a folder, files, an archive, a list, URLs."),
    "search": ("search", "Find the images most like an image, a URL or one of the collection."),
    "find": ("find", "Find a small picture, such as a logo, inside the images of a collection."),
    "related": ("related", "Write for every image the images most like it: CSV, Parquet or a sparse matrix."),
    "info": ("info", "Say what a collection holds."),
    "evaluate": ("evaluate", "Measure the search against images that are known to belong together."),
    "calibrate": ("calibrate", "Learn which score means which probability of being relevant."),
    "weigh": ("weigh", "Learn how much each vector space and metadata column should count."),
    "compare": ("compare", "Say whether one search is better than another, by a paired test."),
    "train": ("train", "Train a model on images and what is known of them: labels, pairs, or nothing."),
    "remove": ("remove", "Take images out of a collection; their files stay."),
    "rebase": ("rebase", "Say that the images' folder has moved; nothing is read again."),
    "export": ("export", "Write vectors and metadata in the layout of clip-retrieval."),
    "import": ("import_", "Take in vectors that were made elsewhere (.npy and Parquet)."),
    "serve": ("serve", "Serve collections over HTTP: the REST API and the web page."),
    "keys": ("keys", "Make, list and remove keys for `lookalike serve`."),
    "backup": ("backup", "Copy a collection into one file, or restore it from there."),
}

INTERRUPTED = 130
OUR_FAULT = 3


class _ReaderGone(Exception):
    """Nobody reads what we print any more. click would make it exit code 1, which means something else here."""


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:
            raise _ReaderGone from gone

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[cmd_name][0]}", __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = did_you_mean(args[0], COMMANDS)
            if not near:
                raise
            raise click.UsageError(f"{error.message} {near}", ctx) from error


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A collection is a folder, by default ./lookalike.collection; see `lookalike COMMAND --help`.",
)
@click.version_option(__version__, prog_name="lookalike")
@click.option("--collection", metavar="PATH", help="As behind a command's name: which collection it is about.")
@click.pass_context
def app(context: click.Context, collection: str | None) -> None:
    """Find images that look alike.

    \b
    lookalike index ~/Pictures          make a collection of a folder
    lookalike search cat.jpg            find what looks like a picture
    """
    if collection is not None:  # becomes the default of the command's own option, which may be given again
        context.default_map = {
            name: {"collections": [collection]} if name == "serve" else {"collection": collection} for name in COMMANDS
        }


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; errors become one sentence on stderr (or a JSON object) and an exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    say.set_up_streams()
    say.overhear("lookalike.models")
    try:
        with libraries_silenced():
            code = app.main(args=words, prog_name="lookalike", standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as error:
        if "--json" in words and not isinstance(error, click.exceptions.NoArgsIsHelpError):
            say.json_error("usage", error.format_message(), "See --help.")
        else:
            error.show()
        code = error.exit_code
    except LookalikeError as error:
        if "--json" in words:
            say.json_error(error.code, error.message, error.hint)
        else:
            say.error(error)
        code = error.exit_code
    except (BrokenPipeError, _ReaderGone):
        # The reader (head, less) has gone: not an error, and Python must not complain while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("LOOKALIKE_DEBUG"):
            raise
        say.failure(error)
        code = OUR_FAULT
    sys.exit(int(code or 0))
