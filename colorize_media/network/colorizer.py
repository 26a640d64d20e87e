"""Colorizer: batches of lightness in, colours on a coarse grid out. Knows the device, never a file."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_media.models import ColorDistribution, consensus, find_weights, load_weights, weights_digest
from colorize_media.network.device import default_batch, network_dtype
from colorize_media.network.engines import Engine, choose_engine, make_engine
from colorize_media.network.refine import settle_colors
from colorize_media.network.tones import widened


class Colorizer:
    """A network on a device.

    ``model`` as for ``--model``, ``device`` as for ``--device``, ``engine`` as for ``--engine``, ``batch_size`` 0 for the
    device's default. Several threads may use one: its passes come one after the other.
    Raises UnknownModel, WeightsDamaged, BadOption, DeviceMissing, LibraryMissing.
    """

    def __init__(
        self, model: str = "scenes", device: str = "auto", *, batch_size: int = 0, engine: str = "auto"
    ) -> None:
        chosen, self.device = choose_engine(engine, device)
        self.dtype = network_dtype(self.device)
        self.batch_size = batch_size or default_batch(self.device)
        self.weights = find_weights(model)
        network, self.record = load_weights(self.weights)
        self.config = network.config
        self._one_pass = threading.Lock()  # an engine's buffers are its own, and memory is counted on for one
        self.engine: Engine = make_engine(chosen, network, self.device, self.dtype)

    @cached_property
    def weights_digest(self) -> str:
        """`models.weights_digest` of the file."""
        return weights_digest(self.weights)

    def distribution(self, lightness: Tensor) -> ColorDistribution:
        """One pass. ``lightness (B, 1, H, W)`` float32, L in [0, 100], sides multiples of 32."""
        with self._one_pass:
            return self.engine(lightness)

    def colors(
        self, *views: Tensor, mirror: bool = False, vividness: float = 1.0, refine: float | None = None
    ) -> NDArray[np.float32]:
        """ab of any number of pictures of one shape: ``(B, 1, H, W)`` L → ``(B, H/4, W/4, 2)`` float32, on the CPU.

        Several ``views`` are the same pictures at several sizes, the first gives the grid; with ``mirror`` each is looked at
        mirrored too. What all looks agree on counts (`models.consensus`). The network sees faded tones widened (`tones`).

        ``refine`` is the strength of the spatial mean field (`refine.mean_field`), None the model's own.

        Works in batches of ``batch_size``. When the device's memory does not suffice, the batch is halved for good and
        the pass repeated; a single picture that does not fit raises PyTorch's error.
        """
        done: list[Tensor] = []
        start = 0
        while start < len(views[0]):
            parts = [view[start : start + self.batch_size] for view in views]
            count = len(parts[0])
            try:
                done.append(self._settle(parts, mirror, vividness, refine))
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error) or count == 1:
                    raise
                self.batch_size = max(1, count // 2)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            start += count
        colors: NDArray[np.float32] = torch.cat(done).permute(0, 2, 3, 1).contiguous().numpy()
        return colors

    def _settle(self, views: list[Tensor], mirror: bool, vividness: float, refine: float | None) -> Tensor:
        with torch.inference_mode():
            looks = [look for view in views for look in self._looks(widened(view), mirror)]
            colors = settle_colors(
                consensus(looks),
                views[0],
                temperature=self.config.temperature,
                gain=vividness * self.config.chroma_gain,
                picture_gain=self.config.picture_gain,
                refine=self.config.refine if refine is None else refine,
            )
            return colors.cpu()

    def _looks(self, view: Tensor, mirror: bool) -> list[ColorDistribution]:
        """Of the pictures as they are and, with ``mirror``, mirrored: in one pass, so that each weight is fetched once."""
        if not mirror:
            return [self.distribution(view)]
        both = self.distribution(torch.cat((view, view.flip(-1))))
        return [both.part(0, len(view)), both.part(len(view), 2 * len(view)).mirrored()]


def _is_out_of_memory(error: Exception) -> bool:
    """CPU and MPS report it as a RuntimeError with words, CUDA with a class of its own."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
