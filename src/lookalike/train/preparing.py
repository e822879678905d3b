"""From what is known of the images to a run that is ready to start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..types import Image
from .parts import Parts
from .pictures import Pictures
from .samplers import BY_CLASS, sampler_for
from .samples import Samples
from .settings import Settings
from .targets import Labels

if TYPE_CHECKING:
    from .backbones import Backbone
    from .loop import Loop
    from .together import Group
    from .validate import Validation

__all__ = ["prepare", "validation_of"]


def prepare(
    parts: Parts,
    settings: Settings,
    work: Path,
    *,
    device: str = "cpu",
    group: Group | None = None,
    kept: dict[str, Image] | None = None,
) -> tuple[Loop, Backbone]:
    """Return a run that is ready to start, and its backbone.

    Args:
        parts: what to train and what to measure on.
        settings, work, kept: as those of ``fit``.
        device: of this process.
        group: the processes that train together; None: this one alone.
    """
    from .backbones import open_backbone
    from .loop import Loop
    from .network import Network
    from .objective import Objective
    from .seeding import seed_step
    from .together import ALONE

    group = group or ALONE
    samples = parts.train
    labels = Labels(samples, views=2 if samples.kind == "none" else 1)
    seed_step(settings.seed, 1 << 29)  # of the weights that start at random
    if not group.first:
        group.wait()  # weights are fetched once
    backbone = open_backbone(settings.backbone, side=settings.side)
    if group.first:
        group.wait()
    network = Network(backbone, settings)
    objective = Objective(settings, labels, dimension=network.dimension, auxiliary=network.auxiliary_dimension)
    sampler = sampler_for(settings.sampler, labels, needs=objective.needs[0] if objective.needs else "pairs")
    _check(samples, labels, settings, sampler)
    imitation = None
    if settings.teacher:
        from .teacher import Imitation, teacher_vectors

        made = group.from_first(lambda: teacher_vectors(settings.teacher, samples, work / "teacher.npz"))
        imitation = Imitation(made)
    validation = validation_of(parts.validation, backbone, settings, group, kept) if len(parts.validation) else None
    loop = Loop(
        network=network,
        objective=objective,
        samples=samples,
        labels=labels,
        sampler=sampler,
        pictures=_pictures(samples, backbone, settings, group, kept),
        validation=validation,
        settings=settings,
        device=device,
        folder=work,
        pretrained=backbone.pretrained,
        imitation=imitation,
        group=group,
    )
    return loop, backbone


def _pictures(
    of: Samples, backbone: Backbone, settings: Settings, group: Group, kept: dict[str, Image] | None = None
) -> Pictures:
    threads = max(1, (settings.threads or os.cpu_count() or 1) // group.size)
    room = settings.cache_mb // group.size
    return Pictures(of.sources, backbone.side, threads, room, kept={} if kept is None else kept)


def validation_of(
    of: Samples, backbone: Backbone, settings: Settings, group: Group, kept: dict[str, Image] | None = None
) -> Validation:
    """Return what measures on some images, as the backbone reads them."""
    from .validate import Validation

    return Validation(of, _pictures(of, backbone, settings, group, kept), settings.metric)


def _check(samples: Samples, labels: Labels, settings: Settings, sampler: str) -> None:
    if labels.classes is not None and labels.count < 2:
        raise BadInput(
            f"the images to train on are all of one class, {samples.labels.names[0]!r}."
            if samples.labels is not None
            else "the pairs hold all images together, so there is nothing that is not alike.",
            hint="Give images of at least two classes.",
        )
    if labels.classes is not None and labels.count == len(samples):
        raise BadInput(
            "each class has a single image, so no two images are alike.",
            hint="Give classes with several images, or train without labels (--unlabelled).",
        )
    if sampler in BY_CLASS and settings.batch < 2 * settings.per_class:
        raise BadInput(
            f"a batch of {settings.batch} holds fewer than two classes of {settings.per_class} images, so it has "
            "nothing to tell apart.",
            hint=f"Raise --batch to {2 * settings.per_class} or more, or lower --per-class.",
        )
    if samples.triplets is not None and not len(samples.triplets):
        raise BadInput(
            "no triplet has all of its three images among those to train on.",
            hint="Look at the names in --labels, or lower --validation and --test.",
        )
    if labels.kind == "none" and settings.augment == "none":
        raise BadInput(
            "without labels the two views of an image must differ, but --augment is none.", hint="Use --augment strong."
        )
