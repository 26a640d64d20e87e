"""Several processes train one network: who we are among them, sums over all of them, batch normalisation over all of them.

torchrun starts the processes and tells each its place by environment variables; without it there is one process and every
function here is the identity. Messages go by NCCL between GPUs and by Gloo between CPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce as differentiable_sum

from colorize_media.errors import BadOption


@dataclass(frozen=True)
class Ranks:
    """One process among ``count``; ``local`` is its number on this machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def rows(self, batch: int) -> range:
        """This process's places in a batch. Raises BadOption if the batch cannot be shared out evenly."""
        if batch % self.count:
            raise BadOption(
                "the batch cannot be shared out",
                why=f"{batch} pictures over {self.count} processes",
                hint=f"give a --batch that is a multiple of {self.count}",
            )
        share = batch // self.count
        return range(self.rank * share, (self.rank + 1) * share)

    def device(self, device: torch.device) -> torch.device:
        """The device of this process: with several GPUs each takes the one of its local number."""
        return torch.device("cuda", self.local) if device.type == "cuda" and self.count > 1 else device

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, without gradient; the tensor itself where there is one."""
        if self.count == 1:
            return tensor
        total = tensor.detach().clone()
        distributed.all_reduce(total)
        return total

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started, for the time of the block."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    ranks = Ranks(int(os.environ["RANK"]), count, int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(ranks.device(device))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()


class _SummedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes, for CPUs, where PyTorch's SyncBatchNorm does not run."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        wide = x.float()
        # All processes have batches of one size, so means of means are means. The second sum is of squared deviations from
        # the common mean: E[x²] − E[x]² would lose the digits of small variances.
        count = distributed.get_world_size()
        mean = differentiable_sum(wide.mean(dim=(0, 2, 3))) / count
        centred = wide - mean.view(1, -1, 1, 1)
        variance = differentiable_sum(centred.square().mean(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            number = count * x.numel() / x.shape[1]
            momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * number / max(number - 1, 1), momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(x.dtype)


def share_network(network: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    """The network to call in training: gradients averaged and batch statistics taken over all processes.

    ``network``'s batch normalisations are replaced in place, under the same names; it stays the owner of the weights.
    """
    if ranks.count == 1:
        return network
    if device.type == "cuda":
        shared: Any = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    else:
        shared = _with_summed_statistics(network)
    places = [device.index] if device.type == "cuda" else None
    # Running statistics are the same on all processes already; sending them every step would only cost.
    return nn.parallel.DistributedDataParallel(shared, device_ids=places, broadcast_buffers=False)


def _with_summed_statistics(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SummedBatchNorm  # same parameters, same buffers, same names
    return network
