"""How pictures are changed, a whole batch at once in torch: what a copy, another vendor or another camera would do.

Everything draws from torch's global generator, which the training sets anew for each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

__all__ = ["INPUT", "Chances", "photos_changed", "retaken", "symbols_changed"]

INPUT = 128  # pixels of the square that the network reads
_LUMA = (0.299, 0.587, 0.114)
_CHUNK = 16  # pictures at once: their planes stay within the processor's cache
# From RGB to brightness and two colour axes, of which a turn is a change of hue (the YIQ of NTSC).
_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@dataclass(frozen=True, slots=True)
class Chances:
    """Of one kind of symbols: how often they become one colour, stand on a badge, lie on black, get dark outlines."""

    mono: float
    badge: float
    black: float = 0.0
    lines: float = 0.0


def symbols_changed(rgba: Any, chances: Any, photos: Any, *, side: int = INPUT) -> Any:
    """Return (B, 3, side, side) in [0, 1], symbols laid on something.

    Args:
        rgba: (B, S, S, 4) uint8, cut to their content.
        chances: (B, 4), mono, badge, black and lines of ``Chances`` for each.
        photos: (P, T, T, 3) uint8, backgrounds now and then.
        side: pixels of what is returned.
    """
    parts = [
        _symbols(rgba[at : at + _CHUNK], chances[at : at + _CHUNK], photos, side) for at in range(0, len(rgba), _CHUNK)
    ]
    return torch.cat(parts)


def photos_changed(rgb: Any, *, least: float = 0.25, side: int = INPUT) -> Any:
    """Return (B, 3, side, side) in [0, 1], parts of photographs under another light.

    Args:
        rgb: (B, S, S, 3) uint8.
        least: the smallest share of the area that is kept.
        side: pixels of what is returned.
    """
    return torch.cat([_photos(rgb[at : at + _CHUNK], least, side) for at in range(0, len(rgb), _CHUNK)])


def retaken(pixels: Any) -> Any:
    """Return (B, 3, S, S) half of them mirrored and in a slightly other light: a teacher's vector stays near."""
    count, device = len(pixels), pixels.device
    mirrored = (_chance(count, device) < 0.5).view(-1, 1, 1, 1)
    pixels = torch.where(mirrored, pixels.flip(3), pixels)
    contrast, light = (_uniform((count, 1, 1, 1), -0.15, 0.15, device) for _ in range(2))
    return ((pixels - 0.5) * (1 + contrast) + 0.5 + light * 0.5).clamp_(0, 1)


def _symbols(rgba: Any, chances: Any, photos: Any, size: int) -> Any:
    count, device = len(rgba), rgba.device
    pixels = rgba.permute(0, 3, 1, 2).float().div_(255)
    if size * 2 <= pixels.shape[-1]:  # what is sampled at every second pixel must be smooth
        pixels[:, :3] *= pixels[:, 3:]
        pixels = functional.avg_pool2d(pixels, 2)
        pixels[:, :3] /= pixels[:, 3:].clamp(min=1e-3)
    colour, alpha = pixels[:, :3], pixels[:, 3:]
    mono = _chance(count, device) < chances[:, 0]
    badge = _chance(count, device) < chances[:, 1]
    mono = mono | (badge & (_chance(count, device) < 0.4))
    lined = torch.nonzero(_chance(count, device) < chances[:, 3]).flatten()
    if len(lined):
        colour[lined], alpha[lined] = _outlined(colour[lined], alpha[lined])
    chosen = torch.nonzero(mono).flatten()
    if len(chosen):
        colour[chosen], alpha[chosen] = _one_colour(colour[chosen], alpha[chosen], badge[chosen])
    shrink = torch.where(badge, _uniform(count, 0.45, 0.8, device), torch.ones(count, device=device))
    scale = shrink * torch.exp(_uniform(count, -0.25, 0.1, device))
    grid = _grid(
        size,
        scale=scale,
        aspect=torch.exp(torch.randn(count, device=device) * 0.07),
        angle=torch.randn(count, device=device) * 0.09 * (_chance(count, device) < 0.7),
        shear=torch.randn(count, device=device) * 0.04,
        shift=torch.randn(count, 2, device=device) * 0.03,
        warp=0.03 * (_chance(count, device) < 0.6).float(),
    )
    colour *= alpha
    laid = functional.grid_sample(pixels, grid, align_corners=False)
    under = _backgrounds(count, chances[:, 2] > _chance(count, device), photos, size)
    under = _badges(under, badge)
    return _jittered(laid[:, :3] + under.mul_(1 - laid[:, 3:]), strength=0.6)


