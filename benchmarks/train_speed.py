"""Training is as fast as the same network in OML's loop and in a plain loop of PyTorch and pytorch-metric-learning.

The photographs of `../shared/data`, unpacked into a folder for each kind; timm's ResNet-18 from random weights at 112
pixels, batches of 64 (16 kinds by 4), the multi-similarity loss of pytorch-metric-learning and AdamW for all, in
float32; beside that our loop as it comes, with the precision that the processor is quickest in. The
others' loops are written as their documentation shows them: a dataset that opens files with Pillow, torchvision's
transforms of the same kinds and strengths as `--augment light`, a balanced batch sampler, torch's DataLoader without
workers and with one for each core; the ratio is to the faster of the two. Every contender is a process of its own,
which takes a burst of steps in turn; counted is the time from the end of a burst's first step to the end of its last.

`waits` is the share of that time in which the loop waits for pictures, `augments` the share of our augmentation,
which runs in batches in the loop itself (the others' runs in their dataset). Peak memory is the sum over a
contender's processes. OML imports `albumentations==2.0.8` with `opencv-python-headless<5`. ResNet-50 on a GPU: `--gpu`
reports the utilisation that `nvidia-smi` shows over a burst of our loop; needs a GPU.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import SHARED, arguments, row, spread, write_result

SIDE, KINDS, EACH = 112, 16, 4
BATCH = KINDS * EACH
CONTENDERS = (
    "lookalike",
    "lookalike, nothing kept",
    "lookalike, as it comes",
    "OML",
    "OML, workers",
    "PML",
    "PML, workers",
)
Burst = Callable[[int], dict[str, float]]


def main() -> None:
    """Start the contenders, let each take its bursts in turn, and write the ratios."""
    if len(sys.argv) > 2 and sys.argv[1] == "contend":
        contend(sys.argv[2], Path(sys.argv[3]))
        return
    options = arguments(__doc__ or "", flags={"--gpu": "only ResNet-50 on a GPU"})
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "photos"
        with tarfile.open(SHARED / "data" / "photos" / "images.tar") as tar:
            tar.extractall(images, filter="data")
        gpu = on_gpu(images)
        print(f"ResNet-50 on a GPU: {gpu}", flush=True)
        if options.gpu:
            return
        found = measure(images, rounds=1 if options.quick else 5, steps=3 if options.quick else 9)
    figures: dict[str, Any] = {"ResNet-50 on a GPU": gpu}
    for name, bursts in found.items():
        figures[name] = {key: spread([burst[key] for burst in bursts]) for key in bursts[0]}
        print(name, {key: value["median"] for key, value in figures[name].items()}, flush=True)
    write_result(
        "train_speed", __doc__ or "", figures, n=BATCH, seed=options.seed, rows=rows(found), quick=options.quick
    )


def rows(found: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Return the lines of README's table."""
    lines = []
    speeds = {name: [burst["images_per_s"] for burst in bursts] for name, bursts in found.items()}
    for peer in ("OML", "PML"):
        faster = max((peer, f"{peer}, workers"), key=lambda name: statistics.median(speeds[name]))
        values = [ours / theirs for ours, theirs in zip(speeds["lookalike"], speeds[faster], strict=True)]
        beside = f"{faster}: {statistics.median(speeds[faster]):.0f} images/s"
        beside += f", {statistics.median(burst['peak_mb'] for burst in found[faster]):.0f} MB"
        lines.append(row(f"training throughput, times {peer}'s loop", values, unit="x", at_least=1.0, beside=beside))
    as_it_comes = [one / two for one, two in zip(speeds["lookalike, as it comes"], speeds["lookalike"], strict=True)]
    beside = f"{statistics.median(speeds['lookalike, as it comes']):.0f} images/s"
    lines.append(row("training in the processor's own precision, times float32", as_it_comes, unit="x", beside=beside))
    for name in CONTENDERS[:3]:
        waits = [100 * burst["waits"] for burst in found[name]]
        lines.append(row(f"time that training waits for pictures ({name})", waits, unit="%", at_most=5.0))
    peaks = [burst["peak_mb"] for burst in found["lookalike"]]
    lines.append(row("peak memory of training ResNet-18 at 112 px, batches of 64", peaks, unit="MB"))
    return lines


