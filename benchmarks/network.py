"""Milliseconds per 256×256 picture of every network and engine, in one run: ratios can be compared between machines.

python benchmarks/network.py [--threads 1] [--device cpu] [--batch 1]

The last column is how many times as fast a row is as the command's default, PyTorch at the device's own precision.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import torch

from colorize_media.errors import LibraryMissing
from colorize_media.models import Config, RegressionConfig, ScenesConfig, build
from colorize_media.network.device import choose_device, network_dtype
from colorize_media.network.engines import Engine, OpenVinoEngine, TorchEngine

REPEATS = 15  # the least of them is told: the machine's own noise only adds


def engines(config: Config, device: torch.device) -> Iterator[tuple[str, torch.dtype, Callable[[], Engine]]]:
    """Name, precision and maker of each engine that the device can have; the command's default first."""
    own = network_dtype(device)
    for dtype in dict.fromkeys((own, torch.float32)):
        yield "torch", dtype, lambda dtype=dtype: TorchEngine(build(config).eval(), device, dtype)
    if device.type == "cpu":
        for dtype in dict.fromkeys((own, torch.float32)):
            yield "openvino", dtype, lambda dtype=dtype: OpenVinoEngine(build(config).eval(), dtype)


def measure(make: Callable[[], Engine], batch: int) -> tuple[float, float]:
    """Seconds until an engine is ready, and the least time of one pass with its mean, milliseconds per picture."""
    begun = time.perf_counter()
    engine = make()
    ready = time.perf_counter() - begun
    picture = 100 * torch.rand(batch, 1, 256, 256)
    least = float("inf")
    for _ in range(REPEATS):
        begun = time.perf_counter()
        engine(picture).mean(1.0).cpu()
        least = min(least, time.perf_counter() - begun)
    return ready, 1000 * least / batch


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
    print("| network | engine | precision | ready in s | ms | times as fast |")
    print("|---|---|---|---|---|---|")
    for config in (RegressionConfig(), ScenesConfig()):
        default = 0.0
        for name, dtype, make in engines(config, device):
            try:
                ready, milliseconds = measure(make, arguments.batch)
            except LibraryMissing as error:
                print(f"| {config.kind} | {name} | {error.what} | | | |")
                break
            default = default or milliseconds
            precision = str(dtype).removeprefix("torch.")
            print(
                f"| {config.kind} | {name} | {precision} | {ready:.1f} | {milliseconds:.3g} | {default / milliseconds:.2f} |"
            )


if __name__ == "__main__":
    main()