def _photos(rgb: Any, least: float, size: int) -> Any:
    count, device = len(rgb), rgb.device
    pixels = rgb.permute(0, 3, 1, 2).float() / 255
    if size * 2 <= pixels.shape[-1]:
        pixels = functional.avg_pool2d(pixels, 2)
    side = torch.sqrt(_uniform(count, least, 1.0, device))
    aspect = torch.exp(torch.randn(count, device=device) * 0.12)
    room = (1 - side).clamp(min=0)[:, None]
    grid = _grid(
        size,
        scale=1 / side,
        aspect=aspect,
        angle=torch.randn(count, device=device) * 0.08 * (_chance(count, device) < 0.5),
        shear=torch.randn(count, device=device) * 0.05,
        shift=_uniform((count, 2), -1, 1, device) * room,
        warp=0.03 * (_chance(count, device) < 0.3).float(),
        tilt=torch.randn(count, 2, device=device) * 0.1,
    )
    flip = torch.where(_chance(count, device) < 0.5, -1.0, 1.0)
    grid = torch.stack([grid[..., 0] * flip[:, None, None], grid[..., 1]], dim=-1)
    return _jittered(functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False), strength=1.0)


def _grid(
    size: int, *, scale: Any, aspect: Any, angle: Any, shear: Any, shift: Any, warp: Any, tilt: Any = None
) -> Any:
    """Return (B, size, size, 2), where each pixel comes from; ``scale`` above 1 enlarges."""
    count, device = len(scale), scale.device
    line = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    root = torch.sqrt(aspect)
    cos, sin = torch.cos(angle), torch.sin(angle)
    across, down = 1 / (scale * root), root / scale
    matrix = torch.stack([cos * across, (shear - sin) * across, sin * down, cos * down], dim=1).reshape(count, 2, 2)
    flat = torch.stack([x.reshape(-1), y.reshape(-1)])
    made = matrix @ flat + shift[:, :, None]  # (B, 2, P)
    if tilt is not None:
        made = made / (1 + (tilt[:, :, None] * flat).sum(dim=1, keepdim=True))
    coarse = torch.randn(count, 2, 5, 5, device=device) * warp[:, None, None, None]
    half = functional.interpolate(coarse, (size // 4, size // 4), mode="bicubic", align_corners=True)
    fine = functional.interpolate(half, (size, size), mode="bilinear", align_corners=True)
    return made.reshape(count, 2, size, size).add_(fine).permute(0, 2, 3, 1)


def _one_colour(colour: Any, alpha: Any, badge: Any) -> tuple[Any, Any]:
    """Return ink of one colour, and where it is: all that was there, its dark parts or its light parts."""
    count, device = len(colour), colour.device
    luma = (colour * torch.tensor(_LUMA, device=device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    which = torch.randint(0, 4, (count, 1, 1, 1), device=device)
    part = torch.where(which == 0, alpha, torch.where(which < 3, alpha * (1 - luma), alpha * luma))
    peak = part.amax(dim=(2, 3), keepdim=True)
    part = torch.where(peak > 0.15, (part / peak.clamp(min=1e-3) * 1.5).clamp(max=1), alpha)
    ink = torch.rand(count, 3, 1, 1, device=device) * 0.8
    ink = torch.where(_chance(count, device).view(-1, 1, 1, 1) < 0.5, torch.zeros_like(ink), ink)
    white = (badge & (_chance(count, device) < 0.7)).view(-1, 1, 1, 1)
    return torch.where(white, torch.ones_like(ink), ink).expand_as(colour), part


def _outlined(colour: Any, alpha: Any) -> tuple[Any, Any]:
    """Draw dark lines where colours meet, over flatter or no colours: the style of OpenMoji and of line icons."""
    count, device = len(colour), colour.device
    luma = (colour * torch.tensor(_LUMA, device=device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    seen = luma * alpha + 1.2 * (1 - alpha)  # the outer edge is one of white things too
    side = (3, 5)[int(torch.randint(0, 2, ()))]
    steps = functional.max_pool2d(seen, side, 1, side // 2) + functional.max_pool2d(-seen, side, 1, side // 2)
    line = ((steps - _uniform((count, 1, 1, 1), 0.08, 0.2, device)) * 8).clamp(0, 1)
    flat = functional.avg_pool2d(colour, 5, 1, 2, count_include_pad=False)
    flat = torch.where(_chance(count, device).view(-1, 1, 1, 1) < 0.3, torch.ones_like(flat), flat)
    ink = torch.rand(count, 3, 1, 1, device=device) * 0.25
    return flat * (1 - line) + ink * line, torch.maximum(alpha, line)


def _backgrounds(count: int, black: Any, photos: Any, size: int) -> Any:
    device = black.device
    under = torch.ones(count, 3, 1, 1, device=device)
    plain = _chance(count, device).view(-1, 1, 1, 1) < 0.12
    under = torch.where(plain, torch.rand(count, 3, 1, 1, device=device), under)
    under = torch.where(black.view(-1, 1, 1, 1), torch.zeros_like(under), under)
    under = under.expand(count, 3, size, size).clone()
    composite = torch.nonzero((_chance(count, device) < 0.05) & ~black).flatten()
    if len(photos) and len(composite):
        chosen = photos[torch.randint(0, len(photos), (len(composite),), device=device)]
        scene = chosen.permute(0, 3, 1, 2).float() / 255
        under[composite] = functional.interpolate(scene, (size, size), mode="bilinear", align_corners=False)
    return under


def _badges(under: Any, badge: Any) -> Any:
    """Lay a rounded square or a disc of some colour under some of them, as icons of programs have it."""
    places = torch.nonzero(badge).flatten()
    if not len(places):
        return under
    count, device, size = len(places), under.device, under.shape[-1]
    line = ((torch.arange(size, device=device) + 0.5) / size * 2 - 1).abs()
    half = _uniform(count, 0.85, 0.98, device).view(-1, 1, 1)
    radius = half * torch.tensor([0.0, 0.15, 0.3, 0.45, 1.0], device=device)[
        torch.randint(0, 5, (count,), device=device)
    ].view(-1, 1, 1)
    x = (line.view(1, 1, -1) - half + radius).clamp(min=0)
    y = (line.view(1, -1, 1) - half + radius).clamp(min=0)
    inside = ((radius - torch.sqrt(x * x + y * y)) * size / 2 + 0.5 + (radius == 0).float()).clamp(0, 1)
    square = ((half - line.view(1, 1, -1)) * size / 2 + 0.5).clamp(0, 1) * (
        (half - line.view(1, -1, 1)) * size / 2 + 0.5
    ).clamp(0, 1)
    inside = (inside * square)[:, None]
    colours = torch.rand(count, 3, 1, 1, device=device)
    dark = (_chance(count, device) < 0.25).view(-1, 1, 1, 1)
    colours = torch.where(dark, colours * 0.2, colours)
    made = under.clone()
    made[places] = colours * inside + under[places] * (1 - inside)
    return made


def _jittered(pixels: Any, *, strength: float) -> Any:
    """Change light and colour, and take away sharpness here and there.

    Saturation, hue, contrast and brightness are linear, so they are one 3 x 3 matrix and a shift for each picture.
    """
    count, device, size = len(pixels), pixels.device, pixels.shape[-1]
    luma = torch.tensor(_LUMA, device=device).expand(3, 3)
    one = torch.eye(3, device=device)
    saturation = (1 + strength * _uniform(count, -0.45, 0.45, device)).view(-1, 1, 1)
    saturation = torch.where(_chance(count, device).view(-1, 1, 1) < 0.07, torch.zeros_like(saturation), saturation)
    colour = _hue_matrix(torch.randn(count, device=device) * 0.1 * strength)
    colour = colour @ (one * saturation + luma * (1 - saturation))
    contrast = (1 + strength * _uniform(count, -0.35, 0.35, device)).view(-1, 1, 1)
    light = (1 + strength * _uniform(count, -0.35, 0.3, device)).view(-1, 1, 1)
    middle = pixels.mean(dim=(1, 2, 3)).view(-1, 1, 1)
    shift = middle * (1 - contrast) * light
    # White paper stays white for a part of them: that is what most symbols lie on.
    same = _chance(count, device).view(-1, 1, 1) < 0.3
    matrix = torch.where(same, colour, colour * contrast * light)
    shift = torch.where(same, torch.zeros_like(shift), shift).expand(count, 3, 1)
    pixels = torch.baddbmm(shift, matrix, pixels.flatten(2)).view_as(pixels).clamp_(0, 1)
    soft = torch.nonzero(_chance(count, device) < 0.18).flatten()
    if len(soft):
        small = size * (3, 4, 5)[int(torch.randint(0, 3, ()))] // 8
        less = functional.interpolate(pixels[soft], (small, small), mode="bilinear", antialias=True)
        pixels[soft] = functional.interpolate(less, (size, size), mode="bilinear", align_corners=False)
    noisy = torch.nonzero(_chance(count, device) < 0.12).flatten()
    if len(noisy):
        pixels[noisy] = (pixels[noisy] + torch.randn_like(pixels[noisy]) * 0.03).clamp_(0, 1)
    return pixels


def _hue_matrix(turn: Any) -> Any:
    """Return (B, 3, 3), a turn about the axis of greys by so many radians."""
    to = torch.tensor(_YIQ, device=turn.device)
    back = torch.linalg.inv(to)
    cos, sin, zero, one = torch.cos(turn), torch.sin(turn), torch.zeros_like(turn), torch.ones_like(turn)
    rotation = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], dim=1).reshape(-1, 3, 3)
    return back @ rotation @ to


def _chance(count: int, device: Any) -> Any:
    return torch.rand(count, device=device)


def _uniform(shape: Any, low: float, high: float, device: Any) -> Any:
    return torch.rand(shape, device=device) * (high - low) + low
