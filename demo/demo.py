"""What `make demo` runs: index images, search them, and say where the picture of the results is."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from make_set import make_set

OUTPUT = Path("demo-output")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="a folder of your own (default: photographs of scikit-image)")
    options = parser.parse_args()
    OUTPUT.mkdir(exist_ok=True)
    collection = OUTPUT / "lookalike.collection"
    if options.images:
        folder, truth = options.images.expanduser(), None
        collection = OUTPUT / "your.collection"
    else:
        folder = OUTPUT / "photographs"
        truth = make_set(folder)
    run("index", folder, "--collection", collection, allow=(0, 1))
    query = first_image(collection)
    picture = OUTPUT / "result.png"
    words: list[str | Path] = ["search", query, "--collection", collection, "-k", "10", "--picture", picture]
    run(*words, *(("--truth", truth) if truth else ()))
    if truth:
        run("evaluate", "--truth", truth, "--collection", collection)
    print(f"\nThe result picture is {picture.absolute()}")
    print("Search on with any image of yours:")
    print(f"    {shlex.quote(program())} search IMAGE --collection {collection}")
    print("or in a browser, at http://127.0.0.1:8000 while this runs:")
    print(f"    {shlex.quote(program())} serve --collection {collection}")


def first_image(collection: Path) -> str:
    """Return the image to search with: the cat of the photographs, or the first of a person's own."""
    cat = OUTPUT / "photographs" / "cat-02-0.jpg"
    if collection.name == "lookalike.collection" and cat.exists():
        return str(cat)
    done = subprocess.run(
        [program(), "info", "--ids", "--collection", str(collection)],
        check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    ids = done.stdout.splitlines()
    if not ids:
        raise SystemExit("No image was found there.")
    return f"id:{ids[0]}"


def run(*words: str | Path, allow: tuple[int, ...] = (0,)) -> None:
    """Show a command and run it."""
    command = [str(word) for word in words]
    print(f"\n$ lookalike {shlex.join(command)}", flush=True)
    code = subprocess.run([program(), *command], env={**os.environ, "PYTHONUNBUFFERED": "1"}).returncode
    if code not in allow:
        raise SystemExit(f"lookalike {command[0]} ended with exit code {code}")


def program() -> str:
    """Return the `lookalike` command beside this Python."""
    scripts = Path(sys.executable).parent
    name = "lookalike.exe" if os.name == "nt" else "lookalike"
    return str(scripts / name)


if __name__ == "__main__":
    main()
