"""Write what can be generated: the references of commands, embedders and errors, and the figures of README.

Figures come from benchmarks/results/*.json and stand between `<!-- begin:NAME -->` and `<!-- end:NAME -->`. With
`--check` nothing is written, and the exit code is 1 when something is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from training_blocks import losses_block, omniglot_block, views_block

from lookalike import errors
from lookalike.cli.app import app
from lookalike.embed import ALIASES, EMBEDDERS, RECOMMENDED
from lookalike.evaluate.metrics import METRICS
from lookalike.train.losses import LOSSES
from lookalike.train.miners import MINERS

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "benchmarks" / "results"
WIDTH = 100  # of the commands' help, whatever the terminal

Json = dict[str, Any]
NOTICE = "<!-- Written by docs/generate.py (`make docs`): change the source that it describes. -->"
NOT_YET = "*Not measured yet: `make bench` does.*"
PLAIN = ("quality", "universal", "augment", "quantised")  # results without rows for the table of speed
MARKED = re.compile(r"<!-- begin:([\w-]+) -->\n.*?<!-- end:\1 -->", re.DOTALL)
SPEED = (
    "indexing",
    "embedder_speed",
    "first_search",
    "exact_search",
    "startup",
    "decoding",
    "evaluation_speed",
    "serve_overhead",
    "serve_load",
    "serve_load_images",
    "serve_soak",
    "page_paint",
    "train_speed",
)  # the results in the order of the table
LONG = ("decoding", "serve_load", "serve_load_images")  # of many rows: left out of README
# Of the table of all embedders on all benchmarks, what README shows.
SHORT_ROWS = (
    *("builtin-2", "builtin-1", "hog", "color-histogram", "gist", "phash"),
    *("MobileNet v1 0.25 128", "MobileNet v1 1.0 224", "MobileNet v2 1.0 224"),
)
FACTS = ("components", "bytes", "MB", "images/s", "indexing")
SHORT_SETS = ("emoji", "logos", "scenes", "grocery, iconic-to-photo", "grocery, test-to-train", "fashion-mnist")
AFTER = {  # what a scheme is followed by; a path where nothing is said
    "bf16:": "A",
    "hf:": "ORG/NAME",
    "int8:": "A",
    "int8-dynamic:": "A",
    "int8-static:": "A",
    "open_clip:": "ARCHITECTURE/TAG",
    "timm:": "NAME",
    "torchvision:": "NAME",
    "ensemble:": "A+B:2",
    "reduce:": "64:A",
    "regions:": "DETECTOR:A",
    "subject:": "DETECTOR:A",
    "tta:": "mirror:A",
}


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
        rest = AFTER.get(name, "PATH") if scheme else ""
        shown = f"`{name}{rest}`" + (f" (`{names[name]}`)" if name in names else "")
        lines.append(f"| {shown} | {dim} | {_first_line(EMBEDDERS.factory(name))} |")
    text = (
        "What turns an image into a vector: `lookalike index FOLDER --embedder NAME`. A collection remembers the "
        "versioned name, and finds the same weights and preprocessing by it for ever."
    )
    parts = [
        *hub_section(),
        *torch_section(),
        *precision_section(),
        *combined_section(),
        *filter(None, quality_section()),
        *universal_section(),
        *augment_section(),
    ]
    return "\n\n".join(["# Embedders", text, "\n".join(lines), *parts])


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


def torch_section() -> list[str]:
    """Return what is said of models of torch libraries."""
    return [
        "## Models of timm, open_clip and torchvision",
        "`timm:NAME`, `open_clip:ARCHITECTURE/TAG` and `torchvision:NAME` open some 2000 more models by their libraries' "
        "own names. At the first use the model is loaded by its library, exported to ONNX, compared with what torch gives "
        "(cosine at least 0.9999), and kept in the cache (`$LOOKALIKE_CACHE/models/exported`, else the system's place for "
        "caches); from then on ONNX Runtime serves it, and torch is neither imported nor needed. Such a folder copied to "
        "another machine opens there as `onnx:FOLDER`, and is the same model to a collection.",
        "```sh\npip install torch torchvision                # a CPU build where there is no GPU: see below\n"
        "pip install 'lookalike[models]'\nlookalike index ~/Pictures --embedder timm:vit_small_patch14_dinov2.lvd142m\n"
        "lookalike index ~/Pictures --embedder open_clip:ViT-B-32/laion2b_s34b_b79k    # finds by words too\n"
        "lookalike index ~/Pictures --embedder torchvision:resnet50\n"
        "lookalike index ~/Pictures --embedder 'timm:resnet50?checkpoint=mine.safetensors'\n```",
        "On Linux a plain `pip install torch` brings CUDA, about 3 GB. Where there is no NVIDIA GPU, install the CPU builds "
        "of torch and torchvision first, by the line that pytorch.org shows for 'CPU': what is installed already is not "
        "replaced. torch and torchvision must be of one build.",
        "| | names | vectors | preprocessing |\n|---|---|---|---|\n"
        "| `timm:` | `ARCHITECTURE`, `ARCHITECTURE.TAG`, `hf-hub:ORG/NAME` | the pooled features that the classifier "
        "reads | the model's data configuration |\n"
        "| `open_clip:` | `ARCHITECTURE/TAG`, `ARCHITECTURE/PATH`, `hf-hub:ORG/NAME` | both towers, and the tokenizer | "
        "the weights' configuration; QuickGELU where the weights were trained with it |\n"
        "| `torchvision:` | `NAME`, `NAME/WEIGHTS` | what the last layer reads | the weights' transforms |",
        "Each takes `?checkpoint=PATH` behind the name: weights of your own, as `.safetensors` or saved by torch with "
        "nothing but weights in it; a pickle that needs more is refused, since opening it runs the code in it. A collection "
        "remembers the full name and the hash of the weights, which is the same whatever file they lie in.",
    ]


def precision_section() -> list[str]:
    """Return what is said of models at lower precision."""
    return [
        "## In int8 and bfloat16",
        "Any ONNX model at full precision, `onnx:`, `hf:`, a short name, `timm:`, `open_clip:` or `torchvision:`, also runs "
        "quicker for a little quality. Preprocessing and words stay as they are; the vectors are a space of their own.",
        "| specification | what it does |\n|---|---|\n"
        "| `int8:A` | `int8-static:` for a network of convolutions, `int8-dynamic:` for all others; needs the extra `int8` |\n"
        "| `int8-dynamic:A` | The products of a transformer in int8; activations are scaled anew for each image. It learns "
        "nothing |\n"
        "| `int8-static:A` | Convolutions and products in int8, with ranges of the activations learned from at most 256 of "
        "the collection's own images when they are first indexed; the collection keeps them |\n"
        "| `bf16:A` | bfloat16 on OpenVINO, where the processor has AMX; elsewhere float32, to vectors that differ as below. "
        "Needs the extra `openvino` |",
        "```sh\npip install 'lookalike[hub,int8]'\n"
        "lookalike index ~/Pictures --embedder int8:dinov2-small\n"
        "lookalike index ~/Pictures --embedder int8:onnx:model.onnx --device openvino    # with 'lookalike[openvino]'\n"
        "```",
        "`--device openvino` runs any ONNX model on OpenVINO in place of ONNX Runtime: a collection takes vectors of "
        "both, which are alike to rounding. int8 models are made once and kept in `$LOOKALIKE_CACHE/int8`, or the "
        "system's place for caches. Which of them loses how much depends on the model: `lookalike evaluate` says it for "
        "yours.",
        *quantised_section(),
        *end_to_end_section(),
    ]


def quantised_section() -> list[str]:
    """Return what lower precision costs and gains on trained weights."""
    result = _result("quantised")
    if result is None:
        return []
    figures: Json = result["figures"]
    sets = list(next(iter(figures.values()))["sets"])
    lines = [
        f"| network | precision | speed | cosine | {' | '.join(sets)} |",
        f"|---|---|---|---|{'---|' * len(sets)}",
    ]
    for name, network in figures.items():
        for way, pace in network["speed"].items():
            images = f"{pace['images_per_s']['median']:,.0f}/s"
            if way == "float32":
                full = [next(iter(network["sets"][each].values()))["float32"] for each in sets]
                cells = [images, "", *(f"{value:.3f}" for value in full)]
            elif way.startswith("float32"):
                continue
            else:
                found = [network["sets"][each][way] for each in sets]
                cosine = f"{statistics.mean(each['cosine'] for each in found):.4f}"
                cells = [f"{pace['times_float32']['median']:.2f}×, {images}", cosine, *map(_gain, found)]
            lines.append(f"| {name} | {way} | {' | '.join(cells)} |")
    return [
        "What they cost on trained weights, published MobileNets: mAP of float32, and what each precision changes, with "
        "95% intervals by the paired test (held-out classes; without a word it cannot tell). *Speed* is the model alone, "
        "times float32 in the same layout; *cosine* the mean with the float32 vectors. For `int8-dynamic` the 1x1 "
        "convolutions are written as products. All but the first network are weights that had been rounded to 8 bits once, "
        "which is in favour of int8. There are no trained weights of a transformer at hand, so its loss is not known here.",
        "\n".join(lines),
        _origin(result),
    ]


def end_to_end_section() -> list[str]:
    """Return how fast files become vectors beside other programs."""
    result = _result("end_to_end")
    if result is None:
        return []
    versions = result["figures"]["peers"]
    return [
        "Files on disk to stored vectors, a CLIP of ViT-B/32 size at 256 pixels with random weights, beside "
        f"clip-retrieval {versions['clip-retrieval']} (PyTorch) and rclip {versions['rclip']} (ONNX Runtime), which run in "
        "float32: same files, same weights, in turn, their models loaded before (`benchmarks/end_to_end.py`). In float32 "
        "nearly all the time is the network's at 0.8 MP, near what the processor can multiply, whoever runs it.",
        "\n".join(["| what | measured | aim | beside |", "|---|---|---|---|", *map(_speed_row, result["rows"])]),
        _origin(result),
    ]


def combined_section() -> list[str]:
    """Return what is said of embedders that are made of others."""
    return [
        "## Several together",
        "An embedder can be made of others; the specification is one word, and goes wherever a name goes.",
        "| specification | what it gives |\n|---|---|\n"
        "| `ensemble:A+B:2` | The vectors side by side, each times the root of its share of the weights, so that a cosine "
        "is the weighted mean of the members' cosines. A member of bits takes part with ±1 for each bit. One space, "
        "one index; `lookalike search --spaces A,B:2` weighs at the time of the search instead |\n"
        "| `tta:mirror,crops:A` | The mean of the vectors of several views: the picture and, with `mirror`, its mirror "
        "image; with `crops`, its four corners and its centre, each of 80% of both sides; with `zooms`, its centre of "
        "85% and of 70%. `lookalike search --augment mirror` takes the views of the query alone |\n"
        "| `reduce:64:A` | Principal components learned from the images of the collection when they are first indexed, "
        "each divided by its variance to the power of a quarter; unit rows of 64 numbers. `reduce:FILE.npz:A` takes axes "
        "that were learned elsewhere (arrays `mean` and `projection`), such as `recipes/universal64` makes |\n"
        "| `subject:DETECTOR:A` | The vector of what stands out: of the crop that a detector finds |\n"
        "| `regions:DETECTOR:A` | The vector of the whole, and beside it those of the parts that a detector finds; "
        "outermost only: inside another it gives the whole alone. See [regions.md](regions.md) |",
        "A specification inside another stands in parentheses where it has a `+` of its own or ends like a weight: "
        "`ensemble:(subject:saliency+whole:builtin)+dhash:0.5`, `reduce:64:(ensemble:builtin+dinov2-small)`. What learns "
        "from the collection (`reduce:`, `eigenfaces`) cannot stand inside another.",
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


# -- the service ------------------------------------------------------------------------------------------------------


def serve_routes() -> str:
    """Return every route of the REST API."""
    from lookalike.serve import Settings, create_app

    lines = ["| address | needs | what it does |", "|---|---|---|"]
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method, route in methods.items():
            sentence = " ".join(route["description"].split())
            lines.append(f"| `{method.upper()} {path}` | {route['x-role'] or ''} | {sentence} |")
    return "\n".join(lines)


def serve_settings() -> str:
    """Return every setting with its default."""
    import dataclasses

    from lookalike.serve import Settings

    about = _attributes(Settings)
    lines = ["| key | default | what it sets |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = getattr(Settings(), field.name)
        if isinstance(default, tuple):
            default = list(default)
        shown = json.dumps(default) if not isinstance(default, dict) else "{}"
        lines.append(f"| `{field.name}` | `{shown}` | {about[field.name]} |")
    return "\n".join(lines)


def _attributes(kind: type) -> dict[str, str]:
    """Return what a docstring says of each attribute; one text for several stands by each of them."""
    text = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for entry in re.split(r"\n    (?=\w)", f"\n{inspect.cleandoc(text)}".replace("\n", "\n    ")):
        names, colon, sentence = " ".join(entry.split()).partition(": ")
        if colon:
            found |= dict.fromkeys(names.split(", "), sentence.replace("``", "`"))
    return found


# -- figures ----------------------------------------------------------------------------------------------------------


def quality_table() -> str:
    """Return README's table: some embedders on some benchmarks."""
    result = _result("quality")
    if result is None:
        return NOT_YET
    embedders, sets = result["figures"]["embedders"], result["figures"]["sets"]
    shown = [name for name in SHORT_ROWS if name in embedders]
    keys = [key for key in SHORT_SETS if key in sets]
    lines = _quality_lines({name: embedders[name] for name in shown}, keys, "map", facts=("components", "images/s"))
    return "\n".join([*lines, "", f"mAP with 95% intervals; images/s on one core. {_quality_origin(result)}"])


