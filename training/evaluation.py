"""Measure networks on pictures: every row of a table sees the same pictures at the same size.

Pictures are brought to a short side of ``size`` px and cut to the middle square; the network sees their L (at its own
working size), and its ab is enlarged bicubically and compared with the truth at full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_media.color.spaces import fit_to_gamut, lab_to_rgb, rgb_to_lab
from colorize_media.models import ColorDistribution, Network, consensus
from colorize_media.network.device import mixed_precision
from colorize_media.network.refine import settle_colors
from colorize_media.network.tones import widened
from colorize_media.options import still_sizes
from colorize_media.training.metrics import ColorMetrics, Truth, measure, numbers_of_pictures
from colorize_media.training.mixture import source_of
from colorize_media.training.perceptual import PerceptualMetric
from colorize_media.training.pictures import PictureStore, center_square

SIZE = 256  # px, of the published figures
BATCH = 8
GROUPINGS = ("source", "category", "label")


@dataclass(frozen=True)
class Decoding:
    """How a picture becomes colour, see `refine.settle_colors`. The default is the plain mean of one look.

    still   whether it is looked at as a photograph is, at two sizes and mirrored (`options.still_sizes`)
    widen   whether faded tones are widened for the network (`network.tones`)
    """

    temperature: float = 1.0
    gain: float = 1.0
    refine: float = 0.0
    still: bool = False
    picture_gain: float = 0.0
    widen: bool = False

    @classmethod
    def of_command(cls, network: Network, vividness: float = 1.0, *, fast: bool = False) -> Decoding:
        """What ``colorize-media`` does with a photograph, or, ``fast``, with a film's frame."""
        config = network.config
        gain = config.chroma_gain * vividness
        return cls(config.temperature, gain, config.refine, not fast, config.picture_gain, widen=True)


@dataclass(frozen=True)
class Output:
    """What one row of a table measures: a model's colours under one decoding; no decoding means ab = 0."""

    model: str
    name: str
    decoding: Decoding | None
    vividness: float | None = None


GREY = Output("grey", "ab = 0", None)


def outputs_of(model: str, network: Network, vividness: Sequence[float] = (1.0,)) -> list[Output]:
    """The rows of a model: its plain mean, T = 1, by which mean squared errors are compared, and what the command gives."""
    return [
        Output(model, "mean, T = 1", Decoding()),
        Output(model, "--fast, or a film's frame", Decoding.of_command(network, fast=True)),
        *(Output(model, "default", Decoding.of_command(network, value), value) for value in vividness),
    ]


@dataclass
class Scores:
    """What one output scored: over all pictures, by group (``groups["label"]["beach"]``), and picture by picture."""

    output: Output
    all: ColorMetrics = field(default_factory=ColorMetrics)
    groups: dict[str, dict[str, ColorMetrics]] = field(default_factory=lambda: {kind: {} for kind in GROUPINGS})
    pictures: dict[str, list[float]] = field(default_factory=dict)
    perceptual: dict[str, float] = field(default_factory=dict)

    def add(self, sums: Tensor, groups: Sequence[Mapping[str, str]]) -> None:
        """A batch of `measure`, and each picture's group of each kind ("" is none)."""
        self.all.add_sums(sums.sum(dim=0))
        for row, places in zip(sums, groups, strict=True):
            for kind, name in places.items():
                if name:
                    self.groups[kind].setdefault(name, ColorMetrics()).add_sums(row)
        for name, values in numbers_of_pictures(sums).items():
            self.pictures.setdefault(name, []).extend(values)

    def row(self) -> dict[str, str | float | None]:
        """As one row of a table."""
        who = {"model": self.output.model, "output": self.output.name, "vividness": self.output.vividness}
        return who | self.all.result() | self.perceptual


def measuring_device(device: torch.device) -> torch.device:
    """Where what a network on ``device`` says is measured: sums need float64, which MPS does not have."""
    return device if device.type == "cuda" else torch.device("cpu")


def squares(store: PictureStore, size: int, batch: int, device: torch.device | None = None) -> Iterator[Tensor]:
    """Batches of true Lab ``(B, 3, size, size)``, computed on ``device`` (default: the CPU)."""
    for start in range(0, len(store), batch):
        yield true_lab(store, range(start, min(start + batch, len(store))), size, device)


def true_lab(store: PictureStore, indices: Sequence[int], size: int, device: torch.device | None = None) -> Tensor:
    """Lab ``(B, 3, size, size)`` of chosen pictures, computed on ``device`` (default: the CPU)."""
    rgb = np.stack([center_square(store.pixels(index), size) for index in indices])
    return rgb_to_lab(torch.from_numpy(rgb).to(device or "cpu").permute(0, 3, 1, 2).float() / 255.0)


@torch.inference_mode()
def predict_ab(
    network: Network, lightness: Tensor, decodings: Sequence[Decoding], working_size: int, device: torch.device
) -> list[Tensor]:
    """ab ``(B, 2, H, W)`` of L ``(B, 1, H, W)`` for each decoding, the network seeing squares of ``working_size`` px.

    The network is on ``device``; L is anywhere, and its ab comes back there.
    """
    size = lightness.shape[-2:]
    return [
        F.interpolate(ab, size, mode="bicubic", align_corners=False).to(lightness.device)
        for ab in decided_ab(network, lightness, decodings, working_size, device)
    ]


