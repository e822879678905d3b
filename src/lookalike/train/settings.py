"""What a training run is asked to do: one typed value, stored whole in the model that comes out."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadInput

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train. Every field is an option of ``lookalike train`` and a key of its TOML file.

    Attributes:
        backbone: the network: a name of ``train.backbones``: ``timm:resnet18``, ``timm:resnet18?weights=none``.
        pooling: of its feature map or tokens: a name of ``train.heads``; ``auto`` is GeM of a map, the class token of
            tokens.
        dimensions: length of the vector; 0 keeps what the pooling gives.
        head: what stands between the pooling and the vector: ``linear``, ``bnneck`` or ``mlp``.
        matryoshka: shorter prefixes of the vector that are trained too, such as 64, 128.
        side: pixels of the square that the network reads; 0 takes the backbone's own.
        loss: a name of ``train.losses``, several with weights (``arcface+triplet:0.5``), ``auto``, which fits the
            labels, or ``none``, to imitate a teacher only.
        miner: a name of ``train.miners``; ``none`` takes all pairs of a batch.
        memory: how many vectors of earlier batches are compared too (cross-batch memory, XBM); 0 for none.
        sampler: a name of ``train.samplers``; ``auto`` fits the labels and the loss.
        batch: images in a batch.
        per_class: of one class in a batch, with a sampler by class.
        epochs: passes over the images.
        steps: steps in all, instead of epochs; 0 counts epochs.
        rate: learning rate of the head at its highest; AdamW.
        backbone_rate: the same for a pretrained backbone, as a share of ``rate``.
        loss_rate: the same for a loss's own weights (proxies, class centres).
        decay: weight decay.
        warmup: share of the steps in which the rate rises.
        accumulate: batches whose gradients are added before a step.
        ema: decay of the running mean of weights that is what is evaluated and exported; 0 for none.
        precision: ``float32``, ``bfloat16`` or ``float16`` (mixed), or ``auto``: bfloat16 where the
            device computes in it, else float16 on a GPU and float32 on a CPU.
        augment: how strongly images are changed: ``none``, ``light``, ``medium``, ``strong``.
        flip: mirror images at random; not for text, logos and characters.
        validation: share of the classes (of the images, where there are few classes) that is kept apart.
        test: share that is kept apart from both, and looked at once, when all is done: figures that nothing was picked
            by.
        metric: of the validation, which picks the best weights.
        patience: evaluations without a better value before training stops; 0 never stops early.
        evaluate_every: epochs between two evaluations.
        teacher: an embedder by name whose vectors the model learns to imitate; empty for none.
        teacher_weight: of that part of the loss; the labels' part has 1.
        seed: of everything random.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: GPUs (processes, on a CPU) that train together, each on its part of every batch.
        threads: that decode images; 0 takes one a core.
        cache_mb: of decoded images that are kept in memory for the next epoch.
        save_every: seconds between two checkpoints within an epoch: what a kill can cost.
        loss_options: of the loss, over its defaults: ``margin`` of the triplet loss.
    """

    backbone: str = "timm:resnet18"
    pooling: str = "auto"
    dimensions: int = 128
    head: str = "bnneck"
    matryoshka: tuple[int, ...] = ()
    side: int = 0
    loss: str = "auto"
    miner: str = "none"
    memory: int = 0
    sampler: str = "auto"
    batch: int = 64
    per_class: int = 4
    epochs: int = 20
    steps: int = 0
    rate: float = 1e-3
    backbone_rate: float = 0.1
    loss_rate: float = 10.0
    decay: float = 1e-4
    warmup: float = 0.05
    accumulate: int = 1
    ema: float = 0.0
    precision: str = "auto"
    augment: str = "medium"
    flip: bool = True
    validation: float = 0.2
    test: float = 0.0
    metric: str = "map"
    patience: int = 5
    evaluate_every: int = 1
    teacher: str = ""
    teacher_weight: float = 1.0
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    threads: int = 0
    cache_mb: int = 2000
    save_every: float = 60.0
    loss_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (
            *(("batch", 2), ("per_class", 1), ("devices", 1), ("accumulate", 1), ("evaluate_every", 1)),
            *(("dimensions", 0), ("side", 0)),
            *(("epochs", 0), ("steps", 0), ("memory", 0), ("patience", 0), ("threads", 0), ("cache_mb", 0)),
        ):
            if getattr(self, name) < least:
                raise BadInput(f"{name} must be {least} or more, got {getattr(self, name)}.")
        for name in ("rate", "loss_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise BadInput(f"{name} must be above 0 and finite, got {getattr(self, name)}.")
        for name, most in (("warmup", 1.0), ("ema", 1.0), ("validation", 1.0), ("test", 1.0)):
            if not 0 <= getattr(self, name) < most:
                raise BadInput(f"{name} must be in [0, {most:g}), got {getattr(self, name)}.")
        for name in ("backbone_rate", "decay", "teacher_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise BadInput(f"{name} must be 0 or above and finite, got {getattr(self, name)}.")
        if self.matryoshka and (min(self.matryoshka) < 1 or not self.dimensions > max(self.matryoshka)):
            raise BadInput(f"matryoshka prefixes must be shorter than {self.dimensions}, got {self.matryoshka}.")
        if not self.epochs and not self.steps:
            raise BadInput("there is nothing to train: epochs and steps are both 0.")
        for name, known in (
            ("head", ("linear", "bnneck", "mlp")),
            ("precision", ("auto", "float32", "bfloat16", "float16")),
            ("augment", ("none", "light", "medium", "strong")),
            ("device", ("auto", "cpu", "cuda", "mps")),
        ):
            if getattr(self, name) not in known:
                raise BadInput(f"{name} is one of {', '.join(known)}, got {getattr(self, name)!r}.")

    def to_json(self) -> dict[str, Any]:
        """Return all values as JSON has them."""
        made: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return made
