"""The leak check finds 95% of photographs' re-encoded and halved copies, and reports no photographs that are none.

Copies are made of pictures of `photos`, `scenes`, `emoji` and `logos` by eight transformations, each beside its
original. All other pairs of different files are candidates for false alarms; those that the check reports are listed,
because some are true copies that lie in the data, and some are drawings that differ in a mouth or in a clock's hand.
For several least scores of a candidate: how many copies are found, by transformation, and how many other pairs score
so high and are reported after the second look at the pixels. `leaks.NEAR`, `same_picture.CORRELATION` and
`same_picture.DIFFERENCE` were chosen from this.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from harness import SHARED, arguments, write_result
from lookalike.embed import create
from lookalike.evaluate.leaks import NEAR
from lookalike.evaluate.same_picture import same_picture, thumbnail
from lookalike.images.decode import decode
from lookalike.types import Image

SETS = {"photos": "images.tar", "scenes": "images.tar", "emoji": "emoji.tar", "logos": "logos.tar"}
THRESHOLDS = (0.8, 0.85, 0.9, 0.95)
PICTURES, COPIED = 1000, 120
CLOSE = ("jpeg 50", "half size")  # what the claim speaks of


def main() -> None:
    options = arguments(__doc__ or "")
    pictures, copied = (200, 20) if options.quick else (PICTURES, COPIED)
    embedder = create("builtin")
    figures: dict[str, Any] = {"embedder": embedder.fingerprint, "used": NEAR}
    for name, archive in SETS.items():
        figures[name] = measure(name, archive, embedder, pictures, copied, options.seed)
    claim = (__doc__ or "").split("\n\n", maxsplit=1)[0]
    write_result("leaks", claim, figures, n=pictures, seed=options.seed, quick=options.quick)


def encoded(picture: Pillow.Image, quality: int = 90) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()


def cropped(picture: Pillow.Image, share: float) -> bytes:
    width, height = picture.size
    box = (width * share, height * share, width * (1 - share), height * (1 - share))
    return encoded(picture.crop(tuple(round(side) for side in box)))  # type: ignore[arg-type]


COPIES: dict[str, Callable[[Pillow.Image], bytes]] = {
    "jpeg 50": lambda p: encoded(p, 50),
    "half size": lambda p: encoded(p.resize((max(p.width // 2, 8), max(p.height // 2, 8))), 85),
    "brighter by a quarter": lambda p: encoded(p.point(lambda v: min(255, int(v * 1.25)))),
    "mirrored": lambda p: encoded(p.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)),
    "turned by a quarter": lambda p: encoded(p.transpose(Pillow.Transpose.ROTATE_90)),
    "gray": lambda p: encoded(p.convert("L")),
    "cropped by 5%": lambda p: cropped(p, 0.05),
    "cropped by 10%": lambda p: cropped(p, 0.1),
}


def measure(name: str, archive: str, embedder: Any, pictures: int, copied: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    files = read(name, archive)
    chosen = sorted(rng.choice(len(files), min(pictures, len(files)), replace=False).tolist())
    names = [files[at][0] for at in chosen]
    originals = [decode(files[at][1]).pixels for at in chosen]
    vectors, shots = looked_at(embedder, originals)
    some = rng.choice(len(originals), min(copied, len(originals)), replace=False)
    found: dict[str, dict[str, float]] = {f"{least:g}": {} for least in THRESHOLDS}
    for kind, make in COPIES.items():
        copies = [decode(make(Pillow.fromarray(originals[at]))).pixels for at in some]
        others, small = looked_at(embedder, copies)
        scores = np.einsum("ij,ij->i", vectors[some], others)
        same = same_picture(shots[some], small)
        for least in THRESHOLDS:
            found[f"{least:g}"][kind] = round(float(((scores >= least) & same).mean()), 3)
    first, second = np.triu_indices(len(originals), k=1)
    scores = (vectors @ vectors.T)[first, second]
    near = np.flatnonzero(scores >= min(THRESHOLDS))
    same = same_picture(shots[first[near]], shots[second[near]])
    answer: dict[str, Any] = {"pictures": len(originals), "other_pairs": len(scores), "copied": len(some), "at": {}}
    for least in THRESHOLDS:
        high = scores[near] >= least
        answer["at"][f"{least:g}"] = {
            "copies_found": found[f"{least:g}"],
            "other_pairs_that_score_so_high": int(high.sum()),
            "other_pairs_reported": int((high & same).sum()),
        }
    reported = near[(scores[near] >= NEAR) & same]
    pairs = [(names[a], names[b]) for a, b in zip(first[reported], second[reported], strict=True)]
    apart = [pair for pair in pairs if not together(name, *pair)]
    answer["reported"] = len(pairs)
    answer["reported_of_another_class"] = [f"{a} = {b}" for a, b in apart]
    show(name, answer)
    return answer


def looked_at(embedder: Any, images: list[Image]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    return embedder.embed(images), np.stack([thumbnail(image) for image in images])


def read(name: str, archive: str) -> list[tuple[str, bytes]]:
    with tarfile.open(SHARED / "data" / name / archive) as tar:
        members = sorted((member for member in tar if member.isfile()), key=lambda member: member.name)
        listed = [(member.name, tar.extractfile(member)) for member in members]
        return [(path, file.read()) for path, file in listed if file and path.endswith((".jpg", ".png"))]


def together(name: str, first: str, second: str) -> bool:
    """Whether the labels say that two pictures show one thing."""
    column = {"photos": "", "scenes": "scene", "emoji": "codepoint", "logos": "brand"}[name]
    if not column:
        return False  # no two of these are said to be one thing
    with (SHARED / "data" / name / "labels.csv").open(encoding="utf-8", newline="") as lines:
        classes = {line["file"]: line[column] for line in csv.DictReader(lines)}
    return bool(classes[first]) and classes[first] == classes[second]


def show(name: str, answer: dict[str, Any]) -> None:
    print(f"{name}: {answer['pictures']} pictures, {answer['other_pairs']} pairs", flush=True)
    for least, at in answer["at"].items():
        close = min(at["copies_found"][kind] for kind in CLOSE)
        print(
            f"  score >= {least}: {close:.3f} of close copies found; of the other pairs "
            f"{at['other_pairs_that_score_so_high']} score so high, {at['other_pairs_reported']} are reported"
        )
    used = answer["at"][f"{NEAR:g}"]["copies_found"]
    print("  found: " + ", ".join(f"{kind} {share:.0%}" for kind, share in used.items()))
    for pair in answer["reported_of_another_class"]:
        print(f"  reported, of another class: {pair}")


if __name__ == "__main__":
    main()
