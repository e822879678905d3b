"""Train the network of builtin-2: one command a stage, which goes on where it was stopped.

    python recipes/builtin/train.py --data ../shared/data --weights ../shared/weights --out runs/builtin

Everything random comes from ``--seed``; see README.md for what it learns from and what is kept apart.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from batches import Batch, Batches, Mix
from changes import INPUT
from compact import Compact, Shape, ready
from looks import Looks
from material import Material, read_material
from replicas import Replicas
from teachers import Views, taught_views
from teaching import Alike, Known, Taught

from lookalike.train.checkpoint import load_state, save_state
from lookalike.train.device import choose_device
from lookalike.train.schedule import share
from lookalike.train.seeding import seed_step

__all__ = ["STAGES", "Run", "Stage", "main"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the training.

    Attributes:
        number: enters every random number.
        steps: at most; the rate falls over them, or over the minutes where those end first.
        rate: the highest learning rate.
        after: the stage whose best weights it starts from; empty for random ones.
    """

    number: int
    steps: int
    rate: float
    after: str = ""
    warmup: float = 0.03
    decay: float = 0.02
    ema: float = 0.998
    memory: int = 4096
    sides: tuple[tuple[float, int], ...] = ((0.45, 64), (0.75, 96), (1.0, 128))  # up to which share of the steps
    remembers_from: float = 0.4  # share of the run after which earlier batches count: at first vectors move too fast
    temperature: float = 0.1
    known: float = 1.0
    taught: float = 1.0
    mix: Mix = field(default_factory=Mix)


STAGES: Mapping[str, Stage] = {
    "1": Stage(1, steps=6000, rate=1.5e-3),
    "2": Stage(2, steps=6000, rate=4e-4, after="1", warmup=0.02, remembers_from=0.01, ema=0.999, sides=((1.0, 128),)),
}
_LOOK, _WRITE = 400, 20  # steps
_CENTRES = 10.0  # the rate of the vectors of classes, as a share


