"""Small seeded pictures that tests write and search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from lookalike.types import Image

__all__ = ["kind_and_view", "picture", "write_pictures"]


def picture(seed: int, *, side: int = 96, view: int = 0) -> Image:
    """Return (side, side, 3): coloured shapes that the seed decides; views of one seed differ in light and place."""
    rng = np.random.default_rng(seed)
    canvas = Pillow.new("RGB", (side, side), tuple(int(c) for c in rng.integers(100, 256, 3)))
    draw = ImageDraw.Draw(canvas)
    for _ in range(5):
        x, y, w, h = (int(v) for v in rng.integers(0, side, 4))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        shape = (x, y, min(x + w // 2 + 8, side), min(y + h // 2 + 8, side))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(shape, fill=colour)
    pixels = np.asarray(canvas, dtype=np.int16)
    if view:
        pixels = np.roll(pixels, view, axis=1) + 12 * view
    return pixels.clip(0, 255).astype(np.uint8)


def write_pictures(folder: Path, count: int, *, start: int = 0, suffix: str = ".png") -> list[Path]:
    """Write pictures of the seeds ``start`` .. ``start + count - 1`` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in range(start, start + count):
        path = folder / f"picture-{seed:04d}{suffix}"
        Pillow.fromarray(picture(seed)).save(path)
        paths.append(path)
    return paths


def kind_and_view(kinds: int, views: int, folder: Path) -> dict[str, str]:
    """Write ``kinds`` × ``views`` pictures and return file name -> kind."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {}
    for kind in range(kinds):
        for view in range(views):
            name = f"kind{kind}-view{view}.png"
            Pillow.fromarray(picture(kind, view=view)).save(folder / name)
            labels[name] = f"kind{kind}"
    return labels


def golden_images() -> list[Image]:
    """Six small pictures by formula: smooth, noisy, plain, a drawing, a wide and a tall one."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:90, :120] / 100.0
    smooth = np.stack([200 * x, 220 * y, 255 * (1 - x * y)], axis=-1).clip(0, 255).astype(np.uint8)
    noisy = random.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    plain = np.full((20, 20, 3), (12, 140, 200), np.uint8)
    drawing = np.full((128, 128, 3), 255, np.uint8)
    drawing[30:100, 50:80] = (220, 20, 60)
    drawing[60:70, 20:110] = (0, 0, 0)
    return [smooth, noisy, plain, drawing, np.repeat(smooth, 3, axis=1), np.repeat(drawing, 4, axis=0)]
