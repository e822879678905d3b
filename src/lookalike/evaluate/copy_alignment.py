"""Lays one picture over another, by any affine map, and says how well their details agree.

Photographs of two landscapes have the same light above and the same dark below; what tells a copy from them is that,
once laid over it exactly, the details fall together, everywhere. So what is compared is the picture without its slow
changes of brightness, as a whole and in each part that has details.

Source: the alignment is the forward additive algorithm of Lucas and Kanade, "An iterative image registration technique
with an application to stereo vision", IJCAI 1981, with a gain and an offset of brightness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .copy_windows import GRID

__all__ = ["Laid", "lay_over", "sampled"]

Floats = npt.NDArray[np.float32]

# Blur in pixels, every n-th pixel, iterations, and the agreement without which the round is not run: copies have more.
_ROUNDS = ((2.0, 3, 5, -1.0), (2.0, 2, 5, 0.15), (1.0, 1, 6, 0.5))
_LARGEST_STEP = 0.1  # of half a picture
_DAMPING = 1e-3
_GAIN = (0.2, 5.0)
_DETAIL, _SLOW = 1.0, 4.0  # blurs in pixels: what is between them is detail
_BLOCKS = 4  # parts a side
_AT_ONCE = 128  # pairs: 50 MB

_AXIS = ((np.arange(GRID) + 0.5) / GRID * 2 - 1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """How P parts lie over P pictures.

    Attributes:
        warp: float32 (P, 6): the part's point (x, y) lies at ``(w0 x + w1 y + w2, w3 x + w4 y + w5)``; both run from
            -1 to 1 over their pictures.
        agreement: float32 (P,), the correlation of details where both are, in [-1, 1].
        least: float32 (P,), the same in the part of a 4 × 4 division where it is least, among those with details.
        overlap: float32 (P,), the share of the part that lies inside the picture.
    """

    warp: Floats
    agreement: Floats
    least: Floats
    overlap: Floats


def lay_over(parts: Floats, pictures: Floats, start: Floats) -> Laid:
    """Find the map that lays each part (P, 48, 48) over its picture, from a rough one (P, 6).

    Returns:
        The map, and how well both agree. Pairs that do not agree at all after a first look are not followed further.
    """
    found = [
        _laid(parts[at : at + _AT_ONCE], pictures[at : at + _AT_ONCE], start[at : at + _AT_ONCE])
        for at in range(0, len(parts), _AT_ONCE)
    ]
    if not found:
        none = np.empty(0, np.float32)
        return Laid(np.empty((0, 6), np.float32), none, none, none)
    return Laid(*(np.concatenate([getattr(each, name) for each in found]) for name in Laid.__slots__))


def sampled(pictures: Floats, warp: Floats, step: int = 1) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return (P, n, n), the pictures (P, 48, 48) at the points of parts, and which of these lie inside."""
    values, _, _, inside = _sample(pictures, warp, step)
    side = -(-GRID // step)
    return values.reshape(len(values), side, side), inside.reshape(len(values), side, side)


def _laid(parts: Floats, pictures: Floats, start: Floats) -> Laid:
    warp = start.astype(np.float32)
    going = np.arange(len(parts))
    out = _agreement(parts, pictures, warp)
    for blur, step, rounds, least in _ROUNDS:
        going = going[out.agreement[going] >= least]
        if not len(going):
            break
        warp[going] = _aligned(
            _blurred(parts[going], blur), _blurred(pictures[going], blur), warp[going], step=step, rounds=rounds
        )
        fresh = _agreement(parts[going], pictures[going], warp[going])
        for name in ("agreement", "least", "overlap"):
            getattr(out, name)[going] = getattr(fresh, name)
    return Laid(warp, out.agreement, out.least, out.overlap)


def _aligned(parts: Floats, pictures: Floats, warp: Floats, *, step: int, rounds: int) -> Floats:
    """Follow the gradient: Gauss and Newton's steps, at most ``_LARGEST_STEP`` each."""
    warp = warp.copy()
    y, x = (part.ravel() for part in np.meshgrid(_AXIS[::step], _AXIS[::step], indexing="ij"))
    wanted = parts[:, ::step, ::step].reshape(len(parts), -1)
    eye = np.eye(6, dtype=np.float32)
    for _ in range(rounds):
        values, along_x, along_y, inside = _sample(pictures, warp, step)
        mask = inside.astype(np.float32)
        count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
        target, seen = _centred(wanted, mask, count), _centred(values, mask, count)
        gain = (target * seen).sum(axis=1, keepdims=True) / np.maximum((seen * seen).sum(axis=1, keepdims=True), 1e-6)
        gain = np.clip(gain, *_GAIN)
        slopes = np.stack([along_x * x, along_x * y, along_x, along_y * x, along_y * y, along_y], axis=1)
        slopes *= mask[:, None]
        slopes -= slopes.sum(axis=2, keepdims=True) / count[:, :, None] * mask[:, None]
        slopes *= gain[:, :, None]
        normal = slopes @ slopes.transpose(0, 2, 1)  # (P, 6, 6)
        size = np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6
        normal = normal + eye * (_DAMPING * size + _DAMPING)
        change = np.linalg.solve(normal, slopes @ (target - gain * seen)[:, :, None])[:, :, 0]
        warp += np.clip(change, -_LARGEST_STEP, _LARGEST_STEP)
    return warp


def _agreement(parts: Floats, pictures: Floats, warp: Floats) -> Laid:
    values, inside = sampled(pictures, warp)
    # What lies outside of the picture is filled from the part, so that the edge of the overlap is no detail.
    part, seen = _details(parts), _details(np.where(inside, values, parts))
    mask = inside.astype(np.float32)
    blocks = [_in_blocks(each * mask) for each in (part, seen)]  # (P, 16, n)
    held = _in_blocks(mask)
    energy = [(block * block).sum(axis=2) for block in blocks]
    both = (blocks[0] * blocks[1]).sum(axis=2)
    whole = both.sum(axis=1) / np.maximum(np.sqrt(energy[0].sum(axis=1) * energy[1].sum(axis=1)), 1.0)
    # A block counts where it is mostly inside and holds a fair share of the details of either picture.
    share = np.maximum(*(each / np.maximum(each.mean(axis=1, keepdims=True), 1e-6) for each in energy))
    counts = (held.mean(axis=2) >= 0.5) & (share >= 0.25)
    local = both / np.maximum(np.sqrt(energy[0] * energy[1]), 1.0)
    least = np.where(counts, local, 1).min(axis=1)
    return Laid(warp, whole.astype(np.float32), least.astype(np.float32), mask.mean(axis=(1, 2), dtype=np.float32))


def _sample(pictures: Floats, warp: Floats, step: int) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """Return (P, M) values, their slopes along x and y, and which points lie inside."""
    y, x = (part.ravel() for part in np.meshgrid(_AXIS[::step], _AXIS[::step], indexing="ij"))
    w = warp[:, :, None]
    across = (w[:, 0] * x + w[:, 1] * y + w[:, 2] + 1) * (GRID / 2) - 0.5
    down = (w[:, 3] * x + w[:, 4] * y + w[:, 5] + 1) * (GRID / 2) - 0.5
    inside = (across >= -0.5) & (down >= -0.5) & (across <= GRID - 0.5) & (down <= GRID - 0.5)
    left = np.clip(np.floor(across), 0, GRID - 2).astype(np.int32)
    upper = np.clip(np.floor(down), 0, GRID - 2).astype(np.int32)
    fx, fy = np.clip(across - left, 0, 1).astype(np.float32), np.clip(down - upper, 0, 1).astype(np.float32)
    flat, at = pictures.reshape(len(pictures), GRID * GRID), upper * GRID + left
    a, b, c, d = (np.take_along_axis(flat, at + offset, axis=1) for offset in (0, 1, GRID, GRID + 1))
    top, bottom = a + (b - a) * fx, c + (d - c) * fx
    along_x = ((b - a) * (1 - fy) + (d - c) * fy) * (GRID / 2)
    return top + (bottom - top) * fy, along_x, (bottom - top) * (GRID / 2), inside


def _centred(values: Floats, mask: Floats, count: Floats) -> Floats:
    out: Floats = (values - (values * mask).sum(axis=1, keepdims=True) / count) * mask
    return out


def _details(pictures: Floats) -> Floats:
    return _blurred(pictures, _DETAIL) - _blurred(pictures, _SLOW)


def _blurred(pictures: Floats, sigma: float) -> Floats:
    matrix = _blur_matrix(sigma)
    return np.asarray(matrix @ pictures @ matrix.T, np.float32)


def _blur_matrix(sigma: float) -> Floats:
    """Return (48, 48): a Gaussian along one side, its edges made up for."""
    apart = np.arange(GRID)[:, None] - np.arange(GRID)
    weights = np.exp(-(apart**2) / (2 * sigma**2))
    out: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return out


def _in_blocks(values: Floats) -> Floats:
    """Return (P, 16, n) of (P, 48, 48)."""
    side = GRID // _BLOCKS
    cut = values.reshape(len(values), _BLOCKS, side, _BLOCKS, side).transpose(0, 1, 3, 2, 4)
    return cut.reshape(len(values), _BLOCKS**2, side * side)
