"""What is compared in two pictures place by place: templates.

>>> from lookalike.local.template import Template              # doctest: +SKIP
>>> Template(logo, scales=(0.5, 2)).find(photo)                # doctest: +SKIP
"""

from __future__ import annotations

from .correlation import TEMPLATE_METHODS

__all__ = ["TEMPLATE_METHODS"]
