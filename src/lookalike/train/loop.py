"""The training loop: batches in, steps down the gradient, looks at the validation, checkpoints to go on from."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import BadInput, ModelError
from ..evaluate.summary import Estimate
from .augment import augmentation
from .checkpoint import load_state, save_state
from .device import autocast, explained
from .network import Network
from .objective import Objective
from .pictures import Pictures
from .records import Log, OnProgress, Progress
from .same_data import changes, known_of
from .samplers import Asked, Batches, batches_of
from .samples import Samples
from .schedule import share
from .seeding import generator, seed_step
from .settings import Settings
from .targets import Labels
from .together import ALONE, Group
from .validate import Validation, embed_all, to_tensor

__all__ = ["Loop", "NotFinite"]

_ENOUGH = 0.1  # of the batches, that must hold two images that are alike
_SMOOTH = 20  # steps whose mean loss is shown


class NotFinite(ModelError):
    """The loss became NaN or infinite."""

    code = "not_finite"
    exit_code = 2


class Loop:
    """One run.

    Args:
        network: what is trained.
        objective: what is minimised.
        samples, labels: of the training.
        sampler: what puts them into batches, by its name in the table.
        pictures: their pixels.
        validation: None where nothing was kept apart.
        settings: the rest.
        device: where it computes.
        folder: of checkpoints and the log.
        pretrained: whether the backbone starts from somebody's weights.
        imitation: of a teacher; None for none.
        group: the processes that train together; each has its own loop, in step with the others.
    """

    def __init__(
        self,
        *,
        network: Network,
        objective: Objective,
        samples: Samples,
        labels: Labels,
        sampler: str,
        pictures: Pictures,
        validation: Validation | None,
        settings: Settings,
        device: str,
        folder: Path,
        pretrained: bool,
        imitation: Any = None,
        group: Group = ALONE,
    ) -> None:
        self.group = group
        self.network, self.objective = group.normalised_together(network.to(device)), objective.to(device)
        self._forward = group.wrapped(self.network)
        self.samples, self.labels, self.pictures, self.validation = samples, labels, pictures, validation
        self.settings, self.device, self.folder = settings, device, folder
        self.imitation = imitation
        self.sampler = sampler
        self.augment = augmentation(settings.augment, side=pictures.side, flip=settings.flip).to(device)
        self.optimiser = torch.optim.AdamW(self._groups(pretrained))
        self.highest = [group["lr"] for group in self.optimiser.param_groups]
        self.autocast, self.scaler = autocast(device, settings.precision)
        self.average: Any = None
        if settings.ema:
            swa = torch.optim.swa_utils
            self.average = swa.AveragedModel(
                self.network, multi_avg_fn=swa.get_ema_multi_avg_fn(settings.ema), use_buffers=True
            )
        self.epoch, self.at, self.step, self.waited = 0, 0, 0, 0
        self.plans: Batches = []
        self.steps = 0
        self.best: dict[str, Any] | None = None  # the weights
        self.best_value, self.best_step = -math.inf, 0
        self.figures: dict[str, Estimate] = {}
        self.losses: deque[float] = deque(maxlen=_SMOOTH)
        self._clock, self._seen = 0.0, 0

    # ---- going on ----

    @cached_property
    def data(self) -> dict[str, Any]:
        """Return what a run that goes on must find unchanged."""
        return known_of(self.samples, self.validation.samples if self.validation is not None else None)

    def restore(self) -> bool:
        """Go on where the folder's checkpoint stands; False where there is none.

        Raises:
            BadInput: the run was begun with other settings, images or labels.
        """
        data = self.data  # before the first step: a file may change while it trains
        state = load_state(self.folder / "state.pt", self.settings.to_json())
        if state is None:
            return False
        before = json.loads(state["data"]) if "data" in state else data  # of the version before, not known
        if changed := changes(before, data):
            raise BadInput(
                f"the run in {self.folder} was begun with other images or labels: {'; '.join(changed)}.",
                hint="Give the same to go on, another --out, or --restart to begin again.",
            )
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.at, self.step, self.waited, self.steps = (int(number) for number in state["counters"])
        self.plans = json.loads(state["plans"])
        self.best, self.best_value, self.best_step = state["best"], float(state["best_value"]), int(state["best_step"])
        self.figures = {key: Estimate(**value) for key, value in json.loads(state["figures"]).items()}
        self.losses.extend(json.loads(state["losses"]))
        self._restore_memories(json.loads(state["memories"]))
        return True

    def save(self) -> None:
        """Write the checkpoint; the first process alone does."""
        if not self.group.first:
            return
        save_state(
            self.folder / "state.pt",
            {
                "settings": json.dumps(self.settings.to_json()),
                "data": json.dumps(self.data),
                "network": self.network.state_dict(),
                "objective": self.objective.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average.state_dict() if self.average is not None else {},
                "scaler": self.scaler.state_dict() if self.scaler is not None else {},
                "counters": [self.epoch, self.at, self.step, self.waited, self.steps],
                "plans": json.dumps(self.plans),
                "best": self.best,
                "best_value": self.best_value,
                "best_step": self.best_step,
                "figures": json.dumps({key: _fields(value) for key, value in self.figures.items()}),
                "losses": json.dumps(list(self.losses)),
                "memories": json.dumps(self._memories()),
            },
        )

    def _memories(self) -> list[tuple[int, bool]]:
        return [(each.queue_idx, each.has_been_filled) for each in self.objective.memories or ()]

    def _restore_memories(self, saved: list[tuple[int, bool]]) -> None:
        for each, (place, filled) in zip(self.objective.memories or (), saved, strict=True):
            each.queue_idx, each.has_been_filled = place, filled

    # ---- the run ----

    def run(self, on_progress: OnProgress) -> None:
        """Train to the end, or until the validation stops improving; ``best`` holds the best weights then.

        Raises:
            NotFinite: the loss became NaN; ``best`` holds the best weights so far.
            OutOfMemory: it is not enough.
        """
        settings = self.settings
        log = Log(self.folder, after=self.step, mute=not self.group.first)
        try:
            with explained():
                while self._goes_on():
                    if not self.plans:
                        self.plans = self._plans()
                        self.steps = self.steps or settings.steps or self._steps_of(len(self.plans))
                    self._one_epoch(log, on_progress)
                    self.epoch, self.at, self.plans = self.epoch + 1, 0, []
                    if self.epoch % settings.evaluate_every == 0 or not self._goes_on():
                        self._look(log)
                    self.save()
        finally:
            log.close()

    def _goes_on(self) -> bool:
        settings = self.settings
        if settings.patience and self.waited >= settings.patience:
            return False
        return self.step < settings.steps if settings.steps else self.epoch < settings.epochs

    def _steps_of(self, batches: int) -> int:
        return max(1, math.ceil(batches / self.settings.accumulate) * self.settings.epochs)

    def _plans(self) -> Batches:
        vectors = None
        if self.sampler == "hard" and self.epoch:
            rows, there = embed_all(self.network, self.pictures, self.device, group=self.group)
            vectors = np.zeros((len(self.samples), rows.shape[1]), np.float32)
            vectors[there] = rows
        settings = self.settings
        rng = generator(settings.seed, 1, self.epoch)
        asked = Asked(self.samples, self.labels, settings.batch, settings.per_class, rng, vectors)
        plans = batches_of(self.sampler, asked)
        if not self.epoch:
            self._check(plans)
        return [plan * self.labels.views for plan in plans]

    def _check(self, plans: Batches) -> None:
        """Refuse batches in which what compares pairs would hardly ever find two images that are alike."""
        classes = self.labels.classes
        miner = self.settings.miner != "none"
        if classes is None or self.labels.views > 1 or not (miner or "pairs" in self.objective.needs):
            return
        some = sum(len(np.unique(classes[plan])) < len(plan) for plan in plans)
        if some >= _ENOUGH * len(plans):
            return
        what = f"the miner {self.settings.miner!r}" if miner else f"the loss {self.objective.text!r}"
        raise BadInput(
            f"only {some} of {len(plans)} batches of {self.settings.batch} hold two images of one class, so {what} "
            "mostly has nothing to choose from.",
            hint="Raise --batch, or put several images of a class into one: --sampler per-class --per-class 4.",
        )

    def _one_epoch(self, log: Log, on_progress: OnProgress) -> None:
        saved = time.monotonic()
        self._clock, self._seen = time.monotonic(), 0
        self.network.train()
        self.objective.train()
        batches = self._batches()
        every = self.settings.accumulate
        while group := list(itertools.islice(batches, every)):
            self._one_step(group)
            self.at += len(group)
            self.step += 1
            on_progress(self._progress())
            if self.step % 50 == 0:
                log.write(step=self.step, epoch=self.epoch + 1, **self._speed())
            if self.settings.steps and self.step >= self.settings.steps:
                return
            if time.monotonic() - saved > self.settings.save_every:
                self.save()
                saved = time.monotonic()

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        yield from self.pictures.batches([self.group.share(plan) for plan in self.plans[self.at :]])

    def _one_step(self, group: list[tuple[Any, Any]]) -> None:
        seed_step(self.settings.seed, *self._own(self.step))
        rate = share(self.step, self.steps, warmup=self.settings.warmup)
        for parameters, highest in zip(self.optimiser.param_groups, self.highest, strict=True):
            parameters["lr"] = highest * rate
        total, used = 0.0, 0
        for own, pixels in group:
            parts = self.group.everyones(own)
            at, counts = np.concatenate(parts), [len(part) for part in parts]
            if len(at) < 2:
                continue  # the rest of it could not be read, and batch normalisation needs two
            used += 1
            vectors, auxiliary = self._vectors(pixels, counts)
            loss = self.objective(vectors, self.labels.batch(at), auxiliary) / len(group)
            if self.imitation is not None:
                loss = loss + self.settings.teacher_weight * self.imitation(vectors, at) / len(group)
            if not torch.isfinite(loss):
                self._stop(at)
            (self.scaler.scale(loss) if self.scaler is not None else loss).backward()
            total += float(loss.detach())
            self._seen += len(at)  # of all processes
        if used:
            self._descend()
            self.losses.append(total)

    def _own(self, step: int) -> tuple[int, ...]:
        """Return what the randomness of a step comes from: each process changes its images its own way."""
        return (step,) if self.group.size == 1 else (step, self.group.rank)

    def _vectors(self, pixels: Any, counts: list[int]) -> tuple[Any, Any]:
        """Return the vectors of the images of all processes, and what the pooling wants classified beside."""
        if not len(pixels):  # the others' images go on; this one keeps them company
            pixels = np.zeros((1, *pixels.shape[1:]), np.uint8)
        changed = self.augment(to_tensor(pixels, self.device))
        with self.autocast:
            vectors = self._forward(changed)
        auxiliary = self.network.auxiliary if self.network.auxiliary_dimension else None
        if self.group.size > 1:
            seed_step(self.settings.seed, self.step)  # all draw the same pairs
        vectors = self.group.rows(vectors.float(), counts)
        return vectors, None if auxiliary is None else self.group.rows(auxiliary.float(), counts)

    def _descend(self) -> None:
        self.group.average_gradients(self.objective.parameters())
        if self.scaler is not None:
            self.scaler.step(self.optimiser)
            self.scaler.update()
        else:
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def _stop(self, at: Any) -> None:
        names = ", ".join(repr(self.samples.names[int(place)]) for place in at[:3])
        raise NotFinite(
            f"the loss became NaN or infinite at step {self.step + 1}, in the batch that begins with {names}.",
            hint="Lower --rate, or use --precision float32. The best weights so far are kept.",
        )

    def _look(self, log: Log) -> None:
        network = self.average.module if self.average is not None else self.network
        if self.validation is None:
            self.best, self.best_step = _copied(network), self.step
            return
        with torch.no_grad():
            figures = self.validation.measure(
                network, self.device, changed=self.augment, seed=self.settings.seed, group=self.group
            )
        found = figures[self.validation.metric]
        log.write(
            step=self.step,
            epoch=self.epoch,
            metric=self.validation.metric,
            value=found.value,
            low=found.low,
            high=found.high,
            **self._speed(),
        )
        if found.value > self.best_value:
            self.best, self.best_value, self.best_step = _copied(network), found.value, self.step
            self.figures, self.waited = figures, 0
        else:
            self.waited += 1

    def broken(self) -> dict[str, str]:
        """Return the names of the images that could not be used, with the reason."""
        found = [at_why for part in self.group.everyones(self.pictures.broken) for at_why in part.items()]
        broken = {self.samples.names[at]: why for at, why in found}
        return broken if self.validation is None else broken | self.validation.broken(self.group)

    def _speed(self) -> dict[str, float]:
        spent = time.monotonic() - self._clock
        return {
            "loss": sum(self.losses) / max(1, len(self.losses)),
            "rate": self.optimiser.param_groups[-1]["lr"],
            "images_per_second": self._seen / spent if spent else 0.0,
        }

    def _progress(self) -> Progress:
        speed = self._speed()
        best = None if self.best_value == -math.inf else self.best_value
        metric = self.validation.metric if self.validation is not None else ""
        shown = (self.step, self.steps, self.epoch + 1, speed["loss"], speed["images_per_second"], best, metric)
        return Progress(*shown)

    def _groups(self, pretrained: bool) -> list[dict[str, Any]]:
        """Split the weights by learning rate, and what must not decay (biases, norms, powers) from what may."""
        settings = self.settings
        backbone = settings.rate * (settings.backbone_rate if pretrained else 1.0)
        parts = {
            backbone: list(self.network.backbone.parameters()),
            settings.rate: [*self.network.pooling.parameters(), *self.network.head.parameters()],
            settings.rate * settings.loss_rate: list(self.objective.parameters()),
        }
        if backbone == settings.rate:
            parts[settings.rate] = [*self.network.parameters()]
        groups = []
        for rate, parameters in parts.items():
            free = [each for each in parameters if each.requires_grad]
            for decay, some in (
                (settings.decay, [each for each in free if each.ndim > 1]),
                (0.0, [each for each in free if each.ndim <= 1]),
            ):
                if some:
                    groups.append({"params": some, "lr": rate, "weight_decay": decay})
        return groups


def _copied(network: Any) -> dict[str, Any]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _fields(value: Estimate) -> dict[str, Any]:
    return {name: getattr(value, name) for name in ("value", "low", "high", "n", "undefined")}
