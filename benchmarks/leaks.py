"""The leak check finds 95% of the re-encoded, halved, grey, mirrored, cropped and little turned copies of photographs.

Copies are made of pictures of `photos`, `scenes`, `emoji` and `logos` by the transformations below; what is reported is
what `lookalike evaluate` would: a collection of the originals, a collection of the copies, and the check between both
(`find_leaks_between`). All other pairs of different files are candidates for false alarms; those that the check reports
within the originals are listed, because some are true copies that lie in the data, and some are drawings that differ in
a mouth or in a clock's hand. `leaks.NEAR`, the limits in `same_picture` and those in `changed_copy` were chosen from
this.
"""

from __future__ import annotations

import csv
import io
import math
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageOps

import lookalike
from harness import SHARED, arguments, row, write_result
from lookalike.collection import Collection
from lookalike.evaluate.leaks import NEAR, Leaks, find_leaks, find_leaks_between
from lookalike.images.decode import decode

SETS = {"photos": "images.tar", "scenes": "images.tar", "emoji": "emoji.tar", "logos": "logos.tar"}
PICTURES, COPIED = 1000, 120
CLAIMED = (  # what the claim speaks of
    *("jpeg 50", "half size", "grey", "mirrored", "turned by 90", "turned by 180", "turned by 270"),
    *("cropped to 90%", "cropped to 80%", "cropped to 70%", "turned by 2", "turned by 5"),
)


def main() -> None:
    options = arguments(__doc__ or "")
    pictures, copied = (200, 20) if options.quick else (PICTURES, COPIED)
    figures: dict[str, Any] = {"used": NEAR}
    rows = []
    for name, archive in SETS.items():
        figures[name] = measure(name, archive, pictures, copied, options.seed)
        show(name, figures[name])
        if name in ("photos", "scenes"):
            found = figures[name]["copies_found"]
            shares = [found[kind] for kind in CLAIMED]
            rows.append(
                row(
                    f"copies of {name} found, the least of {len(CLAIMED)} kinds",
                    [100 * min(shares)],
                    unit="%",
                    at_least=95,
                )
            )
            wrong = [figures[name]["false_alarms"]]
            rows.append(row(f"copies of {name}: pairs reported that are none", wrong, unit=""))
    claim = (__doc__ or "").split("\n\n", maxsplit=1)[0]
    write_result("leaks", claim, figures, n=pictures, seed=options.seed, rows=rows, quick=options.quick)


def encoded(picture: Pillow.Image, quality: int = 90) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()


def cropped(picture: Pillow.Image, across: float, down: float, rng: np.random.Generator) -> bytes:
    """Return a part of so much of the width and height, at a random place."""
    x, y = rng.random() * (1 - across), rng.random() * (1 - down)
    width, height = picture.size
    edges = (width * x, height * y, width * (x + across), height * (y + down))
    return encoded(picture.crop(tuple(round(edge) for edge in edges)))  # type: ignore[arg-type]


def turned(picture: Pillow.Image, degrees: float) -> bytes:
    """Return the picture turned, and cut to the largest part of its shape that has no empty corner."""
    angle = math.radians(degrees)
    long, short = max(picture.size), min(picture.size)
    kept = 1 / (math.cos(angle) + math.sin(angle) * long / short)
    width, height = picture.size
    edge = (width * (1 - kept) / 2, height * (1 - kept) / 2, width * (1 + kept) / 2, height * (1 + kept) / 2)
    whole = picture.rotate(degrees, Pillow.Resampling.BICUBIC)
    return encoded(whole.crop(tuple(round(side) for side in edge)))  # type: ignore[arg-type]


