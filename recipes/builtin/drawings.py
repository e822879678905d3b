"""Made-up pictograms without end: a class is a drawing of a few shapes, its images are that drawing in several styles.

What the emoji and icon sets do to one idea is done here to random ones: flat, outlined, line art, one colour with the
inner parts cut out, gradients, gloss and shadows, other hues, other line widths, parts moved, redrawn or left out. A
drawing depends on the seed and its number alone, and so does each of its images.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lookalike.train.seeding import generator

__all__ = ["COLOURS", "SHAPES", "SIDE", "Drawing", "Part", "drawing", "framed", "named_drawing", "rendered"]

SIDE = 128  # pixels of an image
_CANVAS = 256  # drawn at twice the size, then halved: no jagged edges
_MARGIN = 0.06  # as the content of builtin-1's canvas
_STREAM = 77  # keeps these random numbers apart from those of the training

Points = npt.NDArray[np.float64]
_TAU = 2 * math.pi


@dataclass(frozen=True, slots=True)
class Part:
    """One shape of a drawing.

    Attributes:
        outline: (P, 2) in [-1, 1], y down; () for a glyph.
        closed: False for a line.
        centre, size: in the unit square of the drawing, (x, y).
        turn: radians.
        colour: which of the palette.
        glyph: a character; empty for a shape.
        detail: it may be left out in some styles.
    """

    outline: Points
    closed: bool
    centre: tuple[float, float]
    size: tuple[float, float]
    turn: float
    colour: int
    glyph: str = ""
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """What all images of a class have in common; ``palette`` holds hue, saturation and value."""

    parts: tuple[Part, ...]
    palette: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class _Style:
    kind: str
    width: float  # of lines, as a share of the side
    hue: float
    saturation: float
    value: float
    loose: float  # how far parts move
    drop: float  # chance that a detail is missing
    shadow: bool
    ink: tuple[int, int, int]


def drawing(seed: int, number: int) -> Drawing:
    """Return one class."""
    rng = generator(seed, _STREAM, number)
    layout = _LAYOUTS[int(rng.choice(len(_LAYOUTS), p=_LAYOUT_SHARES))]
    parts = layout(rng)
    first = float(rng.random())
    palette = []
    for at in range(5):
        hue = first if at == 0 else float((first + rng.choice([0.0, 0.08, 0.5, 0.33, rng.random()])) % 1)
        grey = rng.random() < 0.2
        palette.append(
            (hue, 0.0 if grey else float(rng.uniform(0.45, 1)), float(rng.choice([rng.uniform(0.6, 1), rng.random()])))
        )
    return Drawing(tuple(parts), tuple(palette))


def named_drawing(shape: str, colour: str, rng: np.random.Generator) -> Drawing:
    """Return one shape of one colour, by the names of ``SHAPES`` and ``COLOURS``; its proportions vary."""
    hue, saturation, value = COLOURS[colour]
    outline = SHAPES[shape](rng)
    size = (0.9, 0.9 * float(rng.uniform(0.85, 1.15)))
    turn = float(rng.normal(0, 0.1)) if shape in _UPRIGHT else float(rng.uniform(0, _TAU))
    chosen = (
        float((hue + rng.normal(0, 0.01)) % 1),
        float(np.clip(saturation * rng.uniform(0.85, 1.1), 0, 1)),
        float(np.clip(value * rng.uniform(0.9, 1.05), 0, 1)),
    )
    return Drawing((Part(outline, True, (0, 0), size, turn, 0),), (chosen,) * 5)


def rendered(made: Drawing, rng: np.random.Generator, *, true: bool = False) -> npt.NDArray[np.uint8]:
    """Return (SIDE, SIDE, 4) uint8, the drawing in a random style, cut to what is not transparent.

    Args:
        made: the class.
        rng: of the style.
        true: the colours stay what they are.
    """
    style = _style(rng)
    if true:
        plain = "flat" if style.kind in ("mono", "line") else style.kind
        style = replace(style, kind=plain, hue=0.0, saturation=1.0, value=1.0)
    kept = [part for part in made.parts if not (part.detail and rng.random() < style.drop)]
    parts = [_loosened(part, style, rng) for part in kept]
    fonts = [int(rng.integers(1 << 16)) for _ in parts]
    if style.kind == "mono":
        picture = _one_colour(parts, fonts, style)
    else:
        colours = [_colour(made.palette[part.colour], style) for part in parts]
        picture = _coloured(parts, colours, fonts, style, rng)
    if style.shadow:
        picture = _with_shadow(picture)
    return framed(picture)


def framed(picture: Image.Image, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Return (side, side, 4): what is not transparent, centred in a square with a small margin, its shape kept."""
    box = picture.getchannel("A").point(lambda value: 255 if value > 24 else 0).getbbox()
    left, top, right, bottom = box or (0, 0, *picture.size)
    length = max(right - left, bottom - top) * (1 + 2 * _MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    corners = (x - length / 2, y - length / 2, x + length / 2, y + length / 2)
    pad = math.ceil(max(0.0, -corners[0], -corners[1], corners[2] - picture.width, corners[3] - picture.height))
    if pad:
        wide = Image.new("RGBA", (picture.width + 2 * pad, picture.height + 2 * pad))
        wide.paste(picture, (pad, pad))
        picture, corners = wide, tuple(value + pad for value in corners)  # type: ignore[assignment]
    resized = picture.resize((side, side), Image.Resampling.BILINEAR, box=corners, reducing_gap=None)
    return np.asarray(resized)


# ---- shapes: (P, 2) in [-1, 1] ----


def _round(count: int = 40, start: float = 0.0, stop: float = _TAU) -> Points:
    angle = np.linspace(start, stop, count, endpoint=stop - start < _TAU - 1e-6)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _polygon(rng: np.random.Generator) -> Points:
    return _round(int(rng.integers(3, 8)), start=-math.pi / 2, stop=_TAU - math.pi / 2)


def _star(rng: np.random.Generator) -> Points:
    count = int(rng.integers(4, 9))
    made = _round(2 * count, start=-math.pi / 2, stop=_TAU - math.pi / 2)
    made[1::2] *= rng.uniform(0.35, 0.75)
    return made


def _blob(rng: np.random.Generator) -> Points:
    angle = np.linspace(0, _TAU, 48, endpoint=False)
    radius = np.ones(48)
    for wave in range(1, 6):
        radius += rng.normal(0, 0.28 / wave) * np.cos(wave * angle + rng.uniform(0, _TAU))
    radius = np.clip(radius, 0.25, None)
    made = _round(48) * radius[:, None]
    return np.asarray(made / np.abs(made).max())


def _corner(rng: np.random.Generator) -> Points:
    power = float(rng.choice([0.1, 0.25, 0.5]))  # a superellipse: from a rectangle to a circle
    unit = _round(48)
    return np.asarray(np.sign(unit) * np.abs(unit) ** power)


def _heart(rng: np.random.Generator) -> Points:
    t = np.linspace(0, _TAU, 48, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([np.sin(t) ** 3, -(y + 2.5) / 15], axis=1)


def _drop(rng: np.random.Generator) -> Points:
    t = np.linspace(0, _TAU, 48, endpoint=False)
    return np.stack([np.sin(t) * np.sin(t / 2) ** float(rng.uniform(0.8, 2.5)), -np.cos(t)], axis=1)


def _crescent(rng: np.random.Generator) -> Points:
    outer = _round(28, start=0.7, stop=_TAU - 0.7)
    inner = outer[::-1] * [0.75, 0.8] + [float(rng.uniform(0.15, 0.45)), 0]
    return np.concatenate([outer, inner])


def _jagged(rng: np.random.Generator) -> Points:
    count = int(rng.integers(5, 11))
    angle = np.sort(rng.uniform(0, _TAU, count))
    radius = rng.uniform(0.3, 1, count)
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], axis=1)


