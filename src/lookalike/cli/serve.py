"""``lookalike serve``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import BadInput, MissingExtra
from . import say

__all__ = ["command"]


@click.command("serve", short_help="Serve collections over HTTP: the REST API and the web page.")
@click.option(
    "--collection",
    "collections",
    multiple=True,
    metavar="[NAME=]PATH",
    help="A collection's folder, and its name in the URL; may be given several times. Default: as for search.",
)
@click.option("--host", metavar="ADDRESS", help="Where to listen. Default: 127.0.0.1, this machine only.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 8000; 0 takes any free one.")
@click.option("--workers", type=click.IntRange(1), help="Processes that share the port and the vectors. Default: 1.")
@click.option("--api-keys", metavar="FILE", type=click.Path(), help="Keys, as `lookalike keys FILE` makes them.")
@click.option("--insecure", is_flag=True, default=None, help="Listen on a public address without keys.")
@click.option("--root-path", metavar="/PATH", help="The path that a proxy puts in front.")
@click.option(
    "--filter", "filter_", metavar="CLASSIFIER", help="Mark unsafe images: column:NAME, head:FILE, image:FILE."
)
@click.option("--filter-action", type=click.Choice(["mark", "hide"]), help="What happens to them. Default: mark.")
@click.option("--config", metavar="FILE", type=click.Path(), help="Settings in TOML; see docs/serve.md.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "coreml", "openvino"]),
    help="Where a model runs. Default: auto.",
)
def command(
    collections: Sequence[str],
    host: str | None,
    port: int | None,
    workers: int | None,
    api_keys: str | None,
    insecure: bool | None,
    root_path: str | None,
    filter_: str | None,
    filter_action: str | None,
    config: str | None,
    device: str | None,
) -> int:
    """Serve collections over HTTP: the REST API under /v1, and the web page, on one port.

    Only this machine can reach it unless --host says otherwise; then keys are needed. Ctrl-C finishes the requests that
    run and ends it.
    """
    from dataclasses import replace

    # OpenBLAS reads it when numpy is first imported, below. Its threads would spin for 30 ms after each search, on a
    # core that the next query's model needs: powers of two of the processor's clock, 4 the least, 26 the default.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    from ..serve.settings import load_settings

    flags = {
        "collections": _named(collections) or None,
        "host": host,
        "port": port,
        "workers": workers,
        "api_keys": api_keys,
        "insecure": insecure,
        "root_path": root_path,
        "filter": filter_,
        "filter_action": filter_action,
        "device": device,
    }
    settings = load_settings(file=config, flags=flags)
    if not settings.collections:
        from ..collection import default_path

        settings = replace(settings, collections=_named([str(default_path())]))
    try:
        from ..serve.running import run
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] == "lookalike":
            raise
        raise MissingExtra(
            f"the server needs the package {missing.name!r}, which is not installed.",
            hint="Try: pip install 'lookalike[serve]'",
        ) from missing
    run(settings, tell=say.message)
    return 0


def _named(collections: Sequence[str]) -> dict[str, str]:
    """Return name -> folder; without a name it is that of the folder, without ``.collection``."""
    found: dict[str, str] = {}
    for text in collections:
        name, equals, folder = text.partition("=")
        if not equals or "/" in name or Path(text).exists():
            folder = text
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(text).absolute().name.removesuffix(".collection")).strip("-.")
        if name in found:
            raise BadInput(f"two collections are called {name!r}.", hint="Name them: --collection NAME=PATH.")
        found[name or "collection"] = folder
    return found