def universal_section() -> list[str]:
    """Return what one embedder for all kinds of pictures is worth."""
    result = _result("universal")
    if result is None:
        return []
    models: Json = result["figures"]["models"]
    sets = list(next(iter(models.values()))["sets"])
    lines = [
        f"| embedder | components | all | {' | '.join(sets)} | against `builtin-1` | against all three |",
        f"|---|---|---|{'---|' * len(sets)}---|---|",
    ]
    for name, model in models.items():
        cells = [_interval(model["metrics"]["mp5"]), *(f"{model['sets'][each]['value']:.2f}" for each in sets)]
        cells += [_gain(model.get(f"against {other}")) for other in ("builtin-1", "all three")]
        lines.append(f"| {name} | {model['dim']} | {' | '.join(cells)} |")
    first = next(iter(models.values()))
    return [
        "### All kinds of pictures at once",
        "mP@5 of `lookalike evaluate --benchmark universal`: all sets in one base, one embedder, no setting for any set, "
        "held-out classes. *all three* are `builtin-1` (twice the weight) and the two MobileNets side by side; "
        "*universal64* and the other rows of 64 components are learned by `recipes/universal64` from classes that are not "
        "held out. Intervals of 95%, differences by the paired test.",
        "\n".join(lines),
        f"{first['queries']:,} queries, {first['images']:,} images. {_origin(result)}",
    ]


