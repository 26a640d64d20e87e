"""Which memory layout and which precision train fastest here: measured, because no rule holds on all machines.

The same network trained fastest contiguous in one version of PyTorch and ten times faster in channels_last in the next; and
bfloat16 is a gain only where the processor computes it. Each way is tried on a few pictures; that takes some seconds.
"""

from __future__ import annotations

import copy
import platform
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from colorize_media.models import ColorDistribution, Network
from colorize_media.network.device import mixed_precision, network_dtype
from colorize_media.network.pace import passes_per_second

PICTURES = 8  # of a batch that are tried: the order of the ways is that of whole batches
SECONDS = 0.7  # that a way is tried for in each of its rounds


@dataclass(frozen=True)
class Way:
    """How a network is laid out in memory, and whether its products are taken in bfloat16."""

    channels_last: bool
    bfloat16: bool

    @property
    def layout(self) -> torch.memory_format:
        """PyTorch's name of the layout."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def as_dict(self) -> dict[str, bool]:
        """JSON."""
        return asdict(self)


def machine_mark() -> str:
    """What a measurement holds for: another processor, number of threads or PyTorch is measured anew."""
    return (
        f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} {torch.__version__}"
    )


def fastest_way(network: Network, size: int, device: torch.device, *, bfloat16: bool) -> tuple[Way, dict[str, float]]:
    """The way to train a network at ``size`` px, and the pictures a second of each way that was tried.

    Only on a CPU there is something to choose; bfloat16 is tried where it is wanted and the processor computes it.
    Leaves the network as it was.
    """
    if device.type != "cpu":
        return Way(True, bfloat16), {}
    computed = bfloat16 and network_dtype(device) == torch.bfloat16
    random = torch.Generator().manual_seed(0)
    lightness = 100.0 * torch.rand(PICTURES, 1, size, size, generator=random)
    ways = [Way(last, low) for low in ((False, True) if computed else (False,)) for last in (False, True)]
    passes = {way: partial(_pass, _laid_out(network, way), lightness, way) for way in ways}
    speeds = {way: PICTURES * speed for way, speed in passes_per_second(passes, SECONDS).items()}
    best = max(speeds, key=lambda way: speeds[way])
    return best, {_told(way): round(speed, 1) for way, speed in speeds.items()}


def _laid_out(network: Network, way: Way) -> nn.Module:
    """A copy to train, so that nothing of the trial stays; what does not learn works as it will: in evaluation mode."""
    tried = copy.deepcopy(network).to(memory_format=way.layout).train()
    for module in tried.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()
    return tried


def _pass(network: nn.Module, lightness: Tensor, way: Way) -> None:
    with mixed_precision(lightness.device, wanted=way.bfloat16):
        output: ColorDistribution = network(lightness)
    total = output.mean().square().mean() if output.logits is None else output.logits.float().logsumexp(dim=1).mean()
    total.backward()


def _told(way: Way) -> str:
    return f"{'channels_last' if way.channels_last else 'contiguous'} {'bfloat16' if way.bfloat16 else 'float32'}"


def remembered_way(notes: dict[str, Any]) -> Way | None:
    """The way that a run's notes hold, if they were written on a machine like this one."""
    pace = notes.get("pace", {})
    return Way(**pace["way"]) if pace.get("machine") == machine_mark() else None
