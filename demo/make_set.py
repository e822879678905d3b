"""A small set of real photographs with known answers: several views of each picture that scikit-image's wheel ships.

Every view is a crop of one photograph that overlaps the others, under another light, turned a little, mirrored, or
saved again as a poor JPEG; ``truth.csv`` says which views show the same thing. The stereo pair is two photographs.
"""

from __future__ import annotations

import csv
import random
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter

NAMES = (
    ("astronaut", "astronaut.png"),
    ("brick", "brick.png"),
    ("cat", "chelsea.png"),
    ("coffee", "coffee.png"),
    ("coins", "coins.png"),
    ("grass", "grass.png"),
    ("gravel", "gravel.png"),
    ("hubble", "hubble_deep_field.jpg"),
    ("tissue", "ihc.png"),
    ("moon", "moon.png"),
    ("motorcycle", "motorcycle_left.png"),
    ("motorcycle", "motorcycle_right.png"),
    ("page", "page.png"),
    ("photographer", "camera.png"),
    ("retina", "retina.jpg"),
    ("rocket", "rocket.jpg"),
)
VIEWS = 4
SIDE = 480  # pixels of a view's long side


def make_set(folder: Path, *, seed: int = 0) -> Path:
    """Write the views and ``truth.csv`` into ``folder`` and return the truth file."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("The demo's photographs come with scikit-image: pip install scikit-image")
    photographs = Path(found.origin).parent / "data"
    chooser = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, (name, file) in enumerate(NAMES):
        with Image.open(photographs / file) as opened:
            photograph = opened.convert("RGB")
        for number in range(VIEWS):
            view, quality = _view(photograph, number, chooser)
            target = f"{name}-{place:02d}-{number}.jpg"
            view.save(folder / target, quality=quality)
            lines.append((target, name))
    truth = folder.parent / "truth.csv"
    with truth.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("file", "label"), *lines])
    return truth


def _view(photograph: Image.Image, number: int, chooser: random.Random) -> tuple[Image.Image, int]:
    """Return one view and the JPEG quality it is saved with; the first shows all of the photograph."""
    width, height = photograph.size
    view, quality = photograph, 92
    if number:
        # At least 60% of each side, so any two views overlap.
        share = chooser.uniform(0.6, 0.85)
        w, h = int(width * share), int(height * share)
        x, y = chooser.randint(0, width - w), chooser.randint(0, height - h)
        view = photograph.crop((x, y, x + w, y + h))
        view = ImageEnhance.Brightness(view).enhance(chooser.uniform(0.6, 1.4))
        view = ImageEnhance.Color(view).enhance(chooser.uniform(0.5, 1.4))
    if number == 2:
        view = view.rotate(chooser.uniform(-8, 8), Image.Resampling.BICUBIC).crop(
            (int(w * 0.08), int(h * 0.08), int(w * 0.92), int(h * 0.92))
        )
        quality = 25
    if number == 3:
        view = view.filter(ImageFilter.GaussianBlur(1.5))
    view.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return view, quality
