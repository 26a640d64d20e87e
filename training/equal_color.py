"""Networks compared at equal colour: more colour costs accuracy, so figures at different colourfulness say little.

A network's ab are multiplied by the gain that gives a stated share of the truth's colourfulness over all pictures, then
measured as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_media.color.spaces import fit_to_gamut, lab_to_rgb
from colorize_media.models import Network
from colorize_media.training.evaluation import BATCH, SIZE, Decoding, decided_ab, measuring_device, squares
from colorize_media.training.metrics import ColorMetrics, Truth, colorfulness, measure
from colorize_media.training.pictures import PictureStore

CLOSE = 0.002  # of the share of the truth's colourfulness: a hundredth of a point of AuC
_TRIED = 240  # pictures that a gain is first sought on
_MOST = 6.0  # a network that needs more is grey


class EqualColor:
    """What a network says of some pictures, decoded once and kept small; then measured at any gain."""

    @torch.inference_mode()
    def __init__(
        self,
        network: Network,
        store: PictureStore,
        *,
        decoding: Decoding | None = None,
        size: int = SIZE,
        working_size: int = SIZE,
        device: torch.device | None = None,
    ) -> None:
        """``decoding``'s own gain counts as 1. The network is on ``device`` and in evaluation mode."""
        self.store, self.size = store, size
        device = device or torch.device("cpu")
        self.place = measuring_device(device)
        grids = []
        for lab in squares(store, size, BATCH, self.place):
            ab = decided_ab(network, lab[:, :1], [decoding or Decoding()], working_size, device)[0]
            grids.append(ab.to("cpu", torch.float16))
        self.grid = torch.cat(grids)  # (N, 2, working_size/4, working_size/4)
        self.measured: dict[float, ColorMetrics] = {}

    @torch.inference_mode()
    def at_gain(self, gain: float) -> ColorMetrics:
        """Everything over all pictures, their ab times ``gain``."""
        if gain not in self.measured:
            metrics = ColorMetrics()
            for lab, ab in self._pairs(1):
                metrics.add_sums(measure(Truth(lab), gain * ab).sum(dim=0))
            self.measured[gain] = metrics
        return self.measured[gain]

    def at_share(self, share: float) -> tuple[float, ColorMetrics]:
        """The gain at which colourfulness is ``share`` of the truth's, and everything at that gain."""
        gain = self._first_gain(share)
        for _ in range(6):
            metrics = self.at_gain(round(gain, 4))
            found = metrics.result()["colorfulness_ratio"]
            if abs(found - share) < CLOSE or found <= 0 or gain >= _MOST:
                break
            gain = min(_MOST, gain * share / found)
        return round(gain, 4), metrics

    def row(self, shares: Sequence[float] = (0.75, 0.95)) -> dict[str, float]:
        """``auc@0.75``, ``auc_rebalanced@0.75``, ``gain@0.75`` and so on."""
        found: dict[str, float] = {}
        for share in shares:
            gain, metrics = self.at_share(share)
            result = metrics.result()
            found |= {f"{name}@{share:g}": result[name] for name in ("auc", "auc_rebalanced")}
            found[f"gain@{share:g}"] = gain
        return found

    @torch.inference_mode()
    def _first_gain(self, share: float) -> float:
        """On some of the pictures, by colourfulness alone."""
        step = -(-len(self.store) // _TRIED)
        gain = 1.0
        for _ in range(4):
            ours = truth = 0.0
            for lab, ab in self._pairs(step):
                shown = fit_to_gamut(torch.cat((lab[:, :1], gain * ab), dim=1))
                ours += float(colorfulness(lab_to_rgb(shown)).sum())
                truth += float(colorfulness(lab_to_rgb(lab)).sum())
            if ours <= 0 or abs(ours / truth - share) < CLOSE:
                break
            gain = min(_MOST, gain * share * truth / ours)
        return gain

    def _pairs(self, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """True Lab and ours at full size, of every ``step``-th picture."""
        grid = self.grid[::step]
        for start, lab in enumerate(squares(self.store.part(0, step), self.size, BATCH, self.place)):
            ab = grid[start * BATCH : (start + 1) * BATCH].to(self.place, torch.float32)
            yield lab, F.interpolate(ab, (self.size, self.size), mode="bicubic", align_corners=False)
