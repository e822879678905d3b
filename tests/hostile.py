"""Uploads that mean no good: damaged pictures, lies about what they are, and forms that are none.

The n-th is always the same, so a failure names all that is needed to see it again.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from pictures import picture

__all__ = ["Upload", "hostile", "originals"]


class Upload(NamedTuple):
    """A body and its headers; ``how`` says what was done to it."""

    how: str
    body: bytes
    headers: Mapping[str, str]


def originals(folder: Path | None) -> Mapping[str, bytes]:
    """Return name -> file: of every format that Pillow writes, and those of a folder of awkward ones, where given."""
    found: dict[str, bytes] = {}
    shown = Pillow.fromarray(picture(7, side=64))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    for kind, more in (
        ("PNG", {}),
        ("JPEG", {"exif": exif, "icc_profile": b"no profile at all"}),
        ("JPEG", {"progressive": True, "quality": 30}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("WEBP", {"exif": exif}),
        ("WEBP", {"lossless": True}),
        ("PPM", {}),
        ("TGA", {}),
        ("PCX", {}),
        ("ICO", {}),
        ("JPEG2000", {}),
        ("AVIF", {}),
    ):
        out = io.BytesIO()
        shown.save(out, kind, **more)
        found[f"{len(found)}.{kind.lower()}"] = out.getvalue()
    frames = [Pillow.fromarray(picture(seed, side=32)) for seed in range(3)]
    for kind in ("GIF", "PNG", "WEBP"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        found[f"moving.{kind.lower()}"] = out.getvalue()
    out = io.BytesIO()
    Pillow.fromarray(np.zeros((20_000, 20_000), bool)).save(out, "PNG")
    found["bomb.png"] = out.getvalue()
    found["empty"] = b""
    found["text.jpg"] = b"this is no picture\n"
    found["page.html"] = b"<html><script>alert(1)</script></html>"
    found["drawing.svg"] = (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>'
    )
    found["post.eps"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/etc/passwd) run\n"
    if folder is not None:
        found |= {file.name: file.read_bytes() for file in sorted(folder.glob("*/*")) if file.is_file()}
    return found


def hostile(number: int, files: Mapping[str, bytes]) -> Upload:
    """Return the upload of this number: the files as they are first, then changed ones, every fifth in an odd form."""
    names = list(files)
    if number < len(names):
        return _form(f"{names[number]} as it is", files[names[number]], random.Random(number))
    rng = random.Random(number)
    name = rng.choice(names)
    change = rng.choice(_CHANGES)
    data = change(files[name], rng, list(files.values()))
    how = f"{name}, {change.__name__.strip('_')}"
    if number % 5 == 0:
        odd = rng.choice(_FORMS)
        return odd(f"{how}, {odd.__name__.strip('_')}", data, rng)
    return _form(how, data, rng)


# What is done to a file.


def _cut(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flipped(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 200)  # headers are where it hurts
    for _ in range(rng.choice((1, 1, 3, 30))):
        if reach:
            changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Numbers at the edges, where a length or an offset may be."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 4))):
        number = rng.choice(
            (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0", b"\xff\xff")
        )
        at = rng.randrange(max(1, min(len(changed), 400)))
        changed[at : at + len(number)] = number
    return bytes(changed)


def _spliced(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The head of one file and the rest of another."""
    other = rng.choice(others)
    head = rng.choice((4, 12, 32, 64, 128, len(data) // 2))
    return data[:head] + other[min(rng.choice((0, head)), len(other)) :]


def _repeated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    begin = rng.randrange(len(data))
    end = min(len(data), begin + rng.randrange(1, 2000))
    return data[:end] + data[begin:end] * rng.randrange(1, 20) + data[end:]


def _removed(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    begin = rng.randrange(len(data) + 1)
    return data[:begin] + data[begin + rng.randrange(1, 300) :]


def _noise(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: rng.choice((0, 2, 8, 16))] + rng.randbytes(rng.randrange(2000))


def _after(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Something behind the end: a page, another picture."""
    return data + rng.choice((b"<script>alert(1)</script>", rng.choice(others), b"\0" * 5000))


_SIZES = (0, 1, 9_999, 10_000, 12_000, 30_000, 65_535, 0x7FFF_FFFF, 0xFFFF_FFFF)


def _declared(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A picture that says it has another size, with checksums that are right."""
    width, height = rng.choice(_SIZES), rng.choice(_SIZES)
    changed = bytearray(data)
    if data.startswith(b"\x89PNG") and len(data) > 33:
        changed[16:24] = struct.pack(">II", width, height)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif data.startswith(b"\xff\xd8"):
        for marker in (b"\xff\xc0", b"\xff\xc2"):
            at = data.find(marker)
            if 0 <= at < len(data) - 9:
                changed[at + 5 : at + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    elif data.startswith(b"GIF8"):
        changed[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        at = data.find(b",", 13)  # of its first frame
        if at > 0:
            changed[at + 5 : at + 9] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    elif data.startswith(b"BM"):
        changed[18:26] = struct.pack("<II", width, height)
    elif data.startswith((b"P5", b"P6")):
        changed[: data.find(b"255")] = b"P6 %d %d " % (width, height)
    elif data[8:12] == b"WEBP":
        changed[24:30] = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
    elif data.startswith((b"II*\0", b"MM\0*")):
        order = "<" if data.startswith(b"II") else ">"
        for tag, size in ((256, width), (257, height)):
            at = data.find(struct.pack(f"{order}H", tag), 8)
            if at > 0:
                changed[at : at + 12] = struct.pack(f"{order}HHII", tag, 4, 1, size)
    else:
        return _overwritten(data, rng, others)
    return bytes(changed)


_PNG_CHUNKS = (
    (b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 20_000_000)),
    (b"iCCP", b"p\0\0" + zlib.compress(b"\0" * 20_000_000)),
    (b"iTXt", b"k\0\1\0\0\0" + zlib.compress(b"\0" * 5_000_000)),
    (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + b"\0" * 40),
    (b"PLTE", b"\1\2\3" * 300),
    (b"IHDR", struct.pack(">IIBBBBB", 5, 5, 16, 3, 0, 0, 1)),
    (b"acTL", struct.pack(">II", 0xFFFF_FFFF, 0)),
    (b"tRNS", b"\0" * 1000),
)


def _chunks(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A PNG with a chunk too many: text that unpacks to much, a profile, a palette, a second header."""
    kind, content = rng.choice(_PNG_CHUNKS)
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    return data[:33] + chunk + data[33:]


Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]
_CHANGES: tuple[Change, ...] = (
    *(_cut, _flipped, _flipped, _overwritten, _spliced),
    *(_repeated, _removed, _noise, _after, _declared, _declared, _chunks),
)

# What it is sent in.

_TYPES = (
    "image/jpeg",
    "image/png",
    "image/svg+xml",
    "text/html",
    "application/octet-stream",
    "application/zip",
    "",
    "x",
)
_NAMES = (
    *("a.jpg", "a.png", "a.svg", "a.html", "a.zip", "a.tiff", "a", "", "../../../etc/passwd", "..\\..\\x.png"),
    *("/etc/passwd", "a\x01b.png", "%00.png", "é你.png", "a" * 3000, "con", ".png", "a.png;type=x", "'\"", "-rf"),
)


def _form(how: str, data: bytes, rng: random.Random) -> Upload:
    """A sound form, whatever it says of its file."""
    name, kind = rng.choice(_NAMES), rng.choice(_TYPES)
    return _sent(how, [_part(data, name=name, kind=kind)])


def _part(
    data: bytes, *, field: str = "image", name: str = "a.png", kind: str = "image/png", end: str = "\r\n"
) -> bytes:
    name = name.replace('"', "%22")
    lines = [f'Content-Disposition: form-data; name="{field}"; filename="{name}"']
    lines += [f"Content-Type: {kind}"] if kind else []
    return (end.join([*lines, "", ""])).encode("utf-8") + data


def _sent(how: str, parts: Sequence[bytes], *, boundary: str = "limit", close: bool = True) -> Upload:
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    body += b"--" + boundary.encode() + b"--\r\n" if close else b""
    return Upload(how, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def _unclosed(how: str, data: bytes, rng: random.Random) -> Upload:
    return _sent(how, [_part(data)], close=False)


def _cut_form(how: str, data: bytes, rng: random.Random) -> Upload:
    whole = _form(how, data, rng)
    return whole._replace(body=whole.body[: rng.randrange(len(whole.body))])


def _changed_form(how: str, data: bytes, rng: random.Random) -> Upload:
    whole = _form(how, data, rng)
    head = bytearray(whole.body)
    for _ in range(3):
        head[rng.randrange(min(len(head), 150))] = rng.randrange(256)
    return whole._replace(body=bytes(head))


def _other_boundary(how: str, data: bytes, rng: random.Random) -> Upload:
    kind = rng.choice(
        (
            *("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"),
            *("multipart/form-data; boundary=" + "x" * 5000, 'multipart/form-data; boundary="limit', "multipart/mixed"),
            *("multipart/form-data; charset=utf-7; boundary=limit", "multipart/form-data; boundary=limit; boundary=b"),
            *("multipart/form-data; charset=nothing; boundary=limit", "multipart/form-data; boundary*=utf-8''limit"),
        )
    )
    return _form(how, data, rng)._replace(headers={"Content-Type": kind})


def _other_type(how: str, data: bytes, rng: random.Random) -> Upload:
    kinds = ("image/png", "application/json", "text/plain", "", "application/x-www-form-urlencoded", ";;;", "a/b" * 900)
    body = rng.choice((data, _form(how, data, rng).body))
    return Upload(how, body, {"Content-Type": rng.choice(kinds)})


def _line_ends(how: str, data: bytes, rng: random.Random) -> Upload:
    return _sent(how, [_part(data, end=rng.choice(("\n", "\r", "\r\n\r\n")))])


def _many_parts(how: str, data: bytes, rng: random.Random) -> Upload:
    return _sent(how, [_part(data[:50])] * rng.choice((2, 65, 300)))


def _many_fields(how: str, data: bytes, rng: random.Random) -> Upload:
    fields = [f'Content-Disposition: form-data; name="f{each}"\r\n\r\n1'.encode() for each in range(250)]
    return _sent(how, [*fields, _part(data)])


def _odd_fields(how: str, data: bytes, rng: random.Random) -> Upload:
    names = (
        "request",
        "query",
        "",
        "k",
        "image[]",
        "__proto__",
        "a\x00b",
        "negative",
        "x" * 4000,
        "é",
        "where",
        "cursor",
    )
    field = rng.choice(names)
    if rng.random() < 0.5:
        return _sent(how, [_part(data, field=field)])
    text = rng.choice((data[:2000], b"[" * 2000, b'{"a":' * 2000, b"1e999", b"-0", b"nul", b'"\\ud800"', b"\xff\xfe"))
    return _sent(how, [f'Content-Disposition: form-data; name="{field}"\r\n\r\n'.encode() + text, _part(data)])


_FILE = 'Content-Disposition: form-data; name="image"; filename="a"'


def _odd_headers(how: str, data: bytes, rng: random.Random) -> Upload:
    head = rng.choice(
        (
            *("", "Content-Disposition: form-data", "Content-Disposition: attachment", "no header at all"),
            *("Content-Disposition: form-data; name=\"image\"; filename*=utf-8''%ff%00", "X: " + "y" * 20_000),
            'Content-Disposition: form-data; name="image"; name="negative"; filename="a"',
            f"{_FILE}\r\nContent-Transfer-Encoding: base64",
            f"{_FILE}\r\nContent-Length: 99999999999",
            f"{_FILE}\r\nContent-Type: multipart/mixed; boundary=limit",
            "\r\n".join(["X: y"] * 500),
        )
    )
    return _sent(how, [head.encode() + b"\r\n\r\n" + data])


def _nested(how: str, data: bytes, rng: random.Random) -> Upload:
    inside = _sent(how, [_part(data)], boundary="inside")
    return _sent(how, [_part(inside.body, kind=inside.headers["Content-Type"])])


def _base64(how: str, data: bytes, rng: random.Random) -> Upload:
    """In JSON, for a search and for a record alike; broken in several ways."""
    text = base64.b64encode(data).decode()
    text = rng.choice((text, text[:-1], f"data:image/png;base64,{text}", f"data:{text}", text + "é", "=" + text, "A"))
    bodies = (
        {"query": {"items": [{"kind": "image", "value": text}]}},
        {"image": text},
        {"image": text, "upload": "image"},
        {"query": {"items": [{"kind": "image", "value": text, "box": [0, 0, 1, 1]}]}},
        {"query": {"items": [{"kind": "image", "value": text, "weight": rng.choice((0, -1, 1e308))}]}},
    )
    written = json.dumps(rng.choice(bodies)).encode()
    if rng.random() < 0.2:
        written = written[: rng.randrange(len(written))]
    return Upload(how, written, {"Content-Type": "application/json"})


Form = Callable[[str, bytes, random.Random], Upload]
_FORMS: tuple[Form, ...] = (
    *(_unclosed, _cut_form, _changed_form, _other_boundary, _other_type, _line_ends, _many_parts, _many_fields),
    *(_odd_fields, _odd_headers, _nested, _base64),
)
