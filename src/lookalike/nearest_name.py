"""What to say of a name that no table has: the nearest ones, and which there are."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["choices", "did_you_mean", "listed"]


def did_you_mean(name: str, known: Iterable[str], *, near: int = 1) -> str:
    """Return a sentence with the known names most like one that is not known; empty where none is like it.

    Args:
        name: what was asked for.
        known: what there is.
        near: how many are offered at most.

    Example:
        >>> did_you_mean("Tripplet", ["arcface", "triplet"])
        "Did you mean 'triplet'?"
    """
    import difflib  # on first use: most commands never need it

    by_folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=near)
    return f"Did you mean {' or '.join(repr(by_folded[each]) for each in close)}?" if close else ""


def choices(name: str, known: Iterable[str], *, near: int = 1, shown: int | None = None) -> str:
    """Return the same sentence, and behind it one that lists what there is.

    Args:
        name, known, near: as ``did_you_mean`` takes them.
        shown: how many names are listed at most; None lists all.

    Example:
        >>> choices("tripplet", ["arcface", "circle", "triplet"], shown=2)
        "Did you mean 'triplet'? Known: arcface, circle and 1 more."
    """
    names = list(known)
    return f"{did_you_mean(name, names, near=near)} Known: {listed(names, shown)}.".lstrip()


def listed(names: Iterable[str], shown: int | None = None) -> str:
    """Return names as a list in a sentence: the first ``shown`` of them, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - shown} more" if shown is not None and len(known) > shown else ""
    return f"{', '.join(known[:shown]) or 'none'}{more}"
