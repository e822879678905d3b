"""What is compared in two pictures place by place: templates. The table of matchers, which check pairs of pictures.

>>> from lookalike.local import create_matcher                 # doctest: +SKIP
>>> create_matcher("template").match(logo, photo)              # doctest: +SKIP
Match(region=Region(x0=120, y0=36, x1=168, y1=84, ...), score=0.93, scale=1.0, rotation=0.0)
"""

from __future__ import annotations

from typing import Any

from ..errors import BadInput
from ..protocols import Matcher
from ..registry import Registry
from .correlation import TEMPLATE_METHODS

__all__ = ["MATCHERS", "TEMPLATE_METHODS", "create_matcher"]

MATCHERS: Registry[Matcher] = Registry("matcher", {"template": "lookalike.local.matcher:TemplateMatcher"})


def create_matcher(name: str, **options: Any) -> Matcher:
    """Return the matcher of a name.

    Raises:
        UnknownName: no such name. BadInput: it has no such option, or its value cannot be used.
    """
    try:
        return MATCHERS.create(name, **options)
    except TypeError as wrong:  # the constructor says which option it does not know
        reason = str(wrong).rpartition("__init__() ")[2]
        raise BadInput(
            f"the matcher {name!r} cannot be made of {', '.join(options) or 'no options'}: {reason}."
        ) from wrong
