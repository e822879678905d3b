"""Specifications that hold others: ``ensemble:A+B:2``, ``tta:mirror:A``, ``reduce:64:A``.

A specification inside another may stand in parentheses, and must where it has a ``+`` of its own or ends like a weight:
``ensemble:(subject:saliency+whole:builtin-1)+dhash:0.5``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import BadInput
from ..protocols import Embedder, Learns

__all__ = ["complete", "inner", "members", "spec_of", "without_parentheses"]


def members(text: str) -> list[tuple[str, float]]:
    """Return the members of ``A+B:2`` with their weights; 1 where none is given.

    Raises:
        BadInput: fewer than two members, an empty one, parentheses that do not match, or a weight that is not above 0.
    """
    found = [_weighed(part.strip(), text) for part in _parts(text)]
    if len(found) < 2 or not all(name for name, _ in found):
        raise BadInput(
            f"'ensemble:{text}' does not name two embedders or more.",
            hint="Write ensemble:NAME+NAME:WEIGHT, such as ensemble:builtin-1+dinov2-small:2.",
        )
    return found


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the ``+`` that are outside of parentheses."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == "+" and not depth:
            yield text[start:place]
            start = place + 1
    if depth:
        raise BadInput(f"the parentheses of {text!r} do not match.", hint="Close each that is opened.")
    yield text[start:]


def _weighed(part: str, text: str) -> tuple[str, float]:
    name, colon, tail = part.rpartition(":")
    try:
        weight = float(tail) if colon else 1.0
    except ValueError:
        name, weight = part, 1.0  # the colon is part of the name
    else:
        name = name if colon else part
    if not 0 < weight < float("inf"):
        raise BadInput(f"the weight of {name!r} in {text!r} must be above 0 and finite, got {tail}.")
    return without_parentheses(name), weight


def without_parentheses(text: str) -> str:
    """Return the text without a pair of parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth and place < len(text) - 1:
            return text  # (a)+(b)
    return text[1:-1]


def inner(spec: str) -> str:
    """Return a specification as it stands inside another one."""
    tail = spec.rpartition(":")[2]
    ends_like_a_weight = ":" in spec and tail.replace(".", "", 1).isdigit()
    return f"({spec})" if "+" in spec or ends_like_a_weight else spec


def spec_of(embedder: Embedder, given: str) -> str:
    """Return what makes the embedder again: its own word for it, else the name it was made by."""
    return str(getattr(embedder, "spec", "")) or given


def complete(embedder: Embedder, name: str, where: str) -> Embedder:
    """Return the embedder.

    Raises:
        BadInput: it must learn from a collection first, which is not possible inside another.
    """
    if isinstance(embedder, Learns):
        raise BadInput(
            f"{name!r} learns from a collection first, which is not possible {where}.",
            hint="Use an embedder that is complete, such as builtin.",
        )
    return embedder
