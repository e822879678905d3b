"""Lets torchvision, and what imports it (timm, open_clip, transformers), load beside a CPU build of torch.

torchvision's wheel holds its C++ operators for the torch that it was built with. Beside another build they cannot be
loaded, and its Python code, which describes two of them by name, fails with 'operator torchvision::nms does not exist'.
Declaring the two is enough to import it; nothing that the tests run calls them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

_DECLARED: list[Any] = []  # a torch library forgets its operators when it is collected


def declare_operators() -> None:
    """Declare what torchvision lacks; call it before anything imports torchvision. Nothing without both."""
    torchvision = find_spec("torchvision")
    if _DECLARED or find_spec("torch") is None or torchvision is None or torchvision.origin is None:
        return
    import torch

    try:
        for compiled in Path(torchvision.origin).parent.glob("_C.*"):
            torch.ops.load_library(compiled)
    except OSError:  # built for another torch
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(library)
