"""What widening a faded picture's tones for the network is worth, and what it costs the pictures that are not faded.

    python benchmarks/faded.py DATA [--model scenes] [--every 6] [--working-size 192]

DATA as for `colorize-media evaluate`. Each row is a film frame's way (one look, the model's own decoding), measured against the
same truth: pictures as they are, and faded: black at 5 to 30 L, white at 60 to 90, both by chance that a picture's own tones
seed. `network.tones` is asked with several limits; 100 and 0 leave every picture alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from colorize_media.models import ColorDistribution, Network, find_weights, load_weights
from colorize_media.network import tones
from colorize_media.training.evaluation import Decoding, evaluate_network
from colorize_media.training.memory import keep_freed_memory
from colorize_media.training.pictures import load_pictures
from colorize_media.training.sources import find_sources, read_pictures

SIZE = 256  # px
LIMITS = ((100.0, 0.0), (8.0, 80.0), (tones.BLACK, tones.WHITE), (12.0, 75.0))


def faded(lightness: Tensor) -> Tensor:
    """L ``(B, 1, H, W)`` as an old print's: black and white of each picture by a chance that depends on nothing else."""
    level = lightness.mean(dim=(1, 2, 3), keepdim=True)
    black, white = 5 + 25 * (level * 97.13).frac(), 60 + 30 * (level * 31.7).frac()
    return black + lightness * (white - black) / 100


class Seeing(nn.Module):
    """A network that is shown something else than the picture."""

    def __init__(self, network: Network, way: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.config, self.way = network, network.config, way
        self.eval()

    def forward(self, lightness: Tensor) -> ColorDistribution:
        """As the network's."""
        found: ColorDistribution = self.network(self.way(lightness))
        return found


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="scenes")
    parser.add_argument("--every", type=int, default=6, help="of the pictures, the first, then each so-many-th")
    parser.add_argument("--working-size", type=int, default=192, help="px, short side")
    args = parser.parse_args()
    keep_freed_memory()
    network, _ = load_weights(find_weights(args.model))
    sources = find_sources(args.data, "val") or find_sources(args.data)
    store = load_pictures(read_pictures(sources), SIZE).part(0, args.every)
    config = network.config
    decoding = Decoding(config.temperature, config.chroma_gain, config.refine, picture_gain=config.picture_gain)
    print(f"{len(store)} pictures\n\n| pictures | black, white | AuC | rebalanced | colour |\n|---|---|---|---|---|")
    for name, look in (("as they are", lambda lightness: lightness), ("faded", faded)):
        for tones.BLACK, tones.WHITE in LIMITS:
            seeing = Seeing(network, lambda lightness, look=look: tones.widened(look(lightness)))
            row = evaluate_network(seeing, store, [decoding], working_size=args.working_size, full=False)[0]
            figures = f"{row['auc']:.2f} | {row['auc_rebalanced']:.2f} | {row['colorfulness_ratio']:.3f}"
            print(f"| {name} | {tones.BLACK:g}, {tones.WHITE:g} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
