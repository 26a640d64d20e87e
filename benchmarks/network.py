"""Milliseconds per 256×256 picture of every network, in one run: ratios can be compared between machines.

python benchmarks/network.py [--threads 1] [--device cpu] [--batch 1]
"""

from __future__ import annotations

import argparse
import time

import torch

from colorize_media.device import choose_device, network_dtype
from colorize_media.models import RegressionConfig, ScenesConfig, build

REPEATS = 15  # the least of them is told: the machine's own noise only adds


def milliseconds(
    config: ScenesConfig | RegressionConfig, device: torch.device, dtype: torch.dtype, batch: int
) -> float:
    """Least time of one pass, per picture."""
    network = build(config).eval().to(device, dtype).to(memory_format=torch.channels_last)
    picture = (100 * torch.rand(batch, 1, 256, 256)).to(device, dtype, memory_format=torch.channels_last)
    least = float("inf")
    with torch.inference_mode():
        for _ in range(REPEATS):
            begun = time.perf_counter()
            network(picture).mean(1.0).cpu()
            least = min(least, time.perf_counter() - begun)
    return 1000 * least / batch


def main() -> None:
    """Parse, measure, print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    print(f"{device}, {arguments.threads} threads, batch {arguments.batch}")
    print("| network | float32 ms | default ms |")
    print("|---|---|---|")
    for config in (RegressionConfig(), ScenesConfig()):
        full = milliseconds(config, device, torch.float32, arguments.batch)
        fast = milliseconds(config, device, network_dtype(device), arguments.batch)
        print(f"| {config.kind} | {full:.0f} | {fast:.0f} |")


if __name__ == "__main__":
    main()
