"""Write what can be generated: the references of commands, embedders and errors, and the figures of README.

Figures come from benchmarks/results/*.json and stand between `<!-- begin:NAME -->` and `<!-- end:NAME -->`. With
`--check` nothing is written, and the exit code is 1 when something is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from lookalike import errors
from lookalike.cli.app import app
from lookalike.embed import ALIASES, EMBEDDERS, RECOMMENDED

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "benchmarks" / "results"
WIDTH = 100  # of the commands' help, whatever the terminal

Json = dict[str, Any]
NOTICE = "<!-- Written by docs/generate.py (`make docs`): change the source that it describes. -->"
NOT_YET = "*Not measured yet: `make bench` does.*"
MARKED = re.compile(r"<!-- begin:([\w-]+) -->\n.*?<!-- end:\1 -->", re.DOTALL)
SPEED = ("indexing", "first_search", "exact_search", "startup", "decoding")  # the results in the order of the table
SETS = ("emoji", "logos", "scenes", "grocery")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="only say what is out of date")
    check = options.parse_args().check
    stale = []
    for path, text in _generated():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(HERE.parent).as_posix())
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
    if check and stale:
        raise SystemExit(f"out of date: {', '.join(stale)}; `make docs` writes them again")
    print(f"wrote {', '.join(stale)}" if stale else "all of it is up to date")


def _generated() -> Iterator[tuple[Path, str]]:
    """Yield every file that is generated, in whole or in part, and what it should say."""
    for name, page in PAGES.items():
        yield HERE / name, f"{NOTICE}\n\n{page().rstrip()}\n"
    for path in [HERE.parent / "README.md", *sorted(HERE.glob("*.md"))]:
        if path.name in PAGES or not path.is_file():
            continue
        yield path, MARKED.sub(_block, path.read_text(encoding="utf-8"))


def _block(found: re.Match[str]) -> str:
    name = found[1]
    if name not in BLOCKS:
        raise SystemExit(f"there is a marker {name!r}, which nothing generates; known: {', '.join(BLOCKS)}")
    return f"<!-- begin:{name} -->\n{BLOCKS[name]().rstrip()}\n<!-- end:{name} -->"


# -- pages ------------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Return the help of every command."""
    parts = ["# The command line", "What `lookalike --help` and `lookalike COMMAND --help` say."]
    for words, help_text in _helps(app, "lookalike", None):
        parts += [f"## `{words}`", f"```text\n{help_text.rstrip()}\n```"]
    return "\n\n".join(parts)


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    names = command.context_settings.get("help_option_names")
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, help_option_names=names)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None:
                yield from _helps(found, each, context)


def embedders_page() -> str:
    """Return the table of embedders."""
    names = {target: alias for alias, target in ALIASES.items()}
    lines = ["| name | components | what it is |", "|---|---|---|"]
    for name in EMBEDDERS.names():
        scheme = name.endswith(":")
        dim = "the model's" if scheme else str(EMBEDDERS.create(name).space.dim)
        rest = "ORG/NAME" if name == "hf:" else "PATH" if scheme else ""
        shown = f"`{name}{rest}`" + (f" (`{names[name]}`)" if name in names else "")
        lines.append(f"| {shown} | {dim} | {_first_line(EMBEDDERS._factory(name))} |")
    text = (
        "What turns an image into a vector: `lookalike index FOLDER --embedder NAME`. A collection remembers the "
        "versioned name, and finds the same weights and preprocessing by it for ever."
    )
    return "\n\n".join(["# Embedders", text, "\n".join(lines), *hub_section(), "## Quality", quality_table()])