def augment_section() -> list[str]:
    """Return what averaging over views gains."""
    result = _result("augment")
    if result is None:
        return []
    figures: Json = result["figures"]
    sets = list(figures)
    lines = [f"| embedder | views | {' | '.join(sets)} |", f"|---|---|{'---|' * len(sets)}"]
    for name in next(iter(figures.values())):
        plain = [f"{figures[each][name]['plain']['map']:.3f}" for each in sets]
        lines.append(f"| {name} | none: mAP | {' | '.join(plain)} |")
        for views in next(iter(figures.values()))[name]:
            for side in ("both sides", "query alone") if views != "plain" else ():
                cells = [_gain(figures[each][name][views][side]) for each in sets]
                lines.append(f"| {name} | {views}; {side} | {' | '.join(cells)} |")
    return [
        "### Averaging over views",
        "What `tta:VIEWS:A` (both sides) and `search --augment VIEWS` (query alone) change in mAP, with 95% intervals; held-out "
        "classes, catalogue pictures searching shop photographs in grocery. Without a word the paired test cannot tell.",
        "\n".join(lines),
        _origin(result),
    ]


def _interval(each: Json) -> str:
    return f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]"


def _gain(found: Json | None) -> str:
    if found is None:
        return "–"
    verdict = "" if found["verdict"] == "cannot tell" else f" {found['verdict']}"
    return f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]{verdict}"


