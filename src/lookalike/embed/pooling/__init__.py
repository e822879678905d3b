"""Feature maps and tokens to one row an image: the table of poolings. A new one is one file and one line here.

What stands here in numpy is the definition; modules that train the same thing are tested equal to it. Each pooling is
a small frozen dataclass, called with what its ``takes`` says:

==========  ============================================================================
``map``     (B, C, H, W) floats: one feature map
``tokens``  (B, T, C) floats: the output of a transformer, the class token first
``maps``    several feature maps (B, Ci, Hi, Wi) of the same images
``rows``    several (B, D) rows of the same images, one for each scale
==========  ============================================================================

All give (B, D) float32. Whether rows are of unit norm is said by each; embedders scale them at the end anyway. No image
of a batch changes another's row. NaN and infinity come out as NaN or infinity: the embedder is what refuses them.
"""

from __future__ import annotations

from typing import Any

from ...errors import BadInput
from ...protocols import Pooling
from ...registry import Registry
from .describe import describe

__all__ = ["POOLINGS", "create", "describe"]

POOLINGS: Registry[Pooling] = Registry(
    "pooling",
    {
        "attention": "lookalike.embed.pooling.attention:AttentionPool",
        "average": "lookalike.embed.pooling.average:Average",
        "cgd": "lookalike.embed.pooling.cgd:CombinedDescriptors",
        "cls": "lookalike.embed.pooling.tokens:ClassToken",
        "cls-patch-mean": "lookalike.embed.pooling.tokens:ClassAndPatchMean",
        "crow": "lookalike.embed.pooling.crow:CroW",
        "drop-block": "lookalike.embed.pooling.drop_block:BatchDropBlock",
        "gem": "lookalike.embed.pooling.gem:GeM",
        "layers": "lookalike.embed.pooling.layers:MultiLayer",
        "learned-query": "lookalike.embed.pooling.learned_query:LearnedQuery",
        "max": "lookalike.embed.pooling.maximum:Max",
        "netvlad": "lookalike.embed.pooling.netvlad:NetVLAD",
        "patch-mean": "lookalike.embed.pooling.tokens:PatchMean",
        "regional-gem": "lookalike.embed.pooling.regional_gem:RegionalGeM",
        "r-mac": "lookalike.embed.pooling.rmac:RMAC",
        "scales": "lookalike.embed.pooling.scales:MultiScale",
        "spoc": "lookalike.embed.pooling.spoc:SPoC",
    },
)


def create(name: str, **options: Any) -> Pooling:
    """Return the pooling of a name.

    Raises:
        UnknownName: no such name; the nearest one is offered.
        BadInput: the pooling has no such option, lacks one, or its value cannot be used.

    Example:
        >>> create("gem", p=4)
        GeM(p=4.0, eps=1e-06)
    """
    try:
        return POOLINGS.create(name, **options)
    except TypeError as wrong:  # the constructor says which option it does not know, or misses
        reason = str(wrong).rpartition("__init__() ")[2]
        raise BadInput(
            f"the pooling {name!r} cannot be made of {', '.join(options) or 'no options'}: {reason}."
        ) from wrong