def measure(images: Path, *, rounds: int, steps: int) -> dict[str, list[dict[str, float]]]:
    """Return the bursts of each contender; the first round warms up."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for name in CONTENDERS:
            words = [sys.executable, __file__, "contend", name, str(images)]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            processes[name] = stack.enter_context(process)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for number in range(rounds + 1):
            for name, process in processes.items():
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{steps}\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline())
                if number:
                    found[name].append(answer)
                print(f"round {number}: {name}: {answer['images_per_s']:.1f} images/s", flush=True)
    return found


def contend(name: str, images: Path) -> None:
    """Be one contender: read how many steps, take them, answer with the figures."""
    workers = (os.cpu_count() or 1) if name.endswith("workers") else 0
    if name.startswith("lookalike"):
        precision = "auto" if name.endswith("comes") else "float32"
        burst = ours(images, keep="nothing" not in name, precision=precision)
    else:
        burst = theirs(images, workers, oml=name.startswith("OML"))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        print(json.dumps({**burst(int(line)), "peak_mb": peak_mb(os.getpid())}), file=out, flush=True)


def ours(
    images: Path,
    *,
    keep: bool,
    precision: str = "auto",
    backbone: str = "timm:resnet18",
    batch: int = BATCH,
    side: int = SIDE,
) -> Burst:
    """Return our loop; a burst is a run of so many steps."""
    from dataclasses import replace

    from lookalike.train import Progress, Settings, read_samples
    from lookalike.train.parts import parts_of
    from lookalike.train.preparing import prepare

    samples = read_samples([images])
    settings = Settings(
        backbone=f"{backbone}?weights=none", side=side, batch=batch, per_class=EACH, loss="multi-similarity", steps=1,
        augment="light", pooling="average", head="linear", save_every=1e9, validation=0.0,
        cache_mb=2000 if keep else 0, precision=precision,
    )  # fmt: skip
    folder = tempfile.mkdtemp()
    loop = prepare(parts_of(samples, settings), settings, Path(folder))[0]
    clock = {"waits": 0.0, "augments": 0.0}
    batches, augment = loop.pictures.batches, loop.augment

    class Waited:
        def __getattr__(self, name: str) -> Any:
            return getattr(pictures, name)

        def batches(self, plans: Any) -> Iterator[Any]:
            yield from timed(batches(plans), clock)

    def augmented(pixels: Any) -> Any:
        begin = time.perf_counter()
        changed = augment(pixels)
        clock["augments"] += time.perf_counter() - begin
        return changed

    pictures = loop.pictures
    loop.pictures, loop.augment = Waited(), augmented  # type: ignore[assignment]

    def burst(steps: int) -> dict[str, float]:
        loop.settings = replace(settings, steps=steps)
        loop.step, loop.at, loop.plans, loop.steps = 0, 0, [], steps
        begin: list[float] = []

        def note(progress: Progress) -> None:
            if not begin:
                clock.update(waits=0.0, augments=0.0)
                begin.append(time.perf_counter())
            end[:] = [time.perf_counter(), clock["waits"], clock["augments"]]

        end: list[float] = []
        loop.run(note)
        spent = end[0] - begin[0]
        return {
            "images_per_s": (steps - 1) * batch / spent,
            "waits": end[1] / spent,
            "augments": end[2] / spent,
        }

    return burst


def theirs(images: Path, workers: int, *, oml: bool) -> Burst:
    """Return the loop of OML's or PML's documentation."""
    import pandas as pd
    import timm
    import torch
    from PIL import Image as Pillow
    from pytorch_metric_learning.losses import MultiSimilarityLoss
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms as t

    changes = t.Compose(
        [
            t.RandomResizedCrop(SIDE, scale=(0.7, 1.0), ratio=(3 / 4, 4 / 3)),
            t.RandomHorizontalFlip(),
            t.RandomApply([t.RandomRotation(5)], p=0.3),
            t.RandomApply([t.ColorJitter(0.1, 0.1, 0.1, 0.02)], p=0.8),
            t.ToTensor(),
            t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    paths = sorted(images.rglob("*.jpg"))
    kinds = sorted({path.parent.name for path in paths})
    labels = [kinds.index(path.parent.name) for path in paths]

    class Photographs(Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, at: int) -> tuple[Any, int]:
            return changes(Pillow.open(paths[at]).convert("RGB")), labels[at]

    options: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0}
    if oml:
        from oml.datasets import ImageLabeledDataset
        from oml.samplers import BalanceSampler
        from oml.utils.images.images import imread_pillow

        frame = pd.DataFrame({"path": [str(path) for path in paths], "label": labels})
        data = ImageLabeledDataset(frame, transform=changes, f_imread=imread_pillow)
        sampler = BalanceSampler(data.get_labels(), n_labels=KINDS, n_instances=EACH)
        loader = DataLoader(data, batch_sampler=sampler, **options)
    else:
        from pytorch_metric_learning.samplers import MPerClassSampler

        balanced = MPerClassSampler(labels, EACH, batch_size=BATCH, length_before_new_iter=len(labels))
        loader = DataLoader(Photographs(), batch_size=BATCH, sampler=balanced, drop_last=True, **options)
    network = timm.create_model("resnet18", num_classes=128).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    criterion = MultiSimilarityLoss()

    def endless(clock: dict[str, float]) -> Iterator[Any]:
        while True:
            yield from timed(iter(loader), clock)

    def burst(steps: int) -> dict[str, float]:
        clock = {"waits": 0.0}
        begin = 0.0
        for number, batch in zip(range(steps), endless(clock), strict=False):
            pixels, classes = (batch["input_tensors"], batch["labels"]) if oml else batch
            loss = criterion(network(pixels), classes)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if not number:
                begin, clock["waits"] = time.perf_counter(), 0.0
        spent = time.perf_counter() - begin
        return {"images_per_s": (steps - 1) * BATCH / spent, "waits": clock["waits"] / spent}

    return burst


def timed(batches: Iterator[Any], clock: dict[str, float]) -> Iterator[Any]:
    """Yield the same, and count how long each is waited for."""
    while True:
        begin = time.perf_counter()
        try:
            batch = next(batches)
        except StopIteration:
            return
        clock["waits"] += time.perf_counter() - begin
        yield batch


def peak_mb(process: int) -> float:
    """Return the highest memory of a process and of those that it started and that still run, shared pages too."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    return own / 1024 + sum(peak_mb(int(child)) for child in children)


def on_gpu(images: Path) -> Any:
    """Return utilisation, images/s and the share of waiting of ResNet-50 at 224 pixels; a sentence without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return "no GPU here"
    burst = ours(images, keep=True, backbone="timm:resnet50", batch=128, side=224)
    burst(30)  # also decodes every photograph
    seen: list[float] = []
    done = threading.Event()

    def watch() -> None:
        asked = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
        while not done.wait(0.5):
            seen.append(float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout))

    watcher = threading.Thread(target=watch)
    watcher.start()
    figures = burst(150)
    done.set()
    watcher.join()
    return {**figures, "utilisation": spread(seen), "gpu": torch.cuda.get_device_name(0)}


if __name__ == "__main__":
    main()