@torch.inference_mode()
def decided_ab(
    network: Network, lightness: Tensor, decodings: Sequence[Decoding], working_size: int, device: torch.device
) -> list[Tensor]:
    """As `predict_ab`, but on the network's own grid, ``(B, 2, working_size/4, working_size/4)`` on ``device``."""
    looks: dict[tuple[bool, bool], tuple[ColorDistribution, Tensor]] = {}
    for still, widen in {(decoding.still, decoding.widen) for decoding in decodings}:
        sizes = still_sizes(working_size) if still else (working_size,)
        views = [_seen(lightness.to(device), size) for size in sizes]
        seen = [widened(view) for view in views] if widen else views
        with mixed_precision(device):
            found = [network(view) for view in seen]
            found += [network(view.flip(-1)).mirrored() for view in seen if still]
        looks[still, widen] = consensus(found), views[0]
    return [
        settle_colors(
            *looks[d.still, d.widen],
            temperature=d.temperature,
            gain=d.gain,
            picture_gain=d.picture_gain,
            refine=d.refine,
        )
        for d in decodings
    ]


def _seen(lightness: Tensor, side: int) -> Tensor:
    if lightness.shape[-2:] == (side, side):
        return lightness
    return F.interpolate(lightness, (side, side), mode="bicubic", antialias=True).clamp(0.0, 100.0)


@torch.inference_mode()
def evaluate(
    networks: Mapping[str, Network],
    outputs: Sequence[Output],
    store: PictureStore,
    *,
    size: int = SIZE,
    working_size: int = SIZE,
    device: torch.device | None = None,
    batch: int = BATCH,
    full: bool = True,
    perceptual: Sequence[PerceptualMetric] = (),
    on_pictures: Callable[[int], None] = lambda done: None,
) -> list[Scores]:
    """The scores of each output, in one pass over the pictures.

    ``networks`` by the name that outputs call them, on ``device`` and in evaluation mode. ``full`` measures SSIM and ΔE2000
    too. ``on_pictures`` hears after each batch how many pictures are done. Memory does not grow with their number, but
    for a few numbers per picture.
    """
    device = device or torch.device("cpu")
    place = measuring_device(device)
    scores = [Scores(output) for output in outputs]
    # Outputs that are decoded alike, as a regression's mean and default, are measured once.
    decodings = {
        name: list(dict.fromkeys(o.decoding for o in outputs if o.model == name and o.decoding is not None))
        for name in networks
    }
    sums: dict[tuple[str, Decoding | None], Tensor] = {}
    done = 0
    for lab in squares(store, size, batch, place):
        truth = Truth(lab)
        lightness = truth.lab[:, :1]
        colors: dict[tuple[str, Decoding | None], Tensor] = {}
        if GREY in outputs:
            colors[GREY.model, None] = torch.zeros_like(truth.lab[:, 1:])
        for name, network in networks.items():
            predicted = predict_ab(network, lightness, decodings[name], working_size, device)
            colors |= {(name, decoding): ab for decoding, ab in zip(decodings[name], predicted, strict=True)}
        for metric in perceptual:
            metric.start(truth.rgb)
        for key, ab in colors.items():
            sums[key] = measure(truth, ab, full=full)
            for metric in perceptual:
                metric.add(key, lab_to_rgb(fit_to_gamut(torch.cat((lightness, ab), dim=1))))
        groups = [_groups(store, index) for index in range(done, done + len(lab))]
        for score in scores:
            score.add(sums[score.output.model, score.output.decoding], groups)
        done += len(lab)
        on_pictures(done)
    for metric in perceptual:
        results = {key: metric.result(key) for key in sums}
        for score in scores:
            score.perceptual |= results[score.output.model, score.output.decoding]
    return scores


def evaluate_network(
    network: Network,
    store: PictureStore,
    decodings: Sequence[Decoding],
    *,
    size: int = SIZE,
    working_size: int = SIZE,
    device: torch.device | None = None,
    batch: int = BATCH,
    full: bool = False,
) -> list[dict[str, float]]:
    """One row of `ColorMetrics.result` per decoding. Leaves the network in the mode it was in."""
    was_training = network.training
    network.eval()
    outputs = [Output("", "", decoding) for decoding in decodings]
    scores = evaluate(
        {"": network}, outputs, store, size=size, working_size=working_size, device=device, batch=batch, full=full
    )
    network.train(was_training)
    return [score.all.result() for score in scores]


def evaluate_grey(store: PictureStore, *, size: int = SIZE, batch: int = BATCH, full: bool = False) -> dict[str, float]:
    """The row that any table starts with: ab = 0 everywhere."""
    return evaluate({}, [GREY], store, size=size, batch=batch, full=full)[0].all.result()


def _groups(store: PictureStore, index: int) -> dict[str, str]:
    """A picture's source (the first folder of its name), category and label, each only where it says more than another."""
    source, category, label = source_of(store.names[index]), store.categories[index], store.labels[index]
    return {
        "source": "" if source == label else source,
        "category": category,
        "label": "" if label == category else label,
    }