def _cross(rng: np.random.Generator) -> Points:
    w = float(rng.uniform(0.2, 0.5))
    quarter = np.array([[w, -1], [w, -w], [1, -w]])
    turned = [quarter @ np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return np.concatenate(turned)


def _arrow(rng: np.random.Generator) -> Points:
    w, head = float(rng.uniform(0.15, 0.4)), float(rng.uniform(-0.2, 0.4))
    return np.array([[-1, -w], [head, -w], [head, -0.9], [1, 0], [head, 0.9], [head, w], [-1, w]])


def _arc(rng: np.random.Generator) -> Points:
    start = float(rng.uniform(0, _TAU))
    return _round(24, start, start + float(rng.uniform(1.2, 5.5)))


def _curve(rng: np.random.Generator) -> Points:
    ends = rng.uniform(-1, 1, (4, 2))
    t = np.linspace(0, 1, 24)[:, None]
    return np.asarray(
        ends[0] * (1 - t) ** 3 + 3 * ends[1] * t * (1 - t) ** 2 + 3 * ends[2] * t**2 * (1 - t) + ends[3] * t**3
    )


def _wave(rng: np.random.Generator) -> Points:
    t = np.linspace(-1, 1, 32)
    return np.stack([t, float(rng.uniform(0.15, 0.6)) * np.sin(t * float(rng.uniform(3, 10)))], axis=1)


def _zigzag(rng: np.random.Generator) -> Points:
    count = int(rng.integers(3, 7))
    return np.stack([np.linspace(-1, 1, count), rng.uniform(-1, 1, count)], axis=1)


_Outline = Callable[[np.random.Generator], Points]
_AREAS: tuple[_Outline, ...] = (
    *(lambda rng: _round(), _corner, _corner, _polygon, _star, _blob, _blob, _heart, _drop, _crescent, _jagged),
    *(_cross, _arrow),
)
_LINES: tuple[_Outline, ...] = (_arc, _curve, _wave, _zigzag)
SHAPES: Mapping[str, _Outline] = {
    "circle": lambda rng: _round(),
    "square": lambda rng: _round(4, math.pi / 4, _TAU + math.pi / 4) * math.sqrt(0.5),
    "triangle": lambda rng: _round(3, -math.pi / 2, 1.5 * math.pi),
    "pentagon": lambda rng: _round(5, -math.pi / 2, 1.5 * math.pi),
    "hexagon": lambda rng: _round(6, -math.pi / 2, 1.5 * math.pi),
    "star": _star,
    "heart": _heart,
    "drop": _drop,
    "crescent": _crescent,
    "cross": _cross,
    "arrow": _arrow,
    "blob": _blob,
}
_UPRIGHT = ("square", "heart", "drop", "cross")
COLOURS: Mapping[str, tuple[float, float, float]] = {  # hue, saturation, value
    **{"red": (0.0, 0.9, 0.9), "orange": (0.08, 0.95, 0.98), "yellow": (0.15, 0.9, 0.98), "green": (0.35, 0.8, 0.65)},
    **{"blue": (0.6, 0.85, 0.85), "purple": (0.77, 0.7, 0.7), "pink": (0.92, 0.45, 0.98), "brown": (0.07, 0.7, 0.45)},
    **{"black": (0.0, 0.0, 0.06), "grey": (0.0, 0.0, 0.55)},
}
# Letters of several scripts and signs, which DejaVu has; two of them in different fonts are a class.
_GLYPHS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkmnpqrstuwxyz0123456789&?!@#%$€£"
    "ΓΔΘΛΞΠΣΦΨΩαβγδεζθλμξπφψωБГДЖЗИЛУФЦЧЭЮЯդ"
    "←↑→↓↔↕↺↻∀∃∂∇∈∑∏√∞∫≈≠≤≥⊕⊗"
)
_SIGNS = (
    "☀☁☂★☆☎☏☐☑☒☕☘☙☚☛☜☝☞☟☠☢☣☤☥☦☧☨☩☪☫☬☭☮☯☸☹☺☻☼☽☾☿♀♁♂♃♄♅♆♇♈♉♊♋♌♍♎♏♐♑♒♓♔♕♖♗♘♙♚♛♜♝♞♟♠♡♢♣♤♥♦♧♨♩♪♫♬♭♮♯♲♻♿⚀⚁⚂⚃⚄⚅⚐⚑⚒⚓⚔⚕⚖⚗⚙⚛⚜⚠⚡✁✂✃✄✆✇✈✉✌✍✎✏✐✑✒✓✔✕✖✗✘✙✚✛✜✝✞✟✠✡✢✣✤✥✦✧✩✪✫✬✭✮✯✰✱✲✳✴✵✶✷✸✹✺✻✼✽✾✿❀❁❂❃❄❅❆❇❈❉❊❋❍❏❐❑❒❖❘❙❚❛❜❝❞❡❢❣❤❥❦❧"
    "➔➘➙➚➛➜➝➞➟➠➡➢➣➤➥➦➧➨➩➪➫➬➭➮➯➱➲➳➴➵➶➷➸➹➺➻➼➽➾■□▢▣▤▥▦▧▨▩▲△▶▷▼▽◀◁◆◇◈◉◊○◌◍◎●◐◑◒◓◔◕◖◗◘◙◚◛◜◝◞◟◠◡◢◣◤◥◧◨◩◪◫◬◭◮"
)