def quality_section() -> list[str]:
    """Return every embedder on every benchmark, with its speed and sizes."""
    result = _result("quality")
    if result is None:
        return ["## Quality, speed and size", NOT_YET]
    embedders, sets = result["figures"]["embedders"], result["figures"]["sets"]
    sizes = [f"{key} {each['queries']:,} queries, {each['images']:,} images" for key, each in sets.items()]
    episodes = [key for key, each in sets.items() if each["metric"] != "map"]
    return [
        "## Quality, speed and size",
        "mAP with 95% intervals, bootstrapped by class, on the benchmarks of [benchmarks.md](benchmarks.md) that are at "
        "hand, over their held-out classes where they have such. `grocery` is two tasks; `fashion-mnist` is a random "
        "part. The MobileNets are published ImageNet weights, run with `--embedder tflite:FILE`; they are no part of "
        "the package. Embedders that learn a basis learned it from the very images, without labels. One label of `near_dup` "
        "is wrong: `alpha_channel_image.png` is the photograph `ukbench00120`, which costs those that see it a little.",
        f"Of {' and '.join(episodes)} there is no mAP, but the accuracy of 20-way 1-shot episodes (by chance 0.05)."
        if episodes
        else "",
        "\n".join(_quality_lines(embedders, list(sets), "map", facts=FACTS)),
        "*images/s*: on one core, from decoded pixels of 256 x 256 to vectors. *indexing*: images/s of JPEG files of that "
        "size on all cores, everything included, down to what is stored. Bytes are those of a stored vector; "
        "MB those of the weights, 0 for a formula, *learned* for what comes from the collection's own images.",
        f"{'; '.join(sizes)}. {_quality_origin(result)} {_speed_origin()}",
        "### How often the first result is right",
        "R@1 (`hit_rate@1`) of the same searches, with 95% intervals.",
        "\n".join(_quality_lines(embedders, list(sets), "hit_rate@1")),
    ]


