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
from .launch import Place, launched, place_of_environment
from .parts import Parts, parts_of
from .preparing import prepare, validation_of
from .records import OnProgress
from .samples import Samples, lone_classes
from .settings import Settings

if TYPE_CHECKING:
    from .backbones import Backbone
    from .int8 import Int8
    from .loop import Loop
    from .together import Group
    from .validate import Validation

__all__ = ["Trained", "fit", "train"]

WORK = "training"  # the folder inside the model's that a stopped run goes on from


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made.

    Attributes:
        folder: the model.
        loss, sampler: what ``auto`` became.
        steps, best_step: taken, and where the best weights were found.
        figures: of the validation, at the best step; it picked that step, so they are a little too good.
        test: of the images that nothing was picked by; empty where there are none.
        resumed: it went on where an earlier run stopped.
        broken: names of images that could not be used, with the reason.
        notes: in sentences.
        int8: what int8 costs, where it was asked for.
    """

    folder: Path
    loss: str
    sampler: str
    steps: int
    best_step: int
    figures: dict[str, Estimate]
    resumed: bool
    test: dict[str, Estimate] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    int8: Int8 | None = None


def train(
    samples: Samples,
    out: str | Path,
    settings: Settings | None = None,
    *,
    validation: Samples | None = None,
    test: Samples | None = None,
    allow_leak: bool = False,
    leak_check: bool = True,
    restart: bool = False,
    int8: bool = False,
    on_progress: OnProgress = lambda progress: None,
) -> Trained:
    """Train a model and write its folder; a run that was stopped goes on where it was.

    Args:
        samples: what to train on; ``read_samples`` reads them.
        out: the model's folder; its checkpoints stand below it in ``training/``.
        settings: how; None takes the defaults.
        validation: images to measure on; None keeps a share of ``samples`` apart.
        test: images that are measured once, at the end; None keeps ``settings.test`` of ``samples`` apart.
        allow_leak: measure even on copies of training images, where ``validation`` or ``test`` hold such.
        leak_check: look for copies.
        restart: begin again, whatever is in ``out``.
        int8: write the model in int8, too, into ``int8/``, and what that costs into its card.
        on_progress: called after each step.

    Returns:
        The folder and the figures of the best weights.

    Raises:
        BadInput: settings, labels or images that cannot be trained on, or copies of them in what they are measured on.
        MissingExtra: torch is not installed. OutOfMemory: it is not enough.
        NotFinite: the loss became NaN; the best weights so far are in ``out``.
        ModelError: a backbone that cannot be had.
    """
    settings = settings or Settings()
    require_torch()
    _check_devices(settings)
    arguments: dict[str, Any] = {
        "samples": samples,
        "out": out,
        "settings": settings,
        "validation": validation,
        "test": test,
        "allow_leak": allow_leak,
        "leak_check": leak_check,
        "restart": restart,
        "int8": int8,
    }
    place = place_of_environment()
    if place is None and settings.devices > 1:
        made: Trained = launched(settings.devices, _train, arguments, on_progress)
        return made
    return _train(**arguments, place=place, on_progress=on_progress)


def _train(
    *,
    samples: Samples,
    out: str | Path,
    settings: Settings,
    validation: Samples | None,
    test: Samples | None,
    allow_leak: bool,
    leak_check: bool,
    restart: bool,
    int8: bool,
    place: Place | None,
    on_progress: OnProgress,
) -> Trained:
    """Do the work of ``train`` in one of its processes."""
    from .loop import NotFinite

    device, group = _group(settings, place)
    folder = Path(out).expanduser().absolute()
    work = folder / WORK

    def begin() -> Parts:
        if restart and work.is_dir():
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
        for left in work.glob("*.part"):  # by a run that was killed
            left.unlink()
        return parts_of(
            samples,
            settings,
            validation=validation,
            test=test,
            allow_copies=allow_leak,
            check=leak_check,
            memory=work / "copies.json",
        )

    parts = group.from_first(begin)
    notes = [*samples.notes, *parts.notes]
    lone = lone_classes(parts.train)
    if lone:
        notes.append(f"{len(lone)} classes have a single image, which is alike to nothing: {', '.join(lone[:3])}")
    loop, backbone = prepare(parts, settings, work, device=device, group=group)
    resumed = loop.restore()
    about = {
        "settings": settings.to_json(),
        "loss": loop.objective.text,
        "sampler": loop.sampler,
        "data": {
            "images": len(parts.train),
            "kind": parts.train.kind,
            "classes": loop.labels.count,
            "validation": len(parts.validation),
            "split": parts.by,
            "test": len(parts.test),
            "test_split": parts.test_by,
            "copies": parts.copies,
            "sha256": parts.train.digest,
        },
    }
    stopped: NotFinite | None = None
    try:
        loop.run(on_progress)  # Ctrl-C may come amid a step, so what was saved last is what the next run goes on from
    except NotFinite as failed:
        if loop.best is None:
            raise
        stopped = failed
    if loop.best is not None:
        loop.network.load_state_dict(loop.best)
    test_part = validation_of(parts.test, backbone, settings, group) if len(parts.test) else None
    tested = _tested(test_part, loop, notes)

    def write() -> Int8 | None:
        _write(folder, loop, backbone, about, tested)
        if not int8:
            shutil.rmtree(folder / "int8", ignore_errors=True)  # of other weights
            return None
        from .int8 import write_int8

        return write_int8(folder, loop.pictures, test_part or loop.validation, seed=settings.seed)

    smaller = group.from_first(write)
    if stopped is not None:
        raise stopped
    broken = parts.broken | loop.broken() | ({} if test_part is None else test_part.broken(group))
    group.leave()
    return Trained(
        folder,
        loop.objective.text,
        loop.sampler,
        loop.step,
        loop.best_step,
        loop.figures,
        resumed,
        tested,
        broken,
        tuple(notes),
        smaller,
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
    work.mkdir(parents=True, exist_ok=True)
    parts = parts_of(samples, settings, validation=validation, check=False)
    loop, _ = prepare(parts, settings, work, device=choose_device(settings.device), kept=kept)
    loop.restore()
    loop.run(lambda progress: None)
    return loop.figures


def _group(settings: Settings, place: Place | None) -> tuple[str, Group]:
    """Return the device of this process, and the group that it is one of."""
    import torch

    from .together import ALONE, meet

    device = choose_device(settings.device)
    if place is None:
        return device, ALONE
    if device == "cuda":
        torch.cuda.set_device(place.local)
    else:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // place.size))
    return device, meet(place.rank, place.size, device=device, place=place.meeting)


def _tested(test: Validation | None, loop: Loop, notes: list[str]) -> dict[str, Estimate]:
    """Return the figures of the test."""
    if test is None:
        return {}
    try:
        return test.measure(loop.network, loop.device, changed=loop.augment, seed=loop.settings.seed, group=loop.group)
    except BadInput as failed:  # the model is worth writing all the same
        notes.append(f"the test could not be measured: {failed.message}")
        return {}


def _write(folder: Path, loop: Loop, backbone: Backbone, about: dict[str, Any], tested: dict[str, Estimate]) -> None:
    from .export import write_model

    said = {**about, "steps": loop.step, "best_step": loop.best_step}
    write_model(folder, loop.network, backbone, about=said, figures=loop.figures, tested=tested)


def _check_devices(settings: Settings) -> None:
    if settings.devices == 1:
        return
    import torch

    device = choose_device(settings.device)
    if device == "cuda" and settings.devices > torch.cuda.device_count():
        raise BadInput(
            f"there are {torch.cuda.device_count()} GPUs, not {settings.devices}.",
            hint=f"Use --devices {torch.cuda.device_count()}.",
        )
    if device == "mps":
        raise BadInput("training on several devices needs CUDA GPUs, or --device cpu.", hint="Leave --devices out.")
    if settings.batch < 2 * settings.devices:
        raise BadInput(
            f"a batch of {settings.batch} gives each of {settings.devices} devices fewer than two images.",
            hint=f"Raise --batch to {2 * settings.devices} or more.",
        )
