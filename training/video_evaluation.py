"""Score coloured films: one row per film and way of smoothing, all ways of a film measured on the very same frames.

Steadiness (warp error, CDC, ab-CDC), what it costs (colourfulness, ab error against the truth where there is one), and
time. Nothing here opens a file; frames come as arrays, and none is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.spaces import YCbCrSpec, colorfulness, ycbcr_to_rgb
from colorize_media.color.table import chroma_table
from colorize_media.errors import FileProblem
from colorize_media.training.video_metrics import (
    DistributionConsistency,
    WarpError,
    ab_consistency,
    color_consistency,
)

BASELINE = "off"  # per-frame output: shares are of its numbers
TRUTH = "truth"
_SPEC = YCbCrSpec("bt709", full_range=True)  # of the small pictures that are measured, whatever the film's own


class ColoredFrame(Protocol):
    """What `FilmScore.add` takes, as attributes."""

    @property
    def luma(self) -> NDArray[np.uint8]: ...
    @property
    def shown(self) -> Mapping[Any, NDArray[np.float32]]: ...
    @property
    def truth(self) -> NDArray[np.float32] | None: ...
    @property
    def cut(self) -> bool: ...


class ColoredFilm(Protocol):
    """Frames, and afterwards the ``seconds`` that the network and each way took."""

    path: Path
    seconds: dict[str, float]

    def __iter__(self) -> Iterator[ColoredFrame]: ...


@dataclass
class _Way:
    """What accumulates for one way of smoothing, or for the truth."""

    cdc: DistributionConsistency = field(default_factory=color_consistency)
    ab_cdc: DistributionConsistency = field(default_factory=ab_consistency)
    colorfulness: float = 0.0
    squared_error: float = 0.0


class FilmScore:
    """Accumulates one film; `rows` gives a dict per way of smoothing, and one for the truth if there is any.

    Measured is what a viewer sees: luma at twice the ab grid (fine enough for colours of that grid), joined with ab as
    the film's encoder would be given it. Keeps one frame and a few histograms, whatever the film's length.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.frames = 0
        self._ways: dict[str, _Way] = {}
        self._warp_error = WarpError()
        self._cells = 0

    def add(
        self,
        luma: NDArray[np.uint8],
        shown: Mapping[str, NDArray[np.float32]],
        truth: NDArray[np.float32] | None,
        *,
        cut: bool = False,
    ) -> None:
        """The next frame: ``luma (H, W)``, ab ``(h, w, 2)`` by way of smoothing, the true ab of that size or None.

        ``cut`` means that a shot begins with this frame. All frames come with the same ways.
        """
        videos = dict(shown) if truth is None else {**shown, TRUTH: truth}
        height, width = next(iter(videos.values())).shape[:2]
        luma = cv2.resize(luma, (2 * width, 2 * height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        self._warp_error.add(luma, videos, cut=cut)
        for name, ab in videos.items():
            way = self._ways.setdefault(name, _Way())
            rgb = _as_seen(luma, ab)
            way.cdc.add(rgb)
            way.ab_cdc.add(ab)
            way.colorfulness += float(colorfulness(torch.from_numpy(rgb).permute(2, 0, 1) / 255.0))
            if truth is not None:
                way.squared_error += float(((ab - truth).astype(np.float64) ** 2).sum())
        self.frames += 1
        self._cells += 2 * height * width

    def rows(self) -> list[dict[str, Any]]:
        """Numbers by name; None where the film has none (no truth, a single frame).

        warp_error         of ab, in squared ab units;  warp_share  as a share of per-frame output's
        cdc, ab_cdc        histograms' change (Liu et al., TCVC)
        colorfulness       Hasler-Süsstrunk, mean over frames;  colorfulness_share  of per-frame output's
        ab_error           root mean square against the truth, ab units;  error_share  of per-frame output's
        """
        warp_errors = self._warp_error.result()
        rows: list[dict[str, Any]] = []
        for name, way in self._ways.items():
            error = np.sqrt(way.squared_error / self._cells) if TRUTH in self._ways and name != TRUTH else None
            rows.append(
                {
                    "film": self.name,
                    "frames": self.frames,
                    "smoothing": name,
                    "warp_error": _number(warp_errors[name]),
                    "cdc": _number(way.cdc.result()),
                    "ab_cdc": _number(way.ab_cdc.result()),
                    "colorfulness": way.colorfulness / self.frames,
                    "ab_error": None if error is None else float(error),
                }
            )
        base = next((row for row in rows if row["smoothing"] == BASELINE), None)
        for row in rows:
            for share, of in (
                ("warp_share", "warp_error"),
                ("colorfulness_share", "colorfulness"),
                ("error_share", "ab_error"),
            ):
                row[share] = _ratio(row[of], base[of]) if base is not None else None
        return rows


def score_film(film: ColoredFilm) -> list[dict[str, Any]]:
    """`FilmScore.rows` of a film, with ``milliseconds`` a frame; per-frame output's are the network's."""
    score = FilmScore(film.path.name)
    for frame in film:
        score.add(frame.luma, frame.shown, frame.truth, cut=frame.cut)
    rows = score.rows()
    for row in rows:
        seconds = film.seconds.get("network" if row["smoothing"] == BASELINE else row["smoothing"])
        row["milliseconds"] = None if seconds is None else 1000.0 * seconds / score.frames
    return rows


def score_films(
    films: Sequence[ColoredFilm],
    on_unreadable: Callable[[FileProblem], None],
    on_progress: Callable[[int, int], None] = lambda done, count: None,
) -> list[dict[str, Any]]:
    """`score_film` of each film; one that cannot be read is left out, and ``on_unreadable`` hears why."""
    rows: list[dict[str, Any]] = []
    for number, film in enumerate(films, 1):
        try:
            rows += score_film(film)
        except FileProblem as error:
            on_unreadable(error)
        on_progress(number, len(films))
    return rows


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each way the mean over films that have the number, and the worst film's shares, as rows ``mean`` and ``worst``."""
    ways = list(dict.fromkeys(row["smoothing"] for row in rows if row["smoothing"] != TRUTH))
    found: list[dict[str, Any]] = []
    for way in ways:
        own = [row for row in rows if row["smoothing"] == way]
        columns = {
            key: [row[key] for row in own if row.get(key) is not None]
            for key in own[0]
            if key not in ("film", "smoothing")
        }
        mean = {key: float(np.mean(values)) if values else None for key, values in columns.items()}
        worst = {
            "warp_share": max(columns["warp_share"], default=None),
            "colorfulness_share": min(columns["colorfulness_share"], default=None),
            "error_share": max(columns["error_share"], default=None),
        }
        found.append({**mean, "film": "mean", "smoothing": way})
        found.append({**dict.fromkeys(mean), **worst, "film": "worst", "smoothing": way})
    return found


# Heading, key, factor, digits.
_COLUMNS = (
    ("warp error", "warp_error", 1.0, 2),
    ("share", "warp_share", 1.0, 3),
    ("CDC ·1000", "cdc", 1000.0, 2),
    ("ab-CDC ·1000", "ab_cdc", 1000.0, 2),
    ("colourfulness", "colorfulness", 1.0, 1),
    ("share", "colorfulness_share", 1.0, 3),
    ("ab error", "ab_error", 1.0, 2),
    ("share", "error_share", 1.0, 3),
    ("ms a frame", "milliseconds", 1.0, 1),
)


def format_films(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: the films, then means and worst films. Shares are of per-frame output (``off``)."""
    lines = ["| film | smoothing | " + " | ".join(heading for heading, *_ in _COLUMNS) + " |"]
    lines.append("|---|---|" + "---|" * len(_COLUMNS))
    for row in (*rows, *summary(rows)):
        cells = [
            "–" if row.get(key) is None else f"{factor * row[key]:.{digits}f}" for _, key, factor, digits in _COLUMNS
        ]
        lines.append(f"| {row['film']} | {row['smoothing']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _as_seen(luma: NDArray[np.uint8], ab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """R'G'B' ``(H, W, 3)`` of luma and ab, as a player makes it of the planes that are encoded."""
    height, width = luma.shape
    wide: NDArray[Any] = cv2.resize(ab, (width, height), interpolation=cv2.INTER_CUBIC)
    planes = chroma_table(_SPEC.matrix).planes(luma, wide, _SPEC)  # (H, W, 2)
    chroma = _SPEC.chroma_from_codes(torch.from_numpy(planes)).permute(2, 0, 1)
    grey = _SPEC.luma_from_codes(torch.from_numpy(luma.astype(np.float32))).unsqueeze(0)
    rgb = ycbcr_to_rgb(torch.cat((grey, chroma)), _SPEC.matrix).clamp(0.0, 1.0)
    seen: NDArray[np.uint8] = (255.0 * rgb + 0.5).byte().permute(1, 2, 0).contiguous().numpy()
    return seen


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