def main() -> None:
    """Train one stage."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="the folder that holds those of the sets")
    options.add_argument("--weights", type=Path, help="the folder with the MobileNets that teach; none: no teacher")
    options.add_argument("--out", type=Path, required=True, help="where everything goes; run again to go on")
    options.add_argument("--stage", choices=list(STAGES), default="1")
    options.add_argument("--minutes", type=float, default=90.0, help="the stage ends by then, all stops aside")
    options.add_argument("--steps", type=int, help="in place of the stage's own")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--device", default="auto")
    options.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    options.add_argument("--limit", type=int, default=0, help="classes of each set, to try things out; 0: all")
    options.add_argument("--window", type=int, default=1200, help="made-up classes at hand at a time")
    options.add_argument("--save-every", type=float, default=120.0, help="seconds between two checkpoints")
    given = options.parse_args()
    started = time.monotonic()
    torch.set_num_threads(1)  # each of the threads that train takes its own share; see replicas.py
    cache = given.out / "cache"
    material = read_material(given.data, cache, limit=given.limit)
    print(
        f"{len(material.symbols.pixels)} symbols, {len(material.photos.pixels)} photographs; {material.digest[:12]}",
        flush=True,
    )
    views = None
    if given.weights is not None:
        views = taught_views(material, given.weights, cache, seed=given.seed, say=lambda text: print(text, flush=True))
    run = Run(
        STAGES[given.stage],
        material,
        views,
        given.out,
        seed=given.seed,
        steps=given.steps,
        minutes=given.minutes,
        device=given.device,
        precision=given.precision,
        window=given.window,
        threads=given.threads,
        save_every=given.save_every,
    )
    print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
    run.go_on()


class Run:
    """A stage that is under way.

    Args:
        stage: which.
        material, views: what is learned from.
        out: the folder of all stages.
        seed, steps, minutes, device, precision, window, threads, save_every: as the options; ``steps``
            None takes the stage's own.
    """

    def __init__(
        self,
        stage: Stage,
        material: Material,
        views: Views | None,
        out: Path,
        *,
        seed: int,
        steps: int | None,
        minutes: float,
        device: str = "auto",
        precision: str = "auto",
        window: int = 1200,
        threads: int = 2,
        save_every: float = 120.0,
    ) -> None:
        self.stage, self.minutes, self.save_every = stage, minutes, save_every
        self.steps = steps or stage.steps
        self.folder = out / f"stage-{stage.number}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.device = choose_device(device)
        threads = threads if self.device == "cpu" else 1
        self.looks = Looks(material.looks, seed=seed)
        seed_step(seed, 1 << 29)  # of the weights that start at random
        self.network = ready(Compact(Shape()), self.device)
        if stage.after:
            self.network.load_state_dict(_read(out, stage.after, "best")["network"])
        self.replicas = Replicas(self.network, threads, device=self.device, precision=precision)
        self.batches = Batches(material, views, stage.mix, seed=seed, stage=stage.number, window=window)
        self.alike = Alike(Shape().shape, size=stage.memory, temperature=stage.temperature).to(self.device)
        self.known = torch.nn.ModuleList(
            Known(length, self.batches.known, temperature=0.06).to(self.device)
            for length in (Shape().shape, Shape().meaning)
        )
        self.taught = None
        if views is not None:
            self.taught = Taught(Shape().meaning, torch.from_numpy(views.vectors)).to(self.device)
        if stage.after:  # what the losses have learned beside the network goes on too
            before = _read(out, stage.after, "state")
            self.known.load_state_dict(before["known"])
            if self.taught is not None and before["taught"]:
                self.taught.load_state_dict(before["taught"])
        learned = [*self.network.parameters(), *(self.taught.parameters() if self.taught is not None else ())]
        groups = [
            {"params": [each for each in learned if each.ndim > 1], "weight_decay": stage.decay, "share": 1.0},
            {"params": [each for each in learned if each.ndim <= 1], "weight_decay": 0.0, "share": 1.0},
            {"params": list(self.known.parameters()), "weight_decay": 0.0, "share": _CENTRES},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=stage.rate, fused=True)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=_averaging(stage.ema), use_buffers=True
        )
        self.step, self.spent, self.best = 0, 0.0, float("-inf")
        self.asked = {
            "stage": repr(stage),
            "seed": seed,
            "data": material.digest,
            "window": window,
            "replicas": threads,
        }
        self._restore()
        self.log = _Log(self.folder / "log.csv", after=self.step)

    def progress(self) -> float:
        """Return how much of the stage is done, by steps or by time, whichever is further, in [0, 1]."""
        return min(1.0, max(self.step / self.steps, self.spent / (60 * self.minutes)))

    def side(self, step: int) -> int:
        """Return the pixels of the pictures of a step: small ones first, which take less time; 0 past the end."""
        done = max(step / self.steps, self.spent / (60 * self.minutes))
        return next((side for until, side in self.stage.sides if done < until), 0)

    def go_on(self) -> None:
        """Train to the end; what was saved last is what a later run goes on from."""
        self.network.train()
        clock = saved = time.monotonic()
        waited, images = 0.0, 0
        for batch in self.batches.ahead(self.step, self.side):
            began = time.monotonic()
            if self.step % _WRITE:
                waited += began - clock
            self.spent += began - clock
            losses = self._one(batch)
            self.step += 1
            images += len(batch.pixels)
            clock = time.monotonic()
            self.spent += clock - began
            last = self.progress() >= 1
            if self.step % _LOOK == 0 or last:
                figures = self._look()
                self.log.write(step=self.step, minutes=self.spent / 60, **losses, **figures)
                self.spent += time.monotonic() - clock
                clock = time.monotonic()
            elif self.step % _WRITE == 0:
                self.log.write(step=self.step, minutes=self.spent / 60, rate=self._rate(), **losses)
                print(f"{self.step} {self.spent / 60:.1f} min {losses} waited {waited:.1f} s of it", flush=True)
            if last or clock - saved > self.save_every:
                self.save()
                saved = clock
            if last:
                break

    def _one(self, batch: Batch) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate() * group["share"]
        known = len(batch.classes)
        shape, meaning = self.replicas.forward(batch.pixels)
        classes, groups = batch.classes.to(self.device), batch.groups.to(self.device)
        remember = self.progress() >= self.stage.remembers_from
        alike = self.alike(shape[:known], classes, groups, remember=remember)
        taught = alike.new_zeros(())
        if self.taught is not None:
            taught = self.taught(meaning[known:], batch.taught.to(self.device))
        # Two photographs of a kind look alike in what they mean only.
        marks = batch.known.to(self.device)
        named = self.known[0](shape[:known], marks.masked_fill(groups >= 0, -1))
        meant = self.known[1](meaning[:known], marks)
        loss = alike + self.stage.known * (named + 0.5 * meant) + self.stage.taught * taught
        if not torch.isfinite(loss):
            raise SystemExit(f"the loss became NaN or infinite at step {self.step + 1}; run again with a lower rate.")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # to the vectors; from there on each thread by itself
        self.replicas.backward([shape, meaning])
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return {"alike": round(alike.item(), 4), "named": round(named.item(), 4), "taught": round(taught.item(), 4)}

    def _rate(self) -> float:
        return self.stage.rate * share(round(self.progress() * self.steps), self.steps, warmup=self.stage.warmup)

    def _look(self) -> dict[str, float]:
        side = self.side(self.step - 1) or INPUT
        figures = self.looks.measure(self.average.module, self.device, side)
        shown = {key: round(value, 3) for key, value in figures.items()}
        print(f"{self.step} {self.spent / 60:.1f} min {json.dumps(shown)}", flush=True)
        if side == INPUT and figures["mean"] > self.best:
            self.best = figures["mean"]
            weights = {key: value.cpu() for key, value in self.average.module.state_dict().items()}
            save_state(
                self.folder / "best.pt",
                {
                    "network": weights,
                    "shape": json.dumps(Shape().to_json()),
                    "step": self.step,
                    "figures": json.dumps(figures),
                },
            )
        return figures

    def save(self) -> None:
        """Write what a run that was stopped goes on from."""
        save_state(
            self.folder / "state.pt",
            {
                "settings": json.dumps(self.asked),
                "network": self.network.state_dict(),
                "alike": self.alike.state_dict(),
                "known": self.known.state_dict(),
                "taught": self.taught.state_dict() if self.taught is not None else {},
                "optimiser": self.optimiser.state_dict(),
                "average": self.average.state_dict(),
                "numbers": [self.step, self.spent, self.best],
            },
        )

    def _restore(self) -> None:
        state = load_state(self.folder / "state.pt", self.asked)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.alike.load_state_dict(state["alike"])
        self.known.load_state_dict(state["known"])
        if self.taught is not None:
            self.taught.load_state_dict(state["taught"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        self.step, self.spent, self.best = int(state["numbers"][0]), *map(float, state["numbers"][1:])
        print(f"goes on at step {self.step}", flush=True)


class _Log:
    """A CSV that is appended to; lines of later steps, of a run that was killed, are taken out."""

    COLUMNS = ("step", "minutes", "rate", "alike", "named", "taught", "mean")
    SETS = ("emoji", "logos", "photos", "grocery", "copies")

    def __init__(self, path: Path, *, after: int) -> None:
        self._path = path
        self._columns = [
            *self.COLUMNS,
            *(f"{kind}:{name}" for kind in ("shape", "meaning", "hybrid") for name in self.SETS),
        ]
        rows: list[Mapping[str, str]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= after]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)

    def write(self, **values: Any) -> None:
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, extrasaction="ignore").writerow(values)


def _read(out: Path, stage: str, what: str) -> dict[str, Any]:
    path = out / f"stage-{stage}" / f"{what}.pt"
    if not path.is_file():
        raise SystemExit(f"there is no {path}: run --stage {stage} first.")
    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found


def _averaging(decay: float) -> Any:
    """Return a running mean that forgets its random start: over few steps at first, as TensorFlow's average does."""

    def update(averages: Any, values: Any, count: Any) -> None:
        now = min(decay, (1 + float(count)) / (10 + float(count)))
        with torch.no_grad():
            if torch.is_floating_point(averages[0]):
                torch._foreach_lerp_(averages, values, 1 - now)
            else:
                torch._foreach_copy_(averages, values)

    return update


if __name__ == "__main__":
    main()
