"""How images are changed at random while training: kornia's augmentations, batch by batch."""

from __future__ import annotations

from typing import Any

__all__ = ["STRENGTHS", "augmentation"]

# strength -> (smallest part of the picture, degrees, colour, share of gray, share erased, share blurred)
STRENGTHS: dict[str, tuple[float, float, float, float, float, float]] = {
    "light": (0.7, 5.0, 0.1, 0.0, 0.0, 0.0),
    "medium": (0.4, 10.0, 0.25, 0.05, 0.1, 0.05),
    "strong": (0.2, 20.0, 0.4, 0.2, 0.25, 0.2),
}


def augmentation(strength: str, *, side: int, flip: bool) -> Any:
    """Return a module from (B, 3, S, S) in [0, 1] to (B, 3, side, side) in [0, 1]; each image is drawn for by itself.

    Draws come from torch's own generator, which the loop seeds before each step.

    Args:
        strength: a key of ``STRENGTHS``, or ``none``.
        side: pixels of what comes out.
        flip: mirror half of the images.
    """
    import kornia.augmentation as K
    from torch import nn

    if strength == "none":
        return nn.Identity()
    part, degrees, colour, gray, erased, blurred = STRENGTHS[strength]
    steps: list[Any] = [
        K.RandomResizedCrop((side, side), scale=(part, 1.0), ratio=(3 / 4, 4 / 3)),
        K.RandomRotation(degrees, p=0.3),
        K.ColorJitter(colour, colour, colour, colour / 5, p=0.8),
    ]
    if flip:
        steps.insert(1, K.RandomHorizontalFlip(p=0.5))
    if gray:
        steps.append(K.RandomGrayscale(p=gray))
    if blurred:
        steps.append(K.RandomGaussianBlur((5, 5), (0.1, 1.5), p=blurred))
    if erased:
        steps.append(K.RandomErasing(p=erased, scale=(0.02, 0.15)))
    return nn.Sequential(*steps)
