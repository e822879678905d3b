"""The pictures that the network may see, and those that it must not: read once, kept as arrays.

Kept apart from everything here are the classes that ``lookalike evaluate --benchmark`` holds out (one in five, by the
hash of the name), the emoji set OpenMoji, and the folders scenes, coco128, near_dup and planar. One in eight of the
classes that are left is for validation: it chooses the checkpoint and the weights of the hybrid, and is not trained on.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from drawings import framed
from PIL import Image

from lookalike.evaluate.benchmarks.base import held_out, without_skin_tone
from lookalike.evaluate.benchmarks.idx_images import read_images

__all__ = ["PHOTO_SIDE", "SETS", "Material", "Stored", "part_of", "read_material"]

PartOf = Literal["train", "validation", "test"]
SETS = ("emoji", "logos", "omniglot", "fashion", "photos", "grocery")
PHOTO_SIDE = 160  # pixels of a photograph that crops are taken of
_KEPT_APART = ("openmoji",)
_VALIDATION = 8  # one in so many of the classes that may be learned
_DRAWERS, _CLOTHES = 10, 150  # of a character, of a kind: more would outweigh the rest
_CLOTHING = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def part_of(unit: str) -> PartOf:
    """Return which part a class is of: an emoji's code point, a brand, a kind, an alphabet."""
    if held_out(unit):
        return "test"
    number = int(hashlib.sha1(f"validation of {unit}".encode()).hexdigest(), 16)
    return "validation" if number % _VALIDATION == 0 else "train"


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Pictures of one shape.

    Attributes:
        pixels: (N, S, S, C) uint8.
        names: (N,) ``set:file``.
        sets: (N,) indices into SETS.
        classes: (N,) of this part of the material; classes of different sets differ.
        class_names: of each class, ``set:class``.
    """

    pixels: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    sets: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    class_names: tuple[str, ...]

    def of_set(self, name: str) -> npt.NDArray[np.int64]:
        """Return the positions of a set's pictures."""
        return np.flatnonzero(self.sets == SETS.index(name))


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on, and what is validated on.

    Attributes:
        symbols: RGBA, cut to what is not transparent: emoji, logos, characters, clothes.
        photos: RGB: photographs and groceries.
        looks: RGB of the validation classes, whole, as a user would give them.
        digest: of all names and pixels.
    """

    symbols: Stored
    photos: Stored
    looks: Stored
    digest: str


def read_material(data: Path, cache: Path, *, limit: int = 0) -> Material:
    """Read the sets, or what an earlier call kept.

    Args:
        data: the folder with a folder for each set.
        cache: where the arrays are kept; made where it is not there.
        limit: classes of each set and part; 0 for all. For trying things out.
    """
    cache.mkdir(parents=True, exist_ok=True)
    stored = [_kept(cache, f"{kind}-{limit}") for kind in ("symbols", "photos", "looks")]
    if None in stored:
        stored = list(_read(data, limit))
        for kind, each in zip(("symbols", "photos", "looks"), stored, strict=True):
            assert each is not None
            _keep(cache, f"{kind}-{limit}", each)
    symbols, photos, looks = stored
    assert symbols is not None
    assert photos is not None
    assert looks is not None
    text = hashlib.sha256()
    for each in (symbols, photos, looks):
        text.update("\n".join(each.names).encode())
        text.update(np.ascontiguousarray(each.pixels[:, ::16, ::16]).tobytes())
    return Material(symbols, photos, looks, text.hexdigest())


@dataclass(frozen=True, slots=True)
class _Found:
    set: str
    name: str
    label: str
    part: PartOf
    picture: Image.Image


def _read(data: Path, limit: int) -> tuple[Stored, Stored, Stored]:
    symbols, photos, looks = [], [], []
    seen: dict[tuple[str, str], list[str]] = {}
    for found in _found(data):
        if found.part == "test":
            continue
        classes = seen.setdefault((found.set, found.part), [])
        if found.label not in classes:
            if limit and len(classes) >= limit:
                continue
            classes.append(found.label)
        drawn = found.set in ("emoji", "logos", "omniglot", "fashion")
        if found.part == "validation":
            looks.append((found, _flat(found.picture)))
        elif drawn:
            symbols.append((found, framed(found.picture)))
        else:
            photos.append((found, _square(found.picture, PHOTO_SIDE)))
    return _stored(symbols), _stored(photos), _stored(looks)


def _found(data: Path) -> Iterator[_Found]:
    for row, picture in _archive(data / "emoji", "emoji.tar"):
        label = without_skin_tone(row["codepoint"])
        if row["vendor"] not in _KEPT_APART:
            yield _Found("emoji", row["file"], label, part_of(label), picture.convert("RGBA"))
    for row, picture in _archive(data / "logos", "logos.tar"):
        yield _Found("logos", row["file"], row["brand"], part_of(row["brand"]), picture.convert("RGBA"))
    yield from _characters(data / "omniglot")
    yield from _clothes(data / "fashion-mnist")
    for row, picture in _archive(data / "photos", "images.tar"):
        yield _Found("photos", row["file"], row["kind"], part_of(row["kind"]), picture.convert("RGB"))
    for row, picture in _archive(data / "grocery", "images.tar"):
        yield _Found("grocery", row["file"], row["fine"], part_of(row["fine"]), picture.convert("RGB"))


def _archive(folder: Path, archive: str) -> Iterator[tuple[dict[str, str], Image.Image]]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    with tarfile.open(folder / archive) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            stream = tar.extractfile(member) if name in rows else None
            if stream is not None:
                picture = Image.open(io.BytesIO(stream.read()))
                picture.draft("RGB", (PHOTO_SIDE, PHOTO_SIDE))
                yield rows[name], picture


def _characters(folder: Path) -> Iterator[_Found]:
    done: set[str] = set()  # two archives share alphabets
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                parts = name.split("/")
                key = "/".join(parts[-3:])
                if not name.endswith(".png") or "__MACOSX" in name or key in done:
                    continue
                done.add(key)
                alphabet, character = parts[-3:-1]
                if int(parts[-1].removesuffix(".png").rpartition("_")[2]) > _DRAWERS:
                    continue
                ink = Image.open(io.BytesIO(archive.read(name))).convert("L").point(lambda value: 255 - value)
                picture = Image.new("RGBA", ink.size, (0, 0, 0, 255))
                picture.putalpha(ink)
                yield _Found("omniglot", name, f"{alphabet}/{character}", part_of(alphabet), picture)


def _clothes(folder: Path) -> Iterator[_Found]:
    """Light clothes on black: white ink, so that the augmentation sees where they end."""
    pixels = read_images(folder / "train20k-images-idx3-ubyte.gz")
    labels = np.frombuffer(gzip.decompress((folder / "train20k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    for kind, name in enumerate(_CLOTHING):
        for at in np.flatnonzero(labels == kind)[:_CLOTHES]:
            grey = pixels[int(at)]
            picture = Image.new("RGBA", (28, 28), (255, 255, 255, 255))
            picture.putalpha(Image.fromarray(grey[..., 0] if grey.ndim == 3 else grey))
            yield _Found("fashion", f"train20k/{at:05d}", name, part_of(name), picture)


def _flat(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Return (128, 128, 3): the canvas of builtin-1, transparent pixels white; clothes on black as they are stored."""
    if picture.mode == "RGBA":
        black = picture.size == (28, 28)
        under = Image.new("RGBA", picture.size, "black" if black else "white")
        picture = Image.alpha_composite(under, picture).convert("RGB")
    return _square(picture, 128)