# ---- layouts: where the shapes stand ----


def _any(rng: np.random.Generator, lines: float = 0.25) -> tuple[Points, bool]:
    if rng.random() < lines:
        return _LINES[int(rng.integers(len(_LINES)))](rng), False
    return _AREAS[int(rng.integers(len(_AREAS)))](rng), True


def _one(
    rng: np.random.Generator,
    centre: tuple[float, float],
    size: float,
    *,
    lines: float = 0.25,
    colour: int | None = None,
    detail: bool = False,
    upright: float = 0.5,
) -> Part:
    outline, closed = _any(rng, lines)
    stretch = float(np.exp(rng.normal(0, 0.35)))
    turn = 0.0 if rng.random() < upright else float(rng.uniform(0, _TAU))
    chosen = int(rng.integers(5)) if colour is None else colour
    return Part(
        outline, closed, centre, (size * math.sqrt(stretch), size / math.sqrt(stretch)), turn, chosen, "", detail
    )


def _near(rng: np.random.Generator, spread: float) -> tuple[float, float]:
    x, y = rng.uniform(-spread, spread, 2)
    return float(x), float(y)


def _stacked(rng: np.random.Generator) -> list[Part]:
    """A body and things on it."""
    parts = [_one(rng, _near(rng, 0.1), float(rng.uniform(0.6, 0.95)), lines=0, colour=0)]
    for at in range(int(rng.integers(2, 7))):
        parts.append(_one(rng, _near(rng, 0.65), float(rng.uniform(0.12, 0.5)), detail=at > 1))
    return parts


