"""What the published MobileNets make of fixed views of the training pictures: targets, found once and kept.

Their outputs alone are used, never their weights, and they see nothing that is held out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from material import Material
from PIL import Image

from lookalike.embed import create
from lookalike.train.seeding import generator

__all__ = ["TEACHERS", "Views", "taught_views"]

TEACHERS = (
    "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
)
_SIDE = 128
_OF_PHOTO, _LEAST = 8, 0.25  # views of a photograph, the first of all of it; the least share of the area in the others
_DIM = 256  # components that are kept of a teacher's vector
_STREAM = 41
_CHUNK = 64


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Pictures as the network reads them, and the teachers' vectors of them.

    Attributes:
        pixels: (V, 128, 128, 3) uint8.
        vectors: (V, D) float32 of unit norm: the teachers' side by side, each without its mean and in fewer
            components.
    """

    pixels: npt.NDArray[np.uint8]
    vectors: npt.NDArray[np.float32]


def taught_views(
    material: Material, weights: Path, cache: Path, *, seed: int, say: Callable[[str], None] = print
) -> Views:
    """Return the views and their vectors, or what an earlier call kept of the same material and files.

    It may be stopped: what was embedded by then is kept.
    """
    pixels = _views(material, seed)
    vectors = []
    for name in TEACHERS:
        raw = _embedded(pixels, weights / name, cache, material.digest, seed, say)
        vectors.append(_reduced(raw))
    joined = np.concatenate(vectors, axis=1) / np.sqrt(len(vectors))
    return Views(pixels, joined.astype(np.float32))


def _views(material: Material, seed: int) -> npt.NDArray[np.uint8]:
    rng = generator(seed, _STREAM)
    photos, symbols = material.photos.pixels, material.symbols
    found = []
    for picture in photos:
        image = Image.fromarray(picture)
        for number in range(_OF_PHOTO):
            side = picture.shape[0] * (1.0 if number == 0 else float(np.sqrt(rng.uniform(_LEAST, 1))))
            left, top = rng.uniform(0, picture.shape[0] - side, 2)
            view = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
            found.append(np.asarray(view)[:, :: -1 if number % 2 else 1])
    drawn = np.concatenate([symbols.of_set("emoji"), symbols.of_set("logos")])
    for at in drawn:
        alpha = symbols.pixels[at, ..., 3:].astype(np.uint16)
        found.append(((symbols.pixels[at, ..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8))
    return np.stack(found)


def _embedded(
    pixels: npt.NDArray[np.uint8], model: Path, cache: Path, digest: str, seed: int, say: Callable[[str], None]
) -> npt.NDArray[np.float32]:
    key = hashlib.sha256(f"{digest} {seed} {model.name} {pixels.shape}".encode()).hexdigest()[:16]
    path, mark = cache / f"teacher-{key}.npy", cache / f"teacher-{key}.json"
    embedder = create(f"tflite:{model}")
    shape = (len(pixels), embedder.space.dim)
    done = json.loads(mark.read_text())["done"] if mark.is_file() and path.is_file() else 0
    rows = np.lib.format.open_memmap(path, "r+" if done else "w+", np.float32, shape)
    for start in range(done, len(pixels), _CHUNK):
        rows[start : start + _CHUNK] = embedder.embed(list(pixels[start : start + _CHUNK]))
        if start // _CHUNK % 20 == 0 or start + _CHUNK >= len(pixels):
            rows.flush()
            mark.write_text(json.dumps({"done": min(start + _CHUNK, len(pixels))}))
            say(f"{model.name}: {min(start + _CHUNK, len(pixels))} of {len(pixels)} views")
    return np.array(rows)


def _reduced(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (V, _DIM) of unit norm: principal components of what is left without the mean."""
    centred = (rows - rows.mean(axis=0)).astype(np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    kept = centred @ axes[:, np.argsort(values)[::-1][:_DIM]]
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-9), np.float32)