def _quality_lines(embedders: Json, sets: list[str], metric: str, *, facts: Sequence[str] = ()) -> list[str]:
    """Return a table: a line an embedder, a column a benchmark; another metric where a benchmark has no such one."""
    found = _result("embedder_speed")
    paces: Json = found["figures"]["embedders"] if found else {}
    head = [*facts, *sets]
    lines = [f"| embedder | {' | '.join(head)} |", f"|---|{'---|' * len(head)}"]
    for name, each in embedders.items():
        pace = paces.get(name)
        weights = (
            "learned" if each["learns"] else f"{each['weights_bytes'] / 1e6:.1f}" if each["weights_bytes"] else "0"
        )
        known = {
            "components": str(each["dim"]),
            "bytes": f"{each['vector_bytes']:,}",
            "MB": weights,
            "images/s": f"{pace['core']['median']:,.0f}" if pace else "–",
            "indexing": f"{pace['index']['median']:,.0f}" if pace else "–",
        }
        cells = [*(known[fact] for fact in facts), *(_quality_cell(each["sets"].get(key), metric) for key in sets)]
        shown = f"`{name}`" if name in EMBEDDERS.names() else name
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return lines


def _quality_cell(cell: Json | None, metric: str) -> str:
    if cell is None:
        return "–"
    each = cell["metrics"][cell["metric"] if metric == "map" else metric]
    return f"{each['value']:.2f} [{each['low']:.2f}, {each['high']:.2f}]"


def _quality_origin(result: Json) -> str:
    dates = {cell["date"] for each in result["figures"]["embedders"].values() for cell in each["sets"].values()}
    return f"Measured from {min(dates)} to {max(dates)}; every cell names its date and commit in the file of results."


def _speed_origin() -> str:
    found = _result("embedder_speed")
    return f"Speed: {_origin(found)[0].lower()}{_origin(found)[1:]}" if found else ""


def short_speed_table() -> str:
    """Return the claims that have an aim; those of which there are many (sizes, clients) are in docs/speed.md."""
    return _speed_table([name for name in SPEED if name not in LONG], aims_only=True)


def speed_table() -> str:
    """Return every claim about speed and memory beside what was measured."""
    return _speed_table(SPEED)


def _speed_table(names: Sequence[str], *, aims_only: bool = False) -> str:
    results = [result for name in names if (result := _result(name)) is not None]
    if not results:
        return NOT_YET
    lines = ["| what | measured | aim | beside |", "|---|---|---|---|"]
    for result in results:
        lines += [_speed_row(row) for row in result["rows"] if not aims_only or row["kept"] is not None]
    lines += ["", *dict.fromkeys(_origin(result) for result in results)]
    return "\n".join(lines)


def _speed_row(row: Json) -> str:
    unit = {"x": "×", "%": "%"}.get(row["unit"], f" {row['unit']}".rstrip())
    digits = 3 if unit else 4  # a cosine of 0.9999 is not 1
    measured = f"{row['median']:.{digits}g}{unit} ({row['low']:.{digits}g} to {row['high']:.{digits}g})"
    aim = ""
    if row["at_least"] is not None or row["at_most"] is not None:
        aim = f"≥ {row['at_least']:g}{unit}" if row["at_least"] is not None else f"≤ {row['at_most']:g}{unit}"
    missed = " (missed)" if row["kept"] is False else ""
    return f"| {row['what']} | {measured}{missed} | {aim} | {row['beside']} |"