def _scattered(rng: np.random.Generator) -> list[Part]:
    return [
        _one(rng, _near(rng, 0.7), float(rng.uniform(0.2, 0.55)), detail=at > 2)
        for at in range(int(rng.integers(2, 7)))
    ]


def _repeated(rng: np.random.Generator) -> list[Part]:
    """One shape several times around the middle."""
    count, radius = int(rng.integers(3, 9)), float(rng.uniform(0.4, 0.7))
    model = _one(rng, (0, 0), float(rng.uniform(0.15, 0.4)))
    parts = []
    if rng.random() < 0.4:
        parts.append(_one(rng, (0, 0), float(rng.uniform(0.7, 1)), lines=0))
    for at in range(count):
        angle = _TAU * at / count - math.pi / 2
        centre = (radius * math.cos(angle), radius * math.sin(angle))
        parts.append(replace(model, centre=centre, turn=model.turn + angle))
    if rng.random() < 0.6:
        parts.append(_one(rng, (0, 0), float(rng.uniform(0.1, 0.35)), lines=0, detail=rng.random() < 0.5))
    return parts


def _mirrored(rng: np.random.Generator) -> list[Part]:
    """Left and right alike, as most things are."""
    parts = [_one(rng, (0, float(rng.uniform(-0.2, 0.3))), float(rng.uniform(0.45, 0.9)), lines=0, upright=1)]
    for at in range(int(rng.integers(1, 4))):
        x, y = float(rng.uniform(0.2, 0.8)), float(rng.uniform(-0.8, 0.8))
        one = _one(rng, (x, y), float(rng.uniform(0.1, 0.4)), detail=at > 1)
        other = replace(one, outline=one.outline * [-1, 1], centre=(-x, y), turn=-one.turn)
        parts = [one, other, *parts] if rng.random() < 0.4 else [*parts, one, other]  # behind the body, or on it
    for at in range(int(rng.integers(0, 3))):
        y = float(rng.uniform(-0.7, 0.7))
        parts.append(_one(rng, (0, y), float(rng.uniform(0.1, 0.4)), upright=1, detail=at > 0))
    return parts


