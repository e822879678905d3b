"""Embedders that learn from the collection's own images: teaching them, and keeping what they learned."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ..embed import LEARNING, create, resolve
from ..errors import BadInput, ImageError, NoCollection
from ..images import FetchLimits, Item, scan
from ..images.decode import decode
from ..protocols import Embedder, Learns, Store
from ..store.sqlite import SqliteStore
from ..types import Image
from .locate import default_path

__all__ = ["MOST", "keep", "learn", "recalled", "taught", "teach", "untaught"]

MOST = 2000  # images that teach
_HELD_BYTES = 512 << 20  # of their pixels: fewer images teach an embedder of large pictures
Source = str | os.PathLike[str]


def learn(
    embedder: str,
    source: Source | Sequence[Source],
    *,
    collection: str | os.PathLike[str] | None = None,
    exclude: Sequence[str] = (),
    include_hidden: bool = False,
    limits: FetchLimits | None = None,
    max_megapixels: float = 200.0,
    most: int = MOST,
    seed: int = 0,
    device: str = "auto",
) -> str | Embedder:
    """Teach an embedder that learns from images, by a random sample of them; give it to ``open``.

    Args:
        embedder: a name. One that need not learn, or that has taught itself to the collection before, comes back as is.
        source: as for ``Collection.add``.
        collection: where the vectors will go; as for ``open``.
        exclude, include_hidden, limits, max_megapixels: as for ``Collection.add``.
        most: images that teach at most.
        seed: of the sample and of the learning.
        device: where a model runs; as for ``open``.

    Raises:
        BadInput: fewer than two usable images, or a list on standard input, which can be read only once.
    """
    pupil = untaught(embedder, collection=collection, device=device)
    if pupil is None:
        return embedder
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    if "stdin:" in sources or "-" in sources:
        raise BadInput(
            f"{embedder!r} learns from the images before it embeds them, and a list on standard input is read once.",
            hint="Write the list to a file and name it.",
        )
    entries = (
        entry
        for each in sources
        for entry in scan(
            os.path.expanduser(os.fspath(each)),
            exclude=exclude,
            include_hidden=include_hidden,
            limits=limits or FetchLimits(),
        )
    )
    items = (entry for entry in entries if isinstance(entry, Item))
    return teach(pupil, items, max_megapixels=max_megapixels, most=most, seed=seed)


def untaught(embedder: str, *, collection: str | os.PathLike[str] | None = None, device: str = "auto") -> Learns | None:
    """Return the embedder when it must learn before it embeds, and has not taught itself to the collection before."""
    name = resolve(embedder)
    scheme, colon, _ = name.partition(":")
    if colon and scheme + colon not in LEARNING:
        return None
    made = create(name, device=device)
    if not isinstance(made, Learns) or made.fitted or _has_learned(collection, made.space.name):
        return None
    return made


def teach(
    pupil: Learns, items: Iterable[Item], *, max_megapixels: float = 200.0, most: int = MOST, seed: int = 0
) -> Embedder:
    """Return the embedder, taught by a random sample of images; those that cannot be read teach nothing.

    Raises:
        BadInput: fewer than two usable images.
    """
    side = cast(Embedder, pupil).input_size
    most = min(most, getattr(pupil, "enough", most))  # what calibrates needs fewer
    most = min(most, max(2, _HELD_BYTES // (3 * (2 * side) ** 2)))
    chooser = random.Random(seed)
    sample: list[Item] = []
    for seen, item in enumerate(items, start=1):  # reservoir sampling, as in ``estimate``
        if len(sample) < most:
            sample.append(item)
        elif (place := chooser.randrange(seen)) < most:
            sample[place] = item
    return pupil.fit(list(_small(sample, side, max_megapixels)), seed)


def recalled(store: Store, made: Embedder) -> Embedder:
    """Return the embedder as the collection knows it: with what it learned there, if it is one that learns.

    Raises:
        BadInput: it has learned nothing yet.
    """
    if not isinstance(made, Learns) or made.fitted:
        return made
    text = store.setting(_key(made.space.name))
    return made.from_state(base64.b64decode(text)) if text else taught(made)


def taught(made: Embedder) -> Embedder:
    """Return an embedder that can embed; raise BadInput for one that must learn first."""
    if isinstance(made, Learns) and not made.fitted:
        spec = str(getattr(made, "spec", "")) or made.space.name
        raise BadInput(
            f"{spec!r} learns from images before it can embed, and has not seen any.",
            hint=f"Make the collection with `lookalike index FOLDER --embedder {spec}`, or in Python with "
            f"open(..., embedder=learn({spec!r}, folder)).",
        )
    return made


def keep(store: Store, made: Embedder) -> None:
    """Store what an embedder has learned; the caller holds the writer's lock."""
    if isinstance(made, Learns):
        store.set_setting(_key(made.space.name), base64.b64encode(made.state()).decode("ascii"))


def _key(space: str) -> str:
    return f"learned:{space}"


def _has_learned(collection: str | os.PathLike[str] | None, space: str) -> bool:
    folder = default_path() if collection is None else Path(collection).expanduser()
    if not folder.exists():
        return False
    try:
        with SqliteStore.open(folder) as store:
            return bool(store.setting(_key(space)))
    except NoCollection:
        return False


def _small(sample: Sequence[Item], side: int, max_megapixels: float) -> Iterator[Image]:
    """Yield the pictures that can be read, shrunk: thousands of them are held at a time."""
    from PIL import Image as Pillow

    for item in sample:
        try:
            pixels = decode(item.read(), input_size=side, max_megapixels=max_megapixels).pixels
        except ImageError:
            continue
        height, width = pixels.shape[:2]
        size = (min(width, 2 * side), min(height, 2 * side))
        yield np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BOX))
