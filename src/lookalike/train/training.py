"""``train``: from images and what is known of them to a model folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput
from ..evaluate.summary import Estimate
from ..types import Image
from .device import choose_device, require_torch
from .pictures import Pictures
from .records import OnProgress
from .samples import Samples, lone_classes
from .settings import Settings
from .split import split
from .targets import Labels

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["Trained", "fit", "prepare", "train"]

WORK = "training"  # the folder inside the model's that a stopped run goes on from


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made.

    Attributes:
        folder: the model.
        loss, sampler: what ``auto`` became.
        steps, best_step: taken, and where the best weights were found.
        figures: of the validation, at the best step.
        resumed: it went on where an earlier run stopped.
        broken: names of images that could not be used, with the reason.
        notes: in sentences.
    """

    folder: Path
    loss: str
    sampler: str
    steps: int
    best_step: int
    figures: dict[str, Estimate]
    resumed: bool
    broken: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def train(
    samples: Samples,
    out: str | Path,
    settings: Settings | None = None,
    *,
    validation: Samples | None = None,
    restart: bool = False,
    on_progress: OnProgress = lambda progress: None,
) -> Trained:
    """Train a model and write its folder; a run that was stopped goes on where it was.

    Args:
        samples: what to train on; ``read_samples`` reads them.
        out: the model's folder; its checkpoints stand below it in ``training/``.
        settings: how; None takes the defaults.
        validation: images to measure on; None keeps a share of ``samples`` apart.
        restart: begin again, whatever is in ``out``.
        on_progress: called after each step.

    Returns:
        The folder and the figures of the best weights.

    Raises:
        BadInput: settings, labels or images that cannot be trained on.
        MissingExtra: torch is not installed. OutOfMemory: it is not enough.
        NotFinite: the loss became NaN; the best weights so far are in ``out``.
        ModelError: a backbone that cannot be had.
    """
    settings = settings or Settings()
    require_torch()
    folder = Path(out).expanduser().absolute()
    work = folder / WORK
    if restart and work.is_dir():
        shutil.rmtree(work)
    notes = list(samples.notes)
    if validation is None:
        parts = split(samples, settings.validation, seed=settings.seed)
        samples, validation, by = parts.train, parts.validation, parts.by
    else:
        _check_apart(samples, validation)
        by = "its own list"
    lone = lone_classes(samples)
    if lone:
        notes.append(f"{len(lone)} classes have a single image, which is alike to nothing: {', '.join(lone[:3])}")
    work.mkdir(parents=True, exist_ok=True)
    loop, backbone = prepare(samples, validation if len(validation) else None, settings, work)
    resumed = loop.restore()
    about = {
        "settings": settings.to_json(),
        "loss": loop.objective.text,
        "sampler": loop.sampler,
        "data": {
            "images": len(samples),
            "kind": samples.kind,
            "classes": loop.labels.count,
            "validation": len(validation),
            "split": by,
            "sha256": samples.digest,
        },
    }
    from .loop import NotFinite

    stopped: NotFinite | None = None
    try:
        loop.run(on_progress)  # Ctrl-C may come amid a step, so what was saved last is what the next run goes on from
    except NotFinite as failed:
        if loop.best is None:
            raise
        stopped = failed
    _write(folder, loop, backbone, about)
    if stopped is not None:
        raise stopped
    broken = {samples.names[at]: why for at, why in loop.pictures.broken.items()}
    if loop.validation is not None:
        broken |= {validation.names[at]: why for at, why in loop.validation.pictures.broken.items()}
    return Trained(
        folder,
        loop.objective.text,
        loop.sampler,
        loop.step,
        loop.best_step,
        loop.figures,
        resumed,
        broken,
        tuple(notes),
    )


def fit(
    samples: Samples, validation: Samples, work: Path, settings: Settings, *, kept: dict[str, Image] | None = None
) -> dict[str, Estimate]:
    """Train and return the figures of the best weights, without writing a model: what a sweep does many times over.

    Args:
        samples, validation: what to train and what to measure on.
        work: an empty folder, or that of a run that was stopped, which goes on.
        settings: how.
        kept: decoded pictures by source, that runs with one ``side`` may share; it is filled.

    Raises:
        What ``train`` raises.
    """
    require_torch()
    _check_apart(samples, validation)
    work.mkdir(parents=True, exist_ok=True)
    loop, _ = prepare(samples, validation, settings, work, kept)
    loop.restore()
    loop.run(lambda progress: None)
    return loop.figures


def prepare(
    samples: Samples,
    validation: Samples | None,
    settings: Settings,
    work: Path,
    kept: dict[str, Image] | None = None,
) -> tuple[Loop, Any]:
    """Return a run that is ready to start, and its backbone; the arguments are those of ``fit``."""
    from .backbones import open_backbone
    from .loop import Loop
    from .network import Network
    from .objective import Objective
    from .seeding import seed_step
    from .validate import Validation

    labels = Labels(samples, views=2 if samples.kind == "none" else 1)
    _check(samples, labels, settings)
    device = choose_device(settings.device)
    seed_step(settings.seed, 1 << 29)  # of the weights that start at random
    backbone = open_backbone(settings.backbone, side=settings.side)
    network = Network(backbone, settings)
    objective = Objective(settings, labels, dimension=network.dimension, auxiliary=network.auxiliary_dimension)
    threads = settings.threads or os.cpu_count() or 1

    def pictures(of: Samples) -> Pictures:
        return Pictures(of.sources, backbone.side, threads, settings.cache_mb, kept={} if kept is None else kept)

    imitation = None
    if settings.teacher:
        from .teacher import Imitation, teacher_vectors

        imitation = Imitation(teacher_vectors(settings.teacher, samples, work / "teacher.npz"))
    loop = Loop(
        network=network,
        objective=objective,
        samples=samples,
        labels=labels,
        pictures=pictures(samples),
        validation=None if validation is None else Validation(validation, pictures(validation), settings.metric),
        settings=settings,
        device=device,
        folder=work,
        pretrained=backbone.pretrained,
        imitation=imitation,
    )
    return loop, backbone


def _write(folder: Path, loop: Loop, backbone: Any, about: dict[str, Any]) -> None:
    from .export import write_model

    if loop.best is not None:
        loop.network.load_state_dict(loop.best)
    said = {**about, "steps": loop.step, "best_step": loop.best_step}
    write_model(folder, loop.network, backbone, about=said, figures=loop.figures)


def _check(samples: Samples, labels: Labels, settings: Settings) -> None:
    if labels.classes is not None and labels.count < 2:
        raise BadInput(
            f"the images to train on are all of one class, {samples.labels.names[0]!r}."
            if samples.labels is not None
            else "the pairs hold all images together, so there is nothing that is not alike.",
            hint="Give images of at least two classes.",
        )
    if labels.classes is not None and settings.batch < 2 * settings.per_class:
        raise BadInput(
            f"a batch of {settings.batch} holds fewer than two classes of {settings.per_class} images, so it has "
            "nothing to tell apart.",
            hint=f"Raise --batch to {2 * settings.per_class} or more, or lower --per-class.",
        )
    if labels.kind == "none" and settings.augment == "none":
        raise BadInput(
            "without labels the two views of an image must differ, but --augment is none.", hint="Use --augment strong."
        )


def _check_apart(samples: Samples, validation: Samples) -> None:
    both = set(samples.sources) & set(validation.sources)
    if both:
        raise BadInput(
            f"{len(both)} images are in the training and in the validation, such as {sorted(both)[0]!r}.",
            hint="Take them out of one of the two.",
        )
