"""From files to the squares of pixels that a network trains on: decoded ahead in threads, kept for the next epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..images import read_source
from ..images.decode import decode
from ..types import Image

__all__ = ["Pictures", "square"]

AHEAD = 3  # batches that are decoded before they are asked for


@dataclass(slots=True)
class Pictures:
    """The images of a set of samples as squares of uint8.

    Pictures are resized as a whole, whatever their shape: what is trained on is what the exported model will see.

    Args:
        sources: (M,), where the bytes are.
        side: pixels of the square.
        threads: that decode.
        cache_mb: of squares that are kept for the next time.
    """

    sources: Sequence[str]
    side: int
    threads: int
    cache_mb: int
    broken: dict[int, str] = field(default_factory=dict)  # position -> why it cannot be used
    kept: dict[str, Image] = field(default_factory=dict)  # source -> its square

    def one(self, at: int) -> Image | None:
        """Return (side, side, 3) uint8; None of an image that cannot be used, which is noted in ``broken``."""
        kept = self.kept.get(self.sources[at])
        if kept is not None:
            return kept
        if at in self.broken:
            return None
        try:
            pixels = square(decode(read_source(self.sources[at]), input_size=self.side).pixels, self.side)
        except ImageError as failed:
            self.broken[at] = failed.message
            return None
        if (len(self.kept) + 1) * pixels.nbytes <= self.cache_mb * 1_000_000:
            self.kept[self.sources[at]] = pixels
        return pixels

    def batches(self, plans: Sequence[Sequence[int]]) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]]:
        """Yield for each list of positions those that could be read, and their (B, side, side, 3) pixels."""
        with ThreadPoolExecutor(max(1, self.threads), thread_name_prefix="decode") as pool:
            waiting: list[list[Future[Image | None]]] = []
            for number, plan in enumerate(plans):
                for later in plans[number + len(waiting) : number + AHEAD]:
                    waiting.append([pool.submit(self.one, at) for at in later])
                images = [future.result() for future in waiting.pop(0)]
                there = [at for at, image in zip(plan, images, strict=True) if image is not None]
                pixels = [image for image in images if image is not None]
                empty = np.zeros((0, self.side, self.side, 3), np.uint8)
                yield np.array(there, np.int64), np.stack(pixels) if pixels else empty


def square(image: Image, side: int) -> Image:
    """Return the whole picture as (side, side, 3), its shape not kept; Pillow's bilinear filter, which antialiases."""
    from PIL import Image as Pillow

    if image.shape[:2] == (side, side):
        return image
    return np.asarray(Pillow.fromarray(np.ascontiguousarray(image)).resize((side, side), Pillow.Resampling.BILINEAR))
