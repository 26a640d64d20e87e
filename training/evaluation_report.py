"""The folder that ``evaluate -o`` writes: report.json, report.html and its pictures, to be opened by a double click.

    report.json          every number of the page, and a few of each picture
    report.html          tables by model, category and scene label, the sheets below; nothing is loaded from elsewhere
    chroma.png, ab.png   how often colours are used, against the truth
    first-*.png          the first pictures of each category: nobody's choice
    worst-*, best-*.png  for each model the pictures with the largest and the smallest error

The folder is written beside its place under a temporary name and renamed when it is whole.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from colorize_media.color.spaces import fit_to_gamut, lab_to_rgb
from colorize_media.errors import LibraryMissing, OutputExists, OutputUnwritable
from colorize_media.models import Network, bin_centres, weights_digest
from colorize_media.models.bins import STEP
from colorize_media.training.evaluation import BATCH, GROUPINGS, Scores, predict_ab, true_lab
from colorize_media.training.evaluation_page import make_page, printable
from colorize_media.training.metrics import CHROMA_CELLS, CHROMA_STEP
from colorize_media.training.pictures import PictureStore

SHEET_PICTURES = 12
PANEL, SEAM, GAP, CAPTION = 174, 2, 16, 22  # px: a picture's side, between panels, between pictures, a line of text
WIDEST_SHEET = 1500  # px, two pictures beside each other if they fit


@dataclass(frozen=True)
class Evaluated:
    """All that a report tells of: what was measured, with what, how, and what came out."""

    data: Path
    store: PictureStore
    networks: Mapping[str, Network]
    files: Mapping[str, Path]
    scores: Sequence[Scores]
    size: int
    working_size: int
    device: torch.device

    def shown(self) -> list[Scores]:
        """One output of each model, grey first: the default one, at the first vividness."""
        chosen: dict[str, Scores] = {}
        for score in self.scores:
            if score.output.decoding is None or score.output.vividness is not None:
                chosen.setdefault(score.output.model, score)
        return list(chosen.values())


def check_report(target: Path) -> None:
    """Before the work, what would stop `write_report` after it.

    Raises OutputExists if ``target`` is there already, unless as an empty folder, OutputUnwritable if it cannot be made,
    LibraryMissing without matplotlib.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise LibraryMissing(
            "the report needs matplotlib",
            why="it is not installed",
            hint="pip install matplotlib, or leave -o out: the table needs nothing",
        )
    target = target.resolve()
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            why = "the folder is not empty" if target.is_dir() else "a file has this name"
            raise OutputExists("the report's place is taken", path=target, why=why, hint="give another folder with -o")
        part = _part(target)
        part.mkdir(parents=True)
        part.rmdir()
    except OSError as error:
        raise _unwritable(target, error) from error