def _eye(rng: np.random.Generator) -> Part:
    outline, closed = (_round(), True) if rng.random() < 0.45 else _any(rng, 0.5)
    size = (float(rng.uniform(0.07, 0.22)), float(rng.uniform(0.07, 0.25)))
    turn = 0.0 if rng.random() < 0.7 else float(rng.uniform(0, _TAU))
    return Part(outline, closed, (0, 0), size, turn, 1 + int(rng.random() < 0.2))


def _face(rng: np.random.Generator) -> list[Part]:
    """A head with eyes and a mouth; what tells faces apart is small."""
    head = _round() if rng.random() < 0.7 else _AREAS[int(rng.integers(len(_AREAS)))](rng)
    parts = [Part(head, True, (0, 0), (0.9, 0.9), 0, 0)]
    x, y = float(rng.uniform(0.22, 0.42)), float(rng.uniform(-0.35, -0.05))
    eye = _eye(rng)
    for side in (1, -1) if rng.random() < 0.85 else (1,):
        if side < 0 and rng.random() < 0.25:
            eye = _eye(rng)  # a wink
        parts.append(replace(eye, outline=eye.outline * [side, 1], centre=(side * x, y), turn=side * eye.turn))
        if rng.random() < 0.25:
            parts.append(Part(_round(), True, (side * x, y), (eye.size[0] * 0.5, eye.size[1] * 0.5), 0, 3))
    mouth, closed = (_arc(rng), False) if rng.random() < 0.5 else _any(rng, 0.4)
    wide = float(rng.uniform(0.1, 0.5))
    parts.append(Part(mouth, closed, (0, float(rng.uniform(0.25, 0.55))), (wide, float(rng.uniform(0.05, 0.35))), 0, 1))
    for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
        parts.append(_one(rng, _near(rng, 0.85), float(rng.uniform(0.15, 0.4))))
    return parts


def _lettered(rng: np.random.Generator) -> list[Part]:
    """A character, alone or on a shape."""
    known = _SIGNS if rng.random() < 0.6 else _GLYPHS
    parts = []
    size = float(rng.uniform(0.6, 0.9))
    if rng.random() < 0.45:
        parts.append(_one(rng, (0, 0), 0.95, lines=0, upright=0.8, colour=0))
        size *= 0.65
    count = int(rng.choice([1, 1, 1, 2]))
    for at in range(count):
        glyph = known[int(rng.integers(len(known)))]
        x = 0.0 if count == 1 else (at - 0.5) * size
        parts.append(Part(np.zeros((0, 2)), True, (x, 0.0), (size / count**0.5,) * 2, 0.0, 1, glyph))
    if rng.random() < 0.3:
        parts.append(_one(rng, _near(rng, 0.7), float(rng.uniform(0.15, 0.4)), detail=True))
    return parts


def _striped(rng: np.random.Generator) -> list[Part]:
    """Bands in a frame, as flags and labels have."""
    box = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    height, count, upright = float(rng.uniform(0.5, 0.8)), int(rng.integers(2, 6)), rng.random() < 0.5
    parts = []
    for at in range(count):
        place = (at + 0.5) / count * 2 - 1
        centre, size = (
            ((place * 0.9, 0.0), (0.9 / count, height)) if upright else ((0.0, place * height), (0.9, height / count))
        )
        parts.append(Part(box, True, centre, size, 0, int(rng.integers(5))))
    for _ in range(int(rng.integers(0, 3))):
        parts.append(_one(rng, _near(rng, 0.5), float(rng.uniform(0.15, 0.45))))
    return parts