def metric_table() -> str:
    """Return the table of metrics."""
    kinds = {"query": "each query", "pooled": "all pairs", "clusters": "clusters"}
    lines = ["| key | of | what | from |", "|---|---|---|---|"]
    for key, metric in METRICS.items():
        lines.append(f"| `{key}` | {kinds[metric.kind]} | {metric.definition} | {metric.source} |")
    bounds = {(metric.worst, metric.best) for metric in METRICS.values()}
    said = " or ".join(f"{worst:g} (worst) to {best:g} (best)" for worst, best in sorted(bounds))
    return "\n".join([*lines, "", f"All are ratios, from {said}."])


def leak_table() -> str:
    """Return the table of what the leak check finds of copies that were made."""
    found = _result("leaks")
    if found is None:
        return NOT_YET
    sets = ("photos", "scenes", "emoji", "logos")
    figures = found["figures"]
    lines = ["| copies that are found, % | " + " | ".join(sets) + " |", "|---" * (len(sets) + 1) + "|"]
    for kind in figures[sets[0]]["copies_found"]:
        shares = (100 * figures[name]["copies_found"][kind] for name in sets)
        lines.append(f"| {kind} | " + " | ".join(f"{share:.0f}" for share in shares) + " |")
    pairs = (f"{figures[name]['false_alarms']}" for name in sets)
    lines.append("| pairs reported beside them that are none, all kinds together | " + " | ".join(pairs) + " |")
    counts = ", ".join(f"{figures[name]['pictures']:,} {name}" for name in sets)
    longest = max(figures["photos"]["seconds"].values())
    about = (
        f"{figures['photos']['copied']} copies of each kind, searched among {counts}; one check among the photos took"
    )
    return "\n".join([*lines, "", f"{about} up to {longest:.1f} s. {_origin(found)}"])


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
    return found if name in PLAIN or found.get("rows") else None


PAGES: dict[str, Callable[[], str]] = {"cli.md": cli_page, "embedders.md": embedders_page, "errors.md": errors_page}


def regions_block() -> str:
    """Return what regions are worth: an object finds its photograph, and others of its class."""
    measured = json.loads((RESULTS / "regions.json").read_text(encoding="utf-8"))
    figures = measured["figures"]
    count = figures["builtin-1"]["whole"]["objects"]
    lines = []
    for model, ways in figures.items():
        for way, line in ways.items():
            gain = "" if way == "whole" else _ends(line["own gain"]["all"], sign=True)
            lines.append(
                f"| {'MobileNet-v1' if model == 'mobilenet' else model} | {'none' if way == 'whole' else way} | "
                f"{line['vectors an image']:g} | "
                f"{_ends(line['own']['all'])} | {gain} | {_ends(line['own']['small'])} | {_ends(line['others']['all'])} |"
            )
    head = (
        "| embedder | regions | vectors an image | own photograph first | gain | own photograph first, small objects | mAP of others "
        "of the class |\n|---|---|---|---|---|---|---|"
    )
    return (
        f"{head}\n"
        + "\n".join(lines)
        + f"\n\n{count['all']} objects, {count['small']} of them small; measured on {measured['date']}."
    )


def _ends(values: list[float], *, sign: bool = False) -> str:
    value, low, high = (f"{each:+.3f}" if sign else f"{each:.3f}" for each in values)
    return f"{value} [{low}, {high}]"


def loss_table() -> str:
    """Return what each loss does, what it needs and where it is from."""
    needs = {"classes": "a class each", "pairs": "who is alike", "overlap": "how much is common"}
    lines = ["| `--loss` | needs | what it does | source |", "|---|---|---|---|"]
    for name, loss in LOSSES.items():
        whose = "PML" if loss.target.startswith("pytorch_metric_learning") else "ours"
        lines.append(f"| `{name}` | {needs[loss.needs]} | {loss.about} | {loss.source} ({whose}) |")
    return "\n".join(lines)


def miner_table() -> str:
    """Return what each miner chooses."""
    lines = ["| `--miner` | pairs of a batch that count |", "|---|---|", "| `none` | all |"]
    return "\n".join([*lines, *(f"| `{name}` | {miner.about} |" for name, miner in MINERS.items())])


BLOCKS: dict[str, Callable[[], str]] = {
    "loss-table": loss_table,
    "miner-table": miner_table,
    "leak-table": leak_table,
    "losses-table": losses_block,
    "metric-table": metric_table,
    "omniglot-table": omniglot_block,
    "quality-table": quality_table,
    "regions-table": regions_block,
    "serve-routes": serve_routes,
    "serve-settings": serve_settings,
    "short-speed-table": short_speed_table,
    "speed-table": speed_table,
    "views-table": views_block,
}


if __name__ == "__main__":
    main()
