"""Where a run computes, and in which precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from ..errors import BadInput, LookalikeError, MissingExtra

__all__ = ["OutOfMemory", "autocast", "choose_device", "explained", "require_torch"]


class OutOfMemory(LookalikeError, MemoryError):
    """The machine's memory, or the GPU's, is not enough for a run."""

    code = "out_of_memory"


def require_torch() -> None:
    """Check that torch and pytorch-metric-learning are there.

    Raises:
        MissingExtra: they are not.
    """
    for package in ("torch", "pytorch_metric_learning", "kornia"):
        try:
            __import__(package)
        except ModuleNotFoundError as missing:
            raise MissingExtra(
                f"training needs the package {missing.name!r}, which is not installed.",
                hint="Try: pip install 'lookalike[train]' (behind a CPU build of torch where there is no GPU).",
            ) from missing


def choose_device(name: str) -> str:
    """Return ``cpu``, ``cuda`` or ``mps``; ``auto`` takes a GPU where there is one.

    Raises:
        BadInput: it is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there[name]:
        raise BadInput(f"there is no {name} device that torch can use here.", hint="Use --device auto or cpu.")
    return name


def autocast(device: str, precision: str) -> tuple[AbstractContextManager[Any], Any]:
    """Return the context of mixed precision, and the scaler of its gradients; None where none is needed.

    ``auto`` is bfloat16 on GPUs and processors that compute in it, else float16 on a GPU and float32 on a CPU.
    """
    import torch

    if precision == "auto":
        quick = _computes_in_bfloat16(device)
        precision = "bfloat16" if quick else "float16" if device == "cuda" else "float32"
    if precision == "float32":
        return contextlib.nullcontext(), None
    context = torch.autocast(device, dtype=getattr(torch, precision))
    return context, torch.amp.GradScaler(device) if precision == "float16" else None


def _computes_in_bfloat16(device: str) -> bool:
    """Return whether there are units for it: without them it is many times slower, with them twice as quick."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # not public, and not in every version
    return device == "cpu" and any(getattr(torch.cpu, name, bool)() for name in asked)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Say in our words that memory was not enough.

    Raises:
        OutOfMemory: it was not.
    """
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as failed:
        raise _out(failed) from failed
    except RuntimeError as failed:
        if "allocate memory" not in str(failed):  # what torch says of a CPU's memory
            raise
        raise _out(failed) from failed


def _out(failed: BaseException) -> OutOfMemory:
    first = (str(failed).strip() or "no more can be had").splitlines()[0][:200]
    return OutOfMemory(
        f"the memory is not enough for this run: {first}",
        hint="Lower --batch (and raise --accumulate by as much), --side or --cache-mb, or take a smaller backbone.",
    )