_LAYOUTS: Sequence[Callable[[np.random.Generator], list[Part]]] = (
    *(_stacked, _scattered, _repeated, _mirrored, _face, _lettered, _striped),
)
_LAYOUT_SHARES = (0.22, 0.12, 0.12, 0.18, 0.16, 0.15, 0.05)


# ---- styles ----


def _style(rng: np.random.Generator) -> _Style:
    kind = str(
        rng.choice(["flat", "outlined", "line", "mono", "gradient", "gloss"], p=[0.28, 0.18, 0.1, 0.16, 0.16, 0.12])
    )
    ink = (0, 0, 0) if rng.random() < 0.5 else tuple(int(value) for value in rng.integers(0, 200, 3))
    return _Style(
        kind=kind,
        width=float(rng.uniform(0.025, 0.075)),
        hue=float(rng.normal(0, 0.03)) if rng.random() < 0.8 else float(rng.random()),
        saturation=float(rng.uniform(0.6, 1.2)),
        value=float(rng.uniform(0.8, 1.2)),
        loose=float(rng.uniform(0, 0.08)),
        drop=float(rng.choice([0.0, 0.15, 0.4])),
        shadow=kind not in ("mono", "line") and rng.random() < 0.2,
        ink=ink,  # type: ignore[arg-type]
    )


def _loosened(part: Part, style: _Style, rng: np.random.Generator) -> Part:
    far = style.loose
    moved = (part.centre[0] + float(rng.normal(0, far / 2)), part.centre[1] + float(rng.normal(0, far / 2)))
    factor = np.exp(rng.normal(0, far, 2))
    outline = part.outline
    if len(outline):
        bend = rng.normal(0, far * 0.6, (3, 2))
        outline = outline + outline[:, :1] * outline[:, 1:] * bend[0] + outline[:, 1:] ** 2 * bend[1] / 2
    size = (part.size[0] * float(factor[0]), part.size[1] * float(factor[1]))
    return replace(part, outline=outline, centre=moved, size=size, turn=part.turn + float(rng.normal(0, far)))


def _colour(hsv: tuple[float, float, float], style: _Style) -> tuple[int, int, int]:
    hue, saturation, value = hsv
    red, green, blue = colorsys.hsv_to_rgb(
        (hue + style.hue) % 1, min(1, saturation * style.saturation), min(1, value * style.value)
    )
    return int(red * 255), int(green * 255), int(blue * 255)


