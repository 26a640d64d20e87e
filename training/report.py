"""What training leaves to look at: a JSON-lines log, a PNG of its curves, contact sheets (grey | ours | truth)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize_media.color.spaces import fit_to_gamut, lab_to_rgb
from colorize_media.errors import EnvironmentProblem


class JsonLog:
    """Appends one JSON object per line; a torn last line (a kill while writing) is cut off when the log is opened again.

    ``upto`` drops rows of later steps, which a resumed run writes again.
    """

    def __init__(self, path: Path, *, upto: int | None = None) -> None:
        self.path = path
        rows = read_log(path) if upto is not None else []
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                if row.get("step", 0) <= (upto or 0):
                    file.write(json.dumps(row) + "\n")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row and hand it to the operating system."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row)) + "\n")


class TensorBoard:
    """The same rows for TensorBoard, in ``<run>/tensorboard``. Raises EnvironmentProblem where it is not installed."""

    def __init__(self, run: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise EnvironmentProblem(
                "TensorBoard is not installed",
                why=str(error),
                hint="pip install tensorboard, or leave --tensorboard out",
            ) from error
        # A resumed run's rows after its last state are written again; the old ones are purged.
        self._writer = SummaryWriter(str(run / "tensorboard"), purge_step=step or None)

    def write(self, row: Mapping[str, Any]) -> None:
        """All numbers of a row of the log under ``kind/name``."""
        numbers = {name: value for name, value in row.items() if isinstance(value, int | float) and name != "step"}
        for name, value in (numbers | {f"loss/{part}": value for part, value in row.get("loss", {}).items()}).items():
            self._writer.add_scalar(f"{row['kind']}/{name}", value, row["step"])

    def close(self) -> None:
        """Everything is on disk afterwards."""
        self._writer.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """All whole rows of a log; [] if there is none."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def plot_curves(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """PNG with the loss parts, the learning rate and the validation numbers over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    train = [row for row in rows if row["kind"] == "train"]
    val = [row for row in rows if row["kind"] == "val"]
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4))
    for part in sorted({key for row in train for key in row["loss"]}):
        axes[0].plot([row["step"] for row in train], [row["loss"].get(part) for row in train], label=part)
    if train:
        axes[0].set_yscale("log")
    axes[0].set_title("loss parts")
    axes[1].plot([row["step"] for row in train], [row["learning_rate"] for row in train])
    axes[1].set_title("learning rate")
    for name in ("auc", "auc_rebalanced"):
        axes[2].plot([row["step"] for row in val], [row[name] for row in val], marker="o", label=name)
    axes[2].set_title("validation")
    for axis in axes:
        if axis.get_legend_handles_labels()[0]:  # nothing is logged yet before the first row of a kind
            axis.legend()
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    figure.tight_layout()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part.png")
    figure.savefig(temporary, dpi=90)
    pyplot.close(figure)
    os.replace(temporary, path)


def contact_sheet(lab: Tensor, predictions: Sequence[Tensor], path: Path, *, columns: int = 4, side: int = 160) -> None:
    """PNG with one group grey | each prediction | truth per picture, ``columns`` groups a row.

    ``lab (B, 3, H, W)`` is the truth, each prediction ``(B, 2, H, W)`` ab. Gamut fitting keeps every panel's lightness.
    """
    lightness = lab[:, :1]
    panels = [torch.zeros_like(lab[:, 1:]), *predictions, lab[:, 1:]]
    shown = [lab_to_rgb(fit_to_gamut(torch.cat((lightness, ab), dim=1))) for ab in panels]
    gap = 4
    group_width = len(panels) * side + gap
    rows = -(-len(lab) // columns)
    sheet = Image.new("RGB", (columns * group_width, rows * (side + gap)), "white")
    for index in range(len(lab)):
        for place, picture in enumerate(shown):
            pixels = (picture[index].permute(1, 2, 0).numpy() * 255.0 + 0.5).astype(np.uint8)
            tile = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(tile, ((index % columns) * group_width + place * side, (index // columns) * (side + gap)))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part.png")
    sheet.save(temporary)
    os.replace(temporary, path)