def write_report(target: Path, evaluated: Evaluated) -> None:
    """Make the folder: whole, or not at all. Raises OutputUnwritable."""
    target = target.resolve()
    part = _part(target)
    try:
        part.mkdir(parents=True)
        _write_files(part, evaluated)
        if target.is_dir():
            target.rmdir()  # only if it is empty
        part.rename(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def _unwritable(target: Path, error: OSError) -> OutputUnwritable:
    why = error.strerror or str(error)
    return OutputUnwritable("cannot write the report", path=target, why=why, hint="give another folder with -o")


def _write_files(folder: Path, evaluated: Evaluated) -> None:
    models = [score for score in evaluated.shown() if score.output.decoding is not None]
    plot_chroma(models, folder / "chroma.png")
    plot_ab(models, folder / "ab.png")
    sheets = {}
    for number, category in enumerate(sorted(set(evaluated.store.categories) - {""})):
        first = [index for index, other in enumerate(evaluated.store.categories) if other == category]
        file = f"first-{number}-{_slug(category)}.png"
        write_sheet(evaluated, first[:SHEET_PICTURES], folder / file)
        sheets["first", category] = file
    for number, score in enumerate(models):
        order = np.argsort(score.pictures["delta_e_2000"], kind="stable").tolist()
        for kind, chosen in (("worst", order[::-1]), ("best", order)):
            file = f"{kind}-{number}-{_slug(score.output.model)}.png"
            write_sheet(evaluated, chosen[:SHEET_PICTURES], folder / file)
            sheets[kind, score.output.model] = file
    facts = report_facts(evaluated)
    (folder / "report.json").write_text(json.dumps(facts, indent=1, allow_nan=False), encoding="utf-8")
    (folder / "report.html").write_text(make_page(facts, sheets), encoding="utf-8")


def report_facts(evaluated: Evaluated) -> dict[str, Any]:
    """What report.json holds."""
    store = evaluated.store
    groups: dict[str, dict[str, Any]] = {}
    for kind in GROUPINGS:
        counts = {name: metrics.pictures for name, metrics in evaluated.scores[0].groups[kind].items()}
        groups[kind] = {
            name: {
                "pictures": count,
                "rows": [
                    {"model": score.output.model} | score.groups[kind][name].result() for score in evaluated.shown()
                ],
            }
            for name, count in sorted(counts.items())
        }
    return {
        "data": str(evaluated.data),
        "pictures": len(store),
        "dropped": dict(store.dropped),
        "size": evaluated.size,
        "working_size": evaluated.working_size,
        "device": str(evaluated.device),
        "models": {
            name: {
                "weights": str(evaluated.files[name]),
                "sha256": weights_digest(evaluated.files[name]),
                "config": asdict(network.config),
            }
            for name, network in evaluated.networks.items()
        },
        "rows": [score.row() for score in evaluated.scores],
        "shown_vividness": next(s.output.vividness for s in evaluated.shown() if s.output.decoding is not None),
        "groups": groups,
        "chroma_histograms": {
            "step": CHROMA_STEP,
            "truth": evaluated.scores[0].all.shares("true_chroma").tolist(),
            **{score.output.model: score.all.shares("chroma").tolist() for score in evaluated.shown()},
        },
        "by_picture": [
            {
                "name": store.names[index],
                "category": store.categories[index],
                "label": store.labels[index],
                "true_colorfulness": round(evaluated.scores[0].pictures["true_colorfulness"][index], 3),
                "scores": {
                    score.output.model: {
                        name: round(score.pictures[name][index], 4)
                        for name in ("delta_e_2000", "psnr", "ssim", "colorfulness")
                    }
                    for score in evaluated.shown()
                },
            }
            for index in range(len(store))
        ],
    }


def plot_chroma(scores: Sequence[Scores], path: Path) -> None:
    """PNG: share of pixels over chroma, the truth's as a grey area and each score's as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    edges = np.arange(CHROMA_CELLS + 1) * CHROMA_STEP
    axes.stairs(scores[0].all.shares("true_chroma"), edges, fill=True, color="0.8", label="truth")
    for score in scores:
        divergence = score.all.result()["chroma_js"]
        axes.stairs(
            score.all.shares("chroma"),
            edges,
            linewidth=1.6,
            label=f"{_legend(score.output.model)}, JS {divergence:.4f}",
        )
    axes.set_yscale("log")
    axes.set_ylim(1e-6, 1)
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel("chroma, ab units")
    axes.set_ylabel("share of pixels per 2 units")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def plot_ab(scores: Sequence[Scores], path: Path) -> None:
    """PNG: share of pixels in each ab bin, on one logarithmic scale: the truth, then each score."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    panels = [("truth", scores[0].all.shares("true_bins"))]
    panels += [
        (f"{_legend(score.output.model)}, JS {score.all.result()['bins_js']:.4f}", score.all.shares("bins"))
        for score in scores
    ]
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(3.1 * columns + 0.6, 3.3 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    cells = (bin_centres() / STEP).long() + 12
    for place, (title, shares) in zip(axes[: len(panels)], panels, strict=True):
        grid = np.full((25, 25), np.nan)
        grid[cells[:, 1], cells[:, 0]] = shares.clamp(min=1e-6)
        reach = 12.5 * STEP
        drawn = place.imshow(
            grid, origin="lower", extent=(-reach, reach, -reach, reach), cmap="magma", norm=LogNorm(1e-6, 1)
        )
        place.set_title(title, fontsize=10)
        place.set_xlabel("a")
        place.set_ylabel("b")
    for place in axes[len(panels) :]:
        place.axis("off")
    figure.colorbar(drawn, ax=axes.tolist(), label="share of pixels", shrink=0.9)
    figure.savefig(path, dpi=110)


def write_sheet(evaluated: Evaluated, indices: Sequence[int], path: Path) -> None:
    """PNG: for each picture grey | each model | truth, its name above, each panel's ΔE2000 below."""
    shown = evaluated.shown()
    heads = [_short(score.output.model) for score in shown] + ["truth"]
    wide = len(heads) * (PANEL + SEAM) + GAP
    columns = max(1, min(WIDEST_SHEET // wide, len(indices)))
    tall = CAPTION + PANEL + CAPTION + GAP
    lines = -(-len(indices) // columns)
    sheet = Image.new("RGB", (columns * wide + GAP, lines * tall + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), _font(13)
    tiles = _tiles(evaluated, indices)
    for place, (index, panels) in enumerate(zip(indices, tiles, strict=True)):
        left, top = GAP + (place % columns) * wide, GAP + (place // columns) * tall
        about = printable(", ".join(filter(None, (evaluated.store.names[index], evaluated.store.categories[index]))))
        draw.text((left, top + 2), _fitting(about, font, wide - GAP), "black", font)
        numbers = [f"ΔE {score.pictures['delta_e_2000'][index]:.1f}" for score in shown] + [""]
        for number, (panel, head, error) in enumerate(zip(panels, heads, numbers, strict=True)):
            x = left + number * (PANEL + SEAM)
            sheet.paste(panel, (x, top + CAPTION))
            draw.text((x, top + CAPTION + PANEL + 2), _fitting(f"{head} {error}", font, PANEL - 4), "black", font)
    sheet.save(path)


def _tiles(evaluated: Evaluated, indices: Sequence[int]) -> Iterator[list[Image.Image]]:
    """For each picture its panels, grey first, truth last."""
    for start in range(0, len(indices), BATCH):
        lab = true_lab(evaluated.store, indices[start : start + BATCH], evaluated.size)
        shown: list[Tensor] = []
        for score in evaluated.shown():
            decoding = score.output.decoding
            if decoding is None:
                shown.append(torch.zeros_like(lab[:, 1:]))
                continue
            network = evaluated.networks[score.output.model]
            shown += predict_ab(network, lab[:, :1], [decoding], evaluated.working_size, evaluated.device)
        rgb = [lab_to_rgb(fit_to_gamut(torch.cat((lab[:, :1], ab), dim=1))) for ab in (*shown, lab[:, 1:])]
        for number in range(len(lab)):
            pixels = [(panel[number].permute(1, 2, 0) * 255.0 + 0.5).byte().numpy() for panel in rgb]
            yield [Image.fromarray(panel).resize((PANEL, PANEL), Image.Resampling.LANCZOS) for panel in pixels]


def _font(size: int) -> Any:
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _fitting(text: str, font: Any, width: float) -> str:
    """The text, its beginning cut off if it is too wide: the end of a file's name tells more."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"…{text}") > width:
        text = text[1:]
    return f"…{text}"


def _short(model: str) -> str:
    """A model's name for a legend: of a path the last two parts."""
    return printable("/".join(Path(model).parts[-2:]))


def _legend(model: str) -> str:
    """`_short` for matplotlib, to which a dollar begins a formula."""
    return _short(model).replace("$", r"\$")


def _slug(name: str) -> str:
    """A model's or a category's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", _short(name)).strip("-")[:40] or "unnamed"
