"""Template matching as a check of a pair of pictures: is the one in the other, and where?"""

from __future__ import annotations

import threading
from collections import OrderedDict

from ..types import Image, Match
from .template import Template, is_flat

__all__ = ["TemplateMatcher"]

KEPT = 8  # templates: those of the queries that are being checked


class TemplateMatcher:
    """Looks for the query in the candidate by ``Template``; keeps the ``Matcher`` protocol.

    Args:
        method, scales, rotations, detail: of ``Template``.
    """

    def __init__(
        self,
        *,
        method: str = "ccoeff",
        scales: tuple[float, float] = (0.5, 2.0),
        rotations: float = 0.0,
        detail: int = 400,
    ) -> None:
        self.method = method
        self.scales = scales
        self.rotations = rotations
        self.detail = detail
        self._templates: OrderedDict[int, tuple[Image, Template | None]] = OrderedDict()
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"TemplateMatcher(method={self.method!r}, scales={self.scales}, rotations={self.rotations:g})"

    def match(self, query: Image, candidate: Image, *, original: tuple[int, int] | None = None) -> Match | None:
        """Return the best place; None where the query is of one brightness, or too large or small at every size.

        Args:
            query: (h, w, 3) uint8. candidate: (H, W, 3) uint8.
            original: the (width, height) that the candidate is a reduced copy of, which box and scale then refer to.

        Raises:
            BadInput, UnknownName: an option of the matcher cannot be used.
        """
        template = self._template(query)
        if template is None:
            return None
        return next(iter(template.find(candidate, original=original)), None)

    def _template(self, query: Image) -> Template | None:
        """Return the query as a template, made once for all the candidates it is compared with."""
        with self._turn:
            known = self._templates.get(id(query))
            if known is not None and known[0] is query:
                return known[1]
            made = None
            if not is_flat(query):
                made = Template(
                    query, scales=self.scales, rotations=self.rotations, method=self.method, detail=self.detail
                )
            self._templates[id(query)] = query, made
            while len(self._templates) > KEPT:
                self._templates.popitem(last=False)
            return made
