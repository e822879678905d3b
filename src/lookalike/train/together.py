"""Several processes that train one network: each takes a part of every batch, all see the loss of the whole batch.

Vectors are gathered before the loss, so that losses that compare the images of a batch compare all of them, and batch
normalisation counts all of them too: the run is that of one process with the same batch, to rounding.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce

__all__ = ["ALONE", "Group", "meet"]

T = TypeVar("T")
_PATIENCE = datetime.timedelta(days=1)  # whoever started the processes ends them all when one dies


class Group:
    """The processes of a run; of one, everything here does nothing.

    Args:
        rank: which one this is, from 0.
        size: how many there are.
        words: the group that numbers and names travel by.
    """

    def __init__(self, rank: int = 0, size: int = 1, words: Any = None) -> None:
        self.rank, self.size = rank, size
        self._words = words

    @property
    def first(self) -> bool:
        """Return whether this is the one that writes."""
        return self.rank == 0

    def share(self, plan: Sequence[int]) -> list[int]:
        """Return this process's part of a batch; those of all, one after another, are the batch."""
        most = -(-len(plan) // self.size)
        return list(plan[self.rank * most : (self.rank + 1) * most])

    def everyones(self, value: T) -> list[T]:
        """Return what each process has."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self._words)
        return found

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what the first process makes; what it raises is raised by all."""
        if self.size == 1:
            return make()
        said: list[Any] = [None, None]
        if self.first:
            try:
                said[0] = make()
            except Exception as failed:
                said[1] = failed
        dist.broadcast_object_list(said, src=0, group=self._words)
        if said[1] is not None:
            raise said[1]
        made: T = said[0]
        return made

    def wait(self) -> None:
        """Return when all are here."""
        if self.size > 1:
            dist.barrier(group=self._words)

    def leave(self) -> None:
        """End the group, when all is done."""
        if self.size > 1:
            dist.destroy_process_group()

    def rows(self, own: Any, counts: Sequence[int]) -> Any:
        """Return the (B, ...) rows of all processes in order; the gradient reaches the own ones.

        Args:
            own: (b, ...), of which the first ``counts[rank]`` count.
            counts: of each process.
        """
        if self.size == 1:
            return own
        most = max(counts)
        mine = own[: counts[self.rank]]
        padded = torch.zeros(most, *own.shape[1:], dtype=own.dtype, device=own.device)
        padded[: len(mine)] = mine.detach()
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        if mine.requires_grad:
            # Each process has the whole loss, and their gradients are averaged: the sum is what one process has.
            mine.register_hook(lambda gradient: gradient * self.size)
        cut = [part[:count] for part, count in zip(parts, counts, strict=True)]
        cut[self.rank] = mine
        return torch.cat(cut)

    def average_gradients(self, parameters: Iterable[Any]) -> None:
        """Replace the gradients by their means over all, which rounding alone makes different."""
        for each in parameters if self.size > 1 else ():
            if each.grad is not None:
                dist.all_reduce(each.grad)
                each.grad /= self.size

    def wrapped(self, network: Any) -> Any:
        """Return the network as it is run forward: its gradients are averaged over all processes."""
        if self.size == 1:
            return network
        cuda = next(network.parameters()).is_cuda
        return nn.parallel.DistributedDataParallel(
            network,
            device_ids=[torch.cuda.current_device()] if cuda else None,
            broadcast_buffers=False,
            find_unused_parameters=True,
        )

    def normalised_together(self, network: Any) -> Any:
        """Return the network with its batch normalisation over the batches of all processes."""
        if self.size == 1:
            return network
        if next(network.parameters()).is_cuda:
            from timm.layers import convert_sync_batchnorm  # torch's own forgets the activation within timm's

            return convert_sync_batchnorm(network)
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.__class__ = type(module.__class__.__name__, (_Together, module.__class__), {})
        return network


ALONE = Group()


class _Together:
    """Batch normalisation over all processes on a CPU, which torch's SyncBatchNorm does not do.

    A base before that of the module: outside of training it is the module itself.
    """

    def forward(self: Any, given: Any) -> Any:
        if not self.training:
            return super().forward(given)  # type: ignore[misc]
        dims = [0, *range(2, given.ndim)]
        shape = [1, -1] + [1] * (given.ndim - 2)
        own = given.new_full((1,), given.numel() / given.shape[1])
        sums = torch.cat([given.sum(dims), own])
        sums = all_reduce(sums)
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = given - mean.view(shape)
        variance = all_reduce((centred * centred).sum(dims)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * count / (count - 1).clamp_min(1), share)
        made = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            made = made * self.weight.view(shape) + self.bias.view(shape)
        for inside in ("drop", "act"):  # of timm's BatchNormAct2d
            if hasattr(self, inside):
                made = getattr(self, inside)(made)
        return made


def meet(rank: int, size: int, *, device: str, place: str | None) -> Group:
    """Return the group of all processes, when all have come.

    Args:
        rank, size: which one this is, and of how many.
        device: ``cuda`` speaks NCCL, all others gloo.
        place: a file that all of them see; None: what the environment says, as torchrun sets it.
    """
    dist.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        init_method=f"file://{place}" if place else "env://",
        rank=rank,
        world_size=size,
        timeout=_PATIENCE,
    )
    return Group(rank, size, dist.new_group(backend="gloo", timeout=_PATIENCE))