def _coloured(
    parts: Sequence[Part],
    colours: Sequence[tuple[int, int, int]],
    fonts: Sequence[int],
    style: _Style,
    rng: np.random.Generator,
) -> Image.Image:
    if style.kind in ("gradient", "gloss"):
        picture = Image.new("RGBA", (_CANVAS, _CANVAS))
        for part, colour, font in zip(parts, colours, fonts, strict=True):
            mask = Image.new("L", (_CANVAS, _CANVAS))
            _paint(ImageDraw.Draw(mask), part, 255, style, font)
            shade = _shades(float(rng.uniform(0.25, 0.6)), rng.random() < 0.8, style.kind == "gloss")
            ink = np.clip(np.array(colour, np.float32) * shade[..., None], 0, 255).astype(np.uint8)
            picture.paste(Image.fromarray(ink), (0, 0), mask)
            alpha = picture.getchannel("A")
            alpha.paste(255, (0, 0), mask)
            picture.putalpha(alpha)
        return picture
    picture = Image.new("RGBA", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(picture)
    for part, colour, font in zip(parts, colours, fonts, strict=True):
        if style.kind == "line":
            _line(draw, part, (*style.ink, 255), style, font, hollow=True)
            continue
        _paint(draw, part, (*colour, 255), style, font)
        if style.kind == "outlined" and part.closed and not part.glyph:
            _line(draw, part, (*style.ink, 255), style, font, hollow=False)
    return picture


def _one_colour(parts: Sequence[Part], fonts: Sequence[int], style: _Style) -> Image.Image:
    """What lies on something is cut out of it; what lies on that is ink again."""
    mask = Image.new("L", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(mask)
    done: list[Part] = []
    for part, font in zip(parts, fonts, strict=True):
        depth = sum(
            abs(part.centre[0] - other.centre[0]) < other.size[0]
            and abs(part.centre[1] - other.centre[1]) < other.size[1]
            for other in done
            if other.closed
        )
        _paint(draw, part, 0 if depth % 2 else 255, style, font)
        done.append(part)
    picture = Image.new("RGBA", (_CANVAS, _CANVAS), (*style.ink, 255))
    picture.putalpha(mask)
    return picture


def _placed(part: Part) -> list[tuple[float, float]]:
    cos, sin = math.cos(part.turn), math.sin(part.turn)
    x, y = part.outline[:, 0] * part.size[0], part.outline[:, 1] * part.size[1]
    across = _at(part.centre[0] + x * cos - y * sin)
    down = _at(part.centre[1] + x * sin + y * cos)
    return list(zip(across.tolist(), down.tolist(), strict=True))


def _at(value: Any) -> Any:
    return (value * 0.4 + 0.5) * _CANVAS  # room for what sticks out


def _paint(draw: Any, part: Part, ink: Any, style: _Style, font: int) -> None:
    if part.glyph:
        letters = _font(font, round(part.size[1] * 0.95 * _CANVAS), part.glyph)
        draw.text((_at(part.centre[0]), _at(part.centre[1])), part.glyph, fill=ink, font=letters, anchor="mm")
    elif part.closed:
        draw.polygon(_placed(part), fill=ink)
    else:
        draw.line(_placed(part), fill=ink, width=max(2, round(style.width * 1.4 * _CANVAS)), joint="curve")


def _line(draw: Any, part: Part, ink: Any, style: _Style, font: int, *, hollow: bool) -> None:
    width = max(2, round(style.width * (1 if hollow else 0.7) * _CANVAS))
    if part.glyph:
        _paint(draw, part, ink, style, font)
        return
    points = _placed(part)
    draw.line([*points, points[0], points[1]] if part.closed else points, fill=ink, width=width, joint="curve")


def _shades(depth: float, down: bool, gloss: bool) -> npt.NDArray[np.float32]:
    """Return (_CANVAS, _CANVAS): how light the colour is at each place."""
    line = np.linspace(1 + depth * 0.6, 1 - depth, _CANVAS, dtype=np.float32)
    made = np.broadcast_to(line[:, None] if down else line[None], (_CANVAS, _CANVAS))
    if not gloss:
        return made
    place = np.linspace(-1, 1, _CANVAS, dtype=np.float32)
    return np.asarray(made + 0.9 * np.exp(-((place[None] + 0.25) ** 2 + (place[:, None] + 0.35) ** 2) / 0.08))


def _with_shadow(picture: Image.Image) -> Image.Image:
    shadow = Image.new("RGBA", picture.size)
    shadow.putalpha(picture.getchannel("A").filter(ImageFilter.BoxBlur(5)).point(lambda value: value * 2 // 5))
    under = Image.new("RGBA", picture.size)
    under.paste(shadow, (4, 7))
    return Image.alpha_composite(under, picture)


# ---- fonts ----


@cache
def _font_files() -> tuple[str, ...]:
    """Return the fonts that come with matplotlib, the same on every machine; none where it is not installed."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        return ()
    folder = Path(matplotlib.__file__).parent / "mpl-data" / "fonts" / "ttf"
    return tuple(str(path) for path in sorted(folder.glob("DejaVu*.ttf")) if "Display" not in path.name)


@cache
def _covers(path: str) -> frozenset[str]:
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


@cache
def _opened(path: str, size: int) -> Any:
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


def _font(number: int, size: int, glyph: str) -> Any:
    able = [path for path in _font_files() if glyph in _covers(path)]
    size = max(8, size // 4 * 4)  # few sizes, so that few are opened
    return _opened(able[number % len(able)] if able else "", size)
