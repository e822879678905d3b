"""How good each shipped embedder is: mAP and R@1 on emoji, logos, scenes and groceries, beside two MobileNets.

Every image searches for the others of its class among all the rest (leave-one-out), through `lookalike.open`, `add` and
the functions behind `lookalike evaluate --truth`. Once over all classes, and once over the held-out ones alone, on
which no constant was chosen: a class is held out when int(sha1(class).hexdigest(), 16) % 5 == 0. Intervals are 95%,
bootstrapped by class.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lookalike
from harness import SHARED, arguments, write_result
from lookalike.collection import learn
from lookalike.embed import EMBEDDERS
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth import join, read_truth

METRICS = ("map", "hit_rate@1")
SKIN_TONES = re.compile(r"[-_]?1f3f[b-f]", re.IGNORECASE)
MOBILENETS = {
    "MobileNet v1 1.0 224": "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    "MobileNet v2 1.0 224": "tf2_mobilenet_v2_1.0_224_ptq.tflite",
}


@dataclass(frozen=True, slots=True)
class Set:
    """One labelled set: its archive, and which column of labels.csv is the class."""

    name: str
    archive: str
    column: str

    def labels(self) -> dict[str, str]:
        """Return file -> class; an empty class marks a distractor."""
        with (SHARED / "data" / self.name / "labels.csv").open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        # Groceries: the clean catalogue pictures are another task (product to photograph) and stay out.
        rows = [line for line in rows if line.get("split") != "iconic"]
        return {line["file"]: SKIN_TONES.sub("", line[self.column]) for line in rows}


SETS = (
    Set("emoji", "emoji.tar", "codepoint"),
    Set("logos", "logos.tar", "brand"),
    Set("scenes", "images.tar", "scene"),
    Set("grocery", "images.tar", "fine"),
)


def is_held_out(name: str) -> bool:
    """Return whether training and tuning must never have seen this class."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % 5 == 0


def main() -> None:
    options = arguments(__doc__ or "", only="embedders, and the MobileNets beside them")
    if not (SHARED / "data").is_dir():
        raise SystemExit("this benchmark needs the shared data, a folder `shared` beside the checkout; it is not there")
    embedders = {name: name for name in EMBEDDERS.names() if not name.endswith(":")}
    if options.only:
        embedders = {name: name for name in options.only}
    weights = {name: SHARED / "weights" / file for name, file in MOBILENETS.items()}
    embedders |= {name: f"tflite:{path}" for name, path in weights.items() if path.is_file()}
    embedders.setdefault("builtin-1", "builtin")
    figures: dict[str, Any] = {}
    images = 0
    for some in SETS:
        if options.quick and some.name != "scenes":
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            images += _unpack(some, folder)
            figures[some.name] = {}
            for name, embedder in embedders.items():
                answer = {part: _measure(folder, part, embedder, options.seed) for part in ("all", "held-out")}
                figures[some.name][name] = answer
                _print(some.name, name, answer)
    write_result("quality", __doc__ or "", figures, n=images, seed=options.seed, quick=options.quick)


def _unpack(some: Set, folder: Path) -> int:
    """Lay out the folders ``all`` and ``held-out`` with a truth file each; return how many images there are.

    Distractors, which have no class, are in both.
    """
    labels = some.labels()
    with tarfile.open(SHARED / "data" / some.name / some.archive) as archive:
        archive.extractall(folder / "all", filter="data")
    for path in [path for path in (folder / "all").rglob("*") if path.is_file()]:
        if path.relative_to(folder / "all").as_posix() not in labels:
            path.unlink()
    for file, label in labels.items():
        if not label or is_held_out(label):
            target = folder / "held-out" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / "all" / file, target)
    for part in ("all", "held-out"):
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as out:
            chosen = [(file, label) for file, label in labels.items() if (folder / part / file).is_file()]
            csv.writer(out).writerows([("file", "label"), *chosen])
    return len(labels)


def _measure(folder: Path, part: str, embedder: str, seed: int) -> dict[str, Any]:
    """Index one folder with one embedder and evaluate it, as `index` and `evaluate --truth` do."""
    collection = folder / "new.collection"
    taught = learn(embedder, folder / part, collection=collection, seed=seed)
    with lookalike.open(collection, embedder=taught) as photos:
        report = photos.add(folder / part)
        joined = join(read_truth(folder / f"{part}.csv"), photos)
        if joined.unmatched or report.skipped_count:
            raise SystemExit(
                f"{len(joined.unmatched)} labels join no image, {report.skipped_count} images were skipped"
            )
        judged = run_protocol(photos, joined, "leave-one-out").judged
        estimates = summarise(judged, list(METRICS), seed=seed)
        answer: dict[str, Any] = {
            "metrics": {key: estimate.as_json() for key, estimate in estimates.items()},
            "images": len(photos),
            "queries": len(judged),
            "classes": len(joined.truth.labels.names) if joined.truth.labels else 0,
            "dim": photos.space.dim,
            "images_per_s": round(report.added / report.seconds, 1),
        }
    shutil.rmtree(collection)
    return answer


def _print(where: str, name: str, answer: dict[str, Any]) -> None:
    cells = []
    for part, found in answer.items():
        figures = [f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]" for each in found["metrics"].values()]
        cells.append(f"{part}: mAP {figures[0]}  R@1 {figures[1]}  n={found['queries']}")
    speed = f"{answer['all']['dim']} components, {answer['all']['images_per_s']:.0f} images/s"
    print(f"{where:8} {name:22} {'   '.join(cells)}   {speed}", flush=True)


if __name__ == "__main__":
    main()