def hub_section() -> list[str]:
    """Return what is said of models by name."""
    lines = [
        "| name | from | components | MB | words | licence of the weights | good for |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, model in RECOMMENDED.items():
        words = "yes" if model.words else "no"
        lines.append(
            f"| `{name}` | `{model.spec}` | {model.dim} | {model.megabytes} | {words} | {model.licence} | {model.use} |"
        )
    return [
        "## Models by name",
        "`hf:ORG/NAME` opens a repository of the hub that has ONNX files (`pip install 'lookalike[hub]'`; no torch). It "
        "is downloaded once and then taken from the cache, without asking the network. `hf:ORG/NAME@REVISION` names a "
        "branch, tag or commit, `hf:ORG/NAME?variant=quantized` the smaller file `model_quantized.onnx`. `$HF_ENDPOINT` "
        "and `$HF_HOME` are honoured; `$LOOKALIKE_CACHE` is a cache of its own. A folder copied from there opens as "
        "`onnx:FOLDER`.",
        "Some have short names. `--embedder auto` takes the first of them that is in the cache and fits into memory, else "
        "`builtin`; in a collection that has vectors already, it takes what made them. The figures are those of the "
        "models' own pages: they were **not verified here** by running the published weights. The order is not measured "
        "either; try them on your own pictures with `lookalike evaluate`.",
        "\n".join(lines),
        "A model with a text tower (CLIP, SigLIP, MobileCLIP) also finds pictures by words: "
        '`lookalike search "a red car"`, and `lookalike search cat.jpg + "at night" - "cartoon"`.',
    ]


def _first_line(thing: object) -> str:
    """Return the first sentence of a docstring, as a description: without the verb that a function's begins with."""
    text = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    text = text.removeprefix("Return ").rstrip(".").replace("``", "`")
    return text[:1].upper() + text[1:]


def errors_page() -> str:
    """Return the table of errors."""
    lines = ["| class | code | exit code | what it means |", "|---|---|---|---|"]
    for name in errors.__all__:
        kind = getattr(errors, name)
        lines.append(f"| `{name}` | `{kind.code}` | {kind.exit_code} | {_first_line(kind)} |")
    text = (
        "Every error of `lookalike.errors` has a message (what was wrong, and where) and a hint (what to do). With "
        '`--json` a command prints `{"error": {"code", "message", "hint"}}`. Exit codes: 0 done; 1 done, with images '
        "skipped; 2 the caller can mend it; 3 our own failure; 130 stopped by Ctrl-C."
    )
    return "\n\n".join(["# Errors", text, "\n".join(lines)])


# -- figures ----------------------------------------------------------------------------------------------------------


def quality_table() -> str:
    """Return mAP and R@1 of every embedder on the held-out classes of every set."""
    result = _result("quality")
    if result is None:
        return NOT_YET
    figures: Json = result["figures"]
    sets = [name for name in SETS if name in figures]
    lines = [
        f"| embedder | components | {' | '.join(sets)} |",
        f"|---|---|{'---|' * len(sets)}",
    ]
    for name in dict.fromkeys(each for some in sets for each in figures[some]):
        cells = [_quality_cell(figures[some][name]["held-out"]["metrics"]) for some in sets]
        shown = f"`{name}`" if name in EMBEDDERS.names() else name
        lines.append(f"| {shown} | {figures[sets[0]][name]['all']['dim']} | {' | '.join(cells)} |")
    first = {some: next(iter(figures[some].values()))["held-out"] for some in sets}
    sizes = "; ".join(f"{some} {first[some]['queries']} queries, {first[some]['images']} images" for some in sets)
    lines += ["", f"Each cell: mAP, then R@1, with 95% intervals. Held-out classes: {sizes}. {_origin(result)}"]
    return "\n".join(lines)


def _quality_cell(metrics: Json) -> str:
    return "<br>".join(
        f"{label}{each['value']:.2f} [{each['low']:.2f}, {each['high']:.2f}]"
        for label, each in (("", metrics["map"]), ("R@1 ", metrics["hit_rate@1"]))
    )


def speed_table() -> str:
    """Return every claim about speed and memory beside what was measured."""
    results = [result for name in SPEED if (result := _result(name)) is not None]
    if not results:
        return NOT_YET
    lines = ["| what | measured | aim | beside |", "|---|---|---|---|"]
    for result in results:
        lines += [_speed_row(row) for row in result["rows"]]
    lines += ["", *dict.fromkeys(_origin(result) for result in results)]
    return "\n".join(lines)


def _speed_row(row: Json) -> str:
    unit = {"x": "×", "%": "%"}.get(row["unit"], f" {row['unit']}".rstrip())
    measured = f"{row['median']:.3g}{unit} ({row['low']:.3g} to {row['high']:.3g})"
    aim = ""
    if row["at_least"] is not None or row["at_most"] is not None:
        aim = f"≥ {row['at_least']:g}{unit}" if row["at_least"] is not None else f"≤ {row['at_most']:g}{unit}"
    missed = " (missed)" if row["kept"] is False else ""
    return f"| {row['what']} | {measured}{missed} | {aim} | {row['beside']} |"


def _origin(result: Json) -> str:
    """Return where the figures come from, in one sentence."""
    machine = result["machine"]
    return (
        f"Measured on {result['date']} at {result['commit'][:9]}{'+' if result['commit'].endswith('+') else ''} on "
        f"{machine['cores']} cores of {machine['processor']}, {machine['system']}."
    )


def _result(name: str) -> Json | None:
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found if name == "quality" or found.get("rows") else None


PAGES: dict[str, Callable[[], str]] = {"cli.md": cli_page, "embedders.md": embedders_page, "errors.md": errors_page}
BLOCKS: dict[str, Callable[[], str]] = {"quality-table": quality_table, "speed-table": speed_table}


if __name__ == "__main__":
    main()