def framed(picture: Pillow.Image) -> bytes:
    out = Pillow.new("RGB", (picture.width * 5 // 4, picture.height * 5 // 4), "white")
    out.paste(picture, (picture.width // 8, picture.height // 8))
    return encoded(out)


def written_on(picture: Pillow.Image) -> bytes:
    out = picture.copy()
    ImageDraw.Draw(out).rectangle((0, out.height * 3 // 4, out.width, out.height), fill="black")
    return encoded(out)


Make = Callable[[Pillow.Image, np.random.Generator], bytes]
COPIES: dict[str, Make] = {
    "jpeg 50": lambda p, rng: encoded(p, 50),
    "half size": lambda p, rng: encoded(p.resize((max(p.width // 2, 8), max(p.height // 2, 8))), 85),
    "brighter by a quarter": lambda p, rng: encoded(p.point(lambda v: min(255, int(v * 1.25)))),
    "grey": lambda p, rng: encoded(p.convert("L")),
    "mirrored": lambda p, rng: encoded(p.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)),
    "turned by 90": lambda p, rng: encoded(p.transpose(Pillow.Transpose.ROTATE_90)),
    "turned by 180": lambda p, rng: encoded(p.transpose(Pillow.Transpose.ROTATE_180)),
    "turned by 270": lambda p, rng: encoded(p.transpose(Pillow.Transpose.ROTATE_270)),
    "cropped to 95%": lambda p, rng: cropped(p, 0.95, 0.95, rng),
    "cropped to 90%": lambda p, rng: cropped(p, 0.9, 0.9, rng),
    "cropped to 80%": lambda p, rng: cropped(p, 0.8, 0.8, rng),
    "cropped to 70%": lambda p, rng: cropped(p, 0.7, 0.7, rng),
    "cropped to 60%": lambda p, rng: cropped(p, 0.6, 0.6, rng),
    "cropped to 50%": lambda p, rng: cropped(p, 0.5, 0.5, rng),
    "cropped to 70% of the width": lambda p, rng: cropped(p, 0.7, 1, rng),
    "turned by 2": lambda p, rng: turned(p, 2),
    "turned by 5": lambda p, rng: turned(p, 5),
    "turned by 10": lambda p, rng: turned(p, 10),
    "turned by 15": lambda p, rng: turned(p, 15),
    "grey, cropped to 80%": lambda p, rng: cropped(p.convert("L").convert("RGB"), 0.8, 0.8, rng),
    "mirrored, cropped to 80%": lambda p, rng: cropped(ImageOps.mirror(p), 0.8, 0.8, rng),
    "with a frame": lambda p, rng: framed(p),
    "lower quarter black": lambda p, rng: written_on(p),
}


def measure(name: str, archive: str, pictures: int, copied: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    files = read(name, archive)
    chosen = sorted(rng.choice(len(files), min(pictures, len(files)), replace=False).tolist())
    some = sorted(rng.choice(len(chosen), min(copied, len(chosen)), replace=False).tolist())
    answer: dict[str, Any] = {"pictures": len(chosen), "copied": len(some), "copies_found": {}, "seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        originals = indexed(Path(folder) / "originals", {files[at][0]: files[at][1] for at in chosen})
        begin = time.perf_counter()
        within = find_leaks(originals, np.array([record.row for record in originals]))
        answer["seconds"]["within the originals"] = round(time.perf_counter() - begin, 2)
        pairs = named(originals, originals, within)
        answer["reported_within"] = len(pairs)
        answer["reported_of_another_class"] = [f"{a} = {b}" for a, b in pairs if not together(name, a, b)]
        known = {frozenset(pair) for pair in pairs}
        wrong: set[tuple[str, str, str]] = set()
        for kind, make in COPIES.items():
            made = {}
            for at in some:
                path, data = files[chosen[at]]
                made[f"{path}.jpg"] = make(Pillow.fromarray(decode(data).pixels), rng)
            copies = indexed(Path(folder) / kind, made)
            begin = time.perf_counter()
            found = named(originals, copies, find_leaks_between(originals, copies))
            answer["seconds"][kind] = round(time.perf_counter() - begin, 2)
            right = {b for a, b in found if b == f"{a}.jpg"}
            answer["copies_found"][kind] = round(len(right) / len(some), 3)
            others = ((a, b.removesuffix(".jpg"), kind) for a, b in found if b != f"{a}.jpg")
            wrong |= {each for each in others if frozenset(each[:2]) not in known and not together(name, *each[:2])}
            copies.close()
        originals.close()
    answer["false_alarms"] = len(wrong)
    answer["false_alarms_named"] = [f"{a} = {b} ({kind})" for a, b, kind in sorted(wrong)[:20]]
    return answer


def indexed(folder: Path, files: Mapping[str, bytes]) -> Collection:
    """Write files and index them; their names are the ids."""
    for name, data in files.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    made = lookalike.open(folder / "collection")
    made.add(folder / "files")
    return made


def named(left: Collection, right: Collection, found: Leaks) -> list[tuple[str, str]]:
    sides = [
        [record.id for record in side.store.get_rows(rows.tolist()) if record]
        for side, rows in ((left, found.rows_a), (right, found.rows_b))
    ]
    return list(zip(*sides, strict=True))


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
    print(f"{name}: {answer['pictures']} pictures", flush=True)
    for kind, share in answer["copies_found"].items():
        print(f"  {kind:28} {share:.0%} found in {answer['seconds'][kind]} s")
    print(f"  within the originals {answer['reported_within']} pairs ({answer['seconds']['within the originals']} s)")
    for pair in answer["reported_of_another_class"]:
        print(f"  reported, of another class: {pair}")
    print(f"  false alarms among the copies: {answer['false_alarms']} {answer['false_alarms_named']}", flush=True)


if __name__ == "__main__":
    main()
