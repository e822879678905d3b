"""`builtin-1` takes 200 images a second and core, at 256 pixels, decoding included, `builtin-2` 125; the rest too.

For each embedder: images/s from decoded pixels of 256 x 256 to vectors in batches of 64, in a process that is held to
one core; and images/s of indexing JPEG files of that size on all cores, everything included. For the two built-in ones
also from the bytes of JPEG files to vectors, on one core. With `--only` the others stay as they were measured before.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness import RESULTS, arguments, row, spread, write_result
from photographs import encoded
from table_rows import Row, chosen_rows

SIDE = 256
BATCH = 64
AIMS = {"builtin-1": 200, "builtin-2": 125}  # images/s; 8 ms an image for the network and all beside it
LEAST = 0.5  # seconds that one run takes at the least


def main() -> None:
    if len(sys.argv) == 5 and sys.argv[1] == "--worker":
        _worker(sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]))
        return
    options = arguments(__doc__ or "", only="rows of the table")
    rows = chosen_rows(options.only or (["builtin-1", "phash"] if options.quick else ()))
    count, runs = (64, 2) if options.quick else (512, 3)
    figures: dict[str, Any] = {"side": SIDE, "batch": BATCH, "cores": os.cpu_count(), "images": count, "embedders": {}}
    claim = []
    before = RESULTS / "embedder_speed.json"
    if options.only and before.is_file():
        known = json.loads(before.read_text(encoding="utf-8"))
        figures["embedders"] |= known["figures"]["embedders"]
        names = [f"{each.name} on" for each in rows]
        claim += [line for line in known["rows"] if not line["what"].startswith(tuple(names))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photographs"
        folder.mkdir()
        for at, data in enumerate(encoded(count, (SIDE, SIDE), seed=options.seed)):
            (folder / f"{at:05d}.jpg").write_bytes(data)
        for each in rows:
            core = _ask(each, folder, {"task": "vectors", "cores": 1, "runs": runs})
            whole = _ask(each, folder, {"task": "index", "cores": 0, "runs": runs})
            figures["embedders"][each.name] = {"core": spread(core), "index": spread(whole)}
            print(f"{each.name:28} {statistics.median(core):8.0f} a core {statistics.median(whole):8.0f} indexing")
            if each.name in AIMS:
                files = _ask(each, folder, {"task": "files", "cores": 1, "runs": runs})
                beside = f"from decoded pixels {statistics.median(core):.0f} images/s"
                what = f"{each.name} on one core, JPEG files of {SIDE} x {SIDE} to vectors"
                claim.append(row(what, files, unit="images/s", at_least=AIMS[each.name], beside=beside))
    write_result("embedder_speed", __doc__ or "", figures, n=count, seed=options.seed, rows=claim, quick=options.quick)


def _ask(each: Row, folder: Path, how: dict[str, Any]) -> list[float]:
    """Return images/s, run by run, as a process of its own measures them."""
    command = [sys.executable, __file__, "--worker", each.embedder, str(folder), json.dumps(how)]
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")} if how["cores"] else {}
    done = subprocess.run(command, env=os.environ | one, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{each.name} could not be measured")
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _worker(spec: str, folder: Path, how: dict[str, Any]) -> None:
    if how["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: how["cores"]])
    tasks: dict[str, Callable[[str, Path, int], list[float]]] = {"vectors": _vectors, "files": _files, "index": _index}
    print(json.dumps(tasks[how["task"]](spec, folder, how["runs"])))


def _vectors(spec: str, folder: Path, runs: int) -> list[float]:
    from lookalike.embed import create
    from lookalike.images.decode import decode
    from lookalike.protocols import Learns

    images = [decode(path.read_bytes()).pixels for path in sorted(folder.iterdir())[:BATCH]]
    made = create(spec)
    if isinstance(made, Learns) and not made.fitted:
        made = made.fit(images, 0)
    return _paced(lambda: np.asarray(made.embed(images)), len(images), runs)


def _files(spec: str, folder: Path, runs: int) -> list[float]:
    from lookalike.embed import create
    from lookalike.images.decode import decode

    made = create(spec)
    files = [path.read_bytes() for path in sorted(folder.iterdir())[:BATCH]]
    side = made.input_size
    return _paced(lambda: made.embed([decode(data, input_size=side).pixels for data in files]), len(files), runs)


def _paced(task: Callable[[], object], count: int, runs: int) -> list[float]:
    """Return images/s of each run, of as many batches as fill ``LEAST`` seconds, after a warm-up."""
    task()
    begin = time.perf_counter()
    task()
    times = max(1, round(LEAST / (time.perf_counter() - begin)))
    found = []
    for _ in range(runs):
        begin = time.perf_counter()
        for _ in range(times):
            task()
        found.append(times * count / (time.perf_counter() - begin))
    return found


def _index(spec: str, folder: Path, runs: int) -> list[float]:
    import lookalike
    from lookalike.collection import learn

    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for at in range(runs + 1):
            collection = Path(temporary) / str(at)
            taught = learn(spec, folder, collection=collection)  # not counted
            with lookalike.open(collection, embedder=taught) as photos:
                _ = photos.embedder  # nor is reading the weights
                begin = time.perf_counter()
                report = photos.add(folder)
                found.append(report.added / (time.perf_counter() - begin))
    return found[1:]


if __name__ == "__main__":
    main()
