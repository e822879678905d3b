"""The table of losses. A new one is one line here, and one file where no library has it.

Those of pytorch-metric-learning (PML) are used as they are. Every loss is a torch module that PML's calls fit:
``loss(embeddings, labels, indices_tuple)``, with embeddings (B, D) that are not scaled; those that need unit rows scale
them. What is summed or averaged is each loss's own affair.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

from ...errors import BadInput, UnknownName
from ...nearest_name import choices

__all__ = ["LOSSES", "Entry", "Needs", "create_loss", "entry", "parse_losses"]

Needs = Literal["classes", "pairs", "overlap"]
_PML = "pytorch_metric_learning.losses:"
_OWN = "lookalike.train.losses."


@dataclass(frozen=True, slots=True)
class Entry:
    """One loss.

    Attributes:
        target: ``module:class``.
        needs: ``classes``: weights for each class, and so a single class an image; ``pairs``: who belongs with whom in
            a batch; ``overlap``: how much every two images have in common, in [0, 1].
        about: what it does, in one line.
        source: the paper.
        options: where our defaults are not the class's.
        mines: whether a miner can choose its pairs.
        takes_triplets: whether triplets that were said are taken as such; other losses take the pairs in them.
    """

    target: str
    needs: Needs
    about: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    mines: bool = True
    takes_triplets: bool = False


LOSSES: Mapping[str, Entry] = MappingProxyType(
    {
        "angular-margin": Entry(
            f"{_OWN}angular_margin:AngularMargin",
            "classes",
            "cos(m1 θ + m2) − m3 in place of the true class's cosine",
            "Deng et al., ArcFace, CVPR 2019, eq. 4",
        ),
        "arcface": Entry(
            f"{_OWN}angular_margin:AngularMargin",
            "classes",
            "the angular margin with m2 = 0.5: an angle is added",
            "Deng et al., ArcFace, CVPR 2019",
            {"m2": 0.5},
        ),
        "circle": Entry(
            f"{_PML}CircleLoss",
            "pairs",
            "weighs each similarity by how far it is from its aim",
            "Sun et al., CVPR 2020",
            {"m": 0.25, "gamma": 64},
        ),
        "contrastive": Entry(
            f"{_OWN}contrastive:CosineContrastive",
            "pairs",
            "siamese: alike pairs towards cosine 1, others below a margin",
            "Hadsell et al., CVPR 2006, with cosines",
        ),
        "contrastive-euclidean": Entry(
            f"{_PML}ContrastiveLoss",
            "pairs",
            "siamese: alike pairs towards distance 0, others beyond a margin",
            "Hadsell et al., CVPR 2006",
        ),
        "cosface": Entry(
            f"{_OWN}angular_margin:AngularMargin",
            "classes",
            "the angular margin with m3 = 0.35: a cosine is taken off",
            "Wang et al., CosFace, CVPR 2018",
            {"m3": 0.35},
        ),
        "graded": Entry(
            f"{_OWN}graded:Graded",
            "overlap",
            "the softmax of similarities towards the shares of common labels",
            "SupCon with soft targets; see losses/graded.py",
            mines=False,
        ),
        "greedyhash": Entry(
            f"{_OWN}greedy_hash:GreedyHash",
            "classes",
            "classifies by the signs of the vector: trains bit vectors",
            "Su et al., Greedy Hash, NeurIPS 2018",
            mines=False,
        ),
        "lifted": Entry(
            f"{_PML}GeneralizedLiftedStructureLoss",
            "pairs",
            "all negatives of a batch against all positives",
            "Song et al., CVPR 2016, as in Hermans et al., 2017",
        ),
        "multi-similarity": Entry(
            f"{_PML}MultiSimilarityLoss",
            "pairs",
            "weighs pairs by their own and by relative similarity",
            "Wang et al., CVPR 2019",
        ),
        "n-pairs": Entry(
            f"{_PML}NPairsLoss",
            "pairs",
            "one positive against the others of a batch",
            "Sohn, NeurIPS 2016",
            mines=False,
        ),
        "normalised-softmax": Entry(
            f"{_PML}NormalizedSoftmaxLoss",
            "classes",
            "classification by cosine",
            "Zhai and Wu, BMVC 2019",
            mines=False,
        ),
        "nt-xent": Entry(
            f"{_PML}NTXentLoss",
            "pairs",
            "each positive pair against all negatives",
            "Chen et al., SimCLR, ICML 2020",
        ),
        "proxy-anchor": Entry(
            f"{_PML}ProxyAnchorLoss",
            "classes",
            "a proxy a class, which gathers and repels the batch",
            "Kim et al., CVPR 2020",
            mines=False,
        ),
        "proxy-nca": Entry(
            f"{_OWN}proxy_nca:ProxyNCA",
            "classes",
            "the true class's proxy against all others, by distance",
            "Movshovitz-Attias et al., ICCV 2017",
            mines=False,
        ),
        "proxy-nca++": Entry(
            f"{_PML}ProxyNCALoss",
            "classes",
            "the same as a probability over all proxies, with a temperature",
            "Teh et al., ECCV 2020",
            {"softmax_scale": 9},
            mines=False,
        ),
        "quadruplet": Entry(
            f"{_OWN}quadruplet:Quadruplet",
            "pairs",
            "a triplet, and two images of other classes further apart than a pair",
            "Chen et al., CVPR 2017",
            takes_triplets=True,
        ),
        "smooth-ap": Entry(
            f"{_OWN}smooth_ap:SmoothAP",
            "pairs",
            "average precision, with sigmoids for ranks",
            "Brown et al., ECCV 2020",
            mines=False,
        ),
        "soft-triple": Entry(
            f"{_PML}SoftTripleLoss",
            "classes",
            "several centres a class",
            "Qian et al., ICCV 2019",
            mines=False,
        ),
        "softmax": Entry(
            f"{_OWN}softmax:Softmax",
            "classes",
            "plain classification, whose features are kept",
            "cross-entropy",
            mines=False,
        ),
        "sphereface": Entry(
            f"{_OWN}angular_margin:AngularMargin",
            "classes",
            "the angular margin with m1 = 1.35: the angle is multiplied",
            "Liu et al., SphereFace, CVPR 2017; m1 as in Liu et al., SphereFace revived, 2021",
            {"m1": 1.35},
        ),
        "sub-center-arcface": Entry(
            f"{_PML}SubCenterArcFaceLoss",
            "classes",
            "ArcFace with several centres a class, for noisy labels",
            "Deng et al., ECCV 2020",
            {"margin": 28.6, "scale": 30},
            mines=False,
        ),
        "supcon": Entry(
            f"{_PML}SupConLoss",
            "pairs",
            "all positives of an image against all others of the batch",
            "Khosla et al., NeurIPS 2020",
        ),
        "triplet": Entry(
            f"{_PML}TripletMarginLoss",
            "pairs",
            "an alike image nearer than another by a margin",
            "Schroff et al., FaceNet, CVPR 2015",
            {"margin": 0.2},
            takes_triplets=True,
        ),
        "tuplet-margin": Entry(
            f"{_PML}TupletMarginLoss",
            "pairs",
            "N-tuplets with an angular slack",
            "Yu and Tao, ICCV 2019",
        ),
    }
)


def entry(name: str) -> Entry:
    """Return the line of a loss.

    Raises:
        UnknownName: no such loss; the nearest is offered.
    """
    if name not in LOSSES:
        raise UnknownName(f"unknown loss {name!r}.", hint=choices(name, LOSSES))
    return LOSSES[name]


def parse_losses(text: str) -> list[tuple[str, float]]:
    """Return the losses of ``arcface+triplet:0.5`` with their weights.

    Raises:
        UnknownName: no such loss. BadInput: a weight that is not above 0.
    """
    found: list[tuple[str, float]] = []
    rest = text.replace("proxy-nca++", "proxy-nca\0")  # its pluses are part of the name
    for part in rest.split("+"):
        name, colon, number = part.strip().replace("\0", "++").partition(":")
        entry(name)
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise BadInput(f"the weight of the loss {name!r} must be a number above 0, got {number!r}.")
        found.append((name, weight))
    return found


def create_loss(name: str, *, classes: int, dimension: int, options: Mapping[str, Any] | None = None) -> Any:
    """Return the torch module of a loss.

    Args:
        name: a key of ``LOSSES``.
        classes: how many there are; only losses that need classes look at it.
        dimension: length of the vectors.
        options: of the loss, over the defaults of the table.

    Raises:
        UnknownName: no such loss.
        BadInput: an option that it does not have; those that it has are named.
    """
    line = entry(name)
    module, _, attribute = line.target.partition(":")
    made = getattr(import_module(module), attribute)
    given = {**line.options, **(options or {})}
    known = _options(made)
    for option in given:
        if option not in known:
            raise BadInput(f"the loss {name!r} has no option {option!r}.", hint=choices(option, known))
    if line.needs == "classes":
        given |= {"num_classes": classes, "embedding_size": dimension}
    return made(**given)


def _options(made: Any) -> Sequence[str]:
    """Return the names of a class's options, those of its bases included where it passes them on."""
    names: list[str] = []
    for kind in made.__mro__:
        if "__init__" not in vars(kind):
            continue
        parameters = inspect.signature(kind.__init__).parameters.values()
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
            break
    hidden = ("self", "num_classes", "embedding_size")
    return [name for name in dict.fromkeys(names) if name not in hidden]
