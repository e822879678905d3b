"""Models of the hub that have short names, and the choice among those that are on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["RECOMMENDED", "Recommended", "best_present"]


@dataclass(frozen=True, slots=True)
class Recommended:
    """What is known of a model before it is downloaded.

    The figures are those of the models' own pages; none was checked by running the published weights here, so a
    repository may have moved and a size may be off by some megabytes.

    Attributes:
        repository: ``org/name`` on the hub, with ONNX files.
        licence: of the weights, as the model's page states it.
        dim: components of a vector.
        megabytes: of the image model's file in float32.
        use: what it is good for, in a few words.
        words: whether it has a text tower.
        verified: whether these figures were checked by loading the published weights.
    """

    repository: str
    licence: str
    dim: int
    megabytes: int
    use: str
    words: bool = False
    verified: bool = False

    @property
    def spec(self) -> str:
        """Return what ``create`` takes: ``hf:org/name``."""
        return f"hf:{self.repository}"


# In the order in which ``auto`` prefers them: models of image and text first, then by how much they tell apart.
RECOMMENDED: dict[str, Recommended] = {
    "siglip2-base": Recommended(
        "onnx-community/siglip2-base-patch16-224-ONNX",
        "Apache-2.0",
        768,
        372,
        "what a picture means; words in many languages",
        words=True,
    ),
    "clip-vit-base-patch32": Recommended(
        "Xenova/clip-vit-base-patch32", "MIT", 512, 352, "what a picture means; words in English", words=True
    ),
    "mobileclip-s1": Recommended(
        "Xenova/mobileclip_s1",
        "Apple sample code licence: see its page",
        512,
        86,
        "what a picture means, on a small machine; words in English",
        words=True,
    ),
    "dinov2-base": Recommended(
        "onnx-community/dinov2-base", "Apache-2.0", 768, 347, "the same object or place, fine differences"
    ),
    "dinov2-small": Recommended(
        "onnx-community/dinov2-small", "Apache-2.0", 384, 88, "the same object or place, on a small machine"
    ),
    "dinov3-small": Recommended(
        "onnx-community/dinov3-vits16-pretrain-lvd1689m-ONNX",
        "DINOv3 licence: see its page",
        384,
        86,
        "the same object or place, fine differences",
    ),
    "vit-base": Recommended("Xenova/vit-base-patch16-224-in21k", "Apache-2.0", 768, 344, "kinds of things"),
    "convnext-tiny": Recommended("Xenova/convnext-tiny-224", "Apache-2.0", 768, 114, "kinds of things"),
    "resnet-50": Recommended(
        "Xenova/resnet-50", "Apache-2.0", 2048, 102, "kinds of things; the classic to compare with"
    ),
}


def best_present() -> str | None:
    """Return the first recommended name that is in the cache and fits into memory; None when none is.

    To fit, twice the file must be under half of the machine's memory. Only the cache is looked at, never the network.
    """
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    from .repository import cache_folder

    limit = _memory_megabytes() / 2
    for name, model in RECOMMENDED.items():
        if 2 * model.megabytes > limit:
            continue
        file = "onnx/vision_model.onnx" if model.words else "onnx/model.onnx"
        wanted = (file, "preprocessor_config.json")
        found = [try_to_load_from_cache(model.repository, part, cache_dir=cache_folder()) for part in wanted]
        if all(isinstance(path, str) for path in found):
            return name
    return None


def _memory_megabytes() -> float:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (AttributeError, ValueError, OSError):  # Windows
        return float("inf")
