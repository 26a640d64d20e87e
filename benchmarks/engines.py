"""How far engines and precisions are from PyTorch's float32, on real pictures: the numbers in docs/design-notes.md.

python benchmarks/engines.py DATA [--model scenes] [--limit 40] [--threads 1]

ab as the command decides it at vividness 1, in ab units, over all pixels of the 1/4 grid; AuC after enlarging.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

from colorize_media.models import find_weights, load_weights
from colorize_media.network.device import network_dtype
from colorize_media.network.engines import OpenVinoEngine, TorchEngine
from colorize_media.training.evaluation import SIZE, squares
from colorize_media.training.metrics import ColorMetrics, Truth, measure
from colorize_media.training.pictures import load_pictures
from colorize_media.training.sources import read_pictures

BATCH = 4


def _distance(ab: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (ab - other).square().sum(dim=1).sqrt().flatten()


def main() -> None:
    """Parse, compute, print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="scenes")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cpu = torch.device("cpu")
    store = load_pictures(read_pictures([arguments.data]), SIZE, limit=arguments.limit)
    path = find_weights(arguments.model)
    config = load_weights(path)[0].config
    print(f"{path.name}, {len(store)} pictures, bfloat16 in hardware: {network_dtype(cpu) == torch.bfloat16}")
    print(
        "| engine | precision | ab away, mean | 99.9 % below | largest | from torch bfloat16 | AuC % | rebalanced % |"
    )
    print("|---|---|---|---|---|---|---|---|")
    known: list[torch.Tensor] = []
    for name, dtype in (
        ("torch", torch.float32),
        ("torch", torch.bfloat16),
        ("openvino", torch.float32),
        ("openvino", torch.bfloat16),
    ):
        network, _ = load_weights(path)
        engine = TorchEngine(network, cpu, dtype) if name == "torch" else OpenVinoEngine(network, dtype)
        scores, found = ColorMetrics(), []
        for lab in squares(store, SIZE, BATCH):
            with torch.inference_mode():
                ab = config.chroma_gain * engine(lab[:, :1]).mean(config.temperature)
            found.append(ab)
            full = F.interpolate(ab, (SIZE, SIZE), mode="bicubic", align_corners=False)
            scores.add_sums(measure(Truth(lab), full, full=False).sum(dim=0))
        known.append(torch.cat(found))
        away = _distance(known[-1], known[0])
        rounded = f"{_distance(known[-1], known[1]).max():.2g}" if len(known) > 1 else ""
        result = scores.result()
        print(
            f"| {name} | {str(dtype).removeprefix('torch.')} | {away.mean():.2g} | {away.quantile(0.999):.2g} | "
            f"{away.max():.2g} | {rounded} | {result['auc']:.3f} | {result['auc_rebalanced']:.3f} |"
        )


if __name__ == "__main__":
    main()