def _square(picture: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=3.0))


def _stored(found: list[tuple[_Found, npt.NDArray[np.uint8]]]) -> Stored:
    keys = [f"{each.set}:{each.label}" for each, _ in found]
    names = tuple(dict.fromkeys(keys))
    number = {name: at for at, name in enumerate(names)}
    return Stored(
        np.stack([pixels for _, pixels in found]),
        tuple(f"{each.set}:{each.name}" for each, _ in found),
        np.array([SETS.index(each.set) for each, _ in found], np.int64),
        np.array([number[key] for key in keys], np.int64),
        names,
    )


def _keep(cache: Path, kind: str, stored: Stored) -> None:
    aside = cache / f"{kind}.part.npy"
    np.save(aside, stored.pixels)
    aside.replace(cache / f"{kind}.npy")
    said = {
        "names": stored.names,
        "sets": stored.sets.tolist(),
        "classes": stored.classes.tolist(),
        "class_names": stored.class_names,
    }
    (cache / f"{kind}.part.json").write_text(json.dumps(said), encoding="utf-8")
    (cache / f"{kind}.part.json").replace(cache / f"{kind}.json")


def _kept(cache: Path, kind: str) -> Stored | None:
    if not (cache / f"{kind}.json").is_file() or not (cache / f"{kind}.npy").is_file():
        return None
    said = json.loads((cache / f"{kind}.json").read_text(encoding="utf-8"))
    return Stored(
        np.load(cache / f"{kind}.npy"),
        tuple(said["names"]),
        np.array(said["sets"], np.int64),
        np.array(said["classes"], np.int64),
        tuple(said["class_names"]),
    )
